"""Every template comes to an end, soon and with one line, whatever it asks for."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.render.limits import LARGEST, STEPS
from jsorc_gitops.render.templates import TemplateRenderer
from tests.render.builders import make_object, make_service

ROOT = Path(__file__).parents[2]
SECONDS = 60  # no claim about speed: without limits, each of these takes hours or more memory than there is

ENDLESS = f"takes more than {STEPS:,} steps; a loop or a recursion has no end, or a text is too large"
TOO_OFTEN = "calls or includes itself too often"
TOO_DEEP = "blocks or expressions lie too deep in each other"

TWICE = "{% macro twice(n) %}{% if n %}{{ twice(n - 1) }}{{ twice(n - 1) }}{% endif %}{% endmacro %}"
MANY = "{% set many = range(99999) | list %}"


def render(texts: dict[str, str] | str) -> list[Manifest]:
    texts = {"a.yaml.j2": texts} if isinstance(texts, str) else texts
    return TemplateRenderer().fill(make_service(texts), {"values": {"list": [1, 2]}}).make_manifests()


def complain(texts: dict[str, str] | str) -> str:
    """The only line that is said of a service's templates, in a time that is far from forever."""
    begun = time.monotonic()
    with pytest.raises(DefinitionError) as caught:
        render(texts)
    assert time.monotonic() - begun < SECONDS
    [line] = str(caught.value).splitlines()
    return line


def grow(step: str, *, start: str = "'a'", end: str = "ns.x") -> str:
    """A template that does something to ns.x sixty times, and prints what comes of it."""
    return f"{{% set ns = namespace(x={start}) %}}{{% for _ in range(60) %}}{step}{{% endfor %}}\n{{{{ {end} }}}}"


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}\n{% for b in range(99999) %}\nx{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}\n{% for b in range(99999) if b < 0 %}x{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}\n{% for b in values.list %}{{ a }}{% endfor %}"
        + "y" * 9999
        + "{% endfor %}",
        "\n" + TWICE + "{{ twice(60) }}",
        "\n{% macro m() %}{{ caller() }}{{ caller() }}{% endmacro %}"
        + "{% call m() %}" * 19
        + "x"
        + "{% endcall %}" * 19,
        MANY + "{% for i in many %}\n{{ -1 in many }}{% endfor %}",
        MANY + "\n{{ many | select('in', many) | list }}",
        MANY + "{% for i in many %}\n{{ many[1:] | length }}{% endfor %}",
        MANY + "{% for i in many %}\n{{ many.count(-1) }}{% endfor %}",
        MANY + "{% for i in many %}\n{{ loop.changed(many) }}{% endfor %}",
        MANY + "{% for i in many %}\n{{ many | sort | first }}{% endfor %}",
        MANY + "\n{{ many | batch(1) | sum(start=[]) | length }}",
        "\n{{ ([{'a': [1]}] * 100000) | sum(attribute='a', start=[]) | length }}",
        MANY + "\n{{ many | to_yaml }}",
        "\n{{ ('a' * 1000000).rfind('b' ~ 'a' * 500000) }}",
        "\n{{ ('a b ' * 4000000) | title }}",
        "\n{{ [-999999999] | map('enter ') | list }}",
    ],
)
def test_what_has_no_end(template: str) -> None:
    """Loops in loops, recursion that branches, and operations on long lists and texts are counted."""
    place, _, message = complain(template).partition(": ")

    assert message == ENDLESS
    assert re.fullmatch(r"templates/redis/a\.yaml\.j2:[12]", place)


