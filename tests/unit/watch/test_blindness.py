"""Telling dead NVAs from a monitor that cannot see."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest

from nvaha.model import ControlTarget, ProbeSpec, Reading
from nvaha.ports import Ports
from nvaha.watch.blindness import SEEN_S, WITNESSES, Blindness, Probe
from tests.builders import BAD, OK, SPEC, group_of, later

CONTROL = ControlTarget("192.0.2.1", 443)
ONE, OTHER = group_of("a", "b"), group_of("c", "d")


class Network:
    """Who answers, who was asked, and the time."""

    def __init__(self, *answering: str) -> None:
        self.answering = set(answering)
        self.asked: list[str] = []
        self.now_s = 100.0

    async def probe(self, address: str, spec: ProbeSpec) -> Reading:
        raise NotImplementedError

    async def reachable(self, target: ControlTarget, timeout_s: float) -> bool:
        self.asked.append(target.address)
        return target.address in self.answering

    def ports(self) -> Ports:
        """Return this as all that seeing needs of the outside."""
        rest: Any = None
        return Ports(rest, rest, rest, rest, self, self, rest, rest)

    def now(self) -> datetime:
        return later(self.now_s)

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def probes(answers: str, first: int = 1) -> list[Probe]:
    """Return a round's probes, each of an address of its own: `+` was answered, `-` was not."""
    return [
        Probe(f"10.0.0.{number}", SPEC, OK if answer == "+" else BAD)
        for number, answer in enumerate(answers, start=first)
    ]


def blind(blindness: Blindness, network: Network, round_: Iterable[Probe], group: str = "one") -> bool:
    """Return whether a round that begins now is blind."""
    return asyncio.run(blindness.is_blind(ONE if group == "one" else OTHER, round_, network.now_s))


def test_a_round_in_which_anybody_answers_is_sighted() -> None:
    """One answer proves that the others' failures are theirs."""
    network = Network()
    assert not blind(Blindness(network.ports(), ()), network, probes("-+"))


def test_a_round_without_any_answer_is_blind() -> None:
    """With nobody to vouch for the network no failure is believed."""
    network = Network()
    blindness = Blindness(network.ports(), ())
    assert blind(blindness, network, probes("--"))
    assert blindness.blind
    assert not blind(blindness, network, probes("+-"))
    assert not blindness.blind


@pytest.mark.parametrize(("age_s", "expected"), [(SEEN_S - 0.1, False), (SEEN_S + 0.1, True)])
def test_an_answer_just_before_the_round_still_counts(age_s: float, expected: bool) -> None:
    """What was answered a moment ago was answered over the same network."""
    network = Network()
    blindness = Blindness(network.ports(), ())
    blind(blindness, network, probes("++"))
    network.now_s += age_s
    assert blind(blindness, network, probes("--")) is expected


def test_who_answered_last_is_asked_before_a_monitor_calls_itself_blind() -> None:
    """A group that is dead beside one that is alive, and probed seldom, blinds nobody."""
    network = Network("10.0.0.10")
    blindness = Blindness(network.ports(), ())
    blind(blindness, network, probes("+-", first=10), "other")
    network.now_s += 60.0
    assert not blind(blindness, network, probes("--"))
    assert network.asked == ["10.0.0.10"]
    network.answering.clear()
    network.now_s += 60.0
    assert blind(blindness, network, probes("--"))


def test_only_the_last_few_are_asked() -> None:
    """However many NVAs there are, few are asked again."""
    network = Network()
    blindness = Blindness(network.ports(), ())
    blind(blindness, network, probes("+" * 50))
    network.now_s += 60.0
    blind(blindness, network, probes("-", first=100))
    assert len(network.asked) == WITNESSES


def test_control_targets_decide_where_there_are_any() -> None:
    """Failures are believed while a control target answers, and not when none does."""
    network = Network(CONTROL.address)
    blindness = Blindness(network.ports(), (CONTROL,))
    assert not blind(blindness, network, probes("--"))
    network.answering.clear()
    network.now_s += 60.0
    assert blind(blindness, network, probes("-+"))


def test_nobody_is_asked_when_everybody_answers() -> None:
    """A round without failures has nothing to be believed or not."""
    network = Network()
    assert not blind(Blindness(network.ports(), (CONTROL,)), network, probes("++"))
    assert network.asked == []


def test_a_monitor_sees_again_when_it_sees_in_every_group() -> None:
    """One group's blindness does not end another's blindness."""
    network = Network()
    blindness = Blindness(network.ports(), (CONTROL,))
    one, other = group_of("a"), group_of("c")
    other = type(other)("other", other.nvas, other.route_tables)
    asyncio.run(blindness.is_blind(one, probes("-"), network.now_s))
    asyncio.run(blindness.is_blind(other, probes("+"), network.now_s))
    assert blindness.blind
    blindness.forget()
    assert not blindness.blind
