"""What operators are shown has the shapes that are published, down to each value."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from nvaha.azure.storage.rows import StateDocuments
from nvaha.core.inputs import FailoverCommanded
from nvaha.model import Configuration, LeaderRecord, PublicIp
from nvaha.operate import answers
from nvaha.operate.control import Control
from nvaha.operate.recovery import Recovery
from tests.builders import NOON, azure_of, group_of, pip_id, steady
from tests.fakes import Outside

GROUP = group_of(public_ips=(PublicIp("external", pip_id("p")),))


@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        (lambda control, _: control.groups(), answers.GroupsAnswer),
        (lambda control, _: control.group("g"), answers.GroupAnswer),
        (lambda control, _: control.plan("g", "b"), answers.PlanAnswer),
        (lambda control, _: control.break_glass("g"), answers.BreakGlassAnswer),
        (lambda control, _: control.failover("g", FailoverCommanded("b", "ann")), answers.OperationAnswer),
        (lambda control, _: control.history("g", 5), answers.HistoryAnswer),
        (lambda _, recovery: recovery.export(), answers.ExportAnswer),
    ],
)
async def test_an_answer_has_its_published_shape(asked: Any, shape: Any) -> None:
    """Nothing in it is of another type than the API's document says."""
    out = Outside(steady())
    out.network.put_there(*azure_of(GROUP, "a"))
    out.store.leader = LeaderRecord("one", 1, NOON)
    configuration = Configuration((GROUP,))
    control = Control(configuration, out.ports)
    answer = await asked(control, Recovery(configuration, out.ports, StateDocuments()))
    assert TypeAdapter(shape).validate_python(answer, strict=True) == answer
