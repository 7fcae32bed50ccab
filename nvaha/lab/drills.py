"""The drills: each a line of what life in production brings. docs/drills.md has them with their records."""

from __future__ import annotations

from nvaha.lab.drill import Answered, Ask, Do, Drill, Say, See, Type, Untouched, Verdict
from nvaha.lab.runbook import LOG, Over, Shows

ONE, TWO = "ha-nva-vm1", "ha-nva-vm2"
TABLE, MORE = "ha-nva-udr", "ha-nva-mgmt-udr"
CANARY = "ha-nva-canary"
FIRST, SECOND, OTHER = "monitor-a", "monitor-b", "monitor-x"
WHOLE = 4
"""What a whole switch writes: two route tables, the NIC that loses the public IP, the one that gains it."""


def move(to: str, *more: str) -> str:
    """Return the command that moves the group, and waits for that."""
    return " ".join((f"nvaha failover edge --to {to}", *more, "--yes --wait"))


DRILLS = {
    drill.name: drill
    for drill in (
        Drill(
            name="failover",
            purpose="the active NVA dies: what one sees, and how long it takes",
            steps=(
                Do(f"kill {ONE}"),
                See(("nva_down", "switch_requested", "switch_done")),
                Answered(figures=True),
                Type("nvaha status edge", shows=("steady", f"{TWO} *")),
            ),
            verdict=Verdict(on=TWO, wrote={FIRST: WHOLE}, ended=("done",)),
        ),
        Drill(
            name="planned",
            purpose="a move by hand, its plan first, and back again: as for the upgrade of an NVA",
            steps=(
                Type(f"nvaha plan edge --to {TWO}", shows=("nothing forbids it now",)),
                Type(move(TWO, f"--reason 'upgrade of {ONE}'"), shows=(f"Done: edge is on {TWO}",)),
                Type(move(ONE, "--reason upgraded"), shows=(f"Done: edge is on {ONE}",)),
                Type("nvaha history edge", shows=("upgraded",)),
            ),
            verdict=Verdict(on=ONE, wrote={FIRST: 2 * WHOLE}, ended=("done", "done")),
        ),
        Drill(
            name="both-down",
            purpose="both NVAs are dead, then one comes back",
            steps=(
                Do(f"kill {TWO}"),
                See(("nva_down",)),
                Do(f"kill {ONE}"),
                See(("all_down",)),
                Untouched(),
                Type("nvaha status edge", shows=("every NVA is down",)),
                Do(f"revive {TWO}"),
                See(("all_down_over", "switch_done")),
                Answered(),
            ),
            verdict=Verdict(on=TWO, wrote={FIRST: WHOLE}, ended=("done",)),
        ),
        Drill(
            name="hold",
            purpose="a tag holds the group while its active NVA dies",
            steps=(
                Do(f"hold {TABLE}"),
                Do(f"kill {ONE}"),
                See(("nva_down",)),
                Shows("held"),
                Untouched(),
                Type("nvaha status edge", shows=("held by tag nvaha-hold",)),
                Say("The tag is taken off. While something waits for that, a look follows within a minute."),
                Do(f"unhold {TABLE}"),
                Over("held", within_s=120),
                See(("switch_done",)),
                Answered(),
            ),
            verdict=Verdict(on=TWO, wrote={FIRST: WHOLE}, ended=("failed", "done")),
        ),
        Drill(
            name="break-glass",
            purpose="people move the group by hand while nvaha is gone; back again, it undoes nothing",
            steps=(
                Say("Kept for that day, elsewhere:"),
                Type("nvaha break-glass edge --output sheets"),
                Do(f"stop {FIRST}"),
                Do(f"kill {ONE}"),
                Say("Nobody watches. The sheet's commands are carried out: first a hold, then the moves."),
                Do(f"follow sheets/edge-to-{TWO}.azcli"),
                Answered(),
                Say(
                    "The NVA is mended and nvaha is back: it remembers that NVA as active, and sees the hold."
                ),
                Do(f"revive {ONE}"),
                Do(f"start {FIRST}"),
                See(("held",)),
                Untouched(15),
                Type("nvaha status edge", shows=("held by tag nvaha-hold", "drift")),
                Say("What the sheet says last: tell it where the group is, then let it go on."),
                Type(move(TWO), shows=(f"Done: edge is on {TWO}",)),
                Do(f"az tag update --resource-id {TABLE} --operation delete --tags nvaha-hold=break-glass"),
                See(("held_over",), within_s=120),
            ),
            verdict=Verdict(on=TWO, wrote={}, ended=("done",)),
        ),
        Drill(
            name="asleep",
            purpose="nobody watched for longer than five minutes, and somebody moved a route meanwhile",
            steps=(
                Do(f"stop {FIRST}"),
                Say("A lab cannot wait for that: its row is made older, as a restored table's would be."),
                Do("age 30"),
                Do(f"break route {TABLE}"),
                Do(f"start {FIRST}"),
                Shows("unwatched", LOG),
                Shows("discovered"),
                Shows("drift_unasked"),
                Over("unwatched"),
                Untouched(15),
                Type("nvaha status edge", shows=("drift",)),
                Say(f"A person decides. To bring the rest to where most is, on {ONE}:"),
                Type(move(ONE), shows=(f"Done: edge is on {ONE}",)),
                Over("drift_unasked", by=("switch_done",)),
                Over("discovered", by=("switch_done",)),
            ),
            verdict=Verdict(on=ONE, wrote={FIRST: 1}, ended=("done",)),
        ),
        Drill(
            name="rivals",
            purpose="a second deployment with a state of its own moves the same group",
            steps=(
                Say("Ours moves the group, and leaves its mark on what it writes."),
                Type(move(TWO), shows=(f"Done: edge is on {TWO}",)),
                Do(f"rival {OTHER}"),
                Shows("rival", at=OTHER),
                Type("nvaha status edge", at=OTHER, shows=("another monitor moves this group",)),
                Say("The active NVA dies: one of the two moves the group, and the other looks on."),
                Do(f"kill {TWO}"),
                See(("nva_down",), at=OTHER),
                See(("switch_done",), at=FIRST),
                Type(f"nvaha failover edge --to {TWO} --yes", at=OTHER, code=1, shows=("another monitor",)),
                Say("If the second one is to stay, it takes the marks over, and the first one stops."),
                Do(f"revive {TWO}"),
                See(("nva_up",), at=OTHER),
                Type(move(TWO, "--force"), at=OTHER, shows=(f"Done: edge is on {TWO}",)),
                Over("rival", at=OTHER),
                Do(f"kill {TWO}"),
                See(("rival",), at=FIRST, early=True),
                See(("switch_done",), at=OTHER),
                Type("nvaha status edge", shows=("another monitor moves this group",)),
                Do(f"stop {FIRST}"),
            ),
            verdict=Verdict(
                on=ONE, wrote={FIRST: 2 * WHOLE, OTHER: 2 * WHOLE}, ended=("done", "done"), at=OTHER
            ),
        ),
        Drill(
            name="standby",
            purpose="the standby monitor dies: that is told, though nothing else is wrong",
            steps=(
                Do(f"add {SECOND}"),
                Ask("/health?self", 200, SECOND, within_s=60),
                Type("nvaha status", shows=(f"Standby {SECOND}",), within_s=60),
                Say("One that was there for less than a minute would not be missed."),
                Untouched(75),
                Do(f"crash {SECOND}"),
                Ask("/health?self", None, SECOND),
                Ask("/health", 200, FIRST),
                Say("Its row grows old for half a minute; for a minute more it may be a restart."),
                Shows("no_standby", within_s=180),
                Type("nvaha status", shows=("NO STANDBY", f"Gone {SECOND}"), within_s=30),
                Do(f"start {SECOND}"),
                Over("no_standby"),
                Ask("/health?self", 200, SECOND, within_s=60),
            ),
            verdict=Verdict(on=ONE, wrote={}, ended=()),
        ),
        Drill(
            name="token",
            purpose="the identity's endpoint is out while NVAs die",
            steps=(
                Do("token off"),
                Say("A process has had its token since it started, and that is good for hours: this passes."),
                Do(f"kill {ONE}"),
                See(("switch_done",)),
                Answered(),
                Say("A process that starts now has none, and can have none: its switch waits."),
                Do(f"revive {ONE}"),
                See(("nva_up",)),
                Do(f"crash {FIRST}"),
                Do(f"start {FIRST}"),
                See(("leader_elected",)),
                Shows("no_token"),
                Do(f"kill {TWO}"),
                See(("switch_requested", "switch_held_up")),
                Untouched(),
                Type("nvaha status edge", shows=("token",)),
                Do("token on"),
                See(("switch_done",)),
                Over("no_token"),
            ),
            verdict=Verdict(on=ONE, wrote={FIRST: 2 * WHOLE}, ended=("done", "done")),
        ),
        Drill(
            name="canary",
            purpose="the canary's switch fails: told before a failover needs what is broken",
            steps=(
                Type("nvaha status", shows=("Canary was switched well",), within_s=120),
                Do(f"lock {CANARY}"),
                Type("nvaha failover canary --to first --yes --wait", code=1, shows=("locked",)),
                Shows("canary_failed"),
                Type("nvaha status", shows=("remove the lock",)),
                Do(f"unlock {CANARY}"),
                Type("nvaha failover canary --to first --yes --wait", shows=("Done: canary is on first",)),
                Over("canary_failed"),
                Type("nvaha status"),
            ),
            verdict=Verdict(on=ONE, wrote={FIRST: 2}, ended=()),
            lab={"canary": True},
        ),
        Drill(
            name="config",
            purpose="the configuration gets one more route table in the middle of a switch",
            steps=(
                Say("So far the configuration does not name it."),
                Do(f"config without {MORE}"),
                Do(f"stop {FIRST}"),
                Do(f"start {FIRST}"),
                See(("leader_elected",)),
                Do("arm slow"),
                Do(f"kill {ONE}"),
                See(("switch_claimed",)),
                Do(f"config with {MORE}"),
                Do(f"stop {FIRST}"),
                Do("arm typical"),
                Do(f"start {FIRST}"),
                Shows("switch_reconfigured"),
                Over("switch_reconfigured", by=("switch_done",), within_s=120),
                Type("nvaha history edge", shows=("done",)),
            ),
            verdict=Verdict(on=TWO, wrote={FIRST: WHOLE}, ended=("done",)),
        ),
        Drill(
            name="region",
            purpose="the region of the state is lost: begin in a new account with what was exported",
            steps=(
                Say("Before: a group that was moved, so that it bears marks, and an export."),
                Type(move(TWO)),
                Type("nvaha pause edge --reason 'certificates are changed'"),
                Type("nvaha state export export.json"),
                Say("The region is gone. First of all the old side is shut out, as it may come back."),
                Do(f"fence {FIRST}"),
                Do(f"rival {OTHER}"),
                See(("rival",), at=OTHER),
                Type("nvaha state adopt export.json", at=OTHER, shows=("edge: taken over",)),
                Shows("state_adopted", at=OTHER),
                Type("nvaha status", at=OTHER, shows=("paused",)),
                Say(
                    "The old side's marks forbid the new one to move anything by itself. Settled where it is:"
                ),
                Type(move(TWO, "--force"), at=OTHER, shows=(f"Done: edge is on {TWO}",)),
                Type("nvaha resume edge", at=OTHER),
                Say("Proved by a failover:"),
                Do(f"kill {TWO}"),
                See(("switch_done",), at=OTHER),
                Answered(),
                Type("nvaha status edge", at=OTHER, shows=("steady", f"{ONE} *")),
            ),
            verdict=Verdict(on=ONE, wrote={FIRST: WHOLE, OTHER: WHOLE + 4}, ended=("done", "done"), at=OTHER),
        ),
    )
}
