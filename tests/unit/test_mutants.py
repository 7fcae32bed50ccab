"""Every mutant still fits the code, and the way in which they find their places can be relied on."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.mutants import __main__ as program
from tests.mutants.catalogue import MUTANTS
from tests.mutants.change import Change, Gone, Stale, change_source, constant, drop, replace
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[2]

SOURCE = """
LIMIT, OTHER = 3, 4

class Door:
    def open(self, who, now):
        # Only those who may.
        if (who.may
                and now < LIMIT):
            self.let_in(who, at=now)
            return True
        return False

    def shut(self, who, now):
        return who.may and now < LIMIT
"""


def changed(within: str, *changes: Change, source: str = SOURCE) -> str:
    """Return the changed source, as `ast` writes it."""
    return change_source(source, within, changes)


@cache
def normal(source: str) -> str:
    """Return a source as `ast` writes it."""
    return ast.unparse(ast.parse(source))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code(mutant: Mutant) -> None:
    """Its changes have one place each, what comes of it compiles and differs, and somebody is asked."""
    broken, asked = mutant.source(ROOT), mutant.asked(ROOT)
    assert broken != normal((ROOT / mutant.path).read_text())
    assert mutant.simulated or asked


def test_names_are_unique() -> None:
    """A name on the command line means one mutant."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_neither_format_nor_comments_matter() -> None:
    """What is looked for may be written on other lines, with other quotes, parentheses and comments."""
    change = replace("(who.may and   # both\n now<LIMIT)", by="True")
    assert changed("Door.open", change) == normal(
        SOURCE.replace("(who.may\n                and now < LIMIT)", "True", 1)
    )


def test_only_the_named_function_is_changed() -> None:
    """The same expression in another method stays as it is."""
    broken = changed("Door.shut", replace("who.may", by="False"))
    assert broken == normal(SOURCE.replace("return who.may", "return False"))


def test_an_argument_is_replaced() -> None:
    """`name=value` finds the argument of a call."""
    broken = changed("Door.open", replace("at=now", by="at=None"))
    assert broken == normal(SOURCE.replace("at=now", "at=None"))


def test_a_statement_is_replaced_by_several() -> None:
    """A statement gives way to others in its block."""
    broken = changed("Door.open", replace("return True", by="self.count()\nreturn who"))
    assert broken == normal(SOURCE.replace("return True", "self.count(); return who"))


def test_the_only_statement_of_a_block_is_dropped() -> None:
    """What is left still compiles."""
    broken = changed("Door.shut", drop("return who.may and now < LIMIT"))
    assert broken == normal(SOURCE.replace("return who.may and now < LIMIT", "pass"))


def test_a_constant_has_another_value() -> None:
    """One that is assigned together with others is found too, and the others keep their values."""
    names: dict[str, object] = {}
    exec(changed("", constant("LIMIT", 1e9)), names)  # noqa: S102
    assert (names["LIMIT"], names["OTHER"]) == (1e9, 4)


def test_two_places_are_refused() -> None:
    """Where an expression stands twice, nobody can say which one is meant; the lines are named."""
    with pytest.raises(Stale, match=r"2 places .*lines 7, 9") as stale:
        changed("Door.open", replace("who.may", by="False"), source=SOURCE.replace("at=now", "at=who.may"))
    assert not isinstance(stale.value, Gone)


def test_no_place_is_refused_and_the_nearest_are_named() -> None:
    """What comes close in the same function helps to mend the mutant."""
    with pytest.raises(Gone, match=r"near: line 8: now < LIMIT"):
        changed("Door.open", replace("now <= LIMIT", by="True"))


def test_a_missing_function_is_refused_and_the_nearest_are_named() -> None:
    """A renamed function is a stale mutant."""
    with pytest.raises(Gone, match=r"near: .*Door\.open"):
        changed("Door.opens", replace("who.may", by="False"))


def test_a_change_of_nothing_is_refused() -> None:
    """A mutant that breaks nothing would be missed by everybody."""
    with pytest.raises(Stale, match="nothing is changed"):
        changed("Door.shut", replace("who.may", by="who . may"))


