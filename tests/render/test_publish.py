"""The corridor of render: what is written, and what is left alone."""

from typing import Any

import pytest

from jsorc_gitops.errors import JsorcError, SettingsError, TreeError
from jsorc_gitops.model.layout import TreeDiff
from jsorc_gitops.render import publish
from jsorc_gitops.render.findings import FindingsError
from jsorc_gitops.render.publish import Rendering
from tests.render.builders import TOOLS, KilledError, MemoryFolder, make_object, make_redis, make_service

NOTHING = TreeDiff(added=(), changed=(), removed=())


def render(folder: MemoryFolder, *, settings: str = "", mail: bool = False, **redis: Any) -> Rendering:
    services = [make_redis(**redis), *([make_service(name="mail")] if mail else [])]
    return publish.render(settings, {each.name: each for each in services}, folder.read_tree(), **TOOLS)


def run(folder: MemoryFolder, **inputs: Any) -> list[str]:
    """Render and write over whatever is there; the files that were written or removed."""
    folder.writes.clear()
    publish.write(render(folder, **inputs), folder, force=True)
    return folder.writes


@pytest.fixture
def folder() -> MemoryFolder:
    """A folder that holds a tree with redis and mail."""
    folder = MemoryFolder()
    run(folder, mail=True)
    return folder


def test_the_first_rendering_writes_everything() -> None:
    """Into an empty folder the whole tree is written."""
    folder = MemoryFolder()

    assert run(folder) == list(render(MemoryFolder()).files) == list(folder.files)


def test_nothing_changed_is_nothing_written(folder: MemoryFolder) -> None:
    """The same definitions a second time write no file, and there is nothing to tell."""
    rendering = render(folder, mail=True)

    assert (rendering.diff, rendering.changes, run(folder, mail=True)) == (NOTHING, (), [])


def test_flux_decrypts_what_sops_has_encrypted(folder: MemoryFolder) -> None:
    """A Secret of SOPS is rendered where Flux applies the tree, and refused where nobody would decrypt it."""
    encrypted = "stringData: {password: 'ENC[AES256_GCM,data:x]'}\nsops: {mac: 'ENC[x]', version: 3.9.0}\n"
    services = {"redis": make_service({"secret.yaml": make_object("Secret", "key") + encrypted})}

    published = publish.render("applier: flux\n", services, folder.read_tree(), **TOOLS)
    assert "ENC[AES256_GCM,data:x]" in published.files["redis/Secret.yaml"]
    with pytest.raises(FindingsError, match="only Flux decrypts this"):
        publish.render("applier: argocd\n", services, folder.read_tree(), **TOOLS)


def test_rendering_alone_writes_nothing(folder: MemoryFolder) -> None:
    """Comparing, as --check does, leaves the folder alone."""
    before = folder.read_tree()
    folder.writes.clear()
    rendering = render(folder, image="redis:7")

    assert (bool(rendering.diff), folder.files, folder.writes) == (True, before, [])


def test_what_changed_is_written_alone(folder: MemoryFolder) -> None:
    """Only the files whose meaning changes are written."""
    assert run(folder, mail=True, image="redis:7") == ["redis/Deployment.yaml"]


def test_a_removed_service_is_removed(folder: MemoryFolder) -> None:
    """The files of a service without a definition go, and the list above forgets it."""
    assert run(folder) == ["kustomization.yaml", "mail/kustomization.yaml", "mail/record.yaml"]
    assert folder.files == render(MemoryFolder()).files


@pytest.mark.parametrize("path", ["redis/Deployment.yaml", "redis/kustomization.yaml", "settings.yaml"])
def test_comments_are_no_change(folder: MemoryFolder, path: str) -> None:
    """A file that differs in comments, quotes or the order of keys is left as it is."""
    first, _, rest = folder.files[path].partition("\n")
    folder.files[path] = f"{first}\n# a comment\n---\n{rest}# another\n"

    assert run(folder, mail=True) == []


