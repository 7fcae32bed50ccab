"""Lock what pyproject.toml asks for, for the deployed app, also with telemetry, the lab and the developers.

The same versions stand in all of them, but for OpenTelemetry's own, of which Azure Monitor's package asks for
certain ones; markers make each fit every supported Python.
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
        ("--extra", "telemetry", "--constraint", "-", "--output-file", "requirements/telemetry.txt"),
        ("--extra", "dev", "--constraint", "requirements.txt", "--output-file", "requirements/dev.txt"),
    ):
        subprocess.run([*COMMAND, *upgrade, *arguments], cwd=ROOT, check=True, input=_others(), text=True)


def _others() -> str:
    """Return what is locked for the app, without what is OpenTelemetry's."""
    locked = ROOT / "requirements.txt"
    lines = locked.read_text().splitlines() if locked.exists() else []
    return "\n".join(line for line in lines if not line.startswith("opentelemetry-"))


if __name__ == "__main__":
    main()
