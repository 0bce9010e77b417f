"""No template reaches Python behind its values, or changes them, or learns what no value told it."""

import copy
import re
from typing import Any

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.render.sandbox import Environment
from jsorc_gitops.render.templates import TemplateRenderer
from tests.render.builders import make_object, make_service

VALUES: dict[str, Any] = {"text": "a", "list": [1, 2], "map": {"a": {"b": 1}}}

NAMES = """
abs attr batch boolean callable capitalize center count d default defined dictsort divisibleby eq equalto escaped
even false filesizeformat filter first float format ge greaterthan groupby gt in indent int integer items iterable
join last le length lessthan list lower lt map mapping max min ne none number odd reject rejectattr replace
reverse round sameas select selectattr sequence slice sort string sum test title to_yaml tojson trim true truncate
undefined unique upper urlencode wordcount
"""

OTHER = "{% macro greet() %}a{% endmacro %}"


def complain(template: str) -> str:
    """What is said of a template, whose values must be what they were."""
    values = copy.deepcopy(VALUES)
    texts = {"a.yaml.j2": template, "other.j2": OTHER, "../evil.j2": "evil", "service.yaml": "values: {}"}
    with pytest.raises(DefinitionError) as caught:
        TemplateRenderer().fill(make_service(texts), {"values": values, "namespace": "a"}).make_manifests()
    assert values == VALUES
    return str(caught.value).removeprefix("templates/redis/a.yaml.j2:1: ")


@pytest.mark.parametrize(
    "expression",
    [
        # The way to object's subclasses, from every kind of value.
        *(
            f"{value}.__class__.__mro__"
            for value in ("''", "1", "values", "values.list", "none", "(1,)", "namespace")
        ),
        "''['__class__']",
        "''['__cla' ~ 'ss__']",
        "''['\\x5f\\x5fclass\\x5f\\x5f']",
        "'' | attr('__class__')",
        "'' | attr('__cla' ~ 'ss__')",
        "[''] | map(attribute='__class__') | list | first",
        "[''] | map('attr', '__class__') | list | first",
        "[{'a': ''}] | map(attribute='a.__class__') | list | first",
        "[''] | sum(attribute='__class__')",
        "[''] | groupby('__class__') | first | string",
        "[''] | selectattr('__class__') | list",
        "[''] | rejectattr('__class__') | list",
        "['', ''] | sort(attribute='__class__') | list",
        "['', ''] | unique(attribute='__class__') | list",
        "['', ''] | max(attribute='__class__')",
        "[''] | join(attribute='__class__')",
        # The globals of functions, in Python and in Jinja2.
        "cycler.__init__.__globals__",
        "joiner.__init__.__globals__",
        "range.__globals__",
        "namespace.__init__",
        "dict.__globals__",
        "cycler.mro()",
        "self.__init__.__globals__",
        "self._TemplateReference__context",
        "(values.get).__self__",
        "values.list.append.__self__",
        "loop_of.__globals__",
        # Frames and code behind generators and macros.
        "(values.list | map('string')).gi_frame",
        "(values.list | map('string')).gi_code",
        "mac._func.__globals__",
        "mac.__call__",
        "joiner(',').__call__",
        # str.format and what leads to it: CVE-2016-10745, CVE-2019-10906, CVE-2024-56326, CVE-2025-27516.
        "'{0.__class__}'.format(1)",
        "'{0.a}'.format(1)",
        "'{}'.format(1)",
        "'{a.__class__}'.format_map({'a': 1})",
        "('{0.__class__}' | attr('format'))(1)",
        "['{0.__class__}'] | map('attr', 'format') | first",
        "[{'f': '{0.__class__}'}] | map(attribute='f.format') | list | first",
        "''['format']",
        "'{0.__class__}'['for' ~ 'mat'](1)",
        "(values.list | tojson).format",
        # Methods that change a value.
        "values.update(a=1)",
        "values.list.append(3)",
        "values.list.clear()",
        "values.map.pop('a')",
        "values.map.setdefault('c', 1)",
        "values['pop']('text')",
        "values | attr('clear')",
        # Methods that make bytes, or texts of any size.
        "'a'.encode()",
        "(1).to_bytes(9)",
        "'a'.translate({97: 'b'})",
        "'a'.expandtabs(9)",
    ],
)
def test_what_is_unsafe(expression: str) -> None:
    """Every known way out of the sandbox ends in an error that says so."""
    prelude = "{% macro mac() %}{% endmacro %}{% set loop_of = cycler('a').next %}"

    assert complain(prelude + "{{ " + expression + " }}").endswith(" object is unsafe.")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ lipsum.__globals__ }}", "'lipsum' is undefined"),
        ("{{ url_for.__globals__ }}", "'url_for' is undefined"),
        ("{{ config }}", "'config' is undefined"),
        ("{{ environment_variables }}", "'environment_variables' is undefined"),
        ("{{ range(99999999) }}", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000)."),
        ("{{ f'{1}' }}", "expected token 'end of print statement', got 'string'"),
        ("{% set values.x = 1 %}", "cannot assign attribute on non-namespace object"),
        ("{% set values['x'] = 1 %}", "expected token 'end of statement block', got '['"),
        ("{% set ns = namespace(a=1) %}{{ ns.__class__ }}", "object is unsafe."),
        ("{{ dict.update(values, a=1) }}", "'function object' has no attribute 'update'"),
        ("{{ dict['x'].update(values, a=1) }}", "'function object' has no attribute 'x'"),
        ("{{ (dict | attr('update'))(values, a=1) }}", "'function object' has no attribute 'update'"),
        ("{% set ns = namespace(a=1) %}{{ ns }}", "is no value"),
        ("{{ namespace.x }}", "'str object' has no attribute 'x'"),
        ("{% import 'other.j2' as other %}{{ other.__dict__ }}", "object is unsafe."),
        ("{% import 'other.j2' as other %}{{ other.greet._func }}", "object is unsafe."),
        ("{% for a in [1] %}{{ loop.__class__ }}{% endfor %}", "object is unsafe."),
        ("{% for a in [1] %}{{ loop._iterable }}{% endfor %}", "object is unsafe."),
        ("{{ values.list | map('random') | list }}", "No filter named 'random'"),
        ("{{ values.list | random }}", "No filter named 'random'."),
        ("{% debug %}", "Encountered unknown tag 'debug'."),
        ("{% do values.update(a=1) %}", "Encountered unknown tag 'do'."),
        *(
            (f"{{% {tag} '{name}' {rest} %}}", f"no file {name} in templates/redis")
            for tag, rest in (("include", ""), ("import", "as x"), ("extends", ""), ("from", "import x"))
            for name in (
                "/etc/passwd",
                "../other/x.j2",
                "./other.j2",
                "a/../other.j2",
                "templates/redis/other.j2",
            )
        ),
    ],
)
def test_what_is_not_there(template: str, message: str) -> None:
    """What templates elsewhere may use, and what would leave the folder or change a value, is not there."""
    assert message in complain(template)


