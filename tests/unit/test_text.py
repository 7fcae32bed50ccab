"""Text made fit for a sentence, a log line or a record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.text import last_part, one_line, shortened


@given(st.text(max_size=60), st.integers(1, 40), st.data())
def test_a_text_never_exceeds_its_length(text: str, longest: int, data: st.DataObject) -> None:
    """What fits is left alone; of the rest beginning and end stay, and the cut is seen."""
    tail = data.draw(st.integers(0, longest - 1))
    short = shortened(text, longest, tail=tail)
    if len(text) <= longest:
        assert short == text
        return
    head, cut, end = short[: longest - tail - 1], short[longest - tail - 1], short[longest - tail :]
    assert (len(short), cut) == (longest, "…")
    assert text.startswith(head)
    assert text.endswith(end)


@given(st.text())
def test_one_line_has_no_other_white_space(text: str) -> None:
    """Words keep their order and are one space apart."""
    line = one_line(text)
    assert line.split(" ") == (text.split() or [""])


@pytest.mark.parametrize(
    ("resource_id", "name"),
    [("/subscriptions/s/routeTables/udr", "udr"), ("/a/udr/", "udr"), ("udr", "udr"), ("", "")],
)
def test_a_resource_is_called_by_its_last_part(resource_id: str, name: str) -> None:
    """The last part of an id is the name, with or without a slash behind it."""
    assert last_part(resource_id) == name
