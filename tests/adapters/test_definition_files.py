"""The door to what people write: jsorc.yaml, templates/, credentials; and what `jsorc init` writes for them."""

import os
from pathlib import Path

import pytest

from jsorc_gitops.adapters.files import (
    read_definitions,
    read_secret_file,
    read_settings_text,
    read_shipped_definitions,
    write_new_files,
)
from jsorc_gitops.errors import DefinitionError, JsorcError, SettingsError
from jsorc_gitops.model.services import ServiceFiles
from tests.render.worktree import put, spell


def test_definitions_are_folders_with_texts(tmp_path: Path) -> None:
    """Each folder of templates/ is a service, with all its files; hidden, compiled and lone files are none."""
    put(
        tmp_path / "templates",
        {"redis/service.yaml": "a", "redis/lib/b.j2": "ü", "redis/.b.swp": "x", ".git/c": "x", "README.md": "x"},
    )
    compiled = tmp_path / "templates/redis/__pycache__/jobs.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"\xff")

    assert read_definitions(tmp_path) == {
        "redis": ServiceFiles(
            name="redis", folder="templates/redis", texts={"lib/b.j2": "ü", "service.yaml": "a"}
        ),
    }


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("../../../outside/file", "leads out of the service's folder"),
        ("/etc/hostname", "leads out of the service's folder"),
        ("../mail/service.yaml", "leads out of the service's folder"),
        ("nowhere", "cannot be read: No such file or directory"),
        ("link.yaml", "cannot be read: Too many levels of symbolic links"),
    ],
)
def test_definitions_stay_in_their_folder(tmp_path: Path, target: str, message: str) -> None:
    """A link that leads out of a service's folder, or nowhere, is refused by name."""
    put(tmp_path, {"outside/file": ""})
    put(tmp_path / "r" / "templates", {"redis/service.yaml": "", "mail/service.yaml": ""})
    (tmp_path / "r" / "templates" / "redis" / "link.yaml").symlink_to(target)

    with pytest.raises(DefinitionError) as caught:
        read_definitions(tmp_path / "r")

    assert str(caught.value) == f"templates/redis/link.yaml: {message}"


def test_a_link_within_its_folder_is_read(tmp_path: Path) -> None:
    """A service may name one of its files twice."""
    put(tmp_path / "templates" / "redis", {"a": "text"})
    (tmp_path / "templates" / "redis" / "b").symlink_to("a")

    assert read_definitions(tmp_path)["redis"].texts == {"a": "text", "b": "text"}


def test_a_definition_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A file that is not UTF-8 is refused with the place where it stops being it."""
    put(tmp_path / "templates" / "redis", {"a.yaml": ""})
    (tmp_path / "templates" / "redis" / "a.yaml").write_bytes(b"a: \xff")

    with pytest.raises(
        DefinitionError, match=r"^templates/redis/a.yaml: not UTF-8 \(invalid start byte at byte 3\)$"
    ):
        read_definitions(tmp_path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """Without jsorc.yaml or a credentials file the message names it and what to do."""
    messages = []
    for read in (read_settings_text, read_secret_file):
        with pytest.raises(JsorcError) as caught:
            read(tmp_path / "gone")
        messages.append(str(caught.value).replace(str(tmp_path), ""))

    assert messages == [
        (
            "/gone/jsorc.yaml: not found; run jsorc init here, or name the folder with -C; "
            "an empty jsorc.yaml will do, too"
        ),
        "jaseci.credentials: /gone: No such file or directory",
    ]


@pytest.mark.timeout(20)
def test_settings_that_are_a_pipe(tmp_path: Path) -> None:
    """Nobody is waited for who might write into it."""
    os.mkfifo(tmp_path / "jsorc.yaml")

    with pytest.raises(SettingsError, match=r"/jsorc\.yaml: cannot be read: is no regular file$"):
        read_settings_text(tmp_path)


def test_settings_of_windows(tmp_path: Path) -> None:
    """Lines that end as on Windows end as on Unix."""
    (tmp_path / "jsorc.yaml").write_bytes(b"a: 1\r\nb: 2\r\n")

    assert read_settings_text(tmp_path) == "a: 1\nb: 2\n"


def test_settings_of_a_folder_above_are_named(tmp_path: Path) -> None:
    """Somebody who is within a repository is told where its jsorc.yaml lies, the nearest, to be pasted."""
    root = tmp_path / "my fleet"
    put(tmp_path, {"jsorc.yaml": "", "my fleet/jsorc.yaml": "", "my fleet/templates/web/service.yaml": ""})

    with pytest.raises(SettingsError) as caught:
        read_settings_text(root / "templates/web")

    assert str(caught.value) == (
        f"{root}/templates/web/jsorc.yaml: not found; there is one in {root}; use -C '{root}'"
    )


def test_new_files_overwrite_nothing(tmp_path: Path) -> None:
    """Where one of the files is there already, none is written."""
    put(tmp_path, {"templates/redis/b": "by hand"})

    with pytest.raises(SettingsError, match=r"/templates/redis/b is there already; nothing was written$"):
        write_new_files(tmp_path, {"a": "1", "templates/redis/b": "1"})
    assert spell(tmp_path) == {"templates": "/", "templates/redis": "/", "templates/redis/b": "by hand"}


def test_new_files_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    """A file in the place of a folder is an error that names the path; it is no bug of ours."""
    put(tmp_path, {"templates": "by hand"})

    with pytest.raises(SettingsError, match=r"templates is no folder; nothing was written$"):
        write_new_files(tmp_path, {"templates/a": "1"})


def test_the_shipped_services_are_there() -> None:
    """From a checkout or an installed wheel, the services that jsorc ships can be read."""
    assert list(read_shipped_definitions()) == [
        "database",
        "elastic",
        "jaseci",
        "jsorc",
        "mail",
        "promon",
        "redis",
        "store",
        "stripe",
        "task",
    ]


def test_an_empty_folder_is_no_service(tmp_path: Path) -> None:
    """Git knows no empty folders, so one that only this work tree has makes no service."""
    (tmp_path / "templates" / "empty").mkdir(parents=True)
    (tmp_path / "templates" / "redis").mkdir()
    (tmp_path / "templates" / "redis" / "service.yaml").write_text("")

    assert list(read_definitions(tmp_path)) == ["redis"]


def test_without_the_folder_there_are_no_services(tmp_path: Path) -> None:
    """Git keeps no empty templates/ when the last service is removed; a fresh clone renders all the same."""
    assert read_definitions(tmp_path) == {}
