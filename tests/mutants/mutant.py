"""What a mutant is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken rule.

    Args:
        name: what it is called on the command line.
        rule: the rule that it breaks, in words.
        path: the file that is changed.
        changes: texts that are there exactly once, each with what takes its place.
        simulated: whether the simulation is asked.
        tests: the tests that are asked after it.
    """

    name: str
    rule: str
    path: str
    changes: tuple[tuple[str, str], ...]
    simulated: bool = True
    tests: tuple[str, ...] = ()


def core(name: str, rule: str, path: str, old: str, new: str, *tests: str, simulated: bool = True) -> Mutant:
    """Return a mutant of one text in a core module, asked of the simulation and of that module's tests."""
    files = tuple(f"tests/unit/test_{each}.py" for each in tests)
    return Mutant(name, rule, f"nvaha/{path}.py", ((old, new),), simulated, files)
