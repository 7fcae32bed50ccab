"""Long-running operations: what runs after a PUT was accepted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nvaha.lab.arm.errors import error_body
from nvaha.lab.arm.log import LogEntry
from nvaha.lab.arm.switches import Keeps

Json = dict[str, Any]


class OperationStatus(StrEnum):
    """What a poll answers."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


@dataclass(frozen=True, slots=True)
class Ending:
    """How an operation will end if nothing supersedes it.

    Args:
        status: its status at the end.
        code: the error's code, unless it succeeds.
        message: the error's text.
        keeps: which body a failed operation leaves.
    """

    status: OperationStatus = OperationStatus.SUCCEEDED
    code: str = ""
    message: str = ""
    keeps: Keeps = Keeps.NEW


@dataclass(slots=True)
class Operation:
    """One write on its way through Azure.

    Args:
        id: a GUID, unique.
        resource_id: what is written.
        entry: the write's line in the log, kept up to date.
        ending: how it will end.
        retry_after_s: the Retry-After of the PUT and of polls while it runs, if any.
        lost: no poll finds it, though it runs.
        status: where it stands.
        error: what a poll shows once it failed or was canceled.
    """

    id: str
    resource_id: str
    entry: LogEntry
    ending: Ending
    retry_after_s: int | None = None
    lost: bool = False
    status: OperationStatus = OperationStatus.IN_PROGRESS
    error: Json | None = None

    @property
    def running(self) -> bool:
        """Tell whether it has not ended."""
        return self.status is OperationStatus.IN_PROGRESS

    def end(self, status: OperationStatus, error: Json | None = None) -> None:
        """Let a poll, and the log, see the end."""
        self.status = status
        self.error = error
        self.entry.outcome = status

    def supersede(self, newer: str) -> None:
        """End it as Canceled by a newer operation, in the words of Azure/azure-cli #21156."""
        self.end(OperationStatus.CANCELED, canceled(self.id, newer))

    @property
    def poll(self) -> Json:
        """The body that a poll answers, as the OpenAPI definition AzureAsyncOperationResult has it."""
        body: Json = {"status": self.status.value}
        if self.error is not None:
            body["error"] = self.error
        return body


def canceled(older: str, newer: str) -> Json:
    """Return the error of an operation that a newer one superseded."""
    detail = f"Operation {older} was canceled and superseded by operation {newer}."
    return error_body(
        "Canceled", "Operation was canceled.", (("CanceledAndSupersededDueToAnotherOperation", detail),)
    )
