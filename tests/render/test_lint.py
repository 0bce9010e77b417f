"""What is wrong with objects before anything is written: identities, what the server sets, order, two trees."""

from typing import Any

import pytest

from jsorc_gitops.model.objects import Manifest, ObjectRef
from jsorc_gitops.render.findings import Finding, Rule
from jsorc_gitops.render.lint import check_tree, check_trees
from tests.model.builders import make_manifest
from tests.render.linting import Body, change, make_good, make_manifests, read_schemas, tell


def manifest(
    kind: str = "ConfigMap", name: str = "x", *, group: str = "", namespace: str = "default"
) -> Manifest:
    ref = ObjectRef(group=group, kind=kind, namespace=namespace, name=name)
    version = f"{group}/v1" if group else "v1"
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
    return Manifest(ref=ref, api_version=version, body=body, where="a.yaml document 1")


def check(**services: list[Manifest]) -> list[Finding]:
    return check_tree(services, schemas=read_schemas(), plain_secrets=())


def identities(each: Manifest) -> list[str]:
    return [str(finding) for finding in check(redis=[each]) if finding.rule == Rule.IDENTITY]


@pytest.mark.parametrize(
    "each",
    [
        manifest(),
        manifest("X509Certificate", group="cert-manager.io"),
        manifest("ClusterRole", "system:Redis.reader", group="rbac.authorization.k8s.io", namespace=""),
        manifest("ConfigMap", "jsorc-notes"),
        manifest("Role", "jsorc.reader", group="rbac.authorization.k8s.io"),
        manifest("ConfigMap", "..data"),
    ],
)
def test_good_identities_pass(each: Manifest) -> None:
    """What Kubernetes takes is taken."""
    assert check(redis=[each]) == []


@pytest.mark.parametrize(
    "kind", ["../../etc", "Config/Map", "Config.Map", "Config Map", ".", "kustomization", "Süß", "A\n"]
)
def test_a_kind_that_is_no_word_is_refused(kind: str) -> None:
    """A kind becomes the name of a file, so nothing in it may lead elsewhere or onto another file."""
    (line,) = identities(manifest(kind))

    assert line.startswith(
        f"a.yaml document 1: {kind}/default/x: kind: {kind!r} is no word with a capital letter"
    )


@pytest.mark.parametrize("group", ["..", "../x", "a/b", "a..b", ".a", "A.b", "a b", "-a"])
def test_a_group_that_is_no_dns_name_is_refused(group: str) -> None:
    """A custom group becomes part of the name of a file, too."""
    assert identities(manifest(group=group)) == [
        f"a.yaml document 1: ConfigMap/default/x: apiVersion: the API group {group!r} is no DNS name"
    ]


@pytest.mark.parametrize("name", [".", "..", "a/b", "a%2fb", "a b", "a\n", "x" * 254])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    """A name becomes part of the path of a request, where these would name another object."""
    assert identities(manifest(name=name)) == [
        f"a.yaml document 1: ConfigMap/default/{name}: metadata.name: {name!r} is no name Kubernetes takes"
    ]


@pytest.mark.parametrize("namespace", ["..", "a/b", "A", "a.b"])
def test_a_namespace_is_a_label(namespace: str) -> None:
    """A namespace becomes part of the path of a request, too."""
    assert identities(manifest(namespace=namespace)) == [
        f"a.yaml document 1: ConfigMap/{namespace}/x: metadata.namespace: {namespace!r} is no name of a namespace"
    ]


@pytest.mark.parametrize(
    "each",
    [manifest(name="jsorc.record.default.mail"), manifest("Lease", "jsorc.default", group="coordination.k8s.io")],
)
def test_what_jsorc_keeps_in_the_cluster_is_its_own(each: Manifest) -> None:
    """No service replaces jsorc's records, settings, state or lease."""
    assert identities(each) == [
        f"a.yaml document 1: {each.ref}: metadata.name: names that begin with jsorc. are jsorc's own"
    ]


