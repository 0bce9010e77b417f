"""Manifests that exist become the folder of a service."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.services import parse_definition
from jsorc_gitops.model.settings import Settings
from jsorc_gitops.model.yaml import format_yaml
from jsorc_gitops.render.importing import Imported, derive_service_name, import_service, parse_manifests
from tests.render.builders import make_object, make_service, render_bodies

WEB = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map", "namespace": "shop"}}
SECRET = make_object("Secret", "key", more="data: {password: eA==}\n")


def run(
    text: str, *, service: str = "web", config: Mapping[str, Any] | None = None, plain: bool = False
) -> Imported:
    manifests = parse_manifests(text, source="live.yaml")
    return import_service(manifests, service=service, config=config or {}, plain_secrets=plain)


def complaint(text: str, **more: Any) -> str:
    with pytest.raises(DefinitionError) as caught:
        run(text, **more)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(WEB) + "\n---\n" + json.dumps(MAP) + "\n---\n",
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [WEB, MAP]}),
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [WEB, MAP]}, indent="\t"),
        json.dumps([WEB, MAP]),
        json.dumps({"Service": [WEB], "ConfigMap": [MAP]}),
        json.dumps({"Service": {"web": WEB}, "ConfigMap": {"map": MAP}}),
        json.dumps({"Service": WEB, "ConfigMap": MAP}),
        json.dumps(json.dumps({"Service": {"web": WEB}, "ConfigMap": {"map": MAP}})),
        f"Service:\n- {json.dumps(WEB)}\nConfigMap:\n- {json.dumps(MAP)}\n",
        format_yaml({"kind": "List", "apiVersion": "v1", "items": [WEB]})
        + f"---\n# none\n---\n{format_yaml(MAP)}",
    ],
)
def test_inputs(text: str) -> None:
    """YAML documents, lists of kubectl, JSON, JsOrc's shapes and JSON in a text all hold the same objects."""
    assert [each.body for each in parse_manifests(text, source="x")] == [WEB, MAP]


def test_json_is_read_as_json() -> None:
    """With characters in two halves, which YAML does not put together."""
    [manifest] = parse_manifests(
        '{"apiVersion":"v1","kind":"A","metadata":{"name":"\\ud83d\\ude80"}}', source="x"
    )

    assert manifest.ref.name == "🚀"


def test_files() -> None:
    """A file for each kind, documents by name, foreign groups in its name; in a folder beside service.yaml."""
    text = "---\n".join(
        [
            make_object("Service", "web"),
            make_object("Queue", "q", version="example.com/v1"),
            make_object("ConfigMap", "b", more="data: {a: '1e3'}\n"),
            make_object("ConfigMap", "a"),
        ]
    )

    texts = run(text).texts

    assert list(texts) == [
        "service.yaml",
        "manifests/ConfigMap.yaml",
        "manifests/Queue.example.com.yaml",
        "manifests/Service.yaml",
    ]
    assert texts["manifests/ConfigMap.yaml"] == (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n---\n"
        "apiVersion: v1\ndata:\n  a: '1e3'\nkind: ConfigMap\nmetadata:\n  name: b\n"
    )


def test_rendering_gives_the_objects_back() -> None:
    """With their namespaces as they are, braces and all; what says none goes home."""
    text = make_object("ConfigMap", "a\n  namespace: shop", more="data: {rule: '{{ $labels.pod }}'}\n")
    imported = run(text + "---\n" + make_object("Service", "web"))

    bodies = render_bodies(make_service(imported.texts, name="web"), settings=Settings(namespace="home"))

    assert bodies["ConfigMap/shop/a"]["data"] == {"rule": "{{ $labels.pod }}"}
    assert "Service/home/web" in bodies
    assert [str(ref) for ref in imported.refs] == ["ConfigMap/shop/a", "Service/web"]


@pytest.mark.parametrize(
    ("service", "reset", "jaseci"),
    [
        ("redis", "", ("jaseci", "redis")),
        ("promon", "reset:\n  name: prome\n", ("jaseci", "prome")),
        ("web", "reset:\n  via: none\n", ("none", "web")),
    ],
)
def test_resets(service: str, reset: str, jaseci: tuple[str, str]) -> None:
    """Jaseci's own services are reset by their names there, others not at all."""
    text = run(make_object(), service=service).texts["service.yaml"]
    definition = parse_definition(make_service(text, name=service), services=frozenset())

    assert text.partition("\n")[2] == reset
    assert (definition.via, definition.jaseci_name) == jaseci


def test_config_goes_into_service_yaml() -> None:
    """A class that says its service's config and makes no objects is a service, too."""
    imported = run("", service="task", config={"enabled": True})

    assert list(imported.texts) == ["service.yaml"]
    definition = parse_definition(make_service(imported.texts, name="task"), services=frozenset())
    assert definition.config == {"enabled": True}


