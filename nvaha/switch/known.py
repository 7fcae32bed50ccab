"""What a worker knows of groups without asking storage for each message: anybody may write to a queue.

Thousands of messages that nobody of us has written must not hold up the one that is meant: they share reads,
and log lines.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, replace

from nvaha.model import GroupState, Notice
from nvaha.model.messages import SwitchMessage
from nvaha.ports import Ports, StoreUnavailable

KNOWN_S = 5.0
"""So long it is remembered that a switch is over. Generations only grow, unless somebody deletes the row."""
SAID_EVERY_S = 60.0

_Read = tuple[float, GroupState | StoreUnavailable | None]
"""When a read was begun, on the monotonic clock, and what came of it."""
_NEVER: _Read = (float("-inf"), None)


class KnownStates:
    """Groups' states as this process last read them; messages that wait for one share a read.

    Args:
        ports: the outside.
    """

    def __init__(self, ports: Ports) -> None:
        self._store, self._clock = ports.store, ports.clock
        self._read: dict[str, _Read] = {}
        self._reading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def is_over(self, message: SwitchMessage) -> bool:
        """Tell whether the last read has shown that a message's switch is not, and will not be, under way."""
        read_at, state = self._read.get(message.group, _NEVER)
        if not isinstance(state, GroupState) or self._clock.monotonic() - read_at > KNOWN_S:
            return False
        newest = message.generation > state.generation
        return not newest and not state.under_way(message.operation, message.generation)

    async def read(self, group: str) -> GroupState | None:
        """Return a group's state by a read that was begun no earlier than now, perhaps for somebody else.

        A message is written after the state that it is about, so such a read knows of it.

        Raises:
            StoreUnavailable: storage did not answer.
        """
        asked_at = self._clock.monotonic()
        async with self._reading[group]:
            if self._read.get(group, _NEVER)[0] <= asked_at:
                began_at = self._clock.monotonic()
                self._read[group] = began_at, await self._state(group)
            found = self._read[group][1]
        if isinstance(found, StoreUnavailable):
            raise found
        return found

    async def _state(self, group: str) -> GroupState | StoreUnavailable | None:
        try:
            held = await self._store.load(group)
        except StoreUnavailable as error:
            return error
        return held.state if held else None


@dataclass(slots=True)
class _Said:
    """What was said of one kind of message, and how many came since."""

    said_at: float
    last: Notice
    more: int = 0


class Sayings:
    """Says the first message of a kind at once, and how many followed once a minute.

    Args:
        ports: the outside.
    """

    def __init__(self, ports: Ports) -> None:
        self._notifier, self._clock = ports.notifier, ports.clock
        self._said: dict[tuple[str, str], _Said] = {}

    def say(self, kind: tuple[str, str], notice: Notice) -> None:
        """Say something of a message, or count it.

        Args:
            kind: what has the same kind is counted together; there must be few.
            notice: what is said.
        """
        self.say_counted()
        said = self._said.get(kind)
        if said is not None:
            said.more, said.last = said.more + 1, notice
            return
        self._said[kind] = _Said(self._clock.monotonic(), notice)
        self._notifier.notify(notice)

    def say_counted(self) -> None:
        """Say how many messages followed those that were said a minute ago or more."""
        now = self._clock.monotonic()
        for kind, said in list(self._said.items()):
            seconds = now - said.said_at
            if seconds < SAID_EVERY_S:
                continue
            del self._said[kind]
            if said.more:
                text = f"{said.more} more messages like this in {seconds:.0f} s; the last: {said.last.text}"
                fields = {**said.last.fields, "messages": said.more}
                self._notifier.notify(replace(said.last, text=text, fields=fields))
