"""Python definitions are built in a process of their own, whatever they do there."""

import ast
import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jsorc_gitops.adapters import python_child, python_reads
from jsorc_gitops.adapters.python import PythonDefinitions
from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.services import BuiltDefinition
from jsorc_gitops.model.sources import Sources
from tests.render.worktree import put
from tests.waiting import wait_until

SERVICE = """\
KUBE = {"Service": [{"kind": "Service"}]}

class Redis:
    started = False

    def __init__(self, hook):
        raise RuntimeError("started")

    def build_kube(self, hook):
        return hook.service_glob("REDIS_KUBE", KUBE)

    def build_config(self, hook):
        return hook.service_glob("REDIS_CONFIG", {"enabled": True, "port": "6379"})

class Renamed:
    def build_manifest(self, hook):
        return hook.service_glob("REDIS_MANIFEST", KUBE)

class Mail:
    def build_kube(self, hook):
        pass

class Odd:
    pass

def build_kube(hook):
    return KUBE
"""


def build(
    root: Path, code: str, *, name: str = "jobs:KUBE", values: Mapping[str, Any] | None = None, **options: Any
) -> BuiltDefinition:
    """Build a definition out of templates/redis/jobs.py."""
    put(root, {"templates/redis/jobs.py": code})
    return PythonDefinitions(root, **options).build_definition(name, values or {}, folder="templates/redis")


def complaint(root: Path, code: str, **more: Any) -> str:
    with pytest.raises(DefinitionError) as caught:
        build(root, code, **more)
    text = str(caught.value)
    assert text.startswith(f"templates/redis/service.yaml: python {more.get('name', 'jobs:KUBE')}: ")
    return text.partition(": python ")[2].partition(": ")[2]


@pytest.mark.parametrize(
    ("name", "values", "kube", "config"),
    [
        ("Redis", {}, {"Service": [{"kind": "Service"}]}, {"enabled": True, "port": "6379"}),
        ("Redis", {"REDIS_KUBE": {}, "REDIS_CONFIG": {"port": 1}}, {}, {"port": 1}),
        ("Redis", {"REDIS_CONFIG": None}, {"Service": [{"kind": "Service"}]}, None),
        ("Renamed", {}, {"Service": [{"kind": "Service"}]}, None),
        ("Renamed", {"REDIS_MANIFEST": {"Pod": []}}, {"Pod": []}, None),
        ("Mail", {}, None, None),
        ("KUBE", {}, {"Service": [{"kind": "Service"}]}, None),
        ("KUBE", {"KUBE": {"Pod": []}}, {"Pod": []}, None),
    ],
)
def test_classes_and_dicts(tmp_path: Path, name: str, values: dict[str, Any], kube: Any, config: Any) -> None:
    """A class is asked without being initialised, a dict is taken; overrides replace what they name."""
    built = build(tmp_path, SERVICE, name=f"jobs:{name}", values=values)

    assert (built.kube, built.config) == (kube, config)


def test_imports_come_from_the_service_then_the_repository(tmp_path: Path) -> None:
    """A module beside service.yaml goes before one of the repository, and neither before Python's own start."""
    put(tmp_path, {"jobs.py": "KUBE = []", "fleet/common.py": "NAME = 'redis'", "json.py": "raise SystemExit"})

    built = build(tmp_path, "from fleet.common import NAME\nKUBE = {'ConfigMap': {'name': NAME}}")

    assert built.kube == {"ConfigMap": {"name": "redis"}}


def test_sources_are_named(tmp_path: Path) -> None:
    """All files of the repository that a definition imports or reads are named, at the second time, too."""
    put(tmp_path, {"fleet/__init__.py": "", "fleet/base.py": "", "fleet/base.yaml": "a: 1"})
    code = """\
import fleet.base, pathlib
KUBE = {"read": pathlib.Path(fleet.base.__file__).with_suffix(".yaml").read_text()}
"""

    names = {"fleet/__init__.py", "fleet/base.py", "fleet/base.yaml", "templates/redis/jobs.py"}
    assert build(tmp_path, code).sources.files == names
    compiled = "import compileall; compileall.compile_dir('.', quiet=1)"
    subprocess.run([sys.executable, "-c", compiled], cwd=tmp_path, check=True)
    assert build(tmp_path, code).sources.files == names


