"""What the documentation says of commands, keys, exit codes, links and examples is so."""

import json
import re
from pathlib import Path

import click
import pytest

from jsorc_gitops import cli, errors
from jsorc_gitops.adapters.files import read_definitions
from jsorc_gitops.adapters.python import PythonDefinitions
from jsorc_gitops.cli.modes import EXIT_DIFFERENCES
from jsorc_gitops.errors import DefinitionError, JsorcError, SettingsError
from jsorc_gitops.model.jaseci import parse_credentials
from jsorc_gitops.model.objects import ObjectRef
from jsorc_gitops.model.services import ServiceFiles, parse_definition
from jsorc_gitops.model.settings import Settings, parse_settings
from jsorc_gitops.reconcile.health import Health, Status
from jsorc_gitops.reconcile.report import Report
from jsorc_gitops.reconcile.syncers import ARGO, FLUX, Syncer
from jsorc_gitops.render.python import render_python
from tests.controlplane.__main__ import format_up
from tests.render.builders import make_object, make_service, render_services
from tests.render.commands import start
from tests.render.worktree import put

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TEXT = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}

# A file of the worked example says its name in the first line, as YAML or as Jinja2 comment.
FILE_NAME = re.compile(r"(?:# |{# )templates/(?P<service>[^/]+)/(?P<name>\S+)")
FIRST_LINE = re.compile(r"\A# (\S+)")


def blocks(page: str, *languages: str) -> list[str]:
    """The fenced blocks of a page that are marked as one of these languages."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT[page], re.MULTILINE | re.DOTALL)
    return [text for language, text in found if language in languages]


def is_described(page: str, key: str) -> bool:
    """Whether a key has a heading or begins a table row, where it may be a link, too."""
    return re.search(rf"^(#+ |\| \[?)`{re.escape(key)}`", TEXT[page], re.MULTILINE) is not None


def slugs(text: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def list_commands() -> list[tuple[str, click.Command]]:
    return [("jsorc", cli.cli), *((f"jsorc {name}", command) for name, command in cli.cli.commands.items())]


def list_known_keys(complaint: str) -> list[str]:
    """The keys that a parser names when it meets one it does not know."""
    return complaint.rpartition("known keys: ")[2].split(", ")


@pytest.mark.parametrize(("name", "command"), list_commands())
def test_commands(name: str, command: click.Command) -> None:
    """Every command and option has its help text, and its place in docs/commands.md."""
    page = TEXT["docs/commands.md"]
    section = page.partition(f"\n## `{name}`\n")[2].partition("\n## ")[0] or page.partition("\n## ")[0]

    assert command.help
    assert re.search(rf"`{name}\b", page)
    for option in command.params:
        if not isinstance(option, click.Option):
            continue  # an argument, which the command's help text explains
        assert option.help, option.opts
        for spelling in option.opts:
            assert re.search(rf"`({name} )?([^`]* )?{spelling}\b", section), spelling


def test_handover_commands() -> None:
    """What docs/handover.md says to put Flux or Argo CD to rest with is what `jsorc adopt` says."""
    for group, kind, namespace in (
        (FLUX, "Kustomization", "flux-system"),
        (ARGO, "Application", "argocd"),
    ):
        syncer = Syncer(
            ref=ObjectRef(group=group, kind=kind, namespace=namespace, name="jsorc.shop.default"), body={}
        )
        command = syncer.explain_work().partition(": ")[2]
        assert f"$ {command}\n" in TEXT["docs/handover.md"]


def test_make_targets() -> None:
    """Every `make` command in the documentation has its target."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", "\n".join(TEXT.values())))

    assert {"demo", "test"} <= named <= targets


def test_environment_keys() -> None:
    """Every key that an environment may have is named where environments are described."""
    with pytest.raises(SettingsError) as caught:
        parse_settings("environments: {name: {zzzzzz: 1}}", source="jsorc.yaml")

    section = TEXT["docs/settings.md"].partition("### `environments`")[2].partition("\n### ")[0]
    for key in list_known_keys(str(caught.value)):
        assert f"`{key}`" in section, key


