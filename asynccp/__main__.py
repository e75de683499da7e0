"""`python -m asynccp`."""

from asynccp.cli import main

main()
