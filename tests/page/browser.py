"""Debian's Chromium, driven by Playwright; one for all who ask."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
FONTS = "--font-render-hinting=none"
"""The same picture on every machine that has the same fonts."""


def program() -> str | None:
    """Return the path of a Chromium, or None if there is none here."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def required() -> bool:
    """Tell whether a missing browser is a failure: where nothing may be left out."""
    return bool(os.environ.get("CI"))


@contextmanager
def chromium() -> Iterator[Any]:
    """Run a browser with a profile of its own, which is gone afterwards."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - costs half a second

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program(), args=[*ARGUMENTS, FONTS])
        try:
            yield browser
        finally:
            browser.close()
