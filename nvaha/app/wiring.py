"""Everything one process holds, wired to Azure; imported when needed: Azure's libraries are slow."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from azure.identity import CredentialUnavailableError

from nvaha.app.schedule import tick_budget_s
from nvaha.app.trials import AppTrials
from nvaha.app.versions import versions
from nvaha.azure.arm.budget import Purpose
from nvaha.azure.arm.network import ArmNetwork
from nvaha.azure.clock import ServiceClock
from nvaha.azure.clouds import ENDPOINTS
from nvaha.azure.storage.connection import Storage
from nvaha.azure.storage.leases import BlobLeases
from nvaha.azure.storage.queue import StorageSwitchQueue
from nvaha.azure.storage.rows import StateDocuments
from nvaha.azure.storage.states import TableStore
from nvaha.azure.tokens import Tokens
from nvaha.concurrency import aside
from nvaha.config import Loaded
from nvaha.config.settings import Settings
from nvaha.metrics import Metrics
from nvaha.model import Notice, ReceiverKind
from nvaha.notify import LogNotifier
from nvaha.operate.control import Control
from nvaha.operate.doctor import Doctor
from nvaha.operate.measured import Stored
from nvaha.operate.recovery import Recovery
from nvaha.ping import UrlPinger
from nvaha.ports import Nobody, Notifier, NotTaken, Ports, Receivers
from nvaha.probes import NetworkProber
from nvaha.receivers.event_grid import TopicAccess
from nvaha.receivers.https import HttpReceivers
from nvaha.switch.worker import Switcher
from nvaha.watch.monitor import Monitor


@cache
def _metrics(instance: str) -> Metrics:
    """Return the metrics of this process, which go on counting whatever app comes and goes."""
    return Metrics(instance)


def _new_id() -> str:
    return uuid.uuid4().hex[:12]


def _topics(settings: Settings, loaded: Loaded, tokens: Tokens) -> TopicAccess | None:
    """Return how Event Grid is reached; None where nobody is sent to by it, so that no token is asked for."""
    if all(each.kind is not ReceiverKind.EVENT_GRID for each in loaded.configuration.receivers):
        return None
    keeper = tokens.event_grid

    async def token() -> str:
        try:
            return (await keeper.get_token_info()).token
        except CredentialUnavailableError:
            raise NotTaken(keeper.trouble or "no token for Event Grid") from None

    return TopicAccess(ENDPOINTS[settings.cloud].event_grid, token)


class App:
    """The parts of a running function app.

    Args:
        settings: the application settings.
        loaded: the groups.
        tokens: those of this process, which are kept whether there is an app or not.
        environ: the application settings as they are, for those that the configuration names.
    """

    def __init__(
        self,
        settings: Settings,
        loaded: Loaded,
        tokens: Tokens | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._settings = settings
        clock = ServiceClock()
        self._metrics = _metrics(settings.instance)
        self._notifier: Notifier = LogNotifier(self._metrics)
        self._tokens = tokens = tokens or Tokens(settings)
        self._storage = storage = Storage(settings, clock, tokens.storage)
        self._prober = NetworkProber()
        self._network = ArmNetwork(settings, tokens.arm, clock, self._metrics)
        receivers: Receivers = Nobody()
        if loaded.configuration.receivers:
            receivers = self._notifier = HttpReceivers(
                loaded.configuration.receivers,
                environ,
                source=f"/nvaha/{storage.account}",
                clock=clock,
                log=self._notifier,
                new_id=_new_id,
                topics=_topics(settings, loaded, tokens),
            )
        ports = Ports(
            leases=BlobLeases(storage),
            store=TableStore(storage),
            queue=StorageSwitchQueue(storage),
            network=self._network,
            prober=self._prober,
            clock=clock,
            notifier=self._notifier,
            new_id=_new_id,
            have_token=self._network.have_token,
            account=storage.account,
            pinger=UrlPinger(settings.ping_url) if settings.ping_url else None,
            receivers=receivers,
            meter=self._metrics,
            versions=versions,
        )
        self._stored = Stored(loaded.configuration, ports)
        configuration, instance = loaded.configuration, settings.instance
        app = settings.app or instance
        # Whatever is looked at or planned, the reads of a switch come first.
        looking = replace(ports, network=self._network.of(Purpose.LOOK))
        planning = replace(ports, network=self._network.of(Purpose.PLAN))
        self._monitor = Monitor(
            configuration, looking, instance, app=app, token_at=lambda: tokens.arm.token_at
        )
        self._switcher = Switcher(configuration, ports, instance)
        self.control = Control(configuration, planning, app=app, aside=aside)
        self.recovery = Recovery(configuration, ports, StateDocuments())
        self.doctor = Doctor(configuration, planning, AppTrials(self._network, storage, tokens, clock))
        self.instance, self.warnings = instance, loaded.warnings
        settings_named = ((each.url_setting, each.key_setting) for each in configuration.receivers)
        self.named_settings = tuple(name for pair in settings_named for name in pair if name)
        for warning in loaded.warnings:
            text = f"the configuration: {warning}"
            self._notifier.notify(Notice("config_warning", "warning", text, {"instance": instance}))

    async def tick(self) -> None:
        """Lead, or try to, until the next tick is due."""
        self._switcher.say_counted()
        self._tokens.tell(self._notifier)
        await self._monitor.tick(tick_budget_s(self._settings.schedule, datetime.now(UTC)))

    async def switch(self, body: bytes) -> None:
        """Carry out the switch that a queue message points at; raises what the runtime should try again."""
        try:
            await self._switcher.take(body)
        finally:
            self._tokens.tell(self._notifier)

    async def give_up(self, body: bytes) -> None:
        """End the switch whose message failed every time it was delivered, if nobody carries it out."""
        await self._switcher.take_poison(body)

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return what this process counts and what is stored, as Prometheus reads it, and as what."""
        return self._metrics.exposition(accept, await self._stored.samples())

    async def close(self) -> None:
        """Close every connection; the Functions host never asks for it, tests do (azure-facts A4)."""
        await self._prober.close()
        await self._network.close()
        await self._tokens.close()
        await self._storage.close()
