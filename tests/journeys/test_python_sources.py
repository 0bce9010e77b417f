"""What Python definitions are made from counts like templates/: for a commit, and for what is remembered."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.render.commands import Outcome, start
from tests.render.worktree import Worktree, put

JOBS = """\
import glob, os
from fleet.base import make
here = os.path.dirname(__file__)
DATA = {name: open(os.path.join(here, "data", name)).read() for name in sorted(os.listdir(f"{here}/data"))}
KUBE = {"ConfigMap": [make("jobs", DATA)]}
"""
BASE = """\
def make(name, data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
"""
FILES = {
    "jsorc.yaml": "",
    "templates/jobs/service.yaml": "python: fleet.jobs:KUBE\n",
    "fleet/__init__.py": "",
    "fleet/jobs.py": JOBS,
    "fleet/base.py": BASE,
    "fleet/data/a": "1",
    "other/notes.md": "",
}
CHANGED = BASE.replace('"data": data', '"data": {**data, "b": "2"}')
UP_TO_DATE = Outcome(0, "rendered/ is up to date: 3 objects.\n", "")
RECALLED = Outcome(0, "rendered/ is up to date: 99 objects.\n", "")


def refuse(name: str) -> Outcome:
    message = "is not committed, but a render commit names its source; commit it or pass --allow-dirty"
    return Outcome(1, "", f"jsorc: {name} {message}\n")


@pytest.fixture
def work(tmp_path: Path) -> Worktree:
    """A folder of a repository with a Python definition, rendered and committed."""
    work = Worktree(tmp_path / "work", folder="deploy")
    work.commit(FILES)
    assert start("render", "--commit", cwd=work.root).code == 0
    return work


def spell_place(work: Worktree, name: str) -> str:
    """As git spells it."""
    return (work.root / name).relative_to(work.path).as_posix()


def ignore_helper(work: Worktree) -> None:
    work.commit({".gitignore": "helper.py\n", "fleet/base.py": f"import fleet.helper\n{BASE}"})
    work.write({"fleet/helper.py": ""})


def ignore_folder(work: Worktree) -> None:
    work.commit({".gitignore": "vendor/\n", "fleet/base.py": f"import vendor.helper\n{BASE}"})
    work.write({"vendor/helper.py": ""})


def read_hidden(work: Worktree) -> None:
    work.commit({".gitignore": ".env\n", "fleet/base.py": f"open({str(work.root / '.env')!r}).read()\n{BASE}"})
    work.write({".env": ""})


def stage_base(work: Worktree) -> None:
    work.write({"fleet/base.py": CHANGED})
    work.git("add", "--all")


def stage_and_restore(work: Worktree) -> None:
    stage_base(work)
    work.write({"fleet/base.py": BASE})


def remove_data(work: Worktree) -> None:
    work.write({"fleet/data/b": ""})
    work.commit()
    (work.root / "fleet/data/b").unlink()


def lead_elsewhere(work: Worktree) -> None:
    """A link is as committed, and leads to a file that is not."""
    work.write({"fleet/real": "1"})
    (work.root / "fleet/data/a").unlink()
    (work.root / "fleet/data/a").symlink_to("../real")
    work.commit()
    work.write({"fleet/real": "2"})


DIRTY: dict[str, tuple[Callable[[Worktree], object], str]] = {
    "a module": (lambda work: work.write({"fleet/jobs.py": f"{JOBS}\n"}), "fleet/jobs.py"),
    "an imported module": (lambda work: work.write({"fleet/base.py": CHANGED}), "fleet/base.py"),
    "a staged module": (stage_base, "fleet/base.py"),
    "one staged, and back as it was": (stage_and_restore, "fleet/base.py"),
    "a file that was read": (lambda work: work.write({"fleet/data/a": "2"}), "fleet/data/a"),
    "a file in a folder that was listed": (lambda work: work.write({"fleet/data/b": ""}), "fleet/data/b"),
    "a file that is missing there": (remove_data, "fleet/data/b"),
    "what a link leads to": (lead_elsewhere, "fleet/real"),
    "a module that git ignores": (ignore_helper, "fleet/helper.py"),
    "one in a folder that git ignores": (ignore_folder, "vendor/"),
    "a hidden file that git ignores": (read_hidden, ".env"),
}


@pytest.mark.parametrize("what", DIRTY)
def test_sources_that_are_not_committed(work: Worktree, what: str) -> None:
    """Whatever a definition imports, reads or lists must be as committed; it is named, and nothing is written."""
    make_dirty, name = DIRTY[what]
    make_dirty(work)
    before = work.snapshot()

    outcome = start("render", "--commit", cwd=work.root)

    # What git ignores as a folder it tells as one, or file by file.
    named = outcome.err.removeprefix("jsorc: ").partition(" ")[0]
    assert named.startswith(spell_place(work, name)), outcome.err
    assert outcome == refuse(named)
    assert work.snapshot() == before


@pytest.mark.parametrize("options", [["--commit"], ["--branch", "rendered"]])
def test_sources_may_be_dirty_where_that_is_allowed(work: Worktree, options: list[str]) -> None:
    """Another branch wants committed sources as well, and --allow-dirty is for them, too."""
    work.write({"fleet/base.py": CHANGED})
    before = work.snapshot()

    assert start("render", *options, cwd=work.root) == refuse("deploy/fleet/base.py")
    assert work.snapshot() == before
    assert start("render", *options, "--allow-dirty", cwd=work.root).code == 0


def test_what_no_definition_reads_may_be_dirty(work: Worktree) -> None:
    """Files that the definition has nothing to do with, and compiled modules, are nobody's source."""
    subprocess.run([sys.executable, "-c", "import fleet.base"], cwd=work.root, check=True)
    work.commit({".gitignore": "__pycache__/\n", "fleet/base.py": CHANGED})
    subprocess.run([sys.executable, "-c", "import fleet.base"], cwd=work.root, check=True)
    work.write({"other/notes.md": "x", "other/new.py": "", "fleet/new.py": "", "new.py": ""})

    assert start("render", "--commit", cwd=work.root).code == 0


def test_packages_are_no_sources(work: Worktree, tmp_path: Path) -> None:
    """What the interpreter has installed does not count, in an environment within the repository neither."""
    venv = work.root / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    [packages] = venv.glob("lib/python*/site-packages")
    put(packages, {"theirs.py": ""})
    put(tmp_path, {"outside.py": ""})
    code = f"import sys, theirs, sqlite3\nsys.path.append({str(tmp_path)!r})\nimport outside\n{BASE}"
    work.write({".gitignore": "env/\n", "fleet/base.py": code})
    work.commit()

    done = start("render", "--commit", "--python", "env/bin/python", cwd=work.root)

    assert (done.code, done.err) == (0, "")


def test_a_submodule(tmp_path: Path) -> None:
    """Modules of a submodule count as the commit of it that the repository names."""
    other = Worktree(tmp_path / "other")
    other.commit({"base.py": BASE, "__init__.py": ""})
    work = Worktree(tmp_path / "work")
    work.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.path), "shared")
    work.commit({**FILES, "fleet/base.py": "from shared.base import make"})
    assert start("render", "--commit", cwd=work.root).code == 0

    work.write({"shared/base.py": CHANGED})

    assert start("render", "--commit", cwd=work.root) == refuse("shared")


