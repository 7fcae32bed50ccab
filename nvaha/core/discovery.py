"""What follows from a look at Azure: who is active, what has drifted, who is ready: pure.

A look decides nothing by itself. A leader that has not probed the NVAs yet knows only what an older one knew,
perhaps long ago; so what a look calls for follows at the next round of probes. And a look that could not see
everything says nothing about who is active: what it did not see may be most of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from nvaha.core.decision import Decision
from nvaha.core.guards import after_success, is_contested
from nvaha.core.inputs import NetworkRead, NetworkUnread, Survey
from nvaha.core.marks import with_tags
from nvaha.core.notices import bounded, listed, notice
from nvaha.model import Drift, Group, GroupState, Notice, NvaState, Phase

CONFIRMED = 2
"""So many looks in a row have to find drift before it is told and acted on."""
MOST_KEPT = 20
"""So many sentences are kept of what is off; a row of the state has to hold them."""
MOST_UNREADY = 5
MOST_FORMER = 8


def read(group: Group, before: GroupState, happened: NetworkRead, now: datetime) -> Decision:
    """Take in what Azure says."""
    if happened.standing not in (None, (before.phase, before.generation)):
        return Decision(before)
    survey = happened.survey
    state = replace(_with_addresses(before, survey), epoch=happened.epoch)
    state = with_tags(state, happened.tagged, whole=not (survey.unanswered or survey.hidden))
    if survey.unanswered:
        return _unread(group, state, listed(survey.unanswered))
    state, notices = _with_readiness(group, replace(state, unread=None), survey)
    return _decide(group, state, survey, now).told_after(*notices)


def unread(group: Group, before: GroupState, happened: NetworkUnread) -> Decision:
    """Say once that Azure cannot be read, before a failover needs it; what is unknown decides nothing."""
    return _unread(group, replace(before, epoch=happened.epoch), happened.error)


def unread_sentence(error: str) -> str:
    """Say that Azure could not be read."""
    return f"Azure could not be read: {error}"


def _unread(group: Group, state: GroupState, error: str) -> Decision:
    # The reasons may differ from look to look; the first is enough to write and to tell.
    if state.unread is not None:
        return Decision(state)
    said = notice("discovery_failed", "error", f"{group.name}: {unread_sentence(error)}", group)
    return Decision(replace(state, unread=listed([error])), notices=(said,))


def _decide(group: Group, state: GroupState, survey: Survey, now: datetime) -> Decision:
    if state.phase is Phase.SWITCHING:
        return Decision(state)
    if state.phase is Phase.UNKNOWN:
        return _discovered(group, state, survey, now)
    active = state.active or ""
    found = _drift_from(survey, active, group)
    if not found.sentences:
        return Decision(replace(state, drift=Drift()))
    # Writes on top of a lasting problem are new: they have to be seen twice, and are told, like any others.
    before = state.drift.seen if state.drift.writes or not found.writes else 0
    unasked = state.drift.unasked and bool(found.writes or survey.hidden)
    again = found.whole and before + 1 >= CONFIRMED and is_contested(state.guards, now)
    contested, first = state.drift.contested or again, state.drift.drift_since or now
    found = replace(found, seen=before + 1, unasked=unasked, contested=contested, drift_since=first)
    decision = Decision(replace(state, drift=found))
    if found.seen != CONFIRMED:
        return decision
    text = f"{group.name}: Azure disagrees with the recorded active {active}: {listed(found.sentences)}"
    return decision.told_after(notice("drift_found", "warning", text, group, nva=active))


def _discovered(group: Group, state: GroupState, survey: Survey, now: datetime) -> Decision:
    """Tell who is active, where the record does not say so.

    What was asked for and is not finished stays asked for, however many routes point elsewhere. Else the NVA
    that most points at is the active one; the rest is drift. When nothing points at any NVA, as after a crash
    between detach and attach, the recorded active stands.
    """
    if state.wanted is not None:
        # That no write is possible does not mean that none is needed: everything has to point there.
        if survey.off.get(state.wanted, ()) or survey.owners != (state.wanted,):
            return Decision(state)
        # The last of a switch that was called failed has arrived: it counts as one that ended now.
        moved = state.wanted != state.active
        state = replace(state, guards=after_success(state.guards, group.policy, now, moved=moved))
        return _adopt(group, state, survey, state.wanted or "", now)
    owner = survey.owner() or state.active
    if owner is None:
        return _undecided(group, state, survey)
    return _adopt(group, state, survey, owner, now)


def _adopt(group: Group, state: GroupState, survey: Survey, active: str, now: datetime) -> Decision:
    """Record an NVA as active; what is off at the very first look may be meant so, and waits for a person."""
    anew = state.unwatched_at is not None
    first = anew or (state.active is None and state.generation == 0)
    found = _drift_from(survey, active, group)
    said = listed(found.sentences)
    # What could not be seen or moved now may turn out to be off later: nobody asked for that either.
    unasked = bool(found.writes or survey.hidden) and first and group.policy.adopt == "wait"
    text = f"{group.name}: {active} is the active NVA" + (f", but: {said}" if said else "")
    if unasked:
        text += (
            f". This was so when nvaha {'looked again' if anew else 'first looked'}, so nothing is moved: "
            f"a commanded failover to {active} moves the rest there, one to another NVA moves everything "
            "(or set policy.adopt: repair)"
        )
    state = replace(
        state,
        phase=Phase.STEADY,
        active=active,
        wanted=None,
        drift=replace(
            found, seen=CONFIRMED if said else 0, unasked=unasked, drift_since=now if said else None
        ),
        blocked=None,
    )
    level = "warning" if said else "info"
    return Decision(state, notices=(notice("discovered", level, text, group, nva=active),))


def _undecided(group: Group, state: GroupState, survey: Survey) -> Decision:
    problems = (problem for problems in survey.problems.values() for problem in problems)
    each = dict.fromkeys((*survey.hidden, *problems))
    why = listed(each) or "no route and no public IP points at any of its NVAs"
    text = f"{group.name}: the active NVA cannot be told: {why}. A commanded failover settles it"
    if state.blocked == text:
        return Decision(state)
    said = notice("discovery_failed", "error", text, group)
    return Decision(replace(state, blocked=text), notices=(said,))


def _drift_from(survey: Survey, active: str, group: Group) -> Drift:
    if group.policy.drift == "off":
        return Drift()
    writes, problems = survey.off.get(active, ()), survey.problems.get(active, ())
    return Drift(
        writes=bounded(writes, MOST_KEPT),
        problems=bounded(problems, MOST_KEPT),
        owners=tuple(each for each in survey.owners if each != active) if writes else (),
        whole=bool(writes and survey.owners) and active not in survey.owners,
    )


def _with_addresses(state: GroupState, survey: Survey) -> GroupState:
    """Return the state with the addresses that were read; those of NICs that were not are kept."""
    nvas = dict(state.nvas)
    for name, addresses in survey.addresses.items():
        if name in nvas and addresses:
            before = nvas[name]
            nvas[name] = replace(
                before,
                addresses={**before.addresses, **addresses},
                primary={**before.primary, **survey.primary.get(name, {})},
                former=_former(before, addresses),
            )
    return replace(state, nvas=nvas)


def _former(nva: NvaState, addresses: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[str, str]]:
    """Return the addresses that an NVA had and has no more: tables may still point there."""
    former = dict(nva.former)
    for role, names in addresses.items():
        for name, old in nva.addresses.get(role, {}).items():
            if old not in names.values():
                former[old] = role, name
    present = {address for names in addresses.values() for address in names.values()}
    kept = [(address, where) for address, where in former.items() if address not in present]
    return dict(kept[-MOST_FORMER:])


def _with_readiness(group: Group, state: GroupState, survey: Survey) -> tuple[GroupState, tuple[Notice, ...]]:
    """Return the state with what would not work at each NVA, and a notice where that has changed."""
    nvas, notices = dict(state.nvas), []
    for name, nva in state.nvas.items():
        unready = bounded(survey.unready.get(name, ()), MOST_UNREADY)
        if bool(unready) != bool(nva.unready):
            event, level = ("nva_not_ready", "error") if unready else ("nva_ready", "info")
            why = f"is not ready for a switch: {listed(unready)}" if unready else "is ready for a switch"
            active = name == state.active
            notices.append(
                notice(event, level, f"{group.name}: {name} {why}", group, nva=name, active=active)
            )
        nvas[name] = replace(nva, unready=unready)
    return replace(state, nvas=nvas), tuple(notices)
