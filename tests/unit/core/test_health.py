"""Health from readings."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from nvaha.core.health import (
    STEADY_TO,
    UNSTEADY_FROM,
    WINDOW,
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
MOSTLY = st.integers(0, 9).map(lambda number: number > 2)
ONE_IN_THREE = [(number % 3 == 0, False) for number in range(60)]
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


def reference(
    readings: list[tuple[bool, bool]], spec: ProbeSpec, *, counts: bool
) -> list[tuple[Health, bool]]:
    """Return health and unsteadiness after each reading, by the words of the documentation."""
    health, unsteady, window, seen = Health.UNKNOWN, False, list[bool](), []
    for end, (ok, blind) in enumerate(readings, start=1):
        oks = [each for each, _ in readings[:end]]
        if ok or not blind:
            window = [*window, ok][-WINDOW:]
            failed = window.count(False)
            unsteady = failed > STEADY_TO if unsteady else failed >= max(UNSTEADY_FROM, spec.fall)
        if run_length(oks, wanted=False) >= spec.fall or (counts and unsteady):
            health = Health.DOWN
        elif run_length(oks, wanted=True) >= spec.rise:
            health = Health.UP
        if health is Health.DOWN and not (counts and unsteady):
            window, unsteady = [], False
        seen.append((health, unsteady))
    return seen


@given(
    readings=st.lists(st.tuples(MOSTLY, st.integers(0, 3).map(lambda number: number == 0)), max_size=120),
    spec=SPECS,
    counts=st.booleans(),
)
@example(readings=ONE_IN_THREE + [(True, False)] * 40, spec=ProbeSpec(), counts=True)
@example(readings=ONE_IN_THREE + [(True, False)] * 40, spec=ProbeSpec(), counts=False)
@example(readings=[(ok, not ok) for ok, _ in ONE_IN_THREE], spec=ProbeSpec(), counts=True)
@example(readings=ONE_IN_THREE + [(False, False)] * 4, spec=ProbeSpec(), counts=True)
def test_an_unsteady_nva_is_told_and_down_by_policy_only(
    readings: list[tuple[bool, bool]], spec: ProbeSpec, counts: bool
) -> None:
    """Many failures that are never enough in a row make an NVA unsteady; whether that is down says policy."""
    state, expected = NvaState(), reference(readings, spec, counts=counts)
    for number, ((ok, blind), (health, unsteady)) in enumerate(zip(readings, expected, strict=True)):
        reading = OK if ok else BAD
        state = advance(state, reading, spec, later(number), blind=blind, unsteady_is_down=counts)
        assert (state.health, state.unsteady) == (health, unsteady)
        assert state.recent < 1 << WINDOW
        if not counts:
            assert not (state.unsteady and state.health is Health.DOWN)
        if state.unsteady and counts:
            assert fallen(state, spec)


def test_one_answer_in_three_is_found_out() -> None:
    """Two failures and an answer, again and again, never reach `fall`, and are unsteady within the window."""
    spec = ProbeSpec(address="127.0.0.1", fall=3, rise=2)
    state = after([(number % 3 == 2, False) for number in range(WINDOW)], spec)
    assert state.unsteady
    assert state.health is not Health.DOWN
    assert not fallen(state, spec)


def test_an_outage_that_is_over_is_not_unsteady() -> None:
    """An NVA that was down for long and is up again starts afresh: that was an outage."""
    spec = ProbeSpec(address="127.0.0.1", fall=3, rise=2)
    state = after([(True, False)] * 5 + [(False, False)] * 40 + [(True, False)] * 2, spec)
    assert (state.health, state.unsteady, state.recent) == (Health.UP, False, 0)


def test_the_window_is_no_news_and_unsteadiness_is() -> None:
    """Nothing is written because a failure of long ago moved on in the window."""
    spec = ProbeSpec(address="127.0.0.1")
    assert same_for_the_reader(up(recent=0b1), up(recent=0b10), spec)
    assert not same_for_the_reader(up(unsteady=False), up(unsteady=True), spec)


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
