"""jsorc render --check --determinism: what looks at the clock and the like is found, whoever made it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.render.sandbox import Environment
from jsorc_gitops.render.templates import TemplateRenderer
from tests.render.builders import make_service
from tests.render.commands import Outcome, start
from tests.render.worktree import Worktree, put, spell

SERVICE = "python: jobs:KUBE\nplainSecrets: allow\n"
CODE = """\
import datetime, glob, locale, os, time
here = os.path.dirname(__file__)
data = {{"found": str({found})}}
KUBE = [{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "jobs"}}, "data": data}}]
"""
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata:\n"
NAMES = ("redis", "task", "mail", "promon", "elastic")


def write(root: Path, code: str) -> None:
    put(root, {"jsorc.yaml": "", "templates/jobs/service.yaml": SERVICE, "templates/jobs/jobs.py": code})
    put(root, {f"templates/jobs/{name}.txt": "" for name in NAMES})


def check(root: Path, *options: str) -> Outcome:
    return start("render", "--check", "--determinism", *options, cwd=root)


@pytest.mark.parametrize(
    "found",
    [
        "datetime.datetime.now().isoformat()",
        f"list({{*{NAMES}}})",
        "os.listdir(here)",
        "glob.glob(here + '/*')",
        "time.strftime('%Z', time.localtime(0))",
        "os.environ['LC_ALL']",
        "locale.setlocale(locale.LC_ALL, '')",
        "id(here)",
    ],
)
def test_what_a_definition_looks_at(tmp_path: Path, found: str) -> None:
    """The definition, the object, the field and the file are named, with both values; nothing is written."""
    write(tmp_path, CODE.format(found=found))
    before = spell(tmp_path)

    done = check(tmp_path)

    assert (done.code, done.out, spell(tmp_path)) == (1, "", before)
    [line] = done.err.splitlines()
    assert line.startswith(
        "jsorc: templates/jobs/service.yaml: python jobs:KUBE document 1: ConfigMap/default/jobs: data.found: is "
    )
    assert line.endswith(" when it is rendered a second time (rendered/jobs/ConfigMap.yaml)")


def test_a_definition_that_is_fine(tmp_path: Path) -> None:
    """What sorts and computes is told as --check tells it: a difference, or none; and is rendered each time."""
    write(tmp_path, CODE.format(found="sorted(os.listdir(here)) + sorted({'a', 'b', 'c'})"))

    assert check(tmp_path).code == 6
    assert start("render", cwd=tmp_path).code == 0
    assert check(tmp_path) == Outcome(0, "rendered/ is up to date: 3 objects.\n", "")


def test_it_is_never_answered_by_the_memo(tmp_path: Path) -> None:
    """Where a render is known to change nothing, the two renders are made all the same."""
    write(tmp_path, CODE.format(found="1"))
    put(tmp_path, {"templates/jobs/service.yaml": "", "templates/jobs/a.yaml": ""})
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert start("render", cwd=tmp_path, **environment).code == 0
    [memo] = (tmp_path / "cache/jsorc").iterdir()
    memo.write_text(json.dumps({**json.loads(memo.read_text()), "objects": 99}))

    recalled, done = (
        start("render", "--check", *options, cwd=tmp_path, **environment) for options in ((), ("--determinism",))
    )

    assert recalled.out == "rendered/ is up to date: 99 objects.\n"
    assert done == Outcome(0, "rendered/ is up to date: 2 objects.\n", "")


def test_an_identity_a_record_a_secret(tmp_path: Path) -> None:
    """Objects that come and go, config in a record, and a Secret, whose values stay masked."""
    code = """\
import time
now = str(time.time_ns())
class Jobs:
    def build_kube(self, hook):
        return {
            "ConfigMap": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "at-" + now}},
            "Secret": {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": now}},
        }
    def build_config(self, hook):
        return {"now": now}
