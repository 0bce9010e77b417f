"""Everything outside one pass, in memory, with one log of all that is asked and done."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from jsorc_gitops.errors import ClusterError, LeaseHeldError
from jsorc_gitops.model.jaseci import Answer, ServiceState, Target
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.converge import reconcile
from jsorc_gitops.reconcile.inventory import State, find_parts, parse_state, state_name
from jsorc_gitops.reconcile.ledger import Ledger, ledger_name, parse_ledger
from jsorc_gitops.reconcile.ports import Doors, Options, Pass
from jsorc_gitops.reconcile.report import Report
from tests.reconcile.builders import HOME, make_body, make_ref
from tests.reconcile.fakes import FakeCluster
from tests.reconcile.hooks import Hooks, Killed

WRITES = ("apply", "create", "replace", "delete", "patch", "reset", "set")


class FakeJaseci:
    """`states` are what it answers, `outcomes` what a reset makes of one (a text: its refusal)."""

    def __init__(self, log: list[str], hooks: Hooks) -> None:
        self.log = log
        self.hooks = hooks
        self.requests = 0
        self.states: dict[str, ServiceState] = {}
        self.outcomes: dict[str, ServiceState | str] = {}
        self.configs: dict[str, Mapping[str, Any] | str] = {}
        self.automated: set[str] = set()
        self.details: dict[str, str] = {}  # why one has failed

    def get_states(self, targets: Sequence[Target]) -> list[Answer]:
        return [self._get_state(each) for each in targets]

    def reset_services(self, targets: Sequence[Target]) -> list[str]:
        return [self._reset(each) for each in targets]

    def get_configs(self, targets: Sequence[Target]) -> list[Mapping[str, Any] | str]:
        self.requests += len(targets)
        self.log.extend(f"config {_spell(each)}" for each in targets)
        return [self.configs.get(each.name, {}) for each in targets]

    def set_config(self, target: Target, config: Mapping[str, Any]) -> str:
        self.requests += 1
        self.log.append(f"set {_spell(target)}")
        self.hooks.before("set", target.name)
        self.configs[target.name] = config
        self.hooks.after("set", target.name)
        return ""

    def _get_state(self, target: Target) -> Answer:
        self.requests += 1
        self.log.append(f"state {_spell(target)}")
        state = self.states.get(_spell(target), ServiceState.RUNNING)
        detail = self.details.get(target.name, "") if state is ServiceState.FAILED else ""
        return Answer(state=state, detail=detail, automated=target.name in self.automated)

    def _reset(self, target: Target) -> str:
        name = _spell(target)
        self.requests += 1
        self.log.append(f"reset {name}")
        self.hooks.before("reset", name)
        outcome = self.outcomes.get(name, ServiceState.RUNNING)
        if not isinstance(outcome, ServiceState):
            return outcome
        self.states[name] = outcome
        self.hooks.after("reset", name)
        return ""


def _spell(target: Target) -> str:
    """'redis', and where a pod is called 'redis at 10.0.0.1'."""
    return f"{target.name} at {target.address}" if target.address else target.name


class FakeHistory:
    """Commits in a row: each descends from those before it, but for those `aside`. `trailers` by commit."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.commits: list[str] = ["c1", "c2", "c3", "c4"]
        self.aside = {"b1"}  # on branches of their own
        self.trailers: dict[str, list[str]] = {}
        self.touching: set[str] = set()  # commits that touch rendered/
        self.shallow = False

    def is_ancestor(self, old: str, new: str) -> bool | None:
        self.log.append(f"ancestor {old} {new}")
        if self.aside & {old, new}:
            return old == new
        if old not in self.commits or new not in self.commits:
            return None
        return self.commits.index(old) <= self.commits.index(new)

    def is_shallow(self) -> bool:
        return self.shallow

    def has_history(self, path: str, *, revision: str = "HEAD") -> bool:
        self.log.append(f"history {path} {revision}")
        old, _, new = revision.partition("..")
        return bool(self.touching & {*self.commits[self.commits.index(old) + 1 : self.commits.index(new) + 1]})

    def list_trailers(self, old: str, new: str, key: str) -> list[str]:
        self.log.append(f"trailers {old} {new} {key}")
        if old not in self.commits or new not in self.commits:
            return []
        between = self.commits[self.commits.index(old) + 1 : self.commits.index(new) + 1]
        return [value for commit in between for value in self.trailers.get(commit, [])]


