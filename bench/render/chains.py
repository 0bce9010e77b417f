"""What is run: per tool a chain of commands."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.check import CheckError, check_objects, hash_output, read_file, read_folder, read_jsorc
from bench.render.inputs import (
    Variant,
    change_service,
    list_objects,
    write_jsorc,
    write_kadet,
    write_kapitan,
    write_kustomize,
)
from bench.render.tools import Tools
from bench.steps import Bench, Chain, Step, do_nothing

PEERS = ("kapitan", "kadet", "kustomize")

# Kustomize takes half a minute a run there, and the same every time.
KUSTOMIZE_SLOW, KUSTOMIZE_ROUNDS = 5000, 2
# Above, only `jsorc render` is measured: a peer would take minutes a run.
LARGEST_WITH_PEERS = 5000
# Above, it says no more: nearly all its time goes into compiling templates.
LARGEST_DISTINCT = 1000

UNLINTED = Path(__file__).with_name("unlinted.py")

FIRST, UNCHANGED, CHANGED = "first run", "nothing changed", "one service changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderBench(Bench):
    """Its programs; the HOME of `env` is emptied before a first run, so that it finds no cache."""

    tools: Tools


def make_startup(bench: RenderBench) -> Chain:
    """`jsorc --help` and Python alone; /bin/true is what a process costs at least, and the least RSS we see."""
    python = bench.tools.python
    commands: dict[str, tuple[str | Path, ...]] = {
        "true": ("/bin/true",),
        "python -c pass": (python, "-c", "pass"),
        "jsorc --help": (bench.tools.jsorc, "--help"),
    }
    return Chain(
        steps=tuple(Step(name=name, command=command, folder=bench.scratch) for name, command in commands.items())
    )


def make_chains(bench: RenderBench, *, without: frozenset[str] = frozenset()) -> Iterator[Chain]:
    """Every tool's chain for one size, `without` those of PEERS."""
    yield _make_render(bench, "shared")
    yield _make_unlinted(bench)
    if bench.size <= LARGEST_DISTINCT:
        yield _make_render(bench, "distinct")
    if bench.size > LARGEST_WITH_PEERS:
        return
    yield _make_commit(bench)
    if "kapitan" not in without:
        yield _make_kapitan(bench, "kapitan", write_kapitan)
    if "kadet" not in without:
        yield _make_kapitan(bench, "kapitan kadet", write_kadet, "--yaml-use-rapidyaml")
    if "kustomize" not in without:
        yield _make_kustomize(bench)


def _make_render(bench: RenderBench, variant: Variant) -> Chain:
    root = bench.scratch / f"jsorc-{variant}"
    step = _make_jsorc_step(bench, root, (bench.tools.jsorc, "render"), f"jsorc render, {variant}")
    return Chain(
        steps=(
            step(FIRST, prepare=lambda: _fill(bench, root, partial(write_jsorc, variant=variant))),
            step(UNCHANGED),
            step(CHANGED, prepare=lambda: change_service(root)),
        )
    )


def _make_unlinted(bench: RenderBench) -> Chain:
    root = bench.scratch / "jsorc-unlinted"
    command = (bench.tools.python, "-P", UNLINTED, "render")
    step = _make_jsorc_step(bench, root, command, "jsorc render, shared, without lint")
    prepare = partial(_fill, bench, root, partial(write_jsorc, variant="shared"))
    return Chain(steps=(step(FIRST, prepare=prepare),))


def _make_commit(bench: RenderBench) -> Chain:
    root = bench.scratch / "jsorc-commit"

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", root, *words], env=bench.env, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    def prepare_first() -> None:
        _fill(bench, root, partial(write_jsorc, variant="shared"))
        git("init", "--quiet")
        git("add", "--all")
        git("commit", "--quiet", "--message=definitions")

    def prepare_changed() -> None:
        change_service(root)
        git("commit", "--quiet", "--all", "--message=a new version")

    def check(commits: int) -> None:
        if git("status", "--porcelain") or git("rev-list", "--count", "HEAD").strip() != str(commits):
            raise CheckError(f"{root} is not clean, or has not {commits} commits")

    command = (bench.tools.jsorc, "render", "--commit")
    step = _make_jsorc_step(bench, root, command, "jsorc render --commit, shared")
    return Chain(
        steps=(
            step(FIRST, prepare=prepare_first, also=partial(check, 2)),
            step(UNCHANGED, also=partial(check, 2)),
            step(CHANGED, prepare=prepare_changed, also=partial(check, 4)),
        )
    )


def _make_jsorc_step(
    bench: RenderBench, root: Path, command: tuple[str | Path, ...], name: str
) -> Callable[..., Step]:
    output = root / "rendered"

    def make(kind: str, prepare: Callable[[], None] = do_nothing, also: Callable[[], None] = do_nothing) -> Step:
        def check() -> None:
            check_objects(read_jsorc(output), list_objects(bench.size, changed=kind == CHANGED))
            also()

        return Step(
            name=f"{name}, {kind}",
            command=command,
            folder=root,
            digest=partial(hash_output, output),
            prepare=prepare,
            check=check,
        )

    return make


def _make_kapitan(bench: RenderBench, name: str, write: Callable[[Path, int], None], *options: str) -> Chain:
    if bench.tools.kapitan is None:
        raise ValueError("kapitan was not set up")
    root = bench.scratch / name.replace(" ", "-")
    output = root / "compiled"
    step = Step(
        name=name,
        command=(bench.tools.kapitan, "compile", *options),
        folder=root,
        digest=partial(hash_output, output),
        prepare=lambda: _fill(bench, root, write),
        check=lambda: check_objects(read_folder(output), list_objects(bench.size)),
    )
    return Chain(steps=(step,))


def _make_kustomize(bench: RenderBench) -> Chain:
    if bench.tools.kubectl is None:
        raise ValueError("kubectl was not set up")
    root, output = bench.scratch / "kustomize", bench.scratch / "kustomize.yaml"
    step = Step(
        name="kubectl kustomize",
        command=(bench.tools.kubectl, "kustomize", root, f"--output={output}"),
        folder=root,
        digest=partial(hash_output, output),
        prepare=lambda: _fill(bench, root, write_kustomize),
        check=lambda: check_objects(read_file(output), list_objects(bench.size)),
    )
    return Chain(steps=(step,), rounds=KUSTOMIZE_ROUNDS if bench.size >= KUSTOMIZE_SLOW else None)


def _fill(bench: RenderBench, root: Path, write: Callable[[Path, int], None]) -> None:
    """A folder as after a fresh clone, and a user who never ran anything."""
    for folder in (root, Path(bench.env["HOME"])):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    write(root, bench.size)
