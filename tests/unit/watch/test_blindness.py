"""Telling dead NVAs from a monitor that cannot see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from nvaha.model import ControlTarget, Group
from nvaha.watch.blindness import SEEN_S, WITNESSES, Blindness, Probe
from tests.builders import BAD, OK, SPEC, group_of
from tests.fakes import Outside

CONTROL = ControlTarget("192.0.2.1", 443)
ONE = group_of("a", "b")
OTHER = replace(group_of("c", "d"), name="other")


def probes(answers: str, first: int = 1) -> list[Probe]:
    """Return a round's probes, each of an address of its own: `+` was answered, `-` was not."""
    return [
        Probe(f"10.0.0.{number}", SPEC, OK if answer == "+" else BAD)
        for number, answer in enumerate(answers, start=first)
    ]


async def blind(
    out: Outside, blindness: Blindness, round_: Iterable[Probe], group: Group = ONE, after_s: float = 0.0
) -> bool:
    """Return whether a round that begins after so long is blind."""
    await out.clock.sleep(after_s)
    return await blindness.is_blind(group, round_, out.clock.monotonic())


@pytest.fixture
def out() -> Outside:
    """Return an outside."""
    return Outside()


async def test_a_round_in_which_anybody_answers_is_sighted(out: Outside) -> None:
    """One answer proves that the others' failures are theirs."""
    assert not await blind(out, Blindness(out.ports, ()), probes("-+"))


async def test_a_round_without_any_answer_is_blind(out: Outside) -> None:
    """With nobody to vouch for the network no failure is believed."""
    blindness = Blindness(out.ports, ())
    assert await blind(out, blindness, probes("--"))
    assert blindness.blind
    assert not await blind(out, blindness, probes("+-"))
    assert not blindness.blind


@pytest.mark.parametrize(("age_s", "expected"), [(SEEN_S - 0.1, False), (SEEN_S + 0.1, True)])
async def test_an_answer_just_before_the_round_still_counts(
    out: Outside, age_s: float, expected: bool
) -> None:
    """What was answered a moment ago was answered over the same network."""
    blindness = Blindness(out.ports, ())
    await blind(out, blindness, probes("++"))
    out.prober.silent |= {"10.0.0.1", "10.0.0.2"}
    assert await blind(out, blindness, probes("--"), after_s=age_s) is expected


async def test_who_answered_last_is_asked_before_a_monitor_calls_itself_blind(out: Outside) -> None:
    """A group that is dead beside one that is alive, and probed seldom, blinds nobody."""
    blindness = Blindness(out.ports, ())
    await blind(out, blindness, probes("+-", first=10), OTHER)
    assert not await blind(out, blindness, probes("--"), after_s=60.0)
    assert out.prober.reached_for == ["10.0.0.10"]
    out.prober.silent.add("10.0.0.10")
    assert await blind(out, blindness, probes("--"), after_s=60.0)


async def test_only_the_last_few_are_asked(out: Outside) -> None:
    """However many NVAs there are, few are asked again: those that answered last."""
    blindness = Blindness(out.ports, ())
    await blind(out, blindness, probes("+" * 50))
    await blind(out, blindness, probes("+"))
    await blind(out, blindness, probes("-", first=100), after_s=60.0)
    assert len(out.prober.reached_for) == WITNESSES
    assert {"10.0.0.1", "10.0.0.50"} < set(out.prober.reached_for)


async def test_rounds_that_fail_shortly_after_each_other_ask_once(out: Outside) -> None:
    """A hundred groups whose NVAs fail do not each ask the control targets."""
    blindness = Blindness(out.ports, (CONTROL,))
    asked = []
    for group in (ONE, OTHER, ONE):
        assert not await blind(out, blindness, probes("-"), group, after_s=0.3)
        asked.append(len(out.prober.reached_for))
    assert asked == [1, 1, 2]


async def test_an_answer_that_came_before_the_process_stood_still_vouches_for_nothing(
    out: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked before a long stop was answered before it too: who wakes up asks again."""
    reachable = out.prober.reachable

    async def then_stops(prober: object, target: ControlTarget, timeout_s: float) -> bool:
        answer = await reachable(target, timeout_s)
        await out.clock.sleep(17.0)
        return answer

    blindness = Blindness(out.ports, (CONTROL,))
    with monkeypatch.context() as stopping:
        stopping.setattr(type(out.prober), "reachable", then_stops)
        await blind(out, blindness, probes("-"))
    out.prober.silent.add(CONTROL.address)
    assert await blind(out, blindness, probes("-"), after_s=0.1)


async def test_control_targets_decide_where_there_are_any(out: Outside) -> None:
    """Failures are believed while a control target answers, and not when none does."""
    blindness = Blindness(out.ports, (CONTROL,))
    assert not await blind(out, blindness, probes("--"))
    out.prober.silent.add(CONTROL.address)
    assert await blind(out, blindness, probes("-+"), after_s=60.0)


async def test_nobody_is_asked_when_everybody_answers(out: Outside) -> None:
    """A round without failures has nothing to be believed or not."""
    assert not await blind(out, Blindness(out.ports, (CONTROL,)), probes("++"))
    assert out.prober.reached_for == []


async def test_a_group_of_which_nobody_can_be_probed_yet_says_nothing_about_sight(out: Outside) -> None:
    """No reading is no failure, and does not end another group's blindness either."""
    blindness = Blindness(out.ports, ())
    assert await blind(out, blindness, probes("-"))
    assert not await blind(out, blindness, [], OTHER)
    assert blindness.blind


async def test_a_monitor_sees_again_when_it_sees_in_every_group(out: Outside) -> None:
    """One group's sight does not end another's blindness."""
    out.prober.silent.add(CONTROL.address)
    blindness = Blindness(out.ports, (CONTROL,))
    await blind(out, blindness, probes("-"), ONE)
    await blind(out, blindness, probes("+"), OTHER)
    assert blindness.blind
    blindness.forget()
    assert not blindness.blind
