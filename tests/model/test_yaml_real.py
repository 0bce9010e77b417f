"""What the real kubectl and the real API server make of what is read and of what is written."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.yaml import format_documents, parse_documents
from tests.controlplane.server import ControlPlane, KubectlError
from tests.model.strategies import (
    ENDLESS,
    TEXTS,
    WORDS,
    mappings,
    number_like,
    same_examples,
    spell_json,
    yaml_like,
)

pytestmark = pytest.mark.real

# Each example is a process that reads many values.
few_examples = settings(same_examples, max_examples=30)

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.yaml.test}
spec:
  group: yaml.test
  names: {kind: Thing, plural: things}
  scope: Cluster
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
HEAD = "apiVersion: yaml.test/v1\nkind: Thing\nmetadata: {name: x}\n"


@pytest.fixture(scope="module")
def things(controlplane: ControlPlane) -> Iterator[ControlPlane]:
    """A control plane that takes objects of the kind Thing, whatever they hold."""
    controlplane.kubectl("create", "-f", "-", stdin=CRD)
    controlplane.kubectl("wait", "--for=condition=Established", "crd/things.yaml.test")
    yield controlplane
    controlplane.kubectl("delete", "crd", "things.yaml.test")


def make_thing(spec: Any, name: str = "x") -> dict[str, Any]:
    return {"apiVersion": "yaml.test/v1", "kind": "Thing", "metadata": {"name": name}, "spec": spec}


def ask(plane: ControlPlane, text: str, *arguments: str) -> list[Any]:
    """The objects that `kubectl create` makes of a text, without storing them."""
    return _split(plane.kubectl("create", "-o", "json", "-f", "-", *arguments, stdin=text))


def _split(output: str) -> list[Any]:
    """The values of a text that holds JSON after JSON."""
    objects: list[Any] = []
    decoder, place = json.JSONDecoder(), 0
    while place < len(output):
        value, place = decoder.raw_decode(output, place)
        objects += value["items"] if value["kind"] == "List" else [value]
        place += len(output[place:]) - len(output[place:].lstrip())
    return objects


def read(text: str) -> Any:
    [document] = parse_documents(text, source="x.yaml")
    return document.value


def diff_scalars(plane: ControlPlane, words: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The words that kubectl takes for something else than we do, with what it and we make of them."""
    text = HEAD + "spec:\n" + "".join(f"- {word}\n" for word in words)
    [theirs] = ask(plane, text, "--dry-run=client")
    pairs = zip(words, map(spell_json, theirs["spec"]), map(spell_json, read(text)["spec"]), strict=True)
    return {word: (their, our) for word, their, our in pairs if their != our}


def test_plain_words_are_read_as_kubectl_reads_them(things: ControlPlane) -> None:
    """Every word that some reader takes for a boolean, a number or a date is to us what it is to kubectl."""
    assert diff_scalars(things, WORDS) == {}


@few_examples
@given(words=st.lists(number_like.filter(re.compile(r"(?!-\Z).*[^:]\Z").match), min_size=50, max_size=200))
def test_numbers_are_read_as_kubectl_reads_them(things: ControlPlane, words: list[str]) -> None:
    """Whatever looks like a number is to us what it is to kubectl."""
    assert diff_scalars(things, words) == {}


@pytest.mark.parametrize("word", ENDLESS)
def test_kubectl_refuses_what_is_no_number(things: ControlPlane, word: str) -> None:
    """What JSON has no word for is refused by kubectl as it is by us."""
    text = f"{HEAD}spec: {word}\n"

    with pytest.raises(KubectlError, match="unsupported value"):
        ask(things, text, "--dry-run=client")
    with pytest.raises(DefinitionError, match="no number with digits"):
        read(text)


