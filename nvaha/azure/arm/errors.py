"""What an answer of Azure Resource Manager means for the one who asked: pure.

ARM says "try again later" in several voices: 409, two kinds of 429, a 400 for a reference that is not ready,
a failed operation, a cancelled one. The error code tells them apart where the status does not. Sources:
azure-docs, request-limits-and-throttling.md; hashicorp/terraform #7986; Azure/aks-engine #336; Azure/bicep
#5132; microsoft/AzureTRE #3177; gardener/gardener-extension-provider-azure #757.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nvaha.azure.arm.reasons import LONGEST_REASON, UNSERVED, policies_of, reason
from nvaha.ports import NetworkError, NetworkFault
from nvaha.text import one_line, safe, shortened

LONGEST_MESSAGE = LONGEST_REASON + 300
_MOST_READ = 16_000
_LONGEST_WAIT_S = 3600.0
_MOST_DETAILS = 20
_DEEPEST = 5

# Something else has to end first, whatever the status says.
_BUSY = frozenset(
    {
        "anotheroperationinprogress",
        "canceled",
        "cancelled",
        "canceledandsupersededduetoanotheroperation",
        "operationpreemptedbyanotheroperation",
        "referencedresourcenotprovisioned",
        "resourcenotprovisioned",
        "retryableerror",
        "retryableerrorduetoanotheroperation",
        "serverbusy",
    }
)
_THROTTLED = frozenset({"subscriptionrequeststhrottled", "toomanyrequests"})
_IN_USE = frozenset({"publicipaddressinuse"})
# The last is ARM's word for a right that is missing on a linked resource, in a 400 (Azure/mpf #44).
_DENIED = frozenset(
    {
        "authorizationfailed",
        "denyassignmentauthorizationfailed",
        "linkedauthorizationfailed",
        "linkedaccesscheckfailed",
    }
)
_CHANGED = frozenset({"preconditionfailed", "preconditionfailedetagmismatch"})
_POLICY = frozenset({"requestdisallowedbypolicy"})
# Of a failed operation: Azure's own trouble, so that nobody can say what took effect.
_UNAVAILABLE = frozenset(
    {
        "gatewaytimeout",
        "internalerror",
        "internalservererror",
        "networkinternalerror",
        "operationtimedout",
        "serviceunavailable",
        "timeout",
    }
)
# 409, but waiting does not help: a lock, a disabled subscription, a provider that is not registered.
_LASTING_CONFLICTS = frozenset(
    {
        "missingsubscriptionregistration",
        "readonlydisabledsubscription",
        "scopelocked",
    }
)


@dataclass(frozen=True, slots=True)
class ArmError:
    """An error as ARM gave it: its code, its text, the codes in its details, and the policies it names."""

    code: str | None = None
    text: str = ""
    inner_codes: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()

    @property
    def codes(self) -> frozenset[str]:
        """All codes, outer and inner, folded."""
        outer = (self.code,) if self.code else ()
        return frozenset(code.casefold() for code in (*outer, *self.inner_codes))


def read_error(body: bytes | Mapping[str, Any]) -> ArmError:
    """Read ARM's `{"error": {"code", "message", "details"}}` from whatever came back."""
    content: object = body
    if isinstance(body, bytes):
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            return ArmError(text=body[:_MOST_READ].decode(errors="replace"))
    if not isinstance(content, Mapping):
        return ArmError(text=str(content)[:_MOST_READ])
    # Some services answer with the error itself, not wrapped.
    error = content.get("error", content)
    if not isinstance(error, Mapping):
        return ArmError(text=str(error)[:_MOST_READ])
    code, text = error.get("code"), error.get("message")
    details = tuple(_details(error, _DEEPEST))[:_MOST_DETAILS]
    inner = [(str(each["code"]), str(each.get("message") or "")) for each in details]
    texts = [str(text or ""), *(f"{inner_code}: {inner_text}" for inner_code, inner_text in inner)]
    return ArmError(
        code=code if isinstance(code, str) and code else None,
        text="; ".join(part for part in texts if part),
        inner_codes=tuple(inner_code for inner_code, _ in inner),
        policies=tuple(policy for each in (error, *details) for policy in policies_of(each)),
    )


def _details(error: Mapping[str, Any], deepest: int) -> list[Mapping[str, Any]]:
    details = error.get("details")
    if not isinstance(details, list) or deepest == 0:
        return []
    found: list[Mapping[str, Any]] = []
    for detail in details[:_MOST_DETAILS]:
        if isinstance(detail, Mapping) and isinstance(detail.get("code"), str):
            found += [detail, *_details(detail, deepest - 1)]
    return found


