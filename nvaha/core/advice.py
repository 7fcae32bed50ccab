"""What is not plain good, in words, with what to do about it: pure.

One table says for each condition how bad it is and what a person is to do; `nvaha.core.conditions` says when
it is there, and docs/runbook.md has a section of the same name. Whatever shows a group shows these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

RUNBOOK = "docs/runbook.md"

_MOVE = "nvaha failover {group} --to {other}"
TODO: Final[dict[str, str]] = {
    # of the monitors
    "no_leader": (
        "see that an app of nvaha runs (portal: Function App > Overview) and what its log says; "
        f"meanwhile only you move a group: {_MOVE} --force"
    ),
    "blind": (
        "look at the monitor's own network (subnet, rules, control targets) and, from elsewhere, at your "
        f"traffic; meanwhile only you move a group: {_MOVE} --force"
    ),
    "config_differs": "deploy the same configuration to each app, or restart that one",
    "cannot_lead": "see that it runs and reaches storage: its own log says what it met",
    "sees_nobody": "look at that instance's own network before it has to lead: subnet, rules, targets",
    "no_standby": "start the other app, or see why it does not run; until then there is one and no other",
    "canary_failed": (
        "mend the step and the error of Azure that nvaha history {group} names, since a failover may fail "
        f"the same way; then see that it works: {_MOVE}"
    ),
    # of a group, the worst first
    "state_unreadable": (
        "correct the value that it names, in the JSON of that row's column state; do not delete the row"
    ),
    "unwatched": f"see who leads: nvaha status; until it is watched only you move it: {_MOVE} --force",
    "blind_all_down": (
        "look at your traffic and the NVAs from elsewhere. If traffic flows, mend the monitor's network; if "
        f"the active NVA is dead and another one works: {_MOVE} --force"
    ),
    "all_down": (
        "look at the NVAs, then at what is between them and the monitor (network security groups, routes); "
        "the first one that answers gets the group, unless another line says that nothing is switched"
    ),
    "active_down": f"if it does not move by itself: {_MOVE}",
    "switch_failed": (
        "mend the step and the error of Azure that nvaha history {group} names; to ask again at once: "
        f"{_MOVE}"
    ),
    "switch_unclaimed": (
        "see that the app starts and its functions switch and poison are enabled; to ask anew: "
        f"{_MOVE} --force"
    ),
    "switch_held_up": "do what it says; then the switch goes on by itself within 15 s",
    "rival": f"stop the other one; or take over, to where the group is to be: {_MOVE} --force",
    "active_unknown": f"if it stays so for minutes, say where the group is to be: {_MOVE}",
    "nva_down": "mend it, or its probe if only that is wrong: while it is down it stands in for no other",
    "drift_unasked": f"say where everything is to be: {_MOVE}",
    "drift_found": f"if it is not put right by itself within minutes: {_MOVE}",
    "discovery_failed": (
        "mend what it names, as a rule a role that is missing, since a failover would meet the same; then "
        "see that it is read: nvaha plan {group} --to {other}"
    ),
    "nva_not_ready": "mend what it names before a switch to it is needed; nvaha plan {group} --to {other}",
    "nva_unsteady": f"look at it and at the way to it; to have the group elsewhere: {_MOVE}",
    "nva_unknown": "wait some seconds; if it stays so, see that its probe has the right address and port",
    "switching": "nothing; to see how it ends: nvaha status {group} --watch",
    "waits": f"nothing, if it can wait; else do it yourself: {_MOVE}",
    "held": f"remove the tag when that work is over; until then only you move it: {_MOVE}",
    "paused": f"when that work is over: nvaha resume {{group}}; until then only you move it: {_MOVE}",
    "automatic_off": f"only you move it: {_MOVE}; or set policy.automatic: true",
    "guarded": f"nothing, if it can wait; else: {_MOVE}",
}
"""Code -> what to do; `{group}` and `{other}`, an NVA to move to, are filled in."""
_WARNINGS = {
    "canary_failed",
    "discovery_failed",
    "drift_found",
    "drift_unasked",
    "held",
    "no_standby",
    "nva_not_ready",
    "nva_unknown",
    "nva_unsteady",
    "paused",
    "sees_nobody",
    "waits",
}
_INFO = {"automatic_off", "guarded", "switching"}


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing that is not plain good.

    Args:
        code: which, by the table; a stable name.
        text: how it stands, in a sentence.
        todo: what to do about it now, with the commands to type.
    """

    code: str
    text: str
    todo: str

    @property
    def level(self) -> str:
        """How bad it is: `info`, `warning` or `error`."""
        return "warning" if self.code in _WARNINGS else "info" if self.code in _INFO else "error"

    @property
    def runbook(self) -> str:
        """Where the manual has more on it."""
        return f"{RUNBOOK}#{self.code}"


def advise(code: str, text: str, *, group: str = "GROUP", other: str | None = None) -> Advice:
    """Return the advice of a condition.

    Args:
        code: which, by the table.
        text: how it stands, in a sentence.
        group: the group that the commands are to name.
        other: the NVA that they are to name, if there is one to be advised.
    """
    return Advice(code, text, TODO[code].format(group=group, other=other or "NVA"))
