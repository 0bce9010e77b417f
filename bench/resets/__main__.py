"""`python -m bench.resets`: a pass over 200 services with nothing to reset, on a real API server and Jaseci."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.harness import make_env, run_bench
from bench.measure import Sample, measure_chains
from bench.reconcile.server import ApiServer
from bench.resets.chains import ResetsBench, make_chains, make_variables
from bench.resets.report import SIZE, compute_bars
from bench.resets.server import start_jaseci
from bench.tools import read_common_versions
from tests.controlplane.build import read_version
from tests.jaseci.install import VERSION
from tests.machine import say

ROUNDS = 5
ROOM = 500_000_000  # bytes; most of it is what Jaseci logs


def main() -> int:
    arguments = parse_arguments(sys.argv[1:])
    return run_bench(
        "resets",
        partial(measure, arguments.rounds or ROUNDS),
        compute_bars,
        room=ROOM,
        whole=arguments.rounds is None,
    )


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.resets", description="Speed of finding nothing to reset: docs/bench.md."
    )
    parser.add_argument("--rounds", type=int, help="rounds")
    return parser.parse_args(words)


def measure(rounds: int, scratch: Path) -> tuple[list[Sample], dict[str, str]]:
    """All samples, and the versions of all that took part."""
    servers = {"Kubernetes": read_version("kubernetes"), "etcd": read_version("etcd"), "Jaseci": VERSION}
    versions = {**read_common_versions(("click", "GitPython", "kubernetes", "PyYAML", "urllib3")), **servers}
    with ExitStack() as stack:
        server = ApiServer.start(scratch / "server")
        stack.callback(server.stop)
        jaseci = stack.enter_context(start_jaseci(scratch / "jaseci"))
        bench = ResetsBench(
            scratch=scratch,
            env={**make_env(scratch), **make_variables(jaseci)},
            size=SIZE,
            kubeconfig=server.make_kubeconfig(None),
            jaseci=jaseci,
        )
        say(f"{SIZE} services, {rounds} rounds after one that warms up and checks …")
        return measure_chains(bench, make_chains(bench), rounds=rounds), versions


if __name__ == "__main__":
    sys.exit(main())
