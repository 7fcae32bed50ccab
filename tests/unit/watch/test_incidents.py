"""The failing of an active NVA is one span, from its first failed probe to its end."""

from __future__ import annotations

from tests.tracing import Traces, traces
from tests.unit.watch.stage import A, B, Leader, known, outside

__all__ = ["traces"]


async def watched(leader: Leader, until: float) -> None:
    """Do rounds until a time."""
    await leader.rounds.run(until)


async def test_an_incident_ends_in_the_switch_that_it_led_to(traces: Traces) -> None:
    """Each failed probe is an event of it, and the decision is within it."""
    out = outside(known())
    leader = Leader(out)
    await leader.lead()
    await watched(leader, 2.0)
    out.prober.silent.add(A)
    await watched(leader, 9.0)
    assert traces.chains() == {"incident", "incident > decide"}
    (incident,) = traces.named("nvaha.incident")
    said = dict(incident.attributes or {})
    assert (said["nvaha.nva"], said["nvaha.outcome"]) == ("a", "switch")
    assert {each.name for each in incident.events} == {"probe_failed"}
    assert [dict(each.attributes or {})["nvaha.reason"] for each in incident.events] == ["timed out"] * 3
    assert leader.group().incident is None


async def test_an_incident_ends_when_the_nva_answers_again(traces: Traces) -> None:
    """It is told as recovered, and the next failure begins another."""
    out = outside(known())
    leader = Leader(out)
    await leader.lead()
    for until in (4.0, 8.0):
        out.prober.silent.add(A)
        await watched(leader, until - 3.0)
        out.prober.silent.clear()
        await watched(leader, until)
    outcomes = [dict(each.attributes or {})["nvaha.outcome"] for each in traces.spans]
    assert outcomes == ["recovered"] * 2
    assert len(traces.ids) == 2


async def test_a_standby_that_fails_is_no_incident(traces: Traces) -> None:
    """Nothing has to be switched because of it; the metrics tell of it."""
    out = outside(known())
    out.prober.silent.add(B)
    leader = Leader(out)
    await leader.lead()
    await watched(leader, 10.0)
    assert traces.spans == []
    assert leader.group().incident is None
