"""What is run: passes that find nothing to reset, and bare programs that read the same states."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.check import CheckError
from bench.reconcile.chains import DISTANCES, ROOT
from bench.resets.inputs import write_repository
from bench.resets.server import SERVICE, JaseciServer
from bench.steps import Bench, Chain, Step
from bench.tools import JSORC

BARE = Path(__file__).with_name("bare_states.py")

ASKING, SILENT = "jsorc reconcile", "jsorc reconcile, without Jaseci"
ALONE, ALONE_KEPT = "bare, one by one", "bare, one by one, one connection"
TOGETHER, START = "bare, eight at once", "bare, nothing read"
EIGHT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetsBench(Bench):
    """`size` services, the API server, and Jaseci."""

    kubeconfig: Path
    jaseci: JaseciServer


def make_chains(bench: ResetsBench) -> Iterator[Chain]:
    """All chains, whose repositories are written and applied first."""
    yield Chain(
        steps=(
            _make_pass(bench, SILENT, "silent", jaseci="", calls=0),
            _make_bare(bench, START, None, count=0),
        )
    )
    for distance, word in DISTANCES.items():
        jaseci = f"{{url: '{bench.jaseci.urls[distance]}', credentials: {{env: {_name_variable(distance)}}}}}"
        name = f"at-{distance or 0:g}ms"
        yield Chain(
            steps=(
                _make_pass(bench, f"{ASKING}{word}", name, jaseci=jaseci, calls=bench.size),
                _make_bare(bench, f"{ALONE}{word}", distance),
                _make_bare(bench, f"{ALONE_KEPT}{word}", distance, lines="kept"),
                _make_bare(bench, f"{TOGETHER}{word}", distance, threads=EIGHT),
            )
        )


def make_variables(jaseci: JaseciServer) -> dict[str, str]:
    """The variables with the credentials, for jsorc and the bare programs alike."""
    return {_name_variable(distance): text for distance, text in jaseci.credentials.items()}


class Calls:
    """The calls that Jaseci gets while a step runs: just `wanted`, in every round."""

    def __init__(self, jaseci: JaseciServer, wanted: int) -> None:
        self._count = jaseci.count_calls
        self._wanted = wanted
        self._before = 0

    def begin(self) -> None:
        self._before = self._count()

    def check(self) -> None:
        """Raises CheckError."""
        if (found := self._count() - self._before) != self._wanted:
            raise CheckError(f"Jaseci got {found} calls, not {self._wanted}")

    def digest(self) -> str:
        return str(self._count() - self._before)


def _make_pass(bench: ResetsBench, step: str, name: str, *, jaseci: str, calls: int) -> Step:
    root = bench.scratch / name
    write_repository(root, bench.size, name=name, jaseci=jaseci, env=bench.env, kubeconfig=bench.kubeconfig)
    return _make_step(bench, step, (JSORC, "-C", root, "reconcile", "--kubeconfig", bench.kubeconfig), calls)


def _make_bare(
    bench: ResetsBench,
    step: str,
    distance: float | None,
    *,
    count: int | None = None,
    threads: int = 1,
    lines: str = "fresh",
) -> Step:
    count = bench.size if count is None else count
    words = (_name_variable(distance), SERVICE, str(count), str(threads), lines)
    return _make_step(bench, step, (sys.executable, BARE, *words), count)


def _make_step(bench: ResetsBench, name: str, command: tuple[str | Path, ...], wanted: int) -> Step:
    calls = Calls(bench.jaseci, wanted)
    return Step(
        name=name,
        command=command,
        folder=ROOT,
        prepare=calls.begin,
        check=calls.check,
        digest=calls.digest,
        meter=bench.jaseci.count_calls,
    )


def _name_variable(distance: float | None) -> str:
    return f"JASECI_{distance or 0:g}"
