"""What is kept of a tree for the next pass: the same objects, of files that render wrote, and of no Secret."""

from dataclasses import replace

import pytest

from jsorc_gitops.errors import TreeError
from jsorc_gitops.model.kept import ParsedFile, format_kept, make_row, may_keep, parse_kept, read_row
from jsorc_gitops.model.layout import Files
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.model.tree import Tree, parse_tree
from jsorc_gitops.reconcile.ownership import compute_digest
from tests.model.builders import make_deployment, make_manifest, make_tree

PROGRAM = "jsorc 1"


def read(files: Files) -> tuple[Tree, dict[str, ParsedFile]]:
    """A tree, and what each of its files was read as."""
    parsed: dict[str, ParsedFile] = {}
    return parse_tree(files, name="default", where="rendered", keep=parsed.__setitem__), parsed


def keep(parsed: dict[str, ParsedFile]) -> dict[str, ParsedFile]:
    """The same files as the next pass gets them, with paths in the place of blobs."""
    text = format_kept({path: make_row(each) for path, each in parsed.items()}, program=PROGRAM)
    rows = parse_kept(text, program=PROGRAM)
    return {path: read_row(row, where=f"rendered/{path}") for path, row in rows.items()}


@pytest.fixture
def files() -> dict[str, str]:
    return make_tree(make_deployment(), make_manifest("Service", "redis"), make_manifest(service="mail"))


def test_a_kept_tree_is_the_same(files: dict[str, str]) -> None:
    """Settings, records, objects, their places, services and digests; and no file is read again."""
    tree, parsed = read(files)

    again, fresh = read_sources(keep(parsed))

    assert fresh == {}
    assert (again.settings, again.records) == (tree.settings, tree.records)
    for ref, manifest in tree.manifests.items():
        found = again.manifests[ref]
        assert (found.where, found.service) == (manifest.where, manifest.service)
        assert compute_digest(found) == compute_digest(manifest)
        assert found == manifest
        assert type(found.body) is dict
    assert list(again.manifests) == list(tree.manifests)


def read_sources(sources: dict[str, ParsedFile]) -> tuple[Tree, dict[str, ParsedFile]]:
    parsed: dict[str, ParsedFile] = {}
    return parse_tree(sources, name="default", where="rendered", keep=parsed.__setitem__), parsed


def test_changed_files_are_read(files: dict[str, str]) -> None:
    """Where one file is new, that one alone is read, and the tree is what the files say."""
    _, parsed = read(files)
    changed = make_tree(
        make_deployment(image="redis:7"), make_manifest("Service", "redis"), make_manifest(service="mail")
    )
    path = "redis/Deployment.yaml"
    fresh: dict[str, ParsedFile] = {}

    known = {each: file for each, file in keep(parsed).items() if each != path}
    tree = parse_tree({**known, path: changed[path]}, name="default", where="rendered", keep=fresh.__setitem__)

    assert list(fresh) == [path]
    assert tree.manifests == read(changed)[0].manifests


def test_an_object_twice_is_found_in_kept_files(files: dict[str, str]) -> None:
    """A copy of a kept file, which has the same blob, is refused as it is without any memory."""
    _, parsed = read(files)
    known = keep(parsed)
    known["mail/Service.yaml"] = known["redis/Service.yaml"]
    known["mail/kustomization.yaml"] = ParsedFile(
        resources=(*known["mail/kustomization.yaml"].resources, "Service.yaml")
    )

    with pytest.raises(TreeError, match="is in the tree twice"):
        read_sources(known)


def test_bodies_are_decoded_on_demand(files: dict[str, str]) -> None:
    """What most passes ask of an object is known without its body."""
    _, parsed = read(files)
    (manifest,) = keep(parsed)["redis/Deployment.yaml"].manifests
    assert manifest.kept is not None
    broken = Manifest.from_kept(
        ref=manifest.ref,
        api_version=manifest.api_version,
        where=manifest.where,
        kept=manifest.kept._replace(text="no JSON"),
    )

    assert (broken.service, compute_digest(broken)) == ("redis", manifest.kept.digest)
    with pytest.raises(ValueError, match="Expecting value"):
        _ = broken.body


def test_copies_of_a_kept_object_know_their_body(files: dict[str, str]) -> None:
    """A manifest made out of a kept one is whole."""
    _, parsed = read(files)
    (manifest,) = keep(parsed)["redis/Deployment.yaml"].manifests

    assert replace(manifest, where="elsewhere").body == manifest.body
    with pytest.raises(AttributeError, match="anything"):
        _ = getattr(manifest, "anything")  # noqa: B009 - mypy forbids the plain way


def test_secrets_are_not_kept() -> None:
    """Nothing of a file with a Secret lies anywhere but in git."""
    files = make_tree(make_manifest("Secret", data={"key": "aHVzaA=="}), make_manifest("Service"))
    _, parsed = read(files)

    kept = {path for path, each in parsed.items() if may_keep(path, files[path], each)}

    assert parsed.keys() - kept == {"redis/Secret.yaml"}


def test_edited_files_are_not_kept(files: dict[str, str]) -> None:
    """A file that somebody changed after render wrote it is looked at each time."""
    path = "redis/Service.yaml"
    files[path] += "# by hand\n"
    _, parsed = read(files)

    assert not may_keep(path, files[path], parsed[path])
    assert may_keep("redis/Deployment.yaml", files["redis/Deployment.yaml"], parsed["redis/Deployment.yaml"])


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"program": "jsorc 1"}', '{"program": "jsorc 1", "files": 3}']
)
def test_what_is_of_no_use_is_passed_over(text: str) -> None:
    """A memory that is none costs time only."""
    assert parse_kept(text, program=PROGRAM) == {}


def test_another_program_reads_all_again(files: dict[str, str]) -> None:
    """What one jsorc has read is not believed by another."""
    _, parsed = read(files)
    text = format_kept({path: make_row(each) for path, each in parsed.items()}, program="jsorc 2")

    assert parse_kept(text, program=PROGRAM) == {}
    assert parse_kept(text, program="jsorc 2").keys() == files.keys()
