"""`$j{Kind["name"].path}` in the objects of services."""

from collections.abc import Mapping
from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import parse_manifest
from jsorc_gitops.render.placeholders import resolve_placeholders
from jsorc_gitops.render.templates import TemplateRenderer
from tests.render.builders import make_object, make_service, render_bodies

RBAC = "rbac.authorization.k8s.io/v1"
TARGET = make_object(
    "Service",
    "web",
    more="""  namespace: shop
  labels: {"a.b/c": x, empty: ''}
spec:
  ports: [{port: 80, name: http}, {port: 443}]
  ready: true
  share: 0.5
  nothing: null
  deep: {a: {b: [1, [2, 3]]}}
""",
)


def render(*texts: str, services: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The objects of the service redis, and those of others, by spelling."""
    others = [make_service({"a.yaml": text}, name=name) for name, text in (services or {}).items()]
    return render_bodies(make_service({"a.yaml": "---\n".join(texts)}), *others)


def fill(data: str, **services: str) -> Any:
    """What `data:` of an object beside the target becomes."""
    return render(make_object(more=f"data: {data}\n"), TARGET, services=services)["ConfigMap/default/x"]["data"]


def complaints(*texts: str, **services: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        render(*texts, services=services)
    return str(caught.value).splitlines()


def complaint(data: str) -> str:
    """What is said of a placeholder in `data: {a: …}`, without its place."""
    [line] = complaints(make_object(more=f"data: {{a: '{data}'}}\n"), TARGET)
    place = "templates/redis/a.yaml:1: ConfigMap/default/x: data.a: "
    assert line.startswith(place)
    return line.removeprefix(place)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ('$j{Service["web"].metadata.namespace}', "shop"),
        ("$j{Service['web'].metadata.namespace}", "shop"),
        ('a-$j{Service["web"].metadata.namespace}-b', "a-shop-b"),
        ('$j{Service["web"].metadata.name}.$j{Service["web"].metadata.namespace}', "web.shop"),
        ('$j{Service["web"].metadata.labels["a.b/c"]}', "x"),
        ("$j{Service['web'].metadata['labels']['a.b/c']}", "x"),
        ('$j{Service["web"].metadata.labels.empty}', ""),
        ('<$j{Service["web"].metadata.labels.empty}>', "<>"),
        ('$j{Service["web"].spec.ports[1].port}', 443),
        ('port $j{Service["web"].spec.ports[0].port}', "port 80"),
        ('$j{Service["web"].spec.ready}', True),
        ('ready: $j{Service["web"].spec.ready}', "ready: true"),
        ('$j{Service["web"].spec.share}', 0.5),
        ('at $j{Service["web"].spec.share}', "at 0.5"),
        ('$j{Service["web"].spec.nothing}', None),
        ('$j{Service["web"].spec.ports}', [{"port": 80, "name": "http"}, {"port": 443}]),
        ('$j{Service["web"].spec.deep.a.b[1][0]}', 2),
        ('$j{Service["web"].spec.deep}', {"a": {"b": [1, [2, 3]]}}),
        ("${j}", "${j}"),
        ("$J{a}", "$J{a}"),
    ],
)
def test_what_a_placeholder_becomes(data: str, value: Any) -> None:
    """A placeholder that is a whole value keeps the type of what it names, in a text it is spelled out."""
    quoted = f"{{a: [{{b: {data!r}}}]}}" if "'" not in data else f'{{a: [{{b: "{data}"}}]}}'

    assert fill(quoted) == {"a": [{"b": value}]}


def test_keys() -> None:
    """A placeholder in a key is filled in, the values below it too; numbers become texts there."""
    port = '$j{Service["web"].spec.ports[0].port}'

    assert fill(f"{{'{port}': {{'p-{port}': '{port}'}}}}") == {"80": {"p-80": 80}}


def test_namespaces_come_first() -> None:
    """A placeholder sees the namespace that a policy has given the object, not the one it was written with."""
    service = make_service(
        {
            "service.yaml": "namespace: mine",
            "a.yaml": TARGET,
            "b.yaml": make_object(more="data: {a: '$j{Service[\"web\"].metadata.namespace}'}\n"),
        }
    )

    assert render_bodies(service)["ConfigMap/mine/x"]["data"] == {"a": "mine"}


def test_names_and_what_refers_to_them() -> None:
    """A name with a placeholder is another identity once filled in; who spells it the same way refers to it."""
    name = 'web-$j{Service["web"].metadata.namespace}-view'
    binding = make_object(
        "ClusterRoleBinding",
        name,
        version=RBAC,
        more=f"roleRef: {{kind: ClusterRole, name: '{name}'}}\n"
        "subjects: [{kind: ServiceAccount, name: a, namespace: '$j{Service[\"web\"].metadata.namespace}'}]\n",
    )
    found = render(TARGET, make_object("ClusterRole", name, version=RBAC), binding)

    assert found["ClusterRole/web-shop-view"]["metadata"]["name"] == "web-shop-view"
    assert found["ClusterRoleBinding/web-shop-view"]["roleRef"]["name"] == "web-shop-view"
    assert found["ClusterRoleBinding/web-shop-view"]["subjects"][0]["namespace"] == "shop"


def test_a_namespace_may_be_a_placeholder() -> None:
    """An object may go where another one is; the Namespace of that is rendered."""
    found = render(TARGET, make_object(name='x\n  namespace: $j{Service["web"].metadata.namespace}'))

    assert {"ConfigMap/shop/x", "Namespace/shop"} <= found.keys()
    assert not [name for name in found if "$j" in name]


def test_objects_of_other_services() -> None:
    """What the service does not have itself is looked for in the tree; its own comes first."""
    text = '{a: \'$j{Secret["s"].metadata.namespace} $j{Service["web"].metadata.namespace}\'}'
    secret = make_object("Secret", "s\n  namespace: vault")

    assert fill(text, vault=secret, shop=TARGET.replace("shop", "other")) == {"a": "vault shop"}


def test_chains() -> None:
    """What a placeholder names may hold placeholders, which are read as those of the service they stand in."""
    first = make_object(name="first", more="data: {host: 'db.$j{Service[\"db\"].metadata.namespace}.svc'}\n")
    theirs, ours = (make_object("Service", f"db\n  namespace: {each}") for each in ("theirs", "ours"))
    asking = make_object(
        more='data:\n  url: pg://$j{ConfigMap["first"].data.host}:5432\n  all: $j{ConfigMap["first"].data}\n'
    )
    found = render(asking, ours, services={"other": f"{first}---\n{theirs}"})

    assert found["ConfigMap/default/x"]["data"] == {
        "url": "pg://db.theirs.svc:5432",
        "all": {"host": "db.theirs.svc"},
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            '$j{Service["wbe"].metadata.name}',
            '$j{Service["wbe"].metadata.name}: no Service "wbe" in this service or another; write it as',
        ),
        ('$j{Sevice["web"].metadata.name}', '$j{Sevice["web"].metadata.name}: no Sevice "web" in this service'),
        (
            'a $j{Service["web"].spec.prots[0]} b',
            '$j{Service["web"].spec.prots[0]}: Service/shop/web has no spec.prots',
        ),
        ('$j{Service["web"].spec.ports[2].port}', "has no spec.ports[2]"),
        ('$j{Service["web"].spec.ports.port}', "has no spec.ports.port"),
        ('$j{Service["web"].spec.ready.now}', "has no spec.ready.now"),
        ('$j{Service["web"].kind[0]}', "has no kind[0]"),
        ('$j{Service["web"].spec[0]}', "has no spec[0]"),
        ('a $j{Service["web"].spec.ports}', "is a list, which cannot be a part of a text"),
        ('a $j{Service["web"].spec.deep}', "is a mapping, which cannot be a part of a text"),
        ('a $j{Service["web"].spec.nothing}', "is null, which cannot be a part of a text"),
        ("$j{}", '$j{} is no placeholder; write $j{Kind["name"].path.to.value}'),
        ("a $j{namespace} b", "$j{namespace} is no placeholder"),
        ("$j{env_vars", "$j{env_vars is no placeholder"),
        ("$j{", "$j{ is no placeholder"),
        ('$j{Service["web"]}', '$j{Service["web"]} is no placeholder'),
        ("$j{Service[web].metadata.name}", "$j{Service[web].metadata.name} is no placeholder"),
        ("$j{Service.web.metadata.name}", "is no placeholder"),
        ('$j{Service["web"].metadata..name}', "is no placeholder"),
        ('$j{Service["web"].spec.ports[-1]}', "is no placeholder"),
        ('$j{ Service["web"].metadata.name }', "is no placeholder"),
        ('$j{Service["web"].metadata.name', "is no placeholder"),
        (
            '$j{ConfigMap["x"].data.a}',
            '$j{ConfigMap["x"].data.a}: $j{ConfigMap["x"].data.a}: leads back to itself',
        ),
        ('$j{ConfigMap["x"].data}', "leads back to itself"),
    ],
)
def test_what_cannot_be_filled_in(data: str, message: str) -> None:
    """The message names the object, the path and the placeholder, and says what is wrong with it."""
    assert message in complaint(data)


def test_longer_circles() -> None:
    """Placeholders that lead to one another are refused in each of their objects."""
    objects = [
        make_object(name=name, more=f"data: {{k: '$j{{ConfigMap[\"{other}\"].data.k}}'}}\n")
        for name, other in ("ab", "bc", "ca")
    ]

    found = complaints(*objects)

    assert [line.split(": ")[1] for line in found] == [f"ConfigMap/default/{name}" for name in "abc"]
    assert all(line.endswith("leads back to itself") for line in found)


def test_two_objects_that_could_be_meant() -> None:
    """Objects of one kind and name, in the service or, without one there, in the tree, are an error."""
    asking = make_object(more="data: {a: '$j{Service[\"web\"].metadata.name}'}\n")
    again = TARGET.replace("shop", "again")

    [within] = complaints(asking, TARGET, again)
    [across] = complaints(asking, a=TARGET, b=again)

    assert within.endswith(
        "it could be any of Service/shop/web of redis, Service/again/web of redis; write the value itself"
    )
    assert across.endswith("Service/shop/web of a, Service/again/web of b; write the value itself")


def test_keys_that_meet() -> None:
    """Two keys that become one would lose a value, so they are an error."""
    name = '$j{Service["web"].metadata.name}'

    for data in (f"{{web: 1, '{name}': 2}}", f"{{'{name}': 1, web: 2}}"):
        [line] = complaints(make_object(more=f"data: {data}\n"), TARGET)
        assert line.endswith("becomes the key 'web', which is there already")


def test_all_are_told() -> None:
    """Every placeholder of every service that cannot be filled in has its line in one error."""
    bad = make_object(more="data: {a: ['$j{X}', ok, '$j{Y}'], '$j{Z}': 1}\n")

    found = complaints(bad, bad.replace("name: x", "name: z"), other=bad)

    assert [(line.split(":")[0], line.split(": ")[1]) for line in found] == [
        *[("templates/redis/a.yaml", "ConfigMap/default/x")] * 3,
        *[("templates/redis/a.yaml", "ConfigMap/default/z")] * 3,
        *[("templates/other/a.yaml", "ConfigMap/default/x")] * 3,
    ]
    assert [line.split(": ")[2] for line in found][:3] == ["data.a[0]", "data.a[2]", "data.$j{Z}"]


@pytest.mark.parametrize(
    ("links", "message"),
    [
        # 40 times twice as much; each place where it is too large or too long says so.
        (["$j{NEXT}$j{NEXT}"] * 40, "leads through more than 10 placeholders"),
        (["$j{NEXT}" * 20] * 8, "makes the object larger than 4 MiB"),
    ],
)
def test_placeholders_cannot_explode(links: list[str], message: str) -> None:
    """Placeholders that multiply what they lead to come to an end soon."""
    data = {
        f"k{place}": link.replace("NEXT", f'ConfigMap["x"].data.k{place + 1}') for place, link in enumerate(links)
    }
    data[f"k{len(links)}"] = "laugh"
    lines = "".join(f"  {key}: '{value}'\n" for key, value in data.items())

    found = complaints(make_object(more=f"data:\n{lines}"))

    assert found
    assert found[0].endswith(message)


def test_what_a_placeholder_makes_of_a_name_is_checked() -> None:
    """A name that is no text once it is filled in is refused as one that was written so."""
    [line] = complaints(make_object(name="'$j{Service[\"web\"].spec.ports[0].port}'"), TARGET)

    assert line == "templates/redis/a.yaml:1: metadata.name is missing or not a text; every object needs one"


def test_what_is_filled_in_too_deep_is_told() -> None:
    """Two objects that can be written each may make one that cannot."""
    deep: Any = {"x": "y"}
    far: Any = '$j{Thing["one"].spec}'
    for _ in range(60):
        deep, far = {"a": deep}, {"a": far}
    bodies = [{"apiVersion": "a.b/v1", "kind": "Thing", "metadata": {"name": name}} for name in ("one", "two")]
    manifests = [
        parse_manifest({**body, "spec": spec}, where=body["metadata"]["name"])  # type: ignore[index]
        for body, spec in zip(bodies, (deep, far), strict=True)
    ]

    with pytest.raises(DefinitionError, match=r"^two: spec\.a\.a.*: nested deeper than 100 lists and mappings$"):
        resolve_placeholders({"app": manifests})


def test_objects_without_are_left_alone() -> None:
    """An object without placeholders is the same one afterwards; one told to be clean is not looked into."""
    texts = {
        "clean.yaml": make_object(name="a"),
        "escape.yaml.j2": make_object(name="b", more='data: {a: "\\x24j{X}"}\n'),
        "plain.yaml": make_object(name="c", more="data: {a: '$j{X}'}\n"),
    }
    filled = TemplateRenderer().fill(make_service(texts), {})
    manifests = filled.make_manifests()

    assert filled.clean == {"templates/redis/clean.yaml:1"}
    assert resolve_placeholders({"redis": manifests[:1]})["redis"][0] is manifests[0]
    assert (
        resolve_placeholders({"redis": manifests}, clean={each.where for each in manifests})["redis"] == manifests
    )
    with pytest.raises(DefinitionError) as caught:
        resolve_placeholders({"redis": manifests}, clean=filled.clean)
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        "templates/redis/escape.yaml.j2 document 1",
        "templates/redis/plain.yaml:1",
    ]


def test_objects_that_no_file_holds() -> None:
    """Objects made by Python may hold tuples, and are searched as the others."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    manifest = parse_manifest({**body, "data": ('$j{ConfigMap["x"].kind}',)}, where="a.b:C")

    assert resolve_placeholders({"a": [manifest]})["a"][0].body["data"] == ["ConfigMap"]


def test_an_object_with_placeholders_in_one_environment_only() -> None:
    """What is clean with some values and not with others is searched where it is not."""
    service = make_service({"a.yaml.j2": make_object(more="data: {a: {{ values.a | tojson }}}\n")})
    renderer = TemplateRenderer()

    clean = [renderer.fill(service, {"values": {"a": value}}).clean for value in ("x", "$j{X}", "x")]

    assert clean == [{"templates/redis/a.yaml.j2 document 1"}, set(), {"templates/redis/a.yaml.j2 document 1"}]
