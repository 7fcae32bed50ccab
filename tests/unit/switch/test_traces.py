"""With whose trace a worker goes on, and what its spans say of what failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.model import Configuration, Switch
from nvaha.ports import NetworkError, NetworkFault
from nvaha.switch.attempt import SwitchIncomplete
from nvaha.switch.worker import Switcher
from tests.builders import request_to, switching
from tests.fakes import Outside
from tests.tracing import Traces, traces
from tests.unit.switch.stage import GROUP, MESSAGE, TABLE

__all__ = ["traces"]

STORED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SENT = "00-1bf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("stored", "sent", "goes_on_with"),
    [
        (STORED, STORED, STORED),
        (STORED, None, STORED),
        (None, SENT, SENT),
        (STORED, SENT, STORED),
        (None, None, None),
        (None, "no trace context", None),
    ],
)
async def test_a_worker_goes_on_with_the_trace_of_the_decision(
    out: Outside, traces: Traces, stored: str | None, sent: str | None, goes_on_with: str | None
) -> None:
    """An older release drops it from the row or from the message; what anybody sent is no reason to fail."""
    request = replace(request_to("b"), traceparent=stored)
    out.store.put(replace(switching(progress_at=None), switch=Switch(request)))
    message = MESSAGE.model_copy(update={"traceparent": sent})
    await Switcher(Configuration((GROUP,)), out.ports, "worker").run(message)
    assert out.state().active == "b"
    (made,) = traces.named("nvaha.switch")
    found = f"{made.parent.trace_id:032x}" if made.parent else None
    assert found == (goes_on_with.split("-")[1] if goes_on_with else None)
    assert len(traces.ids) == 1
    said = [dict(each.attributes or {}).get("nvaha.operation") for each in traces.spans]
    assert said == [MESSAGE.operation] * len(said)


async def test_what_could_not_be_written_is_told_with_the_reason(out: Outside, traces: Traces) -> None:
    """In the span of that resource, and in that of the switch."""
    out.network.refuse[TABLE] = [NetworkError(NetworkFault.DENIED, TABLE, "403: denied")] * 20
    with pytest.raises(SwitchIncomplete):
        await Switcher(Configuration((GROUP,)), out.ports, "worker").run(MESSAGE)
    failed = [each for each in traces.named("nvaha.write") if each.status.description]
    assert {dict(each.attributes or {})["nvaha.resource_id"] for each in failed} == {TABLE}
    assert all("403: denied" in (each.status.description or "") for each in failed)
    (switch,) = traces.named("nvaha.switch")
    assert "SwitchIncomplete" in (switch.status.description or "")
