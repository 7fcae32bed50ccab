"""What other processes may ask of the simulator itself: JSON under /_lab, from loopback only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, fields
from ipaddress import ip_address
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from nvaha.lab.arm.faults import Fault
from nvaha.lab.arm.switches import Pause, Switches
from nvaha.lab.arm.world import World

PREFIX = "/_lab"
_FAULTS: TypeAdapter[list[Fault]] = TypeAdapter(list[Fault])
_SWITCHES = TypeAdapter(Switches)


class Backdoor:
    """The /_lab calls.

    Args:
        world: the simulated Azure.
        pause: lets ARM be gone.
        resume: lets ARM be back.
        settings: gives an application's settings for a principal.
    """

    def __init__(
        self,
        world: World,
        *,
        pause: Callable[[Pause], Awaitable[None]],
        resume: Callable[[], Awaitable[None]],
        settings: Callable[[str], Mapping[str, str]],
    ) -> None:
        self._world = world
        self._pause = pause
        self._resume = resume
        self._settings = settings

    def add_to(self, app: web.Application) -> None:
        """Serve the calls in an application."""
        calls: list[tuple[str, str, Callable[[web.Request], Awaitable[object]]]] = [
            ("GET", "faults", self._get_faults),
            ("POST", "faults", self._add_faults),
            ("DELETE", "faults", self._clear_faults),
            ("GET", "log", self._get_log),
            ("GET", "resources", self._get_resources),
            ("PUT", "resources", self._edit),
            ("DELETE", "resources", self._remove),
            ("GET", "effective", self._effective),
            ("GET", "permissions", self._permissions),
            ("POST", "denials", self._deny),
            ("DELETE", "denials", self._allow_all),
            ("GET", "switches", self._get_switches),
            ("PUT", "switches", self._set_switches),
            ("GET", "settings", self._get_settings),
            ("POST", "pause", self._pause_arm),
            ("POST", "resume", self._resume_arm),
            ("POST", "expire-tokens", self._expire),
        ]
        for method, name, call in calls:
            app.router.add_route(method, f"{PREFIX}/{name}", _handler(call))

    async def _get_faults(self, _: web.Request) -> object:
        return [asdict(each) for each in self._world.faults.waiting]

    async def _add_faults(self, request: web.Request) -> object:
        sent = await request.json()
        for fault in _FAULTS.validate_python(sent if isinstance(sent, list) else [sent]):
            self._world.faults.add(fault)
        return {}

    async def _clear_faults(self, _: web.Request) -> object:
        self._world.faults.clear()
        return {}

    async def _get_log(self, request: web.Request) -> object:
        self._world.timeline.advance()
        return [asdict(each) for each in self._world.log[int(request.query.get("from", "0")) :]]

    async def _get_resources(self, request: web.Request) -> object:
        bodies = self._world.snapshot()
        if wanted := request.query.get("id"):
            by_id = {key.casefold(): body for key, body in bodies.items()}
            return by_id[wanted.casefold()]
        return list(bodies.values())

    async def _edit(self, request: web.Request) -> object:
        return self._world.writes.edit(await request.json())

    async def _remove(self, request: web.Request) -> object:
        self._world.writes.remove(request.query["id"])
        return {}

    async def _effective(self, request: web.Request) -> object:
        effective, query = self._world.effective, request.query
        if "route_table" in query:
            return {"next_hop": effective.next_hop(query["route_table"], query["destination"])}
        if "public_ip" in query:
            return {"target": effective.public_ip_target(query["public_ip"])}
        return effective.all()

    async def _permissions(self, _: web.Request) -> object:
        return sorted(self._world.access.needed)

    async def _deny(self, request: web.Request) -> object:
        sent: dict[str, str] = await request.json()
        self._world.access.deny(sent["principal"], sent["action"], sent["scope"])
        return {}

    async def _allow_all(self, _: web.Request) -> object:
        self._world.access.allow_all()
        return {}

    async def _get_switches(self, _: web.Request) -> object:
        return _SWITCHES.dump_python(self._world.switches, mode="json")

    async def _set_switches(self, request: web.Request) -> object:
        switches = self._world.switches
        sent: dict[str, Any] = await request.json()
        changed = _SWITCHES.validate_python({**_SWITCHES.dump_python(switches), **sent})
        for each in fields(Switches):
            setattr(switches, each.name, getattr(changed, each.name))
        return _SWITCHES.dump_python(switches, mode="json")

    async def _get_settings(self, request: web.Request) -> object:
        return dict(self._settings(request.query["principal"]))

    async def _pause_arm(self, request: web.Request) -> object:
        await self._pause(Pause(request.query.get("mode", Pause.REFUSE)))
        return {}

    async def _resume_arm(self, _: web.Request) -> object:
        await self._resume()
        return {}

    async def _expire(self, _: web.Request) -> object:
        self._world.identity.expire()
        return {}


def _handler(
    call: Callable[[web.Request], Awaitable[object]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        if request.remote is None or not ip_address(request.remote).is_loopback:
            return web.json_response({"error": "loopback only"}, status=403)
        try:
            return web.json_response(await call(request))
        except KeyError as error:
            return web.json_response({"error": f"missing or unknown: {error.args[0]}"}, status=404)
        except (ValueError, ValidationError) as error:
            return web.json_response({"error": str(error)}, status=400)

    return handle
