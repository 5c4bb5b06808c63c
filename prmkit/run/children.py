"""Processes of this Python that run a module of prmkit, for work beside this process.

Not by multiprocessing: its spawn runs the caller's ``__main__`` again, and a fork would copy torch's threads.
"""

import os
import sys


def module_command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module, to be started with ``module_environment``."""
    # -P: a file in the current folder must not take a library's place.
    return [sys.executable, "-P", "-m", module, *arguments]


def module_environment(**more: str) -> dict[str, str]:
    """This process's environment and its path of modules, and what is given besides."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path), **more}