@pytest.mark.parametrize(
    ("above", "text"),
    [
        ("", "{?: 1}"),
        ("jaseci.", "jaseci: {?: 1}"),
        ("jaseci.credentials.", "jaseci: {url: 'http://jaseci', credentials: {?: 1}}"),
    ],
)
def test_settings_keys(above: str, text: str) -> None:
    """Every key of jsorc.yaml that its parser knows has its place in docs/settings.md."""
    with pytest.raises(SettingsError) as caught:
        parse_settings(text.replace("?", "zzzzzz"), source="jsorc.yaml")

    for key in list_known_keys(str(caught.value)):
        assert is_described("docs/settings.md", f"{above}{key}"), key


@pytest.mark.parametrize(("above", "text"), [("", "{?: 1}"), ("reset.", "reset: {?: 1}")])
def test_service_keys(above: str, text: str) -> None:
    """Every key of service.yaml that its parser knows has its place in docs/service.md."""
    files = ServiceFiles(name="web", folder="web", texts={"service.yaml": text.replace("?", "zzzzzz")})
    with pytest.raises(DefinitionError) as caught:
        parse_definition(files, services=frozenset())

    for key in list_known_keys(str(caught.value)):
        assert is_described("docs/service.md", f"{above}{key}"), key


def list_exit_codes() -> set[int]:
    """All codes that the code knows: of errors, of the command line, of reports."""
    raised = {
        each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, JsorcError)
    }
    ref = ObjectRef(group="apps", kind="Deployment", namespace="default", name="web")
    doomed = Health(ref=ref, status=Status.FAILED, message="")
    reports = [Report(revision=""), Report(revision="", healths=(("web", doomed),))]
    return {
        *raised,
        *(report.exit_code for report in reports),
        click.UsageError.exit_code,
        cli.EXIT_BUG,
        cli.EXIT_INTERRUPTED,
        EXIT_DIFFERENCES,
    }


@pytest.mark.parametrize(("page", "row"), [("docs/exit-codes.md", r"^\| `(\d+)` "), ("README.md", r"^\| (\d+) ")])
def test_exit_codes(page: str, row: str) -> None:
    """The tables of exit codes hold the codes that there are, each once, in order."""
    rows = [int(code) for code in re.findall(row, TEXT[page], re.MULTILINE)]

    assert rows == sorted(list_exit_codes())


@pytest.mark.parametrize("page", TEXT)
def test_links(page: str) -> None:
    """Every relative link leads to a file, and its anchor to a heading of it."""
    without_code = re.sub(r"^```.*?^```$|`[^`\n]*`", "", TEXT[page], flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.exists(), target
        assert not anchor or anchor in slugs(linked.read_text()), target


@pytest.mark.parametrize("page", ["README.md", "docs/settings.md"])
def test_settings_examples(page: str) -> None:
    """Every example of jsorc.yaml is one that its parser takes."""
    examples = blocks(page, "yaml")

    assert examples
    for example in examples:
        assert parse_settings(example, source=page) != Settings()


def test_credentials_examples() -> None:
    """Every example of credentials is one that its parser takes, for the origin it names."""
    examples = blocks("docs/settings.md", "json")

    assert len(examples) == 2
    for example in examples:
        parse_credentials(example, source="docs/settings.md", url="https://jaseci.example.com")


def read_service_examples() -> dict[str, dict[str, str]]:
    """The files that docs/service.md shows of each service."""
    texts: dict[str, dict[str, str]] = {}
    for text in blocks("docs/service.md", "yaml", "jinja"):
        where = FILE_NAME.match(text)
        assert where, text
        texts.setdefault(where["service"], {})[where["name"]] = text
    return texts


def test_service_example(tmp_path: Path) -> None:
    """The worked example of docs/service.md renders as it is, by itself, without a complaint."""
    put(tmp_path / "templates/web", read_service_examples()["web"])
    put(tmp_path, {"jsorc.yaml": ""})

    done = start("render", cwd=tmp_path)

    assert (done.code, done.err) == (0, "")
    assert re.findall(r"^  \+ (?!ConfigMap/jsorc)(.+)$", done.out, re.MULTILINE) == [
        "Service/web",
        "Deployment/web",
    ]


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [("web.yaml.j2", "values.replicas", "values.replica"), ("service.yaml", "nginx:1.29", "'nginx: 1.29'")],
)
def test_service_mistakes(tmp_path: Path, name: str, right: str, wrong: str) -> None:
    """A mistake in the worked example is told as docs/service.md shows it."""
    texts = read_service_examples()["web"]
    put(tmp_path / "templates/web", texts | {name: texts[name].replace(right, wrong)})
    put(tmp_path, {"jsorc.yaml": ""})

    done = start("render", cwd=tmp_path)

    assert f"$ jsorc render\n{done.err}```" in TEXT["docs/service.md"]