def test_a_file_beside_the_folder(tmp_path: Path) -> None:
    """In a larger repository, what a definition reads outside of its folder is a source as well."""
    work = Worktree(tmp_path / "work", folder="deploy")
    code = f"import pathlib\npathlib.Path(__file__).parents[2].joinpath('version').read_text()\n{BASE}"
    work.commit({**FILES, "fleet/base.py": code, "../version": "1"})
    assert start("render", "--commit", cwd=work.root).code == 0

    work.write({"../version": "2"})

    assert start("render", "--commit", cwd=work.root) == refuse("version")


def test_what_others_pushed_reads_a_file_that_only_we_have(tmp_path: Path) -> None:
    """Rendering again for a push looks at the sources again; HEAD goes back to where it was."""
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "server"], check=True)
    mine, theirs = Worktree(tmp_path / "mine"), Worktree(tmp_path / "theirs")
    mine.commit(FILES)
    start("render", "--commit", cwd=mine.root)
    for each in (mine, theirs):
        each.git("remote", "add", "origin", str(tmp_path / "server"))
    mine.git("push", "--quiet", "--set-upstream", "origin", "main")
    theirs.git("pull", "--quiet", "origin", "main")
    theirs.commit({"fleet/base.py": f"try:\n  import fleet.helper\nexcept ImportError: pass\n{BASE}"})
    theirs.git("push", "--quiet", "origin", "main")
    mine.write({"fleet/helper.py": ""})
    start("render", "--commit", "--allow-prune", "jobs", cwd=mine.root)
    before = mine.snapshot()

    done = start("render", "--commit", "--push", cwd=mine.root)

    assert (done.code, done.err) == (1, refuse("fleet/helper.py").err)
    assert mine.snapshot() == before