@pytest.mark.parametrize(
    ("kind", "fields"), [("List", {}), ("List", {"items": []}), ("ConfigMapList", {"items": []})]
)
def test_lists_are_refused(kind: str, fields: dict[str, Any]) -> None:
    """A list of objects has no identity; its items must be documents of their own."""
    (finding,) = check(redis=[make_manifest(kind, **fields)])

    assert (finding.rule, finding.message) == (
        "list",
        "a list of objects; write its items as documents of their own, or run jsorc import on it",
    )


def test_a_kind_may_end_in_list() -> None:
    """A kind that is only called a list, as an allow list is, is no list of objects."""
    assert check(redis=[make_manifest("AllowList", version="example.com/v1")]) == []


def test_an_identity_twice_in_a_service_is_refused() -> None:
    """Of two objects of one identity only one would be applied."""
    (finding,) = check(redis=[manifest(), manifest()])

    assert (finding.rule, finding.message) == (
        "duplicate",
        "this service defines the same object (a.yaml document 1); an identity is used once",
    )


def test_an_identity_twice_in_a_tree_is_refused() -> None:
    """Two services that define one object would overwrite each other; the message names both."""
    (finding,) = check(mail=[manifest()], redis=[manifest()])

    assert (finding.rule, finding.message) == (
        "duplicate",
        "service mail defines the same object (a.yaml document 1); an identity is used once",
    )


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Deployment/web", ("status",)),
        ("Deployment/web", ("metadata", "creationTimestamp")),
        ("ConfigMap/web", ("metadata", "generation")),
        ("ConfigMap/web", ("metadata", "managedFields")),
        ("ConfigMap/web", ("metadata", "resourceVersion")),
        ("ConfigMap/web", ("metadata", "selfLink")),
        ("ConfigMap/web", ("metadata", "uid")),
    ],
)
@pytest.mark.parametrize("value", [None, {}, "x"])
def test_what_the_cluster_sets_is_told(name: str, path: tuple[str, ...], value: Any) -> None:
    """Where kubectl get -o yaml was pasted: each field is told once, whatever is in it."""
    (line,) = tell(change(make_good(name), path, value))

    assert line == (
        f"set-by-server: {'.'.join(path)}: is set by the cluster, not by git; "
        "remove it (jsorc import leaves such fields out)"
    )


def test_a_status_of_custom_resources_is_told() -> None:
    """Also where no definition is there to check against."""
    body = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}, "status": {"a": 1}}

    assert [line.partition(":")[0] for line in tell(body)] == ["set-by-server"]


def test_a_service_account_of_a_cluster_role_binding_names_its_namespace() -> None:
    """In a RoleBinding it may be left out: it is the binding's own."""
    subjects = [{"kind": "User", "name": "ann"}, {"kind": "ServiceAccount", "name": "web"}]

    assert tell(make_good("RoleBinding/web") | {"subjects": subjects}) == []
    (line,) = tell(make_good("ClusterRoleBinding/lint") | {"subjects": subjects})
    assert line == (
        "subject-namespace: subjects[1].namespace: is missing; "
        "a ServiceAccount lies in a namespace, a ClusterRoleBinding in none"
    )


def nest(depth: int) -> Body:
    body: Body = {}
    for _ in range(depth):
        body = {"a": body}
    return body


