"""Ending a program that the lab has started."""

from __future__ import annotations

import asyncio
import subprocess


async def end(process: subprocess.Popen[bytes] | None, *, asking_s: float) -> None:
    """End a process that may have ended, or never started, and wait until it has.

    Args:
        process: what to end.
        asking_s: so long it may take to end in good order; 0 to end it at once, as a crash would.
    """
    if process is None or process.poll() is not None:
        return
    if asking_s > 0:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, asking_s)
        except subprocess.TimeoutExpired:
            pass
        else:
            return
    process.kill()
    await asyncio.to_thread(process.wait)
