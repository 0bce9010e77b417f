"""Installs Jaseci 1.4.2.6 once per user and interpreter: an environment of its own and a migrated database."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.machine import SetupError, build_once, require_debian_packages, run_logged, say

VERSION = "1.4.2.6"
ADMIN_EMAIL = "admin@example.com"
ADMIN_PASSWORD = "JaseciTest123"  # noqa: S105 - of a throw-away server that listens on loopback only
CONSTRAINTS = Path(__file__).with_name("constraints.txt")
PYTHONS = ("python3.11", "python3.10")  # numpy 1.23.5, which Jaseci pins, has wheels for no newer one
NO_PYTHON = "Jaseci needs Python 3.11 or 3.10 with venv: install python3.11 and python3.11-venv"
UV_VERSION = "0.13.9"
# Debian's python3.11 comes without ensurepip, and then makes no virtual environment.
PROBE = "import ensurepip, sys, venv; print(sys.base_prefix); print(*sys.version_info[:3], sep='.')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that can make an environment for Jaseci."""

    program: str
    version: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What a start needs; all in the cache, none of it written to afterwards (but `home`)."""

    jsserv: Path
    database: Path
    home: Path
    version: str = VERSION


def install() -> Installation:
    """Return the cached installation; build it where it is missing (about a minute). Raises SetupError."""
    require_debian_packages(
        {"redis-server": lambda: shutil.which("redis-server") is not None, "libmagic1": has_libmagic}
    )
    python = find_python()
    parts = [CONSTRAINTS.read_text(), python.version, python.prefix, ADMIN_EMAIL, ADMIN_PASSWORD]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
    folder = build_once(
        f"jaseci-{VERSION}-py{python.version}-{digest}", partial(build, python=python), relocatable=False
    )
    return Installation(jsserv=folder / "venv/bin/jsserv", database=folder / "mydatabase", home=folder / "home")


def has_libmagic() -> bool:
    """Whether this process could load the library that Jaseci's python-magic loads."""
    try:
        ctypes.CDLL("libmagic.so.1")
    except OSError:
        return False
    return True


def find_python() -> Interpreter:
    """The first Python 3.10 or 3.11 that runs and can make virtual environments. Raises SetupError."""
    for program in candidates():
        if found := probe(program):
            return found
    raise SetupError(NO_PYTHON)


def candidates() -> Iterator[str]:
    """Programs worth a probe, the costly ones (uv, which may download a Python) last."""
    yield sys.executable
    for name in PYTHONS:
        # All of PATH: the first hit may be a shim that only says which version is not selected.
        for folder in os.get_exec_path():
            if path := shutil.which(name, path=folder):
                yield path
    yield from uv_pythons()


def probe(program: str) -> Interpreter | None:
    """What `program` says of itself; None where it does not run, has no venv or is another version."""
    try:
        done = subprocess.run([program, "-I", "-c", PROBE], capture_output=True, text=True, check=False)
    except OSError:
        return None
    if done.returncode:
        return None
    prefix, version = done.stdout.splitlines()
    if f"python{version.rpartition('.')[0]}" not in PYTHONS:
        return None
    return Interpreter(program=program, version=version, prefix=prefix)


def install_uv(folder: Path) -> None:
    say(f"looking for a Python for Jaseci with uv {UV_VERSION}")
    log = folder / "install.log"
    run_logged([sys.executable, "-m", "venv", folder / "venv"], log=log)
    run_logged([folder / "venv/bin/python", "-I", "-m", "pip", "install", f"uv=={UV_VERSION}"], log=log)


def uv_pythons() -> Iterator[str]:
    """Pythons that uv finds on this machine, then one that it downloads. Raises SetupError when it cannot."""
    versions = [name.removeprefix("python") for name in PYTHONS]
    try:
        folder = build_once(f"uv-{UV_VERSION}", install_uv, relocatable=False)
        uv = folder / "venv/bin/uv"
        env = os.environ | {"UV_PYTHON_INSTALL_DIR": str(folder / "python")}
        for version in versions:
            yield from uv_find(uv, version, env=env)
        say(f"downloading Python {versions[0]} with uv")
        run_logged([uv, "python", "install", "--no-bin", versions[0]], log=folder / "python.log", env=env)
    except SetupError as failed:
        raise SetupError(f"{NO_PYTHON}; uv could not help: {failed}") from failed
    yield from uv_find(uv, versions[0], env=env)


def uv_find(uv: Path, version: str, *, env: dict[str, str]) -> list[str]:
    done = subprocess.run(
        [uv, "python", "find", "--system", version], capture_output=True, text=True, check=False, env=env
    )
    return done.stdout.split("\n")[:1] if done.returncode == 0 else []


def build(folder: Path, *, python: Interpreter) -> None:
    """Fill `folder` with venv/, home/ and mydatabase; its install.log has what the commands said."""
    begun = time.monotonic()
    say(f"setting up Jaseci {VERSION} with Python {python.version} in {folder}: once, about a minute")
    log = folder / "install.log"
    home = folder / "home"
    home.mkdir()
    run_logged([python.program, "-m", "venv", folder / "venv"], log=log, env=installer_env())
    pip: list[str | Path] = [
        folder / "venv/bin/python",
        "-I",
        "-m",
        "pip",
        "install",
        "--constraint",
        CONSTRAINTS,
    ]
    say(f"installing Jaseci's packages; progress in {log}")
    run_logged([*pip, "--upgrade", "pip", "setuptools", "wheel"], log=log, env=installer_env())
    # Django-allauth is named because pip on Python 3.10 misses the extra (with_social) that brings it.
    run_logged(
        [*pip, f"jaseci=={VERSION}", f"jaseci-serv=={VERSION}", "django-allauth"], log=log, env=installer_env()
    )
    say("preparing Jaseci's database")
    prepare_database(folder / "venv/bin/jsserv", folder, log=log)
    say(f"Jaseci {VERSION} is ready after {time.monotonic() - begun:.0f} s")


def prepare_database(jsserv: Path, folder: Path, *, log: Path) -> None:
    """Make mydatabase in `folder`, where home/ is, with one superuser."""
    env = server_env(folder / "home") | {
        "DJANGO_SUPERUSER_EMAIL": ADMIN_EMAIL,
        "DJANGO_SUPERUSER_PASSWORD": ADMIN_PASSWORD,
    }
    # The packages come without migrations of their own tables, hence the first command.
    for words in ("makemigrations base", "migrate", "createsuperuser --noinput"):
        run_logged([jsserv, *words.split()], log=log, env=env, cwd=folder)


def installer_env() -> dict[str, str]:
    """Our environment, with what configures pip, but without what would change where Python imports from."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def server_env(home: Path) -> dict[str, str]:
    """The few variables that Jaseci shall see.

    Dozens of names (KUBE_NAMESPACE, POSTGRES_HOST, …) would point it elsewhere, and its error pages
    show its whole environment.
    """
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
    inherited = {
        name: value
        for name, value in os.environ.items()
        # OPENBLAS_*: numpy 1.23.5 computes wrongly on some processors without.
        if name in kept or name.startswith("OPENBLAS_")
    }
    return inherited | {"HOME": str(home)}
