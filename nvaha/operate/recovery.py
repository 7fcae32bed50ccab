"""States taken out of one storage account, and into another when that one is lost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from nvaha.core.recovery import adopted, adopts, is_adopted
from nvaha.core.refusal import Refusal, RefusalCode
from nvaha.model import Configuration, GroupState, Notice
from nvaha.operate.control import Refused
from nvaha.ports import Conflict, Ports, StateUnreadable, StoreUnavailable, Versioned
from nvaha.text import shown

if TYPE_CHECKING:
    from nvaha.operate.answers import AdoptedAnswer, ExportAnswer

EXPORT_SCHEMA = 1
TRIES = 5


class Documents(Protocol):
    """Turns a group's state into JSON as it is stored, and back."""

    def write(self, state: GroupState) -> dict[str, Any]:
        """Return a state as it is stored."""
        ...

    def read(self, document: Mapping[str, Any], now: datetime) -> GroupState:
        """Return the state in a document; StoreUnavailable if it cannot be read, or no row can hold it."""
        ...


class Recovery:
    """Exports and adopts.

    Args:
        configuration: the groups that may be adopted.
        ports: the outside.
        documents: the form in which states are exported.
    """

    def __init__(self, configuration: Configuration, ports: Ports, documents: Documents) -> None:
        self._names = {group.name for group in configuration.groups}
        self._ports = ports
        self._documents = documents

    async def export(self) -> ExportAnswer:
        """Return every stored state, configured here or not, and why the missing ones cannot be read."""
        stored, now = await self._ports.store.load_all(), self._ports.clock.now()
        states = [held.state for held in stored.values() if isinstance(held, Versioned)]
        return {
            "schema": EXPORT_SCHEMA,
            "exported_at": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "epoch": max((await self._leaders_epoch(), *(state.epoch for state in states))),
            "groups": {state.group: self._documents.write(state) for state in states},
            "unreadable": {
                name: str(held) for name, held in stored.items() if isinstance(held, StateUnreadable)
            },
        }

    async def adopt(self, name: str, epoch: int, document: Mapping[str, Any], by: str = "") -> AdoptedAnswer:
        """Begin a group here with what was exported of it; doing so twice changes nothing.

        Args:
            name: the group.
            epoch: of the export.
            document: the group's state in it.
            by: who asks.

        Raises:
            Refused: there is no such group, the document is none of it, or a newer state is here.
            StoreUnavailable: storage did not answer; ask the same again.
        """
        if name not in self._names:
            text = f"there is no group '{shown(name, 80)}' configured here; nothing was taken over"
            raise Refused(Refusal(RefusalCode.UNKNOWN_GROUP, text))
        try:
            new = adopted(self._documents.read(document, self._ports.clock.now()), epoch)
        except (StoreUnavailable, ValueError) as error:
            raise Refused(Refusal(RefusalCode.NO_EXPORT, f"{name}: {error}")) from None
        if new.group != name:
            text = f"{name}: the document is of group '{shown(new.group, 80)}'"
            raise Refused(Refusal(RefusalCode.NO_EXPORT, text))
        for _ in range(TRIES):
            held = await self._ports.store.load(name)
            there = held.state if held else None
            if is_adopted(there, new):
                return _view(new)
            if (refusal := adopts(there, new)) is not None:
                raise Refused(refusal)
            if not isinstance(await self._ports.store.save(new, held.version if held else None), Conflict):
                self._tell(new, by)
                return _view(new)
        raise StoreUnavailable(f"{name}: lost {TRIES} races for its state in a row")

    async def _leaders_epoch(self) -> int:
        try:
            leader = await self._ports.store.load_leader()
        except StateUnreadable:
            return 0
        return leader.epoch if leader else 0

    def _tell(self, new: GroupState, by: str) -> None:
        text = (
            f"{new.group}: taken over with {new.active} as the last active NVA, generation {new.generation}"
        )
        text += ("; paused" if new.paused else "") + (f"; by {by}" if by else "")
        fields = {"group": new.group, "nva": new.active or "", "generation": new.generation}
        self._ports.notifier.notify(Notice("state_adopted", "warning", text, fields))


def _view(new: GroupState) -> AdoptedAnswer:
    return {
        "group": new.group,
        "active": new.active,
        "generation": new.generation,
        "epoch": new.epoch,
        "paused": new.paused,
    }
