"""The whole lab in one object: Azurite, the simulated Azure, fake NVAs, traffic, and hosts running the app.

async with Lab(profile="fast", hosts=2) as lab:
    await lab.ready()
    stopped_at = lab.nvas[0].stop()
    await lab.becomes_active(lab.nvas[1], within_s=20)
    assert await lab.problems(lab.nvas[1]) == []
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml

import nvaha
from nvaha.config import parse
from nvaha.lab.arm import ArmSimulator, Fault, Switches
from nvaha.lab.stage.azurite import VERSION, Azurite, LabError
from nvaha.lab.stage.nva import FakeNva
from nvaha.lab.stage.outside import Outside
from nvaha.lab.stage.own import stand_ins
from nvaha.lab.stage.process import HostEvent, HostProcess
from nvaha.lab.stage.profiles import PROFILES
from nvaha.lab.stage.sample import Environment, configuration, environment
from nvaha.lab.stage.scenery import Scenery
from nvaha.lab.stage.traffic import INTERVAL_S, Flow, Traffic
from nvaha.lab.verify import check
from nvaha.model import Configuration

Json = dict[str, Any]
GROUP = "edge"
CONTROL = "control"
SCHEDULE = "*/5 * * * * *"
"""Half the default, so that a lab need not wait ten seconds for its first tick."""
POLL_S = 0.1
_HTTP_S = 10.0
_REQUESTS_PER_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """What a lab consists of.

    Args:
        profile: how long the simulated Azure takes: one of `nvaha.lab.stage.profiles.PROFILES`.
        hosts: how many monitors, or their names.
        nvas, public_ips, route_tables: the sample environment's size.
        canary: whether it has one.
        control: whether there is a control target beside the NVAs, named `control`.
        outside: whether there is somebody outside who is sent notifications and pings.
        probe, policy: the group's, as in the configuration file.
        configuration: somebody's own, instead of all these: the simulated Azure is what it names.
        schedule: NVAHA_SCHEDULE.
        port: the first host's; 0 for a free one.
        key: the function key that the hosts ask for.
        same_app: the hosts share one host id, as instances of one app that was scaled out; else they are apps
            of their own, as in several regions.
        settings: more application settings for every host.
        faults, switches: what goes wrong in the simulated Azure, and how it behaves where Azure varies.
        persist: Azurite keeps its data over a restart.
        traffic: whether a client sends traffic along the effective route.
        app: the folder of the app that each host begins with, of whatever release; by default this project's.
        folder: where configuration and logs go; by default a temporary folder that is removed at the end.
    """

    profile: str = "typical"
    hosts: int | Sequence[str] = 1
    nvas: int = 2
    public_ips: int = 1
    route_tables: int = 2
    canary: bool = False
    control: bool = False
    outside: bool = False
    probe: Mapping[str, object] = field(default_factory=dict)
    policy: Mapping[str, object] = field(default_factory=dict)
    configuration: Configuration | None = None
    schedule: str = SCHEDULE
    port: int = 0
    key: str | None = None
    same_app: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    faults: Iterable[Fault] = ()
    switches: Switches | None = None
    persist: bool = False
    traffic: bool = True
    app: Path | None = None
    folder: Path | None = None


class Lab:
    """A running lab; an async context manager.

    Args:
        say: told each part that is up, in words.
        options: the fields of `LabOptions`.
    """

    def __init__(self, say: Callable[[str], None] | None = None, **options: Any) -> None:
        self.options = LabOptions(**options)
        self._say = say or (lambda _: None)
        self._stack = AsyncExitStack()
        self._keep = self.options.folder is not None
        self.folder = self.options.folder or Path(tempfile.mkdtemp(prefix="nvaha-lab-"))
        self.configuration, self.samples = _subject(self.options)
        self.sample = next(iter(self.samples.values()))
        self.scenery = Scenery(self.configuration, self.samples, self.folder / "nvas")
        self.nvas = self.scenery.nvas
        if self.options.control and self.options.configuration is None:
            self.scenery.targets[0].name = CONTROL
        self.outside = Outside() if self.options.outside else None
        self.azurite = Azurite(self.folder, persist=self.options.persist)
        self.simulator = ArmSimulator(
            self.sample.resources,
            PROFILES[self.options.profile],
            folder=self.folder / "certificates",
            switches=self.options.switches,
        )
        self.traffic = Traffic(self._flows(), self.nvas, interval_s=self._traffic_interval_s())
        self.hosts: list[HostProcess] = []
        self.left_out: set[str] = set()
        """Route tables that the configuration does not name; `write_configuration` after a change."""
        self.policy: dict[str, object] = dict(self.options.policy)
        """What the configuration says as the group's policy; the same."""
        self.baseline: dict[str, Json] = {}
        self._session: aiohttp.ClientSession | None = None

    # Starting and stopping

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException as error:
            await self._end(error)
            raise
        return self

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        await self._end(error)

    async def _end(self, error: BaseException | None) -> None:
        # Who interrupts a lab is not going to read its logs.
        self._keep = self._keep or isinstance(error, Exception)
        await self._stack.aclose()

    def keep_folder(self) -> None:
        """Leave configuration and logs there at the end; they stay by themselves when something is raised."""
        self._keep = True

    async def _start(self) -> None:
        _require_free(self.options.port)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._stack.callback(self._remove_folder)
        await _together(self._start_azurite(), self._start_simulator(), self._start_nvas())
        timeout = aiohttp.ClientTimeout(total=_HTTP_S)
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        if self.options.traffic:
            await self._stack.enter_async_context(self.traffic)
        hosts = self.options.hosts
        names = [f"monitor-{chr(ord('a') + i)}" for i in range(hosts)] if isinstance(hosts, int) else hosts
        await _together(*(self.add_host(name, 0 if i else self.options.port) for i, name in enumerate(names)))
        self.hosts.sort(key=lambda host: host.name)

    async def _start_azurite(self) -> None:
        self._stack.push_async_callback(self.azurite.stop)
        await self.azurite.start()
        self._say(f"storage: Azurite {VERSION} on 127.0.0.1:{self.azurite.blob_port}")

    async def _start_simulator(self) -> None:
        self._stack.push_async_callback(self.simulator.stop)
        for fault in self.options.faults:
            self.simulator.faults.add(fault)
        await self.simulator.start()
        self.baseline = self.simulator.snapshot()
        self._say(f"Azure Resource Manager: {self.simulator.endpoint} (profile {self.options.profile})")

    async def _start_nvas(self) -> None:
        self._stack.callback(self.scenery.stop)
        self.scenery.start()
        for nva in self.nvas:
            self._say(f"NVA {nva.name}: {nva.address}:{nva.probe_port}")
        for target in self.scenery.targets:
            self._say(f"control target {target.name}: {target.address}:{target.probe_port}")
        if self.outside:
            self._stack.push_async_callback(self.outside.stop)
            await self.outside.start()
        self.write_configuration()

    def write_configuration(self) -> None:
        """Write the file that hosts read when they start."""
        written = yaml.safe_load(self.scenery.file(self.left_out))
        if self.policy:
            written["groups"][0].setdefault("policy", {}).update(self.policy)
        if self.outside:
            written |= self.outside.configuration
        self.config_file.write_text(yaml.safe_dump(written, sort_keys=False))

    def _remove_folder(self) -> None:
        if not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def app(self) -> Path:
        """The folder of the app that each host begins with."""
        return self.options.app or Path(nvaha.__file__).parent.parent

    @property
    def first(self) -> str:
        """The name of the first group."""
        return next(iter(self.samples))

    @property
    def config_file(self) -> Path:
        """The configuration that the hosts read."""
        return self.folder / "nvaha.yaml"

    def settings(self, instance: str) -> dict[str, str]:
        """Return the application settings of an app that is to use this lab under a name of its own."""
        return {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AzureWebJobsStorage": self.azurite.connection_string,
            "AzureFunctionsWebHost__hostid": "lab" if self.options.same_app else f"lab-{instance}",
            "NVAHA_CONFIG": str(self.config_file),
            "NVAHA_SCHEDULE": self.options.schedule,
            "NVAHA_INSTANCE": instance,
            **self.simulator.client_settings(instance),
            **self.scenery.settings,
            **(self.outside.settings if self.outside else {}),
            **self.options.settings,
        }

    async def add_host(self, name: str, port: int = 0, **settings: str) -> HostProcess:
        """Start another monitor, with more settings than the others if given."""
        arguments = ["--key", self.options.key] if self.options.key else []
        host = HostProcess(
            name,
            self.app,
            {**self.settings(name), **settings},
            self.folder,
            arguments=arguments,
            port=port,
            say=self._say,
        )
        self._stack.push_async_callback(host.kill)
        await host.start()
        self.hosts.append(host)
        self._say(f"function app {name}: {host.url}/api")
        return host

    # Asking and waiting

    async def call(self, method: str, path: str, body: object = None, *, host: int = 0) -> tuple[int, Json]:
        """Send a request to a host's API, such as `call("GET", "/groups/edge")`; returns status and JSON."""
        if self._session is None:
            raise LabError("the lab was not started")
        headers = {"x-functions-key": self.options.key} if self.options.key else {}
        url = f"{self.hosts[host].url}/api{path}"
        async with self._session.request(method, url, json=body, headers=headers) as response:
            return response.status, (await response.json() if response.content_length else {})

    async def group(self, name: str = "", *, host: int = 0) -> Json:
        """Return a group, the first by default, as a host shows it; LabError if it does not."""
        path = f"/groups/{name or next(iter(self.samples))}"
        status, content = await self.call("GET", path, host=host)
        if status != 200:
            raise LabError(f"GET {path} answered {status}: {content}")
        return content

    async def leader(self, *, host: int = 0) -> Json | None:
        """Return the leader as a host shows it."""
        _, content = await self.call("GET", "/groups", host=host)
        leader: Json | None = content.get("leader")
        return leader

    async def until(
        self, check: Callable[[Json], bool], *, within_s: float, what: str, host: int = 0, name: str = ""
    ) -> Json:
        """Wait until a group, the first by default, is as wanted, and return it.

        Raises:
            LabError: it is not within the time; with what it is instead.
        """
        until = time.monotonic() + within_s
        last: object = None
        while time.monotonic() < until:
            if not self.hosts[host].running:
                raise LabError(f"{self.hosts[host].name} has ended; its last words: {self.hosts[host].log}")
            try:
                last = group = await self.group(name, host=host)
                if check(group):
                    return group
            except (LabError, aiohttp.ClientError, TimeoutError) as error:
                last = error
            await asyncio.sleep(POLL_S)
        raise LabError(f"not within {within_s:g} s: {what}. It is: {_short(last)}. Logs: {self.folder}")

    async def ready(self, name: str = "", *, within_s: float = 120.0, host: int = 0) -> Json:
        """Wait until a leader's round is fresh, a group at rest and all its NVAs up; return the group."""

        def at_rest(group: Json) -> bool:
            up = all(nva["health"] == "up" for nva in group["nvas"])
            return bool(up and group["phase"] == "steady")

        until = time.monotonic() + within_s
        what = "every NVA up and the group at rest"
        await self.until(at_rest, within_s=within_s, what=what, host=host, name=name)
        # Its record is written beside its first round, so perhaps a little later.
        while not ((leader := await self.leader(host=host)) and leader["fresh"]):
            if time.monotonic() > until:
                raise LabError(f"no leader's round is fresh: {leader}. Logs: {self.folder}")
            await asyncio.sleep(POLL_S)
        return await self.group(name, host=host)

    async def becomes_active(self, nva: FakeNva, *, within_s: float = 30.0, host: int = 0) -> Json:
        """Wait until a switch to an NVA is done; return the group."""

        def done(group: Json) -> bool:
            return bool(group["phase"] == "steady" and group["active"] == nva.name)

        return await self.until(done, within_s=within_s, what=f"{nva.name} active", host=host)

    def events(self) -> list[HostEvent]:
        """Return what all hosts logged so far, oldest first."""
        return sorted((each for host in self.hosts for each in host.events()), key=lambda each: each.at)

    def nva(self, name: str) -> FakeNva:
        """Return an NVA by its name or, in short, as `nva1`; LabError if there is none."""
        return self.scenery.nva(name)

    def host(self, name: str) -> HostProcess:
        """Return a host by its name; LabError if there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(host.name for host in self.hosts)
        raise LabError(f"there is no monitor {name!r}; there are {known}")

    # Judging

    async def problems(self, active: FakeNva, *, host: int = 0) -> list[str]:
        """Return what is not as it should be with an NVA active, one sentence each.

        Routes, public IPs and the recorded active are compared with what they should be, and every other
        property of every resource with what it was when the lab started.
        """
        problems = check(self.sample, self.baseline, self.simulator.snapshot(), active.name)
        group = await self.group(host=host)
        if group["active"] != active.name:
            problems.append(f"the recorded active is {group['active']}, not {active.name}")
        if group["phase"] != "steady":
            problems.append(f"the group is {group['phase']}, not steady")
        return problems

    def _flows(self) -> list[Flow]:
        effective = self.simulator.effective
        flows: list[Flow] = []

        def hop(table: str, address: str) -> Callable[[], str | None]:
            return lambda: effective.next_hop(table, address)

        def holder(public_ip: str) -> Callable[[], str | None]:
            return lambda: effective.public_ip_target(public_ip)

        for group, sample in self.samples.items():
            network = ip_network(sample.prefixes[-1])
            inside = "8.8.8.8" if network.prefixlen == 0 else str(network[5])
            flows += [Flow(_name(each), "route", hop(each, inside), group) for each in sample.route_tables]
            flows += [Flow(_name(each), "public_ip", holder(each), group) for each in sample.public_ips]
        return flows

    def _traffic_interval_s(self) -> float:
        flows = sum(len(each.route_tables) + len(each.public_ips) for each in self.samples.values())
        return max(INTERVAL_S, flows / _REQUESTS_PER_S)


async def _together(*parts: Awaitable[object]) -> None:
    """Await all of them, also when one fails, so that all that starts is known; then raise its error."""
    results = await asyncio.gather(*parts, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _require_free(port: int) -> None:
    """Raise LabError, before anything takes its time, if a port is somebody else's."""
    try:
        with socket.create_server(("127.0.0.1", port)):
            pass
    except OSError as error:
        raise LabError(
            f"port {port} on 127.0.0.1 cannot be had ({error.strerror}), perhaps for another lab: "
            "--port 0 takes a free one"
        ) from error


def _subject(options: LabOptions) -> tuple[Configuration, dict[str, Environment]]:
    """Return what a lab is about, and what Azure has of each of its groups."""
    if options.configuration is not None:
        return options.configuration, stand_ins(options.configuration)
    sample = environment(options.nvas, options.public_ips, options.route_tables, canary=options.canary)
    tree = configuration(sample, name=GROUP, probe=options.probe, policy=options.policy)
    if options.control:
        tree["control_targets"] = ["192.0.2.1:22"]
    return parse(yaml.safe_dump(tree)).configuration, {GROUP: sample}


def _name(resource_id: str) -> str:
    return resource_id.rpartition("/")[2]


def _short(last: object) -> str:
    if not isinstance(last, dict):
        return str(last)
    nvas = ", ".join(f"{nva['name']} {nva['health']}" for nva in last.get("nvas", []))
    return f"phase {last.get('phase')}, active {last.get('active')}, {nvas}, blocked: {last.get('blocked')}"
