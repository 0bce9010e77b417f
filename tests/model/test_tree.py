"""The rendered tree as it is laid out: which file holds what, and that the lists name all of it."""

import hashlib

import pytest

from jsorc_gitops.errors import TreeError
from jsorc_gitops.model.layout import TreeDiff, compute_path, diff_files, format_tree, is_edited, is_ours
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.model.settings import Settings
from jsorc_gitops.model.tree import list_files, make_record_manifest, make_settings_manifest
from tests.model.builders import make_manifest, make_record, make_tree

LISTED = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"


def sign(origin: str, text: str) -> str:
    """The file with its first line, as sha256sum would check it."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"# Rendered by jsorc from {origin}, sha256 {digest}; edit that, not this.\n{text}"


def listing(*names: str) -> str:
    return LISTED + "".join(f"- {name!r}\n" for name in names)


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        (make_manifest("Service"), "redis/Service.yaml"),
        (make_manifest("Deployment", version="apps/v1"), "redis/Deployment.yaml"),
        (make_manifest("ClusterRole", version="rbac.authorization.k8s.io/v1"), "redis/ClusterRole.yaml"),
        (
            make_manifest("Gateway", version="gateway.networking.k8s.io/v1"),
            "redis/Gateway.gateway.networking.k8s.io.yaml",
        ),
        (make_manifest("Service", version="serving.knative.dev/v1"), "redis/Service.serving.knative.dev.yaml"),
        (make_manifest("Namespace", namespace=""), "namespaces.yaml"),
        (make_manifest("Namespace", namespace="", service=""), "namespaces.yaml"),
        (make_manifest("Namespace", version="example.com/v1"), "redis/Namespace.example.com.yaml"),
        (make_record_manifest(make_record(), Settings(), "default"), "redis/record.yaml"),
        (make_manifest("ConfigMap", "jsorc.record.default.mail"), "redis/ConfigMap.yaml"),
        (make_settings_manifest(Settings(), "default"), "settings.yaml"),
    ],
)
def test_each_object_has_its_file(manifest: Manifest, path: str) -> None:
    """A kind has a file per service; custom groups stand in its name; Namespaces and settings lie at the top."""
    assert compute_path(manifest, tree="default") == path


def test_the_whole_layout() -> None:
    """A tree has just these files, each list names just what lies beside it, documents are sorted by name."""
    manifests = [
        make_manifest("Service", "b"),
        make_manifest("Service", "a"),
        make_manifest("Namespace", "jaseci", namespace="", service=""),
        make_manifest("ConfigMap", "c", service="mail"),
    ]
    files = make_tree(*manifests)

    assert list(files) == [
        "kustomization.yaml",
        "mail/ConfigMap.yaml",
        "mail/kustomization.yaml",
        "mail/record.yaml",
        "namespaces.yaml",
        "redis/Service.yaml",
        "redis/kustomization.yaml",
        "redis/record.yaml",
        "settings.yaml",
    ]
    assert files["kustomization.yaml"] == sign(
        "jsorc.yaml", LISTED + "- namespaces.yaml\n- settings.yaml\n- mail\n- redis\n"
    )
    assert files["mail/kustomization.yaml"] == sign(
        "templates/mail", LISTED + "- ConfigMap.yaml\n- record.yaml\n"
    )
    assert files["redis/Service.yaml"] == sign(
        "templates/redis",
        "apiVersion: v1\nkind: Service\nmetadata:\n  labels:\n    jsorc.jaseci.org/service: redis\n"
        "    jsorc.jaseci.org/tree: default\n  name: a\n  namespace: default\n"
        "---\n"
        "apiVersion: v1\nkind: Service\nmetadata:\n  labels:\n    jsorc.jaseci.org/service: redis\n"
        "    jsorc.jaseci.org/tree: default\n  name: b\n  namespace: default\n",
    )


def test_the_settings_record() -> None:
    """The settings lie in one ConfigMap in the home namespace, in JSON with a version."""
    files = format_tree([make_settings_manifest(Settings(namespace="jaseci", interval=5), "prod")], tree="prod")

    assert files["settings.yaml"] == sign(
        "jsorc.yaml",
        "apiVersion: v1\n"
        "data:\n"
        "  settings.json: |\n"
        "    {\n"
        '      "settings": {\n'
        '        "enabled": true,\n'
        '        "interval": 5,\n'
        '        "namespace": "jaseci",\n'
        '        "quiet": true\n'
        "      },\n"
        '      "version": 1\n'
        "    }\n"
        "kind: ConfigMap\n"
        "metadata:\n"
        "  labels:\n"
        "    jsorc.jaseci.org/tree: prod\n"
        "  name: jsorc.settings.prod\n"
        "  namespace: jaseci\n",
    )


def test_the_order_of_objects_does_not_count() -> None:
    """The same objects make the same files, in whatever order they come."""
    manifests = [make_manifest(kind, name) for kind in ("Service", "ConfigMap") for name in "bca"]

    assert make_tree(*manifests) == make_tree(*reversed(manifests))


def test_every_file_says_that_it_is_ours() -> None:
    """All that is rendered is known as such by its first line, so nothing else is ever removed."""
    files = make_tree(make_manifest())

    assert [path for path, text in files.items() if not is_ours(path, text) or is_edited(path, text)] == []
    assert not is_ours("a.yaml", "apiVersion: v1\n# Rendered by jsorc\n")


@pytest.mark.parametrize("line", [0, 1, -1])
def test_an_edit_shows(line: int) -> None:
    """A file of ours with another word anywhere is known to be edited."""
    [text] = [text for path, text in make_tree(make_manifest()).items() if path == "redis/ConfigMap.yaml"]
    lines = text.splitlines(keepends=True)
    lines[line] = lines[line].replace("a", "b")

    assert is_ours("a.yaml", text)
    assert is_edited("a.yaml", "".join(lines))


def test_what_a_killed_run_left_is_ours() -> None:
    """The scratch file of a run that died is nobody's edit, whatever part of it was written."""
    path = "redis/.Deployment.yaml.0a1b2c3d.tmp"

    assert (is_ours(path, ""), is_edited(path, "# Rend")) == (True, False)


