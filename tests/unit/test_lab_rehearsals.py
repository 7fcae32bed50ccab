"""Drills of the runbook's sections: every section has one, and what each sees is what the runbook says."""

from __future__ import annotations

import asyncio
import io
import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nvaha.core.advice import TODO
from nvaha.lab.drill import Drill, Step, Verdict, perform
from nvaha.lab.drills import DRILLS
from nvaha.lab.record import Outcome
from nvaha.lab.rehearsals import REHEARSALS, chosen, drills_of
from nvaha.lab.runbook import LOG, STATUS, Over, Shows, places, sections
from nvaha.lab.screen import Record, Screen
from nvaha.lab.several import run
from nvaha.lab.stage.azurite import LabError
from nvaha.model.events import TROUBLE

from .test_lab_drills import FakeLab, Log

DOCS = Path(__file__).parents[2] / "docs"
RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")
PAGES = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("drills", "rehearsals")}
SECTIONS = sorted(set(TODO) | TROUBLE)
EVERY = DRILLS | REHEARSALS
NONE = Verdict(on="b", wrote=None, ended=None)


def said(section: str) -> str:
    """Return the runbook's text of a section."""
    return RUNBOOK.split(f"\n### `{section}`\n", 1)[1].split("\n##", 1)[0]


def drill_line(section: str) -> str:
    """Return the line that the runbook's section has to end with."""
    name = drills_of(section)[0]
    page = "drills" if name in DRILLS else "rehearsals"
    return f"- **Drill:** `nvaha lab drill {name}` ([seen so]({page}.md#{name}))."


class TestEverySection:
    """The runbook against the drills."""

    @pytest.mark.parametrize("section", SECTIONS)
    def test_a_section_is_seen_wherever_it_is_to_be_seen(self, section: str) -> None:
        """In `nvaha status`, in the log, or in both."""
        steps = [step for drill in EVERY.values() for step in drill.steps]
        seen = {
            place
            for step in steps
            if isinstance(step, Shows) and step.section == section
            for place in step.places
        }
        assert seen == places(section)

    @pytest.mark.parametrize("section", SECTIONS)
    def test_what_is_seen_is_seen_to_be_over(self, section: str) -> None:
        """Each drill that shows a section goes on until it is over, unless the runbook calls it news."""
        news = "it is news" in said(section)
        for name in drills_of(section):
            steps = EVERY[name].steps
            of_it = [each for each in steps if isinstance(each, Shows | Over) and each.section == section]
            assert isinstance(of_it[0], Shows), name
            over = [each for each in of_it if isinstance(each, Over)]
            # One that waits for nothing would be over at once.
            assert all(each.ends or each.quiet_s or STATUS in places(section) for each in over), name
            assert over or news, name

    @pytest.mark.parametrize("section", SECTIONS)
    def test_the_runbook_says_how_to_drill_it(self, section: str) -> None:
        """Its last line names the drill."""
        assert said(section).rstrip().splitlines()[-1] == drill_line(section)

    def test_the_page_says_what_each_drill_shows(self) -> None:
        """Below its heading, with links into the runbook."""
        for name, drill in EVERY.items():
            links = ", ".join(f"[`{each}`](runbook.md#{each})" for each in sections(drill))
            page = PAGES["drills" if name in DRILLS else "rehearsals"]
            text = page.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
            found = re.search(r"^\*\*Of the runbook:\*\* (.*?)\.\n\n", text, re.M | re.S)
            assert (" ".join(found[1].split()) if found else "") == links, name


class TestNames:
    """What `nvaha lab drill` takes."""

    def test_no_name_stands_for_two_things(self) -> None:
        """Neither two drills, nor a drill and a section, nor a word of its own."""
        names = [*DRILLS, *REHEARSALS, *SECTIONS, "all", "runbook"]
        assert sorted(set(names)) == sorted(names)

    def test_a_name_stands_for_its_drills(self) -> None:
        """One by its name or by a section that it shows; the runbook's; all."""
        assert [each.name for each in chosen("failover")] == ["failover"]
        assert [each.name for each in chosen("blind_all_down")] == ["sight"]
        assert [each.name for each in chosen("runbook")] == list(REHEARSALS)
        assert [each.name for each in chosen("all")] == [*DRILLS, *REHEARSALS]

    def test_a_name_that_is_none_is_answered_with_those_that_are(self) -> None:
        """All of them."""
        with pytest.raises(LabError, match=r"failover.*nvas.*runbook, all"):
            chosen("no-such")


