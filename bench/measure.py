"""Runs chains in turn, one run of each command a round, and keeps what every run cost."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.check import CheckError
from bench.steps import Bench, Chain, Step

TIMER = Path(__file__).with_name("timer.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run: seconds on the clock and of the processors, MiB of its largest process. Size 0: no objects.

    `requests` is what a server got meanwhile, None where nobody counted.
    """

    command: str
    size: int
    round: int
    wall: float
    cpu: float
    rss: float
    requests: int | None = None


def measure_chains(bench: Bench, chains: Iterable[Chain], *, rounds: int) -> list[Sample]:
    """All samples of `rounds` rounds, after one that warms up and in which every output is checked.

    Raises:
        CheckError: a command failed, wrote something wrong, or not what it wrote in the first round.
    """
    chains = tuple(chains)
    digests: dict[str, str] = {}
    samples: list[Sample] = []
    for number in range(rounds + 1):
        for chain in chains:
            if chain.rounds is not None and number > chain.rounds:
                continue
            for step in chain.steps:
                sample = run_step(bench, step, number=number)
                if number:
                    samples.append(sample)
                else:
                    _check(step)
                digest = step.digest() if step.digest else ""
                if digests.setdefault(step.outcome or step.name, digest) != digest:
                    raise CheckError(f"{step.name} did not write the same in round {number} as before")
    return samples


def run_step(bench: Bench, step: Step, *, number: int) -> Sample:
    """Prepare and run one step; raise CheckError with the end of what it printed when it fails."""
    step.prepare()
    result, output = bench.scratch / "result.json", bench.scratch / "printed"
    timer = [sys.executable, "-I", "-S", TIMER, result, output, *step.command]
    before = step.meter() if step.meter else 0
    subprocess.run(timer, cwd=step.folder, env=bench.env, check=True)
    requests = step.meter() - before if step.meter else None
    told: Mapping[str, float] = json.loads(result.read_text())
    if told["code"]:
        printed = output.read_text(errors="replace") + Path(f"{output}.err").read_text(errors="replace")
        raise CheckError(f"{step.name} failed with {told['code']}; it printed:\n{printed[-2000:]}")
    return Sample(
        command=step.name,
        size=bench.size,
        round=number,
        wall=round(told["wall"], 4),
        cpu=round(told["cpu"], 4),
        rss=round(told["rss"] / 1024, 1),
        requests=requests,
    )


def _check(step: Step) -> None:
    try:
        step.check()
    except CheckError as error:
        raise CheckError(f"{step.name}: {error}") from error