def test_service_of_jaseci() -> None:
    """The example of a service that Jaseci knows is one that the parser takes, with all keys of `reset`."""
    files = make_service(read_service_examples()["task"], name="task")

    definition = parse_definition(files, services=frozenset(["redis", "task"]))

    assert (definition.via, definition.watch, definition.depends_on) == ("jaseci", (), ("redis",))


def test_service_conflicts() -> None:
    """The example of `conflicts` is taken as its comments say."""
    files = make_service(read_service_examples()["shop"], name="shop")

    policy = parse_definition(files, services=frozenset(["shop"])).policy

    image = '.spec.template.spec.containers[name="main"].image'
    assert [policy.find_verdict(path) for path in (".spec.replicas", ".data.color", ".database", image)] == [
        "yield",
        "take",
        "",
        "fail",
    ]


def test_to_yaml_example() -> None:
    """The two lines that docs/service.md shows give the value below its key."""
    [lines] = blocks("docs/service.md", "j2")
    rules = [{"from": [{"podSelector": {}}]}, {"ports": [{"port": 80}, {"port": 90}]}]
    texts = {
        "service.yaml": json.dumps({"values": {"ingress": rules}}),
        "web.yaml.j2": make_object("NetworkPolicy", version="networking.k8s.io/v1", more=f"spec:\n{lines}"),
    }

    [policy] = [each for each in render_services(make_service(texts)) if each.ref.kind == "NetworkPolicy"]

    assert policy.body["spec"] == {"ingress": rules}


def test_controlplane_up() -> None:
    """What CONTRIBUTING.md shows of the control plane is what its command prints, but for paths."""
    printed = format_up(started=True, kubeconfig=Path("/a"), programs=Path("/b")).splitlines()

    _, _, shown = TEXT["CONTRIBUTING.md"].partition("$ .venv/bin/python -m tests.controlplane up\n")
    for line, told in zip(shown.splitlines(), printed, strict=False):
        assert re.fullmatch(re.escape(line).replace("…", ".+"), told), line


def test_init_names_the_page() -> None:
    """What `jsorc init` writes names a page that there is."""
    text = (ROOT / "jsorc_gitops/cli/init.py").read_text()

    assert {page for page in re.findall(r"docs/[\w-]+\.md", text) if page not in TEXT} == set()


def test_python_example(tmp_path: Path) -> None:
    """The Python definition of docs/service.md gives its object, and the config that service.yaml overrides."""
    texts = {FIRST_LINE.findall(text)[0]: text for text in blocks("docs/service.md", "python", "yml")}
    put(tmp_path, texts)
    [files] = read_definitions(tmp_path).values()
    definition = parse_definition(files, services=frozenset())

    manifests, config = render_python(definition, files, PythonDefinitions(tmp_path))

    assert [str(each.ref) for each in manifests] == ["ConfigMap/redis"]
    assert config == {"enabled": True, "port": "6380"}
