"""Filling templates: what a template sees, and how its mistakes are told."""

from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import Body
from jsorc_gitops.render.templates import TemplateRenderer
from tests.render.builders import make_object, make_service, render_bodies

CONTEXT: dict[str, Any] = {
    "environment": "prod",
    "service": "redis",
    "tree": "default",
    "namespace": "jaseci",
    "values": {"image": "redis:7", "ports": [1, 2], "nested": {"a": "x"}, "nothing": None, "items": 5},
}


def bodies(texts: dict[str, str]) -> list[Body]:
    return [each.body for each in TemplateRenderer().fill(make_service(texts), CONTEXT).make_manifests()]


def fill(expression: str) -> Any:
    """What a field becomes that is written with this expression."""
    [body] = bodies({"a.yaml.j2": make_object(more=f"data: {expression}\n")})
    return body["data"]


def complaint(texts: dict[str, str]) -> str:
    with pytest.raises(DefinitionError) as caught:
        TemplateRenderer().fill(make_service(texts), CONTEXT).make_manifests()
    return str(caught.value)


def mistake(expression: str) -> str:
    return complaint({"a.yaml.j2": f"apiVersion: v1\n\ndata: {expression}\n"}).removeprefix(
        "templates/redis/a.yaml.j2"
    )


def test_what_a_template_sees() -> None:
    """A template knows its service, the tree, the environment, where it goes, and its own values."""
    assert fill("[{{ service }}, {{ tree }}, {{ environment }}, {{ namespace }}, {{ values.image }}]") == [
        "redis",
        "default",
        "prod",
        "jaseci",
        "redis:7",
    ]


def test_the_base_tree_is_no_environment() -> None:
    """Outside of environments, their name is an empty text, which counts as false."""
    text = make_object(more="data: {a: '{{ environment or 'base' }}'}\n")

    assert render_bodies(make_service({"a.yaml.j2": text}))["ConfigMap/default/x"]["data"] == {"a": "base"}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{% set ns = namespace(x=1) %}{% for i in [1, 2] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", 4),
        ("{% set ns = namespace({'x': namespace}) %}{{ ns.x }}", "jaseci"),
        ("{{ namespace == 'jaseci' and namespace in ['jaseci'] and namespace is string }}", True),
        ("{{ {namespace: [namespace]} | tojson }}", {"jaseci": ["jaseci"]}),
        ("{{ namespace | upper ~ namespace[0] }}", "JASECIj"),
        ("{% macro of() %}{% set ns = namespace(x=2) %}{{ ns.x }}{% endmacro %}{{ of() }}", 2),
    ],
)
def test_namespace_is_a_text_and_a_function(template: str, value: Any) -> None:
    """The variable is a text like any other; called, the name is Jinja2's function of that name."""
    assert fill(template) == value


def test_plain_files_are_taken_as_they_are() -> None:
    """A .yaml file is no template: braces in it are text."""
    assert bodies({"a.yaml": make_object(more="data: {a: '{{ values.image }}'}\n")})[0]["data"] == {
        "a": "{{ values.image }}"
    }


def test_files_are_taken_in_the_order_of_their_names() -> None:
    """Objects come in the order of file names and documents, whatever order the disk lists files in."""
    texts = {"b.yaml": make_object(name="b"), "a.yaml": f"{make_object(name='z')}---\n{make_object(name='w')}"}

    assert [body["metadata"]["name"] for body in bodies(texts)] == ["z", "w", "b"]


def test_which_files_are_objects() -> None:
    """The definition, values of environments and files of other endings are none; all other YAML files are."""
    texts = {
        "service.yaml": "values: {}",
        "values.prod.yaml": "a: 1",
        "README.md": "# read me",
        "macros.j2": "{% macro a() %}{% endmacro %}",
        "redis.conf": "port 6379",
        "service.yaml.j2": make_object(name="one"),
        "values.yaml.j2": make_object(name="two"),
        "below/service.yaml": make_object(name="three"),
    }

    assert sorted(body["metadata"]["name"] for body in bodies(texts)) == ["one", "three", "two"]


@pytest.mark.parametrize("name", ["a.yml", "a.yml.j2", "a.yaml.jinja", "below/a.yaml.jinja2"])
def test_endings_that_would_be_left_out(name: str) -> None:
    """A file whose ending is almost right is refused, since leaving it out would go unnoticed."""
    assert complaint({name: make_object()}) == (
        f"templates/redis/{name}: would be left out; name it *.yaml or *.yaml.j2"
    )


def test_a_template_may_make_nothing() -> None:
    """A template whose condition is false makes no object."""
    assert bodies({"a.yaml.j2": "{% if values.nothing %}\n" + make_object() + "{% endif %}\n"}) == []