def test_true_is_not_one(folder: MemoryFolder) -> None:
    """A value that becomes another type is a change, even where Python takes both for equal."""
    edit(folder, "redis/Deployment.yaml", "replicas: 1", "replicas: true")

    assert run(folder, mail=True) == ["redis/Deployment.yaml"]


@pytest.mark.parametrize(
    "broken", ["", "a: [", "a: 1\n", "apiVersion: v1\nkind: X\nmetadata: {name: a, labels: [b]}\n"]
)
def test_a_damaged_file_is_written_again(folder: MemoryFolder, broken: str) -> None:
    """Whatever a hand did to a file of ours, the next rendering makes it right."""
    whole = folder.read_tree()
    folder.files["redis/Deployment.yaml"] = whole["redis/Deployment.yaml"].partition("\n")[0] + "\n" + broken

    assert run(folder, mail=True) == ["redis/Deployment.yaml"]
    assert folder.files == whole


def test_a_missing_file_is_written_again(folder: MemoryFolder) -> None:
    """A file that someone removed comes back, even the list at the top."""
    for path in ("kustomization.yaml", "mail/record.yaml"):
        del folder.files[path]

    assert run(folder, mail=True) == ["kustomization.yaml", "mail/record.yaml"]


@pytest.mark.parametrize("path", ["notes.md", "redis/extra.yaml", "old/.gitkeep", "mail.yaml"])
def test_files_of_others_are_left_alone_and_told(folder: MemoryFolder, path: str) -> None:
    """What jsorc did not write is never removed or changed, and the rendering names it."""
    folder.files[path] = "by hand\n"

    assert render(folder).strangers == (path,)
    run(folder)
    assert folder.files[path] == "by hand\n"


@pytest.mark.parametrize(
    "path", ["redis/Deployment.yaml", "kustomization.yaml", "redis", "settings.yaml/notes.md"]
)
def test_files_of_others_are_never_overwritten(path: str) -> None:
    """Where somebody's file lies in the way, nothing is written and the message says what to move."""
    folder = MemoryFolder({path: "by hand\n"})

    with pytest.raises(TreeError) as caught:
        run(folder)

    assert str(caught.value) == f"rendered/{path} was not written by jsorc; move it away"
    assert (folder.files, folder.writes) == ({path: "by hand\n"}, [])


def test_stale_files_of_ours_are_removed(folder: MemoryFolder) -> None:
    """A file of ours that no list names any more, as another version may leave one, is removed."""
    folder.files["redis/Old.yaml"] = folder.files["redis/Deployment.yaml"]

    assert run(folder, mail=True) == ["redis/Old.yaml"]


@pytest.mark.parametrize("files", range(7))
def test_a_killed_run_is_repaired_by_the_next(folder: MemoryFolder, files: int) -> None:
    """However many files a run wrote before it died, the next one completes it."""
    inputs: dict[str, Any] = {"settings": "namespace: jaseci\n", "image": "redis:7"}
    expected = MemoryFolder()
    run(expected, **inputs)
    folder.dies_after = files
    with pytest.raises(KilledError):
        run(folder, **inputs)
    folder.dies_after = None

    run(folder, **inputs)

    assert folder.files == expected.files


def test_a_killed_run_is_not_mistaken_for_nothing_changed(folder: MemoryFolder) -> None:
    """After a run that died, what it did not write is still a difference."""
    folder.dies_after = 1
    with pytest.raises(KilledError):
        run(folder, image="redis:7")

    assert render(folder, image="redis:7").diff


def test_changes_are_told_by_service(folder: MemoryFolder) -> None:
    """A rendering tells what it changes, compared with what lies on disk."""
    rendering = render(folder, settings="keep_alive: [redis]\n", image="redis:7")

    assert [(each.service, each.summary) for each in rendering.changes] == [
        ("", "settings"),
        ("mail", "mail removed"),
        ("redis", "redis image 6→7"),
    ]


