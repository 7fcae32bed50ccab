"""The oracle's account of operations: each ends once, in a record, and says only what happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nvaha.model import GroupState, Operation, Status, StepStatus
from tests.simulation.azure import WRITER, Writer
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World


class OperationOracle:
    """Watches the history table."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._intents: set[tuple[str, str]] = set()
        self._moves: dict[str, set[int]] = {}
        self._by_request: dict[tuple[str, str], str] = {}
        self.begun: list[str] = []
        self.outcomes: dict[str, Status] = {}

    def recorded(self, process: Process, before: Operation | None, after: Operation) -> None:
        """Check one write of a record."""
        done_before = (
            {step.key for step in before.steps if step.status is StepStatus.DONE} if before else set()
        )
        writer = WRITER.get()
        for step in after.steps:
            if step.status is StepStatus.RUNNING:
                self._intents.add((after.id, step.resource_id.casefold()))
                if writer is not None and step.kind != "attach":
                    self._moves.setdefault(after.id, set()).add(writer.run)
            newly_done = step.status is StepStatus.DONE and step.key not in done_before
            by_its_worker = writer if writer is not None and writer.operation == after.id else None
            if (
                newly_done
                and by_its_worker
                and not self._world.oracle.writes.well_ended(by_its_worker, step.resource_id)
            ):
                text = f"{process.name} calls {step.key} of {after.id} done, but its last write failed"
                self._world.oracle.violated(text)
        outcome = self.outcomes.get(after.id)
        if after.status.ended and after.status is not outcome:
            text = f"{process.name} records {after.id} as {after.status}, but it ended as {outcome}"
            self._world.oracle.violated(text)
        if before is not None and before.status.ended and after.status is not before.status:
            text = f"{process.name} turned {after.id} from {before.status} to {after.status}"
            self._world.oracle.violated(text)

    def put_back(self, group: str, state: GroupState) -> None:
        """Forget operations whose records nobody will end: the row, being put back, has lost them."""
        going = state.request.operation if state.request and state.target else None
        self.begun = [
            each for each in self.begun if each == going or self.over(each) or not _is_of(each, group)
        ]
        self._by_request = {key: each for key, each in self._by_request.items() if key[0] != group}

    def over(self, operation: str) -> bool:
        """Tell whether the record of an operation says that it has ended."""
        record = self._world.storage.tables.operations.get(operation)
        return record is not None and record.status.ended

    def disagreements(self, writer: Writer, resource_id: str) -> Iterator[tuple[str, str]]:
        """Yield (rule, text) for what the records say against a write that is sent now."""
        if self.over(writer.operation):
            yield "past does not rule", ", though its operation has ended"
        if (writer.operation, resource_id.casefold()) not in self._intents:
            yield "", " without having recorded that it will"

    def perhaps_moved(self, writer: Writer) -> bool:
        """Tell whether an earlier attempt has recorded that it moves something; nobody knows if it did."""
        return bool(self._moves.get(writer.operation, set()) - {writer.run})

    def commanded(self, group: str, request_id: str, operation: str) -> None:
        """Check that a request id leads to one operation, however often it is sent."""
        first = self._by_request.setdefault((group, request_id), operation)
        if first != operation:
            text = f"request {request_id} led to {first} and later to {operation}"
            self._world.oracle.violated(text)

    def unended(self) -> list[str]:
        """Return the operations that have no recorded outcome."""
        records = self._world.storage.tables.operations
        return [
            f"operation {name} is {'not recorded' if name not in records else records[name].status}"
            for name in self.begun
            if name not in records or not records[name].status.ended
        ]


def _is_of(operation: str, group: str) -> bool:
    return operation.rsplit("-", 2)[0] == group
