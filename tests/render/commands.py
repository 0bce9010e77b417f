"""jsorc as a process of its own, and what it leaves with the user."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of jsorc leaves with the user."""

    code: int
    out: str
    err: str


def start(*arguments: str, cwd: Path, **environment: str) -> Outcome:
    """Run jsorc as a process of its own."""
    command = [sys.executable, "-m", "jsorc_gitops", *arguments]
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr)
