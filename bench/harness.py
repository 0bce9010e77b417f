"""A run of a bench: a place to work in, what the commands see, what is printed and kept of the samples."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.bars import Bar, format_bars, format_figures
from bench.check import CheckError
from bench.measure import Sample
from bench.tools import find_filesystem, read_machine
from tests.machine import SetupError, say

RESULTS = Path(__file__).with_name("results")
RESULTS_VERSION = 1


def run_bench(
    name: str,
    measure: Callable[[Path], tuple[list[Sample], dict[str, str]]],
    compute_bars: Callable[[Sequence[Sample]], list[Bar]],
    *,
    room: int,
    whole: bool,
) -> int:
    """Measure in a scratch folder with `room` bytes, print the tables, write the results.

    `measure` returns the samples and the versions of all that took part. Returns 0 when every output was right,
    whether or not the bars are met.
    """
    machine = read_machine()
    try:
        scratch = make_scratch(room)
        try:
            samples, versions = measure(scratch)
            machine["filesystem"] = find_filesystem(scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except (CheckError, SetupError) as error:
        say(f"bench: {error}")
        return 1
    bars = compute_bars(samples)
    for line in (*format_figures(samples), *format_bars(bars)):
        print(line)
    results = {
        "version": RESULTS_VERSION,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine,
        "versions": versions,
        "bars": [asdict(each) for each in bars],
        "samples": [asdict(each) for each in samples],
    }
    print(f"\nEvery run: {write_results(name, results, whole=whole)}")
    return 0


def make_scratch(room: int) -> Path:
    """A folder in memory where there is room for it, since a disk would be measured more than a program."""
    memory = Path("/dev/shm")  # noqa: S108 - mkdtemp below is what makes it safe
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > room
    if not roomy:
        say(f"{memory} has no room; the disk will be part of every figure")
    return Path(tempfile.mkdtemp(prefix="jsorc-bench-", dir=memory if roomy else None))


def make_env(scratch: Path) -> dict[str, str]:
    """What the commands see: a home of their own, and git as it is without any configuration."""
    home, temporary, config = scratch / "home", scratch / "tmp", scratch / "gitconfig"
    home.mkdir()
    temporary.mkdir()
    # Left alone, git would begin to pack thousands of new objects in the background of what is measured next.
    config.write_text("[user]\n\tname = Bench\n\temail = bench@example.com\n[gc]\n\tauto = 0\n")
    # Where a work tree is measured that is not the one installed, that says so.
    path = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
    return {
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TMPDIR": str(temporary),
        **path,
    }


def choose_rounds(rounds: dict[int, int], size: int) -> int:
    """How often a size is measured: as the largest one in `rounds` that is not above it."""
    return rounds[max(known for known in rounds if known <= size)]


def write_results(name: str, results: dict[str, Any], *, whole: bool) -> Path:
    """Write bench/results/<name>-<date>.json; what is not whole never takes the place of what is."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{results['date']}{'' if whole else '.part'}.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    return path
