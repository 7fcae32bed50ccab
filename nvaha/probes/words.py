"""What went wrong with a probe, in few words: they end up in status, logs and alerts."""

from __future__ import annotations

import errno
import socket
import ssl

from nvaha.text import safe, shortened

_BY_NUMBER = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.ENETDOWN: "no network on the monitor",
    errno.ETIMEDOUT: "timed out",
    errno.EACCES: "not permitted on the monitor",
    errno.EPERM: "not permitted on the monitor",
    errno.EMFILE: "too many open files on the monitor",
    errno.ENFILE: "too many open files on the monitor",
    errno.EADDRNOTAVAIL: "no free port on the monitor",
}
_LONGEST = 100


class OddAnswer(ValueError):
    """What came is no answer; its text says why in few words."""


def timed_out(timeout_s: float) -> str:
    """Return the words for an answer that did not come in time."""
    return f"timed out after {timeout_s:.1f} s" if timeout_s >= 0.1 else f"timed out after {timeout_s:g} s"


def of_error(error: BaseException) -> str:
    """Return the words for what the network or TLS said."""
    if isinstance(error, socket.gaierror):
        return "name not found"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _said("certificate not trusted", error.verify_message)
    if isinstance(error, ssl.SSLError):
        return _said("TLS failed", error.reason)
    if isinstance(error, OSError) and error.errno in _BY_NUMBER:
        return _BY_NUMBER[error.errno]
    if isinstance(error, OddAnswer):
        return str(error)
    return _said(type(error).__name__, error)


def _said(what: str, why: object) -> str:
    """Return words that end with somebody else's, an NVA's or a library's."""
    return shortened(safe(f"{what}: {why}"), _LONGEST)
