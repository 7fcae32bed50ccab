"""Take the documentation's pictures of the status page: `python -m tests.page docs/pictures`."""

from __future__ import annotations

import argparse
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from nvaha.model import Drift, Guards
from tests.builders import NOON
from tests.page.browser import chromium
from tests.page.world import World, group, nva_down, nva_up, steady

DESK, PHONE = {"width": 960, "height": 650}, {"width": 390, "height": 780}
PICTURES = ("status-page.png", "status-page-moving.png", "status-page-phone.png")
EDGE = group("edge", "fw-weu-1", "fw-weu-2", tables=1)


def world() -> World:
    """Return a handful of groups, of which some are not as they should be."""
    vpn = group("branch-vpn", "vpn-1", "vpn-2", "vpn-3", public_ips=2, port=443)
    payments, partner, dmz = group("payments"), group("partner-links"), group("dmz-north")
    quiet = [group(name, tables=1) for name in ("backup", "guest-wifi", "lab", "monitoring", "voice")]
    refused = {name: nva_down() for name in payments.names}
    behind = {"vpn-1": nva_up(), "vpn-2": nva_down(last_error="timed out"), "vpn-3": nva_up(latency_ms=1.9)}
    hold = "held: tag nvaha-hold on route table dmz-north-udr-spokes says 'change 4711'"
    lately = Guards(last_switch_at=NOON - timedelta(minutes=26))
    away = "route table partner-links-udr-shared: onprem (10.0.0.0/8) from 10.20.1.9 to 10.20.1.4"
    return World(
        [
            (payments, steady(payments, nvas=refused, all_down=True, guards=lately)),
            (vpn, steady(vpn, nvas=behind)),
            (partner, steady(partner, drift=Drift(writes=(away,), seen=1))),
            (dmz, steady(dmz, hold=hold)),
            (EDGE, steady(EDGE)),
            *((each, steady(each, paused=each.name == "lab")) for each in quiet),
        ],
        operation_s=3.0,
    )  # fmt: skip


def take(folder: Path) -> None:
    """Write all pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with world() as site, chromium() as browser:

        def opened(at: str, scheme: str, viewport: dict[str, int]) -> Any:
            page = browser.new_context(viewport=viewport, color_scheme=scheme).new_page()
            page.goto(f"{site.url}/ui{at}")
            page.wait_for_selector("main > section, .groups li")
            return page

        watching, phone = opened("#/edge", "light", {**DESK, "width": 860}), opened("#/edge", "dark", PHONE)
        overview, moving, small = (folder / name for name in PICTURES)
        opened("", "light", DESK).screenshot(path=overview)
        # A chart needs something to draw.
        for number in range(40):
            ms = 0.5 + (number * 7 % 5) / 10
            site.change(
                "edge", nvas={"fw-weu-1": nva_up(latency_ms=ms), "fw-weu-2": nva_up(latency_ms=ms + 0.3)}
            )
            for page in (watching, phone):
                page.evaluate("dispatchEvent(new Event('online'))")
            time.sleep(0.3)
        site.change("edge", nvas={"fw-weu-1": nva_down(failures=40, confirmed=40), "fw-weu-2": nva_up()})
        watching.get_by_role("button", name="Move to fw-weu-2").click()
        watching.get_by_role("button", name="Go on").click()
        watching.get_by_label("Reason").fill("does not answer")
        phone.wait_for_selector(".nva.down")
        watching.get_by_role("button", name="Move to fw-weu-2 now").click()
        watching.get_by_role("button", name="Dismiss").click()
        watching.wait_for_selector(".step.running")
        time.sleep(1.5)
        box, rim = watching.locator("main").bounding_box(), 12
        clip = {"x": box["x"] - rim, "y": box["y"] - rim, "width": box["width"] + 2 * rim}
        clip["height"] = box["height"] + 2 * rim
        watching.screenshot(path=moving, full_page=True, clip=clip)
        phone.screenshot(path=small)


def main() -> None:
    """Take the pictures; raises what the browser does if it cannot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    take(parser.parse_args().folder)


if __name__ == "__main__":
    main()
