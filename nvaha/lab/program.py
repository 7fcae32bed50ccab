"""What to type in another terminal."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """Return what to type in another terminal to run this very program's `nvaha`."""
    started = Path(sys.argv[0]).absolute()
    beside = Path(sys.executable).parent / "nvaha"
    ours = next((each for each in (started, beside) if each.stem == "nvaha" and each.is_file()), None)
    if ours is None:
        return f"{shlex.quote(sys.executable)} -m nvaha.cli"
    found = shutil.which("nvaha")
    if found is not None and Path(found).resolve() == ours.resolve():
        return "nvaha"
    return shlex.quote(str(ours))