def test_a_file_of_the_folder_may_be_included() -> None:
    """Templates include and import files of their own folder, folders within it too."""
    texts = {
        "a.yaml.j2": "{% import 'lib/names.j2' as names %}"
        + make_object(more="data:\n{% include 'data.txt' %}  b: {{ names.of('x') }}\n"),
        "data.txt": "  a: {{ values.image }}\n",
        "lib/names.j2": "{% macro of(name) %}{{ name }}-name{% endmacro %}",
    }

    assert bodies(texts)[0]["data"] == {"a": "redis:7", "b": "x-name"}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("\n{{ values.nested | to_yaml | indent(2, first=true) }}", {"a": "x"}),
        ("\n{{ {'b': ' a\n\n\n'} | to_yaml | indent(2, first=true) }}", {"b": " a\n\n\n"}),
        ("{{ 'a\n\n' | to_yaml }}", "a\n\n"),
        ("{{ 'yes' | to_yaml }}", "yes"),
        ("{{ values.nested | tojson }}", {"a": "x"}),
        ("{{ {'b': '<&\\'>', 'a': none} | tojson }}", {"b": "<&'>", "a": None}),
        ("{{ values.ports | map('string') | join(',') | tojson }}", "1,2"),
        ("{{ values['items'] }}", 5),
        ("{{ values.ports }}", [1, 2]),
        ("{{ values.nothing }}", None),
        ("{{ {'a': '🚀 \u2028\x85\x7f\ufeff\uffff'} | tojson }}", {"a": "🚀 \u2028\x85\x7f\ufeff\uffff"}),
        ("{{ {'b': [1], 'a': {}} | tojson(indent=2) | indent(2) }}", {"a": {}, "b": [1]}),
        ("{{ '%s-%03d' % ('a', 7) }}{{ '-%(x)s' | format(x=1) }}", "a-007-1"),
        ("{{ 'a' ~ 1 ~ none if false else values.ports[:1] + [3] * 2 }}", [1, 3, 3]),
        ("'{{ \"x\" if false }}'", ""),
    ],
)
def test_values_of_any_shape_can_be_written(expression: str, value: Any) -> None:
    """Mappings, lists and odd texts arrive as they are, by tojson in a line or by to_yaml as a block."""
    assert fill(expression) == value


def test_blocks_leave_no_lines_behind() -> None:
    """Control blocks on lines of their own vanish with their lines, so the YAML around them stays right."""
    text = make_object(more="data:\n  {% for port in values.ports %}\n  p{{ port }}: x\n  {% endfor %}\n")

    assert bodies({"a.yaml.j2": text})[0]["data"] == {"p1": "x", "p2": "x"}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("{{ imgae }}", ":3: 'imgae' is undefined"),
        ("{{ values.imgae }}", ":3: no key 'imgae' here; did you mean image?"),
        ("{{ [1, values.imgae] }}", ":3: no key 'imgae' here; did you mean image?"),
        ("{{ {'a': [values.imgae]} }}", ":3: no key 'imgae' here; did you mean image?"),
        ("{{ values.nested.b.c }}", ":3: no key 'b' here"),
        ("{{ values.ports[5] }}", ":3: list object has no element 5"),
        ("{{ values.imgae | tojson }}", ":3: no key 'imgae' here; did you mean image?"),
        ("{{ values.imgae | to_yaml }}", ":3: no key 'imgae' here; did you mean image?"),
        ("{{ {'a': [values.imgae]} | to_yaml }}", ":3: no key 'imgae' here; did you mean image?"),
        ("{{ {'a': [values.imgae]} | tojson }}", ":3: no key 'imgae' here; did you mean image?"),
        ("{% if values.imgae %}a{% endif %}", ":3: no key 'imgae' here; did you mean image?"),
        ("{% for x in imgae %}a{% endfor %}", ":3: 'imgae' is undefined"),
        ("{{ values.image | nofilter }}", ":3: No filter named 'nofilter'."),
        ("{% if %}", ":3: Expected an expression, got 'end of statement block'"),
        ("{{ values.image ", ":3: unexpected end of template, expected 'end of print statement'."),
        ("{{ 1 / 0 }}", ":3: division by zero"),
        ("{{ cycler() }}", ":3: at least one item has to be provided"),
        ("{{ values.image | dictsort }}", ":3: 'str' object has no attribute 'items'"),
        ("{{ values.image + 1 }}", ':3: can only concatenate str (not "int") to str'),
        ("{{ values.nothing.x }}", ":3: 'None' has no attribute 'x'"),
        ("{{ lipsum() }}", ":3: 'lipsum' is undefined"),
        ("{{ values.ports | random }}", ":3: No filter named 'random'."),
        ("{% include 'gone.j2' %}", ":3: no file gone.j2 in templates/redis"),
        ("{% include '../mail/a.yaml.j2' %}", ":3: no file ../mail/a.yaml.j2 in templates/redis"),
        ("{% include '/etc/passwd' %}", ":3: no file /etc/passwd in templates/redis"),
        ("{% include ['gone.j2', 'too.j2'] %}", ":3: no file gone.j2 or too.j2 in templates/redis"),
        ("{% include imgae %}", ":3: 'imgae' is undefined"),
        ("{% include 'a.yaml.j2' %}", ":3: calls or includes itself too often"),
        ("{{ values.ports | tojson(indent=100) }}", ":3: tojson: an indent of 100 is not between 0 and 8"),
        ("{{ ('1' ~ '0' * 400) | float | tojson }}", ":3: Out of range float values are not JSON compliant"),
        ("{{ " + "9" * 5000 + " }}", ": Exceeds the limit (4300 digits) for integer string conversion"),
    ],
)
def test_mistakes_are_told_with_their_line(expression: str, message: str) -> None:
    """Whatever is wrong with a template, the message names the file, the line, and what is wrong."""
    assert mistake(expression).startswith(message)


