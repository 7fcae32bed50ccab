"""The shipped role grants what the code needs on Azure: neither more nor less."""

from __future__ import annotations

import asyncio
from pathlib import Path

from nvaha.lab.stage.azurite import Azurite
from nvaha.lab.stage.sample import environment

from .in_process import granted, needed, running


def test_a_whole_failover_needs_exactly_the_role(azurite: Azurite, tmp_path: Path) -> None:
    """What ARM was asked for, from discovery through two switches, is what the role lists."""
    sample = environment()

    async def play() -> set[str]:
        async with running(azurite, tmp_path, sample) as app:
            await app.all_up()
            await app.nvas[sample.nvas[0].name].stop()
            await app.active(sample.nvas[1].name)
            await app.nvas[sample.nvas[0].name].start()
            await app.all_up()
            await app.call("plan", params={"to": sample.nvas[0].name})
            assert (await app.call("failover", {"to": sample.nvas[0].name}))[0] == 202
            await app.active(sample.nvas[0].name)
            return needed(app.arm)

    assert asyncio.run(play()) == granted()


def test_without_the_right_to_write_one_table(azurite: Azurite, tmp_path: Path) -> None:
    """A missing permission stops only the table it is missing on, and the operation names that table."""
    sample = environment()
    table = sample.route_tables[1]

    async def play() -> None:
        async with running(azurite, tmp_path, sample) as app:
            await app.all_up()
            app.arm.deny("*", "Microsoft.Network/routeTables/write", table)
            await app.nvas[sample.nvas[0].name].stop()
            group = await app.until(lambda group: (group["operation"] or {}).get("status") == "failed")
            assert any(table.rpartition("/")[2] in each for each in group["operation"]["unfinished"])
            assert "AuthorizationFailed" in " ".join(group["operation"]["unfinished"])
            assert (
                app.arm.effective.next_hop(sample.route_tables[0], "8.8.8.8")
                == (sample.nvas[1].addresses["internal"])
            )

    asyncio.run(play())
