"""The bars that a pass with nothing to reset is held to."""

import math
from collections.abc import Sequence
from dataclasses import replace

from bench.bars import Bar, Runs, compare, find_requests, group, limit
from bench.measure import Sample
from bench.reconcile.chains import DISTANCES
from bench.resets.chains import ALONE, ASKING, SILENT, START, TOGETHER

SIZE = 200
FAR = DISTANCES[10]


def compute_bars(samples: Sequence[Sample]) -> list[Bar]:
    """Every bar, whether its commands were run or not."""
    runs = group(samples)
    requests = find_requests(runs.get((ASKING, SIZE), ()))
    return [
        limit(f"{SIZE}: {ASKING}: requests to Jaseci", requests, most=SIZE),
        _compare(runs, f"{ALONE}{FAR}", f"{ASKING}{FAR}", least=4),
        _compare(runs, ASKING, ALONE, most=1.5),
        _compare(runs, f"{ASKING}{FAR}", f"{TOGETHER}{FAR}", most=1.5),
    ]


def _compare(runs: Runs, above: str, below: str, *, least: float = 0, most: float = math.inf) -> Bar:
    """Compare what the states cost: without the pass around them, and without a start of Python."""
    states = {
        (name, SIZE): _subtract(runs[name, SIZE], runs[base, SIZE])
        for name in (above, below)
        for base in (SILENT if name.startswith(ASKING) else START,)
        if (name, SIZE) in runs and (base, SIZE) in runs
    }
    claim = f"{SIZE}: states alone: {above} / {below}"
    return compare(states, claim, (above, SIZE), (below, SIZE), least=least, most=most)


def _subtract(runs: Sequence[Sample], base: Sequence[Sample]) -> list[Sample]:
    return [replace(each, wall=each.wall - other.wall) for each, other in zip(runs, base, strict=True)]