@pytest.mark.parametrize(
    "spec",
    [
        *["!!str 1", "!!int '0x1F'", "!!float 1", "!!bool on", "!!null ''", "!!map {a: !!seq [1]}", "!!str"],
        *["!<tag:yaml.org,2002:str> 12", "[&x <<, =, *x]", "[&x 1, *x, &x 2, *x]", "{a: &x {b: [1]}, c: *x}"],
        *["[&a {x: 1, z: 1}, {<<: *a, x: 2}]", "{<<: {z: 3}}", "[&a {x: 1}, {<<: [*a, {x: 5, w: 5}]}]"],
        *["[&a {x: 1, z: 1}, {<<: *a, <<: {x: 5}}]", "[&a {x: 1}, {'<<': *a}]", "[&a {x: 1}, {w: 0, <<: *a}]"],
        *["{a, b: , 'c': [d: 1]}", "\n  ? a\n  : - b\n", ">\n  a\n  b\n\n  c\n", "|2-\n   a\n \n  b\n\n"],
        *["'a\n\n  b'", "|+\n\n  a\n\n", "a\n  b\n\n  c", "a:b#c", "'it''s'", "-1:-", "\n- a\n- - b\n  - c"],
        r'"\x41\u00e9\U0001F600\0\a\e\N\_\L\P\t\"\\"',
        '"a\\\n  b\n  c"',
    ],
)
def test_syntax_is_read_as_kubectl_reads_it(things: ControlPlane, spec: str) -> None:
    """Tags, anchors, merges and every style of text give us what they give kubectl."""
    text = f"{HEAD}spec: {spec}\n"
    [theirs] = ask(things, text, "--dry-run=client")

    assert spell_json(read(text)) == spell_json(theirs)


def is_read(spec: str) -> bool:
    try:
        return len(parse_documents(f"{HEAD}spec:\n  {spec}\n", source="x.yaml")) == 1
    except DefinitionError:
        return False


@few_examples
@given(specs=st.lists(yaml_like.filter(is_read), min_size=1, max_size=30))
def test_whatever_is_read_is_read_as_kubectl_reads_it(things: ControlPlane, specs: list[str]) -> None:
    """Of pieces of YAML that happen to make sense we make what kubectl makes."""
    texts = [f"{HEAD}spec:\n  {spec}\n" for spec in specs]
    theirs = ask(things, "---\n".join(texts), "--dry-run=client")

    assert [spell_json(each) for each in theirs] == [spell_json(read(text)) for text in texts]


def test_every_text_reaches_kubectl(things: ControlPlane) -> None:
    """No text that is written is another one to kubectl: as a value, a key or an item, alone or in a block."""
    written = [make_thing({"value": text, text: {text: [text, [text], {text: text}]}}) for text in TEXTS]
    theirs = ask(things, format_documents(written), "--dry-run=client")

    assert [each["spec"] for each in theirs] == [each["spec"] for each in written]


@few_examples
@given(specs=st.lists(mappings, min_size=1, max_size=30))
def test_every_value_reaches_kubectl(things: ControlPlane, specs: list[Any]) -> None:
    """Whatever JSON can say and is written is the same to kubectl, documents side by side."""
    theirs = ask(things, format_documents([make_thing(spec) for spec in specs]), "--dry-run=client")

    assert [spell_json(each["spec"]) for each in theirs] == [spell_json(spec) for spec in specs]


@few_examples
@given(specs=st.lists(mappings, min_size=1, max_size=30))
def test_every_value_reaches_the_server(things: ControlPlane, specs: list[Any]) -> None:
    """Whatever JSON can say and is written is the same to the API server, where an object may hold anything."""
    theirs = ask(things, format_documents([make_thing(spec) for spec in specs]), "--dry-run=server")

    assert [spell_json(each["spec"]) for each in theirs] == [spell_json(spec) for spec in specs]


def test_every_text_is_stored(things: ControlPlane, namespace: str) -> None:
    """A stored ConfigMap has every text as its data and annotations, under keys that look like numbers too."""
    keys = [word for word in WORDS if re.fullmatch(r"[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?", word)]
    data = {f"text-{place}": text for place, text in enumerate(TEXTS)} | {key: key for key in keys}
    metadata = {"name": "yes", "namespace": namespace, "annotations": data}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    things.kubectl("create", "-f", "-", stdin=format_documents([body, make_thing({"texts": TEXTS}, name="0x1")]))

    stored = json.loads(things.kubectl("get", "configmap", "yes", "-n", namespace, "-o", "json"))
    assert stored["data"] == data
    assert stored["metadata"]["annotations"] == data
    assert json.loads(things.kubectl("get", "things.yaml.test", "0x1", "-o", "json"))["spec"] == {"texts": TEXTS}
