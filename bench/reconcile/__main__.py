"""`python -m bench.reconcile`: `jsorc reconcile` beside kubectl, on a real API server."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench.harness import choose_rounds, make_env, run_bench
from bench.measure import Sample, measure_chains
from bench.reconcile.chains import DISTANCES, ReconcileBench, make_chains
from bench.reconcile.inputs import count_services
from bench.reconcile.report import compute_bars
from bench.reconcile.server import ApiServer
from bench.tools import read_common_versions, read_kubectl_versions
from tests.controlplane.build import ensure_programs, read_version
from tests.machine import say

ROUNDS = {4: 5, 5000: 5}
SIZES = (1000, 5000, 10000)
BYTES_PER_OBJECT = 50_000  # in the repository, beside it, and in etcd


def main() -> int:
    arguments = parse_arguments(sys.argv[1:])
    return run_bench(
        "reconcile",
        partial(measure, arguments),
        compute_bars,
        room=max(arguments.sizes) * BYTES_PER_OBJECT,
        whole=arguments.rounds is None and set(arguments.sizes) >= set(SIZES),
    )


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.reconcile", description="Speed of reconciling: docs/bench.md."
    )
    parser.add_argument("--sizes", type=parse_size, nargs="+", default=SIZES, help="numbers of objects")
    parser.add_argument("--rounds", type=int, help="rounds for every size")
    return parser.parse_args(words)


def parse_size(word: str) -> int:
    count_services(int(word))
    return int(word)


def measure(arguments: argparse.Namespace, scratch: Path) -> tuple[list[Sample], dict[str, str]]:
    """All samples, smallest size first, and the versions of all that took part."""
    kubectl = ensure_programs() / "kubectl"
    env = {**make_env(scratch), "KUBERC": "off"}
    libraries = read_common_versions(("click", "GitPython", "kubernetes", "PyYAML", "urllib3"))
    servers = {"Kubernetes": read_version("kubernetes"), "etcd": read_version("etcd")}
    versions = {**libraries, **read_kubectl_versions(kubectl), **servers}
    samples: list[Sample] = []
    server = ApiServer.start(scratch / "server")
    try:
        kubeconfigs = {distance: server.make_kubeconfig(distance) for distance in (*DISTANCES, 0)}
        for size in sorted(arguments.sizes):
            bench = ReconcileBench(
                scratch=scratch, env=env, size=size, kubectl=kubectl, server=server, kubeconfigs=kubeconfigs
            )
            rounds = arguments.rounds or choose_rounds(ROUNDS, size)
            say(f"{size:,} objects, {rounds} rounds after one that warms up and checks …")
            samples += measure_chains(bench, make_chains(bench), rounds=rounds)
    finally:
        server.stop()
    return samples, versions


if __name__ == "__main__":
    sys.exit(main())
