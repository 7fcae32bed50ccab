"""One trace from the failed probe to the last step, across the queue, whoever dies on the way."""

from __future__ import annotations

import json

from nvaha.model import Phase
from nvaha.model.messages import write_message
from tests.simulation.scenes import only, play, the_state
from tests.simulation.world import World
from tests.tracing import Traces, traces

__all__ = ["traces"]


async def fail_over(world: World) -> None:
    """Let the active NVA die, and the switch away from it end."""
    await world.pass_time(30.0)
    world.chaos.set_alive("g0n0", alive=False)
    await world.pass_time(25.0)


def test_a_failover_is_one_trace_from_the_failed_probe_to_the_last_step(traces: Traces) -> None:
    """Whoever decides is within what he saw, whoever carries it out within the decision."""
    state = the_state(play(fail_over))
    assert (state.phase, state.active) == (Phase.STEADY, "g0n1")
    assert len(traces.ids) == 1
    switch = "incident > decide > switch"
    assert traces.chains() == {
        "incident",
        "incident > decide",
        switch,
        f"{switch} > plan",
        f"{switch} > write",
        f"{switch} > verify",
        f"{switch} > report",
    }
    (incident,) = traces.named("nvaha.incident")
    assert [each.name for each in incident.events] == ["probe_failed"] * 3
    assert incident.start_time is not None
    began = [each.start_time for each in traces.spans if each.start_time is not None]
    assert len(began) == len(traces.spans)


def test_every_span_of_a_switch_says_whose_it_is(traces: Traces) -> None:
    """Group, operation and generation are on each, the NVA and the resource where there is one."""
    request = the_state(play(fail_over)).request
    assert request is not None
    which = {"nvaha.group": "g0", "nvaha.operation": request.operation, "nvaha.generation": 1}
    for each in traces.spans:
        said = dict(each.attributes or {})
        expected = {"nvaha.group": "g0", "nvaha.nva": "g0n0"} if each.name == "nvaha.incident" else which
        assert {**said, **expected} == said, each.name
    (write,) = traces.named("nvaha.write")
    assert str((write.attributes or {})["nvaha.resource_id"]).endswith("/routeTables/g0-table0")


def test_after_a_workers_death_another_goes_on_with_the_same_trace(traces: Traces) -> None:
    """The message comes again, or another one is sent: what is decided once is traced once."""

    async def scene(world: World) -> None:
        await world.pass_time(30.0)
        world.chaos.set_alive("g0n0", alive=False)
        while not traces.named("nvaha.decide"):
            await world.pass_time(0.1)
        await world.pass_time(0.5)
        assert the_state(world).phase is Phase.SWITCHING
        only(world, "worker").crash()
        await world.pass_time(60.0)

    state = the_state(play(scene, operation_s=3.0))
    assert (state.phase, state.active) == (Phase.STEADY, "g0n1")
    assert len(traces.ids) == 1
    assert "incident > decide > switch > report" in traces.chains()
    # What the dead one was in the midst of nobody has ended.
    (switch,) = traces.named("nvaha.switch")
    assert dict(switch.attributes or {})["nvaha.instance"] == "worker0.2"
    assert len(traces.named("nvaha.decide")) == 1


def test_an_nva_that_answers_again_ends_its_incident(traces: Traces) -> None:
    """Two failed probes are no failover: one span tells of them."""

    async def scene(world: World) -> None:
        await world.pass_time(30.0)
        world.chaos.set_alive("g0n0", alive=False)
        await world.pass_time(0.9)
        world.chaos.set_alive("g0n0", alive=True)
        await world.pass_time(10.0)

    assert the_state(play(scene)).generation == 0
    (span,) = traces.spans
    assert (span.name, dict(span.attributes or {})["nvaha.outcome"]) == ("nvaha.incident", "recovered")


def test_who_traces_nothing_writes_nothing_of_it() -> None:
    """Without the SDK neither the row nor the message has a trace context."""
    request = the_state(play(fail_over)).request
    assert request is not None
    assert request.traceparent is None
    assert "traceparent" not in json.loads(write_message(request))
