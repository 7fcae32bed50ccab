"""A drill: a story in the lab, what one should see of it, and whether it went as it should.

Its steps are what is done to the lab, as lines of `nvaha.lab.acts`; what an operator types; and what to wait
for. Whatever the monitors log meanwhile is shown, with the seconds since the drill began.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from nvaha.lab.scene import Scene
from nvaha.lab.screen import Screen
from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.stage import POLL_S, Lab

_WITHIN_S = 120.0
_SETTLED_S = 15.0


class NotSeen(Exception):
    """Something did not come to pass as it should."""


@dataclass(frozen=True, slots=True)
class Step(ABC):
    """One step of a drill."""

    @abstractmethod
    async def take(self, scene: Scene) -> None:
        """Take it; NotSeen if it does not go as it should."""


@dataclass(frozen=True, slots=True)
class Say(Step):
    """Say what comes now, or what was seen."""

    text: str

    async def take(self, scene: Scene) -> None:
        """Print it."""
        scene.tell(self.text, style="bold")


@dataclass(frozen=True, slots=True)
class Do(Step):
    """Do something to the lab: a line of `nvaha.lab.acts`."""

    line: str

    async def take(self, scene: Scene) -> None:
        """Do it."""
        scene.act(kills=self.line.startswith("kill "))
        at = time.time()
        done = await scene.acts.obey(self.line)
        scene.tell(f"lab> {self.line}   # {done}", at=at, style="cyan")


@dataclass(frozen=True, slots=True)
class Type(Step):
    """Type a command, such as `nvaha status`, and look at what it prints.

    Args:
        command: with its first word.
        shows: what has to be in it.
        code: the exit code that it has to end with.
        at: the monitor that it asks; the first by default.
        within_s: it is typed again for so long until it shows that; only the last output is told.
    """

    command: str
    shows: Sequence[str] = ()
    code: int = 0
    at: str = ""
    within_s: float = 0.0

    async def take(self, scene: Scene) -> None:
        """Type it, perhaps again and again."""
        scene.act()
        until = time.monotonic() + self.within_s * scene.patience
        while True:
            at = time.time()
            code, said = await scene.command(self.command, self.at)
            # Sentences are folded to the width.
            flat = " ".join(said.split())
            missing = [each for each in self.shows if " ".join(each.split()) not in flat]
            if (not missing and code == self.code) or time.monotonic() > until:
                break
            await scene.look_on(1.0)
        scene.tell(f"$ {self.command}" + (f"   # at {self.at}" if self.at else ""), at=at, style="bold cyan")
        scene.show(said)
        scene.news()
        if code != self.code:
            raise NotSeen(f"it ends with {code}, not {self.code}")
        if missing:
            raise NotSeen(f"it does not show: {'; '.join(missing)}")


@dataclass(frozen=True, slots=True)
class Ask(Step):
    """Ask a monitor's API, where no command does; None as status for no answer at all."""

    path: str
    status: int | None
    at: str
    within_s: float = 0.0

    async def take(self, scene: Scene) -> None:
        """Ask until it answers so."""
        scene.act()
        until = time.monotonic() + self.within_s * scene.patience
        number = [host.name for host in scene.lab.hosts].index(self.at)
        while True:
            status: int | None = None
            said = "no answer"
            try:
                status, content = await scene.lab.call("GET", self.path, host=number)
                said = f"{status} {content}"
            except (aiohttp.ClientError, TimeoutError):
                pass
            if status == self.status or time.monotonic() > until:
                break
            await scene.look_on(1.0)
        scene.tell(f"GET {self.path} at {self.at}: {said}", at=time.time(), style="bold cyan")
        if status != self.status:
            raise NotSeen(f"it is answered with {status}, not {self.status}")


@dataclass(frozen=True, slots=True)
class See(Step):
    """Wait until each of some events was logged since what was seen last.

    Args:
        events: their names.
        at: by which monitor; by any if empty.
        within_s: how long to wait on profile `typical`.
        early: they may have been logged before what was seen last, at any time since the drill began.
    """

    events: tuple[str, ...]
    at: str = ""
    within_s: float = _WITHIN_S
    early: bool = False

    async def take(self, scene: Scene) -> None:
        """Wait for them."""
        until = time.monotonic() + self.within_s * scene.patience
        while missing := scene.missing(self.events, self.at, early=self.early):
            if time.monotonic() > until:
                raise NotSeen(f"not within {self.within_s * scene.patience:g} s: {', '.join(missing)}")
            await scene.look_on(POLL_S)


