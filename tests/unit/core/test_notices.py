"""Sentences for people, bounded however much there is to say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nvaha.core.notices import MOST_LISTED, bounded, condition, health_notices, listed
from nvaha.model import Policy
from tests.builders import down, group_of, up


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (MOST_LISTED, MOST_LISTED), (100, MOST_LISTED + 1)])
def test_a_list_says_how_many_it_leaves_out(count: int, shown: int) -> None:
    """A row of the state has to hold it."""
    said = listed(f"sentence {number}" for number in range(count))
    assert len([each for each in said.split("; ") if each]) == shown
    assert (f"and {count - MOST_LISTED} more" in said) is (count > MOST_LISTED)


@pytest.mark.parametrize(("count", "last"), [(3, "sentence 2"), (4, "sentence 3"), (9, "and 6 more")])
def test_of_many_sentences_the_last_one_counts_the_rest(count: int, last: str) -> None:
    """No more than so many are kept, that one among them."""
    kept = bounded((f"sentence {number}" for number in range(count)), 4)
    assert (len(kept), kept[-1]) == (min(count, 4), last)


def test_a_sentence_of_any_length_is_cut() -> None:
    """Whatever Azure or an operator wrote."""
    assert len(listed(["x" * 100_000])) < 1_000
    assert len(bounded(["x" * 100_000], 5)[0]) < 1_000


@pytest.mark.parametrize(
    ("policy", "switched"),
    [("report", "nothing is switched because of that"), ("down", "never enough in a row")],
)
def test_an_unsteady_nva_is_told_with_what_follows(policy: str, switched: str) -> None:
    """Whoever is told that the active NVA is unsteady learns how many probes failed, and what is done."""
    group = replace(group_of(), policy=Policy(unsteady=policy))
    a, b = group.names
    before = {a: up(), b: up()}
    after = {a: up(recent=0b1110110110, unsteady=True, last_error="refused"), b: up()}
    [told] = health_notices(group, a, before, after)
    assert (told.event, told.level, told.fields["active"]) == ("nva_unsteady", "error", True)
    assert f"{a} is unsteady: 7 of its last 30 probes failed (refused)" in told.text
    assert switched in told.text
    [over] = health_notices(group, a, after, before)
    assert (over.event, over.level) == ("nva_steady", "info")


@pytest.mark.parametrize(("error", "said"), [("refused", " (refused)"), (None, "")])
def test_an_nva_that_is_down_for_being_unsteady_says_so(error: str | None, said: str) -> None:
    """The reason of a switch away from it is not that it answers, though it may just have."""
    nva = down(failures=0, recent=0b1011, unsteady=True, last_error=error)
    assert condition(nva) == f"3 of its last 30 probes failed{said}, never enough in a row"
