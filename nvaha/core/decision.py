"""What follows from an input: a value, for the caller to write first and to act on after."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nvaha.core.refusal import Refusal
from nvaha.model import GroupState, Notice, SwitchRequest


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from an input.

    Args:
        state: the group's new state; equal to the old one if nothing follows.
        send: the switch to put on the queue once the state is written.
        notices: what to tell operators once the state is written.
        refusal: why the input was not followed.
        operation: the operation that a command led to, also when it was led to earlier.
    """

    state: GroupState
    send: SwitchRequest | None = None
    notices: tuple[Notice, ...] = ()
    refusal: Refusal | None = None
    operation: str | None = None

    def told_after(self, *notices: Notice) -> Decision:
        """Return the same decision with notices that come before its own."""
        return replace(self, notices=(*notices, *self.notices)) if notices else self
