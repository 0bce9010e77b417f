"""`python -m bench`: measures, checks, prints the tables, writes a file of results."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.chains import PEERS, Bench, make_chains, make_startup
from bench.check import CheckError
from bench.inputs import count_services
from bench.measure import Sample, measure_chains
from bench.report import compute_bars, format_bars, format_figures
from bench.tools import Tools, find_filesystem, read_machine, read_versions, setup_tools
from tests.machine import SetupError, say

RESULTS = Path(__file__).with_name("results")
RESULTS_VERSION = 1

# Rounds by size: the smaller, the more a single run says about the machine instead of the command.
ROUNDS = {0: 21, 5: 15, 100: 11, 1000: 7, 5000: 5, 20000: 3}
SIZES = tuple(size for size in ROUNDS if size)
BYTES_PER_OBJECT = 100_000  # in all repositories together, with git's objects and half-filled blocks


def main() -> int:
    """Run the bench; 0 when every output was right, whether or not the bars are met."""
    arguments = parse_arguments(sys.argv[1:])
    without = frozenset(arguments.without)
    try:
        tools = setup_tools(kapitan=not {"kapitan", "kadet"} <= without, kubectl="kustomize" not in without)
        machine = read_machine()
        scratch = make_scratch(max(arguments.sizes))
        try:
            samples = measure(tools, scratch, arguments.sizes, rounds=arguments.rounds, without=without)
            machine["filesystem"] = find_filesystem(scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except (CheckError, SetupError) as error:
        say(f"bench: {error}")
        return 1
    bars = compute_bars(samples)
    for line in (*format_figures(samples), *format_bars(bars)):
        print(line)
    whole = not without and set(arguments.sizes) >= set(SIZES)
    path = write_results(
        {
            "version": RESULTS_VERSION,
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine,
            "versions": read_versions(tools),
            "bars": [asdict(each) for each in bars],
            "samples": [asdict(each) for each in samples],
        },
        whole=whole,
    )
    print(f"\nEvery run: {path}")
    return 0


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="The speed benchmark: docs/bench.md.")
    parser.add_argument("--sizes", type=parse_size, nargs="+", default=SIZES, help="numbers of objects")
    parser.add_argument("--rounds", type=int, help="rounds for every size, instead of fewer for the larger ones")
    parser.add_argument("--without", choices=PEERS, nargs="+", default=[], help="peers to leave out")
    return parser.parse_args(words)


def parse_size(word: str) -> int:
    count_services(int(word))
    return int(word)


def make_scratch(largest: int) -> Path:
    """A folder in memory where there is room for it, since a disk would be measured more than a program."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp below is what makes it safe
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > largest * BYTES_PER_OBJECT
    if not roomy:
        say(f"{memory} has no room; the disk will be part of every figure")
    return Path(tempfile.mkdtemp(prefix="jsorc-bench-", dir=memory if roomy else None))


def measure(
    tools: Tools, scratch: Path, sizes: Sequence[int], *, rounds: int | None, without: frozenset[str]
) -> list[Sample]:
    """All samples, smallest size first."""
    env = make_env(scratch)
    samples: list[Sample] = []
    for size in (0, *sorted(sizes)):
        bench = Bench(tools=tools, scratch=scratch, env=env, size=size)
        chains = make_chains(bench, without=without) if size else [make_startup(bench)]
        times = rounds or ROUNDS[max(known for known in ROUNDS if known <= size)]
        say(f"{size:,} objects, {times} rounds after one that warms up and checks …")
        samples += measure_chains(bench, chains, rounds=times)
    return samples


def make_env(scratch: Path) -> dict[str, str]:
    """What the commands see: a home of their own, and git as it is without any configuration."""
    home, temporary, config = scratch / "home", scratch / "tmp", scratch / "gitconfig"
    home.mkdir()
    temporary.mkdir()
    # Left alone, git would begin to pack thousands of new objects in the background of what is measured next.
    config.write_text("[user]\n\tname = Bench\n\temail = bench@example.com\n[gc]\n\tauto = 0\n")
    return {
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": os.environ["PATH"],
        "TMPDIR": str(temporary),
    }


def write_results(results: dict[str, Any], *, whole: bool) -> Path:
    """Write bench/results/render-<date>.json; what is not whole never takes the place of what is."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"render-{results['date']}{'' if whole else '.part'}.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main())
