"""The machine, and versions of what every bench uses."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

JSORC = Path(sys.executable).with_name("jsorc")


def read_common_versions(packages: Sequence[str]) -> dict[str, str]:
    """The versions of jsorc (and its commit), of Python, of these packages and of git, by name."""
    return {
        "jsorc": version("jsorc-gitops"),
        "jsorc commit": ask("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"),
        "Python": platform.python_version(),
        **{name: version(name) for name in packages},
        "git": ask("git", "--version").rpartition(" ")[2],
    }


def read_kubectl_versions(kubectl: Path) -> dict[str, str]:
    """The versions of kubectl and of the kustomize within it."""
    told = json.loads(ask(str(kubectl), "version", "--client", "--output=json"))
    return {"kubectl": told["clientVersion"]["gitVersion"], "kustomize": told["kustomizeVersion"]}


def read_machine() -> dict[str, str | float]:
    """What the figures depend on; nothing that names the machine. `load`: how many others want a processor."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages * size / 2**30),
        "kernel": ".".join(platform.release().split(".")[:2]),
        "architecture": platform.machine(),
        "load": round(os.getloadavg()[0], 1),
    }


def find_filesystem(folder: Path) -> str:
    """The kind of file system a folder lies on, e.g. tmpfs."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    place = folder.resolve()
    around = [(point, kind) for _, point, kind, *_ in mounts if place.is_relative_to(point)]
    # Of two mounts on one point, the later one is seen.
    return max(enumerate(around), key=lambda each: (len(each[1][0]), each[0]))[1][1]


def ask(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
