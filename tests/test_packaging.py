"""What a user installs: the wheel, without this checkout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


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


def test_wheel_carries_the_services(installed: Path, tmp_path: Path) -> None:
    """`jsorc init` from the wheel writes the services that this repository has under templates/."""
    run(installed, tmp_path, "init")

    shipped = {path.relative_to(ROOT): path.read_bytes() for path in (ROOT / "templates").rglob("*.y*")}
    written = {path.relative_to(tmp_path): path.read_bytes() for path in (tmp_path / "templates").rglob("*.y*")}
    assert written == shipped


def test_wheel_renders(installed: Path, tmp_path: Path) -> None:
    """What `jsorc init` writes renders, byte for byte, to the rendered/ of this repository."""
    run(installed, tmp_path, "init")
    run(installed, tmp_path, "render")

    expected = {path.relative_to(ROOT): path.read_text() for path in (ROOT / "rendered").rglob("*.yaml")}
    rendered = {path.relative_to(tmp_path): path.read_text() for path in (tmp_path / "rendered").rglob("*.yaml")}
    assert rendered == expected
