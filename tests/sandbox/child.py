"""Code that changes its own process for good, run in an interpreter of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import prmkit

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(prmkit.__file__).parents[1])}


def in_child(program: str, *arguments: object) -> Any:
    """The JSON that a program prints. It finds its arguments in ``given``, and imported what is imported below."""
    head = (
        "import json, os, resource, signal, socket, sys, time\n"
        "from prmkit.sandbox import confine, seccomp, zygote\n"
        "given = json.loads(sys.argv[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", head + program, json.dumps(arguments, default=str)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
