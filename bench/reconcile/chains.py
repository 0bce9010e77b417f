"""What is run: jsorc, kubectl and bare programs, against one API server near by and far away."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from bench.check import check_objects
from bench.reconcile.inputs import BASE, CHANGED, read_objects, write_repository
from bench.reconcile.server import SELECTOR, ApiServer, project
from bench.steps import Bench, Chain, Step, do_nothing
from bench.tools import JSORC as PROGRAM

Command = tuple[str | Path, ...]

ROOT = Path(__file__).parents[2]
UNDRIED = Path(__file__).with_name("undried.py")

FIRST, UNCHANGED, CHANGE = "first apply", "nothing to do", "one object changed"
JSORC, JSORC_UNDRIED = "jsorc reconcile", "jsorc reconcile, without dry-runs"
KUBECTL, DIFF = "kubectl apply", "kubectl diff"
BARE_APPLY, BARE_LIST = "bare loop", "bare list"

# Milliseconds there and back, and what they are called; None: no proxy.
DISTANCES: dict[float | None, str] = {None: "", 10: ", 10 ms"}
THROUGH_PROXY = ", through the proxy"
# Above, only what is measured there is run: others would take minutes a run.
LARGEST_WITH_PEERS = 1000
FAR_ROUNDS = 3  # of kubectl, which takes half a minute a run there, and the same every time


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileBench(Bench):
    """The server, and kubectl; `kubeconfigs` by distance. What is applied lies in `repository` and `files`."""

    kubectl: Path
    server: ApiServer
    kubeconfigs: dict[float | None, Path]

    @property
    def repository(self) -> Path:
        return self.scratch / f"repository-{self.size}"

    @property
    def files(self) -> Path:
        return self.scratch / f"files-{self.size}"

    def check_out(self, tag: str) -> None:
        subprocess.run(["git", "checkout", "--quiet", tag], cwd=self.repository, env=self.env, check=True)


def make_chains(bench: ReconcileBench) -> Iterator[Chain]:
    """Every chain for one size, whose input is written first."""
    write_repository(bench.repository, bench.files, bench.size, jsorc=PROGRAM, env=bench.env)
    if bench.size > LARGEST_WITH_PEERS:
        yield _Place(bench, None).make_looking()
        return
    for distance in DISTANCES:
        place = _Place(bench, distance)
        yield place.make_jsorc()
        if distance is None:
            yield place.make_undried()
        yield place.make_bare()
        yield place.make_kubectl()
    yield _Place(bench, 0).make_bare()


class _Place:
    """Makes chains that meet the server at one distance."""

    def __init__(self, bench: ReconcileBench, distance: float | None) -> None:
        self._bench = bench
        self._distance = distance
        self._kubeconfig = bench.kubeconfigs[distance]

    def make_jsorc(self) -> Chain:
        command = self._spell_jsorc(PROGRAM)
        return Chain(
            steps=(
                self._make_step(JSORC, FIRST, command, prepare=self._begin),
                self._make_step(JSORC, UNCHANGED, command, prepare=self._bench.server.write_status),
                self._make_bare_list(),
                self._make_step(JSORC, CHANGE, command, prepare=partial(self._bench.check_out, CHANGED)),
            )
        )

    def make_undried(self) -> Chain:
        command = self._spell_jsorc(sys.executable, "-P", UNDRIED)
        return Chain(steps=(self._make_step(JSORC_UNDRIED, FIRST, command, prepare=self._begin),))

    def make_bare(self) -> Chain:
        command = self._spell_bare("bare_apply", self._bench.files / BASE)
        return Chain(steps=(self._make_step(BARE_APPLY, FIRST, command, prepare=self._begin),))

    def make_kubectl(self) -> Chain:
        def spell(verb: str, tag: str) -> Command:
            where = ("--kubeconfig", self._kubeconfig, "--recursive", "--filename", self._bench.files / tag)
            return (self._bench.kubectl, verb, "--server-side", *where)

        return Chain(
            steps=(
                self._make_step(KUBECTL, FIRST, spell("apply", BASE), prepare=self._begin),
                self._make_step(KUBECTL, UNCHANGED, spell("apply", BASE)),
                self._make_step(DIFF, UNCHANGED, spell("diff", BASE)),
                self._make_step(KUBECTL, CHANGE, spell("apply", CHANGED)),
            ),
            rounds=FAR_ROUNDS if self._distance else None,
        )

    def make_looking(self) -> Chain:
        """Only looks, at what is applied once."""
        command = self._spell_jsorc(PROGRAM)

        @cache
        def fill() -> None:
            self._begin()
            subprocess.run(command, cwd=ROOT, env=self._bench.env, check=True, stdout=subprocess.DEVNULL)
            self._bench.server.write_status()

        return Chain(
            steps=(self._make_step(JSORC, UNCHANGED, command, prepare=fill), self._make_bare_list()),
        )

    def _make_bare_list(self) -> Step:
        return self._make_step(BARE_LIST, UNCHANGED, self._spell_bare("bare_list", SELECTOR))

    def _make_step(
        self, name: str, kind: str, command: Command, *, prepare: Callable[[], None] = do_nothing
    ) -> Step:
        outcome = CHANGED if kind == CHANGE else BASE
        return Step(
            name=f"{name}, {kind}{DISTANCES.get(self._distance, THROUGH_PROXY)}",
            command=command,
            folder=ROOT,
            prepare=prepare,
            check=partial(_check, self._bench, outcome),
            digest=self._bench.server.hash_objects,
            outcome=outcome,
            meter=self._bench.server.count_requests,
        )

    def _spell_jsorc(self, *program: str | Path) -> Command:
        return (*program, "-C", self._bench.repository, "reconcile", "--kubeconfig", self._kubeconfig)

    def _spell_bare(self, module: str, argument: str | Path) -> Command:
        return (sys.executable, "-m", f"bench.reconcile.{module}", self._kubeconfig, argument)

    def _begin(self) -> None:
        """A cluster without it, and a jsorc that has never read it; kubectl keeps its discovery."""
        self._bench.server.clear()
        shutil.rmtree(Path(self._bench.env["HOME"]) / ".cache/jsorc", ignore_errors=True)
        self._bench.check_out(BASE)


def _check(bench: ReconcileBench, outcome: str) -> None:
    """Raise CheckError unless the cluster holds just the objects of that commit, each as git says."""
    wanted = read_objects(bench.files / outcome)
    said = {(each["kind"], each["metadata"]["name"]): each for each in wanted}
    live = bench.server.read_objects()
    check_objects(
        [project(each, said.get((each["kind"], each["metadata"]["name"]), each)) for each in live], wanted
    )
