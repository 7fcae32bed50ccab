"""What follows from a look at Azure: who is active, what has drifted, what cannot be told: pure.

A look decides nothing by itself. A leader that has not probed the NVAs yet knows only what an older one knew,
perhaps long ago; so what a look calls for follows at the next round of probes.
"""

from __future__ import annotations

from dataclasses import replace

from nvaha.core.decision import Decision
from nvaha.core.inputs import NetworkRead, NetworkUnread, Survey
from nvaha.core.notices import notice
from nvaha.model import Drift, Group, GroupState, Phase

CONFIRMED = 2
"""So many looks in a row have to find drift before it is told and acted on."""


def read(group: Group, before: GroupState, happened: NetworkRead) -> Decision:
    """Take in what Azure says."""
    if happened.standing not in (None, (before.phase, before.generation)):
        return Decision(before)
    survey = happened.survey
    state = replace(_with_addresses(before, survey), epoch=happened.epoch)
    if state.phase is Phase.SWITCHING:
        return Decision(state)
    if state.phase is Phase.UNKNOWN:
        return _discovered(group, state, survey)
    active = state.active or ""
    found = _drift_from(survey, active)
    state = replace(state, unread=None)
    if not found.sentences:
        return Decision(replace(state, drift=Drift()))
    found = replace(found, seen=state.drift.seen + 1)
    decision = Decision(replace(state, drift=found))
    if found.seen != CONFIRMED:
        return decision
    text = f"{group.name}: Azure disagrees with the recorded active {active}: {'; '.join(found.sentences)}"
    return decision.told_after(notice("drift_found", "warning", text, group, nva=active))


def unread(group: Group, before: GroupState, happened: NetworkUnread) -> Decision:
    """Say once that Azure cannot be read, before a failover needs it; on what is unknown nothing is decided.

    The reasons may differ from look to look; the first is enough to write and to tell.
    """
    if before.unread is not None:
        return Decision(before)
    state = replace(before, epoch=happened.epoch, unread=happened.error)
    text = f"{group.name}: {unread_sentence(happened.error)}"
    return Decision(state, notices=(notice("discovery_failed", "error", text, group),))


def unread_sentence(error: str) -> str:
    """Say that Azure could not be read."""
    return f"Azure could not be read: {error}"


def _with_addresses(state: GroupState, survey: Survey) -> GroupState:
    """Return the state with the addresses that were read; those of NICs that were not are kept."""
    nvas = dict(state.nvas)
    for name, addresses in survey.addresses.items():
        if name in nvas and addresses:
            merged = {**nvas[name].addresses, **addresses}
            primary = {**nvas[name].primary, **survey.primary.get(name, {})}
            nvas[name] = replace(nvas[name], addresses=merged, primary=primary)
    return replace(state, nvas=nvas)


def _discovered(group: Group, state: GroupState, survey: Survey) -> Decision:
    """Take the NVA that most points at for the active one; the rest is drift, seen often enough to act on.

    When nothing points at any NVA, as after a crash between detach and attach, the recorded active stands.
    """
    owner = survey.owner() or state.active
    if owner is None:
        return _undecided(group, replace(state, unread=None), survey)
    found = _drift_from(survey, owner)
    said = "; ".join(found.sentences)
    text = f"{group.name}: {owner} is the active NVA" + (f", but: {said}" if said else "")
    state = replace(
        state,
        phase=Phase.STEADY,
        active=owner,
        drift=replace(found, seen=CONFIRMED if said else 0),
        unread=None,
        blocked=None,
    )
    level = "warning" if said else "info"
    return Decision(state, notices=(notice("discovered", level, text, group, nva=owner),))


def _undecided(group: Group, state: GroupState, survey: Survey) -> Decision:
    each = dict.fromkeys(problem for problems in survey.problems.values() for problem in problems)
    why = "; ".join(each) or "no route and no public IP points at any of its NVAs"
    text = f"{group.name}: the active NVA cannot be told: {why}. A commanded failover settles it"
    if state.blocked == text:
        return Decision(state)
    said = notice("discovery_failed", "error", text, group)
    return Decision(replace(state, blocked=text), notices=(said,))


def _drift_from(survey: Survey, active: str) -> Drift:
    return Drift(writes=survey.off.get(active, ()), problems=survey.problems.get(active, ()))