def test_plain_secrets_are_refused() -> None:
    """All are named, with what to do; none of their values is."""
    text = complaint(SECRET + "---\n" + make_object("Secret", "other", more="stringData: {token: swordfish}\n"))

    assert text.startswith("Secret/key, Secret/other: would lie in git in clear text; ")
    assert "--plain-secrets" in text
    assert "swordfish" not in text
    assert "eA==" not in text


def test_plain_secrets_can_be_allowed() -> None:
    """Then service.yaml allows them, too."""
    texts = run(SECRET, plain=True).texts

    assert "password: eA==" in texts["manifests/Secret.yaml"]
    assert parse_definition(make_service(texts, name="web"), services=frozenset()).plain_secrets
    texts = run(make_object(), plain=True).texts
    assert not parse_definition(make_service(texts, name="web"), services=frozenset()).plain_secrets


@pytest.mark.parametrize(
    "text",
    [
        make_object("Secret"),
        make_object("Secret", more="data: {}\n"),
        make_object("Secret", more="data: {password: 'ENC[x]'}\nsops: {version: 3}\n"),
        make_object("SealedSecret", version="bitnami.com/v1alpha1", more="spec: {encryptedData: {a: b}}\n"),
    ],
)
def test_secrets_without_values_are_taken(text: str) -> None:
    """Empty, encrypted and sealed ones."""
    assert len(run(text).refs) == 1


def test_what_is_left_out_is_named() -> None:
    """With the reason; a Namespace is left out where it says nothing that jsorc would not."""
    texts = [
        make_object("ConfigMap", "kube-root-ca.crt"),
        make_object("Namespace", "shop", more="spec: {finalizers: [kubernetes]}\nstatus: {phase: Active}\n"),
        make_object("Namespace", "labelled\n  labels: {team: shop}"),
        make_object("ServiceAccount", "default"),
    ]

    imported = run("---\n".join(texts))

    assert [str(ref) for ref in imported.refs] == ["Namespace/labelled"]
    assert [(str(ref), reason) for ref, reason in imported.left_out] == [
        ("ConfigMap/kube-root-ca.crt", "made by the cluster"),
        ("Namespace/shop", "jsorc render adds it where something lies in it"),
        ("ServiceAccount/default", "made by the cluster"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing to import: it holds no objects"),
        ("{}", "nothing to import: it holds no objects"),
        (make_object("Event"), "nothing to import: Event/x: made by the cluster"),
        ("a: [", "live.yaml:2: not valid YAML"),
        ('{"a": ', "live.yaml:2: not valid YAML"),
        ("[" * 5000, "live.yaml"),
        ('{"a": [1, NaN]}', "live.yaml:1: a[1]: nan is no number with digits"),
        ('{"a": -1e400}', "live.yaml:1: a: -inf is no number with digits"),
        ('{"a": "\\ud800"}', "live.yaml:1: a: holds half a character, which no file can"),
        (json.dumps(json.dumps({"a": 2**64})), "live.yaml:1: a: is an integer beyond 64 bits"),
        ('{"a":' * 150 + "1" + "}" * 150, "live.yaml:1: a.a.a.a.a.a: nested deeper than 100 lists and mappings"),
        ("x", "live.yaml:1: neither an object nor a mapping or list of objects"),
        ("a: 1\n---\n", "live.yaml:1: a: must be an object of kind a, not 1"),
        ("\n---\nkind: Service\n", "live.yaml:3: apiVersion is missing"),
        (make_object("../../x"), "live.yaml:1: ../../x/x: its kind or API group is none"),
        (make_object("X", version="../x/v1"), "live.yaml:1: X/x: its kind or API group is none"),
        ("kind: List\nitems: [x]\n", "live.yaml:1: a Kubernetes object is a mapping, this is a text"),
        (
            make_object() + "---\n" + make_object(),
            "live.yaml:6: ConfigMap/x is there twice, first at live.yaml:1",
        ),
    ],
)
def test_mistakes(text: str, words: str) -> None:
    """Each is an error that names the place."""
    assert words in complaint(text)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("redis.yaml", "redis"),
        ("live/Web_Shop.json", "web-shop"),
        ("promon.yml", "promon"),
        ("jaseci.svc.redis.kube:REDIS_KUBE", "redis"),
        ("jaseci.svc.prometheus.manifest:PROMON_MANIFEST", "promon"),
        ("jaseci.svc:RedisService", "redis"),
        ("fleet.jobs:Billing", "billing"),
        ("-", ""),
        ("service", ""),
        ("a b.yaml", ""),
    ],
)
def test_names_of_services(source: str, name: str) -> None:
    """A file and a definition name their service; where they cannot, nobody guesses."""
    assert derive_service_name(source) == name
