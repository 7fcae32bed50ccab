"""Any state, any operation, any leader's record, as hypothesis makes them from the model's annotations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from nvaha.model import (
    LARGEST,
    LEVELS,
    GroupState,
    InstanceRecord,
    LeaderRecord,
    Operation,
    SwitchRequest,
    Trigger,
)

READ_AT = datetime(2100, 1, 1, tzinfo=UTC)
"""Whatever is made here is over by then."""
NAMES = st.text("abcXYZ-_.é ", min_size=1, max_size=12)
PLAIN: dict[object, st.SearchStrategy[Any]] = {
    datetime: st.integers(10**9, 4 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds + 0.25, UTC)),
    float: st.floats(-LARGEST, LARGEST),
    int: st.integers(0, LARGEST),
    str: st.text(max_size=40),
    bool: st.booleans(),
    type(None): st.none(),
}


FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("active", "wanted", "source"), st.none() | NAMES),
    "target": NAMES,
    "level": st.sampled_from(LEVELS),
    "rest": st.none(),
    # The rows of a canary are no group's, and the previous release has none.
    "trigger": st.sampled_from([each for each in Trigger if each is not Trigger.CANARY]),
}
"""Fields whose values are not just any of their kind."""


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for whatever the model's annotations say, fields added later included."""
    if kind in PLAIN:
        return PLAIN[kind]
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        names = [each.name for each in dataclasses.fields(kind)]
        fields = {name: FIELDS[name] if name in FIELDS else anything(hints[name]) for name in names}
        return st.builds(kind, **fields)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    parts = get_args(kind)
    if get_origin(kind) is tuple and parts[-1] is Ellipsis:
        return st.lists(anything(parts[0]), max_size=2).map(tuple)
    if get_origin(kind) is tuple:
        return st.tuples(*map(anything, parts))
    if get_origin(kind) is Mapping:
        return st.dictionaries(NAMES, anything(parts[1]), max_size=2)
    return st.one_of(*map(anything, parts))


def numbered(request: SwitchRequest, group: str, generation: int, requested_ms: int) -> SwitchRequest:
    """Give a request the id that belongs to it."""
    operation = f"{group}-{generation}-{requested_ms}"
    return dataclasses.replace(request, group=group, generation=generation, operation=operation)


def of_one_group(state: GroupState, group: str) -> GroupState:
    """Give a state, and all that it refers to, to a group."""

    def own(request: SwitchRequest) -> SwitchRequest:
        return numbered(request, group, request.generation, request.epoch)

    switch = state.switch and dataclasses.replace(state.switch, request=own(state.switch.request))
    closings = tuple(
        dataclasses.replace(each, operation=f"{group}-{number}-0", request=each.request and own(each.request))
        for number, each in enumerate(state.closings)
    )
    return dataclasses.replace(state, group=group, switch=switch, closings=closings)


requests = st.builds(
    numbered, anything(SwitchRequest), NAMES, st.integers(0, 10**9), st.integers(0, 10**13 - 1)
)
states = st.builds(of_one_group, anything(GroupState), NAMES)
operations = st.builds(dataclasses.replace, anything(Operation), request=requests)
leaders = anything(LeaderRecord)
instances = anything(InstanceRecord)
