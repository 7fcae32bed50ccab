"""Sentences for people, bounded however much there is to say."""

from __future__ import annotations

import pytest

from nvaha.core.notices import MOST_LISTED, bounded, listed


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
