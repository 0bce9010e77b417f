"""The bars that `jsorc reconcile` is held to."""

import math
from collections.abc import Iterator, Sequence

from bench.bars import Bar, Runs, compare, compute_growth, find_middle, find_requests, group, limit
from bench.measure import Sample
from bench.reconcile.bare_client import KINDS
from bench.reconcile.chains import (
    BARE_APPLY,
    BARE_LIST,
    CHANGE,
    DISTANCES,
    FIRST,
    JSORC,
    JSORC_UNDRIED,
    KUBECTL,
    UNCHANGED,
)

SIZE = 1000  # of what is compared with others
LINEAR = (1000, 5000, 10000)
FAR = DISTANCES[10]
MEMORY = 300  # MiB


def compute_bars(samples: Sequence[Sample]) -> list[Bar]:
    """Every bar, whether its commands were run or not."""
    runs = group(samples)
    looking, largest = f"{JSORC}, {UNCHANGED}", LINEAR[-1]
    memory = find_middle(runs[looking, largest], "rss") if (looking, largest) in runs else None
    return [
        *_compare_with_kubectl(runs),
        _compare(runs, SIZE, (JSORC_UNDRIED, FIRST), (BARE_APPLY, FIRST), most=1.3),
        *_count(runs),
        _compare(runs, largest, (JSORC, UNCHANGED), (BARE_LIST, UNCHANGED), most=1.5),
        limit(f"{largest:,}: {looking}: peak RSS, MiB", memory, most=MEMORY),
        *compute_growth(runs, looking, looking, LINEAR),
    ]


def _compare_with_kubectl(runs: Runs) -> Iterator[Bar]:
    for kind, far, least in ((FIRST, "", 1), (FIRST, FAR, 3), (UNCHANGED, "", 6), (UNCHANGED, FAR, 25)):
        yield _compare(runs, SIZE, (KUBECTL, f"{kind}{far}"), (JSORC, f"{kind}{far}"), least=least)


def _count(runs: Runs) -> Iterator[Bar]:
    """The requests of a pass that only looks, and how many more one changed object costs."""
    unchanged, changed = (find_requests(runs.get((f"{JSORC}, {kind}", SIZE), ())) for kind in (UNCHANGED, CHANGE))
    yield limit(f"{SIZE:,}: {JSORC}, {UNCHANGED}: requests", unchanged, most=len(KINDS) + 10)
    more = None if changed is None or unchanged is None else changed - unchanged
    yield limit(f"{SIZE:,}: {JSORC}, {CHANGE}: requests more", more, most=6)


def _compare(
    runs: Runs,
    size: int,
    above: tuple[str, str],
    below: tuple[str, str],
    *,
    least: float = 0,
    most: float = math.inf,
) -> Bar:
    """Compare two (program, what it does)."""
    claim = f"{size:,}: {above[0]} / {below[0]}, {below[1]}"
    upper, lower = ((", ".join(each), size) for each in (above, below))
    return compare(runs, claim, upper, lower, least=least, most=most)
