"""The benchmark of resets measures what it says: each state is read once, and what is compared are the reads."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.bars import Bar
from bench.check import CheckError
from bench.harness import make_env
from bench.measure import Sample, measure_chains
from bench.reconcile.server import ApiServer
from bench.resets.chains import (
    ALONE,
    ASKING,
    BARE,
    SILENT,
    START,
    TOGETHER,
    Calls,
    ResetsBench,
    make_chains,
    make_variables,
)
from bench.resets.report import FAR, compute_bars
from bench.resets.server import JaseciServer, start_jaseci
from tests.jaseci.proxy import Proxy, Reply

INFO = "/js_admin/service_info"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    """Its own, since it stops the controllers."""
    server = ApiServer.start(tmp_path / "server")
    yield server
    server.stop()


def make_samples(command: str, *walls: float, requests: int | None = None) -> list[Sample]:
    return [
        Sample(command=command, size=200, round=number, wall=wall, cpu=wall, rss=20, requests=requests)
        for number, wall in enumerate(walls, 1)
    ]


@pytest.mark.real
@pytest.mark.usefixtures("programs")
def test_chains(tmp_path: Path, server: ApiServer) -> None:
    """Every contender reads every state, near and far, but for those that read none; a distance is felt."""
    with start_jaseci(tmp_path / "jaseci") as jaseci:
        bench = ResetsBench(
            scratch=tmp_path,
            env={**make_env(tmp_path), **make_variables(jaseci)},
            size=9,
            kubeconfig=server.make_kubeconfig(None),
            jaseci=jaseci,
        )

        samples = {each.command: each for each in measure_chains(bench, make_chains(bench), rounds=1)}

    counted = {name: each.requests for name, each in samples.items()}
    assert len(samples) == 10
    assert (counted.pop(SILENT), counted.pop(START)) == (0, 0)
    assert set(counted.values()) == {9}
    # A connection for each read: a round trip to open it, and another one.
    assert samples[f"{ALONE}{FAR}"].wall > 9 * 0.02


@pytest.mark.parametrize("found", [199, 201])
def test_other_calls_end_the_bench(tmp_path: Path, found: int) -> None:
    """Calls that are too many or too few are found, whatever was there before."""
    log = tmp_path / "log"
    line = "2026-11-27 06:21:50,146 - INFO - proc_request: Incoming call from admin to service_info\n"
    log.write_text(line * 7)
    calls = Calls(JaseciServer(log=log, urls={}, credentials={}), 200)
    calls.begin()
    log.write_text(line * (7 + 200))
    calls.check()

    log.write_text(line * (7 + found))

    with pytest.raises(CheckError, match=f"got {found} calls, not 200"):
        calls.check()
    assert calls.digest() == str(found)


@pytest.mark.parametrize("lines", ["kept", "fresh"])
@pytest.mark.parametrize(("state", "code"), [("RUNNING", 0), ("FAILED", 1)])
def test_bare_program(lines: str, state: str, code: int) -> None:
    """It reads just so many states, by however many threads, and fails where the service does not run."""
    with Proxy() as wire:
        wire.misbehave(Reply(status=200, body=json.dumps({"state": state}).encode()), path=INFO)
        command: list[str | Path] = [sys.executable, BARE, "HERE", "redis", "11", "4", lines]
        env = {"HERE": json.dumps({"origin": wire.url, "token": "0a1b"})}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        requests = list(wire.requests)

    assert done.returncode == code, done.stderr
    assert {(each.path, each.json["name"], each.headers["Authorization"]) for each in requests} == {
        (INFO, "redis", "token 0a1b")
    }
    if code:
        assert done.stderr == "redis is FAILED\n"
    else:
        assert len(requests) == 11


def test_bars() -> None:
    """What is compared are the states alone: without the rest of the pass, and without a start of Python."""
    samples = [
        *make_samples(SILENT, 0.5, 0.6, 0.5),
        *make_samples(START, 0.1, 0.1, 0.1),
        *make_samples(ASKING, 1.5, 1.6, 2.5, requests=200),
        *make_samples(ALONE, 2.1, 2.1, 0.9),
        *make_samples(f"{ALONE}{FAR}", 5.1, 4.1, 6.1),
    ]

    requests, far, near, together = compute_bars(samples)

    assert (requests.measured, requests.met) == (200, True)
    assert (far.met, together.met) == (None, None)
    assert near == Bar(claim=near.claim, bar="<= 1.5", measured=0.5, low=0.5, high=2.5, met=True)
    slow = make_samples(f"{ASKING}{FAR}", 2.5, 2.5, 2.5)
    _, far, _, together = compute_bars([*samples, *slow, *make_samples(f"{TOGETHER}{FAR}", 1.7, 1.7, 1.7)])
    assert (far.bar, far.measured, far.met) == (">= 4", 2.5, False)
    assert (together.bar, together.measured, together.met) == ("<= 1.5", 1.25, True)
