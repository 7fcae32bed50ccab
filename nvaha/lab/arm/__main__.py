"""The simulator alone: `python -m nvaha.lab.arm --profile typical --folder DIR`."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from nvaha.lab.arm.server import ArmSimulator
from nvaha.lab.stage.profiles import PROFILES
from nvaha.lab.stage.sample import environment


def main() -> None:
    """Serve the sample environment until interrupted; one JSON line on standard output says where."""
    parser = argparse.ArgumentParser(prog="python -m nvaha.lab.arm", description=__doc__)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="typical", help="how long things take")
    parser.add_argument("--folder", type=Path, required=True, help="where the certificates are written")
    parser.add_argument("--port", type=int, default=0, help="of ARM; 0 for a free one")
    parser.add_argument("--side-port", type=int, default=0, help="of the identity endpoint; 0 for a free one")
    parser.add_argument("--principal", default="nvaha", help="whose settings are printed")
    parser.add_argument("--nvas", type=int, default=2)
    parser.add_argument("--public-ips", type=int, default=1)
    parser.add_argument("--route-tables", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="what ids and faults are drawn from")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(arguments: argparse.Namespace) -> None:
    sample = environment(
        nvas=arguments.nvas, public_ips=arguments.public_ips, route_tables=arguments.route_tables
    )
    simulator = ArmSimulator(
        sample.resources, PROFILES[arguments.profile], folder=arguments.folder, seed=arguments.seed
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await simulator.start(port=arguments.port, side_port=arguments.side_port)
    where = {
        "endpoint": simulator.endpoint,
        "ca_file": str(simulator.ca_file),
        "identity_endpoint": simulator.identity_endpoint,
        "lab_endpoint": simulator.lab_endpoint,
        "settings": dict(simulator.client_settings(arguments.principal)),
    }
    print(json.dumps(where), flush=True)
    await stopped.wait()
    await simulator.stop()


if __name__ == "__main__":
    main()
