"""Lets `python -m nvaha.cli` be the `nvaha` command."""

from nvaha.cli.start import main

main()