def test_what_packages_do_when_imported_is_their_own(tmp_path: Path) -> None:
    """An installed package may list folders, read files and start programs; a module of ours is what it reads."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    [packages] = venv.glob("lib/python*/site-packages")
    asks = "import os, subprocess, sys\ndef ask():\n  subprocess.run(['true'])\n  os.listdir('/')\n"
    reads = "os.listdir(sys.path[1])\nopen('/etc/passwd').close()\nsubprocess.run(['true'])\n"
    put(packages, {"theirs.py": f"{asks}{reads}"})
    root = tmp_path / "repository"

    def find(code: str) -> Sources:
        return build(root, f"{code}\nKUBE = {{}}", interpreter=str(venv / "bin/python")).sources

    own = find("import theirs")
    assert (set(own.files), own.complete) == ({"templates/redis/jobs.py"}, True)
    assert {"./", "templates/redis/", f"{packages}/"} <= own.searched
    asked = find("import theirs\ntheirs.ask()")
    assert (set(asked.files), asked.complete) == ({"templates/redis/jobs.py", "/"}, False)
    copied = find(asks + reads)
    assert (set(copied.files), copied.complete) == ({"templates/redis/jobs.py", "./", "/etc/passwd"}, False)


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("open('own', 'w').write('x')\nopen('own').close()", set()),
        ("open({root} + '/log', 'a').close()", set()),
        ("try: open({root} + '/gone')\nexcept OSError: pass", {"gone"}),
        ("open({root}.encode() + b'/data/a').close()", {"data/a"}),
        ("open(os.open({root} + '/data/a', os.O_RDONLY)).close()", {"data/a"}),
        ("os.chdir({root} + '/data'); open('a').close()", {"data/a"}),
        ("open({root} + '/link').close()", {"data/a", "link"}),
        ("open({root} + '/folder/a').close()", {"data/a", "folder/a"}),
        ("os.listdir({root} + '/data')", {"data/"}),
        ("[*os.scandir(pathlib.Path({root}))]", {"./"}),
        ("glob.glob({root} + '/data/*')", {"data/"}),
        ("glob.glob({root} + '/folder/*')", {"data/", "folder/"}),
        ("importlib.metadata.version('pip')", set()),
        ("[*pkgutil.iter_modules()]", set()),
        ("open('/dev/null').close()", {"/dev/null"}),
    ],
)
def test_what_is_read(tmp_path: Path, code: str, files: set[str]) -> None:
    """What was opened to be read, or looked for and missing, folders that were listed, and what links lead to."""
    put(tmp_path, {"data/a": ""})
    (tmp_path / "link").symlink_to("data/a")
    (tmp_path / "folder").symlink_to("data")
    code = code.replace("{root}", repr(str(tmp_path)))

    sources = build(
        tmp_path, f"import glob, importlib.metadata, os, pathlib, pkgutil\n{code}\nKUBE = {{}}"
    ).sources

    assert sources.files == {"templates/redis/jobs.py", *files}


def test_nothing_is_left_in_the_repository(tmp_path: Path) -> None:
    """Neither compiled modules, nor what a definition writes where it is, as Jaseci writes its logs."""
    build(tmp_path, "open('log', 'w').write('x')\nKUBE = {}")

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "templates/redis/jobs.py"]


def test_nothing_of_our_environment_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, so no secret and no home."""
    monkeypatch.setenv("JASECI_CREDENTIALS", "secret")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")

    seen = build(tmp_path, "import os, sys\nKUBE = {'env': dict(os.environ), 'path': sys.path}").kube

    # Set by Python itself for what it starts, in some locales.
    assert seen["env"].keys() - {"LC_CTYPE"} == {"HOME", "LC_ALL", "PYTHONHASHSEED", "TMPDIR", "TZ"}
    assert "/elsewhere" not in seen["path"]
    assert not Path(seen["env"]["HOME"]).is_dir()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = 1\nraise ValueError('no\\nport')", "ValueError: no port (templates/redis/jobs.py:2)"),
        ("KUBE = {\n  'a' 1}", "SyntaxError: "),
        ("KUBE = {\n  'a' 1}", "(templates/redis/jobs.py:2)"),
        ("import json\njson.loads('{')", "(templates/redis/jobs.py:2)"),
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'; it is run by "),
        ("class E(Exception):\n  def __str__(self):\n    1/0\nraise E", "E:  (templates/redis/jobs.py:4)"),
        ("import sys\nsys.exit('done')", "calls sys.exit(done) (templates/redis/jobs.py:2)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt:  (templates/redis/jobs.py:1)"),
        ("import os\nos._exit(0)", "ended without an answer: exit code 0"),
        ("import os\nos.kill(os.getpid(), 11)", "ended without an answer: killed by SIGSEGV"),
        ("def f():\n  f()\nf()", "RecursionError: "),
        ("", "AttributeError: module 'jobs' has no attribute 'KUBE'"),
        ("KUBE = {'a': ['b', {1}]}", "kube.a[1]: is a value of type set, which neither JSON nor YAML can say"),
        ("KUBE = {'a': b''}", "kube.a: is a value of type bytes, which neither JSON nor YAML can say"),
        ("KUBE = {'a': float('nan')}", "kube.a: nan is no number with digits"),
        ("KUBE = {'a': {1: 2}}", "kube.a: the key 1 is a value of type int, not a text"),
        ("KUBE = {'a': [10**400]}", "kube.a[0]: is an integer beyond 64 bits"),
        ("KUBE = {'\\ud800': 1}", "kube.\ud800: holds half a character, which no file can"),
        ("KUBE = {'a': '\\ud800'}", "kube.a: holds half a character, which no file can"),
        ("KUBE = {}\nKUBE['a'] = KUBE", "kube.a.a.a.a.a: nested more than 100 deep, or within itself"),
        ("KUBE = []\nfor _ in range(30): KUBE = [KUBE, KUBE]", "says more than 32 MiB"),
        ("KUBE = ['x' * (33 << 20)]", "says more than 32 MiB"),
        ("KUBE = 7", "is a value of type int, neither a class nor a dict"),
    ],
)
def test_mistakes(tmp_path: Path, code: str, words: str) -> None:
    """Whatever goes wrong is one error with service.yaml, the definition, what it is, and the line."""
    text = complaint(tmp_path, code)

    assert words in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Odd", "is a class without build_kube(hook) and build_config(hook)"),
        ("build_kube", "is a value of type function, neither a class nor a dict"),
        ("NOTHING", "AttributeError: module 'jobs' has no attribute 'NOTHING'"),
    ],
)
def test_what_is_no_definition(tmp_path: Path, name: str, words: str) -> None:
    """Only classes with builders and dicts are definitions."""
    assert complaint(tmp_path, SERVICE, name=f"jobs:{name}") == words