"""
    write(tmp_path, code)
    put(tmp_path, {"templates/jobs/service.yaml": SERVICE.replace("KUBE", "Jobs")})

    done = check(tmp_path, "--output", "json")

    errors = json.loads(done.out)["errors"]
    assert done.code == 1
    assert {each["rule"] for each in errors} == {"not-deterministic"}
    told = sorted((each["object"]["kind"], each["path"], each["where"]) for each in errors)
    assert told == [
        ("ConfigMap", "", "templates/jobs"),
        ("ConfigMap", "", "templates/jobs/service.yaml: python jobs:Jobs document 1"),
        ("ConfigMap", "data.service.json.config.now", "templates/jobs"),
        ("Secret", "stringData.a", "templates/jobs/service.yaml: python jobs:Jobs document 2"),
    ]
    [secret] = [each["message"] for each in errors if each["object"]["kind"] == "Secret"]
    assert secret.count("masked:") == 2


def test_a_definition_that_fails_the_second_time(tmp_path: Path) -> None:
    """It is told as what it is: an error of the second rendering."""
    write(tmp_path, "import os\nassert os.environ['TZ'] == 'UTC', 'no zone'\nKUBE = []\n")

    done = check(tmp_path)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(
        "jsorc: rendered a second time, it fails:\ntemplates/jobs/service.yaml: python jobs"
    )
    assert "AssertionError: no zone (templates/jobs/jobs.py:2)" in done.err


def test_what_is_staged_and_one_environment(tmp_path: Path) -> None:
    """It goes with --staged, --against and --env, each of which renders the same twice."""
    work = Worktree(tmp_path)
    write(tmp_path, CODE.format(found="time.time()"))
    work.write({"jsorc.yaml": "environments: {blue: {}, red: {namespace: r}}\n"})
    work.commit()

    for options in (("--staged",), ("--against", "HEAD"), ()):
        done = check(tmp_path, "--env", "red", *options)
        assert (done.code, len(done.err.splitlines())) == (1, 1)
        assert "ConfigMap/r/jobs: data.found: " in done.err
        assert "(rendered/red/jobs/ConfigMap.yaml)" in done.err


def test_names_of_the_repository_do_not_get_in_the_way(tmp_path: Path) -> None:
    """A module of the repository that has the name of one of Python's is not taken for it."""
    put(tmp_path, {"jsorc.yaml": "", "templates/app/service.yaml": ""})
    put(tmp_path, dict.fromkeys(["json.py", "yaml.py", "datetime.py", "click.py"], "raise SystemExit(7)"))
    command = [str(Path(sys.executable).with_name("jsorc")), "render", "--check", "--determinism"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (6, "")


def test_templates_cannot_tell(tmp_path: Path) -> None:
    """What every name and filter of templates makes of values is the same both times."""
    environment = Environment()
    filters = [name for name in sorted(environment.filters) if name.isidentifier()]
    names = sorted({*environment.globals, "environment", "namespace", "self", "service", "tree", "values"})
    expressions = [f"values.{value} | {name}" for name in filters for value in ("names", "nested", "text")]
    expressions += [f"{name}{call}" for name in names for call in ("", "()", "(1, 2)", "(a=values)")]
    expressions += ["cycler(1, 2).next()", "joiner()() ~ 1", "range(3) | list", "namespace(a=1).a"]
    expressions += ["dict(a=1).items() | list", "now()", "values.__class__", "values | random", "lipsum()"]
    values = {"names": list(NAMES), "nested": {name: [1, {name: 2}] for name in NAMES}, "text": "redis"}
    working = [each for each in expressions if works(each, values)]
    lines = "".join(f"  l{place}: {{{{ {spell_out(each)} }}}}\n" for place, each in enumerate(working))
    service = json.dumps({"values": values})
    put(
        tmp_path,
        {"jsorc.yaml": "", "templates/app/service.yaml": service, "templates/app/a.yaml.j2": MAP + lines},
    )

    done = check(tmp_path)

    assert (done.code, done.err) == (6, "")
    assert len(working) > 80
    assert "cycler(1, 2).next()" in working
    assert "now()" not in working


def spell_out(expression: str) -> str:
    return f"({expression}) | string | tojson"


def works(expression: str, values: Mapping[str, object]) -> bool:
    """Whether a template may say it."""
    service = make_service({"a.yaml.j2": f"{MAP}  a: {{{{ {spell_out(expression)} }}}}\n"})
    context = {"values": values, "environment": "", "namespace": "a", "service": "app", "tree": "default"}
    try:
        TemplateRenderer().fill(service, context).make_manifests()
    except DefinitionError:
        return False
    return True
