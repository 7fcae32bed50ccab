"""Large groups: what a switch costs grows with what it moves, and its record fits however much is stuck."""

from __future__ import annotations

import pytest

from nvaha.azure.storage.rows import group_entity, operation_entity, read_group
from nvaha.core.bodies import NextHop, next_hops
from nvaha.model import Configuration, Phase, Resource, Status
from nvaha.model.messages import SwitchMessage
from nvaha.ports import NetworkError, NetworkFault
from nvaha.switch.attempt import SwitchIncomplete
from nvaha.switch.worker import Switcher
from tests.builders import group_of, nic, switch_of, switching, table, table_id
from tests.fakes import Outside, run
from tests.strategies import READ_AT

TABLES = 60


def outside(tables: int) -> tuple[Outside, Switcher, SwitchMessage]:
    """Return a group with many route tables in the middle of a switch to b."""
    names = tuple(f"t{number}" for number in range(tables))
    group = group_of("a", "b", tables=names)
    there = Outside(switching("b"))
    there.network.put_there(
        *(
            nic(nva, role, {"ip": f"10.{nva == 'b':d}.{role == 'internal':d}.4"}, {})
            for nva in "ab"
            for role in ("external", "internal")
        ),
        *(table(name, {"one": "10.0.1.4", "two": "10.0.1.4"}) for name in names),
    )
    request = switch_of(there.state()).request
    message = SwitchMessage(v=1, group="g", generation=1, operation=request.operation)
    return there, Switcher(Configuration((group,)), there.ports, "worker"), message


def test_each_table_is_planned_a_few_times_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step plans the table that it writes, not all of them again."""
    planned = 0

    def counting(resource: Resource) -> tuple[NextHop, ...]:
        nonlocal planned
        planned += 1
        return next_hops(resource)

    monkeypatch.setattr("nvaha.core.plan.next_hops", counting)
    there, switcher, message = outside(TABLES)
    run(switcher.run(message))
    assert there.state().phase is Phase.STEADY
    assert len(there.network.puts) == TABLES
    assert planned <= 4 * TABLES


def test_four_hundred_stuck_tables_make_no_row_that_storage_refuses() -> None:
    """What is left undone is bounded in the state, and complete enough in the record."""
    there, switcher, message = outside(400)
    for number in range(400):
        resource_id = table_id(f"t{number}")
        error = NetworkError(
            NetworkFault.REFUSED, resource_id, "409: ScopeLocked: " + "the scope is locked " * 40
        )
        there.network.refuse[resource_id] = [error] * 9
    with pytest.raises(SwitchIncomplete) as left:
        run(switcher.run(message))
    assert len(str(left.value)) < 3000
    state = there.state()
    assert state.wanted == "b"
    assert read_group({**group_entity(state), "PartitionKey": "group"}, READ_AT) == state
    operation = there.store.operations["g-1-0"]
    assert operation.status is Status.FAILED
    assert len(operation.unfinished) == 400
    operation_entity(operation)
