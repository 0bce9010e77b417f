"""The rendered tree read back: what it says, what is refused, what it means."""

import pytest

from jsorc_gitops.errors import JsorcError, TreeError
from jsorc_gitops.model.objects import Manifest, ObjectRef
from jsorc_gitops.model.settings import Settings
from jsorc_gitops.model.tree import compute_digest, parse_tree
from tests.model.builders import index, make_deployment, make_manifest, make_record, make_tree

NAMED = "ConfigMap/default/jsorc.settings.default"
RECORD = "ConfigMap/default/jsorc.record.default.redis"
SETTINGS = Settings(namespace="jaseci", keep_alive=("redis",))


def complaint(files: dict[str, str]) -> str:
    with pytest.raises(JsorcError) as caught:
        parse_tree(files, name="default", where="rendered")
    return str(caught.value)


def digest(files: dict[str, str]) -> str:
    return compute_digest({"default": parse_tree(files, name="default", where="rendered").manifests})


@pytest.fixture
def files() -> dict[str, str]:
    return make_tree(make_deployment(), make_manifest("Service", "redis"), make_manifest(service="mail"))


def test_a_tree_is_read_back_whole() -> None:
    """Reading gives the settings, the record of each service, and each object, as they were written."""
    manifests = [make_deployment(), make_manifest("Namespace", "jaseci", namespace="", service="")]

    tree = parse_tree(make_tree(*manifests, settings=SETTINGS), name="default", where="rendered")

    assert (tree.name, tree.settings, tree.records) == ("default", SETTINGS, {"redis": make_record()})
    assert {str(ref) for ref in tree.manifests} == {
        "Deployment/default/redis",
        "Namespace/jaseci",
        "ConfigMap/jaseci/jsorc.settings.default",
        "ConfigMap/jaseci/jsorc.record.default.redis",
    }
    assert [tree.manifests[each.ref] for each in manifests] == manifests


def test_a_custom_group_may_be_named_like_a_list() -> None:
    """A file is taken for a list by its whole name, so that no object is lost for the end of its own."""
    custom = make_manifest("Foo", version="x.kustomization/v1")

    assert custom.ref in parse_tree(make_tree(custom), name="default", where="rendered").manifests


def test_another_tree_is_not_taken_for_this_one(files: dict[str, str]) -> None:
    """Each object must carry the label of the tree it is read as."""
    with pytest.raises(TreeError) as caught:
        parse_tree(files, name="prod", where="rendered")

    assert str(caught.value) == (
        "rendered/mail/ConfigMap.yaml:2: ConfigMap/default/x does not carry the label jsorc.jaseci.org/tree: prod"
    )


def test_an_object_twice_is_refused(files: dict[str, str]) -> None:
    """Of two documents with one identity it would be luck which one is applied."""
    files["redis/Service.yaml"] += "---\n" + files["redis/Service.yaml"]

    assert complaint(files) == "rendered/redis/Service.yaml:12: Service/default/redis is in the tree twice"


def test_a_tree_without_settings_is_refused(files: dict[str, str]) -> None:
    """Without its settings record nobody knows whether jsorc is enabled, so nothing is guessed."""
    del files["settings.yaml"]
    files["kustomization.yaml"] = files["kustomization.yaml"].replace("- settings.yaml\n", "")

    assert complaint(files) == (
        "rendered: the settings record jsorc.settings.default is missing; run jsorc render"
    )


