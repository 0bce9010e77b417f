"""Finds the definitions in Jaseci's packages; older ones are installed for that, and live on the newest one's."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.jaseci.install import install, installer_env
from tests.machine import build_once, run_logged, say

# One with build_kube and one with build_manifest, and what they import and 1.4.2.6 does not.
EXTRAS = {"1.3.6.2": (), "1.3.6.8": ("metadata-parser==0.12.3", "requests-toolbelt==1.0.0")}


def find_manifests() -> Path:
    """The folder of the YAML files that Jaseci 1.4.2.6 ships."""
    return _find_packages(install().jsserv.parents[1]) / "jaseci/jsorc/manifests"


def read_jsorcs(manifest: str, *, namespace: str) -> list[dict[str, Any]]:
    """The objects of one of these files as JsOrc makes them: in one namespace, whose name is filled in."""
    text = re.sub(r"\$j\{[^}]*\}", namespace, (find_manifests() / f"{manifest}.yaml").read_text())
    return [body for body in yaml.safe_load_all(text) if body]


def install_older(version: str) -> Path:
    """The Python that has this Jaseci; installed where it is missing (seconds). Raises SetupError."""
    newest = install().jsserv.with_name("python")
    extras = "".join(f"-{each}" for each in EXTRAS[version])
    key = f"jaseci-{version}{extras}-beside-{newest.parents[2].name}"
    return build_once(key, partial(_build, newest=newest, version=version), relocatable=False) / "venv/bin/python"


def _build(folder: Path, *, newest: Path, version: str) -> None:
    say(f"setting up the packages of Jaseci {version} in {folder}")
    log = folder / "install.log"
    run_logged([newest, "-m", "venv", "--without-pip", folder / "venv"], log=log, env=installer_env())
    packages = _find_packages(folder / "venv")
    pip: list[str | Path] = [
        newest,
        "-I",
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        packages,
    ]
    run_logged([*pip, f"jaseci=={version}", *EXTRAS[version]], log=log, env=installer_env())
    (packages / "newest.pth").write_text(f"{_find_packages(newest.parents[1])}\n")


def _find_packages(environment: Path) -> Path:
    [folder] = environment.glob("lib/python3.*/site-packages")
    return folder