class AnswerError(NetworkError):
    """What an HTTP answer means.

    Args:
        odd: whether the same request may be answered otherwise a moment later, though the fault is a lasting
            one. Behind ARM's address are many servers, and one that has not heard yet of an API version, or
            of a resource, says no where the next one says yes (Azure/azure-cli #28368, #28496).
    """

    odd: bool = False


def answer_error(
    resource_id: str, status: int, headers: Mapping[str, str], body: bytes | Mapping[str, Any]
) -> AnswerError:
    """Return the error for an HTTP answer that is not the one hoped for.

    Args:
        resource_id: what was asked for.
        status: the HTTP status.
        headers: the answer's headers, in a mapping without regard to case.
        body: the answer's body.
    """
    error = read_error(body)
    fault = _fault_of_answer(status, error.codes)
    meaning = AnswerError(
        fault,
        resource_id,
        _message(str(status), error),
        retry_after_s=retry_after_s(headers),
        code=error.code,
    )
    meaning.odd = fault is NetworkFault.REFUSED and (status == 400 or bool(error.codes & UNSERVED))
    return meaning


def operation_error(resource_id: str, status: str, error: Mapping[str, Any] | None) -> NetworkError:
    """Return the error for an operation that ended, but not in success.

    Args:
        resource_id: what was being written.
        status: how it ended: `Failed` or `Canceled`.
        error: the `error` of the operation's body, if it has one.
    """
    found = read_error({"error": error or {}})
    return NetworkError(
        _fault_of_operation(status, found.codes),
        resource_id,
        _message(f"the operation ended as {status}", found),
        code=found.code,
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header; ARM sends no dates in it."""
    value = headers.get("Retry-After", "").strip()
    if not re.fullmatch(r"[0-9]{1,9}", value):
        return None
    return min(float(value), _LONGEST_WAIT_S)


def described(error: BaseException) -> str:
    """Return an error's kind and words; where it has none, as after a reset, those of what caused it."""
    kind = type(error).__name__
    if str(error):
        return f"{kind}: {error}"
    return f"{kind}: {described(error.__cause__)}" if error.__cause__ is not None else kind


def bounded(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Return a text on one line, without tokens, cut in the middle to what a log line bears."""
    return shortened(_clean(text), longest, tail=longest // 3)


def _clean(text: str) -> str:
    # What is cut off is cut off before secrets are looked for: half of one would not be found.
    return safe(one_line(text[:_MOST_READ]))


def _message(status: str, error: ArmError) -> str:
    """Return the reason, whole, and then ARM's own words, as much of them as still fits."""
    missing = reason(error.codes, _clean(error.text), [_clean(policy) for policy in error.policies])
    if not missing:
        return bounded(": ".join(part for part in (status, error.code or "", error.text) if part))
    said = f"({status}{' ' if error.code else ''}{error.code or ''}): {error.text}"
    return f"{missing} {bounded(said, LONGEST_MESSAGE - len(missing) - 1)}"


def _fault_of_answer(status: int, codes: frozenset[str]) -> NetworkFault:
    if codes & _POLICY:
        return NetworkFault.POLICY
    if status in {401, 403} or codes & _DENIED:
        return NetworkFault.DENIED
    if codes & UNSERVED:
        # A 404 among them says nothing of the resource.
        return NetworkFault.REFUSED
    if status == 404:
        return NetworkFault.MISSING
    if status == 412:
        return NetworkFault.CHANGED
    if codes & _IN_USE:
        return NetworkFault.IN_USE
    if status == 409 and codes & _LASTING_CONFLICTS:
        return NetworkFault.REFUSED
    if status == 409 or (status < 500 and codes & _BUSY):
        return NetworkFault.BUSY
    # A 429 that names no other operation is real throttling, under whatever code.
    if status == 429 or (status < 500 and codes & _THROTTLED):
        return NetworkFault.THROTTLED
    if status == 408 or status >= 500:
        return NetworkFault.UNAVAILABLE
    return NetworkFault.REFUSED


def _fault_of_operation(status: str, codes: frozenset[str]) -> NetworkFault:
    if codes & _POLICY:
        return NetworkFault.POLICY
    if codes & _DENIED:
        return NetworkFault.DENIED
    if codes & _IN_USE:
        return NetworkFault.IN_USE
    if codes & _CHANGED:
        return NetworkFault.CHANGED
    # Cancelled means superseded: a newer write to the same resource ended this one.
    if codes & (_BUSY | _THROTTLED) or status.casefold() in {"canceled", "cancelled"}:
        return NetworkFault.BUSY
    if codes & _UNAVAILABLE:
        return NetworkFault.UNAVAILABLE
    return NetworkFault.REFUSED