def test_prints_are_shown_with_the_error_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of a failed definition, the last lines of what it printed, cut, and no terminal obeys them."""
    code = """\
import os, sys
for number in range(9): print("line", number)
os.write(2, b"\\x1b[2J" + b"x" * 999)
"""

    build(tmp_path, f"{code}\nKUBE = {{}}")
    text = complaint(tmp_path, f"{code}\nsys.exit()")

    assert text.splitlines()[1:-1] == [f"  printed: line {number}" for number in (5, 6, 7, 8)]
    assert text.splitlines()[-1] == f"  printed: \ufffd[2J{'x' * 196}"
    assert capfd.readouterr() == ("", "")


def test_a_flood_of_prints_ends(tmp_path: Path) -> None:
    """A definition that prints without end is stopped long before the disk is full."""
    text = complaint(tmp_path, "while True: print('x' * 4096)")

    assert text.startswith("prints or writes more than 32 MiB (templates/redis/jobs.py:1)\n")


def test_a_definition_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    """Once its time is up, and its children, too; the error says how long it had."""
    started = tmp_path / "started"
    code = f"""\
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    open({str(started)!r}, "w").write(str(os.getpid()))
while True: signal.pause()
"""

    assert complaint(tmp_path, code, timeout=4) == "no answer after 4 seconds"
    group = int(started.read_text())
    wait_until(lambda: not list(find_group(group)), what="the end of the definition's processes")


def test_threads_and_children_do_not_keep_an_answer(tmp_path: Path) -> None:
    """A definition is done when it has answered, whatever it left running."""
    code = """\
import atexit, os, signal, threading
atexit.register(signal.pause)
threading.Thread(target=threading.Event().wait).start()
KUBE = {"group": os.getpid()}
if not os.fork():
    while True: signal.pause()
