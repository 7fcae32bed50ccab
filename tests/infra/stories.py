"""What the app logs while things happen to it: real code in the simulated world, and its log lines."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

from nvaha.core.inputs import FailoverCommanded, PauseCommanded
from nvaha.model import Notice, Phase
from nvaha.notify import EventLine, LogNotifier
from nvaha.ports import NetworkFault
from tests.simulation import actors
from tests.simulation.oracle_tags import mark_name
from tests.simulation.process import START_S, Process
from tests.simulation.scenes import command, only, play, point_at, until
from tests.simulation.storage import ROW
from tests.simulation.world import World

_NO_WORLD = SimpleNamespace(loop=SimpleNamespace(now_s=-5.0))
LEVELS = {logging.INFO: "Information", logging.WARNING: "Warning", logging.ERROR: "Error"}
FUNCTIONS = {"monitor": "probe", "worker": "switch", "web": "failover"}
"""In which function each process of the simulated world runs."""
NASTY = (
    "An unhandled exception has occurred. Host is shutting down. "
    'somebody wrote {"event": "switch_failed"} and nva_down, all_down, message_poisoned {"event": "all_down"}'
)
"""What an operator gives as a reason is text, whatever stands in it."""
_ENDS = ("\n", "\r\n", "\u2028", "\x85", "\x0b", "\x00")
FORGED = '{"event": "all_down", "group": "forged", "operation": "forged", "nva": "forged", "active": true}'
EXTRACTED = r'.*(\{"event":.*\})\s*$'
"""How every query finds the JSON of an event; the syntax of RE2, which is Python's here."""
ATTACKS = (
    *(f"a word{end}g: every NVA is down {FORGED}{end}" for end in _ENDS),
    f"\x1b[2K\x1b[1Aall is well \u202e{FORGED}\u202c",
    f"{FORGED} " * 2,
    FORGED.replace('"', '\\"'),
    f'", {FORGED[1:]}',
    "x" * 40_000 + FORGED,
    FORGED + "x" * 40_000,
    "\U0001f4a3" * 9_000 + FORGED,
    "An unhandled exception has occurred. Host is shutting down.",
)
"""What an operator, a caller's User-Agent, an NVA, Azure or a library may say, to be taken for us."""


LASTS_S = 60.0
"""What lasts so long is told as such: half a minute, and the leader's ten seconds."""
LOOKS_WITHIN_S = 200.0
"""A group at rest is looked at so often, and once more."""
HOST_CATEGORY = "Microsoft.Azure.WebJobs.Script.WebHost.WebScriptHostExceptionHandler"
HOST_ENDS = "An unhandled exception has occurred. Host is shutting down."
"""Logged beside an exception, so that it becomes a trace, and the exception a row of another table
(`WebScriptHostExceptionHandler.cs` in Azure/azure-functions-host, `ApplicationInsightsLogger.cs` in
Azure/azure-webjobs-sdk)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One log line; `at_s` is in seconds after the end of its story, so below zero.

    `event` is what nvaha itself told with it, if it did: what stands in its text may be anybody's words.
    """

    at_s: float
    category: str
    level: str
    text: str
    app: str = "app"
    event: str | None = None


class _Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []
        self.process: Process | None = None

    def emit(self, record: logging.LogRecord) -> None:
        assert self.process is not None
        function = FUNCTIONS[self.process.kind]
        self.lines.append(
            Line(
                self.process.world.loop.now_s,
                f"Function.{function}.User",
                LEVELS[record.levelno],
                self.format(record),
                app=f"app{self.process.name.partition('.')[0][-1:]}",
                event=record.msg.notice.event if isinstance(record.msg, EventLine) else None,
            )
        )


def recorded(
    scene: Callable[[World], Coroutine[Any, Any, None]], *, offset_s: float = 0.0, **knobs: Any
) -> tuple[Line, ...]:
    """Play a scene with the notifier that the deployed app has; its end is at `offset_s`."""
    recorder, logger = _Recorder(), logging.getLogger("nvaha")
    notifier = LogNotifier()

    class Port(actors.NotifierPort):
        def notify(self, notice: Notice) -> None:
            if not self._process.dead:
                recorder.process = self._process
                notifier.notify(notice)

    level, spreads = logger.level, logger.propagate
    logger.addHandler(recorder)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        with mock.patch.object(actors, "NotifierPort", Port):
            world = play(scene, **knobs)
    finally:
        logger.removeHandler(recorder)
        logger.setLevel(level)
        logger.propagate = spreads
    assert world.oracle.violations == []
    return tuple(replace(line, at_s=line.at_s - world.loop.now_s + offset_s) for line in recorder.lines)


