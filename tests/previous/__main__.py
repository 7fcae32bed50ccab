"""`python -m tests.previous`: make the archive of the previous release from its commit; say its checksum."""

from __future__ import annotations

import hashlib
import json
import subprocess

from tests.previous import ARCHIVE, COMMIT, EXCLUDED, INCLUDED, RELEASE, Previous
from tests.previous.format import file_of, format_of


def main() -> None:
    """Write the archive, and what that release stores."""
    without = [f":(exclude){each}" for each in EXCLUDED]
    command = ["git", "archive", "--format=zip", "-9", f"--output={ARCHIVE}", COMMIT, "--"]
    subprocess.run([*command, *INCLUDED, *without], check=True)
    release = Previous(ARCHIVE)
    model = release("model")
    with release.in_place():
        file_of(RELEASE).write_text(json.dumps(format_of(model), indent=1) + "\n")
    print(f"{hashlib.sha256(ARCHIVE.read_bytes()).hexdigest()}  {ARCHIVE.name}")


if __name__ == "__main__":
    main()