@dataclass(frozen=True, slots=True)
class Untouched(Step):
    """Look on for a while, in which, and since what was done last, nothing may be written to Azure."""

    for_s: float = 5.0

    async def take(self, scene: Scene) -> None:
        """Look on, then count writes."""
        await scene.look_on(self.for_s)
        written = [
            each.resource_id for each in scene.lab.simulator.log[scene.asked :] if each.method == "PUT"
        ]
        if written:
            raise NotSeen(f"something was written: {', '.join(written)}")
        scene.pass_("nothing was written to Azure")


@dataclass(frozen=True, slots=True)
class Answered(Step):
    """Wait until the client is answered on every way in, and tell for how long it was not since an NVA died.

    Args:
        figures: tell as well when all else was, since then.
    """

    figures: bool = False

    async def take(self, scene: Scene) -> None:
        """Wait, then tell."""
        until = time.monotonic() + _WITHIN_S * scene.patience
        while (outage := scene.lab.traffic.outage(scene.killed)) is None:
            if time.monotonic() > until:
                raise NotSeen("the client is not answered again")
            await scene.look_on(POLL_S)
        ways = ", ".join(f"{_WAYS[way]} {seconds:.1f} s" for way, seconds in outage.by_direction.items())
        told = [*(scene.figures() if self.figures else ())]
        told.append(f"the client was not answered for {outage.total_s:.1f} s ({ways})")
        scene.pass_("; ".join(told))


_WAYS = {"route": "by routes", "public_ip": "by the public IP"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What has to hold in the lab's world at the end.

    Args:
        on: the NVA that everything leads to, and that is recorded as active; nothing else may have changed.
        wrote: how many writes of each monitor took effect; of any other none. None where that varies.
        ended: how the group's operations ended, oldest first. None where that varies.
        at: the monitor that is asked; the first by default.
    """

    on: str
    wrote: Mapping[str, int] | None
    ended: Sequence[str] | None
    at: str = ""

    async def problems(self, scene: Scene) -> list[str]:
        """Return what does not hold, one sentence each."""
        lab = scene.lab
        number = scene.number(self.at)
        problems = await lab.problems(lab.nva(self.on), host=number)
        wrote = Counter(each.principal for each in scene.writes() if each.took_effect)
        if self.wrote is not None and dict(wrote) != dict(self.wrote):
            problems.append(f"writes that took effect: {_counted(wrote)}, not {_counted(self.wrote)}")
        ended = [status for name, status in (await scene.history(number)).items() if name not in scene.known]
        if self.ended is not None and ended != list(self.ended):
            problems.append(
                f"operations: {', '.join(ended) or 'none'}, not {', '.join(self.ended) or 'none'}"
            )
        return problems

    def said(self) -> Iterable[str]:
        """Yield what holds, one sentence each."""
        yield f"every route and public IP leads to {self.on}, recorded as active; nothing else changed"
        counts = [] if self.wrote is None else [f"writes that took effect: {_counted(self.wrote)}"]
        counts += [] if self.ended is None else [f"operations: {', '.join(self.ended) or 'none'}"]
        if counts:
            yield "; ".join(counts)


def _counted(wrote: Mapping[Any, int]) -> str:
    return ", ".join(f"{count} by {name}" for name, count in sorted(wrote.items())) or "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One drill.

    Args:
        name: what is typed.
        purpose: what it is for, in one line.
        steps: what is done and seen, in order.
        verdict: what has to hold at the end.
        lab: more options of the lab that it needs (`nvaha.lab.stage.stage.LabOptions`).
    """

    name: str
    purpose: str
    steps: Sequence[Step]
    verdict: Verdict
    lab: Mapping[str, Any] = field(default_factory=dict)


async def perform(drill: Drill, lab: Lab, *screens: Screen) -> bool:
    """Go through a drill in a lab that is at rest; returns whether all was as it should be."""
    await lab.ready()
    scene = Scene(lab, *screens)
    try:
        scene.known = frozenset(await scene.history(0))
        for step in drill.steps:
            await step.take(scene)
        until = time.monotonic() + _SETTLED_S * scene.patience
        while (problems := await drill.verdict.problems(scene)) and time.monotonic() < until:
            await scene.look_on(1.0)
    except (NotSeen, LabError, aiohttp.ClientError, TimeoutError) as error:
        scene.news()
        problems = [str(error) or type(error).__name__]
    scene.news()
    for problem in problems:
        scene.fail(problem)
    if not problems:
        scene.show("")
        for sentence in drill.verdict.said():
            scene.pass_(sentence)
    return not problems