async def _quiet(world: World) -> None:
    await world.pass_time(400.0)


async def _standby_dies(world: World) -> None:
    await world.pass_time(30.0)
    world.chaos.set_alive("g0n1", alive=False)
    await world.pass_time(20.0)


async def _active_dies(world: World) -> None:
    await world.pass_time(30.0)
    world.chaos.set_alive("g0n0", alive=False)
    await world.pass_time(LASTS_S)


async def _all_die(world: World) -> None:
    await world.pass_time(30.0)
    world.chaos.set_alive("g0n0", alive=False)
    world.chaos.set_alive("g0n1", alive=False)
    await world.pass_time(20.0)


async def _all_die_and_return(world: World) -> None:
    await _all_die(world)
    world.chaos.set_alive("g0n0", alive=True)
    world.chaos.set_alive("g0n1", alive=True)
    await world.pass_time(20.0)


async def _azure_is_gone(world: World) -> None:
    await world.pass_time(30.0)
    for entry in world.arm.entries.values():
        world.faults.unreadable[entry.id.casefold()] = NetworkFault.UNAVAILABLE
    world.chaos.set_alive("g0n0", alive=False)
    # Its message is set aside before its deadline, and it is not asked for again yet.
    await until(world, lambda state: state.phase is Phase.SWITCHING)
    await until(world, lambda state: state.phase is Phase.UNKNOWN, 600.0)
    # Until the leader has said how the group stands now.
    await world.pass_time(11.0)


async def _lease_is_held(world: World) -> None:
    await world.pass_time(30.0)
    assert world.storage.acquire("switch-g0", "stranger", "stranger", 0, stamp=False) is not None
    world.storage.tables.leases["switch-g0"].until_s = float("inf")
    await command(world, FailoverCommanded("g0n1", "ops", NASTY))
    await world.pass_time(LASTS_S)


async def _write_is_refused(world: World) -> None:
    await world.pass_time(30.0)
    for entry in world.arm.entries.values():
        world.faults.unwritable[entry.id.casefold()] = NetworkFault.REFUSED
    world.chaos.set_alive("g0n0", alive=False)
    await world.pass_time(LASTS_S)


async def _looks_are_refused(world: World) -> None:
    await world.pass_time(30.0)
    for entry in world.arm.entries.values():
        world.faults.unreadable[entry.id.casefold()] = NetworkFault.THROTTLED
    await world.pass_time(2 * LOOKS_WITHIN_S)


async def _looks_are_refused_for_a_while(world: World) -> None:
    await _looks_are_refused(world)
    world.faults.unreadable.clear()
    await world.pass_time(LOOKS_WITHIN_S)


async def _never_read(world: World) -> None:
    for entry in world.arm.entries.values():
        world.faults.unreadable[entry.id.casefold()] = NetworkFault.UNAVAILABLE
    await world.pass_time(LASTS_S)


async def _scheduled_in_vain(world: World) -> None:
    await world.pass_time(30.0)
    control = actors.Operator(only(world, "web"))._control

    async def order() -> None:
        at = datetime.fromtimestamp(START_S + world.loop.now_s + 20.0, UTC)
        await control.failover("g0", FailoverCommanded("g0n1", "ops", NASTY, at=at))
        await control.pause("g0", PauseCommanded(paused=True, by="ops", reason=NASTY))

    world.spawn(order())
    await world.pass_time(40.0)


async def _leader_goes_deaf(world: World) -> None:
    await world.pass_time(35.0)
    only(world, "monitor").isolated = True
    await world.pass_time(25.0)


async def _leader_stops(world: World) -> None:
    await world.pass_time(240.0)
    only(world, "monitor").stall()
    await world.pass_time(5.0)


async def _operator_at_work(world: World) -> None:
    await world.pass_time(30.0)
    control = actors.Operator(only(world, "web"))._control

    async def command() -> None:
        await control.pause("g0", PauseCommanded(paused=True, by="ops", reason=NASTY))
        await control.failover("g0", FailoverCommanded("g0n1", "ops", NASTY))
        await asyncio.sleep(30.0)
        await control.pause("g0", PauseCommanded(paused=False, by="ops", reason=NASTY))

    world.spawn(command())
    await world.pass_time(40.0)


async def _standby_unready(world: World) -> None:
    await world.pass_time(30.0)
    _forward(world, "g0n1", on=False)
    await world.pass_time(LOOKS_WITHIN_S)