@pytest.mark.parametrize(
    "expression",
    [
        "{{ values.ports | map('string') }}",
        "{{ values.items }}",
        "{{ cycler('a') }}",
        "{{ range }}",
        "{{ [cycler('a')] }}",
        "{{ {'a': [range]} }}",
        "{{ cycler('a') ~ '' }}",
        "{{ '%s' % cycler('a') }}",
        "{{ '%s' % [cycler('a')] }}",
        "{{ '%s' | format(cycler('a')) }}",
        "{{ cycler('a') | string }}",
        "{{ cycler('a') | upper }}",
        "{{ [cycler('a')] | join(',') }}",
        "{{ [cycler('a')] | map('string') | join }}",
        "{{ [cycler('a')] | map('string') | list }}",
        "{{ {'a': cycler('a')} | urlencode }}",
        "{{ [cycler('a')] | tojson }}",
        "{{ {'a': cycler('a')} | to_yaml }}",
    ],
)
def test_what_is_no_value_never_becomes_a_text(expression: str) -> None:
    """What would print its address in memory, another one each time, is refused with a hint and no address."""
    complaint = mistake(expression)

    assert complaint.endswith("is no value; a filter may lack `| list`, a method its parentheses")
    assert "0x" not in complaint


def test_a_mistake_in_an_included_file_is_told_there() -> None:
    """The message names the file and the line the mistake is in, not those it was included from."""
    texts = {"a.yaml.j2": "a: 1\n{% include 'lib/b.j2' %}\n", "lib/b.j2": "\n\n{{ values.imgae }}\n"}

    assert complaint(texts) == "templates/redis/lib/b.j2:3: no key 'imgae' here; did you mean image?"


def test_a_syntax_error_in_an_included_file_is_told_there() -> None:
    """A file that is included and cannot be read as a template is the one that is named."""
    texts = {"a.yaml.j2": "a: 1\n{% include 'lib/b.j2' %}\n", "lib/b.j2": "\n\n{% endif %}\n"}

    assert complaint(texts).startswith("templates/redis/lib/b.j2:3: Encountered unknown tag 'endif'.")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"a.yaml": "a: [\n"}, "templates/redis/a.yaml:2: not valid YAML: "),
        (
            {"a.yaml.j2": "{% if true %}\na: [\n{% endif %}"},
            "templates/redis/a.yaml.j2 as rendered:2: not valid YAML: ",
        ),
        ({"a.yaml": "\n- a\n"}, "templates/redis/a.yaml:2: a Kubernetes object is a mapping, this is a list"),
        (
            {"a.yaml": "a: 1\n"},
            "templates/redis/a.yaml:1: apiVersion is missing or not a text; every object needs",
        ),
        (
            {"a.yaml": f"{make_object()}---\n# no kind\napiVersion: v1\n"},
            "templates/redis/a.yaml:7: kind is missing",
        ),
        (
            {"values.yaml": "image: redis:7\n"},
            "templates/redis/values.yaml:1: apiVersion is missing or not a text; ",
        ),
        (
            {"a.yaml.j2": "{% for x in [1, 2] %}\n# {{ x }}\n{% endfor %}\nkind: X\napiVersion: v1\n"},
            "templates/redis/a.yaml.j2 document 1: metadata.name is missing or not a text; every object",
        ),
        (
            {"a.yaml.j2": f"---\n# none\n---\n{make_object()}---\n---\nkind: X\n"},
            "templates/redis/a.yaml.j2 document 2: apiVersion is missing or not a text; every object",
        ),
        (
            {"a.yaml.j2": "a: {{ '\\ud800' }}\n"},
            "templates/redis/a.yaml.j2 as rendered:1: the character \\ud800 has no place in YAML",
        ),
    ],
)
def test_what_is_no_object_is_told_with_its_line(texts: dict[str, str], message: str) -> None:
    """YAML that is broken or no object is refused with file and line; of a template, as it was rendered."""
    assert complaint(texts).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n{{ 'b: c: d' }}\n", "2 | b: c: d"),
        ("{{ 'a: b: ' ~ 'c' * 200 }}\n", f"1 | a: b: {'c' * 113}…"),
        ("{{ 'a: b: \u202ec\u1234' }}\n", "1 | a: b: \\u202ec\u1234"),
        ("a: \r{{ 'b: c: \x0cd' }}", "2 | b: c: \\x0cd"),
    ],
)
def test_a_rendered_line_that_is_no_yaml_is_quoted(text: str, message: str) -> None:
    """What nobody has in a file stands below the message: its number, and the line, cut and on one line."""
    told = complaint({"a.yaml.j2": text}).splitlines()

    assert told[0].startswith(f"templates/redis/a.yaml.j2 as rendered:{message[0]}: ")
    assert told[1:] == [f"    {message}"]


