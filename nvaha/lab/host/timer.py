"""The timer trigger of the local host: schedules, and the lock that lets one host of an app run them.

Behaviour as measured with the real listener (azure-facts A1, E1): a timer never overlaps itself, ticks missed
meanwhile collapse into one that fires at once, a failed run is not repeated. Of the hosts with one host id
the one that gets the blob lease `locks/<host id>/Host.Functions.<name>.Listener` runs it until its own end:
also without a valid lock, for as long as storage does not say that it is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.functions.timer import TimerRequest
from azure.storage.blob.aio import BlobLeaseClient, BlobServiceClient

from nvaha.config.ncrontab import Ncrontab
from nvaha.lab.host.functions import IndexedFunction, Invoker
from nvaha.lab.host.lifetime import Lifetime, Listener, ListenerError
from nvaha.lab.host.queue import BackOff
from nvaha.lab.host.settings import HostError, SingletonSettings, time_span_s
from nvaha.lab.host.storage import DRAW, Patience, Uniform, answered_by_fault, in_words

CONTAINER = "azure-webjobs-hosts"
START_AGAIN_S = (2.0, 120.0)
"""From and to so many seconds does a start that failed wait (azure-webjobs-sdk `FunctionListener.cs`)."""
_log = logging.getLogger("Host.Triggers.Timer")


class Schedule:
    """When a timer is due.

    Args:
        expression: NCRONTAB with six fields, seconds first, in UTC; or a time span between two runs.

    Raises:
        HostError: it is neither.
    """

    def __init__(self, expression: str) -> None:
        try:
            self._times = time_span_s(expression) if ":" in expression else Ncrontab(expression)
        except ValueError as error:
            raise HostError(f"schedule {expression!r} cannot be used: {error}") from error

    def due_after(self, due: float, started: float) -> float:
        """Return when the next run is due; it lies in the past if that run is late already.

        Args:
            due: when the last run was due, in seconds since 1970.
            started: when it really started. Ticks up to here are missed ones, and count as that run.
        """
        latest = max(due, started)
        return self._times.next_after(latest) if isinstance(self._times, Ncrontab) else latest + self._times


class TimerListener:
    """Runs one timer function on its schedule.

    Args:
        function: a function with a timer trigger.
        invoker: calls it.
        clock: seconds since 1970.
    """

    def __init__(
        self, function: IndexedFunction, invoker: Invoker, clock: Callable[[], float] = time.time
    ) -> None:
        self._function = function
        self._invoker = invoker
        self._clock = clock
        self._schedule = Schedule(function.binding["schedule"])

    async def run(self, life: Lifetime) -> None:
        """Fire until the host stops; returns after the run under way has ended."""
        if self._function.binding.get("runOnStartup"):
            await self._fire(self._clock())
        due = self._schedule.due_after(0.0, self._clock())
        while not await life.stopped_within(due - self._clock()):
            started = self._clock()
            await self._fire(started)
            due = self._schedule.due_after(due, started)

    async def _fire(self, now: float) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
        # Sub-minute schedules have no monitor, so a late run is not told that it is late.
        await self._invoker.invoke(self._function, TimerRequest(past_due=False), f"Timer fired at {at}")


class ListenerLock:
    """The blob lease by which one of the hosts with the same host id is chosen.

    Args:
        blobs: the storage account of `AzureWebJobsStorage`.
        host_id: shared by the hosts of one app.
        name: the function's name.
        times: how long the lease lasts, and how often others try for it.
        uniform: draws a number between two.
    """

    def __init__(
        self,
        blobs: BlobServiceClient,
        host_id: str,
        name: str,
        times: SingletonSettings,
        uniform: Uniform = DRAW,
    ) -> None:
        self._container = blobs.get_container_client(CONTAINER)
        self._path = f"locks/{host_id}/Host.Functions.{name}.Listener"
        self._blob = self._container.get_blob_client(self._path)
        self._times = times
        self._uniform = uniform
        self._patience = Patience(_log, f"the timer's lock {self._path}", uniform)

    async def hold(self, life: Lifetime, work: Listener) -> None:
        """Wait for the lock, work until the host stops, give the lock back; its loss ends the host."""
        lease = await life.unless_stopped(self._take())
        if lease is None:
            return
        keeping = life.watch(asyncio.create_task(self._keep(lease)))
        try:
            await work(life)
        finally:
            keeping.cancel()
            try:
                await self._patience.ask(lease.release)
            except AzureError as error:
                _log.warning("The lock %s was not given back (%s)", self._path, in_words(error))

    async def _take(self) -> BlobLeaseClient:
        """Try until it is there, as soon as storage can be asked and then at each poll."""
        back_off = BackOff(START_AGAIN_S[1], self._uniform, shortest_s=START_AGAIN_S[0])
        waiting = False
        while True:
            try:
                lease = await self._patience.ask(self._try)
            except AzureError as error:
                # Neither a start that fails nor a poll brings the host down.
                self._patience.trouble.met(error)
            else:
                if lease is not None:
                    _log.debug("Singleton lock acquired (%s)", self._path)
                    return lease
                if not waiting:
                    _log.info("Another host runs this timer; waiting for its lock (%s)", self._path)
                waiting = True
            poll_s = self._times.listener_lock_recovery_polling_interval
            await asyncio.sleep(poll_s if waiting else back_off.after(found=False))

    async def _try(self) -> BlobLeaseClient | None:
        """Return the lock, or None if another host has it; AzureError if storage does not say."""
        lease = BlobLeaseClient(self._blob)
        duration = int(self._times.listener_lock_period)
        try:
            try:
                await lease.acquire(lease_duration=duration)
            except ResourceNotFoundError:
                await self._create()
                await lease.acquire(lease_duration=duration)
        except HttpResponseError as error:
            if error.status_code != 409:
                raise
            return None
        except asyncio.CancelledError:
            # The host stops; what storage was about to grant would stay taken for a whole period.
            with contextlib.suppress(AzureError):
                await lease.release()
            raise
        return lease

    async def _create(self) -> None:
        with contextlib.suppress(ResourceExistsError):
            await self._container.create_container()
        with contextlib.suppress(ResourceExistsError):
            await self._blob.upload_blob(b"", overwrite=False)

    async def _keep(self, lease: BlobLeaseClient) -> None:
        """Renew at half the period, whether or not the last renewal was answered well."""
        while True:
            await asyncio.sleep(self._times.listener_lock_period / 2)
            try:
                await self._patience.ask(lease.renew)
            except AzureError as error:
                if not answered_by_fault(error):
                    raise ListenerError(
                        f"The lock {self._path} cannot be kept ({in_words(error)})"
                    ) from error