@pytest.fixture
def memo(tmp_path: Path) -> Path:
    """A rendered folder, and the memo of it, which claims 99 objects so that its use shows."""
    put(tmp_path / "repository", FILES)
    return render_and_mark(tmp_path)


def render_and_mark(folder: Path) -> Path:
    assert run(folder).code == 0
    assert run(folder).code == 0
    [memo] = (folder / "cache" / "jsorc").iterdir()
    memo.write_text(json.dumps({**json.loads(memo.read_text()), "objects": 99}))
    return memo


def run(folder: Path, *options: str, **environment: str) -> Outcome:
    environment = {"XDG_CACHE_HOME": str(folder / "cache"), **environment}
    return start("render", *options, cwd=folder / "repository", **environment)


@pytest.mark.usefixtures("memo")
def test_nothing_changed_is_recalled(tmp_path: Path) -> None:
    """With Python definitions, too, a run that changes nothing is known without building them."""
    assert [run(tmp_path), run(tmp_path, "--check")] == [RECALLED, RECALLED]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fleet/jobs.py", f"{JOBS}\n"),
        ("fleet/base.py", f"{BASE}\n"),
        ("fleet/data/a", "1\n"),
        ("fleet/glob.py", ""),
        ("templates/jobs/glob.py", ""),
        ("glob.py", ""),
    ],
)
@pytest.mark.usefixtures("memo")
def test_another_source_is_built(tmp_path: Path, name: str, text: str) -> None:
    """A module, helper or data file that changed, or a new one that may go before another, is looked at."""
    put(tmp_path / "repository", {name: text})

    assert run(tmp_path).out != RECALLED.out


@pytest.mark.usefixtures("memo")
def test_a_file_more_or_less_in_a_listed_folder(tmp_path: Path) -> None:
    """A folder that a definition lists is looked at by the names in it."""
    put(tmp_path / "repository", {"fleet/data/b": ""})
    assert "data.b" in run(tmp_path).out
    render_and_mark(tmp_path)
    assert run(tmp_path) == RECALLED

    (tmp_path / "repository/fleet/data/b").unlink()

    assert run(tmp_path, "--check").code == 6


@pytest.mark.usefixtures("memo")
def test_another_interpreter_is_asked(tmp_path: Path) -> None:
    """What one Python built, another one may build otherwise; the same one with another package, too."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = f"--python={venv}/bin/python"
    assert run(tmp_path, python) == UP_TO_DATE

    memo = next((tmp_path / "cache/jsorc").iterdir())
    memo.write_text(json.dumps({**json.loads(memo.read_text()), "objects": 99}))
    assert run(tmp_path, python) == RECALLED
    [packages] = venv.glob("lib/python*/site-packages")
    put(packages, {"new.py": ""})
    assert run(tmp_path, python) == UP_TO_DATE


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess, sys\nsubprocess.run([sys.executable, '--version'])",
        "import os\nos.system('true')",
        "import socket\ntry: socket.create_connection(('127.0.0.1', 1))\nexcept OSError: pass",
        "open('/proc/self/stat').read()",
        "open('/dev/null').read()",
    ],
)
def test_what_cannot_be_known_again_is_not_remembered(tmp_path: Path, code: str) -> None:
    """A definition that asks another program, the network or a device is built every time."""
    put(tmp_path / "repository", {**FILES, "fleet/base.py": f"{code}\n{BASE}"})
    run(tmp_path)

    assert run(tmp_path) == UP_TO_DATE
    for memo in (tmp_path / "cache/jsorc").glob("*"):
        memo.write_text(json.dumps({**json.loads(memo.read_text()), "objects": 99}))
    assert run(tmp_path) == UP_TO_DATE


def test_a_file_outside_is_looked_at(tmp_path: Path) -> None:
    """A file elsewhere on the machine that a definition reads is looked at like one of the repository."""
    put(tmp_path, {"outside": "1"})
    code = f"open({str(tmp_path / 'outside')!r}).read()\n{BASE}"
    put(tmp_path / "repository", {**FILES, "fleet/base.py": code})
    render_and_mark(tmp_path)
    assert run(tmp_path) == RECALLED

    put(tmp_path, {"outside": "2"})

    assert run(tmp_path) == UP_TO_DATE


def test_a_source_that_changes_meanwhile_is_not_remembered(tmp_path: Path) -> None:
    """A source that is newer than the run may not be what the definition read."""
    put(tmp_path / "repository", FILES)
    later = 4_000_000_000
    os.utime(tmp_path / "repository/fleet/base.py", (later, later))

    assert [run(tmp_path).code, run(tmp_path)] == [0, UP_TO_DATE]
    assert not (tmp_path / "cache").exists()
