"""`python -m bench.render`: `jsorc render` beside kapitan and kustomize."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench.harness import choose_rounds, make_env, run_bench
from bench.measure import Sample, measure_chains
from bench.render.chains import PEERS, RenderBench, make_chains, make_startup
from bench.render.inputs import count_services
from bench.render.report import compute_bars
from bench.render.tools import read_versions, setup_tools
from tests.machine import say

# Rounds by size: the smaller, the more a single run says about the machine instead of the command.
ROUNDS = {0: 21, 5: 15, 100: 11, 1000: 7, 5000: 5, 20000: 3}
SIZES = tuple(size for size in ROUNDS if size)
BYTES_PER_OBJECT = 100_000  # in all repositories together, with git's objects and half-filled blocks


def main() -> int:
    arguments = parse_arguments(sys.argv[1:])
    return run_bench(
        "render",
        partial(measure, arguments),
        compute_bars,
        room=max(arguments.sizes) * BYTES_PER_OBJECT,
        whole=not arguments.without and set(arguments.sizes) >= set(SIZES),
    )


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.render", description="Speed of rendering: docs/bench.md."
    )
    parser.add_argument("--sizes", type=parse_size, nargs="+", default=SIZES, help="numbers of objects")
    parser.add_argument("--rounds", type=int, help="rounds for every size, instead of fewer for the larger ones")
    parser.add_argument("--without", choices=PEERS, nargs="+", default=[], help="peers to leave out")
    return parser.parse_args(words)


def parse_size(word: str) -> int:
    count_services(int(word))
    return int(word)


def measure(arguments: argparse.Namespace, scratch: Path) -> tuple[list[Sample], dict[str, str]]:
    """All samples, smallest size first, and the versions of all that took part."""
    without = frozenset(arguments.without)
    tools = setup_tools(kapitan=not {"kapitan", "kadet"} <= without, kubectl="kustomize" not in without)
    env, versions = make_env(scratch), read_versions(tools)
    samples: list[Sample] = []
    for size in (0, *sorted(arguments.sizes)):
        bench = RenderBench(tools=tools, scratch=scratch, env=env, size=size)
        chains = make_chains(bench, without=without) if size else [make_startup(bench)]
        times = arguments.rounds or choose_rounds(ROUNDS, size)
        say(f"{size:,} objects, {times} rounds after one that warms up and checks …")
        samples += measure_chains(bench, chains, rounds=times)
    return samples, versions


if __name__ == "__main__":
    sys.exit(main())
