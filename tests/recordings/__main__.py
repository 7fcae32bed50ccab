"""Make the documentation's pictures: `python -m tests.recordings [--to docs/pictures] [NAME …]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.recordings.scenes import PICTURES

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"


def main() -> None:
    """Make all of them, or those that are named; raises what goes wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PICTURES)}; all by default")
    parser.add_argument("--to", type=Path, default=FOLDER, help="the folder")
    given = parser.parse_args()
    if unknown := set(given.names) - set(PICTURES):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    given.to.mkdir(parents=True, exist_ok=True)
    for make in dict.fromkeys(PICTURES[name] for name in given.names or PICTURES):
        make(given.to)


if __name__ == "__main__":
    main()
