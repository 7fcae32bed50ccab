"""Text made fit for a sentence, a log line or a record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvaha.text import alike, last_part, one_line, shortened


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


def missing(kind: str, name: str) -> str:
    """Return what is said of a resource that a role is missing for."""
    at = f"/subscriptions/s/providers/Microsoft.Network/{kind}/{name}"
    return f"{name} could not be read: needs the right Microsoft.Network/{kind}/read on {at} (403)"


def test_one_reason_for_many_is_told_once_with_their_number() -> None:
    """The first whole, the others by name; what has a reason of its own stays by itself, in its order."""
    five = [missing("routeTables", "t"), *(missing("networkInterfaces", f"n{each}") for each in range(4))]
    told = alike([*five[:2], "n9: IP forwarding is off", *five[2:], *five])
    assert len(told) == 2
    assert all(each in told[0] for each in ("t could not be read", "4 more", "n0", "n2", five[0][-30:]))
    assert told[1] == "n9: IP forwarding is off"


@given(st.lists(st.text("ab: ", max_size=80), max_size=6))
def test_what_is_told_together_loses_no_reason(sentences: list[str]) -> None:
    """What stands alone is as it was, and nothing is told twice."""
    told = alike(sentences)
    assert len(told) <= len(set(sentences))
    assert all(any(each.rpartition(": ")[2] in one for one in told) for each in sentences)