@pytest.mark.parametrize(
    "text",
    ["{{ 'a: [' }}\n", "kind: Secret\nstringData:\n  a: {{ 'b: c' }}\n", '{"kind":"Secret", "a": "{{ 1 }}" b}'],
)
def test_a_line_that_is_empty_or_secret_is_not_quoted(text: str) -> None:
    """Where the text ended too early there is no line; and what a Secret says stands in no message."""
    assert len(complaint({"a.yaml.j2": text}).splitlines()) == 1


def test_where_objects_come_from() -> None:
    """Every object knows its file, and its line there or its place among the documents a template made."""
    texts = {
        "a.yaml.j2": f"\n---\n{make_object()}---\n{make_object()}",
        "b.yaml": f"\n{make_object()}---\n{make_object()}",
    }
    manifests = TemplateRenderer().fill(make_service(texts), CONTEXT).make_manifests()

    assert [each.where for each in manifests] == [
        "templates/redis/a.yaml.j2 document 1",
        "templates/redis/a.yaml.j2 document 2",
        "templates/redis/b.yaml:2",
        "templates/redis/b.yaml:7",
    ]


def test_all_mistakes_of_a_service_are_told() -> None:
    """Each file that is wrong, and each document, has its line in one error."""
    texts = {
        "a.yaml.j2": "a\n{{ imgae }}\n",
        "b.yaml.j2": f"{make_object()}---\n- a\n---\n5\n",
        "c.yaml": "a: [\n",
        "d.yml": "",
        "e.yaml.j2": "{% if %}",
        "f.yaml": make_object(),
    }

    assert [line.split(": ")[0] for line in complaint(texts).splitlines()] == [
        "templates/redis/a.yaml.j2:2",
        "templates/redis/c.yaml:2",
        "templates/redis/d.yml",
        "templates/redis/e.yaml.j2:1",
        "templates/redis/b.yaml.j2 document 2",
        "templates/redis/b.yaml.j2 document 3",
    ]


def test_all_mistakes_of_all_services_are_told() -> None:
    """One service that is wrong does not keep the next from being looked at."""
    services = [make_service({"a.yaml.j2": "{{ imgae }}"}, name=name) for name in ("a", "b")]

    with pytest.raises(DefinitionError) as caught:
        render_bodies(*services)

    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "templates/a/a.yaml.j2",
        "templates/b/a.yaml.j2",
    ]


def test_services_with_the_same_template_are_told_apart() -> None:
    """A text that many services have is compiled once, yet includes and messages are those of each service."""
    renderer = TemplateRenderer()
    template = make_object(more="data: {a: {% include 'own.j2' %} }\n")
    found = {
        name: renderer.fill(
            make_service({"a.yaml.j2": template, "b.yaml.j2": template, "own.j2": text}, name=name), CONTEXT
        ).make_manifests()
        for name, text in (("one", "1"), ("two", "2"))
    }

    with pytest.raises(DefinitionError) as caught:
        renderer.fill(make_service({"c.yaml.j2": template}, name="three"), CONTEXT).make_manifests()

    assert {name: [each.body["data"] for each in both] for name, both in found.items()} == {
        "one": [{"a": 1}, {"a": 1}],
        "two": [{"a": 2}, {"a": 2}],
    }
    assert str(caught.value) == "templates/three/c.yaml.j2:5: no file own.j2 in templates/three"
