"""Lets `python -m nvaha.cli` be the `nvaha` command."""

from nvaha.cli.main import main

main()
