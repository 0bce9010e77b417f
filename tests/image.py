"""The container image: built by `make image`, run as a kubelet would, on a machine without a container engine.

Registries are not needed: the base is Debian's own, made by debootstrap. What is run sees the image as its root,
which it cannot write, as the user of the image, without capabilities; the network is this machine's.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.machine import SetupError, build_once, cache_root, require_debian_packages, run_logged

ROOT = Path(__file__).parent.parent
# With the Python that makes the wheels, where that is 3.11.
RELEASE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
# What the Containerfile installs stands here, too: then its apt-get fetches lists alone.
PACKAGES = "ca-certificates,git,openssh-client,python3-venv"
BASE = f"localhost/jsorc-base:{RELEASE}"
IMAGE = "localhost/jsorc-gitops:test"

# Makes the image our root, read-only but for what is mounted into it, and becomes its user, who may do nothing.
_ENTER = r"""
root=$1 user=$2; shift 2
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
while [ "$1" != -- ]; do mkdir -p "$root$2"; mount --bind "$1" "$root$2"; shift 2; done
shift
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs \
  --bounding-set=-all --inh-caps=-all env -i "$@"
"""


class Image:
    """A built image, mounted in the storage of a folder until it is closed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._container = _buildah(folder, "from", "--pull-never", IMAGE)
        self.root = Path(_buildah(folder, "mount", self._container))
        self.config: dict[str, Any] = json.loads(_buildah(folder, "inspect", self._container))["OCIv1"]["config"]

    @property
    def user(self) -> int:
        """The number of the user that it runs as; the group has the same."""
        user, _, group = str(self.config["User"]).partition(":")
        assert user == group
        return int(user)

    def start(
        self, command: Sequence[str], *, env: Mapping[str, str], mounts: Mapping[str, Path]
    ) -> subprocess.Popen[str]:
        """Start a command in it; `mounts` are folders by the paths at which it sees them."""
        known = dict(each.split("=", 1) for each in self.config["Env"])
        variables = [f"{name}={value}" for name, value in {**known, **env}.items()]
        pairs = [text for path, folder in mounts.items() for text in (str(folder), path)]
        enter = ["unshare", "--mount", "sh", "-ec", _ENTER, "sh", str(self.root), str(self.user), *pairs, "--"]
        return subprocess.Popen(
            [*enter, *variables, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def close(self) -> None:
        _buildah(self._folder, "rm", self._container)


def build_image(folder: Path) -> Image:
    """Build the image, with storage of its own in an empty folder; raise SetupError where that cannot be."""
    if os.geteuid() != 0:
        raise SetupError("building an image without a container engine takes root; run the tests as root")
    require_debian_packages({name: _make_check(name) for name in ("buildah", "debootstrap")})
    base = build_once(f"image-base-{RELEASE}-1", _make_base)
    _buildah(folder, "pull", "--quiet", f"oci-archive:{base / 'base.tar'}")
    builder = f"BUILDER={' '.join(_list_storage(folder))}"
    line = ["make", "--no-print-directory", "image", f"PYTHON={sys.executable}", builder, f"BASE={BASE}"]
    log = folder / "image.log"
    # Packages of others are the same for each run.
    env = {**_make_env(folder), "PIP_CACHE_DIR": str(cache_root() / "pip"), "BUILDAH_ISOLATION": "chroot"}
    run_logged([*line, f"IMAGE={IMAGE}"], log=log, env=env, cwd=ROOT)
    return Image(folder)


def _make_check(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


def _make_base(folder: Path) -> None:
    """Debian in an archive that buildah takes in."""
    log = folder / "build.log"
    options = ["--variant=minbase", f"--include={PACKAGES}"]
    run_logged(["debootstrap", *options, RELEASE, folder / "root", MIRROR], log=log)
    (folder / "Containerfile").write_text("FROM scratch\nCOPY root /\n")
    _buildah(folder, "build", "--isolation", "chroot", "--tag", BASE, str(folder))
    _buildah(folder, "push", "--quiet", BASE, f"oci-archive:{folder / 'base.tar'}:{BASE}")
    for name in ("root", "store", "run", "tmp"):
        shutil.rmtree(folder / name)


def _list_storage(folder: Path) -> list[str]:
    for name in ("store", "run", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    places = ["--root", str(folder / "store"), "--runroot", str(folder / "run")]
    return ["buildah", *places, "--storage-driver", "vfs"]


def _make_env(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder / "tmp")}


def _buildah(folder: Path, *arguments: str) -> str:
    line, env = [*_list_storage(folder), *arguments], _make_env(folder)
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise SetupError(f"buildah {arguments[0]} failed ({done.returncode}):\n{tail}")
    return done.stdout.strip()