@pytest.mark.parametrize(
    "template",
    [
        grow("{% set ns.x = ns.x ~ ns.x %}"),
        grow("{% set ns.x = ns.x + ns.x %}"),
        grow("{% set ns.x = ns.x + ns.x %}", start="[1]"),
        grow("{% set ns.x = [ns.x, ns.x] | join %}"),
        grow("{% set ns.x = ns.x | replace('a', 'aa') %}"),
        grow("{% set ns.x = '%s%s' % (ns.x, ns.x) %}"),
        grow("{% set ns.x = '%s%s' | format(ns.x, ns.x) %}"),
        grow("{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}"),
        grow("{% set ns.x = [ns.x, ns.x] %}"),
        grow("{% set ns.x = {'a': ns.x, 'b': ns.x} %}"),
        grow("{% set ns.x = [ns.x, ns.x] %}", end="ns.x | tojson"),
        grow("{% set ns.x = [ns.x, ns.x] %}", end="ns.x | to_yaml"),
        grow("{% set ns.x = {'a': ns.x, 'b': ns.x} %}", end="ns.x.values() | list | string"),
        grow("{% set ns.x = [ns.x, ns.x] %}", end="ns.x == [ns.x, ns.x]"),
        grow("{% set ns.x = (ns.x, ns.x) %}", end="{ns.x: 1}"),
        grow("{% set ns.x = (ns.x, ns.x) %}", end="{}[ns.x]"),
        grow("{% set ns.x = [ns.x, ns.x] %}", end="ns.x in [1]"),
        grow("{% set ns.x = [ns.x, ns.x] %}", end="ns.x is eq(1)"),
    ],
)
def test_what_doubles(template: str) -> None:
    """A text, list or mapping that grows by itself is weighed before anything reads it."""
    message = complain(template).partition(": ")[2]

    assert message == ENDLESS or message.endswith(f"characters or items at once; {LARGEST:,} is the limit")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("'x' * 10**12", f"makes 1,000,000,000,000 characters or items at once; {LARGEST:,} is the limit"),
        ("10**12 * 'x'", f"makes 1,000,000,000,000 characters or items at once; {LARGEST:,} is the limit"),
        ("[1] * 10**9", f"makes 1,000,000,000 characters or items at once; {LARGEST:,} is the limit"),
        ("10**9 * (1, 2)", f"makes 2,000,000,000 characters or items at once; {LARGEST:,} is the limit"),
        ("2 ** 1000000000", "makes a number of 2,000,000,000 bits; 4,096 is the limit"),
        ("10 ** (10 ** 10)", "makes a number of 40,000,000,000 bits; 4,096 is the limit"),
        ("(2 ** 2000) * (2 ** 2000) * (2 ** 2000)", "makes a number of 6,002 bits; 4,096 is the limit"),
        ("'x' | center(10**10)", "center: 10,000,000,000 is too wide; 10,000 is the limit"),
        *(
            (f"'x'.{method}(10**10)", f"{method}: 10,000,000,000 is too wide; 10,000 is the limit")
            for method in ("center", "ljust", "rjust", "zfill")
        ),
        ("'x\\n' | indent(10**10)", "indent: 10,000,000,000 is too wide; 10,000 is the limit"),
        ("[1] | batch(10**9, 'x') | list", "batch: 1,000,000,000 is too wide; 10,000 is the limit"),
        ("[1] | slice(10**9) | list", "slice: 1,000,000,000 is too wide; 10,000 is the limit"),
        ("1 | round(-10**9)", "round: 1,000,000,000 is too wide; 10,000 is the limit"),
        ("1 | round(10**8, 'ceil')", "round: 100,000,000 is too wide; 10,000 is the limit"),
        ("1 | round(precision=10**8)", "round: 100,000,000 is too wide; 10,000 is the limit"),
        *(
            (f"{text!r} {operator}", "a width in a format is no number, or more than 10,000")
            for text in ("%999999999d", "%.999999999f", "%*d", "%(a)-0999999999d")
            for operator in ("% (1, 2)", "| format(1)")
        ),
        (
            "('%(a)9999d' * 100000) % {'a': 1}",
            f"makes 999,900,000 characters or items at once; {LARGEST:,} is the",
        ),
        ("('%(a)s' * 100000) % {'a': 'x' * 1000000}", ENDLESS),
        ("('x\\n' * 100000) | indent(9999)", "makes 999,900,000 characters or items at once"),
        ("('x' * 1000000) | replace('x', 'y' * 1000000)", "makes 1,000,000,000,000 characters or items at once"),
        ("('x' * 100000).replace('x', 'y' * 1000)", "makes 100,000,000 characters or items at once"),
        ("range(99999) | join('y' * 1000)", "makes 99,999,000 characters or items at once"),
        ("('y' * 1000).join(['a'] * 99999)", "makes 99,999,000 characters or items at once"),
        ("('y' * 1000).join(range(50000) | map('string'))", "makes 50,000,000 characters or items at once"),
        ("range(10**9)", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000)."),
    ],
)
def test_what_is_large_at_once(expression: str, message: str) -> None:
    """Widths, factors and powers that would fill the memory in one operation are refused before it."""
    assert (
        complain("\n{{ " + expression + " }}").removeprefix("templates/redis/a.yaml.j2:2: ").startswith(message)
    )


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (grow("{% set ns.x = [ns.x] %}" * 2), ":2: makes lists or mappings more than 100 levels deep"),
        ("{% if true %}" * 150 + "{% endif %}" * 150, f": {TOO_DEEP}"),
        ("{% for a in [1] %}" * 40 + "{% endfor %}" * 40, f": {TOO_DEEP}"),
        ("{{ " + "[" * 3000 + "]" * 3000 + " }}", f": {TOO_DEEP}"),
        ("{{ " + "not " * 20000 + "1 }}", f": {TOO_DEEP}"),
        ("{{ a" + ".a" * 20000 + " }}", f": {TOO_DEEP}"),
    ],
)
def test_what_is_too_deep(template: str, message: str) -> None:
    """Nesting that nobody writes by hand is told in our words, not in Python's."""
    assert complain(template) == f"templates/redis/a.yaml.j2{message}"


