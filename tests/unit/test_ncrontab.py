"""Schedules in NCRONTAB, as the Functions host's timer reads them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nvaha.app.schedule import LEAST_S, MOST_S, tick_budget_s
from nvaha.config.ncrontab import Ncrontab
from nvaha.config.settings import Settings, SettingsError

STORAGE = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
MOMENTS = st.integers(1_577_836_800_000, 5_680_281_600_000).map(
    lambda ms: datetime.fromtimestamp(ms / 1000, UTC)  # 2020 to 2150
)
LIMITS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))


@st.composite
def parts(draw: st.DrawFn, lowest: int, highest: int) -> str:
    """Draw one entry of a field's list."""
    low = draw(st.integers(lowest, highest))
    high = draw(st.integers(low, highest))
    text = draw(st.sampled_from(["*", f"{low}", f"{low}-{high}"]))
    return text + draw(st.sampled_from(["", "", "/1", "/2", "/7", "/30"]))


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Draw an expression that the host takes."""
    return " ".join(",".join(draw(st.lists(parts(*limits), min_size=1, max_size=3))) for limits in LIMITS)


ENTRY = st.text("0123456789*/,-#?lLhHjanfrisu ", max_size=6)
ANYTHING = st.lists(ENTRY, min_size=5, max_size=7).map(" ".join)


@settings(deadline=None)
@given(expressions() | ANYTHING, MOMENTS)
def test_a_schedule_that_the_settings_take_can_be_read(text: str, now: datetime) -> None:
    """Whatever passes the check of the settings gives a tick its budget at any time."""
    try:
        taken = Settings.from_environ(STORAGE | {"NVAHA_SCHEDULE": text})
    except SettingsError:
        return
    assert LEAST_S <= tick_budget_s(taken.schedule, now) <= MOST_S


@settings(deadline=None)
@given(expressions(), MOMENTS)
def test_what_the_host_takes_is_taken(text: str, now: datetime) -> None:
    """An expression of the host's grammar is refused only if its date never comes."""
    try:
        schedule = Ncrontab(text)
    except ValueError as error:
        assert "never comes" in str(error)  # noqa: PT017 - any other reason would be a refusal without cause
        return
    assert schedule.next_after(now.timestamp()) > now.timestamp()


@pytest.mark.parametrize(
    ("text", "after", "due"),
    [
        ("*/10 * * * * *", "2026-03-01T12:00:03", "2026-03-01T12:00:10"),
        ("5,8,10 * * * * *", "2026-03-01T12:00:08", "2026-03-01T12:00:10"),
        ("30/10 * * * * *", "2026-03-01T12:00:00", "2026-03-01T12:00:30"),
        ("0 0 9-17 * * Mon-Fri", "2026-03-06T17:00:00", "2026-03-09T09:00:00"),
        ("0 0 0 * JAN *", "2026-03-01T12:00:00", "2027-01-01T00:00:00"),
        # The 13th and a Friday, both; cron would take any Friday.
        ("0 0 0 13 * 5", "2026-03-14T00:00:00", "2026-11-13T00:00:00"),
    ],
)
def test_a_schedule_is_due_when_the_host_fires(text: str, after: str, due: str) -> None:
    """The next occurrence is the one that NCrontab gives."""
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp()
    assert datetime.fromtimestamp(Ncrontab(text).next_after(moment), UTC).isoformat()[:19] == due


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * * *",
        "* * * * * * *",
        "00:00:10",
        "60 * * * * *",
        "*/0 * * * * *",
        "1,,2 * * * * *",
        "0 0 22-2 * * *",
        "0 0 0 30 2 *",
        "0 0 0 L * *",
        "0 0 0 * * 7",
        "0 0 0 * * 07",
        "0 0 0 * * 5-7",
        "0 0 0 * * 5#2",
        "H * * * * *",
        "? * * * * *",
        "* * * * mon *",
        "* * * * * jan",
        "\u0663 * * * * *",
    ],
)
def test_what_the_host_reads_otherwise_or_not_at_all_is_refused(text: str) -> None:
    """No expression is taken that the host refuses or means differently."""
    with pytest.raises(ValueError, match=r"has|names|cannot"):
        Ncrontab(text)


@pytest.mark.parametrize(
    ("at", "budget_s"),
    [
        (0.0, 9.7),
        (4.0, 5.7),
        # The timer fired early for the tick at 10 s: this is that tick, and the next is due at 20 s.
        (9.9, 9.8),
    ],
)
def test_a_tick_ends_before_the_next_is_due(at: float, budget_s: float) -> None:
    """A tick gets the time up to the next one, less what the host needs between the two."""
    now = datetime.fromtimestamp(datetime(2026, 3, 1, tzinfo=UTC).timestamp() + at, UTC)
    assert tick_budget_s("*/10 * * * * *", now) == pytest.approx(budget_s, abs=0.001)
