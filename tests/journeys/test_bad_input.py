"""Bad input through the command line: one clear error with its place, exit code 1, and nothing is written."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jsorc_gitops.adapters.python import PythonDefinitions
from jsorc_gitops.cli import run
from tests.render.builders import make_object
from tests.render.worktree import Worktree

# Nothing here takes seconds; what is bounded by steps must not take minutes on a slow machine.
pytestmark = pytest.mark.timeout(120)

SETTINGS, SERVICE, VALUES = "jsorc.yaml", "templates/redis/service.yaml", "templates/redis/values.live.yaml"
PLAIN, TEMPLATE = "templates/redis/plain.yaml", "templates/redis/a.yaml.j2"
QUOTED = re.compile(r"    \d+ \| .{1,120}")  # a line of what a template made
OUTPUT = f"{TEMPLATE} as rendered"
FILES = {SETTINGS: "environments: {live: {}}\n", SERVICE: "values: {a: 1}\n", VALUES: "a: 2\n"}


@pytest.fixture
def work(tmp_path: Path) -> Worktree:
    """A repository with an environment and a service, rendered and committed."""
    work = Worktree(tmp_path / "work")
    work.commit({**FILES, PLAIN: make_object(), TEMPLATE: make_object(name="{{ values.a }}b")})
    assert run(["-C", str(work.root), "render", "--commit"]) == 0
    return work


@pytest.fixture
def complain(work: Worktree, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Commit what there is and render it, which must end with an error and change nothing: what it says."""

    def call() -> str:
        work.commit()
        before = work.snapshot()
        capsys.readouterr()
        code = run(["-C", str(work.root), "render", "--commit"])
        captured = capsys.readouterr()
        assert (code, captured.out) == (1, "")
        assert work.snapshot() == before
        assert captured.err.startswith("jsorc: ")
        [message, *more] = captured.err.removeprefix("jsorc: ").splitlines()
        if more and QUOTED.fullmatch(more[0]):
            more = more[1:]
        assert all(line.startswith("  printed: ") for line in more)
        return "\n".join([message, *more])

    return call


def put(work: Worktree, place: str, content: str | bytes) -> None:
    """Write a file; for the output of a template, one that makes it."""
    if place == OUTPUT:
        assert isinstance(content, str)
        content = f"{{{{ {content!r} }}}}"
    path = work.root / place.removesuffix(" as rendered")
    path.write_bytes(content.encode() if isinstance(content, str) else content)


BOMB = "a0: &a0 lol\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 10}]\n" for n in range(1, 30))
EVERYWHERE = (SETTINGS, SERVICE, VALUES, PLAIN, OUTPUT)

# What is wrong → the text, where it may stand, and what is said of it behind the place.
YAML: dict[str, tuple[str, tuple[str, ...], str]] = {
    "alias bomb": (BOMB, EVERYWHERE, r":\d+: not valid YAML: with its aliases written out it is longer than .*"),
    "deep lists": ("[" * 10_000, EVERYWHERE, r":1: not valid YAML: more than 100 lists and mappings .*"),
    "deep mappings": ("{a: " * 10_000, EVERYWHERE, r":1: not valid YAML: more than 100 lists and mappings .*"),
    "deep blocks": (
        "".join(f"{' ' * depth}a:\n" for depth in range(5000)),
        (SETTINGS, SERVICE, VALUES, PLAIN),
        r":101: not valid YAML: more than 100 lists and mappings .*",
    ),
    "tab": ("a:\n\tb: 1\n", EVERYWHERE, r":2: not valid YAML: a tab cannot indent; use blanks"),
    "byte order mark": ("\ufeffa: 1\n", EVERYWHERE, r":1: begins with a byte order mark; save it as UTF-8 .*"),
    "NUL": ("a: 1\nb: '\0'\n", EVERYWHERE, r":2: the character \\u0000 has no place in YAML"),
    "duplicate key": ("a: 1\na: 2\n", EVERYWHERE, r":2: not valid YAML: the key 'a' is there twice"),
    "key that is a number": ("1: a\n", EVERYWHERE, r":1: .*key.*"),
    "key that is a list": ("? [a]\n: b\n", EVERYWHERE, r":\d: .*key.*"),
    "directive": ("%YAML 1.1\n---\na: 1\n", EVERYWHERE, r":1: kubectl takes no directives .*"),
    "a list": ("- a\n", (SETTINGS, SERVICE, VALUES, PLAIN), r":1: .*mapping.*"),
    "two documents": ("---\n---\n# a\n---\n{}\n---\n{}\n", (SETTINGS, SERVICE, VALUES), r":7: .*second.*"),
}


