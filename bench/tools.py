"""The programs that are measured: where they are, their versions, and a setup that makes the missing ones."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from tests.controlplane.build import ensure_programs
from tests.jaseci.install import Interpreter, find_python, installer_env
from tests.machine import build_once, run_logged, say

CONSTRAINTS = Path(__file__).with_name("constraints.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Programs by their paths; a peer that is left out is None."""

    python: Path
    jsorc: Path
    kapitan: Path | None
    kubectl: Path | None


def setup_tools(*, kapitan: bool, kubectl: bool) -> Tools:
    """Find every program, installing kapitan and building kubectl where they are missing. Raises SetupError."""
    python = Path(sys.executable)
    return Tools(
        python=python,
        jsorc=python.with_name("jsorc"),
        kapitan=_install_kapitan() / "venv/bin/kapitan" if kapitan else None,
        kubectl=ensure_programs() / "kubectl" if kubectl else None,
    )


def read_versions(tools: Tools) -> dict[str, str]:
    """The version of everything that takes part, by name."""
    packages = ("click", "GitPython", "Jinja2", "jsonschema-rs", "PyYAML")
    versions = {
        "jsorc": version("jsorc-gitops"),
        "jsorc commit": _ask("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"),
        "Python": platform.python_version(),
        **{name: version(name) for name in packages},
        "git": _ask("git", "--version").rpartition(" ")[2],
    }
    if tools.kapitan:
        versions["kapitan"] = _ask(str(tools.kapitan), "--version")
        versions["Python of kapitan"] = _ask(str(tools.kapitan.with_name("python")), "--version").split()[1]
    if tools.kubectl:
        told = json.loads(_ask(str(tools.kubectl), "version", "--client", "--output=json"))
        versions["kubectl"] = told["clientVersion"]["gitVersion"]
        versions["kustomize"] = told["kustomizeVersion"]
    return versions


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


def _install_kapitan() -> Path:
    python = find_python()
    digest = hashlib.sha256(f"{CONSTRAINTS.read_text()}\n{python.prefix}".encode()).hexdigest()[:8]
    name = f"kapitan-{_read_pin('kapitan')}-py{python.version}-{digest}"
    return build_once(name, partial(_fill_kapitan, python=python), relocatable=False)


def _fill_kapitan(folder: Path, *, python: Interpreter) -> None:
    say(f"installing kapitan {_read_pin('kapitan')} with Python {python.version}: once, half a minute")
    log = folder / "install.log"
    run_logged([python.program, "-m", "venv", folder / "venv"], log=log, env=installer_env())
    pip = folder / "venv/bin/pip"
    run_logged(
        [pip, "install", "--constraint", CONSTRAINTS, "kapitan", "rapidyaml"], log=log, env=installer_env()
    )


def _read_pin(package: str) -> str:
    lines = CONSTRAINTS.read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{package}=="))


def _ask(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
