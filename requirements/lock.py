"""Lock what pyproject.toml asks for, for the deployed app, the lab and the developers.

The same versions stand in all three; markers make each fit every supported Python.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMAND = (
    sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11",
    "--no-emit-index-url", "--no-emit-find-links", "--no-annotate",
    "--custom-compile-command", "make lock", "pyproject.toml",
)  # fmt: skip


def main() -> None:
    """Write the three files; raises CalledProcessError if that fails."""
    upgrade = ("--upgrade",) if "--upgrade" in sys.argv else ()
    for arguments in (
        ("--output-file", "requirements.txt"),
        ("--extra", "lab", "--constraint", "requirements.txt", "--output-file", "requirements/lab.txt"),
        ("--extra", "dev", "--constraint", "requirements.txt", "--output-file", "requirements/dev.txt"),
    ):
        subprocess.run([*COMMAND, *upgrade, *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
