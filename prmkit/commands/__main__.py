"""``python -m prmkit.commands``: the command line, where its script is not installed."""

from prmkit.commands import main

main()