"""

    group = build(tmp_path, code).kube["group"]

    wait_until(lambda: not list(find_group(group)), what="the end of the definition's processes")


def find_group(group: int) -> Iterator[int]:
    """The processes of a process group that have not ended."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                state, _, its_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(its_group) == group and state != "Z":
                yield int(entry.name)


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    """Is named."""
    text = complaint(tmp_path, "KUBE = {}", interpreter="/nowhere/python")

    assert text == "/nowhere/python does not start: No such file or directory"


def test_any_python_from_3_8_builds(tmp_path: Path) -> None:
    """Every Python on this machine from 3.8 builds a definition, and 3.8 could read what is run there."""
    for module in (python_child, python_reads):
        ast.parse(inspect.getsource(module), feature_version=(3, 8))
    interpreters = {sys.executable, *find_pythons()}
    for interpreter in interpreters:
        built = build(tmp_path, SERVICE, name="jobs:Redis", interpreter=interpreter, shifted=True)
        assert built.config == {"enabled": True, "port": "6379"}, interpreter


def find_pythons() -> Iterator[str]:
    """The real programs behind python3.8 … python3.15 on PATH."""
    for minor in range(8, 16):
        for folder in os.get_exec_path():
            if program := shutil.which(f"python3.{minor}", path=folder):
                question = [program, "-c", "import sys; print(sys.executable)"]
                done = subprocess.run(question, capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    yield done.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "list({'redis', 'task', 'mail', 'promon', 'elastic'})",
        "hash('redis')",
        "round(time.time() / 86400)",
        "round(time.time_ns() / 86400e9)",
        "time.gmtime().tm_year",
        "time.localtime().tm_mon",
        "time.strftime('%d')",
        "time.ctime()[:10]",
        "time.asctime()[:10]",
        "datetime.datetime.now().year",
        "datetime.datetime.now(datetime.timezone.utc).month",
        "datetime.datetime.utcnow().day",
        "datetime.datetime.today().year",
        "datetime.date.today().isoformat()",
        "time.tzname[0]",
        "time.localtime(0).tm_hour",
        "os.environ['LC_ALL']",
        "os.listdir(here)",
        "[each.name for each in os.scandir(here)]",
        "[each.name for each in pathlib.Path(here).iterdir()]",
        "glob.glob(here + '/*')",
        "[names for _, _, names in os.walk(here)]",
    ],
)
def test_shifted(tmp_path: Path, code: str) -> None:
    """A definition that looks at the hash seed, clock, zone, locale or a folder's order comes out otherwise."""
    put(tmp_path, {f"templates/redis/{name}.txt": "" for name in "abc"})
    code = f"""\
import datetime, glob, os, pathlib, time
here = os.path.dirname(__file__)
KUBE = {{"found": {code}}}
"""

    plain = build(tmp_path, code)

    assert build(tmp_path, code).kube == plain.kube
    assert build(tmp_path, code, shifted=True).kube != plain.kube


def test_shifted_changes_nothing_else(tmp_path: Path) -> None:
    """A definition that sorts and computes comes out the same, as do its dates."""
    put(tmp_path, {f"templates/redis/{name}.txt": "" for name in "abc"})
    code = """\
import datetime, os, time, uuid
here = os.path.dirname(__file__)
day = datetime.datetime(2022, 11, 23, tzinfo=datetime.timezone.utc)
with os.scandir(here) as entries:
    names = sorted(each.name for each in entries)
class Birthday(datetime.date):
    pass
KUBE = {
    "names": names + sorted(os.listdir(here)) + sorted({"redis", "task"}),
    "day": (day + datetime.timedelta(days=1)).isoformat(),
    "kinds": [isinstance(day, datetime.datetime), isinstance(day, datetime.date), isinstance(day, Birthday)],
    "classes": [issubclass(datetime.datetime, datetime.date), issubclass(datetime.date, datetime.datetime)],
    "then": [time.gmtime(0).tm_year, time.strftime("%Y", time.gmtime(0)), time.asctime(time.gmtime(0))],
    "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, "redis")),
}
"""

    plain = build(tmp_path, code)

    assert plain.kube["kinds"] == [True, True, False]
    assert plain.kube["classes"] == [True, False]
    assert build(tmp_path, code, shifted=True).kube == plain.kube
