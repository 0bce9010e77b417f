"""From samples to what a person reads: the table of figures, and the bars that jsorc is held to."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import linear_regression, median
from typing import Literal

from bench.measure import Sample

Figure = Literal["wall", "rss"]
Runs = dict[tuple[str, int], list[Sample]]  # by command and size

NEARLY = 1.1  # what still counts as linear, as an exponent and as a factor

_COLUMNS = f"{'wall s, min':>12}{'median':>9}{'max':>9}{'cpu s':>9}{'RSS MiB':>9}"
_MORE_COLUMNS = f"{'objects/s':>11}{'requests':>10}{'runs':>6}"


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


def format_figures(samples: Sequence[Sample]) -> Iterator[str]:
    """A table per size: min, median and max on the clock, medians of the rest."""
    seen = None
    for (name, size), runs in group(samples).items():
        if size != seen:
            seen = size
            title = f"{size:,} objects" if size else "starting up"
            yield ""
            yield f"{title:50}{_COLUMNS}{_MORE_COLUMNS}"
        walls = [each.wall for each in runs]
        cpu, rss = median(each.cpu for each in runs), median(each.rss for each in runs)
        rate = f"{size / median(walls):,.0f}" if size else ""
        requests = "" if (counted := find_requests(runs)) is None else counted
        wall = f"{min(walls):12.3f}{median(walls):9.3f}{max(walls):9.3f}"
        yield f"{name:50}{wall}{cpu:9.3f}{rss:9.0f}{rate:>11}{requests:>10}{len(runs):6}"


def format_bars(bars: Sequence[Bar]) -> Iterator[str]:
    """What was wanted, what is, its range over single rounds, and whether that will do."""
    yield ""
    yield f"{'':66}{'bar':>8}{'measured':>10}{'in one round':>16}"
    for each in bars:
        if each.measured is None:
            continue
        spread = "" if each.low is None else f"{each.low:.2f} … {each.high:.2f}"
        word = {True: "met", False: "MISSED", None: ""}[each.met]
        yield f"{each.claim:66}{each.bar:>8}{each.measured:10.2f}{spread:>16}  {word}"
    if absent := sum(each.measured is None for each in bars):
        yield f"{absent} more were not measured: their sizes or peers were left out."


def compare(
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
    ratio = find_middle(runs[above], figure) / find_middle(runs[below], figure)
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


def limit(claim: str, measured: float | None, *, most: float) -> Bar:
    """A figure that has a limit of its own; None where it was not measured."""
    return Bar(
        claim=claim, bar=f"<= {most:g}", measured=measured, met=None if measured is None else measured <= most
    )


def group(samples: Sequence[Sample]) -> Runs:
    runs: Runs = {}
    for each in samples:
        runs.setdefault((each.command, each.size), []).append(each)
    return runs


def find_middle(runs: Sequence[Sample], figure: Figure) -> float:
    return median(float(getattr(each, figure)) for each in runs)


def find_requests(runs: Sequence[Sample]) -> int | None:
    """The fewest of any round, since others can only add to them; None where nobody counted."""
    return min((each.requests for each in runs if each.requests is not None), default=None)


def compute_growth(runs: Runs, command: str, label: str, sizes: tuple[int, int, int]) -> Iterator[Bar]:
    """Whether time and memory are linear from the first size to the last, and from the second to the last."""
    least, middle, largest = sizes
    figures: dict[Figure, str] = {"wall": "time", "rss": "peak RSS"}
    for figure, word in figures.items():
        claim = f"{word} of {label}: {largest:,} / {middle:,}"
        most = round(largest / middle * NEARLY, 2)
        yield compare(runs, claim, (command, largest), (command, middle), most=most, figure=figure)
        measured = sorted(size for name, size in runs if name == command and size >= least)
        bar = Bar(claim=f"{word} of {label}: exponent from {least:,} to {largest:,}", bar=f"<= {NEARLY}")
        if len(measured) > 1 and measured[-1] >= largest:
            middles = [find_middle(runs[command, size], figure) for size in measured]
            slope = linear_regression(list(map(math.log, measured)), list(map(math.log, middles))).slope
            bar = replace(bar, measured=round(slope, 3), met=slope <= NEARLY)
        yield bar