def test_what_is_nested_too_deeply_is_told() -> None:
    """No depth ends the process, nor does an object that holds itself."""
    endless: Body = {}
    endless["a"] = endless
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}

    definition = make_good("CustomResourceDefinition/lints.lint.example.com")

    assert tell(thing | {"spec": nest(500)}) == []
    for body in (thing, definition):
        for spec in (nest(50_000), endless):
            assert tell(body | {"spec": spec}) == ["too-large: is nested too deeply, or holds itself"]


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        (
            make_good("ConfigMap/web") | {"data": {"a": "é" * (1 << 19)}},
            "too-large: data: is 1,048,581 bytes long; the API server takes 1,048,576 at most",
        ),
        (
            make_good("Secret/empty") | {"data": {"a": "AAAA" * 349_526}},
            "too-large: data: is 1,048,578 bytes long; the API server takes 1,048,576 at most",
        ),
        (
            change(make_good("ConfigMap/web"), ("metadata", "annotations"), {"é": "x" * (1 << 18)}),
            "too-large: metadata.annotations: is 262,146 bytes long; the API server takes 262,144 at most",
        ),
        (
            make_good("PriorityClass/lint") | {"description": "\x01" * (1 << 18)},
            "too-large: is 1,573,030 bytes long; the API server takes 1,572,864 at most",
        ),
    ],
)
def test_sizes_are_counted_in_bytes(body: Body, finding: str) -> None:
    """In UTF-8, base64 decoded, control characters as JSON writes them."""
    assert tell(body, plain=["redis"]) == [finding]


def test_findings_come_in_a_fixed_order() -> None:
    """By service, object and field; items by number."""
    wrong = change(make_good("Deployment/web"), ("zzz",), 1)
    wrong = change(wrong, ("spec", "template", "spec", "containers", 0, "args"), [{}] * 11)
    wrong = change(wrong, ("aaa",), 1)
    web, lone = make_manifests(wrong, change(make_good("Pod/lone"), ("spec", "zzz"), 1))

    told = [(each.ref.name, each.path) for each in check(mail=[lone], redis=[web])]

    at = "spec.template.spec.containers[0].args"
    assert told == [
        ("lone", "spec.zzz"),
        ("web", "aaa"),
        *(("web", f"{at}[{index}]") for index in range(11)),
        ("web", "zzz"),
    ]


def test_a_finding_reads_as_a_sentence_with_its_place() -> None:
    """File and document, object, field, and what is wrong."""
    ref = ObjectRef(group="apps", kind="Deployment", namespace="jaseci", name="redis")
    finding = Finding(
        where="templates/redis/redis.yaml.j2 document 2",
        ref=ref,
        path="spec.replicas",
        message="'2' is not an integer",
        rule=Rule.WRONG_VALUE,
    )

    assert str(finding) == (
        "templates/redis/redis.yaml.j2 document 2: Deployment/jaseci/redis: spec.replicas: '2' is not an integer"
    )
    assert finding.severity == "error"


@pytest.mark.parametrize(
    ("clusters", "meet"),
    [
        ({"prod": "", "staging": ""}, True),
        ({"prod": "a", "staging": ""}, True),
        ({"prod": "a", "staging": "a"}, True),
        ({"prod": "a", "staging": "b"}, False),
    ],
)
def test_two_trees_of_one_cluster_hold_nothing_in_common(clusters: dict[str, str], meet: bool) -> None:  # noqa: FBT001
    """Trees that may be applied to one cluster are told of each service that both would write."""
    trees = {
        "prod": [make_manifest(), make_manifest(name="y"), make_manifest(name="z", service="mail")],
        "staging": [make_manifest(name="y"), make_manifest(), make_manifest(name="z", namespace="b")],
    }

    told = [(each.rule, each.ref.name, each.message) for each in check_trees(trees, clusters=clusters)]

    message = (
        "the trees prod and staging both hold it, and 1 more of this service, and may be applied to one cluster; "
        "name them apart by values.prod.yaml and values.staging.yaml, or pin the environments to their clusters"
    )
    assert told == [(Rule.SHARED_IDENTITY, "y", message)] * meet


def test_namespaces_that_jsorc_made_may_be_in_two_trees() -> None:
    """Two trees may need one namespace; one that a service defines is that service's."""
    made = make_manifest("Namespace", "jaseci", namespace="", service="")
    own = make_manifest("Namespace", "own", namespace="")
    trees = {"prod": [made, own], "staging": [made, own]}

    (finding,) = check_trees(trees, clusters={"prod": "", "staging": ""})

    assert (finding.rule, finding.ref.name) == ("shared-identity", "own")
