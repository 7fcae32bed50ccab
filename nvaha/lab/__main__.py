"""The lab alone: `python -m nvaha.lab demo`."""

from __future__ import annotations

from nvaha.lab.commands import lab

if __name__ == "__main__":
    lab()
