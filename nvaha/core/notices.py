"""What operators are told of a group, in sentences; log, HTTP and CLI all take them from here: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from nvaha.core.health import WINDOW
from nvaha.core.inputs import SwitchDone
from nvaha.model import Drift, Group, GroupState, Health, Notice, NvaState, SwitchRequest
from nvaha.text import alike, shortened

MOST_LISTED, LONGEST_SENTENCE, TAIL = 5, 300, 100
TODAY_S = 12 * 3600.0
"""Of what was no longer ago the time of day is enough."""


def listed(sentences: Iterable[str], most: int = MOST_LISTED) -> str:
    """Return sentences as one, bounded however many there are: a row of the state has to hold it."""
    everything = [shortened(each, LONGEST_SENTENCE, tail=TAIL) for each in alike(sentences)]
    shown = everything[:most]
    if len(everything) > most:
        shown.append(f"and {len(everything) - most} more")
    return "; ".join(shown)


def bounded(sentences: Iterable[str], most: int) -> tuple[str, ...]:
    """Return the first of many sentences, the last one saying how many are not there."""
    everything = [shortened(each, LONGEST_SENTENCE, tail=TAIL) for each in alike(sentences)]
    if len(everything) <= most:
        return tuple(everything)
    return (*everything[: most - 1], f"and {len(everything) - most + 1} more")


def contested(active: str | None, drift: Drift) -> str:
    """Say that somebody undoes what nvaha does, and what to do about it."""
    return (
        f"somebody else moves this group: it was brought back to {active} twice within an hour, and all of "
        f"it is on {listed(drift.owners)} again. Find that monitor, script or person and stop it; then "
        "command a failover to where the group is to be"
    )


def clock_time(time: datetime) -> str:
    """Return a time of day as operators read it."""
    return f"{time:%H:%M:%S} UTC"


def day_and_time(time: datetime) -> str:
    """Return a time, perhaps long ago, as operators read it."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


BLIND = "the monitor is blind: none of its probes is answered, so none of them is believed"


def since(time: datetime | None, now: datetime) -> str:
    """Say since when something is so, with a blank before it; empty if that is not known."""
    if time is None:
        return ""
    return f" since {clock_time(time) if (now - time).total_seconds() < TODAY_S else day_and_time(time)}"


def paused_sentence(state: GroupState) -> str:
    """Say that a group is paused: by whom, since when and why, as far as that is known."""
    pause = state.pause
    until = f" until {day_and_time(state.paused_until)}" if state.paused_until else ""
    if pause is None:
        return f"the group is paused{until}"
    why = f": {pause.reason}" if pause.reason else ""
    return f"the group is paused by {pause.by} since {day_and_time(pause.since)}{until}{why}"


def condition(nva: NvaState) -> str:
    """Say how an NVA's last probes went."""
    if nva.unsteady:
        return _unsteadily(nva)
    if nva.failures:
        times = "once" if nva.failures == 1 else f"{nva.failures} times in a row"
        return f"its probe failed {times} ({nva.last_error})"
    if nva.health is Health.UP:
        return "it answers"
    return "it has not answered often enough yet" if nva.successes else "it has not been probed yet"


def _unsteadily(nva: NvaState) -> str:
    error = f" ({nva.last_error})" if nva.last_error else ""
    return f"{nva.recent.bit_count()} of its last {WINDOW} probes failed{error}, never enough in a row"


def health_notices(
    group: Group, active: str | None, before: Mapping[str, NvaState], after: Mapping[str, NvaState]
) -> tuple[Notice, ...]:
    """Return a notice for each NVA whose health changed, and for each that became unsteady, or steady."""
    notices = []
    for name, nva in after.items():
        if nva.unsteady is not before[name].unsteady:
            event, level = ("nva_unsteady", "error") if nva.unsteady else ("nva_steady", "info")
            how = f"unsteady: {_unsteadily(nva)}" if nva.unsteady else "not unsteady any more"
            text = f"{group.name}: {name} is {how}"
            if nva.unsteady and group.policy.unsteady != "down":
                text += "; nothing is switched because of that (policy.unsteady)"
            notices.append(notice(event, level, text, group, nva=name, active=name == active))
        if nva.health is before[name].health:
            continue
        text = f"{group.name}: {name} is {nva.health}: {condition(nva)}"
        level = "error" if nva.health is Health.DOWN else "info"
        notices.append(notice(f"nva_{nva.health}", level, text, group, nva=name, active=name == active))
    return tuple(notices)


def all_down_notice(group: Group, nvas: Mapping[str, NvaState], *, down: bool) -> Notice:
    """Say that every NVA of a group is down, or no longer."""
    if not down:
        return notice("all_down_over", "info", f"{group.name}: not every NVA is down any more", group)
    each = "; ".join(f"{name}: {condition(nva)}" for name, nva in nvas.items())
    return notice("all_down", "error", f"{group.name}: every NVA is down: {each}", group)


def request_fields(request: SwitchRequest) -> dict[str, object]:
    """Return what every notice on a switch carries."""
    return {
        "operation": request.operation,
        "generation": request.generation,
        "trigger": str(request.trigger),
        "source": request.source,
        "target": request.target,
    }


def took_s(request: SwitchRequest, done: SwitchDone, now: datetime) -> dict[str, float]:
    """Return the seconds from a switch's request to each of claimed, first_write and done that it came to."""
    times = {"claimed": done.claimed_at, "first_write": done.wrote_at, "done": now}
    return {
        # Two processes' clocks may differ by more than this took.
        phase: round(max(0.0, (time - request.requested_at).total_seconds()), 3)
        for phase, time in times.items()
        if time is not None
    }


def took_fields(took: Mapping[str, float]) -> dict[str, object]:
    """Return what a notice carries of how long a switch took."""
    return {"seconds" if phase == "done" else f"{phase}_s": value for phase, value in took.items()}


def notice(event: str, level: str, text: str, group: Group, **fields: object) -> Notice:
    """Make a notice on a group; `event` is one of nvaha.model.events."""
    return Notice(event, level, text, {"group": group.name, **fields})
