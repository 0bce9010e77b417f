"""Reads and writes the ConfigMaps of the home namespace; a state that one cannot hold, so that a kill is no harm.

The parts that continue a state are written before the ConfigMap that names them, under names of their own, and
those it named before are deleted after. So at any moment the first names a whole state.
"""

from dataclasses import replace

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, ObjectRef
from jsorc_gitops.reconcile.inventory import STATE_LABEL, State, find_parts, format_state, parse_state, state_name
from jsorc_gitops.reconcile.plan import make_deletion
from jsorc_gitops.reconcile.ports import Pass

_CONFLICT = 409
# Who reads without the Lease may come between a state and the next.
_ATTEMPTS = 3


def read_state(run: Pass, *, namespace: str = "") -> State:
    """The tree's state in a namespace, its home by default.

    Raises ClusterError, or FormatError where the state is of a newer jsorc or broken.
    """
    place = namespace or run.namespace
    (body,) = get_config_maps(run, [state_name(run.tree.name)], place)
    return finish_state(run, body, place)


def finish_state(run: Pass, body: Body | None, namespace: str) -> State:
    """The state that begins with this ConfigMap; raises as read_state does."""
    parts = _get_parts(run, body, namespace)
    for _ in range(1, _ATTEMPTS):
        if all(parts):
            break
        (body,) = get_config_maps(run, [state_name(run.tree.name)], namespace)
        parts = _get_parts(run, body, namespace)
    return parse_state(body, parts)


def write_state(run: Pass, state: State) -> State:
    """Write the state if nobody else has since it was read; raises ClusterError."""
    body, parts = format_state(state, tree=run.tree.name, namespace=run.namespace)
    # All that are there now are of states before, or of passes that were killed. Listed before the first is
    # written, since a pass that comes later may have written its own by then.
    old = _list_parts(run) if parts or state.parts else []
    for part in parts:
        run.doors.lease.check()
        try:
            run.cluster.create_object(part)
        except ClusterError as error:
            # Its name is a digest of what it holds: a pass that was killed has written the same.
            if error.status != _CONFLICT:
                raise
    version = write_config_map(run, body, exists=bool(state.resource_version))
    names = tuple(each["metadata"]["name"] for each in parts)
    _delete_parts(run, [each for each in old if each["metadata"]["name"] not in names])
    return replace(state, resource_version=version, parts=names)


def get_config_maps(run: Pass, names: list[str], namespace: str) -> list[Body | None]:
    """Each as it is now, None where it is not; raises ClusterError."""
    found: list[Body | None] = []
    for answer in run.cluster.get_objects([("v1", _ref(name, namespace)) for name in names]):
        if isinstance(answer, ClusterError):
            raise answer
        found.append(answer)
    return found


def write_config_map(run: Pass, body: Body, *, exists: bool) -> str:
    """Write a ConfigMap and return its new resourceVersion; raises ClusterError."""
    run.doors.lease.check()
    try:
        written = run.cluster.replace_object(body) if exists else run.cluster.create_object(body)
    except ClusterError:
        # Another pass that took over meanwhile is why it was written.
        run.doors.lease.check()
        raise
    version: str = written["metadata"]["resourceVersion"]
    return version


def _get_parts(run: Pass, body: Body | None, namespace: str) -> list[Body | None]:
    names = find_parts(body) if body else []
    return get_config_maps(run, names, namespace) if names else []


def _list_parts(run: Pass) -> list[Body]:
    selector = f"{STATE_LABEL}={run.tree.name}"
    (answer,) = run.cluster.list_objects([("v1", "ConfigMap")], selector=selector, namespaces=[run.namespace])
    if isinstance(answer, ClusterError):
        raise answer
    return answer


def _delete_parts(run: Pass, parts: list[Body]) -> None:
    requests = [make_deletion(_ref(each["metadata"]["name"], run.namespace), each) for each in parts]
    for answer in run.cluster.delete_objects(requests) if requests else []:
        if isinstance(answer, ClusterError):
            raise answer


def _ref(name: str, namespace: str) -> ObjectRef:
    return ObjectRef(group="", kind="ConfigMap", namespace=namespace, name=name)