def test_missing_files_may_be_passed_over() -> None:
    """`ignore missing` passes over a file that is not there, one outside the folder too."""
    text = make_object(more="data: {a: x{% include '/etc/hostname' ignore missing %}}\n")
    [manifest] = TemplateRenderer().fill(make_service({"a.yaml.j2": text}), {}).make_manifests()

    assert manifest.body["data"] == {"a": "x"}


def test_nothing_gives_time_chance_or_surroundings() -> None:
    """All that a template can name is one of these, of which none knows a clock, chance or the machine."""
    environment = Environment()
    named = {name for name in (*environment.filters, *environment.tests) if name.isidentifier()}

    assert set(environment.globals) == {"range", "dict", "cycler", "joiner"}
    assert not environment.extensions
    assert sorted(named) == re.findall(r"\w+", NAMES)


def test_the_environment_of_the_process_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine says of time, place and language, a template that uses all it has makes the same."""
    template = make_object(
        more="data:\n  a: {{ [values.map, 1.5, 'ä'] | tojson }}\n"
        "  b: {{ ['b', 'Ä', 'a'] | sort | join }}{{ 1536 | filesizeformat }}{{ 2.5 | round }}\n"
    )

    def render() -> Any:
        service = make_service({"a.yaml.j2": template})
        return TemplateRenderer().fill(service, {"values": VALUES}).make_manifests()[0].body

    before = render()
    for name, value in (("TZ", "Asia/Tokyo"), ("LANG", "tr_TR"), ("LC_ALL", "tr_TR"), ("VALUES", "x")):
        monkeypatch.setenv(name, value)

    assert render() == before
