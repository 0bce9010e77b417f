"""The programs that are measured: where they are, their versions, and a setup that makes the missing ones."""

import hashlib
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.tools import ask, read_common_versions, read_kubectl_versions
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
    versions = read_common_versions(("click", "GitPython", "Jinja2", "jsonschema-rs", "PyYAML"))
    if tools.kapitan:
        versions["kapitan"] = ask(str(tools.kapitan), "--version")
        versions["Python of kapitan"] = ask(str(tools.kapitan.with_name("python")), "--version").split()[1]
    if tools.kubectl:
        versions |= read_kubectl_versions(tools.kubectl)
    return versions


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
