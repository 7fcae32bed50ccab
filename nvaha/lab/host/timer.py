"""The timer trigger of the local host: schedules, and the lock that lets one host of an app run them.

Behaviour as in azure-facts A1: a timer never overlaps itself, ticks missed meanwhile collapse into one that
fires at once, a failed run is not repeated, and of the hosts with one host id only the one that holds the
blob lease `locks/<host id>/Host.Functions.<name>.Listener` runs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.functions.timer import TimerRequest
from azure.storage.blob.aio import BlobLeaseClient, BlobServiceClient

from nvaha.config.ncrontab import Ncrontab
from nvaha.lab.host.functions import IndexedFunction, Invoker, stopped_within
from nvaha.lab.host.settings import HostError, SingletonSettings, time_span_s
from nvaha.lab.host.storage import Trouble

CONTAINER = "azure-webjobs-hosts"
_RETRY_S = 1.0
_log = logging.getLogger("Host.Triggers.Timer")


class LockLostError(Exception):
    """Another host took this host's timer lock; the real host shuts down then, and so does this one."""


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

    async def run(self, stopping: asyncio.Event) -> None:
        """Fire until the host stops; returns after the run under way has ended."""
        if self._function.binding.get("runOnStartup"):
            await self._fire(self._clock())
        due = self._schedule.due_after(0.0, self._clock())
        while not await stopped_within(stopping, due - self._clock()):
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
    """

    def __init__(self, blobs: BlobServiceClient, host_id: str, name: str, times: SingletonSettings) -> None:
        self._container = blobs.get_container_client(CONTAINER)
        self._path = f"locks/{host_id}/Host.Functions.{name}.Listener"
        self._blob = self._container.get_blob_client(self._path)
        self._times = times
        self._trouble = Trouble(_log, f"the timer's lock {self._path}")

    async def hold(self, stopping: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lock, work under it, give it back.

        Raises:
            LockLostError: somebody else has it now.
        """
        lease = await self._take(stopping)
        if lease is None:
            return
        working = asyncio.ensure_future(work())
        keeping = asyncio.ensure_future(self._keep(lease))
        try:
            await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
            else:
                await keeping
        finally:
            keeping.cancel()
            try:
                await lease.release()
            except AzureError as error:
                _log.warning("The lock %s was not given back: %s", self._path, error)

    async def _take(self, stopping: asyncio.Event) -> BlobLeaseClient | None:
        waiting = False
        while not stopping.is_set():
            try:
                lease = await self._try()
            except AzureError as error:
                self._trouble.met(error)
                waiting = False
            else:
                self._trouble.over()
                if lease is not None:
                    _log.debug("Singleton lock acquired (%s)", self._path)
                    return lease
                if not waiting:
                    _log.info("Another host runs this timer; waiting for its lock (%s)", self._path)
                waiting = True
            await stopped_within(stopping, self._times.listener_lock_recovery_polling_interval)
        return None

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
        return lease

    async def _create(self) -> None:
        with contextlib.suppress(ResourceExistsError):
            await self._container.create_container()
        with contextlib.suppress(ResourceExistsError):
            await self._blob.upload_blob(b"", overwrite=False)

    async def _keep(self, lease: BlobLeaseClient) -> None:
        """Renew at half the period; an answer of 5xx, or none, is tried again until the lease has run out."""
        period_s = self._times.listener_lock_period
        granted = time.monotonic()
        wait_s = period_s / 2
        while True:
            await asyncio.sleep(wait_s)
            asked = time.monotonic()
            try:
                await lease.renew()
            except AzureError as error:
                status = error.status_code if isinstance(error, HttpResponseError) else None
                refused = status is not None and status < 500
                if refused or time.monotonic() - granted > period_s:
                    raise LockLostError(f"the lock {self._path} is lost: {error.message}") from error
                wait_s = _RETRY_S
            else:
                granted, wait_s = asked, period_s / 2
