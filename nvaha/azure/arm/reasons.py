"""What an error of Azure Resource Manager says is missing, in words that an operator can act on: pure.

ARM's texts run to thousands of characters, and what matters stands anywhere in them: the right and the
resource behind a sentence about whom they are missing to, the newest API versions at the end of a list that
starts in 2014. So it is taken out and goes first, whole; the text itself follows and may be cut.

The wordings are those of public reports (azure-facts B2a). A text that is worded otherwise gives nothing
here, and is told as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nvaha.text import shortened

LONGEST_REASON = 900
"""Two resource ids of Azure's greatest length, each with its right, fit; of more, as many as do."""

UNSERVED = frozenset({"noregisteredproviderfound", "invalidapiversionparameter", "invalidresourcetype"})
"""Codes for an API version that is not served, here or at all. The last comes as a 404 that is none."""

_SETTING = "NVAHA_ARM_API_VERSION"
_NEWEST = 6
_RIGHT = re.compile(r"perform action(?:\(s\))? '([^']+)'[^']{0,40} (?:over|at) (?:the )?scope '([^']+)'")
_LINKED_RIGHT = re.compile(
    r"does not have permission to perform action(?:\(s\))? '([^']+)' on the ((?:'\d+' )?linked scope.*)"
)
# The quote that ends them is missing in some texts of Azure's.
_LINKED_SCOPES = re.compile(r"linked scope(?:\(s\))? '(.*?)(?:'| \(respectively\)| or the linked)")
_LINKED_TENANT = re.compile(
    r"current tenant '([^']+)' is not authorized to access linked subscription '([^']+)'"
)
_DENY_ASSIGNMENT = re.compile(
    r"perform action '([^']+)' on scope '([^']+)'.{0,50}denied because of the deny assignment "
    r"with name '([^']*)' and Id '[^']*' at scope '([^']*)'"
)
_LOCKS = re.compile(r"following scope\(s\) are locked: ((?:'[^']+'(?:, ?)?)+)")
_QUOTED = re.compile(r"'([^']+)'")
_SERVED = re.compile(r"supported (?:api-)?versions are '([^']+)'")
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")
# The policy comes as JSON inside the text, its quotes escaped once for every wrapping.
_POLICY = re.compile(r'policyAssignment["\\: {]+name["\\: ]+([^"\\]+)["\\, ]+id["\\: ]+([^"\\]+)')


def reason(codes: frozenset[str], text: str, policies: Sequence[str] = ()) -> str:
    """Return what is missing or in the way, at most LONGEST_REASON characters; empty if the text says none.

    Args:
        codes: the error's codes, folded.
        text: the error's text, with that of its details.
        policies: what the error names as denying policies beside its text.
    """
    if codes & UNSERVED:
        return _served(text)
    found = policies or [f"{name!r} ({id_})" for name, id_ in _POLICY.findall(text)]
    if denied_by := _listed(found):
        return f"denied by the policy assignment {denied_by}"
    if match := _LOCKS.search(text):
        return f"locked at {_listed(_QUOTED.findall(match[1]))}"
    if match := _DENY_ASSIGNMENT.search(text):
        action, scope, name, at = match.groups()
        return shortened(
            f"{action} on {scope} is denied by the deny assignment {name!r} at {at}", LONGEST_REASON
        )
    if match := _LINKED_TENANT.search(text):
        return f"tenant {match[1]} may not use subscription {match[2]}"
    if match := _LINKED_RIGHT.search(text):
        scopes = [scope for each in _LINKED_SCOPES.findall(match[2]) for scope in each.split(",")]
        return _needed(match[1].split(","), scopes)
    if match := _RIGHT.search(text):
        return _needed([match[1]], [match[2]])
    return ""


def policies_of(error: Mapping[str, Any]) -> Iterator[str]:
    """Yield each denying policy that an error, or one of its details, names beside its text."""
    found = error.get("additionalInfo")
    for each in found if isinstance(found, list) else []:
        info = each.get("info") if isinstance(each, Mapping) else None
        if isinstance(info, Mapping) and isinstance(id_ := info.get("policyAssignmentId"), str):
            name = info.get("policyAssignmentDisplayName") or info.get("policyAssignmentName") or ""
            yield f"{str(name)!r} ({id_})"


def _needed(actions: list[str], scopes: list[str]) -> str:
    scopes = [scope for scope in scopes if scope.strip()]
    if len(actions) == len(scopes):
        pairs = zip(actions, scopes, strict=True)
        return f"needs the right {_listed(f'{action.strip()} on {scope}' for action, scope in pairs)}"
    right = f"needs the right {', '.join(actions)} on "[: LONGEST_REASON // 3]
    return right + _listed(scopes, LONGEST_REASON - len(right))


def _served(text: str) -> str:
    unserved = f"this API version is not served here; set {_SETTING} to one that is"
    match = _SERVED.search(text)
    served = sorted({each.strip() for each in match[1].split(",")}, reverse=True) if match else []
    # Nobody is sent to a preview unless there is nothing else.
    stable = [each for each in served if _VERSION.fullmatch(each)] or served
    if not stable:
        return unserved
    return shortened(
        f"{unserved}: {', '.join(stable[:_NEWEST])} are the newest of {len(served)}", LONGEST_REASON
    )


def _listed(names: Iterable[str], longest: int = LONGEST_REASON - 50) -> str:
    """Join names, each one whole, as many as fit; the first in any case, if need be cut."""
    told, left = "", list(dict.fromkeys(name.strip() for name in names if name.strip()))
    while left and len(told) + len(left[0]) + len(", and 9999 more") <= longest:
        told += (", " if told else "") + left.pop(0)
    if left and not told:
        told = shortened(left.pop(0), longest - len(" and 9999 more"))
    return f"{told} and {len(left)} more" if left else told
