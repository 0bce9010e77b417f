"""`make bench-gitops`: from a commit to the reset that it brings, in each of four ways."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.bars import Bar, compare, group
from bench.gitops.ways import ARGOCD, FLUX, JSORC, KUBECTL, open_ways
from bench.harness import run_bench
from bench.measure import Sample
from bench.tools import read_common_versions
from tests.controlplane.build import read_version
from tests.gitops.build import ARGOCD as ARGO_PROGRAM
from tests.gitops.build import KUSTOMIZE_CONTROLLER, MODULES
from tests.gobuild import read_version as read_module_version
from tests.jaseci.install import VERSION
from tests.machine import say

ROUNDS = 5
ROOM = 2_000_000_000  # bytes; most of it is what etcd and Argo CD keep


def main() -> int:
    arguments = parse_arguments(sys.argv[1:])
    rounds = arguments.rounds or ROUNDS
    return run_bench("gitops", partial(measure, rounds), compute_bars, room=ROOM, whole=arguments.rounds is None)


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.gitops", description="From a commit to a verified reset: docs/bench.md."
    )
    parser.add_argument("--rounds", type=int, help="rounds")
    return parser.parse_args(words)


def measure(rounds: int, scratch: Path) -> tuple[list[Sample], dict[str, str]]:
    """All samples after a round that warms up, and the versions of all that took part."""
    tools = {"kustomize-controller": KUSTOMIZE_CONTROLLER, "Argo CD": ARGO_PROGRAM}
    servers = {name: read_module_version(MODULES, program) for name, program in tools.items()}
    servers |= {"Kubernetes": read_version("kubernetes"), "Jaseci": VERSION}
    versions = {**read_common_versions(("click", "GitPython", "kubernetes", "PyYAML")), **servers}
    with open_ways(scratch) as ways:
        say(f"{rounds} rounds after one that warms up …")
        # The first commit of all makes the pods, the next one replaces them.
        for way in ways:
            way.begin()
        samples = [way.measure(number) for number in range(rounds + 1) for way in ways]
    return [each for each in samples if each.round], versions


def compute_bars(samples: Sequence[Sample]) -> list[Bar]:
    """How long the others take beside jsorc alone; none of these is held to a bar."""
    runs = group(samples)
    compared = [compare(runs, f"{each} / {JSORC}", (each, 0), (JSORC, 0)) for each in (KUBECTL, FLUX, ARGOCD)]
    return [replace(each, bar="none", met=None) for each in compared]


if __name__ == "__main__":
    sys.exit(main())