class FakeLease:
    """Held from acquire to release, which the home namespace must be there for; survives `checks` checks."""

    def __init__(self, log: list[str], cluster: FakeCluster) -> None:
        self.log = log
        self.checks = 1 << 30
        self.number = 0
        self._passes = 0
        self._cluster = cluster

    def foresee(self) -> None:
        self.log.append("lease foresee")
        self.number = self._passes + 1

    def acquire(self) -> None:
        self.log.append("lease acquire")
        self._passes += 1
        self.number = self._passes
        if make_ref("Namespace", HOME, namespace="") not in self._cluster.objects:
            raise ClusterError("namespace not found", status=404, reason="NotFound")

    def check(self) -> None:
        self.log.append("lease check")
        self.checks -= 1
        if self.checks < 0:
            raise LeaseHeldError("the lease was lost")

    def release(self) -> None:
        self.log.append("lease release")


class FakeClock:
    """A second goes by whenever the time is asked; a sleep takes as long as it says, in no time.

    `step` is that second. What is to happen later happens while somebody goes on.
    """

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.time = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self.step = timedelta(seconds=1)
        self._later: list[tuple[datetime, Callable[[], None]]] = []

    def now(self) -> datetime:
        self.time += self.step
        return self.time

    def happen(self, seconds: float, what: Callable[[], None]) -> None:
        """Have something happen so many seconds from now, after what was said before."""
        self._later.append((self.time + timedelta(seconds=seconds), what))

    def go_on(self, seconds: float) -> bool:
        """Let so much time go by, or until something happens; whether it did."""
        end = self.time + timedelta(seconds=seconds)
        if not self._later or self._later[0][0] > end:
            self.time = end
            return False
        at, what = self._later.pop(0)
        self.time = max(self.time, at)
        what()
        return True

    def monotonic(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self.log.append("sleep")
        self.time += timedelta(seconds=seconds)


class World:
    """A cluster with the home namespace, a Jaseci server, a history, a clock and a lease."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.hooks = Hooks()
        self.cluster = FakeCluster(self.log, self.hooks)
        self.jaseci = FakeJaseci(self.log, self.hooks)
        self.history = FakeHistory(self.log)
        self.lease = FakeLease(self.log, self.cluster)
        self.clock = FakeClock(self.log)
        self.cluster.go_on = self.clock.go_on
        self.waits: list[str] = []
        self.told: list[Report] = []
        self.cluster.put(make_body("Namespace", HOME, namespace=""))

    def run(
        self, tree: Tree, revision: str = "c1", options: Options | None = None, *, jaseci: bool = True
    ) -> Report:
        """One pass; its own log alone is left."""
        self.log.clear()
        self.told.clear()
        return reconcile(tree, revision, self.doors(jaseci=jaseci), options or Options())

    def doors(self, *, jaseci: bool = True) -> Doors:
        return Doors(
            cluster=self.cluster,
            history=self.history,
            lease=self.lease,
            clock=self.clock,
            jaseci=self.jaseci if jaseci else None,
            waiting=self.wait,
            tell=self.told.append,
        )

    def wait(self, what: str) -> AbstractContextManager[None]:
        """Remembers what is waited for."""
        self.waits.append(what)
        return nullcontext()

    def make_pass(self, tree: Tree, revision: str = "c1", options: Options | None = None) -> Pass:
        """What the rooms of reconcile are handed, for tests of one of them."""
        return Pass(tree=tree, revision=revision, doors=self.doors(), options=options or Options())

    def kill_at(self, number: int, *, done: bool) -> None:
        """End the next pass at its n-th write from now (from 0), once it is `done` or before it is."""
        left = number

        def count(verb: str, _what: str) -> None:
            nonlocal left
            if verb in WRITES:
                left -= 1
                if left < 0:
                    self.survive()
                    raise Killed

        if done:
            self.hooks.after = count
        else:
            self.hooks.before = count

    def survive(self) -> None:
        """Nothing happens to later writes."""
        fresh = Hooks()
        self.hooks.before, self.hooks.after = fresh.before, fresh.after

    @property
    def writes(self) -> list[str]:
        """All writes of the last pass, in their order."""
        return [line for line in self.log if line.split()[0] in WRITES]

    def state(self) -> State:
        body = self.cluster.objects.get(make_ref("ConfigMap", state_name("default")))
        parts = find_parts(body) if body else []
        return parse_state(body, [self.cluster.objects.get(make_ref("ConfigMap", each)) for each in parts])

    def ledger(self) -> Ledger:
        return parse_ledger(self.cluster.objects.get(make_ref("ConfigMap", ledger_name("default"))))

    def names(self, kind: str) -> Sequence[str]:
        """The names of all objects of a kind that are not jsorc's own."""
        return sorted(
            ref.name for ref in self.cluster.objects if ref.kind == kind and not ref.name.startswith("jsorc.")
        )
