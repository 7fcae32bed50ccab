"""When a group, the monitors or the canary are not plain good: pure; `nvaha.core.advice` says what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from nvaha.core.advice import Advice, advise
from nvaha.core.canary_runs import is_overdue
from nvaha.core.discovery import CONFIRMED
from nvaha.core.guards import forbidden
from nvaha.core.health import fallen, healthy, lately_probed
from nvaha.core.instances import campaigns, could_lead, lately, sees
from nvaha.core.lifecycle import candidate, held_up, unattended
from nvaha.core.marks import rival_of
from nvaha.core.notices import BLIND, condition, day_and_time, listed, paused_sentence, since
from nvaha.model import (
    STALE_AFTER_S,
    WRITTEN_EVERY_S,
    Group,
    GroupState,
    Health,
    InstanceRecord,
    LeaderRecord,
    NvaState,
    Phase,
    Status,
    Trigger,
)

FAILURE_TOLD_S = 86400.0
"""So long a move that failed and left nothing half done is told of a group that stands well otherwise."""


def leads(leader: LeaderRecord | None, now: datetime) -> bool:
    """Tell whether somebody leads: the record is of a round, or an election, that was lately."""
    return leader is not None and (now - leader.round_at).total_seconds() <= STALE_AFTER_S


def of_monitors(
    leader: LeaderRecord | None, rows: Iterable[InstanceRecord], configuration: str, now: datetime
) -> tuple[Advice, ...]:
    """Return what is not plain good of the monitors.

    Args:
        leader: what the leader says of itself, or None if there has been none, or it cannot be read.
        rows: what the instances say of themselves.
        configuration: the fingerprint of the leader's configuration.
        now: the time by the storage service's clock.
    """
    return tuple(_of_monitors(leader, rows, configuration, now))


def _of_monitors(
    leader: LeaderRecord | None, rows: Iterable[InstanceRecord], configuration: str, now: datetime
) -> Iterator[Advice]:
    if leader is None:
        yield advise("no_leader", "no monitor leads: none has written yet that it does")
    elif not leads(leader, now):
        text = f"no monitor leads: {leader.instance} was the last, and nothing is heard of it"
        yield advise("no_leader", f"{text}{since(leader.round_at, now)}")
    elif leader.blind:
        yield advise(
            "blind",
            f"{leader.instance} leads, and {BLIND}; nothing is switched by itself",
        )
    for row in rows:
        leading = leader is not None and row.instance == leader.instance
        if leading or not lately(row.written_at, now):
            continue
        if row.configuration != configuration:
            yield advise("config_differs", f"{row.instance} has another configuration than the leader")
        elif not row.abstains and not could_lead(row, configuration, now):
            yield advise("cannot_lead", f"{row.instance} could not lead: storage has not answered it lately")
        # By its own row's time: of one that writes no more nobody knows whom it would see.
        if row.asked and campaigns(row, now) and not sees(row, row.written_at):
            yield advise("sees_nobody", f"nobody answers {row.instance}: it would be blind if it led")
    if leader is not None and leader.alone:
        yield advise("no_standby", "no other instance could lead, and one could before")


def of_canary(canary: Group, state: GroupState, now: datetime) -> tuple[Advice, ...]:
    """Return what is not plain good of the canary."""
    found = []
    other = next((each for each in canary.names if each != state.active), None)
    why = state.blocked or (state.canary.error if state.canary else None)
    if why is not None:
        found.append(("canary_failed", f"the canary's last run: {why}"))
    elif is_overdue(canary, state, now):
        found.append(("canary_failed", "no run of the canary has ended well for twice its interval"))
    if state.paused:
        found.append(("paused", paused_sentence(state)))
    return tuple(advise(code, text, group=canary.name, other=other) for code, text in found)


def of_group(
    group: Group, state: GroupState, leader: LeaderRecord | None, now: datetime, unreadable: str | None = None
) -> tuple[Advice, ...]:
    """Return what is not plain good of a group, the worst first; nothing if all is.

    Args:
        group: as configured.
        state: as the configuration allows it (`as_configured`).
        leader: what the leader says of itself, or None if there has been none, or it cannot be read.
        now: the time by the storage service's clock.
        unreadable: why the group's row cannot be read, if it cannot: then nothing else is known.
    """
    if unreadable is not None:
        text = f"its stored state cannot be read, so it is not watched: {unreadable}"
        return (advise("state_unreadable", text, group=group.name),)
    seen = _Seen(group, state, leader, now)
    found = tuple(seen.conditions())
    # Whatever is not done has been told with what it comes from; if not, it is told by itself.
    if seen.blocked is None or any(seen.blocked in each.text for each in found):
        return found
    return (*found, seen.advise("waits", f"not switched: {seen.blocked}"))


@dataclass(frozen=True, slots=True)
class _Seen:
    """A group as it is looked at."""

    group: Group
    state: GroupState
    leader: LeaderRecord | None
    now: datetime

    @property
    def active(self) -> str | None:
        """The active NVA, if one is known."""
        return self.state.active if self.state.active in self.group.names else None

    @property
    def blocked(self) -> str | None:
        """Why nothing is done that is due, without the group's name."""
        blocked = self.state.blocked
        return None if blocked is None else blocked.removeprefix(f"{self.group.name}: ")

    @property
    def other(self) -> str | None:
        """The NVA that would be moved to."""
        return candidate(self.group, self.state, self.active)

    @property
    def blind(self) -> bool:
        """Whether the leader cannot see."""
        return self.leader is not None and self.leader.blind and leads(self.leader, self.now)

    def advise(self, code: str, text: str, other: str | None = None) -> Advice:
        """Return an advice on this group; its commands name the NVA that would be moved to unless told."""
        return advise(code, text, group=self.group.name, other=other or self.other)

    def conditions(self) -> Iterator[Advice]:
        """Yield all conditions, the worst first."""
        if not lately_probed(self.group, self.state, self.now):
            when = since(self.state.probed_at, self.now) or " so far"
            text = f"nobody has probed it{when}: its health is not about now"
            yield self.advise("unwatched", f"{text}, and nothing is switched by itself")
        yield from self._nobody_up()
        yield from self._switch()
        yield from self._place()
        yield from self._nvas()
        yield from self._network()
        yield from self._hands_off()

    def _nobody_up(self) -> Iterator[Advice]:
        nvas, active = self.state.nvas, self.active
        if nvas and all(nva.health is Health.DOWN for nva in nvas.values()):
            each = "; ".join(
                f"{name}{since(nva.since, self.now)}, {condition(nva)}" for name, nva in nvas.items()
            )
            if self.blind:
                yield self.advise("blind_all_down", f"every NVA is down, but {BLIND}: {each}")
            else:
                yield self.advise("all_down", f"every NVA is down: {each}")
        elif active is not None and self._down(active) and self.state.phase is Phase.STEADY:
            text = f"the active NVA {self._said(active)}; {self._then(active)}"
            yield self.advise("active_down", text)

    def _then(self, active: str) -> str:
        """Say what becomes of a group whose active NVA is down."""
        if self.blind:
            return f"nothing is switched: {BLIND}"
        stop = forbidden(self.group, self.state, self.now, Trigger.FAILOVER)
        if stop is not None:
            return f"nothing is switched: {stop.message}"
        if self.other is None:
            return "nothing is switched: no other NVA is up"
        if not fallen(self.state.nvas[active], self.group.nva(active).probe):
            return "it has to fail some more probes: those that failed were read by a blind monitor"
        # A round is a second away; but what a person has changed, such as a pause, is seen at the next write.
        return f"the group is switched to {self.other} by itself, within {WRITTEN_EVERY_S:g} s"

    def _switch(self) -> Iterator[Advice]:
        state, request = self.state, self.state.request
        if state.phase is not Phase.SWITCHING and state.wanted is not None:
            why = f"; not now: {state.blocked}" if state.blocked else ""
            text = f"half moved: {state.wanted} was asked for and not everything is there; "
            yield self.advise("switch_failed", f"{text}it is tried again by itself{why}", state.wanted)
            return
        if request is None:
            return
        what = f"operation {request.operation}, {request.source or 'unknown'} to {request.target}"
        if state.phase is Phase.SWITCHING:
            under_way = f"is under way{since(request.requested_at, self.now)}"
            if held_up(state):
                yield self.advise("switch_held_up", f"{what}, waits: {state.blocked}", request.target)
            elif unattended(state, self.now) or state.blocked:
                why = state.blocked or "no worker has shown itself for half a minute"
                yield self.advise("switch_unclaimed", f"{what}, {under_way}, but {why}", request.target)
            else:
                yield self.advise("switching", f"{what}, {under_way}", request.target)
        elif (failed_at := self._failed_at()) is not None:
            text = f"the last switch, {what}, failed at {day_and_time(failed_at)}"
            yield self.advise("switch_failed", text, request.target)

    def _failed_at(self) -> datetime | None:
        """Return when the last switch failed, if nothing has settled that since; None if it has."""
        state, ended_at = self.state, self.state.guards.ended_at
        if state.switch is None or state.switch.ended is not Status.FAILED or ended_at is None:
            return None
        there = state.phase is Phase.STEADY and state.active == state.switch.request.target
        settled = there and not state.drift.writes
        return None if settled or (self.now - ended_at).total_seconds() > FAILURE_TOLD_S else ended_at

    def _place(self) -> Iterator[Advice]:
        rival = rival_of(self.state)
        if rival is not None:
            yield self.advise("rival", rival, self.active)
        phase = self.state.phase
        known = self.active if phase is Phase.STEADY else self.state.target or self.state.wanted
        if known is None:
            text = self.blocked or "the active NVA is not known: it has not been read from Azure yet"
            yield self.advise("active_unknown", text, self.active)

    def _nvas(self) -> Iterator[Advice]:
        nvas, active = self.state.nvas, self.active
        down = [name for name in nvas if self._down(name)]
        if len(down) < len(nvas):
            told = active if self.state.phase is Phase.STEADY else None
            for name in down:
                if name != told:
                    yield self.advise("nva_down", self._said(name))
        for name, nva in nvas.items():
            if nva.unsteady:
                yield self.advise("nva_unsteady", f"{name} is unsteady: {condition(nva)}")
            if nva.health is Health.UNKNOWN:
                yield self.advise("nva_unknown", f"whether {name} is up is not known: {condition(nva)}")
        unready: dict[tuple[str, ...], list[str]] = {}
        for name, nva in nvas.items():
            if nva.unready:
                unready.setdefault(nva.unready, []).append(name)
        for sentences, names in unready.items():
            who = f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"
            yield self.advise("nva_not_ready", f"{who} not ready for a switch: {listed(sentences)}", names[0])

    def _down(self, name: str) -> bool:
        return self.state.nvas[name].health is Health.DOWN

    def _said(self, name: str) -> str:
        nva = self.state.nvas[name]
        return f"{name} is {nva.health}{since(nva.since, self.now)}: {condition(nva)}"

    def _network(self) -> Iterator[Advice]:
        state, drift = self.state, self.state.drift
        # What no write can bring to the active NVA is said of that NVA already.
        told = state.nvas.get(state.active or "", NvaState()).unready
        off = [*drift.writes, *(() if told else drift.problems)]
        if off:
            when = since(drift.drift_since, self.now)
            text = f"not as it should be{when} (active is {state.active}): {listed(off)}"
            code = "drift_unasked" if drift.unasked else "drift_found"
            yield self.advise(code, f"{text}; {self._repair()}", state.active)
        if state.unread is not None:
            yield self.advise("discovery_failed", f"Azure could not be read: {state.unread}")

    def _repair(self) -> str:
        """Say what becomes of drift."""
        drift, active = self.state.drift, self.active
        if not drift.writes:
            return "nothing that nvaha may write puts that right"
        if drift.unasked:
            return "it was so when nvaha first looked, so nothing is moved"
        if self.group.policy.drift != "repair":
            return f"it is only reported (policy.drift: {self.group.policy.drift})"
        if drift.seen < CONFIRMED:
            return "it is put right if the next look finds it again"
        if active is None or not healthy(self.state.nvas[active]):
            return "it is not put right while the active NVA is not up"
        stop = forbidden(self.group, self.state, self.now, Trigger.REPAIR)
        return f"it is not put right: {stop.message}" if stop else "it is put right at the next round"

    def _hands_off(self) -> Iterator[Advice]:
        state = self.state
        if state.hold is not None:
            yield self.advise("held", state.hold)
        if state.paused:
            yield self.advise("paused", f"{paused_sentence(state)}; it is probed, and not switched by itself")
        if not self.group.policy.automatic:
            yield self.advise("automatic_off", "automatic switches are off (policy.automatic)")
        if state.phase is not Phase.STEADY or (self.active is not None and self._down(self.active)):
            return
        if state.paused or state.hold or state.rival or not self.group.policy.automatic:
            return
        stop = forbidden(self.group, state, self.now, Trigger.FAILOVER)
        if stop is not None:
            yield self.advise("guarded", f"no automatic switch now: {stop.message}")