async def _standby_unready_for_a_while(world: World) -> None:
    await _standby_unready(world)
    _forward(world, "g0n1", on=True)
    await world.pass_time(LOOKS_WITHIN_S)


async def _one_is_ready_again(world: World) -> None:
    await world.pass_time(30.0)
    _forward(world, "g0n0", on=False)
    _forward(world, "g0n1", on=False)
    await world.pass_time(LOOKS_WITHIN_S)
    _forward(world, "g0n0", on=True)
    await world.pass_time(LOOKS_WITHIN_S)


async def _standby_stammers(world: World) -> None:
    await world.pass_time(30.0)
    world.answers_each["g0n1"] = 2
    await world.pass_time(LASTS_S)


async def _row_unreadable(world: World) -> None:
    await world.pass_time(30.0)
    world.faults.raising["g0"] = ROW
    await world.pass_time(LASTS_S)


async def _rounds_raise(world: World) -> None:
    await world.pass_time(30.0)
    world.faults.raising["g0"] = "probe"
    await world.pass_time(LASTS_S)


async def _routes_are_bent(world: World) -> None:
    await world.pass_time(30.0)
    [group] = world.configuration.groups
    point_at(world, group.route_tables[0], "g0n1")
    await world.pass_time(LOOKS_WITHIN_S)


async def _another_mark(world: World) -> None:
    await world.pass_time(30.0)
    [group] = world.configuration.groups
    table = world.arm.entry(group.route_tables[0])
    assert world.arm.edit(table, lambda body: body.update(tags={mark_name(group): "stother/g0"}))
    await world.pass_time(LOOKS_WITHIN_S)


def _canary(*events: str) -> tuple[Line, ...]:
    """What runs of the canary have come to, an hour apart."""
    first_s = -3600.0 * (len(events) - 1)
    return tuple(_told(first_s + 3600.0 * at, event, group="canary") for at, event in enumerate(events))


def _tokens(*events: str, app: str = "app") -> tuple[Line, ...]:
    """What the processes of an app say of their tokens, a minute apart."""
    first_s = -60.0 * (len(events) - 1)
    return tuple(replace(_told(first_s + 60.0 * at, event), app=app) for at, event in enumerate(events))


def _standbys(*counts: int) -> tuple[Line, ...]:
    """Heartbeats of a leader that says how many stand by, and whether one is missed, ten minutes apart."""
    first_s = -600.0 * (len(counts) - 1)
    return tuple(
        _told(
            first_s + 600.0 * at, "heartbeat", epoch=7, standbys=count, alone=not count and any(counts[:at])
        )
        for at, count in enumerate(counts)
    )


def _told(at_s: float, event: str, **fields: Any) -> Line:
    text = str(EventLine(Notice(event, "info", f"{event} is told", {"instance": "one", **fields})))
    return Line(at_s, "Function.probe.User", "Information", text, event=event)


def _forward(world: World, nva: str, *, on: bool) -> None:
    """Let somebody switch an NVA's IP forwarding off or on, in Azure."""
    [group] = world.configuration.groups
    for nic in next(each for each in group.nvas if each.name == nva).interfaces.values():
        assert world.arm.edit(
            world.arm.entry(nic), lambda body: body["properties"].update(enableIPForwarding=on)
        )


def _words_of_others() -> tuple[Line, ...]:
    """Every place in the log where somebody else's words may stand, with each attack in it."""
    recorder, logger = _Recorder(), logging.getLogger("nvaha")
    recorder.process = cast("Process", SimpleNamespace(kind="monitor", name="monitor0.1", world=_NO_WORLD))
    factory, before, spreads = logging.getLogRecordFactory(), logger.level, logger.propagate
    notifier, library = LogNotifier(), logging.getLogger("nvaha.library")
    logger.addHandler(recorder)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        for attack in ATTACKS:
            fields = {"group": "g0", "reason": attack, "nva": "g0n0", attack: attack}
            notifier.notify(Notice("nva_up", "info", f"g0: g0n0 is up ({attack})", fields))
            notifier.notify(Notice("paused", "warning", attack, {"group": "g0", "instance": [attack]}))
            library.warning("%s", attack)
            library.warning(attack, exc_info=ValueError(attack))
    finally:
        logger.removeHandler(recorder)
        logger.setLevel(before)
        logger.propagate = spreads
        logging.setLogRecordFactory(factory)
    return tuple(recorder.lines)