def test_a_service_without_a_record_is_refused(files: dict[str, str]) -> None:
    """Objects of a service of which nothing is known are not applied."""
    files["mail/kustomization.yaml"] = files["mail/kustomization.yaml"].replace("- record.yaml\n", "")

    assert complaint(files) == "rendered: no record of mail; run jsorc render"


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        (
            "redis/Service.yaml",
            "kind: Service",
            "kind:",
            "rendered/redis/Service.yaml:2: kind is missing or not a text; every object needs one",
        ),
        (
            "redis/Service.yaml",
            "labels:\n",
            "labels: {a: 1}\n  x:\n",
            "rendered/redis/Service.yaml:2: metadata.labels: a is a number, not a text; put it in quotes",
        ),
        (
            "redis/Service.yaml",
            "kind: S",
            "kind: [S",
            "rendered/redis/Service.yaml:4: not valid YAML: while parsing a ",
        ),
        (
            "settings.yaml",
            '"version": 1',
            '"version": 2',
            f"rendered: {NAMED} has version 2, this jsorc reads 1; use the jsorc",
        ),
        (
            "settings.yaml",
            "settings.json: |",
            "x: |",
            f"{NAMED}: the data key settings.json is missing; run jsorc rend",
        ),
        (
            "settings.yaml",
            "\ndata:",
            "\ndata: [a]\nz:",
            f"{NAMED}: the data key settings.json is missing; run jsorc",
        ),
        ("settings.yaml", '"settings": {', "", f"rendered: {NAMED} holds no settings; run jsorc render"),
        ("settings.yaml", '"quiet": true', '"quiet": 5', f"{NAMED}:4: quiet: must be true or false, not 5"),
        (
            "redis/record.yaml",
            '"version": 1',
            '"version": 2',
            f"{RECORD}: the record has version 2, this jsorc reads 1; use the jsorc",
        ),
        (
            "redis/record.yaml",
            "service.json: |",
            "x: |",
            f"{RECORD}: the data key service.json is missing; run jsorc ",
        ),
        ("redis/record.yaml", '"via"', '"vai"', f"{RECORD}: not a service record; render it again"),
    ],
)
def test_a_broken_tree_is_refused(files: dict[str, str], path: str, old: str, new: str, message: str) -> None:
    """Whatever a hand or a newer version did to a file, the refusal says where."""
    assert old in files[path]
    files[path] = files[path].replace(old, new)

    assert complaint(files).startswith(message)


@pytest.mark.parametrize(
    ("path", "key", "named"), [("settings.yaml", "settings", NAMED), ("redis/record.yaml", "reset", RECORD)]
)
def test_a_newer_format_is_told_whatever_it_holds(files: dict[str, str], path: str, key: str, named: str) -> None:
    """What it calls things is not looked at before its version is."""
    files[path] = files[path].replace('"version": 1', '"version": 2').replace(f'"{key}":', '"other":')
    assert named in complaint(files)
    assert "has version 2, this jsorc reads 1; use the jsorc that rendered it, or a newer one" in complaint(files)


def test_the_digest_is_of_the_meaning(files: dict[str, str]) -> None:
    """Comments, quotes, the order of keys and the file an object lies in change nothing of what a tree means."""
    other = dict(files)
    other["redis/Service.yaml"] = (
        "# moved\nmetadata: {namespace: 'default', name: redis,\n"
        "  labels: {jsorc.jaseci.org/tree: default, jsorc.jaseci.org/service: redis}}\n"
        "kind: Service\napiVersion: v1\n---\n" + other.pop("redis/Deployment.yaml")
    )
    other["redis/kustomization.yaml"] = "resources: [record.yaml, Service.yaml]\n"

    assert digest(other) == digest(files)


@pytest.mark.parametrize(
    "changed",
    [
        make_deployment(image="redis:7"),
        make_deployment(replicas=True),
        make_deployment("other"),
        make_deployment(namespace="other"),
    ],
)
def test_another_meaning_is_another_digest(changed: Manifest) -> None:
    """Any value, type or name that differs makes another digest."""
    assert compute_digest({"a": index(changed)}) != compute_digest({"a": index(make_deployment())})


def test_the_digest_is_stable() -> None:
    """The digest stands in commits, so it must not change from version to version of jsorc."""
    body = {"kind": "X", "n": 1, "t": "ü"}
    ref = ObjectRef(group="", kind="X", namespace="", name="x")

    assert compute_digest({"default": {ref: Manifest(ref=ref, api_version="v1", body=body)}}) == (
        "sha256:9e0fb8f7760f7d6130a02d50816708930e21bfffdf726f18ec8fd052233be0c1"
    )
