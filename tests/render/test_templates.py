"""Filling templates: what a template sees, and how its mistakes are told."""

from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import Body
from jsorc_gitops.render.templates import render_manifests
from tests.render.builders import make_object, make_service

CONTEXT: dict[str, Any] = {
    "service": "redis",
    "tree": "default",
    "namespace": "jaseci",
    "values": {"image": "redis:7", "ports": [1, 2], "nested": {"a": "x"}, "nothing": None, "items": 5},
}


def bodies(texts: dict[str, str]) -> list[Body]:
    return [each.body for each in render_manifests(make_service(texts), CONTEXT)]


def fill(expression: str) -> Any:
    """What a field becomes that is written with this expression."""
    [body] = bodies({"a.yaml.j2": make_object(more=f"data: {expression}\n")})
    return body["data"]


def complaint(texts: dict[str, str]) -> str:
    with pytest.raises(DefinitionError) as caught:
        render_manifests(make_service(texts), CONTEXT)
    return str(caught.value)


def mistake(expression: str) -> str:
    return complaint({"a.yaml.j2": f"apiVersion: v1\n\ndata: {expression}\n"}).removeprefix(
        "templates/redis/a.yaml.j2"
    )


def test_what_a_template_sees() -> None:
    """A template knows its service, the tree, the home namespace and its own values."""
    assert fill("'{{ service }} {{ tree }} {{ namespace }} {{ values.image }}'") == "redis default jaseci redis:7"


def test_plain_files_are_taken_as_they_are() -> None:
    """A .yaml file is no template: braces in it are text."""
    assert bodies({"a.yaml": make_object(more="data: {a: '{{ values.image }}'}\n")})[0]["data"] == {
        "a": "{{ values.image }}"
    }


def test_files_are_taken_in_the_order_of_their_names() -> None:
    """Objects come in the order of file names and documents, whatever order the disk lists files in."""
    texts = {"b.yaml": make_object(name="b"), "a.yaml": f"{make_object(name='z')}---\n{make_object(name='y')}"}

    assert [body["metadata"]["name"] for body in bodies(texts)] == ["z", "y", "b"]


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
        ("{{ values.nested | tojson }}", {"a": "x"}),
        ("{{ {'b': '<&\\'>', 'a': none} | tojson }}", {"b": "<&'>", "a": None}),
        ("{{ values.ports | map('string') | join(',') | tojson }}", "1,2"),
        ("{{ values['items'] }}", 5),
        ("{{ values.ports }}", [1, 2]),
        ("{{ values.nothing }}", None),
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
        ("{{ values.imgae }}", ":3: 'dict object' has no attribute 'imgae'"),
        ("{{ [1, values.imgae] }}", ":3: 'dict object' has no attribute 'imgae'"),
        ("{{ {'a': [values.imgae]} }}", ":3: 'dict object' has no attribute 'imgae'"),
        ("{{ values.nested.b.c }}", ":3: 'dict object' has no attribute 'b'"),
        ("{{ values.ports[5] }}", ":3: list object has no element 5"),
        ("{{ values.imgae | tojson }}", ":3: 'dict object' has no attribute 'imgae'"),
        ("{{ values.imgae | to_yaml }}", ":3: 'dict object' has no attribute 'imgae'"),
        ("{{ {'a': [values.imgae]} | to_yaml }}", ":3: 'dict object' has no attribute 'imgae'"),
        ("{{ {'a': [values.imgae]} | tojson }}", ":3: 'dict object' has no attribute 'imgae'"),
        ("{% if values.imgae %}a{% endif %}", ":3: 'dict object' has no attribute 'imgae'"),
        ("{% for x in imgae %}a{% endfor %}", ":3: 'imgae' is undefined"),
        ("{{ values.image | nofilter }}", ":3: No filter named 'nofilter'."),
        ("{% if %}", ":3: Expected an expression, got 'end of statement block'"),
        ("{{ values.image ", ":3: unexpected end of template, expected 'end of print statement'."),
        ("{{ 1 / 0 }}", ":3: division by zero"),
        ("{{ values.image | dictsort }}", ":3: 'str' object has no attribute 'items'"),
        ("{{ values.image + 1 }}", ':3: can only concatenate str (not "int") to str'),
        ("{{ values.nothing.x }}", ":3: 'None' has no attribute 'x'"),
        ("{{ lipsum() }}", ":3: 'lipsum' is undefined"),
        ("{{ values.ports | random }}", ":3: No filter named 'random'."),
        ("{% include 'gone.j2' %}", ":3: no file gone.j2 in templates/redis"),
        ("{% include '../mail/a.yaml.j2' %}", ":3: no file ../mail/a.yaml.j2 in templates/redis"),
        ("{% include '/etc/passwd' %}", ":3: no file /etc/passwd in templates/redis"),
        ("{% include 'a.yaml.j2' %}", ":3: maximum recursion depth exceeded"),
    ],
)
def test_mistakes_are_told_with_their_line(expression: str, message: str) -> None:
    """Whatever is wrong with a template, the message names the file, the line, and what is wrong."""
    assert mistake(expression).startswith(message)


@pytest.mark.parametrize(
    "expression",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ values.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ '' | attr('__class__') }}",
        "{{ ['__class__'] | map('attr', '__class__') | list }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ '{a.__class__}'.format_map({'a': 1}) }}",
        "{{ values.ports.append(3) }}",
        "{{ values.update(a=1) }}",
        "{{ self.__init__.__globals__ }}",
    ],
)
def test_templates_are_fenced_in(expression: str) -> None:
    """No template reaches Python behind the values, nor changes the values others see."""
    assert "is unsafe" in mistake(expression)


@pytest.mark.parametrize(
    "expression", ["{{ values.ports | map('string') }}", "{{ values.items }}", "{{ cycler('a') }}", "{{ range }}"]
)
def test_what_is_no_value_cannot_be_printed(expression: str) -> None:
    """What would print its address in memory, another one each time, is refused with a hint."""
    assert mistake(expression).endswith("is no value; a filter may lack `| list`, a method its parentheses")


def test_a_mistake_in_an_included_file_is_told_there() -> None:
    """The message names the file and the line the mistake is in, not those it was included from."""
    texts = {"a.yaml.j2": "a: 1\n{% include 'lib/b.j2' %}\n", "lib/b.j2": "\n\n{{ values.imgae }}\n"}

    assert complaint(texts) == "templates/redis/lib/b.j2:3: 'dict object' has no attribute 'imgae'"


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
            "templates/redis/a.yaml.j2 as rendered:3: metadata.name is missing or not a text; every object",
        ),
        (
            {"a.yaml.j2": "a: {{ '\\ud800' }}\n"},
            "templates/redis/a.yaml.j2 as rendered: not valid YAML: 'utf-8' codec",
        ),
    ],
)
def test_what_is_no_object_is_told_with_its_line(texts: dict[str, str], message: str) -> None:
    """YAML that is broken or says no object is refused with file and line; of a template, as it was rendered."""
    assert complaint(texts).startswith(message)
