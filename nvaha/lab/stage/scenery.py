"""What stands around a lab's monitors: NVAs and control targets on loopback, and the file that names them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

from nvaha.config.native import to_native
from nvaha.lab.stage.azurite import LabError
from nvaha.lab.stage.certificates import Certificates, make_certificates
from nvaha.lab.stage.nva import FakeNva, Talk, drain, loopback, place_all
from nvaha.lab.stage.own import expected_status, redirected, target_name
from nvaha.lab.stage.sample import Environment
from nvaha.lab.stage.web import Web
from nvaha.model import Configuration, ProbeKind


class Scenery:
    """The machines of a configuration.

    Args:
        configuration: what the lab is about.
        samples: what Azure has of each of its groups, by name.
        folder: where certificates go, once they are needed.

    `nvas` are in the file's order, `targets` are the control targets. An NVA has its name, with its group's
    before it (`edge/fw-a`) where several groups have one of that name.
    """

    def __init__(
        self, configuration: Configuration, samples: Mapping[str, Environment], folder: Path
    ) -> None:
        self._configuration = configuration
        self._folder = folder
        self._by_key: dict[tuple[str, str], FakeNva] = {}
        secured = self._secured()
        context = secured.server_context() if secured else None
        names = [nva.name.casefold() for group in configuration.groups for nva in group.nvas]
        for group in configuration.groups:
            addresses = _private_addresses(samples[group.name])
            for nva in group.nvas:
                unique = names.count(nva.name.casefold()) == 1
                name = nva.name if unique else f"{group.name}/{nva.name}"
                private = [each for nic in nva.interfaces.values() for each in addresses[nic.casefold()]]
                status = expected_status(nva)
                answer: Talk = drain
                if status is not None:
                    answer = Web(status, context if nva.probe.kind is ProbeKind.HTTPS else None).answer
                self._by_key[group.name, nva.name] = FakeNva(name, private, answer)
        self.nvas = list(self._by_key.values())
        self.targets = [FakeNva(target_name(each), ()) for each in configuration.control_targets]
        self.shown = dict[str, str]()
        """What stands where a control target is: what the file calls it."""
        self.settings = {"SSL_CERT_FILE": str(secured.ca_file)} if secured else {}
        """What makes a monitor trust the NVAs."""

    def _secured(self) -> Certificates | None:
        probes = [nva.probe for group in self._configuration.groups for nva in group.nvas]
        secured = [probe for probe in probes if probe.kind is ProbeKind.HTTPS]
        if not secured:
            return None
        names = {(probe.host or "").partition(":")[0] for probe in secured} - {""}
        addresses = map(loopback, range(len(probes)))
        return make_certificates(self._folder, datetime.now(UTC), [*sorted(names), *addresses])

    def start(self) -> None:
        """Give every machine its address on loopback, and let it answer; OSError if there are no ports."""
        place_all([*self.nvas, *self.targets])
        self.shown = {f"{each.address}:{each.probe_port}": each.name for each in self.targets}

    def stop(self) -> None:
        """Free the ports."""
        for each in (*self.nvas, *self.targets):
            each.close()

    def nva(self, name: str) -> FakeNva:
        """Return an NVA or control target by its name or, in short, as `nva1`.

        Raises:
            LabError: there is none, or there are several.
        """
        machines = [*self.nvas, *self.targets]
        wanted = name.casefold()
        found = [each for each in machines if each.name.casefold() == wanted]
        found = found or [each for each in self.nvas if each.name.casefold().endswith(f"/{wanted}")]
        found = found or [each for number, each in enumerate(self.nvas, 1) if wanted == f"nva{number}"]
        if len(found) == 1:
            return found[0]
        known = ", ".join(each.name for each in found or machines)
        raise LabError(f"{name!r} is {'several NVAs' if found else 'no NVA'} of this lab; there are {known}")

    def file(self, left_out: Collection[str]) -> str:
        """Return what monitors read.

        Args:
            left_out: route tables that it does not name.
        """
        places = {key: (nva.address, nva.probe_port) for key, nva in self._by_key.items()}
        targets = [(each.address, each.probe_port) for each in self.targets]
        return to_native(redirected(self._configuration, places, targets, left_out))


def _private_addresses(sample: Environment) -> dict[str, list[str]]:
    return {
        body["id"].casefold(): [
            each["properties"]["privateIPAddress"] for each in body["properties"]["ipConfigurations"]
        ]
        for body in sample.resources
        if body["type"].endswith("networkInterfaces")
    }
