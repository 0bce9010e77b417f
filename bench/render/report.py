"""The bars that `jsorc render` is held to."""

from collections.abc import Iterator, Sequence

from bench.bars import Bar, Runs, compare, compute_growth, group
from bench.measure import Sample
from bench.render.chains import FIRST, UNCHANGED

SHARED = f"jsorc render, shared, {FIRST}"
KAPITAN, KUSTOMIZE = "kapitan", "kubectl kustomize"

# Growth is looked at from here: below, most of the time goes into starting up.
LINEAR = (1000, 5000, 20000)


def compute_bars(samples: Sequence[Sample]) -> list[Bar]:
    """Every bar, whether its commands were run or not."""
    runs = group(samples)
    memory = f"peak RSS: {_shorten(SHARED)} / kapitan"
    return [
        *_compare_with_peers(runs),
        *_compare_with_first(runs),
        compare(runs, memory, (SHARED, 5000), (KAPITAN, 5000), most=0.5, figure="rss"),
        compare(runs, "jsorc --help / python -c pass", ("jsorc --help", 0), ("python -c pass", 0), most=4.5),
        *compute_growth(runs, SHARED, _shorten(SHARED), LINEAR),
    ]


def _compare_with_peers(runs: Runs) -> Iterator[Bar]:
    for size, peer, least in (
        (1000, KAPITAN, 10),
        (1000, KUSTOMIZE, 3),
        (5000, KAPITAN, 8),
        (5000, KUSTOMIZE, 20),
    ):
        claim = f"{size:,}: {peer} / {_shorten(SHARED)}"
        yield compare(runs, claim, (peer, size), (SHARED, size), least=least)


def _compare_with_first(runs: Runs) -> Iterator[Bar]:
    again = SHARED.replace(FIRST, UNCHANGED)
    for size in (1000, 5000):
        claim = f"{size:,}: {UNCHANGED} / {_shorten(SHARED)}"
        yield compare(runs, claim, (again, size), (SHARED, size), most=0.25)


def _shorten(name: str) -> str:
    return name.removesuffix(f", {FIRST}")
