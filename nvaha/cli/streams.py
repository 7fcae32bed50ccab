"""Standard input and output as a command can rely on them, whoever closed them, and when."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from pathlib import Path
from typing import TextIO

_LEFT = {errno.EPIPE, errno.ECONNRESET}


class Outlet(io.RawIOBase):
    """A descriptor to write to that never raises: what happened is told by `trouble`, and the rest dropped.

    So a command whose reader has left goes on to its own end, and its exit code says how that was.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.trouble: OSError | None = None

    @property
    def unread(self) -> bool:
        """Whether nobody sees any more what is written."""
        return self.trouble is not None

    def write(self, data: object, /) -> int:
        """Write what can be written, and take the rest for written."""
        piece = memoryview(data)  # type: ignore[arg-type]
        if self.trouble is None:
            try:
                return os.write(self._descriptor, piece)
            except OSError as error:
                self.trouble = error
        return piece.nbytes

    def writable(self) -> bool:
        """Say so to the layers above."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""
        return os.isatty(self._descriptor)


_outlets: dict[str, Outlet] = {}


def settle() -> None:
    """Give the process an input and outputs that cannot break, once; a test's own are only reconfigured.

    A stream that was closed when the process began is none at all in Python; it becomes the null device.
    """
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - open as long as the process
    for name, original in (("stdout", sys.__stdout__), ("stderr", sys.__stderr__)):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as above
        elif stream is original and isinstance(stream, io.TextIOWrapper) and name not in _outlets:
            setattr(sys, name, _over_outlet(name, stream))
        elif isinstance(stream, io.TextIOWrapper):  # an ASCII terminal must not break on an arrow
            stream.reconfigure(errors="replace")


def _over_outlet(name: str, stream: io.TextIOWrapper) -> io.TextIOWrapper:
    outlet = _outlets[name] = Outlet(stream.fileno())
    return io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=name == "stderr" or outlet.isatty(),
    )


def undisturbed() -> None:
    """Let no Ctrl-C cut off the sentence with which the process is about to leave."""
    if _outlets:  # not inside a test's process
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def nobody_reads() -> bool:
    """Tell whether what goes to standard output is lost by now."""
    sys.stdout.flush()
    return "stdout" in _outlets and _outlets["stdout"].unread


def lost_output() -> str | None:
    """Return why standard output could not be written, unless its reader has just left."""
    if not nobody_reads():
        return None
    trouble = _outlets["stdout"].trouble
    return None if trouble is None or trouble.errno in _LEFT else trouble.strerror or str(trouble)
