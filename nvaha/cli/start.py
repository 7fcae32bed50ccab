"""Where the `nvaha` command begins: Ctrl-C is answered in words also while the rest is still being loaded."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the `nvaha` command."""
    try:
        from nvaha.cli.main import main as run  # noqa: PLC0415 - it takes a while

        run()
    except KeyboardInterrupt:
        if sys.stderr is not None:
            sys.stderr.write("Error: stopped by Ctrl-C\n")
        sys.exit(130)
