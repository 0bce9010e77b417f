"""A service's definition, and its record, which is all that reconcile knows of it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError, FormatError
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.services import (
    ServiceDefinition,
    ServiceFiles,
    ServiceRecord,
    find_secret_ref,
    format_record,
    list_secret_refs,
    parse_definition,
    parse_record,
)

REDIS = ObjectRef(group="apps", kind="Deployment", namespace="jaseci", name="redis")
EXPORTER = ObjectRef(group="apps", kind="DaemonSet", namespace="jaseci", name="exporter")

RECORD = ServiceRecord(
    name="redis",
    keep_alive=True,
    config={"enabled": True, "note": "grün"},
    via="jaseci",
    jaseci_name="cache",
    depends_on=("mail",),
    workloads=(EXPORTER, REDIS),
    watch=(REDIS,),
)

RECORD_TEXT = """\
{
  "config": {
    "enabled": true,
    "note": "grün"
  },
  "dependsOn": [
    "mail"
  ],
  "keepAlive": true,
  "reset": {
    "name": "cache",
    "via": "jaseci",
    "watch": [
      {
        "group": "apps",
        "kind": "Deployment",
        "name": "redis",
        "namespace": "jaseci"
      }
    ]
  },
  "service": "redis",
  "version": 1,
  "workloads": [
    {
      "group": "apps",
      "kind": "DaemonSet",
      "name": "exporter",
      "namespace": "jaseci"
    },
    {
      "group": "apps",
      "kind": "Deployment",
      "name": "redis",
      "namespace": "jaseci"
    }
  ]
}
"""

EVERY_KEY = """\
values:
  image: redis:7.2
config: {enabled: true}
reset:
  via: none
  name: cache
  watch: [Deployment/redis, DaemonSet/exporter]
  config: apply
