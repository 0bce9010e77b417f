"""Installs older Jasecis, which live on the packages of the newest one, and finds the definitions in them."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tests.jaseci.install import Installation, install, installer_env, prepare_database
from tests.machine import build_once, run_logged, say

# What they import and 1.4.2.6 does not. 1.3.6.2 pins Python 3.10 by its numpy alone, and runs with a newer one.
_SOCIAL = ("metadata-parser==0.12.3", "requests-toolbelt==1.0.0")
EXTRAS: dict[str, tuple[str, ...]] = {
    "1.3.6.2": (),
    "1.3.6.8": _SOCIAL,
    "1.4.0.9": _SOCIAL,
    "1.4.0.19": (*_SOCIAL, "gprof2dot==2022.7.29"),
    "1.4.0.20": _SOCIAL,
}


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


def install_older_server(version: str) -> Installation:
    """An older Jaseci whose server can be started; built where it is missing (some 15 s). Raises SetupError."""
    newest = install().jsserv.with_name("python")
    key = f"jaseci-{version}-server-beside-{newest.parents[2].name}"
    folder = build_once(key, partial(_build_server, newest=newest, version=version), relocatable=False)
    return Installation(
        jsserv=folder / "jsserv", database=folder / "mydatabase", home=folder / "home", version=version
    )


def _build(folder: Path, *, newest: Path, version: str, server: bool = False) -> None:
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
    wanted = [f"jaseci=={version}", *([f"jaseci-serv=={version}"] if server else []), *EXTRAS[version]]
    run_logged([*pip, *wanted], log=log, env=installer_env())
    (packages / "newest.pth").write_text(f"{_find_packages(newest.parents[1])}\n")


def _build_server(folder: Path, *, newest: Path, version: str) -> None:
    _build(folder, newest=newest, version=version, server=True)
    # The script that pip wrote names the Python that ran pip.
    script = (_find_packages(folder / "venv") / "bin/jsserv").read_text().partition("\n")[2]
    (folder / "jsserv").write_text(f"#!{folder / 'venv/bin/python'}\n{script}")
    (folder / "jsserv").chmod(0o755)
    (folder / "home").mkdir()
    prepare_database(folder / "jsserv", folder, log=folder / "install.log")


def _find_packages(environment: Path) -> Path:
    [folder] = environment.glob("lib/python3.*/site-packages")
    return folder
