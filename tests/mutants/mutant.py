"""What a mutant is: a rule, where it is kept, what breaks it, and who is to notice."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.mutants.change import Change, Gone, Stale, change_source, definitions, fits

PACKAGE = "nvaha"
UNIT_TESTS = "tests/unit"
FEW = 6
"""What stands at more places than this is too common to say where a rule has gone."""


class Mutant:
    """One broken rule.

    Args:
        name: what it is called on the command line.
        rule: the rule that it breaks, in words.
        where: `module:function` or `module:Class.method`; the module alone for its constants.
        changes: each fits exactly one place there.
        simulated: whether the simulation is asked.
        tests: tests that are asked besides the unit tests that import the module or mirror its folder.
    """

    def __init__(
        self,
        name: str,
        rule: str,
        where: str,
        *changes: Change,
        simulated: bool = True,
        tests: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.rule = rule
        self.where = where
        self.module, _, self.within = where.partition(":")
        self.changes = changes
        self.simulated = simulated
        self.tests = tests

    @property
    def path(self) -> str:
        """The module's file, relative to the root of the tree."""
        return f"{self.module.replace('.', '/')}.py"

    def source(self, root: Path) -> str:
        """Return the module's source with the rule broken; Stale if that does not fit the code."""
        try:
            return change_source(self._present(root), self.within, self.changes)
        except Gone as gone:
            places = self._elsewhere(root)
            lines = "".join(f"\n    elsewhere: {each}" for each in places) if len(places) <= FEW else ""
            raise Stale(f"{self.name} ({self.where}): {gone}{lines}") from None
        except Stale as stale:
            raise Stale(f"{self.name} ({self.where}): {stale}") from None

    def asked(self, root: Path) -> tuple[str, ...]:
        """Return the tests to ask; Stale if one is missing, or if nobody at all would be asked."""
        missing = [each for each in self.tests if not (root / each).is_file()]
        if missing:
            raise Stale(f"{self.name}: no test file {missing[0]}")
        importing = (name for name, modules in _imports(root) if self.module in modules)
        # After those that import it come the others of the folder that mirrors the module's.
        mirror = f"{UNIT_TESTS}/{'/'.join(self.module.split('.')[1:-1])}/"
        beside = (name for name, _ in _imports(root) if name.rpartition("/")[0] + "/" == mirror)
        asked = tuple(dict.fromkeys((*importing, *self.tests, *beside)))
        if not asked and not self.simulated:
            raise Stale(f"{self.name}: no test in {UNIT_TESTS} imports {self.module}, and none is named")
        return asked

    def _present(self, root: Path) -> str:
        try:
            return (root / self.path).read_text()
        except FileNotFoundError:
            raise Gone(f"no file {self.path}") from None

    def _elsewhere(self, root: Path) -> list[str]:
        """Return where else what is to be changed stands; if nowhere, where a function of that name is."""
        saying, named = [], []
        for path in sorted((root / PACKAGE).rglob("*.py")):
            module = path.relative_to(root).with_suffix("").as_posix().replace("/", ".")
            for name, node in definitions(ast.parse(path.read_text())):
                if (module, name) == (self.module, self.within) or isinstance(node, ast.ClassDef):
                    continue
                says = "".join(f" says `{change.old}`" for change in self.changes if fits(node, change))
                if says:
                    saying.append(f"{module}:{name}{says}")
                if name.rpartition(".")[2] == self.within.rpartition(".")[2]:
                    named.append(f"{module}:{name}")
        return saying or named


@cache
def _imports(root: Path) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return (unit test, the modules and names that it imports), in the order of their names."""
    found = []
    for path in sorted((root / UNIT_TESTS).rglob("test_*.py")):
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
        found.append((path.relative_to(root).as_posix(), frozenset(names)))
    return tuple(found)
