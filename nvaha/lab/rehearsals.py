"""Drills of the runbook's sections, several in one lab. docs/rehearsals.md has them with their records.

Azure answers at once in them: they are about what one sees, and how one sees that it is over, not about how
long Azure takes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from nvaha.lab.drill import Do, Drill, Say, See, Type, Untouched, Verdict
from nvaha.lab.drills import DRILLS, FIRST, ONE, OTHER, SECOND, TABLE, TWO, move
from nvaha.lab.runbook import STATUS, Over, Pinged, Shows, sections
from nvaha.lab.screen import Screen
from nvaha.lab.several import run
from nvaha.lab.stage.azurite import LabError

_FAST: dict[str, Any] = {"profile": "fast", "traffic": False}
_AGAIN = (Do(f"stop {FIRST}"), Do(f"start {FIRST}"))
_SOON, _LATER = (f"$(date -ud '+{seconds} seconds' +%FT%TZ)" for seconds in (30, 300))


REHEARSALS = {
    drill.name: drill
    for drill in (
        Drill(
            name="nvas",
            purpose="one NVA is down, then unsteady; the active one dies while somebody has paused the group",
            steps=(
                Do(f"kill {TWO}"),
                Shows("nva_down"),
                Do(f"revive {TWO}"),
                Over("nva_down"),
                Do(f"unsteady {TWO}"),
                Shows("nva_unsteady", within_s=90),
                Do(f"revive {TWO}"),
                Over("nva_unsteady", within_s=90),
                Type("nvaha pause edge --reason 'new certificates'"),
                Shows("paused"),
                Do(f"kill {ONE}"),
                Shows("active_down"),
                Shows("switch_refused"),
                Type("nvaha resume edge"),
                Shows("resumed"),
                Over("paused"),
                Shows("switch_requested"),
                Over("switch_refused", by=("switch_requested",)),
                Over("switch_requested", by=("switch_done",)),
                Shows("guarded"),
                Over("active_down"),
                Over("guarded"),
            ),
            verdict=Verdict(on=TWO, wrote={FIRST: 4}, ended=("done",)),
            lab={**_FAST, "control": True, "policy": {"hold_down": "15s"}},
        ),
        Drill(
            name="sight",
            purpose="every NVA is dead, then the control target as well: who can tell what is wrong",
            steps=(
                Do(f"kill {TWO}"),
                Do(f"kill {ONE}"),
                Shows("all_down"),
                Do("kill control"),
                Shows("control_down"),
                Shows("blind"),
                Shows("blind_all_down"),
                Shows("sees_nobody"),
                Untouched(0),
                Do("revive control"),
                Over("blind"),
                Over("blind_all_down"),
                Over("control_down"),
                Over("sees_nobody"),
                Do(f"revive {TWO}"),
                Over("all_down"),
                See(("switch_done",)),
            ),
            verdict=Verdict(on=TWO, wrote=None, ended=("done",)),
            lab={**_FAST, "control": True, "hosts": 2},
        ),
        Drill(
            name="commands",
            purpose="failovers that are scheduled, cancelled, dropped, and given up as the target dies",
            steps=(
                Type(f"nvaha failover edge --to {TWO} --at {_LATER} --yes"),
                Shows("failover_scheduled"),
                Type("nvaha cancel edge"),
                Shows("failover_cancelled"),
                Type("nvaha pause edge"),
                Type(f"nvaha failover edge --to {TWO} --at {_SOON} --yes"),
                Shows("failover_dropped"),
                Over("failover_scheduled", by=("failover_dropped",)),
                Type("nvaha resume edge"),
                Do("arm slow"),
                Type(f"nvaha failover edge --to {TWO} --yes"),
                Shows("switching"),
                Say("That cannot be turned round by a command; but its target dies, and the old one lives."),
                Type(f"nvaha failover edge --to {ONE} --force --yes", code=1, shows=("is being switched",)),
                Do(f"kill {TWO}"),
                Shows("switch_superseded"),
                Do("arm fast"),
                Over("switch_superseded", by=("switch_done",), within_s=120),
                Over("switching"),
            ),
            verdict=Verdict(on=ONE, wrote=None, ended=("superseded", "done")),
            lab=_FAST,
        ),
        Drill(
            name="lock",
            purpose="a lock is in the way of a route table while an NVA dies; then Azure is asked too much",
            steps=(
                Do(f"lock {TABLE}"),
                Do(f"kill {ONE}"),
                Shows("step_failed"),
                Shows("switch_failed"),
                Do(f"unlock {TABLE}"),
                Type(move(TWO), shows=(f"Done: edge is on {TWO}",)),
                Over("step_failed", by=("switch_done",)),
                Over("switch_failed"),
                Say("For two minutes after a switch a group is looked at each half minute."),
                Do("throttle on"),
                Shows("throttled", within_s=90),
                Do("throttle off"),
                Over("throttled", by=("throttled_over",), within_s=60),
            ),
            verdict=Verdict(on=TWO, wrote={FIRST: 4}, ended=None),
            lab=_FAST,
        ),
        Drill(
            name="failback",
            purpose="a failback is due while nvaha may not read the group's resources",
            steps=(
                Do(f"kill {ONE}"),
                See(("switch_done",)),
                Do(f"revive {ONE}"),
                Do(f"fence {FIRST}"),
                Shows("waits"),
                Shows("nva_not_ready"),
                Do("unfence all"),
                Over("nva_not_ready", within_s=90),
                Type(move(ONE), shows=(f"Done: edge is on {ONE}",)),
                Over("waits"),
            ),
            verdict=Verdict(on=ONE, wrote={FIRST: 8}, ended=None),
            lab={
                **_FAST,
                "policy": {"hold_down": "5s", "failback": "automatic", "failback_after": "10s"},
            },
        ),
        Drill(
            name="queue",
            purpose="nobody takes switches up, somebody holds their lease, and odd messages come",
            steps=(
                Type("nvaha status", shows=("Canary was switched well",), within_s=120),
                Do("message garbage"),
                Shows("message_refused"),
                Over("message_refused", quiet_s=3),
                Do(f"set {FIRST} AzureWebJobs.switch.Disabled true"),
                See(("leader_elected",)),
                Type(f"nvaha failover edge --to {TWO} --yes"),
                Shows("switch_requeued"),
                Shows("switch_unclaimed"),
                Type("nvaha failover canary --to first --yes"),
                Shows("canary_slow"),
                Do("poison edge"),
                Shows("message_poisoned"),
                Do(f"unset {FIRST} AzureWebJobs.switch.Disabled"),
                Over("switch_requeued", by=("switch_claimed",)),
                Over("switch_unclaimed"),
                Over("message_poisoned"),
                Over("canary_slow", by=("canary_done",)),
                Do("lease take"),
                Type(f"nvaha failover edge --to {ONE} --yes"),
                Shows("switch_held_up"),
                Do("lease break"),
                Over("switch_held_up"),
            ),
            verdict=Verdict(on=ONE, wrote=None, ended=None),
            lab={**_FAST, "canary": True},
        ),
        Drill(
            name="settings",
            purpose="what an application setting or the configuration does to a monitor that restarts",
            steps=(
                Type("nvaha status", shows=("Canary was switched well",), within_s=120),
                Do("policy automatic false"),
                Do("policy hold_down 1s"),
                Do("outside refuses"),
                Do(f"set {FIRST} FUNCTIONS_EXTENSION_VERSION ~5"),
                Shows("config_warning"),
                Shows("automatic_off"),
                Shows("ping_failed"),
                Type("nvaha failover canary --to first --yes --wait"),
                Shows("versions_changed"),
                Do(f"kill {TWO}"),
                Shows("notify_failed"),
                Do("outside takes"),
                Type("nvaha notify test"),
                Over("notify_failed", quiet_s=3),
                Do(f"revive {TWO}"),
                Do("policy automatic true"),
                Do("policy hold_down 5s"),
                Do(f"unset {FIRST} FUNCTIONS_EXTENSION_VERSION"),
                Pinged("ping_failed"),
                Over("automatic_off"),
                Over("config_warning", quiet_s=1),
            ),
            verdict=Verdict(on=ONE, wrote=None, ended=()),
            lab={**_FAST, "canary": True, "outside": True},
        ),
        Drill(
            name="azure",
            purpose="somebody changes what nvaha looks after, or what it may do there",
            steps=(
                Do(f"forwarding off {TWO}"),
                Do(f"break route {TABLE}"),
                *_AGAIN,
                Shows("nva_not_ready"),
                Shows("drift_found"),
                Over("drift_found"),
                Do(f"forwarding on {TWO}"),
                Over("nva_not_ready"),
            ),
            verdict=Verdict(on=ONE, wrote={FIRST: 1}, ended=("done",)),
            lab=_FAST,
        ),
        Drill(
            name="begin",
            purpose="a deployment begins where Azure does not answer, beside an NVA that is not steady",
            steps=(
                Do(f"stop {FIRST}"),
                Do(f"unsteady {TWO}"),
                Do("arm off"),
                Do(f"rival {OTHER}"),
                Shows("active_unknown", at=OTHER),
                Shows("discovery_failed", at=OTHER),
                Shows("nva_unknown", at=OTHER),
                Do("arm on"),
                Over("active_unknown", at=OTHER),
                Over("discovery_failed", at=OTHER),
                Do(f"revive {TWO}"),
                Over("nva_unknown", at=OTHER),
            ),
            verdict=Verdict(on=ONE, wrote={}, ended=(), at=OTHER),
            lab=_FAST,
        ),
        Drill(
            name="monitors",
            purpose="a second monitor with another configuration, without leases; the first one stands still",
            steps=(
                Do("policy hold_down 7s"),
                Do(f"add {SECOND}"),
                Shows("config_differs"),
                Do("policy hold_down 5s"),
                Do(f"stop {SECOND}"),
                Do(f"start {SECOND}"),
                Over("config_differs"),
                Do(f"leases off {SECOND}"),
                Shows("cannot_lead"),
                Do(f"leases on {SECOND}"),
                Over("cannot_lead"),
                Do(f"freeze {FIRST}"),
                Untouched(4),
                Do(f"thaw {FIRST}"),
                Shows("round_late"),
                Say(
                    "Longer than from one renewal of the lease to the next, and not so long that it is gone."
                ),
                Do(f"freeze {FIRST}"),
                Untouched(8.5),
                Do(f"thaw {FIRST}"),
                Shows("lease_renewed_late"),
                Over("lease_renewed_late", quiet_s=10),
                Do("row spoil"),
                Shows("state_unreadable"),
                Do("row mend"),
                Over("state_unreadable"),
                Over("round_late", quiet_s=1),
                Do("storage hang"),
                Shows("leader_lost"),
                Shows("store_unavailable"),
                Do("storage on"),
                Over("leader_lost"),
                Over("store_unavailable", by=("leader_elected",)),
            ),
            verdict=Verdict(on=ONE, wrote={}, ended=()),
            lab=_FAST,
        ),
        Drill(
            name="nobody",
            purpose="nobody leads, as the function that does is switched off; then one leads with a fault",
            steps=(
                Do(f"set {FIRST} AzureWebJobs.probe.Disabled true"),
                Shows("no_leader", within_s=90),
                Shows("unwatched", STATUS),
                Do(f"unset {FIRST} AzureWebJobs.probe.Disabled"),
                Over("no_leader", by=("leader_elected",)),
                Over("unwatched"),
                Do(f"bug on {FIRST}"),
                Shows("round_failed"),
                Shows("unwatched", STATUS, within_s=90),
                Do(f"bug off {FIRST}"),
                Over("unwatched"),
                Over("round_failed", quiet_s=2),
            ),
            verdict=Verdict(on=ONE, wrote={}, ended=()),
            lab=_FAST,
        ),
    )
}
"""Drills for the runbook's sake alone; some of `DRILLS` show sections as well."""


