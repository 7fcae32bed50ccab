"""Asking NVAs whether they are alive."""

from nvaha.probes.prober import NetworkProber

__all__ = ["NetworkProber"]