dependsOn: [mail, promon]
"""


def definition(text: str | None, *, name: str = "redis") -> ServiceDefinition:
    texts = {} if text is None else {"service.yaml": text}
    files = ServiceFiles(name=name, folder=f"templates/{name}", texts=texts)
    return parse_definition(files, services=frozenset({"redis", "mail", "promon"}))


@pytest.mark.parametrize("text", [None, "", "# nothing\n", "reset: {}\n", "values:\nconfig:\nreset:\n"])
def test_a_definition_may_say_nothing(text: str | None) -> None:
    """All of service.yaml, and the file itself, is optional."""
    assert definition(text) == ServiceDefinition(
        name="redis", values={}, config={}, via="jaseci", jaseci_name="redis", watch=None, depends_on=()
    )


def test_every_key_of_a_definition() -> None:
    """Each key of service.yaml arrives where it belongs."""
    assert definition(EVERY_KEY) == ServiceDefinition(
        name="redis",
        values={"image": "redis:7.2"},
        config={"enabled": True},
        via="none",
        jaseci_name="cache",
        watch=("Deployment/redis", "DaemonSet/exporter"),
        depends_on=("mail", "promon"),
        applies_config=True,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("value: {}", "1: value: unknown key; did you mean values?"),
        ("values: [a]", "1: values: must be a mapping of keys to values"),
        ("config: 5", "1: config: must be a mapping of keys to values"),
        ("\nreset: {vai: none}", "2: reset.vai: unknown key; did you mean via?"),
        ("reset: {via: magic}", "1: reset.via: must be jaseci, rollout or none, not 'magic'"),
        ("reset: {config: merge}", "1: reset.config: must be report or apply, not 'merge'"),
        ("reset: {name: ''}", "1: reset.name: must not be empty"),
        ("reset: {watch: Deployment/redis}", "1: reset.watch: must be a list of texts, not 'Deployment/redis'"),
        (
            "dependsOn:\n- mail\n- redsi",
            "3: dependsOn[1]: no other service 'redsi' under templates/ (there: mail, promon)",
        ),
        (
            "dependsOn: [promom]",
            "1: dependsOn[0]: no other service 'promom' under templates/; did you mean promon?",
        ),
        (
            "dependsOn: [redis]",
            "1: dependsOn[0]: no other service 'redis' under templates/ (there: mail, promon)",
        ),
        ("values: {}\n---\nconfig: {}", "3: must be one document, this begins a second"),
        ("values: {a: 1, a: 2}", "1: not valid YAML: the key 'a' is there twice"),
    ],
)
def test_a_wrong_definition_is_refused(text: str, message: str) -> None:
    """What cannot be followed is refused with the file, the line and the key."""
    with pytest.raises(DefinitionError) as caught:
        definition(text)

    assert str(caught.value) == f"templates/redis/service.yaml:{message}"


@pytest.mark.parametrize("name", ["Redis", "my_redis", "a.b", "-a", "a" * 64])
def test_the_name_of_a_service_is_a_label(name: str) -> None:
    """A folder whose name Kubernetes could not take for a label is refused."""
    with pytest.raises(DefinitionError, match=r"a service's name is a DNS label"):
        definition(None, name=name)


def test_a_record_is_an_interface() -> None:
    """The text in the ConfigMap is read by other versions of jsorc too, so none of it changes unnoticed."""
    assert format_record(RECORD) == RECORD_TEXT


@pytest.mark.parametrize(
    "record",
    [
        RECORD,
        replace(RECORD, keep_alive=False, via="none", config={}, depends_on=(), workloads=(), watch=()),
        replace(RECORD, config={"nested": [{"a": None, "b": 1.5}]}),
    ],
)
def test_a_record_comes_back_as_it_was(record: ServiceRecord) -> None:
    """Writing and reading a record changes nothing."""
    assert parse_record(format_record(record), where="record") == record


def test_a_record_of_before_configs_were_applied_reports_them() -> None:
    """It says nothing of it."""
    assert not parse_record(RECORD_TEXT, where="x").applies_config
    assert json.loads(format_record(replace(RECORD, applies_config=True)))["reset"]["config"] == "apply"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"valueFrom": {"secretKeyRef": {"name": "mail", "key": "pass"}}}, ("mail", "pass")),
        ({"valueFrom": {"secretKeyRef": {"name": "mail"}}}, None),
        ({"valueFrom": {"secretKeyRef": {"name": "mail", "key": "pass", "optional": True}}}, None),
        ({"valueFrom": {"configMapKeyRef": {"name": "mail", "key": "pass"}}}, None),
        ("valueFrom", None),
    ],
)
def test_what_refers_to_a_secret(value: Any, found: tuple[str, str] | None) -> None:
    """As an environment variable does, and nothing besides; at any depth of a config."""
    assert find_secret_ref(value) == found
    assert list_secret_refs({"a": [{"b": value}]}) == ([found] if found else [])


def test_a_newer_record_is_refused() -> None:
    """A record that a newer jsorc wrote is not guessed at, and the message says what to do."""
    with pytest.raises(FormatError) as caught:
        parse_record(RECORD_TEXT.replace('"version": 1', '"version": 2'), where="ConfigMap/jaseci/record")

    assert str(caught.value) == (
        "ConfigMap/jaseci/record: the record has version 2, this jsorc reads 1; "
        "use the jsorc that rendered it, or a newer one"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"version": None},
        {"service": None},
        {"reset": None},
        {"reset": {"via": "jaseci"}},
        {"workloads": None},
        {"workloads": [{"kind": "Deployment"}]},
        {"workloads": ["Deployment/redis"]},
        {"dependsOn": 5},
    ],
)
def test_a_broken_record_is_refused(changes: dict[str, Any]) -> None:
    """A record with a part missing, or of another shape, is refused by name."""
    data = {key: value for key, value in {**json.loads(RECORD_TEXT), **changes}.items() if value is not None}

    with pytest.raises(FormatError, match=r"^record: not a service record; render it again$"):
        parse_record(json.dumps(data), where="record")


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null"])
def test_what_is_no_record_is_refused(text: str) -> None:
    """A text that is not a JSON object is no record."""
    with pytest.raises(FormatError, match=r"^record: not a service record; render it again$"):
        parse_record(text, where="record")
