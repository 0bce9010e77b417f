"""The container image, built of the Containerfile and run as a kubelet would run it, on a machine without an engine.

Registries are not needed: the base is Debian's own, made by debootstrap. What is run sees the image as its root,
which it cannot write, as the user of the image, without capabilities; the network is this machine's.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.machine import SetupError, build_once, require_debian_packages, run_logged

ROOT = Path(__file__).parent.parent
CONSTRAINTS = ROOT / "tests" / "constraints.txt"
# Of the same Python as the one that makes the wheels, where that is Debian's 3.11.
RELEASE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
# What the Containerfile installs stands here, too: then its apt-get has nothing to fetch but lists.
PACKAGES = "ca-certificates,git,openssh-client,python3-venv"
BASE = f"localhost/jsorc-base:{RELEASE}"

_VERSION = f"{RELEASE}-py{sys.version_info.major}.{sys.version_info.minor}-1"

# Makes the image our root, read-only but for what is mounted, and becomes its user without any right.
_ENTER = r"""
root=$1 user=$2; shift 2
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
while [ "$1" != -- ]; do mkdir -p "$root$2"; mount --bind "$1" "$root$2"; shift 2; done
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs \
  --bounding-set=-all --inh-caps=-all "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A command that ran in the image to its end."""

    output: str
    code: int


class Image:
    """A built image, mounted."""

    def __init__(self, folder: Path, name: str) -> None:
        """Mount it; `close` unmounts it."""
        self._folder = folder
        self._container = _buildah(folder, "from", "--pull-never", name).strip()
        self._root = Path(_buildah(folder, "mount", self._container).strip())
        self.config: dict[str, Any] = json.loads(_buildah(folder, "inspect", self._container))["OCIv1"]["config"]

    @property
    def user(self) -> str:
        """The number of the user that it runs as."""
        user, _, group = str(self.config["User"]).partition(":")
        assert user == group
        return user

    def measure(self, path: str = "") -> int:
        """Bytes of what lies below a folder."""
        listing = subprocess.run(
            ["du", "--summarize", "--bytes", self._root / path], capture_output=True, text=True, check=True
        )
        return int(listing.stdout.split()[0])

    def run(
        self, arguments: Sequence[str], *, env: Mapping[str, str], mounts: Mapping[str, Path], program: str = ""
    ) -> Ran:
        """Run its entry point, or another program, with these arguments; `mounts` are folders by their paths in it."""
        # What is bound into a pod is its user's to write.
        pairs = [text for path, folder in mounts.items() for text in (str(folder), path)]
        known = dict(each.split("=", 1) for each in self.config["Env"])
        variables = [f"{name}={value}" for name, value in {**known, **env}.items()]
        entry = [program] if program else self.config["Entrypoint"]
        line = ["unshare", "--mount", "sh", "-ec", _ENTER, "sh", str(self._root), self.user, *pairs, "--"]
        done = subprocess.run(
            [*line, "env", "-i", *variables, *entry, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Ran(output=done.stdout, code=done.returncode)

    def close(self) -> None:
        _buildah(self._folder, "rm", self._container)


def build_image(folder: Path) -> Image:
    """Build the image with buildah, in a scratch folder for its work; raise SetupError where that cannot be."""
    if os.geteuid() != 0:
        raise SetupError("building an image without a container engine takes root; run the tests as root")
    require_debian_packages({name: _finds(name) for name in ("buildah", "debootstrap")})
    base = build_once(f"image-base-{_VERSION}", _make_base)
    context = folder / "context"
    _make_wheels(context / "build" / "wheels")
    for name in ("Containerfile", ".containerignore"):
        shutil.copy(ROOT / name, context)
    _buildah(folder, "pull", "--quiet", f"oci-archive:{base / 'base.tar'}")
    (image,) = _buildah(folder, "images", "--quiet", "--filter", "dangling=false").split() or [""]
    _buildah(folder, "tag", image, BASE)
    command = ["bud", "--isolation", "chroot", "--build-arg", f"BASE={BASE}", "--tag", "localhost/jsorc:test"]
    _buildah(folder, *command, "--ignorefile", str(context / ".containerignore"), str(context))
    return Image(folder, "localhost/jsorc:test")


def _finds(name: str) -> Any:
    return lambda: bool(shutil.which(name))


def _make_base(folder: Path) -> None:
    """Debian as an archive that buildah can take in."""
    log, tree = folder / "build.log", folder / "root"
    run_logged(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, tree, MIRROR], log=log)
    (folder / "Containerfile").write_text("FROM scratch\nCOPY root /\n")
    _buildah(folder, "bud", "--isolation", "chroot", "--tag", BASE, str(folder))
    _buildah(folder, "push", "--quiet", BASE, f"oci-archive:{folder / 'base.tar'}:{BASE}")
    for name in ("root", "store", "run", "tmp"):
        shutil.rmtree(folder / name)


def _make_wheels(folder: Path) -> None:
    """What `make image` makes; packages of others once for each version of what is asked for."""
    python = [sys.executable, "-m", "pip", "wheel", "--quiet"]
    log = folder.parent / "wheels.log"
    folder.parent.mkdir(parents=True)

    def fill(made: Path) -> None:
        command = [*python, "--constraint", CONSTRAINTS, "--wheel-dir", made, ROOT]
        run_logged(command, log=log)

    asked = (ROOT / "pyproject.toml").read_bytes() + CONSTRAINTS.read_bytes()
    import hashlib

    key = f"wheels-py{sys.version_info.major}.{sys.version_info.minor}-{hashlib.sha256(asked).hexdigest()[:12]}"
    shutil.copytree(build_once(key, fill), folder)
    run_logged([*python, "--no-deps", "--wheel-dir", folder, ROOT], log=log)


def _buildah(folder: Path, *arguments: str) -> str:
    for name in ("store", "run", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    storage = ["--root", folder / "store", "--runroot", folder / "run", "--storage-driver", "vfs"]
    done = subprocess.run(
        ["buildah", *storage, *arguments],
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise SetupError(f"buildah {arguments[0]} failed ({done.returncode}):\n{tail}")
    return done.stdout
