"""The storage service's clock as monitors share it."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.azure.clock import ServiceClock
from nvaha.ports import Clock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


class World:
    """True time, and a host whose two clocks disagree with it as a test says."""

    def __init__(self, *, wall_error_s: float = 0.0) -> None:
        self.true_s = NOON
        self.monotonic_s = 1000.0
        self.wall_error_s = wall_error_s
        self.clock = ServiceClock(lambda: self.monotonic_s, lambda: self.true_s + self.wall_error_s)

    def passes(self, seconds: float, *, rate: float = 1.0) -> None:
        """Let time pass, for the host's monotonic clock at a rate of its own."""
        self.true_s += seconds
        self.monotonic_s += seconds * rate

    def request(self, there_s: float, back_s: float, *, service_error_s: float = 0.0) -> None:
        """Ask the service, whose answer carries its time in whole seconds."""
        sent = self.monotonic_s
        self.passes(there_s)
        header = datetime.fromtimestamp(math.floor(self.true_s + service_error_s), UTC)
        self.passes(back_s)
        self.clock.observe(header, sent, self.monotonic_s)

    def error_s(self) -> float:
        """Return how far the clock is from true time."""
        return abs(self.clock.now().timestamp() - self.true_s)


def is_a_clock(clock: Clock) -> Clock:
    """Let the type checker compare the class with its port."""
    return clock


def test_before_any_answer_the_wall_clock_is_used() -> None:
    """Until storage has answered, now is the host's own time."""
    world = World(wall_error_s=-5.0)
    assert not world.clock.synchronized
    assert world.clock.now() == datetime.fromtimestamp(NOON - 5.0, UTC)


@given(st.floats(-1e6, 1e6), st.floats(0, 1), st.floats(0, 1))
def test_one_answer_corrects_a_wrong_wall_clock(wall_error_s: float, there_s: float, back_s: float) -> None:
    """However wrong the host's clock is, one answer brings now within 1.5 s."""
    world = World(wall_error_s=wall_error_s)
    world.request(there_s, back_s)
    assert world.clock.synchronized
    assert world.error_s() <= 1.5 + 1e-3


@given(st.floats(0, 0.999), st.lists(st.floats(0.1, 20), max_size=20), st.floats(-1e5, 1e5))
def test_answers_that_agree_do_not_move_it(start: float, gaps: list[float], wall_step_s: float) -> None:
    """While storage and the host agree on how time passes, now runs evenly, wall clock steps included."""
    world = World()
    world.passes(start)
    world.request(0.01, 0.01)
    ahead = world.clock.now().timestamp() - world.true_s
    for gap in gaps:
        world.wall_error_s += wall_step_s
        world.passes(gap)
        world.request(0.01, 0.01)
        assert world.clock.now().timestamp() - world.true_s == pytest.approx(ahead, abs=1e-3)


@given(st.lists(st.tuples(st.floats(1, 30), st.floats(0.8, 1.2), st.floats(0, 0.2)), min_size=1, max_size=30))
def test_a_host_that_counts_time_wrongly_is_followed(steps: list[tuple[float, float, float]]) -> None:
    """A monotonic clock that runs up to 20 % off, or stands still, costs no more than 2 s and the header."""
    world = World()
    world.request(0.05, 0.05)
    for seconds, rate, trip_s in steps:
        world.passes(seconds, rate=rate)
        world.request(trip_s / 2, trip_s / 2)
        assert world.error_s() <= 2.0 + 0.5 + 0.1 + 1e-3


@given(st.floats(3, 1e5))
def test_a_pause_that_the_host_did_not_count_ends_with_the_next_answer(pause_s: float) -> None:
    """A host frozen without its monotonic clock running is right again after one answer."""
    world = World()
    world.request(0.01, 0.01)
    world.passes(pause_s, rate=0.0)
    world.request(0.01, 0.01)
    assert world.error_s() <= 2.6


def test_a_step_of_the_service_is_followed() -> None:
    """When storage's own clock moves by more than 2 s, so does now."""
    world = World()
    world.request(0.01, 0.01)
    world.request(0.01, 0.01, service_error_s=3600.0)
    assert abs(world.error_s() - 3600.0) <= 1.0


@pytest.mark.parametrize("trip_s", [2.5, 60.0])
def test_a_slow_answer_is_not_believed(trip_s: float) -> None:
    """An answer that took over 2 s does not set the clock."""
    world = World(wall_error_s=30.0)
    world.request(trip_s, 0.0)
    assert not world.clock.synchronized


def test_it_waits_and_counts() -> None:
    """Sleep waits in real time; the monotonic clock is the one passed in."""
    world = World()
    asyncio.run(world.clock.sleep(0))
    assert is_a_clock(world.clock).monotonic() == 1000.0
