"""inventory: what a pass remembers, as its ConfigMap, by the rules of KEP-3659."""

import base64
import gzip
import hashlib
import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from jsorc_gitops.errors import FormatError
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.reconcile.inventory import Entry, State, compute_applyset_id, format_state, parse_state
from tests.reconcile.builders import Body, make_ref


def entry(ref: ObjectRef, *, uid: str = "uid-1", fingerprint: str = "f" * 32) -> Entry:
    return Entry(ref=ref, service="redis", uid=uid, fingerprint=fingerprint)


ENTRIES = [
    entry(make_ref("ConfigMap", "a")),
    entry(make_ref("Deployment", "web", group="apps", namespace="else")),
    entry(make_ref("ClusterRole", "redis:view", group="rbac.authorization.k8s.io", namespace="")),
    entry(make_ref("Service", "pending", namespace="there"), uid="", fingerprint=""),
]
STATE = State(
    revision="a" * 40,
    settled="b" * 40,
    entries={each.ref: each for each in ENTRIES},
    resource_version="7",
)


def formatted(state: State = STATE) -> dict[str, Any]:
    body, parts = format_state(state, tree="default", namespace="home")
    assert parts == []
    return body


def test_a_state_is_read_back_as_it_was_written() -> None:
    """With pending entries, cluster-scoped ones, and names that hold colons."""
    assert parse_state(formatted()) == STATE


def test_a_version_is_read_back_and_is_no_difference() -> None:
    """Else every status that a controller writes would be a reason to write the state."""
    seen = {ref: replace(each, version="12") for ref, each in STATE.entries.items()}
    read = parse_state(formatted(replace(STATE, entries=seen)))
    assert {each.version for each in read.entries.values()} == {"12"}
    assert read == STATE


def test_the_state_before_the_first_pass_is_empty() -> None:
    """There is no ConfigMap, so there is no resourceVersion to insist on."""
    assert parse_state(None) == State()
    assert "resourceVersion" not in formatted(State())["metadata"]


def test_an_empty_inventory_is_read_back() -> None:
    """After everything was pruned."""
    state = State(revision="a", settled="a", resource_version="1")
    assert parse_state(formatted(state)) == state


def test_the_same_content_is_the_same_bytes() -> None:
    """Whatever the order in which it came together, and whatever the clock."""
    turned = State(
        revision=STATE.revision,
        settled=STATE.settled,
        entries={each.ref: each for each in reversed(ENTRIES)},
        resource_version="7",
    )
    assert json.dumps(formatted(turned)) == json.dumps(formatted())
    packed = base64.b64decode(formatted()["binaryData"]["inventory.json.gz"])
    assert packed[4:8] == b"\0\0\0\0", "gzip's time of writing"


def test_the_parent_of_the_set_is_named_and_placed() -> None:
    """One ConfigMap per tree, in the tree's home namespace, which it must match to be replaced."""
    body = formatted()
    assert (body["apiVersion"], body["kind"]) == ("v1", "ConfigMap")
    metadata = body["metadata"]
    assert (metadata["name"], metadata["namespace"], metadata["resourceVersion"]) == (
        "jsorc.state.default",
        "home",
        "7",
    )


def test_the_id_follows_the_rule_of_the_kep() -> None:
    """applyset-<base64(sha256(<name>.<namespace>.<kind>.<group>))>-v1, in URL-safe base64 without padding."""
    digest = hashlib.sha256(b"jsorc.state.default.home.ConfigMap.").digest()
    wanted = "applyset-" + base64.b64encode(digest, altchars=b"-_").decode().removesuffix("=") + "-v1"
    assert compute_applyset_id("default", "home") == wanted
    assert formatted()["metadata"]["labels"] == {"applyset.kubernetes.io/id": wanted}


def test_the_id_is_a_label_value() -> None:
    """Which is at most 63 characters long and holds neither '=' nor '/'."""
    made = compute_applyset_id("a-tree-with-a-long-name", "a-namespace-with-a-long-name")
    assert len(made) <= 63
    assert not set(made) & set("=/+")


@pytest.mark.parametrize(("tree", "namespace"), [("default", "other"), ("prod", "home")])
def test_every_tree_in_every_namespace_is_its_own_set(tree: str, namespace: str) -> None:
    """Two trees in one cluster never count as each other's members."""
    assert compute_applyset_id(tree, namespace) != compute_applyset_id("default", "home")


def test_the_annotations_say_what_the_set_contains() -> None:
    """By these kubectl finds members; the parent's own namespace is not additional."""
    assert formatted()["metadata"]["annotations"] == {
        "applyset.kubernetes.io/tooling": "jsorc/v2",
        "applyset.kubernetes.io/contains-group-kinds": (
            "ClusterRole.rbac.authorization.k8s.io,ConfigMap,Deployment.apps,Service"
        ),
        "applyset.kubernetes.io/additional-namespaces": "else,there",
    }


