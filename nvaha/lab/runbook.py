"""What a drill shows of the runbook: the word that one sees, in `nvaha status` or in the log, and its end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from nvaha.core.advice import TODO
from nvaha.lab.drill import Drill, NotSeen, Step
from nvaha.lab.scene import Scene
from nvaha.model.events import CONDITIONS, TROUBLE
from nvaha.text import shortened

STATUS, LOG = "nvaha status", "the log"
_ASK_S = 0.5
_LONGEST = 150


def places(section: str) -> frozenset[str]:
    """Return where one sees what a section of the runbook is on."""
    return frozenset({STATUS} if section in TODO else ()) | frozenset({LOG} if section in TROUBLE else ())


@dataclass(frozen=True, slots=True)
class Shows(Step):
    """Wait until one sees what a section of the runbook is on, wherever that is to be seen.

    Args:
        section: its name.
        only: where it is looked for, if not at each of its places.
        at: the monitor that is asked, and whose log is read; the first, and everybody's, by default.
        within_s: how long to wait on profile `typical`.
    """

    section: str
    only: str = ""
    at: str = ""
    within_s: float = 60.0

    @property
    def places(self) -> frozenset[str]:
        """Where it is looked for."""
        return frozenset({self.only}) if self.only else places(self.section)

    async def take(self, scene: Scene) -> None:
        """Wait for it, and tell how `nvaha status` has it."""
        until = time.monotonic() + self.within_s * scene.patience
        while True:
            scene.news()
            logged = scene.logged({self.section}, self.at, scene.shown.get(self.section, 0))
            advice = await _advice(scene, self.at) if STATUS in self.places else None
            text = None if advice is None else advice.get(self.section)
            missing = [LOG] if LOG in self.places and logged is None else []
            missing += [STATUS] if STATUS in self.places and text is None else []
            if not missing:
                break
            if time.monotonic() > until:
                raise NotSeen(f"{self.section}: not within {self.within_s:g} s in {' and '.join(missing)}")
            await scene.look_on(_ASK_S)
        scene.shown[self.section] = logged or scene.told
        where = " and ".join(sorted(self.places))
        scene.pass_(f"{self.section}: in {where}" + (f": {shortened(text, _LONGEST)}" if text else ""))


@dataclass(frozen=True, slots=True)
class Over(Step):
    """Wait until something that was shown is over: gone from `nvaha status`, and its end is in the log.

    Args:
        section: what it was.
        by: the events of which one says so; by default those that end its condition.
        quiet_s: it must not have been logged since something was done last, nor be for so long.
        at: the monitor that is asked, and whose log is read.
        within_s: how long to wait on profile `typical`.
    """

    section: str
    by: tuple[str, ...] = ()
    quiet_s: float = 0.0
    at: str = ""
    within_s: float = 60.0

    @property
    def ends(self) -> tuple[str, ...]:
        """The events of which one has to be in the log; none if nothing is told of the end."""
        return self.by or _ends(self.section)

    async def take(self, scene: Scene) -> None:
        """Wait for it, and tell how long that took since something was done last."""
        until = time.monotonic() + self.within_s * scene.patience
        while missing := await self._missing(scene):
            if time.monotonic() > until:
                raise NotSeen(f"{self.section} is not over within {self.within_s:g} s: {missing}")
            await scene.look_on(_ASK_S)
        seconds = time.monotonic() - scene.acted
        if self.quiet_s:
            count = max(scene.shown[self.section], scene.acted_told)
            await scene.look_on(self.quiet_s)
            if scene.logged({self.section}, self.at, count) is not None:
                raise NotSeen(f"{self.section} is told again")
        scene.pass_(f"{self.section} is over after {seconds:.0f} s")

    async def _missing(self, scene: Scene) -> str:
        scene.news()
        if self.ends and scene.logged(self.ends, self.at, scene.shown[self.section]) is None:
            return f"the log has no {' or '.join(self.ends)}"
        if STATUS not in places(self.section):
            return ""
        advice = await _advice(scene, self.at)
        if advice is None:
            return "nvaha status is not answered"
        text = advice.get(self.section)
        return f"nvaha status has: {text}" if text else ""


@dataclass(frozen=True, slots=True)
class Pinged(Over):
    """Wait until a ping was taken since something was done last."""

    @property
    def ends(self) -> tuple[str, ...]:
        """No event, but the ping."""
        return ("a ping",)

    async def _missing(self, scene: Scene) -> str:
        outside = scene.lab.outside
        pinged = outside is not None and (outside.pinged_at or 0.0) > scene.acted
        return "" if pinged else "no ping was taken"


def _ends(section: str) -> tuple[str, ...]:
    condition, begins = CONDITIONS.get(section, ("", False))
    found = [name for name, (what, begun) in CONDITIONS.items() if what == condition and not begun]
    return tuple(found) if begins else ()


async def _advice(scene: Scene, at: str) -> Mapping[str, str] | None:
    """Return {code: text} of what `nvaha status` shows; None while nobody answers."""
    try:
        status, content = await scene.lab.call("GET", "/groups", host=scene.number(at))
    except (aiohttp.ClientError, TimeoutError):
        return None
    if status != 200:
        return None
    canary = [content["canary"]] if content.get("canary") else []
    found = [each for of in (content, *content["groups"], *canary) for each in of["advice"]]
    return {each["code"]: each["text"] for each in found}


def sections(drill: Drill) -> tuple[str, ...]:
    """Return the runbook's sections that a drill shows, in order."""
    return tuple(dict.fromkeys(step.section for step in drill.steps if isinstance(step, Shows)))
