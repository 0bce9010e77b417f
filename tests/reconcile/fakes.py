"""An API server in memory: conditional writes, managedFields and conflicts as seen on a real one.

Lists are atomic here, and the only controller is one that rolls Deployments out at once.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from itertools import count
from typing import Any, Self

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import ApplyRequest, DeleteRequest, ObjectRef, parse_group
from tests.reconcile.builders import Body, make_manifest, make_pods, make_ref
from tests.reconcile.hooks import Hooks
from tests.reconcile.merging import (
    Path,
    find_conflicts,
    find_leaves,
    list_paths,
    make_fields,
    merge,
    merge_patch,
    set_field,
)

SERVED = {
    *(("v1", kind) for kind in ("ConfigMap", "Namespace", "PersistentVolumeClaim", "Pod", "Secret", "Service")),
    ("apps/v1", "Deployment"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
}


def conflict(message: str = "the object has been modified", **more: Any) -> ClusterError:
    return ClusterError(message, status=409, reason="Conflict", **more)


def _matches(labels: Mapping[str, str], key: str, value: str | None) -> bool:
    return key in labels if value is None else labels.get(key) == value


def _raised(answer: Mapping[str, Any] | ClusterError) -> Mapping[str, Any]:
    if isinstance(answer, ClusterError):
        raise answer
    return answer


class FakeWatch:
    """Objects as they are whenever they are read; while it is waited for, time goes on, and things happen."""

    def __init__(
        self,
        read: Callable[[], list[list[Mapping[str, Any]] | ClusterError]],
        go_on: Callable[[float], bool],
        log: list[str],
    ) -> None:
        self.read = read
        self._go_on = go_on
        self._log = log
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.append("watch closed")

    def wait(self, seconds: float) -> bool:
        if not self._begun:
            self._begun = True
            return True
        return self._go_on(seconds)


class FakeCluster:
    """An API server that logs what it is asked; `hooks` are called around every write and dry-run."""

    def __init__(self, log: list[str], hooks: Hooks) -> None:
        self.log = log
        self.hooks = hooks
        self.objects: dict[ObjectRef, Body] = {}
        self.served = set(SERVED)
        self.forbidden: set[str] = set()  # kinds whose LIST answers 403
        self.narrow: set[str] = set()  # kinds whose LIST answers 403 where it names no namespace
        self.away: set[str] = set()  # API groups whose server cannot be reached
        self.lag = 0  # how many readings discovery is behind
        self.unwatched: set[str] = set()  # kinds whose WATCH answers 403
        self.go_on: Callable[[float], bool] = lambda _: False  # what a WATCH that is waited for does
        self.stuck: set[str] = set()  # names of Deployments and definitions that get no further
        self.server = "https://the-cluster:6443"
        self.requests = 0
        self.logs: dict[tuple[str, str, str, bool], str] = {}
        self._numbers = count(1)

    def read_discovery(self) -> None:
        self.requests += 2
        self.lag -= 1
        if self.lag >= 0:
            return
        for ref, body in self.objects.items():
            if ref.kind == "CustomResourceDefinition" and body.get("status"):
                self.served.add((f"{body['spec']['group']}/v1", body["spec"]["names"]["kind"]))

    def serves(self, api_version: str, kind: str) -> bool:
        return (api_version, kind) in self.served

    def is_away(self, group: str) -> bool:
        return group in self.away

    def find_api_version(self, group: str, kind: str) -> str | None:
        return next((each for each, of in self.served if (parse_group(each), of) == (group, kind)), None)

    def list_objects(
        self,
        kinds: Sequence[tuple[str, str]],
        *,
        selector: str = "",
        namespaces: Sequence[str] = (),
        names_only: bool = False,
    ) -> list[list[Mapping[str, Any]] | ClusterError]:
        del names_only  # what was not asked for does no harm
        places = zip(kinds, namespaces or [""] * len(kinds), strict=True)
        return [self._list(kind, selector, namespace) for (_, kind), namespace in places]

    def watch_objects(
        self, kinds: Sequence[tuple[str, str]], *, selectors: Sequence[str], namespaces: Sequence[str]
    ) -> FakeWatch:
        places = [*zip(kinds, selectors, namespaces, strict=True)]
        self.log += [f"watch {kind} in {namespace}" for (_, kind), _, namespace in places]

        def read() -> list[list[Mapping[str, Any]] | ClusterError]:
            return [
                ClusterError(f"{kind} is forbidden", status=403, reason="Forbidden")
                if kind in self.unwatched
                else self._find(kind, selector, namespace)
                for (_, kind), selector, namespace in places
            ]

        return FakeWatch(read, self.go_on, self.log)

    def get_objects(
        self, items: Sequence[tuple[str, ObjectRef]]
    ) -> list[Mapping[str, Any] | ClusterError | None]:
        for _, ref in items:
            self._note("get", ref)
        return [self.hooks.before("get", str(ref)) or deepcopy(self.objects.get(ref)) for _, ref in items]

    def list_events(self, subjects: Sequence[tuple[str, str]]) -> list[list[Mapping[str, Any]] | ClusterError]:
        return [self._list_events(namespace, uid) for namespace, uid in subjects]

    def get_logs(self, places: Sequence[tuple[str, str, str, bool]]) -> list[str | ClusterError]:
        for namespace, pod, container, _ in places:
            self.log.append(f"log {namespace}/{pod}/{container}")
        return [self.logs.get(place, ClusterError("no log")) for place in places]

    def apply_objects(self, requests: Sequence[ApplyRequest]) -> list[Mapping[str, Any] | ClusterError]:
        return [self._apply(each) for each in requests]

    def delete_objects(self, requests: Sequence[DeleteRequest]) -> list[Mapping[str, Any] | ClusterError]:
        return [
            self._write("dry-run", each.ref, each.uid, each.resource_version, lambda live: live)
            if each.dry_run
            else self._write("delete", each.ref, each.uid, each.resource_version, lambda _: None)
            for each in requests
        ]

    def create_object(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return _raised(self._write("create", make_manifest(body).ref, "", "", lambda _: dict(body)))

    def replace_object(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        ref, version = make_manifest(body).ref, body["metadata"]["resourceVersion"]
        uid = self.objects[ref]["metadata"]["uid"] if ref in self.objects else ""
        return _raised(self._write("replace", ref, uid, version, lambda _: dict(body)))

    def patch_object(self, _api_version: str, ref: ObjectRef, patch: Mapping[str, Any]) -> Mapping[str, Any]:
        changed, body = patch["metadata"], merge_patch(self.objects[ref], patch)
        version = changed.get("resourceVersion", "")
        return _raised(self._write("patch", ref, changed["uid"], version, lambda _: body))

    def establish(self, name: str) -> None:
        """Serve the kind of a definition from the next discovery on."""
        ref = make_ref("CustomResourceDefinition", name, group="apiextensions.k8s.io", namespace="")
        self.objects[ref]["status"] = {"conditions": [{"type": "Established", "status": "True"}]}

    def finish(self, ref: ObjectRef) -> None:
        """Roll a Deployment out, be it stuck or not, with fresh pods."""
        for pod in [each for each in self.objects if each.kind == "Pod" and each.name.startswith(f"{ref.name}-")]:
            del self.objects[pod]
        self._roll_out(ref)

    def put(self, body: Body, manager: str = "somebody") -> Body:
        """Make or replace an object as somebody else; unlogged."""
        entry = {"manager": manager, "operation": "Update", "fieldsV1": make_fields(find_leaves(body))}
        return self._store(
            make_manifest(body).ref, {**body, "metadata": {**body["metadata"], "managedFields": [entry]}}
        )

    def edit(
        self, ref: ObjectRef, path: Path, value: Any, *, manager: str = "kubectl-edit", subresource: str = ""
    ) -> None:
        """Set one field as somebody else, whose it is from then on."""
        body = deepcopy(self.objects[ref])
        set_field(body, path, value)
        for entry in body["metadata"]["managedFields"]:
            entry["fieldsV1"] = make_fields(p for p in list_paths(entry["fieldsV1"]) if p != path)
        entry = {
            "manager": manager,
            "operation": "Update",
            "fieldsV1": make_fields([path]),
            "subresource": subresource,
        }
        body["metadata"]["managedFields"].append(entry)
        self._store(ref, body)

    def _note(self, verb: str, ref: ObjectRef) -> None:
        self.requests += 1
        self.log.append(f"{verb} {ref}" if ref.name else f"{verb} {ref.kind}")

    def _list_events(self, namespace: str, uid: str) -> list[Mapping[str, Any]] | ClusterError:
        self.log.append(f"events {uid}")
        if "Event" in self.forbidden:
            return ClusterError("events is forbidden", status=403, reason="Forbidden")
        return [
            body
            for ref, body in self.objects.items()
            if (ref.kind, ref.namespace) == ("Event", namespace) and body["involvedObject"]["uid"] == uid
        ]

    def _list(self, kind: str, selector: str, namespace: str) -> list[Mapping[str, Any]] | ClusterError:
        self._note("list", make_ref(kind, "", namespace=namespace))
        if kind in self.forbidden or (kind in self.narrow and not namespace):
            return ClusterError(f"{kind} is forbidden", status=403, reason="Forbidden")
        if error := self.hooks.before("list", str(make_ref(kind, "", namespace=namespace))):
            return error
        return self._find(kind, selector, namespace)

    def _find(self, kind: str, selector: str, namespace: str) -> list[Mapping[str, Any]]:
        key, equals, value = selector.partition("=")
        return [
            deepcopy(body)
            for ref, body in self.objects.items()
            if ref.kind == kind
            and namespace in {"", ref.namespace}
            and (not selector or _matches(body["metadata"].get("labels") or {}, key, value if equals else None))
        ]

    def _apply(self, request: ApplyRequest) -> Mapping[str, Any] | ClusterError:
        if not self.serves(request.body["apiVersion"], request.ref.kind):
            return ClusterError(f"the API server serves no {request.ref.kind}", reason="NotServed")

        def make(live: Body | None) -> Body:
            causes = find_conflicts(request.body, live) if live and not request.force else []
            if causes:
                raise conflict("Apply failed", causes=tuple(causes))
            return merge(request.body, live)

        metadata = request.body["metadata"]
        uid, version = metadata.get("uid", ""), metadata.get("resourceVersion", "")
        return self._write("dry-run" if request.dry_run else "apply", request.ref, uid, version, make)

    def _write(
        self, verb: str, ref: ObjectRef, uid: str, version: str, make: Callable[[Body | None], Body | None]
    ) -> Mapping[str, Any] | ClusterError:
        self._note(verb, ref)
        try:
            if error := self.hooks.before(verb, str(ref)):
                return error
            body = make(self.objects.get(ref))
            if error := self._refuse(verb, ref, uid, version):
                return error
            answer: Body = {}
            if body is not None:
                answer = deepcopy(body if verb == "dry-run" else self._store(ref, body))
            elif ref in self.objects:
                del self.objects[ref]
            self.hooks.after(verb, str(ref))
        except ClusterError as error:
            return error
        return answer

    def _refuse(self, verb: str, ref: ObjectRef, uid: str, version: str) -> ClusterError | None:
        live = self.objects.get(ref)
        if ref.namespace and make_ref("Namespace", ref.namespace, namespace="") not in self.objects:
            return ClusterError(f"namespaces {ref.namespace} not found", status=404, reason="NotFound")
        if live is None:
            return conflict("uid mismatch") if uid and verb != "delete" else None
        if verb == "create":
            return ClusterError(f"{ref} already exists", status=409, reason="AlreadyExists")
        if version and version != live["metadata"]["resourceVersion"]:
            return conflict()
        if uid and uid != live["metadata"]["uid"]:
            immutable = ClusterError("uid is immutable", status=422, reason="Invalid")
            return conflict() if verb == "delete" else immutable
        return None

    def _store(self, ref: ObjectRef, body: Body) -> Body:
        live = self.objects.get(ref)
        if live == body:
            return live
        uid = live["metadata"]["uid"] if live else f"uid-{next(self._numbers)}"
        metadata = {**body["metadata"], "uid": uid, "resourceVersion": str(next(self._numbers))}
        self.objects[ref] = {**body, "metadata": metadata}
        if ref.kind == "CustomResourceDefinition" and ref.name not in self.stuck:
            self.establish(ref.name)
        if ref.kind == "Deployment" and ref.name not in self.stuck:
            self._roll_out(ref)
        return self.objects[ref]

    def _roll_out(self, ref: ObjectRef) -> None:
        spec = self.objects[ref]["spec"]
        self.objects[ref]["status"] = {"observedGeneration": 1, "updatedReplicas": spec.get("replicas", 1)}
        pods = {make_manifest(each).ref: each for each in make_pods(ref.name, spec, namespace=ref.namespace)}
        for pod in [each for each in self.objects if each.kind == "Pod" and each.name.startswith(f"{ref.name}-")]:
            if pod not in pods or self.objects[pod]["metadata"]["labels"] != pods[pod]["metadata"]["labels"]:
                del self.objects[pod]
        for pod in pods.keys() - self.objects.keys():
            pods[pod]["metadata"]["uid"] = f"uid-{next(self._numbers)}"
            self.objects[pod] = pods[pod]
