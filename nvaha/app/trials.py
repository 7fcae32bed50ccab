"""What an examination tries, with this process's own connections and identity."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from azure.core.exceptions import AzureError

from nvaha.azure.arm.network import ArmNetwork
from nvaha.azure.clock import ServiceClock
from nvaha.azure.storage.connection import Storage
from nvaha.azure.storage.trial import try_storage
from nvaha.azure.tokens import TokenKeeper, Tokens
from nvaha.model import Resource, TokenSeen, Tried

_TOKEN_S = 3.0


class AppTrials:
    """The `Trials` of ports.py.

    Args:
        network: where writes are offered.
        storage: what is tried.
        tokens: those of this process.
        clock: storage's.
    """

    def __init__(self, network: ArmNetwork, storage: Storage, tokens: Tokens, clock: ServiceClock) -> None:
        self._network, self._storage, self._tokens, self._clock = network, storage, tokens, clock

    async def storage(self) -> tuple[Tried, ...]:
        """Try each container, table and queue."""
        return await try_storage(self._storage)

    async def offer(self, resource: Resource) -> None:
        """Offer a write; NetworkError if Azure objects to anything but what it must object to."""
        await self._network.offer(resource)

    async def tokens(self) -> tuple[TokenSeen, ...]:
        """Ask for tokens; return how it stands with them."""

        async def ask(keeper: TokenKeeper) -> TokenSeen:
            # What went wrong is what the keeper says of itself.
            with suppress(AzureError, TimeoutError):
                async with asyncio.timeout(_TOKEN_S):
                    await keeper.get_token_info()
            return keeper.seen()

        return tuple(await asyncio.gather(*map(ask, self._tokens.keepers)))

    def clocks(self) -> Mapping[str, float]:
        """Return how far storage's and ARM's clocks are ahead."""
        told = {"storage": self._clock.ahead_s(), "Azure Resource Manager": self._network.clock_ahead_s()}
        return {service: seconds for service, seconds in told.items() if seconds is not None}
