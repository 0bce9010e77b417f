"""What a user installs: the wheel, without this checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with jsorc as the wheel holds it; its dependencies are those of the running environment."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def run(installed: Path, folder: Path, *arguments: str) -> str:
    # -P keeps the current folder, and so this checkout, off the import path.
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from jsorc_gitops.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def written(installed: Path, tmp_path: Path) -> Path:
    """A folder with this repository's jsorc.yaml, and what `jsorc init` adds to it for every service."""
    shutil.copy(ROOT / "jsorc.yaml", tmp_path)
    services = sorted(path.name for path in (ROOT / "templates").iterdir())
    run(installed, tmp_path, "init", *(f"--service={name}" for name in services))
    return tmp_path


def read(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_wheel_carries_the_services(written: Path) -> None:
    """`jsorc init` from the wheel writes any of the services that this repository has under templates/."""
    assert read(written / "templates") == read(ROOT / "templates")


def test_wheel_renders(installed: Path, written: Path) -> None:
    """What `jsorc init` writes renders, byte for byte, to the rendered/ of this repository."""
    run(installed, written, "render")

    assert read(written / "rendered") == read(ROOT / "rendered")
