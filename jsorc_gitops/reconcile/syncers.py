"""What syncs a tree from git: how far a Kustomization of Flux or an Application of Argo CD is; values alone.

https://fluxcd.io/flux/components/kustomize/kustomizations/#kustomization-status
https://argo-cd.readthedocs.io/en/stable/user-guide/auto_sync/
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, ObjectRef
from jsorc_gitops.model.settings import Applier
from jsorc_gitops.reconcile.evidence import Finding, current, failed, progressing
from jsorc_gitops.reconcile.health import Health, Status

FLUX, ARGO = "kustomize.toolkit.fluxcd.io", "argoproj.io"
SKIPPED = "argocd.argoproj.io/skip-reconcile"
_SUSPEND = """--type=merge -p '{"spec": {"suspend": true}}'"""
_WITHOUT_FINALIZERS = """--type=merge -p '{"metadata": {"finalizers": null}}'"""

NAMES: Mapping[Applier, str] = {"jsorc": "jsorc", "flux": "Flux", "argocd": "Argo CD"}
# The kinds of their objects that sync something, by group.
KINDS: Mapping[Applier, tuple[str, str]] = {"flux": (FLUX, "Kustomization"), "argocd": (ARGO, "Application")}
# Their field managers.
MANAGERS: Mapping[Applier, str] = {"flux": "kustomize-controller", "argocd": "argocd-controller"}

# How a commit stands in what they say they have applied: main@sha1:COMMIT (Flux), COMMIT (Argo CD).
_COMMIT = re.compile(r"(?:\A|sha1:)([0-9a-f]{40})\Z")
# Reasons of Flux's Ready=False: nothing has failed; all is applied, and something of it does not get ready, which
# the health of that very object tells.
_WAITS, _UNHEALTHY = "DependencyNotReady", "HealthCheckFailed"
_LONGEST = 300  # of what a message quotes


@dataclass(frozen=True, kw_only=True)  # without slots, since it remembers what it keeps
class Syncer:
    """A Kustomization or an Application that has marked objects as its own; or why it could not be read."""

    ref: ObjectRef  # of an Application that could not be read the namespace is ""
    body: Body | ClusterError = field(repr=False)

    def __str__(self) -> str:
        return f"{self.ref.kind} {'/'.join(filter(None, (self.ref.namespace, self.ref.name)))}"

    @property
    def manager(self) -> str:
        """The field manager of what it applies."""
        return MANAGERS["flux" if self.ref.group == FLUX else "argocd"]

    def keeps(self, ref: ObjectRef) -> bool:
        """Whether it says that the object is its own; one that cannot be asked counts."""
        if isinstance(self.body, ClusterError):
            return True
        return (_spell_flux(ref) if self.ref.group == FLUX else ref) in self._kept

    @cached_property
    def _kept(self) -> frozenset[str | ObjectRef]:
        body = {} if isinstance(self.body, ClusterError) else self.body
        return _list_entries(body) | frozenset(map(_find_identity, _list_resources(body)))

    def has_in_git(self, ref: ObjectRef) -> bool:
        """Whether what it applied last has the object; one that left git stays where nothing is pruned."""
        if isinstance(self.body, ClusterError) or self.ref.group == FLUX:
            return self.keeps(ref)
        resources = _list_resources(self.body)
        return any(_find_identity(each) == ref and not each.get("requiresPruning") for each in resources)

    @property
    def late(self) -> frozenset[ObjectRef]:
        """What Argo CD says is not as its revision has it; of Flux that is not known."""
        if isinstance(self.body, ClusterError) or self.ref.group == FLUX:
            return frozenset()
        return frozenset(map(_find_identity, _list_late(self.body)))

    @property
    def attempted(self) -> str:
        """What it tried to apply last, as `revision` says it, whatever came of it."""
        if isinstance(self.body, ClusterError):
            return ""
        status = self.body.get("status") or {}
        if self.ref.group == FLUX:
            said = status.get("lastAttemptedRevision") or ""
        else:
            done, sync = status.get("operationState") or {}, status.get("sync") or {}
            said = (done.get("syncResult") or {}).get("revision") or sync.get("revision") or ""
        return _find_commit(said)

    @property
    def is_at_rest(self) -> bool:
        """Whether it applies nothing until somebody says so: suspended, or without automated sync."""
        if isinstance(self.body, ClusterError):
            return False
        spec = self.body.get("spec") or {}
        if self.ref.group == FLUX:
            return bool(spec.get("suspend"))
        automated = (spec.get("syncPolicy") or {}).get("automated")
        return _is_skipped(self.body) or automated is None or automated.get("enabled") is False

    def explain_work(self) -> str:
        """Why it is not at rest, and what puts it there."""
        if isinstance(self.body, ClusterError):
            return f"could not be read: {self.body}"
        if self.ref.group == FLUX:
            return f"is at work; suspend it first: {self._spell('patch', _SUSPEND)}"
        return f"is at work; stop it first: {self._spell('annotate', f'{SKIPPED}=true')}"

    def explain_end(self) -> str:
        """How to remove it without what it kept."""
        delete = self._spell("delete")
        finalizers = not isinstance(self.body, ClusterError) and self.body["metadata"].get("finalizers")
        # That of Flux deletes nothing where it is suspended.
        if self.ref.group == FLUX or not finalizers:
            return f"delete it: {delete}"
        first = self._spell("patch", _WITHOUT_FINALIZERS)
        return f"delete it without its finalizers, which delete what it kept: {first} && {delete}"

    def _spell(self, verb: str, *rest: str) -> str:
        kind = f"{self.ref.kind.lower()}s.{self.ref.group}"
        return " ".join(("kubectl", "-n", self.ref.namespace, verb, kind, self.ref.name, *rest))

    @property
    def revision(self) -> str:
        """What it applied last: a commit, where it is one of git, else as it says it; "" where it does not."""
        if isinstance(self.body, ClusterError):
            return ""
        status = self.body.get("status") or {}
        if self.ref.group == FLUX:
            if _find_ready(self.body).get("reason") == _UNHEALTHY:
                return self.attempted
            # Where the source is an image or a bucket, the commit it was made from is another field.
            said = status.get("lastAppliedOriginRevision") or status.get("lastAppliedRevision") or ""
        else:
            sync = status.get("sync") or {}
            # With several sources there are several.
            said = sync.get("revision") or "+".join(sync.get("revisions") or ())
        return _find_commit(said)

    def list_names(self, *, kind: str, namespace: str) -> set[str]:
        """The names of objects of a core kind in a namespace that it says are its own."""
        if isinstance(self.body, ClusterError):
            return set()
        if self.ref.group == FLUX:
            spelled = (each.split("_") for each in _list_entries(self.body))
            return {each[1] for each in spelled if each[0] == namespace and each[2:] == ["", kind]}
        refs = map(_find_identity, _list_resources(self.body))
        return {ref.name for ref in refs if (ref.group, ref.kind, ref.namespace) == ("", kind, namespace)}


def is_marked(live: Body, *appliers: Applier) -> bool:
    """Whether these (Flux or Argo CD) have ever applied an object, be it for nobody who is still there."""
    managers = {MANAGERS[each] for each in appliers or MANAGERS}
    return any(each.get("manager") in managers for each in live["metadata"].get("managedFields") or ())


def is_commit(revision: str) -> bool:
    return _COMMIT.match(revision) is not None


def judge_syncer(syncer: Syncer) -> Health:
    """Current when it is done with a revision; on its way, or failing, with what it says itself."""
    if isinstance(syncer.body, ClusterError):
        return Health(ref=syncer.ref, status=Status.UNKNOWN, message=f"it could not be read: {syncer.body}")
    judge = _judge_kustomization if syncer.ref.group == FLUX else _judge_application
    return Health(ref=syncer.ref, **judge(syncer.body)._asdict())


def _judge_kustomization(body: Body) -> Finding:
    status, ready = body.get("status") or {}, _find_ready(body)
    # All that it says is of before: nothing tells that but the spec.
    if body["spec"].get("suspend"):
        return progressing("suspended; nothing is applied until it is resumed")
    if ready.get("status") == "False" and ready.get("reason") not in {_WAITS, _UNHEALTHY}:
        return failed(_quote(ready))
    if status.get("observedGeneration") != body["metadata"].get("generation"):
        return progressing("Flux has not seen its last change yet")
    applied, attempted = status.get("lastAppliedRevision"), status.get("lastAttemptedRevision")
    if ready.get("reason") == _UNHEALTHY:
        return current(f"{attempted} is applied, and not all of it is ready")
    if ready.get("status") != "True":
        return progressing(_quote(ready) if ready else "Flux has said nothing of it yet")
    late = "" if applied == attempted else f", {attempted} is on its way"
    return (progressing if late else current)(f"{applied} is applied{late}")


def _find_ready(kustomization: Body) -> Mapping[str, Any]:
    conditions: Iterable[Mapping[str, Any]] = (kustomization.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == "Ready"), {})


def _find_commit(said: str) -> str:
    found = _COMMIT.search(said)
    return found[1] if found else said


def _strip(value: Any) -> Any:
    """Without what is empty: Argo CD writes down fields that nobody has set."""
    if not isinstance(value, Mapping):
        return [_strip(each) for each in value] if isinstance(value, list) else value
    stripped = {key: _strip(each) for key, each in value.items()}
    return {key: each for key, each in stripped.items() if each not in ("", None, False, {}, [])} or None


def _judge_application(body: Body) -> Finding:
    if failure := _find_failure(body):
        return failed(failure)
    if unfinished := _find_unfinished(body):
        return progressing(unfinished)
    return current(f"{_find_compared(body)} is synced")


def _find_failure(application: Body) -> str:
    status = application.get("status") or {}
    # Its health says nothing of a manifest that could not be applied.
    errors = [each for each in status.get("conditions") or () if str(each.get("type")).endswith("Error")]
    if errors:
        return f"{errors[0]['type']}: {_shorten(errors[0].get('message'))}"
    done = status.get("operationState") or {}
    # One that is tried again is Running.
    phase = done.get("phase")
    has_failed = phase in {"Failed", "Error"} or (phase == "Running" and done.get("retryCount"))
    if has_failed and _list_late(application):
        results = (done.get("syncResult") or {}).get("resources") or ()
        refused = [each.get("message") for each in results if each.get("status") == "SyncFailed"]
        return f"the sync failed: {_shorten((refused or [done.get('message')])[0])}"
    return ""


def _find_unfinished(application: Body) -> str:
    status = application.get("status") or {}
    sync, done = status.get("sync") or {}, status.get("operationState") or {}
    compared = sync.get("comparedTo") or {}
    late = _list_late(application)
    if _is_skipped(application):
        return f"{SKIPPED}: nothing is applied until it is taken away"
    if application.get("operation") or done.get("phase") in {"Running", "Terminating"}:
        return f"syncing: {_shorten(done.get('message')) or 'begun'}"
    if any(_strip(compared.get(key)) != _strip(application["spec"].get(key)) for key in ("source", "sources")):
        return "Argo CD has not seen its last change yet"
    if late:
        more = f" and {len(late) - 1} more" if len(late) > 1 else ""
        return f"{_find_identity(late[0])}{more} OutOfSync with {_find_compared(application)}"
    if sync.get("status") not in {"Synced", "OutOfSync"} or not _list_resources(application):
        return f"sync status {sync.get('status') or 'not known yet'}"
    return ""


def _find_compared(application: Body) -> str:
    sync = application["status"]["sync"]
    return ", ".join(each[:12] for each in sync.get("revisions") or [sync.get("revision") or ""])


def _list_late(application: Body) -> list[Mapping[str, Any]]:
    """What is not as git says. What left git may stay so for ever, and runs nothing of the tree."""
    late = {"OutOfSync", "Unknown"}
    return [
        each
        for each in _list_resources(application)
        if each.get("status") in late and not each.get("requiresPruning")
    ]


def _is_skipped(application: Body) -> bool:
    return (application["metadata"].get("annotations") or {}).get(SKIPPED) == "true"


def _quote(condition: Mapping[str, Any]) -> str:
    return f"{condition.get('reason')}: {_shorten(condition.get('message'))}"


def _shorten(text: object) -> str:
    line = " ".join(str(text or "").split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _list_entries(kustomization: Body) -> frozenset[str]:
    inventory = (kustomization.get("status") or {}).get("inventory") or {}
    entries: Iterable[Mapping[str, Any]] = inventory.get("entries") or ()
    return frozenset(str(each.get("id")) for each in entries)


def _spell_flux(ref: ObjectRef) -> str:
    # The names of RBAC may hold colons, which the inventory spells as two underscores.
    return f"{ref.namespace}_{ref.name.replace(':', '__')}_{ref.group}_{ref.kind}"


def _list_resources(application: Body) -> list[Mapping[str, Any]]:
    return list((application.get("status") or {}).get("resources") or ())


def _find_identity(resource: Mapping[str, Any]) -> ObjectRef:
    return ObjectRef(
        group=resource.get("group", ""),
        kind=resource.get("kind", ""),
        namespace=resource.get("namespace", ""),
        name=resource.get("name", ""),
    )