def pack(value: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), mtime=0)).decode()


GOOD = formatted()["binaryData"]["inventory.json.gz"]
COLUMNS = json.loads(gzip.decompress(base64.b64decode(GOOD)))
BENT = bytearray(base64.b64decode(GOOD))
BENT[12] ^= 0xFF


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("state.json", "no json"),
        ("state.json", "[]"),
        ("state.json", "{}"),
        ("state.json", '{"version": "one"}'),
        ("state.json", '{"version": 1, "revision": "a"}'),
        ("state.json", '{"version": 2, "revision": "a"}'),
        ("state.json", '{"version": 0, "revision": "a", "settled": "a"}'),
        ("state.json", '{"version": 2, "revision": "a", "settled": "a", "continued": 2}'),
        ("state.json", None),
        ("inventory.json.gz", "no base64!"),
        ("inventory.json.gz", base64.b64encode(b"no gzip").decode()),
        ("inventory.json.gz", base64.b64encode(base64.b64decode(GOOD)[:20]).decode()),
        ("inventory.json.gz", base64.b64encode(bytes(BENT)).decode()),
        ("inventory.json.gz", pack([["too", "short"]])),
        ("inventory.json.gz", pack({"no": "list"})),
        ("inventory.json.gz", pack([1])),
        ("inventory.json.gz", pack(COLUMNS | {"uid": []})),
        ("inventory.json.gz", pack(COLUMNS | {"rare": {"4": {}}})),
        ("inventory.json.gz", pack(COLUMNS | {"rare": []})),
        ("inventory.json.gz", None),
    ],
)
def test_a_broken_state_is_refused_by_name(part: str, content: str | None) -> None:
    """An inventory that cannot be read must not count as an empty one: everything would be orphaned."""
    body: Body = deepcopy(formatted())
    place = body["data"] if part == "state.json" else body["binaryData"]
    place[part] = content
    with pytest.raises(FormatError, match=r"ConfigMap home/jsorc\.state\.default cannot be read"):
        parse_state(body)


@pytest.mark.parametrize("part", ["data", "binaryData"])
def test_a_state_without_a_part_is_refused(part: str) -> None:
    """Somebody edited it."""
    body = formatted()
    del body[part]
    with pytest.raises(FormatError):
        parse_state(body)


def test_a_newer_state_is_refused_and_both_versions_named() -> None:
    """A newer jsorc wrote it; what it means is not to be guessed."""
    body = formatted()
    body["data"]["state.json"] = json.dumps({"version": 3, "anything": "else"})
    with pytest.raises(FormatError, match="has version 3, this jsorc reads up to 2; use a newer jsorc"):
        parse_state(body)


VERSION_1 = """
H4sIAAAAAAACA5WQMW7DMAxF78LZFZB0CbSmS4cuXQ0PtEU7hGVJkOQEaeC7l06K2mmGoBwE8kkU/2d5gS76MYAGKKBnZyTbe9dy94FBkMOB
UsCGhB/8QD9IKpQ0UTzy9S6S4SRk5PkHOV82UrXsOoohsstC2ychDRl7SqAvoAxmVAj6dbpR9+5Ab7YFnJmsIZlSltDq+dk8SNdQVVOx2MEQ
0mLpjYL154FEx70nsmnl6UT1natfQw9eBARyRpgUTSTMBOvxscZG4ZgPPvIXZvZO9buk2K/WbMeUKX56S39ELYKua9VHptOTbW8fFNI/A6bq
G3OWe8EOAgAA
"""


def test_a_state_of_version_1_is_read() -> None:
    """As it was written before the inventory had columns: an object for each entry, these three."""
    summary = {
        "version": 1,
        "tree": "default",
        "revision": "a",
        "settled": "b",
        "audited": "2026-11-23T12:00:00Z",
    }
    body = {
        "metadata": {"name": "jsorc.state.default", "namespace": "home", "resourceVersion": "7"},
        "data": {"state.json": json.dumps(summary)},
        "binaryData": {"inventory.json.gz": VERSION_1.replace("\n", "")},
    }
    taken = replace(
        entry(make_ref("ConfigMap", "a")), takes={".data.a": 3}, taken_in=12, yielded=(("f:data", "f:b"),)
    )
    begun = Entry(ref=make_ref("Deployment", "web", group="apps", namespace="else"), service="", pending="create")
    role = make_ref("ClusterRole", "redis:view", group="rbac.authorization.k8s.io", namespace="")
    entries = (taken, begun, entry(role, uid="uid-2", fingerprint="e" * 48))
    assert parse_state(body) == State(
        revision="a",
        settled="b",
        audited="2026-11-23T12:00:00Z",
        entries={each.ref: each for each in entries},
        resource_version="7",
    )
