"""Texts that are no YAML or JSON: what people get wrong is told as what they see in front of them."""

from __future__ import annotations

import pytest

from nvaha.config import ConfigError, parse
from nvaha.config.problems import Problem

GOOD = """\
groups:
  - name: edge
    nvas:
      - name: one
        interfaces:
          internal: here
      - name: two
        interfaces:
          internal: there
    probe:
      port: 22
    policy:
      drift: "off"
"""
LINES = GOOD.splitlines()


def first_problem(text: str) -> Problem:
    """Return the first thing that is wrong with a file."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return caught.value.problems[0]


def edited(line: int, instead: str) -> str:
    """Return the good file with another line in the place of one."""
    return "\n".join([*LINES[: line - 1], instead, *LINES[line:], ""])


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (edited(10, "  probe:"), 10, "probe stands where an entry of the list that begins on line 2 would"),
        (edited(10, "   probe:"), 10, "it begins at column 4, and no line above it does"),
        (edited(7, "       - name: two"), 7, "it begins at column 8, and no line above it does"),
        (edited(10, "    probe: [1, 2"), 11, "] follows here in what [ begins on line 10"),
        (edited(10, "    probe: {a: 2"), 11, "} follows here in what { begins on line 10"),
        (edited(11, "      port: {{port}}"), 11, "begins with {{"),
        (edited(11, "      port: {{ .Values.port }}"), 11, "begins with {{"),
        (edited(11, "      port: @port"), 11, "no value begins with @"),
        (edited(10, "    probe"), 11, "no colon ends the key on line 10"),
        (
            edited(2, '  - name: "edge').replace('"off"', "off"),
            14,
            "the quote that begins on line 2 has no end",
        ),
        ('{\n  // mine\n  "groups": []\n}', 2, "JSON has no comments"),
        ('{\n  "groups": [] /* none */\n}', 2, "JSON has no comments"),
        ('\n// mine\n{\n  "groups": []\n}', 2, "a comment that neither YAML nor JSON knows"),
    ],
)
def test_what_people_get_wrong_has_a_sentence_of_its_own(text: str, line: int, told: str) -> None:
    """The line is the one on which it shows, and the sentence says what stands there."""
    problem = first_problem(text)
    assert told in problem.message
    assert problem.line == line


@pytest.mark.parametrize("line", range(2, len(LINES) + 1))
@pytest.mark.parametrize("by", [-3, -2, -1, 1, 2, 3])
def test_a_line_that_is_shifted_is_not_told_in_the_library_s_voice(line: int, by: int) -> None:
    """Whichever line is indented otherwise: what is said of a column is true, and no token is spoken of."""
    content = LINES[line - 1].lstrip()
    indent = len(LINES[line - 1]) - len(content) + by
    if indent < 0:
        return
    problem = first_problem(edited(line, " " * indent + content))
    assert "indicator" not in problem.message
    if "no line above it does" in problem.message:
        assert problem.line is not None
        text = edited(line, " " * indent + content).splitlines()
        column = len(text[problem.line - 1]) - len(text[problem.line - 1].lstrip())
        assert all(len(each) - len(each.lstrip(" -")) != column for each in text[: problem.line - 1])
        assert all(len(each) - len(each.lstrip()) != column for each in text[: problem.line - 1])


@pytest.mark.parametrize("text", ['groups: ["a" "b"]\n', '{"groups": ["a" "b"]}'])
def test_a_closed_list_is_not_said_to_be_open(text: str) -> None:
    """Where a comma is missing nobody is told that a bracket is."""
    assert "close" not in str(first_problem(text))