def drills_of(section: str) -> list[str]:
    """Return the names of the drills that show a section, the shortest first."""
    return [name for name, drill in (REHEARSALS | DRILLS).items() if section in sections(drill)]


def chosen(name: str) -> list[Drill]:
    """Return the drills that a name stands for: one, `all`, `runbook`, or those that show a section.

    Raises:
        LabError: it stands for none; with those that there are.
    """
    drills = DRILLS | REHEARSALS
    several = {"all": list(drills), "runbook": list(REHEARSALS)}
    names = several.get(name) or ([name] if name in drills else drills_of(name)[:1])
    if not names:
        known = f"there are {', '.join(drills)}, runbook, all, and each section of docs/runbook.md"
        raise LabError(f"there is no drill {name!r}; {known}")
    return [drills[each] for each in names]


async def command(name: str, *, profile: str, page: Path | None, at_once: int) -> int:
    """Go through one drill, or several, or list them without a name; returns the exit code."""
    console = Console(highlight=False)
    if not name:
        width = max(map(len, DRILLS | REHEARSALS))
        for drill in (DRILLS | REHEARSALS).values():
            Screen(console).tell(drill.purpose, head=f"{drill.name.ljust(width)}  ")
        return 0
    try:
        drills = chosen(name)
        return await run(
            drills, console, profile=profile, page=page, at_once=at_once if len(drills) > 1 else 1
        )
    except LabError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text(str(error), style="red"))
        return 1
