"""What reconciling asks of the outside, where the adapters happen to fit, and what one pass is."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.jaseci import Answer, Target
from jsorc_gitops.model.objects import ApplyRequest, Body, DeleteRequest, ObjectRef
from jsorc_gitops.model.tree import Tree
from jsorc_gitops.reconcile.inventory import compute_applyset_id
from jsorc_gitops.reconcile.ledger import Pause
from jsorc_gitops.reconcile.report import Report


class Cluster(Protocol):
    """An API server. Batches answer by position; a failed object is a returned ClusterError."""

    @property
    def server(self) -> str: ...
    @property
    def requests(self) -> int: ...
    def read_discovery(self) -> None: ...
    def serves(self, api_version: str, kind: str) -> bool: ...
    def find_api_version(self, group: str, kind: str) -> str | None: ...
    def is_away(self, group: str) -> bool: ...
    def list_objects(
        self,
        kinds: Sequence[tuple[str, str]],
        *,
        selector: str = "",
        namespaces: Sequence[str] = (),
        names_only: bool = False,
    ) -> list[list[Body] | ClusterError]: ...
    def watch_objects(
        self, kinds: Sequence[tuple[str, str]], *, selectors: Sequence[str], namespaces: Sequence[str]
    ) -> AbstractContextManager["Watch"]: ...
    def get_objects(self, items: Sequence[tuple[str, ObjectRef]]) -> list[Body | ClusterError | None]: ...
    def apply_objects(self, requests: Sequence[ApplyRequest]) -> list[Body | ClusterError]: ...
    def delete_objects(self, requests: Sequence[DeleteRequest]) -> list[Body | ClusterError]: ...
    def list_events(self, subjects: Sequence[tuple[str, str]]) -> list[list[Body] | ClusterError]: ...
    def get_logs(self, places: Sequence[tuple[str, str, str, bool]]) -> list[str | ClusterError]: ...
    def create_object(self, body: Body) -> Body: ...
    def replace_object(self, body: Body) -> Body: ...
    def patch_object(self, api_version: str, ref: ObjectRef, patch: Body) -> Body: ...


class Watch(Protocol):
    """Collections that are followed as they change."""

    def wait(self, seconds: float) -> bool: ...
    def read(self) -> list[list[Body] | ClusterError]: ...


class Jaseci(Protocol):
    """The processes of Jaseci. Batches go side by side and answer by position; a reason is "" for success."""

    requests: int

    def get_states(self, targets: Sequence[Target]) -> list[Answer]: ...
    def reset_services(self, targets: Sequence[Target]) -> list[str]: ...
    def get_configs(self, targets: Sequence[Target]) -> list[Mapping[str, Any] | str]: ...
    def set_config(self, target: Target, config: Mapping[str, Any]) -> str: ...


class History(Protocol):
    """The commits that the tree came from."""

    def is_ancestor(self, old: str, new: str) -> bool | None: ...
    def is_shallow(self) -> bool: ...
    def has_history(self, path: str, *, revision: str = "HEAD") -> bool: ...
    def list_trailers(self, old: str, new: str, key: str) -> list[str]: ...


class NoHistory:
    """That of a tree which was not read from commits: nobody knows of any."""

    def is_ancestor(self, _old: str, _new: str) -> bool | None:
        return None

    def is_shallow(self) -> bool:
        return True

    def has_history(self, _path: str, *, revision: str = "HEAD") -> bool:
        del revision
        return False

    def list_trailers(self, _old: str, _new: str, _key: str) -> list[str]:
        return []


class Lease(Protocol):
    """The lock of one tree; one pass at a time holds it. `number` counts the passes that have."""

    number: int

    def foresee(self) -> None: ...
    def acquire(self) -> None: ...
    def check(self) -> None: ...
    def release(self) -> None: ...


class Clock(Protocol):
    """The time of day, as an argument."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Everything outside that one pass uses. `jaseci` is None where no server is configured.

    `waiting` is entered around every wait, and told for what: a person may look on. `tell` is handed all that
    happens as soon as it has, each once: reports of a part of the pass.
    """

    cluster: Cluster
    history: History
    lease: Lease
    clock: Clock
    jaseci: Jaseci | None
    waiting: Callable[[str], AbstractContextManager[object]] = nullcontext
    tell: Callable[[Report], None] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user allows this one pass, and asks of it.

    `audit_every` is in seconds, 0 for never; `wait` so many are waited for verdicts at most, None for not at all;
    `mask_key` is what a dry run masks the values of Secrets with. `takeover` is no whole pass: the tree is
    adopted, from Flux or Argo CD at rest, too, and nothing else is done.
    """

    adopt: bool = False
    takeover: bool = False
    allow_prune: bool = False
    allow_rewind: bool = False
    dry_run: bool = False
    audit_every: float = 0.0
    wait: float | None = None
    mask_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass over one tree at one commit."""

    tree: Tree = field(repr=False)
    revision: str
    doors: Doors = field(repr=False)
    options: Options
    paused: Mapping[str, Pause] = field(default_factory=dict)  # services

    @property
    def part_of(self) -> str:
        """The ApplySet that the tree's objects are members of."""
        return compute_applyset_id(self.tree.name, self.namespace)

    @property
    def namespace(self) -> str:
        return self.tree.settings.namespace

    @property
    def cluster(self) -> Cluster:
        return self.doors.cluster
