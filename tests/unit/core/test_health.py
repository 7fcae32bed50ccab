"""Health from readings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nvaha.core.health import (
    advance,
    fallen,
    healthy,
    next_interval_s,
    same_for_the_reader,
    undecided,
)
from nvaha.model import Health, NvaState, ProbeSpec, Reading
from tests.builders import BAD, NOON, OK, down, later, up

READINGS = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30)
SPECS = st.builds(ProbeSpec, address=st.just("127.0.0.1"), fall=st.integers(1, 5), rise=st.integers(1, 5))


def after(readings: list[tuple[bool, bool]], spec: ProbeSpec) -> NvaState:
    """Return what is known after (ok, blind) readings."""
    state = NvaState()
    for number, (ok, blind) in enumerate(readings):
        state = advance(state, OK if ok else BAD, spec, later(number), blind=blind)
    return state


def run_length(values: list[bool], wanted: bool) -> int:
    """Return how many of the last values are as wanted."""
    length = 0
    for value in reversed(values):
        if value is not wanted:
            break
        length += 1
    return length


@given(READINGS, SPECS)
def test_health_follows_from_the_last_long_enough_row(
    readings: list[tuple[bool, bool]], spec: ProbeSpec
) -> None:
    """An NVA is what its last row of `fall` failures or `rise` successes says, and unknown before any."""
    expected, oks = Health.UNKNOWN, [ok for ok, _ in readings]
    for end in range(1, len(oks) + 1):
        if run_length(oks[:end], wanted=False) >= spec.fall:
            expected = Health.DOWN
        if run_length(oks[:end], wanted=True) >= spec.rise:
            expected = Health.UP
    assert after(readings, spec).health is expected


@given(READINGS, SPECS)
def test_counts_are_of_the_row_at_hand(readings: list[tuple[bool, bool]], spec: ProbeSpec) -> None:
    """Failures and successes count the row at hand, and one of them is always zero."""
    state, oks = after(readings, spec), [ok for ok, _ in readings]
    assert state.failures == run_length(oks, wanted=False)
    assert state.successes == min(run_length(oks, wanted=True), spec.rise)
    assert (state.last_error is None) is (state.failures == 0)


@given(READINGS, SPECS)
def test_traffic_moves_away_on_confirmed_failures_only(
    readings: list[tuple[bool, bool]], spec: ProbeSpec
) -> None:
    """An NVA has fallen exactly after `fall` failures in a row that were read while the monitor could see."""
    seen = [not ok and not blind for ok, blind in readings]
    assert fallen(after(readings, spec), spec) is (run_length(seen, wanted=True) >= spec.fall)


@given(READINGS, SPECS)
def test_an_nva_is_healthy_only_while_it_answers(readings: list[tuple[bool, bool]], spec: ProbeSpec) -> None:
    """Traffic may be moved to an NVA only if it is up and its last probe was answered."""
    state = after(readings, spec)
    if healthy(state):
        assert readings[-1][0]
        assert state.health is Health.UP
        assert not fallen(state, spec)


def test_health_changes_are_dated() -> None:
    """An NVA's health dates from the reading that changed it."""
    spec = ProbeSpec(address="127.0.0.1", fall=2, rise=1)
    state = advance(up(), BAD, spec, later(1), blind=False)
    assert state.since == NOON
    assert advance(state, BAD, spec, later(2), blind=False).since == later(2)


def test_what_hangs_in_the_balance_is_probed_faster() -> None:
    """A group is probed at the fast interval as soon as the next readings may change something."""
    spec = ProbeSpec(address="127.0.0.1", interval_s=5.0, fast_interval_s=0.5)
    assert next_interval_s([(up(), spec), (down(), spec)]) == 5.0
    for nva in (NvaState(), up(failures=1), down(failures=0, successes=1)):
        assert undecided(nva)
        assert next_interval_s([(up(), spec), (nva, spec)]) == 0.5


def test_latency_and_long_rows_can_wait_for_the_heartbeat() -> None:
    """Only latency, the error's text and failures beyond `fall` are no news."""
    spec = ProbeSpec(address="127.0.0.1", fall=3)
    assert same_for_the_reader(up(latency_ms=1.0), up(latency_ms=9.0), spec)
    assert same_for_the_reader(down(failures=3), down(failures=30, last_error="other"), spec)
    assert not same_for_the_reader(down(failures=2), down(failures=3), spec)
    assert not same_for_the_reader(down(confirmed=2), down(confirmed=3), spec)
    assert not same_for_the_reader(up(successes=1), up(successes=2), spec)


def test_a_success_clears_everything_that_was_wrong() -> None:
    """One answer ends a row of failures, confirmed or not."""
    state = advance(
        down(), Reading(ok=True, latency_ms=3.5), ProbeSpec(address="127.0.0.1"), later(9), blind=True
    )
    assert (state.failures, state.confirmed, state.last_error, state.latency_ms) == (0, 0, None, 3.5)