def test_the_lists_name_all_files() -> None:
    """What the lists name, from the top down, is every file that is rendered."""
    files = make_tree(make_manifest(), make_manifest(service="mail"))

    assert list_files(files, where="rendered") == sorted(files)


def test_what_no_list_names_is_no_part_of_the_tree() -> None:
    """A file that lies in the folder without being listed is not read by any tool."""
    files = make_tree(make_manifest())

    assert list_files({**files, "redis/notes.yaml": "a: 1\n"}, where="rendered") == sorted(files)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "rendered/kustomization.yaml is missing; run jsorc render"),
        (
            {"kustomization.yaml": listing("gone")},
            "rendered/gone/kustomization.yaml is missing; run jsorc render",
        ),
        (
            {"kustomization.yaml": listing("a/../../b")},
            "rendered/kustomization.yaml: 'a/../../b' leaves the tree",
        ),
        ({"kustomization.yaml": listing("/etc")}, "rendered/kustomization.yaml: '/etc' leaves the tree"),
        (
            {"kustomization.yaml": listing("a"), "a/kustomization.yaml": listing("..")},
            "rendered/a/kustomization.yaml: '..' leaves the tree",
        ),
        ({"kustomization.yaml": listing(".")}, "rendered/./kustomization.yaml is missing; run jsorc render"),
        ({"kustomization.yaml": listing("")}, "rendered//kustomization.yaml is missing; run jsorc render"),
        ({"kustomization.yaml": ""}, "rendered/kustomization.yaml: no list of resources; run jsorc render"),
        ({"kustomization.yaml": "[a]"}, "rendered/kustomization.yaml: no list of resources; run jsorc render"),
        ({"kustomization.yaml": "a: 1"}, "rendered/kustomization.yaml: no list of resources; run jsorc render"),
        (
            {"kustomization.yaml": "resources: [1]"},
            "rendered/kustomization.yaml: no list of resources; run jsorc render",
        ),
        (
            {"kustomization.yaml": "resources: []\n---\nresources: []"},
            "rendered/kustomization.yaml: no list of resources; run jsorc render",
        ),
    ],
)
def test_broken_lists_are_refused(files: dict[str, str], message: str) -> None:
    """A list that is missing, is none, names what is not there or what lies outside, is refused."""
    with pytest.raises(TreeError) as caught:
        list_files(files, where="rendered")

    assert str(caught.value) == message


def test_a_difference_is_told_by_path() -> None:
    """Each path is added, changed or removed; what is the same byte for byte is none of them."""
    old = {"a": "1", "b": "1", "d": "1", "same": "1"}
    new = {"b": "2", "d": "2", "c": "1", "e": "1", "same": "1"}

    assert diff_files(old, new) == TreeDiff(added=("c", "e"), changed=("b", "d"), removed=("a",))


@pytest.mark.parametrize(
    ("diff", "some"),
    [
        (TreeDiff(added=(), changed=(), removed=()), []),
        (TreeDiff(added=("a",), changed=(), removed=()), ["difference"]),
        (TreeDiff(added=(), changed=("a",), removed=()), ["difference"]),
        (TreeDiff(added=(), changed=(), removed=("a",)), ["difference"]),
    ],
)
def test_a_difference_is_true_where_there_is_one(diff: TreeDiff, some: list[str]) -> None:
    """A difference counts as true as soon as one path is in it."""
    assert bool(diff) == bool(some)
