"""What tags say to nvaha: which deployment moves a group, and that it is to be left alone: pure.

Two deployments with a storage account each know nothing of each other: both would move a group, each taking
the other's work for drift. What both see are the resources. So whoever writes one leaves its mark on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from nvaha.core.decision import Decision
from nvaha.core.inputs import Tagged
from nvaha.core.notices import contested, notice
from nvaha.core.plan import Plan, Step
from nvaha.model import Group, GroupState, Notice, Resource, Snapshot
from nvaha.text import last_part, safe, shortened

HOLD = "nvaha-hold"
"""The tag by which anybody who may tag one of a group's resources stops what nvaha does by itself."""
MOST_TAGS = 50
"""Azure lets a resource have no more."""
_LONGEST_VALUE = 100


@dataclass(frozen=True, slots=True)
class Mark:
    """The tag that a deployment puts on what it writes of a group.

    The name is the group's: deployments that share a route table for other NVAs do not meet. The value is the
    deployment's: the storage account that keeps its states, then the group as it calls it.
    """

    name: str
    account: str
    group: str

    @property
    def value(self) -> str:
        """The tag's value."""
        return f"{self.account}/{self.group}"

    def foreign(self, resource: Resource) -> str | None:
        """Return the value of another deployment's mark on a resource, made safe, or None."""
        value = _tag(resource, self.name)
        if value is None or value.partition("/")[0].casefold() == self.account.casefold():
            return None
        return _shown(value)

    def on(self, resource: Resource, *, take_over: bool) -> Resource:
        """Return the resource with this mark, if it can bear one more and no other that stays."""
        tags = _tags(resource)
        if _tag(resource, self.name) is not None:
            if self.foreign(resource) is None or not take_over:
                return resource
            tags = _tags(self.off(resource, take_over=True))
        elif len(tags) >= MOST_TAGS or not isinstance(resource.body.get("tags", {}), dict):
            return resource
        return replace(resource, body={**resource.body, "tags": {**tags, self.name: self.value}})

    def off(self, resource: Resource, *, take_over: bool) -> Resource:
        """Return the resource without this mark, and without another's if that is taken over."""
        if _tag(resource, self.name) is None or (self.foreign(resource) is not None and not take_over):
            return resource
        kept = {name: value for name, value in _tags(resource).items() if not _same(name, self.name)}
        return replace(resource, body={**resource.body, "tags": kept})


def mark_of(group: Group, account: str) -> Mark:
    """Return the mark of the deployment whose states are in a storage account, for a group."""
    nics = sorted({nic.casefold() for nva in group.nvas for nic in nva.interfaces.values()})
    return Mark(f"nvaha-{hashlib.sha256(' '.join(nics).encode()).hexdigest()[:8]}", account, group.name)


def read_tags(group: Group, snapshot: Snapshot, account: str) -> Tagged:
    """Return what the tags of a group's resources say to the deployment with this storage account."""
    mark = mark_of(group, account)
    theirs = [
        (each, value) for each in _written(group, snapshot) if (value := mark.foreign(each)) is not None
    ]
    held = [
        (each, _shown(value))
        for each in _read(group.resource_ids, snapshot)
        if (value := _tag(each, HOLD)) is not None
    ]
    return Tagged(
        rival=_rival(mark, *theirs[0], more=len(theirs) - 1) if theirs else None,
        hold=_hold(*held[0], more=len(held) - 1) if held else None,
    )


def taking_over(group: Group, todo: Plan, snapshot: Snapshot, account: str) -> Plan:
    """Return a plan with a write for each resource that bears another's mark and would not be written."""
    mark, written = mark_of(group, account), {step.resource_id.casefold() for step in todo.steps}
    steps = tuple(
        Step(f"mark:{each.id.casefold()}", "mark", each.id, f"{_kind(each)}: taken over from '{value}'")
        for each in _written(group, snapshot)
        if (value := mark.foreign(each)) is not None and each.id.casefold() not in written
    )
    return replace(todo, steps=(*todo.steps, *steps))


def with_tags(state: GroupState, tagged: Tagged, *, whole: bool) -> GroupState:
    """Return the state with what tags say; what was there before is gone only by a look that saw all."""
    rival = tagged.rival or (None if whole else state.rival)
    hold = tagged.hold or (None if whole else state.hold)
    return replace(state, rival=rival, hold=hold)


def rival_of(state: GroupState) -> str | None:
    """Return who else moves the group, in a sentence, or None."""
    return state.rival or (contested(state.active, state.drift) if state.drift.contested else None)


def told(group: Group, before: GroupState, decision: Decision) -> Decision:
    """Return the decision with a notice of each rival or hold that came with it, or went."""
    return decision.told_after(*_news(group, before, decision.state))


def _news(group: Group, before: GroupState, after: GroupState) -> Iterator[Notice]:
    rivals, holds = (rival_of(before), rival_of(after)), (before.hold, after.hold)
    if rivals[1] is not None and rivals[0] is None:
        yield notice("rival", "error", f"{group.name}: {rivals[1]}", group, reason=rivals[1])
    if rivals[0] is not None and rivals[1] is None:
        yield notice("rival_over", "info", f"{group.name}: nobody else is seen to move it any more", group)
    if holds[1] is not None and holds[0] is None:
        yield notice("held", "warning", f"{group.name}: {holds[1]}", group, reason=holds[1])
    if holds[0] is not None and holds[1] is None:
        yield notice("held_over", "info", f"{group.name}: no tag {HOLD} holds it any more", group)


def _rival(mark: Mark, resource: Resource, value: str, more: int) -> str:
    account, _, group = value.partition("/")
    where = f"{_kind(resource)}{_and(more)} bear{'' if more else 's'}"
    return (
        f"another monitor moves this group: {where} its mark, tag {mark.name} = '{value}' (storage "
        f"account '{account}', group '{group}'; this monitor's account is {mark.account}). Nothing is moved "
        "by itself. Stop that monitor, then remove the tag, or take over by a failover with force"
    )


def _hold(resource: Resource, reason: str, more: int) -> str:
    said = f"tag {HOLD} = '{reason}' on {_kind(resource)}{_and(more)}"
    return f"held by {said}: nothing is moved by itself until the tag is removed"


def _and(more: int) -> str:
    return f" and {more} more" if more else ""


def _kind(resource: Resource) -> str:
    folded = resource.id.casefold()
    kinds = {"/routetables/": "route table", "/networkinterfaces/": "NIC"}
    kind = next((kind for part, kind in kinds.items() if part in folded), "public IP")
    return f"{kind} {last_part(resource.id)}"


def _written(group: Group, snapshot: Snapshot) -> Iterator[Resource]:
    """Yield those of a group's resources that switches write: no public IP is ever written itself."""
    public_ips = {each.id.casefold() for each in group.public_ips}
    return _read((each for each in group.resource_ids if each.casefold() not in public_ips), snapshot)


def _read(ids: Any, snapshot: Snapshot) -> Iterator[Resource]:
    for each in ids:
        resource = snapshot.get(each)
        if resource is not None:
            yield resource


def _tags(resource: Resource) -> dict[str, Any]:
    tags = resource.body.get("tags")
    return tags if isinstance(tags, dict) else {}


def _tag(resource: Resource, name: str) -> str | None:
    """Return the value of a tag; Azure's tag names are equal in any case."""
    return next((str(value) for each, value in _tags(resource).items() if _same(each, name)), None)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _shown(value: str) -> str:
    return shortened(safe(value), _LONGEST_VALUE)