@pytest.mark.parametrize(
    "template",
    [
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for a in values.list recursive %}{{ loop(values.list) }}{% endfor %}",
        "{% block b %}{{ self.b() }}{% endblock %}",
        "{% include 'a.yaml.j2' %}",
        "{% extends 'a.yaml.j2' %}",
        "{% import 'a.yaml.j2' as a %}",
        grow("{% set ns.x = ns.x | map('string') %}" * 99, end="ns.x | list"),
    ],
)
def test_what_leads_back_to_itself(template: str) -> None:
    """Recursion without end, of macros, loops, blocks, files and lazy filters, is told in our words, too."""
    assert re.fullmatch(r"templates/redis/a\.yaml\.j2:[12]: " + TOO_OFTEN, complain(template))


def test_includes_that_branch() -> None:
    """Files that include one another twice are counted as well."""
    texts = {f"{place}.j2": f"{{% include '{place + 1}.j2' %}}\n" * 2 for place in range(60)}
    texts |= {"60.j2": "x", "a.yaml.j2": "{% include '0.j2' %}"}

    assert complain(texts).endswith(ENDLESS)


def test_large_results() -> None:
    """A template makes 16 MiB at most, in however many parts."""
    half, rest = LARGEST // 2, f"\n{make_object()}"
    comment = f"{{{{ '#' * {half} }}}}{{{{ 'x' * {half - len(rest)} }}}}"

    assert len(render(comment + rest)) == 1
    assert complain(f"{comment}x{rest}") == (
        f"templates/redis/a.yaml.j2: makes {LARGEST + 1:,} characters; {LARGEST:,} is the limit"
    )


def test_every_template_begins_anew() -> None:
    """What one template has used up is not taken from the next, nor from the next service."""
    renderer = TemplateRenderer()
    busy = make_object(more="data: {a: x{% for a in range(99999) %}{% if a %}{% endif %}{% endfor %}}\n")
    service = make_service({f"{name}.yaml.j2": busy for name in "abcd"})

    assert len([each for _ in range(2) for each in renderer.fill(service, {}).make_manifests()]) == 8


def test_what_people_write_is_far_below() -> None:
    """A thousand objects from nested loops, with mappings, macros and filters, are a small part of the limits."""
    template = (
        "{% macro labels(n) %}{{ {'app': 'a' ~ n, 'tier': values.list} | tojson }}{% endmacro %}"
        "{% for a in range(100) %}{% for b in range(10) if a >= 0 %}---\n"
        + make_object(name="x{{ a }}-{{ b }}", more="data: {{ labels(a) }}\ntext: |\n  {{ 'y' * 500 }}\n")
        + "{% endfor %}{% endfor %}"
    )

    assert len(render(template)) == 1000


MEMORY = """
import resource, sys
from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.services import ServiceFiles
from jsorc_gitops.render.templates import TemplateRenderer

renderer, files = TemplateRenderer(), {"a.yaml.j2": sys.argv[1]}
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 8 * 2**20,) * 2)
try:
    renderer.fill(ServiceFiles(name="a", folder="templates/a", texts=files), {}).make_manifests()
except DefinitionError as error:
    print(error)
"""


def test_memory_that_is_not_there() -> None:
    """Where the machine has less memory than the limits allow for, that is said as any other mistake."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, "\n{{ 'x' * 16000000 }}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )

    assert done.stdout == "templates/a/a.yaml.j2:2: needs more memory than there is\n"