def test_settings_may_name_only_services_that_are_defined(folder: MemoryFolder) -> None:
    """keep_alive is checked against the definitions, before anything else is done."""
    with pytest.raises(
        SettingsError, match=r"^jsorc.yaml:1: keep_alive\[0\]: no service 'mial' under templates/"
    ):
        render(folder, settings="keep_alive: [mial]\n")


def test_an_error_in_one_service_writes_nothing(folder: MemoryFolder) -> None:
    """Everything is rendered before the first file is written, so one error leaves the folder as it was."""
    services = {
        "redis": make_redis(image="redis:7"),
        "zzz": make_service({"a.yaml": make_object(".")}, name="zzz"),
    }
    before = folder.read_tree()

    with pytest.raises(JsorcError):
        publish.render("", services, folder.read_tree(), **TOOLS)

    assert folder.files == before


def test_the_order_of_services_does_not_count() -> None:
    """Services make the same files in whatever order they are found."""
    services = [make_redis(), make_service(name="mail"), make_service({"a.yaml": make_object()}, name="a")]
    forward, backward = (
        publish.render("", {each.name: each for each in order}, {}, **TOOLS).files
        for order in (services, services[::-1])
    )

    assert list(forward.items()) == list(backward.items())


def edit(folder: MemoryFolder, path: str, old: str, new: str) -> None:
    assert old in folder.files[path]
    folder.files[path] = folder.files[path].replace(old, new)


def test_an_edit_by_hand_is_not_overwritten(folder: MemoryFolder) -> None:
    """Every file that somebody edited and that would be overwritten is named, and nothing at all is written."""
    edit(folder, "redis/Deployment.yaml", "redis:6", "redis:6-mine")
    edit(folder, "mail/record.yaml", "mail", "male")
    before = folder.read_tree()
    folder.writes.clear()

    with pytest.raises(TreeError) as caught:
        publish.write(render(folder, mail=True, replicas=2), folder)

    assert str(caught.value).splitlines() == [
        "rendered/mail/record.yaml was edited by hand",
        "rendered/redis/Deployment.yaml was edited by hand",
        "move the edits to templates/, or overwrite them with --force; nothing was written",
    ]
    assert (folder.files, folder.writes) == (before, [])


def test_an_edit_by_hand_is_not_removed(folder: MemoryFolder) -> None:
    """Also a file that would go with its service is kept while it holds somebody's edit."""
    edit(folder, "mail/record.yaml", "true", "false")

    with pytest.raises(TreeError, match=r"rendered/mail/record\.yaml was edited by hand"):
        publish.write(render(folder), folder)


@pytest.mark.parametrize("same", ["# a comment\n", ""])
def test_an_edit_that_changes_nothing_is_no_matter(folder: MemoryFolder, same: str) -> None:
    """A comment, or the very edit that the templates now make, stops nobody."""
    folder.files["redis/Deployment.yaml"] += same
    edit(folder, "redis/Deployment.yaml", "redis:6", "redis:7")
    folder.writes.clear()

    publish.write(render(folder, mail=True, image="redis:7"), folder)

    assert folder.writes == []


def test_older_templates_are_no_edit(folder: MemoryFolder) -> None:
    """What an earlier render wrote, committed or not, is overwritten without a word."""
    for image in ("redis:7", "redis:8"):
        publish.write(render(folder, mail=True, image=image), folder)

    assert "redis:8" in folder.files["redis/Deployment.yaml"]


def test_what_a_killed_run_left_is_cleaned_up(folder: MemoryFolder) -> None:
    """The scratch file of a run that died goes with the next one, and an empty file is written again."""
    folder.files["redis/.Deployment.yaml.0a1b2c3d.tmp"] = "# Rend"
    folder.files["redis/Deployment.yaml"] = ""
    folder.writes.clear()

    publish.write(render(folder, mail=True), folder)

    assert folder.writes == ["redis/Deployment.yaml", "redis/.Deployment.yaml.0a1b2c3d.tmp"]
