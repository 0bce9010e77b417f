"""A 403 of the API server: it names the rule that is missing, where it is a rule that is missing."""

import json
from collections.abc import Iterator, Sequence

import pytest

from jsorc_gitops.adapters.cluster import Cluster
from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, DeleteRequest, ObjectRef
from tests.adapters.sending import NO_UID, connect, make_map, ref_of, refused, send
from tests.controlplane.server import ControlPlane

pytestmark = pytest.mark.real

DEPLOYMENT = ObjectRef(group="apps", kind="Deployment", namespace="default", name="web")


@pytest.fixture
def limited(controlplane: ControlPlane) -> Iterator[Cluster]:
    """The connection of a user without rights."""
    with connect(controlplane.kubeconfig_for("limited")) as made:
        yield made


def rule(group: str, resource: str, verb: str) -> str:
    return f'apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]'


def raised(call: object, *args: object) -> ClusterError:
    with pytest.raises(ClusterError) as error:
        call(*args)  # type: ignore[operator]
    return error.value


def test_each_way_to_read(limited: Cluster) -> None:
    """LIST everywhere, LIST in a namespace, GET; of the core group and of a named one."""
    everywhere, here = limited.list_objects(
        [("v1", "ConfigMap"), ("apps/v1", "Deployment")], namespaces=["", "default"]
    )
    assert f"; it takes a ClusterRole with {rule('', 'configmaps', 'list')}" in str(refused(everywhere))
    assert f"; it takes a Role in namespace default with {rule('apps', 'deployments', 'list')}" in str(
        refused(here)
    )
    namespace = ObjectRef(group="", kind="Namespace", namespace="", name="default")
    deployment, itself = limited.get_objects([("apps/v1", DEPLOYMENT), ("v1", namespace)])
    assert f"a Role in namespace default with {rule('apps', 'deployments', 'get')}" in str(refused(deployment))
    assert f"a ClusterRole with {rule('', 'namespaces', 'get')}" in str(refused(itself))
    assert 'User "limited"' in str(itself)


def test_each_way_to_write(limited: Cluster) -> None:
    """Apply, create, replace, patch and delete, each with the verb that Kubernetes knows it by."""
    body = make_map("default", version="1")
    delete = DeleteRequest(ref=ref_of(body), uid=NO_UID, resource_version="1")
    errors: dict[str, Sequence[Body | ClusterError]] = {
        "patch": [send(limited, body), raised(limited.patch_object, "v1", ref_of(body), {})],
        "create": [raised(limited.create_object, body)],
        "update": [raised(limited.replace_object, body)],
        "delete": limited.delete_objects([delete]),
    }
    for verb, answers in errors.items():
        for each in answers:
            assert f"a Role in namespace default with {rule('', 'configmaps', verb)}" in str(each)
            assert refused(each).status == 403


def test_an_apply_that_may_not_create(controlplane: ControlPlane, limited: Cluster, namespace: str) -> None:
    """Who may patch, but not create, lacks `create` for what is not there yet."""
    controlplane.kubectl("create", "role", "x", "-n", namespace, "--verb=patch", "--resource=configmaps")
    controlplane.kubectl("create", "rolebinding", "x", "-n", namespace, "--role=x", "--user=limited")
    error = refused(send(limited, make_map(namespace)))
    assert f"a Role in namespace {namespace} with {rule('', 'configmaps', 'create')}" in str(error)


@pytest.fixture
def admin(controlplane: ControlPlane) -> Iterator[Cluster]:
    """The connection of one who may do everything."""
    with connect(controlplane.kubeconfig) as made:
        yield made


def test_a_quota_is_not_a_missing_rule(admin: Cluster, controlplane: ControlPlane, namespace: str) -> None:
    """It is a 403 with the same reason, but no Role would help."""
    quota: Body = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": namespace},
        "spec": {"hard": {"count/configmaps": "0"}},
    }
    controlplane.kubectl("create", "-f", "-", stdin=json.dumps(quota))
    controlplane.kubectl(
        *("wait", "resourcequota/none", "-n", namespace, "--for=jsonpath={.status.hard.count/configmaps}=0"),
        "--timeout=60s",
    )
    error = refused(send(admin, make_map(namespace)))
    assert error.status == 403
    assert "exceeded quota" in str(error)
    assert "it takes" not in str(error)


def test_rights_that_may_not_be_granted(controlplane: ControlPlane, limited: Cluster, namespace: str) -> None:
    """Who may write Roles, but has not what one grants, is told so by the API server; no rule is guessed."""
    resources = "--resource=roles.rbac.authorization.k8s.io"
    controlplane.kubectl("create", "role", "x", "-n", namespace, "--verb=create,patch", resources)
    controlplane.kubectl("create", "rolebinding", "x", "-n", namespace, "--role=x", "--user=limited")
    role: Body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "more", "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    }
    error = refused(send(limited, role))
    assert "not currently held" in str(error)
    assert "it takes" not in str(error)