@pytest.mark.parametrize(
    ("what", "place"), [(what, place) for what, (_, places, _) in YAML.items() for place in places]
)
def test_bad_yaml(work: Worktree, complain: Callable[[], str], what: str, place: str) -> None:
    """Whatever is wrong with YAML, wherever it stands, is told with its file and line."""
    text, _, message = YAML[what]
    put(work, place, text)

    assert re.fullmatch(re.escape(place) + message, complain())


@pytest.mark.parametrize("place", [SETTINGS, SERVICE, VALUES, PLAIN, TEMPLATE])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\n".encode("utf-16"), "not UTF-8 (invalid start byte at byte 0)"),
        (b"a: \xff\n", "not UTF-8 (invalid start byte at byte 3)"),
    ],
)
def test_bad_bytes(work: Worktree, complain: Callable[[], str], content: bytes, message: str, place: str) -> None:
    """A file that is no UTF-8 is named, with the byte that gave it away."""
    put(work, place, content)

    assert complain() == f"{place}: {message}"


@pytest.mark.parametrize("place", [SETTINGS, SERVICE, VALUES, PLAIN, TEMPLATE])
def test_large_files(work: Worktree, complain: Callable[[], str], place: str) -> None:
    """A file of 50 MB is named without being read as YAML."""
    put(work, place, b"#" * (50 << 20))

    assert re.fullmatch(
        rf"{re.escape(place)}: (larger than 16 MiB|longer than 16 Mi characters); split it", complain()
    )


@pytest.mark.parametrize("text", ["---\n\n---\n# nothing\n---\n", "\n", "# nothing\n", "---\n...\n---\n"])
@pytest.mark.parametrize("place", EVERYWHERE)
def test_empty_documents_are_nothing(work: Worktree, place: str, text: str) -> None:
    """Documents with nothing in them, and a --- at the end, are no error and make no objects."""
    put(work, place, f"{FILES.get(place, '')}{text}")

    assert run(["-C", str(work.root), "render"]) == 0
    rendered = work.snapshot().files["rendered/live/redis/ConfigMap.yaml"]
    assert rendered.count(b"kind: ConfigMap\n") == (1 if place in {PLAIN, OUTPUT} else 2)


# What is wrong with a template → its text, and what is said of it.
TEMPLATES = {
    "escape": ("\n{{ ''.__class__.__mro__ }}", r":2: .*__class__.*"),
    "escape by a filter": ("\n{{ '' | attr('__class__') }}", r":2: .*__class__.*"),
    "escape by a format": ("\n{{ '{0.__class__}'.format(1) }}", r":2: .*format.*"),
    "escape by a function": ("\n{{ namespace.__init__.__globals__ }}", r":2: .*__init__.*"),
    "loop": (
        "{% for a in range(99999) %}\n{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        r":\d: takes more",
    ),
    "recursion": ("\n{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", r":2: calls or includes itself too often"),
    "memory": ("\n{{ 'x' * 10**12 }}", r":2: makes 1,000,000,000,000 characters or items at once; .*"),
    "fifty megabytes": (
        "{% for a in range(50) %}" + "x" * (1 << 20) + "{% endfor %}",
        r": makes .* is the limit",
    ),
    "a list": ("- a\n", r" document 1: a Kubernetes object is a mapping, this is a list"),
    "deep blocks": (
        "{% if true %}" * 10_000 + "{% endif %}" * 10_000,
        r": blocks or expressions lie too deep .*",
    ),
    "deep lists": ("{{ " + "[" * 10_000 + "]" * 10_000 + " }}", r": blocks or expressions lie too deep .*"),
    "include of another service": ("\n{% include '../mail/service.yaml' %}", r":2: .*\.\./mail/service\.yaml.*"),
    "include from the machine": ("\n{% include '/etc/hostname' %}", r":2: .*/etc/hostname.*"),
    "import": ("\n{% import '../../jsorc.yaml' as a %}", r":2: .*jsorc\.yaml.*"),
    "NUL": ("a: '\0'\n", r" as rendered:1: the character \\u0000 has no place in YAML"),
    "byte order mark": ("\ufeffa: 1\n", r" as rendered:1: begins with a byte order mark; save .*"),
}


