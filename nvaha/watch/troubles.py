"""One group's trouble is one group's: it is told when it changes, and ends nothing else."""

from __future__ import annotations

from collections.abc import Awaitable

from nvaha.model import Notice
from nvaha.ports import Ports, StateUnreadable, StoreUnavailable
from nvaha.state.lease import LeaseLost

TOLD_AGAIN_S = 300.0
"""So long the same sentence about what nobody expected is not said again."""


class Deposed(Exception):
    """A newer epoch was found in a group's state: somebody else leads now."""


class Troubles:
    """What is wrong with single groups, as far as it was told."""

    def __init__(self, ports: Ports) -> None:
        self._notifier = ports.notifier
        self._clock = ports.clock
        self._rows: dict[str, str] = {}
        self._told: dict[str, float] = {}

    def forget(self) -> None:
        """Start afresh, as a new leader does: somebody else may have led meanwhile."""
        self._rows.clear()
        self._told.clear()

    async def apart(self, group: str, doing: str, duty: Awaitable[None]) -> None:
        """Do something for one group; only that somebody else leads by now ends more than that.

        Args:
            group: its name.
            doing: what is done, for the sentence, such as `a round`.
            duty: does it.
        """
        try:
            await duty
        except (LeaseLost, Deposed):
            raise
        except StateUnreadable as error:
            text = f"{group}: its stored state cannot be read, so it is not watched: {error}"
            if self._rows.get(group) != text:
                self._rows[group] = text
                self._notifier.notify(Notice("state_unreadable", "error", text, {"group": group}))
        except StoreUnavailable as error:
            text = f"{group}: what came of {doing} could not be written: {error}"
            self._notifier.notify(Notice("store_unavailable", "error", text, {"group": group}))
        except Exception as error:  # noqa: BLE001 - one group's trouble must not end everybody's watch
            text = f"{group}: {doing} met what nobody expected: {error!r}"
            now = self._clock.monotonic()
            # Not only while it lasts: what fails and works in turn would be told each time.
            self._told = {each: at for each, at in self._told.items() if now < at + TOLD_AGAIN_S}
            if text not in self._told:
                self._told[text] = now
                self._notifier.notify(Notice("round_failed", "error", text, {"group": group}))

    def is_unreadable(self, group: str) -> bool:
        """Tell whether a group's row could not be read when it was last tried."""
        return group in self._rows

    def readable(self, group: str) -> None:
        """Say that a group's row can be read again, if it was said that it cannot."""
        if self._rows.pop(group, None) is not None:
            text = f"{group}: its stored state can be read again; it is watched"
            self._notifier.notify(Notice("state_readable", "info", text, {"group": group}))