class TestSeveral:
    """Drills, some at a time."""

    @pytest.mark.parametrize("at_once", [1, 3])
    def test_each_is_told_by_itself_and_so_many_labs_run(
        self, at_once: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However they overlap, no line of one is between those of another; which failed is said."""
        running, most = 0, 0

        async def outcome(drill: Drill, lab: Any, screen: Screen) -> Outcome | None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            for _ in range(3):
                screen.tell(f"of {drill.name}")
                await asyncio.sleep(0)
            running -= 1
            return None if drill.name == "b" else Outcome("", "")

        monkeypatch.setattr("nvaha.lab.several._outcome", outcome)
        monkeypatch.setattr("nvaha.lab.several.Lab", lambda **_: None)
        out = io.StringIO()
        drills = [Drill(name=name, purpose="", steps=(), verdict=NONE) for name in "abcde"]
        code = asyncio.run(run(drills, Console(file=out), profile="fast", at_once=at_once))
        lines = [line for line in out.getvalue().splitlines() if line.startswith("of ")]
        assert [len(list(told)) for _, told in groupby(lines)] == [3] * 5
        assert (code, most) == (1, at_once)
        assert "4 of 5 drills went as they should; not: b" in out.getvalue()


class Advised(FakeLab):
    """A lab whose status can be set: {code: text}."""

    def __init__(self, **advice: str) -> None:
        super().__init__()
        self.advice = advice

    async def call(self, *request: Any, **more: Any) -> tuple[int, Any]:
        """Answer with what is advised, or with the history."""
        if request[1] != "/groups":
            return await super().call(*request, **more)
        found = [{"code": code, "text": text} for code, text in self.advice.items()]
        return 200, {"advice": found[:1], "groups": [{"advice": found[1:]}]}


@dataclass(frozen=True, slots=True)
class Advise(Step):
    """A step after which the status shows something, or nothing."""

    advice: dict[str, str]

    async def take(self, scene: Any) -> None:
        """Set it."""
        scene.act()
        scene.lab.advice = self.advice


def performed(lab: FakeLab, *steps: Step) -> tuple[bool, str]:
    """Go through steps; return whether all was as it should be, and what was told."""
    told = Record(200)
    drill = Drill(name="d", purpose="", steps=steps, verdict=NONE)
    fake: Any = lab
    return asyncio.run(perform(drill, fake, told)), told.text


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing for long."""
    monkeypatch.setattr("nvaha.lab.drill._SETTLED_S", 0.0)
    monkeypatch.setattr("nvaha.lab.runbook._ASK_S", 0.01)


def shows(section: str, only: str = "") -> Shows:
    """Return a step that waits for nothing."""
    return Shows(section, only, within_s=0.0)


def over(section: str, **more: Any) -> Over:
    """Return a step that waits for nothing."""
    return Over(section, within_s=0.0, **more)


class TestSeen:
    """What counts as seen, and as over."""

    def test_both_places_are_looked_at(self) -> None:
        """What is in the log and not in the status is not seen, nor the other way round."""
        assert performed(Advised(nva_down="x is down"), Log("nva_down"), shows("nva_down"))[0]
        assert not performed(Advised(), Log("nva_down"), shows("nva_down"))[0]
        assert not performed(Advised(nva_down="x is down"), shows("nva_down"))[0]
        assert performed(Advised(nva_down="x is down"), shows("nva_down", STATUS))[0]
        assert performed(Advised(), Log("nva_down"), shows("nva_down", LOG))[0]

    def test_what_was_logged_once_is_seen_once(self) -> None:
        """A second time it takes another event."""
        steps = (Log("round_late"), shows("round_late"), shows("round_late"))
        assert not performed(Advised(), *steps)[0]
        assert performed(Advised(), *steps[:2], Log("round_late"), steps[2])[0]

    def test_over_is_gone_and_told_to_be(self) -> None:
        """The line is gone, and the event that ends the condition is logged after it was seen."""
        begin = (Log("nva_up"), Log("nva_down"), shows("nva_down"))
        there, gone = Advise({"nva_down": "x is down"}), Advise({})
        assert performed(Advised(), there, *begin, gone, Log("nva_up"), over("nva_down"))[0]
        assert not performed(Advised(), there, *begin, Log("nva_up"), over("nva_down"))[0]
        assert not performed(Advised(), there, *begin, gone, over("nva_down"))[0]

    def test_a_monitor_that_does_not_answer_shows_nothing_to_be_over(self) -> None:
        """Silence is no good news."""

        class Silent(Advised):
            async def call(self, *request: Any, **more: Any) -> tuple[int, Any]:
                if request[1] == "/groups" and not self.advice:
                    raise TimeoutError
                return await super().call(*request, **more)

        steps = (shows("waits"), Advise({}), over("waits"))
        assert not performed(Silent(waits="something"), *steps)[0]
        assert performed(Advised(waits="something"), *steps)[0]

    def test_what_is_to_be_told_no_more_must_not_be_told(self) -> None:
        """While it is quiet it is over; told again it is not."""
        begin = (Log("round_late"), shows("round_late"))
        assert performed(Advised(), *begin, over("round_late", quiet_s=0.05))[0]

        class Again(Over):
            async def _missing(self, scene: Any) -> str:
                asyncio.get_running_loop().call_later(0.02, scene.lab.log, "round_late")
                return await super()._missing(scene)

        assert not performed(Advised(), *begin, Again("round_late", quiet_s=0.2))[0]