@pytest.mark.parametrize("what", TEMPLATES)
def test_bad_templates(work: Worktree, complain: Callable[[], str], what: str) -> None:
    """A template that reaches for what is not its own, or has no end, is told with its line."""
    text, message = TEMPLATES[what]
    work.write({"templates/mail/service.yaml": ""})
    put(work, TEMPLATE, text)

    assert re.match(re.escape(TEMPLATE) + message, complain())


@pytest.mark.parametrize("target", ["../mail/service.yaml", "/etc/hostname", "../../jsorc.yaml", ".."])
def test_links_out_of_a_folder(work: Worktree, complain: Callable[[], str], target: str) -> None:
    """A link that leads out of a service's folder is no way out either."""
    work.write({"templates/mail/service.yaml": ""})
    (work.root / "templates/redis/link.j2").symlink_to(target)

    assert complain() == "templates/redis/link.j2: leads out of the service's folder"


@pytest.mark.parametrize(
    "name", ["Redis", "REDIS", "my_redis", "a.b", "-a", "a-", "a b", "ü", "a" * 64, "a\x1bb"]
)
def test_bad_names_of_services(work: Worktree, complain: Callable[[], str], name: str) -> None:
    """A name that is no DNS label is told, so none differs from another by case alone."""
    work.write({f"templates/{name}/service.yaml": ""})

    shown = name.replace("\x1b", "\ufffd")
    assert complain() == f"templates/{shown}: a service's name is a DNS label (lower-case letters, digits, '-')"


@pytest.mark.parametrize("name", ["Live", "li_ve", "a.b", "a/b", "..", "default"])
def test_bad_names_of_environments(work: Worktree, complain: Callable[[], str], name: str) -> None:
    """An environment becomes a folder and a part of names, so it is a DNS label as well."""
    work.write({SETTINGS: f"environments: {{live: {{}}, {name}: {{}}}}\n"})

    assert re.match(rf"jsorc\.yaml:1: environments.*{re.escape(name)}", complain())


# What a Python definition does → what is said of it, behind its name.
PYTHON = {
    "raise ValueError('no port')": "ValueError: no port (jobs.py:2)",
    "print('one')\nraise ValueError": "ValueError:  (jobs.py:3)\n  printed: one",
    "while True: print('x' * 9999)": "prints or writes more than 32 MiB (jobs.py:2)",
    "import sys\nsys.exit('done')": "calls sys.exit(done) (jobs.py:3)",
    "import os\nos._exit(0)": "ended without an answer: exit code 0",
    "import signal\nsignal.pause()": "no answer after 3 seconds",
    "while True: pass": "no answer after 3 seconds",
    "KUBE = {'ConfigMap': [{1: 2}]}": "kube.ConfigMap[0]: the key 1 is a value of type int, not a text",
    "KUBE = []\nfor _ in range(10000): KUBE = [KUBE]": "kube[0][0][0][0][0]: nested more than 100 deep, or ",
    "for _ in range(99): KUBE = {'a': KUBE}": "kube.a.a.a.a.a: nested deeper than 100 lists and mappings",
    "KUBE = {'a': [float('inf')]}": "kube.a[0]: inf is no number with digits",
    "KUBE = {'a': [10**400]}": "kube.a[0]: is an integer beyond 64 bits",
}


@pytest.mark.parametrize("code", PYTHON)
def test_bad_python(
    work: Worktree, complain: Callable[[], str], monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """A definition that raises, prints, exits or hangs is told with its line, and takes nothing with it."""
    defaults: dict[str, Any] = vars(PythonDefinitions)["__init__"].__kwdefaults__
    monkeypatch.setitem(defaults, "timeout", 3)
    work.write({SERVICE: "python: jobs:KUBE\n", "jobs.py": f"KUBE = {{}}\n{code}\n"})

    assert complain().startswith(f"{SERVICE}: python jobs:KUBE: {PYTHON[code]}")