def test_changes_in_one_another_are_refused() -> None:
    """A change that another one swallows would be lost without a word."""
    with pytest.raises(Stale, match="overlap"):
        changed("Door.shut", replace("who.may", by="True"), replace("who.may and now < LIMIT", by="True"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree with a package of two modules and a test of one of them."""
    for path, text in {
        "nvaha/door.py": SOURCE,
        "nvaha/gate.py": "def lift(car):\n    return car.paid\n",
        "tests/unit/test_door.py": "from nvaha import door\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.mark.parametrize("where", ["nvaha.door:Door.open", "nvaha.gone:lift", "nvaha.door:lift"])
def test_a_rule_that_moved_is_found_elsewhere(tree: Path, where: str) -> None:
    """A stale mutant says where else its expression stands."""
    with pytest.raises(Stale, match=r"elsewhere: nvaha\.gate:lift says `car\.paid`"):
        Mutant("m", "cars pay", where, replace("car.paid", by="True")).source(tree)


def test_a_function_of_that_name_is_found_elsewhere(tree: Path) -> None:
    """Where the expression stands nowhere any more, a function of the same name is the next best guess."""
    with pytest.raises(Stale, match=r"elsewhere: nvaha\.gate:lift$"):
        Mutant("m", "cars pay", "nvaha.door:lift", replace("car.ticket", by="True")).source(tree)


def test_the_tests_that_import_the_module_are_asked(tree: Path) -> None:
    """However a test file is called, what it imports says what it tests."""
    (tree / "tests/unit/test_door.py").rename(tree / "tests/unit/test_renamed.py")
    mutant = Mutant("m", "", "nvaha.door:Door.open", drop("return True"), simulated=False)
    assert mutant.asked(tree) == ("tests/unit/test_renamed.py",)


def test_a_missing_test_file_is_refused(tree: Path) -> None:
    """A test that is named and is not there is not passed over."""
    mutant = Mutant("m", "", "nvaha.door:Door.open", drop("return True"), tests=("tests/unit/test_gone.py",))
    with pytest.raises(Stale, match="test_gone"):
        mutant.asked(tree)


def test_a_mutant_that_nobody_is_asked_about_is_refused(tree: Path) -> None:
    """Without the simulation there has to be a test that imports the module."""
    with pytest.raises(Stale, match=r"imports nvaha\.gate"):
        Mutant("m", "", "nvaha.gate:lift", replace("car.paid", by="True"), simulated=False).asked(tree)


class TestProgram:
    """What the command line makes of it."""

    def test_all_are_chosen_by_default(self) -> None:
        """Nothing asked for is everything."""
        assert program.choose([]) == list(MUTANTS)

    def test_names_modules_and_rules_choose(self) -> None:
        """Each word adds what it stands for; a package stands for its modules, and not for a mere prefix."""
        chosen = program.choose(["pause-ignored", "flap LIMIT"])
        meant = [each for each in MUTANTS if each.name == "pause-ignored" or "flap limit" in each.rule]
        assert chosen == meant
        assert len(meant) > 2
        core = [each for each in MUTANTS if each.module.startswith("nvaha.core.")]
        assert program.choose(["nvaha.core"]) == core

    def test_a_word_without_a_mutant_is_an_error(self) -> None:
        """A misspelt name does not pass for a run in which everything was caught."""
        with pytest.raises(SystemExit) as ended:
            program.main(["pause-ignored", "no-such-mutant"])
        assert ended.value.code == 2

    def test_the_list_of_fitting_mutants_ends_well(self) -> None:
        """Nothing stale is exit code 0."""
        assert program.main(["--list", "nvaha.core.health"]) == 0

    @pytest.mark.parametrize("arguments", [[], ["--list"]])
    def test_a_stale_mutant_is_exit_code_2(
        self,
        tree: Path,
        arguments: list[str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Whether only listed or to be judged, a stale mutant is named and nothing is judged."""
        stale = Mutant("old", "", "nvaha.gate:lift", replace("car.gone", by="True"))
        monkeypatch.setattr(program, "ROOT", tree)
        monkeypatch.setattr(program, "MUTANTS", (stale,))
        assert program.main(arguments) == 2
        said = capsys.readouterr().out
        assert "STALE old (nvaha.gate:lift)" in said
        assert "caught" not in said

    @pytest.mark.parametrize(
        ("by", "expected"),
        [
            ("True", (0, "1 caught by tests: m")),
            ("car.paid and True", (1, "1 not caught: m")),
            ("no_such_name", (2, "1 not judged: m")),
        ],
    )
    def test_the_exit_code_says_whether_all_were_caught(
        self,
        tree: Path,
        by: str,
        expected: tuple[int, str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Caught is 0, missed is 1; a mutant that does not even run is neither, and 2."""
        self.judge_in(tree, by, monkeypatch)
        code, said = expected
        assert program.main(["--jobs", "1"]) == code
        assert said in capsys.readouterr().out

    def test_a_check_that_fails_anyhow_catches_nothing(
        self, tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """If the tree fails with no rule broken, no mutant is judged."""
        self.judge_in(tree, "True", monkeypatch)
        (tree / "nvaha/gate.py").write_text("def lift(car):\n    return not car.paid\n")
        assert program.main(["--jobs", "1"]) == 2
        assert "caught" not in capsys.readouterr().out

    @pytest.mark.parametrize(
        "does", ["raise OSError", "raise SystemExit(1)", "print('FAILED x'); raise SystemExit(3)"]
    )
    def test_a_check_that_did_not_get_so_far_says_nothing(self, does: str, tmp_path: Path) -> None:
        """Whatever ends without a word of what failed has not caught anything."""
        with pytest.raises(program.Unusable):
            program._fails(["-c", does], tmp_path)

    @staticmethod
    def judge_in(tree: Path, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have one mutant of the little tree judged by one quick check."""
        mutant = Mutant("m", "cars pay", "nvaha.gate:lift", replace("car.paid", by=by))
        check = """
from types import SimpleNamespace
from nvaha.gate import lift
try:
    wrong = lift(SimpleNamespace(paid=False))
except Exception as error:
    wrong = repr(error)
if wrong:
    print("FAILED", wrong)
    raise SystemExit(1)
"""
        monkeypatch.setattr(program, "ROOT", tree)
        monkeypatch.setattr(program, "COPIED", ("nvaha",))
        monkeypatch.setattr(program, "MUTANTS", (mutant,))
        monkeypatch.setattr(program, "_checks", lambda mutants, seeds: [("tests", ["-c", check])])