def _host_ends(*at_s: float, app: str = "app") -> tuple[Line, ...]:
    """What the Functions host itself logs when it ends, of which nothing here is running."""
    return tuple(Line(each, HOST_CATEGORY, "Error", HOST_ENDS, app) for each in at_s)


@cache
def stories() -> dict[str, tuple[Line, ...]]:
    """Return what is logged while each of these things happens."""
    return {
        "nothing happens": recorded(_quiet),
        "the standby NVA dies": recorded(_standby_dies),
        "the active NVA dies": recorded(_active_dies),
        "the active NVA dies and nothing is switched by itself": recorded(_active_dies, automatic=False),
        "every NVA dies": recorded(_all_die, control_target=True),
        "every NVA dies and returns": recorded(_all_die_and_return, control_target=True),
        "nobody takes the switch up": recorded(_active_dies, workers=0),
        "Azure fails every attempt": recorded(_azure_is_gone, deadline_s=200.0),
        "a stranger holds the lease of a switch": recorded(_lease_is_held),
        "Azure refuses a write": recorded(_write_is_refused),
        "the monitor sees nothing": recorded(_leader_goes_deaf, control_target=True),
        "the leader stops": recorded(_leader_stops),
        "an operator pauses, moves and resumes": recorded(_operator_at_work),
        "a standby is not ready": recorded(_standby_unready),
        "a standby is not ready for a while": recorded(_standby_unready_for_a_while),
        "neither is ready, and then one is": recorded(_one_is_ready_again),
        "a standby answers now and then": recorded(_standby_stammers),
        "a row cannot be read": recorded(_row_unreadable),
        "every round raises": recorded(_rounds_raise),
        "routes are bent and left so": recorded(_routes_are_bent, drift="report"),
        "another deployment's mark is seen": recorded(_another_mark),
        "Azure refuses to be looked at": recorded(_looks_are_refused),
        "Azure refuses to be looked at for a while": recorded(_looks_are_refused_for_a_while),
        "Azure could never be read": recorded(_never_read),
        "a scheduled failover meets a pause": recorded(_scheduled_in_vain),
        "no token can be had": (*_tokens("token_back", app="another"), *_tokens("no_token")),
        "a token can be had again": _tokens("no_token", "token_back"),
        "the canary fails": _canary("canary_done", "canary_failed"),
        "the canary fails as ever": _canary("canary_failed", "canary_failed"),
        "the canary fails and is mended": _canary("canary_failed", "canary_done"),
        "the standby monitor is gone": _standbys(1, 1, 0),
        "there never was a standby monitor": _standbys(0, 0, 0),
        "the lonely leader has come to follow": (
            *(replace(line, at_s=line.at_s - 60.0) for line in _standbys(1, 0)),
            _told(0.0, "following", leader="two", epoch=8, age_s=4.0),
        ),
        "others say what they like": _words_of_others(),
        "the host ends": _host_ends(-20.0),
        "the host ends and ends again": _host_ends(-80.0, -20.0),
        "the host has ended long before": _host_ends(-900.0, -20.0),
        "the hosts of two monitors end": (*_host_ends(-30.0), *_host_ends(-20.0, app="another")),
    }


Rows = list[dict[str, Any]]
_OF_A_GROUP = "Group = tostring(Fields.group)"


@cache
def _apart() -> tuple[Line, ...]:
    """Every story in one log, in which each group has its story's number before its name."""
    lines = []
    for number, story in enumerate(stories().values()):
        for line in story:
            sentence, begins, fields = line.text.rpartition('{"event":')
            if line.event is not None:
                fields = fields.replace('"group": "', f'"group": "{number}/', 1)
            lines.append(replace(line, text=f"{sentence}{begins}{fields}"))
    return tuple(lines)


def by_story(
    query: str, ask: Callable[[tuple[Line, ...]], list[dict[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    """Return a query's rows by story, as if each were alone in its workspace.

    A query that keeps groups apart is asked once about all of them: that takes a fortieth of the time.

    Args:
        query: its text.
        ask: returns its rows on lines.
    """
    if _OF_A_GROUP not in query:
        return {story: ask(lines) for story, lines in stories().items() if _may_match(query, lines)}
    found: dict[str, Rows] = {}
    for row in ask(_apart()):
        # Of what no group is known, the story is not, either.
        number, _, name = str(row["Group"]).rpartition("/")
        story = list(stories())[int(number)] if number else ""
        found.setdefault(story, []).append({**row, "Group": name})
    return found


def _may_match(query: str, lines: Iterable[Line]) -> bool:
    words = re.findall(r'has "(\w+)"', query)
    return not words or any(word in line.text for word in words for line in lines)
