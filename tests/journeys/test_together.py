"""Two reconcilers of one tree, one of them stopped or killed in mid-pass: never two writers, always converged."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest

from jsorc_gitops.adapters.cluster import IN_FLIGHT
from tests.controlplane.proxy import Answered, Cut, Fault, Request
from tests.controlplane.server import ControlPlane
from tests.journeys.site import Site, describe, is_create
from tests.journeys.test_killed import is_write
from tests.journeys.test_ownership import is_calm
from tests.waiting import wait_until

pytestmark = pytest.mark.real

SITES, ROUNDS = 5, 4
HELD = 5  # the exit code of a pass that lost the lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What happens to the first machine, at which of its writes, and which machine has the newer commit."""

    sends: signal.Signals
    number: int
    newer: str  # one | two | same
    late: bool  # the write in hand reaches the API server after all that the second machine does

    def play(self, site: Site) -> list[Answered]:
        """Once; what was written without the lease."""
        older = site.advance()
        newer = older if self.newer == "same" else site.advance()
        site.one.fetch(newer if self.newer == "one" else older)
        site.two.fetch(newer if self.newer == "two" else older)
        struck, let_go, left = Event(), Event(), self.number

        def strike(request: Request) -> Fault | None:
            nonlocal left
            left -= is_write(request)
            if left or struck.is_set():
                return None
            process.send_signal(self.sends)
            struck.set()
            if self.late:
                let_go.wait()
            return Cut(acted=True) if self.sends is signal.SIGKILL else None

        site.one.proxy.misbehave(strike)
        process = site.one.scratch.start_jsorc(*site.one.arguments)
        wait_until(lambda: struck.is_set() or process.poll() is not None, what="the first is struck")
        second = site.two.reconcile()
        let_go.set()
        process.send_signal(signal.SIGCONT)
        first, _ = process.communicate()
        site.one.proxy.behave()
        print(
            self,
            second.code,
            second.output,
            process.returncode,
            first,
            *describe(site.find_foreign_writes()),
            sep="\n",
        )
        return site.find_foreign_writes()


def play_rounds(site: Site, rounds: list[Round]) -> None:
    assert site.two.reconcile().code == 0
    for each in rounds:
        site.one.proxy.answers.clear()
        site.two.proxy.answers.clear()
        foreign = each.play(site)
        assert len(foreign) <= IN_FLIGHT
        for machine in (site.one, site.two):
            machine.fetch("origin/main")
        mended = site.two.reconcile()
        assert mended.code == 0, mended.output
        assert is_calm(site.one.reconcile())
        assert is_calm(site.two.reconcile())
        site.check_exact()


@pytest.fixture
def sites(tmp_path: Path, controlplane: ControlPlane) -> Iterator[list[Site]]:
    """In namespaces of their own, so that rounds run side by side: each waits for a lease to expire."""
    with ExitStack() as stack:
        yield [stack.enter_context(Site(tmp_path / str(seed), controlplane, seed)) for seed in range(SITES)]


def test_twenty_rounds(sites: list[Site]) -> None:
    """Whoever wakes up without the lease has written nothing but what was in flight, and all converges."""
    endings, newer = (signal.SIGSTOP, signal.SIGKILL), ("same", "two", "one")

    def play(site: Site, first: int) -> None:
        rounds = [
            Round(
                sends=endings[number % 2],
                number=site.rng.randint(1, 10),
                newer=newer[number % 3],
                late=site.rng.random() < 0.5,
            )
            for number in range(first, first + ROUNDS)
        ]
        play_rounds(site, rounds)

    with ThreadPoolExecutor(SITES) as pool:
        played = [pool.submit(play, site, place * ROUNDS) for place, site in enumerate(sites)]
        for each in played:
            each.result()
