"""From samples to what a person reads: the table of figures, and the bars that `jsorc render` is held to."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import linear_regression, median
from typing import Literal

from bench.chains import FIRST, UNCHANGED
from bench.measure import Sample

Figure = Literal["wall", "rss"]
Runs = dict[tuple[str, int], list[Sample]]  # by command and size

SHARED = f"jsorc render, shared, {FIRST}"
KAPITAN, KUSTOMIZE = "kapitan", "kubectl kustomize"

# Growth is looked at from here: below, most of the time goes into starting up.
LINEAR_FROM, LINEAR_TO = 1000, 20000
NEARLY = 1.1  # what still counts as linear, as an exponent and as a factor

_COLUMNS = f"{'wall s, min':>12}{'median':>9}{'max':>9}{'cpu s':>9}{'RSS MiB':>9}{'objects/s':>11}{'runs':>6}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What was to be reached, and what was: a ratio of medians, its least and greatest value in one round.

    None stands for what was not measured, and for the range of what is no ratio.
    """

    claim: str
    bar: str
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    met: bool | None = None


def compute_bars(samples: Sequence[Sample]) -> list[Bar]:
    """Every bar, whether its commands were run or not."""
    runs = _group(samples)
    return [
        *_compare_with_peers(runs),
        *_compare_with_first(runs),
        _compare(
            runs,
            f"peak RSS: {_shorten(SHARED)} / kapitan",
            (SHARED, 5000),
            (KAPITAN, 5000),
            most=0.5,
            figure="rss",
        ),
        _compare(runs, "jsorc --help / python -c pass", ("jsorc --help", 0), ("python -c pass", 0), most=4.5),
        *_compute_growth(runs),
    ]


def format_figures(samples: Sequence[Sample]) -> Iterator[str]:
    """A table per size: min, median and max on the clock, medians of the rest."""
    seen = None
    for (name, size), runs in _group(samples).items():
        if size != seen:
            seen = size
            title = f"{size:,} objects" if size else "starting up"
            yield ""
            yield f"{title:50}{_COLUMNS}"
        walls = [each.wall for each in runs]
        cpu, rss = median(each.cpu for each in runs), median(each.rss for each in runs)
        rate = f"{size / median(walls):,.0f}" if size else ""
        wall = f"{min(walls):12.3f}{median(walls):9.3f}{max(walls):9.3f}"
        yield f"{name:50}{wall}{cpu:9.3f}{rss:9.0f}{rate:>11}{len(runs):6}"


def format_bars(bars: Sequence[Bar]) -> Iterator[str]:
    """What was wanted, what is, its range over single rounds, and whether that will do."""
    yield ""
    yield f"{'':66}{'bar':>8}{'measured':>10}{'in one round':>16}"
    for each in bars:
        if each.measured is None:
            continue
        spread = "" if each.low is None else f"{each.low:.2f} … {each.high:.2f}"
        word = "met" if each.met else "MISSED"
        yield f"{each.claim:66}{each.bar:>8}{each.measured:10.2f}{spread:>16}  {word}"
    if absent := sum(each.measured is None for each in bars):
        yield f"{absent} more were not measured: their sizes or peers were left out."


def _compare_with_peers(runs: Runs) -> Iterator[Bar]:
    for size, peer, least in (
        (1000, KAPITAN, 10),
        (1000, KUSTOMIZE, 3),
        (5000, KAPITAN, 8),
        (5000, KUSTOMIZE, 20),
    ):
        claim = f"{size:,}: {peer} / {_shorten(SHARED)}"
        yield _compare(runs, claim, (peer, size), (SHARED, size), least=least)


def _compare_with_first(runs: Runs) -> Iterator[Bar]:
    again = SHARED.replace(FIRST, UNCHANGED)
    for size in (1000, 5000):
        claim = f"{size:,}: {UNCHANGED} / {_shorten(SHARED)}"
        yield _compare(runs, claim, (again, size), (SHARED, size), most=0.25)


def _compute_growth(runs: Runs) -> Iterator[Bar]:
    figures: dict[Figure, str] = {"wall": "time", "rss": "peak RSS"}
    for figure, word in figures.items():
        claim = f"{word} of {_shorten(SHARED)}: 20,000 / 5,000"
        most = LINEAR_TO / 5000 * NEARLY
        yield _compare(runs, claim, (SHARED, LINEAR_TO), (SHARED, 5000), most=most, figure=figure)
        sizes = sorted(size for command, size in runs if command == SHARED and size >= LINEAR_FROM)
        claim = f"{word} of {_shorten(SHARED)}: exponent from 1,000 to 20,000"
        bar = Bar(claim=claim, bar=f"<= {NEARLY}")
        if len(sizes) > 1 and sizes[-1] >= LINEAR_TO:
            middles = [_middle(runs[SHARED, size], figure) for size in sizes]
            slope = linear_regression(list(map(math.log, sizes)), list(map(math.log, middles))).slope
            bar = Bar(claim=claim, bar=bar.bar, measured=round(slope, 3), met=slope <= NEARLY)
        yield bar


def _compare(
    runs: Runs,
    claim: str,
    above: tuple[str, int],
    below: tuple[str, int],
    *,
    least: float = 0,
    most: float = math.inf,
    figure: Figure = "wall",
) -> Bar:
    bar = f">= {least:g}" if least else f"<= {most:g}"
    if above not in runs or below not in runs:
        return Bar(claim=claim, bar=bar)
    ratio = _middle(runs[above], figure) / _middle(runs[below], figure)
    # Not strict: what is slow is run in fewer rounds.
    pairs = zip(runs[above], runs[below], strict=False)
    ratios = [getattr(upper, figure) / getattr(lower, figure) for upper, lower in pairs]
    return Bar(
        claim=claim,
        bar=bar,
        measured=round(ratio, 3),
        low=round(min(ratios), 3),
        high=round(max(ratios), 3),
        met=least <= ratio <= most,
    )


def _group(samples: Sequence[Sample]) -> Runs:
    runs: Runs = {}
    for each in samples:
        runs.setdefault((each.command, each.size), []).append(each)
    return runs


def _middle(runs: Sequence[Sample], figure: Figure) -> float:
    return median(float(getattr(each, figure)) for each in runs)


def _shorten(name: str) -> str:
    return name.removesuffix(f", {FIRST}")
