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
from tests.controlplane.proxy import Cut, Fault, Request
from tests.controlplane.server import ControlPlane
from tests.journeys.scratch import Done, end
from tests.journeys.site import Site, is_create
from tests.journeys.test_killed import is_write
from tests.journeys.test_ownership import is_calm
from tests.waiting import wait_until

pytestmark = pytest.mark.real

SITES, ROUNDS = 10, 2
ENDINGS, NEWER = (signal.SIGSTOP, signal.SIGKILL), ("same", "two", "one")
LOST = 5  # the exit code of a pass that lost the lease
MANY = 60
OLDER = "is older than commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What happens to the first machine, at which of its writes, and which machine has the newer commit."""

    sends: signal.Signals
    number: int
    newer: str  # one | two | same
    late: bool  # the write in hand reaches the API server after all that the second machine does

    def play(self, site: Site) -> None:
        """Once, and check what was written without the lease."""
        older = site.advance()
        newer = older if self.newer == "same" else site.advance()
        site.one.fetch(newer if self.newer == "one" else older)
        site.two.fetch(newer if self.newer == "two" else older)
        site.forget_answers()

        first, second = self.strike(site)

        # One that was struck at its last write has ended well, one that was struck at its first may begin anew.
        assert second.code == 0 or (self.newer == "one" and OLDER in second.output), second.output
        assert first.code in {0, LOST, -signal.SIGKILL} or OLDER in first.output, first.output
        foreign = site.find_foreign_writes()
        assert len(foreign) <= IN_FLIGHT
        # What the second one did not touch, since it is behind, can still be as the first one planned it.
        assert self.newer == "one" or [each for each in foreign if not is_create(each)] == []

    def strike(self, site: Site) -> tuple[Done, Done]:
        """Both passes: the first is struck, the second goes to its end, and then a stopped one goes on."""
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
        code, output = end(process, signal.SIGCONT)
        site.one.proxy.behave()
        return Done(command="", output=output, code=code), second


def check_converged(site: Site) -> None:
    """Once both are at the newest commit, one pass mends what is left, and then there is nothing to do."""
    for machine in (site.one, site.two):
        machine.fetch("origin/main")
    mended = site.two.reconcile()
    assert mended.code == 0, mended.output
    assert is_calm(site.one.reconcile())
    assert is_calm(site.two.reconcile())
    site.check_exact()


def play_rounds(site: Site, first: int) -> None:
    assert site.two.reconcile().code == 0
    for number in range(first, first + ROUNDS):
        each = Round(
            sends=ENDINGS[number % 2],
            number=site.rng.randint(1, 10),
            newer=NEWER[number % 3],
            late=site.rng.random() < 0.5,
        )
        each.play(site)
        check_converged(site)


def test_twenty_rounds(tmp_path: Path, controlplane: ControlPlane) -> None:
    """Whoever wakes up without the lease writes nothing but what was in flight; no orphan, nothing twice.

    The rounds run side by side, in namespaces of their own, since in each a lease has to expire.
    """
    with ExitStack() as stack, ThreadPoolExecutor(SITES) as pool:
        sites = [stack.enter_context(Site(tmp_path / str(seed), controlplane, seed)) for seed in range(SITES)]
        played = [pool.submit(play_rounds, site, seed * ROUNDS) for seed, site in enumerate(sites)]
        for each in played:
            each.result()


@pytest.fixture
def site(tmp_path: Path, controlplane: ControlPlane) -> Iterator[Site]:
    """Both machines at one commit, applied."""
    with Site(tmp_path, controlplane, seed=1) as made:
        assert made.two.reconcile().code == 0
        yield made


def test_who_wakes_up_sends_no_more(site: Site) -> None:
    """The lease is asked about before every single write: no more than what was under way is written."""
    site.content.values |= {f"many-{number}": "1" for number in range(MANY)}
    site.one.fetch(site.commit())
    site.forget_answers()

    first, second = Round(sends=signal.SIGSTOP, number=5, newer="one", late=False).strike(site)

    assert (first.code, second.code) == (LOST, 1)
    assert "jsorc.default was lost: " in first.output
    assert len(site.find_foreign_writes()) <= IN_FLIGHT
    assert len(site.list_names() & site.content.values.keys()) < MANY
    check_converged(site)


@pytest.mark.parametrize("fetched", [True, False])
def test_the_machine_that_is_behind_undoes_nothing(site: Site, *, fetched: bool) -> None:
    """Whether it has heard of the newer commit or not: it is told to pull, and then there is nothing to do."""
    older = site.tree.scratch.git("rev-parse", "HEAD").output.strip()
    site.one.fetch(site.advance())
    assert site.one.reconcile().code == 0
    if fetched:
        site.two.fetch(older)
    site.forget_answers()

    done = site.two.reconcile()

    assert (done.code, done.output.count("\n")) == (1, 1)
    assert (OLDER if fetched else "is unknown to this repository: it was not pulled") in done.output
    writes = [each.request for each in site.two.proxy.answers if is_write(each.request)]
    assert {each.path.partition("?")[0].split("/")[-2] for each in writes[1:]} <= {"leases"}
    site.check_exact()
    check_converged(site)
