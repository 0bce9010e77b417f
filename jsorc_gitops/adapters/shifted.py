"""Runs a module of jsorc in a process that sees another clock, hash seed, time zone, locale, order of folders."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from jsorc_gitops.adapters.python import SHIFTED
from jsorc_gitops.adapters.python_child import reverse_folders, shift_clock

_PATIENCE = 10  # seconds for a child to end what it started


def run_shifted(module: str, request: Mapping[str, Any]) -> Any:
    """What the module prints when `shift` has given it the request, both in JSON."""
    environment = {**os.environ, **SHIFTED, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-P", "-m", module]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment) as child:  # noqa: S603
        try:
            answer, words = child.communicate(json.dumps(request).encode())
        except BaseException:
            _end(child)
            raise
    if child.returncode:
        raise RuntimeError(f"{module} ended with {child.returncode}: {words.decode(errors='replace')}")
    return json.loads(answer)


def shift() -> Any:
    """Make the rest of this process see another clock and order of folders; return the request to it."""
    shift_clock()
    reverse_folders()
    return json.load(sys.stdin)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Have it end as on ^C, so that nothing stays that it has started."""
    child.send_signal(signal.SIGINT)
    try:
        child.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
