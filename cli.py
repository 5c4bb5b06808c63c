"""The launcher for programs that want a file, such as ``torchrun cli.py train RECIPE``."""

from prmkit.commands import main

main()
