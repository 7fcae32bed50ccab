"""The simulator as a server: ARM over HTTPS, the identity endpoint and the backdoor over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from nvaha.lab.arm.backdoor import PREFIX, Backdoor
from nvaha.lab.arm.effective import Effective
from nvaha.lab.arm.faults import Faults
from nvaha.lab.arm.gate import Gate
from nvaha.lab.arm.identity import PATH, header_of
from nvaha.lab.arm.log import LogEntry
from nvaha.lab.arm.requests import ArmRequests
from nvaha.lab.arm.switches import Pause, Switches
from nvaha.lab.arm.world import World
from nvaha.lab.stage.certificates import Certificates, make_certificates
from nvaha.lab.stage.profiles import Profile

Json = dict[str, Any]
_SHUTDOWN_S = 0.1
_MAX_BODY = 16 * 2**20


class ArmSimulator:
    """A local Azure Resource Manager for route tables, NICs and public IPs.

    Args:
        resources: bodies in Azure's shape; what the service adds (ETags, states, references back) may lack.
        profile: how long things take.
        folder: where the CA and the server certificate are written.
        switches: how it behaves where Azure varies; may be changed while it runs.
        seed: what ETags, ids and the faults' probabilities are drawn from.
        clock: monotonic seconds.
        wall: seconds since 1970, for certificates and `expires_on` only.
    """

    def __init__(
        self,
        resources: Iterable[Json],
        profile: Profile,
        *,
        folder: Path,
        switches: Switches | None = None,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.switches = switches or Switches()
        self._gate = Gate()
        self._world = World(
            resources, profile, self.switches, seed=seed, clock=clock, wall=wall, gate=self._gate
        )
        self._folder = folder
        self._wall = wall
        self._requests = ArmRequests(self._world, self._gate)
        self._certificates: Certificates | None = None
        self._arm: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._side: web.AppRunner | None = None
        self._address = ("127.0.0.1", 0)
        self.identity_endpoint = ""
        self.lab_endpoint = ""

    @property
    def endpoint(self) -> str:
        """ARM's base URL, once started."""
        return self._requests.endpoint

    @property
    def ca_file(self) -> Path:
        """What a client has to trust."""
        return self._folder / "ca.pem"

    @property
    def faults(self) -> Faults:
        """What goes wrong."""
        return self._world.faults

    @property
    def profile(self) -> Profile:
        """How long things take; what has begun takes as long as it was to."""
        return self._world.profile

    @profile.setter
    def profile(self, profile: Profile) -> None:
        self._world.profile = self._world.writes.profile = profile

    @property
    def effective(self) -> Effective:
        """What the data path uses."""
        return self._world.effective

    @property
    def permissions(self) -> set[tuple[str, str]]:
        """The (action, resource id) that the calls so far needed."""
        return self._world.access.needed

    @property
    def log(self) -> list[LogEntry]:
        """Every request so far, in order of arrival, with its operation's outcome as of now."""
        self._world.timeline.advance()
        return self._world.log

    def snapshot(self) -> dict[str, Json]:
        """Return a deep copy of every body, by id, as GET would show them now."""
        return self._world.snapshot()

    def edit(self, body: Json) -> Json:
        """Write a resource from outside: at once, with new ETags; returns it as GET shows it now."""
        return self._world.writes.edit(body)

    def remove(self, resource_id: str) -> None:
        """Delete a resource from outside; KeyError if there is none."""
        self._world.writes.remove(resource_id)

    def deny(self, principal: str, action: str, scope: str) -> None:
        """Answer 403 to a principal's action at a scope and below; patterns with `*` are fine."""
        self._world.access.deny(principal, action, scope)

    def allow_all(self) -> None:
        """Take every denial back."""
        self._world.access.allow_all()

    def expire_tokens(self) -> None:
        """Let every token handed out so far be expired."""
        self._world.identity.expire()

    def client_settings(self, principal: str) -> Mapping[str, str]:
        """Return the environment of an app that is to use this Azure under a name of its own."""
        return {
            "NVAHA_ARM_ENDPOINT": self.endpoint,
            "NVAHA_ARM_CA": str(self.ca_file),
            "IDENTITY_ENDPOINT": self.identity_endpoint,
            "IDENTITY_HEADER": header_of(principal),
        }

    async def start(self, host: str = "127.0.0.1", port: int = 0, *, side_port: int = 0) -> None:
        """Serve.

        Args:
            host: a loopback address.
            port: of ARM; 0 for a free one.
            side_port: of the identity endpoint and the backdoor; 0 for a free one.
        """
        self._certificates = make_certificates(self._folder, datetime.fromtimestamp(self._wall(), UTC))
        arm = web.Application(client_max_size=_MAX_BODY)
        arm.router.add_route("*", "/{path:.*}", self._requests.handle)
        self._arm = web.AppRunner(arm, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await self._arm.setup()
        self._address = (host, port)
        await self._listen()
        self._address = (host, _port(self._arm))
        self._requests.endpoint = f"https://{host}:{self._address[1]}"
        side = web.Application(client_max_size=_MAX_BODY)
        side.router.add_get(PATH, self._world.identity.handle)
        Backdoor(self._world, pause=self.pause, resume=self.resume, settings=self.client_settings).add_to(
            side
        )
        self._side = web.AppRunner(side, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await self._side.setup()
        await web.TCPSite(self._side, host, side_port).start()
        base = f"http://{host}:{_port(self._side)}"
        self.identity_endpoint, self.lab_endpoint = base + PATH, base + PREFIX

    async def stop(self) -> None:
        """Stop serving; what hangs is dropped. Harmless if it is not running."""
        self._gate.stop()
        for runner in (self._arm, self._side):
            if runner is not None:
                await runner.cleanup()
        self._arm = self._side = self._site = None

    async def pause(self, mode: Pause = Pause.REFUSE) -> None:
        """Let ARM be gone: new connections refused and old ones reset, or every request left hanging."""
        if mode is Pause.HANG:
            self._gate.shut()
        elif self._arm is not None and self._site is not None:
            await self._site.stop()
            self._site = None
            for connection in self._arm.server.connections if self._arm.server else []:
                if connection.transport is not None:
                    connection.transport.abort()

    async def resume(self) -> None:
        """Let ARM be back, at the same port; held requests go on."""
        self._gate.open()
        if self._arm is not None and self._site is None:
            await self._listen()

    async def _listen(self) -> None:
        if self._arm is None or self._certificates is None:
            msg = "start the simulator first"
            raise RuntimeError(msg)
        host, port = self._address
        self._site = web.TCPSite(self._arm, host, port, ssl_context=self._certificates.server_context())
        await self._site.start()


def _port(runner: web.AppRunner) -> int:
    return int(runner.addresses[0][1])
