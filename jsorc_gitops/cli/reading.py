"""Reads the committed tree, and what earlier passes have read of it already."""

from pathlib import Path
from typing import TYPE_CHECKING

from jsorc_gitops.adapters.memo import MemoFile, get_program_stamp
from jsorc_gitops.cli.rendering import find_cache
from jsorc_gitops.errors import JsorcError
from jsorc_gitops.model.kept import ParsedFile, format_kept, make_row, may_keep, parse_kept, read_row
from jsorc_gitops.model.layout import FOLDER, compute_folder, is_edited, is_ours
from jsorc_gitops.model.tree import Tree, find_tree, parse_tree

if TYPE_CHECKING:
    from jsorc_gitops.adapters.git import Repository


def read_tree(repository: "Repository", revision: str, *, root: Path, environment: str) -> tuple[Tree, list[str]]:
    """The tree at a commit, and those of its files that somebody edited.

    Raises TreeError, FormatError, or JsorcError where nothing was rendered.
    """
    blobs = repository.list_blobs(revision, FOLDER)
    if not blobs.oids:
        raise JsorcError(
            f"HEAD ({revision[:12]}) has no {repository.prefix}{FOLDER}/; run jsorc render --commit first"
        )
    name = find_tree(blobs.oids, environment, where=FOLDER)
    below = compute_folder(name)
    where = f"{FOLDER}/{below}".rstrip("/")
    mine = {path.removeprefix(below): oid for path, oid in blobs.oids.items() if path.startswith(below)}

    memo, program = MemoFile(find_cache(), root, f"tree-{name}"), get_program_stamp()
    rows = parse_kept(memo.read(), program=program)
    known = {path: read_row(rows[oid], where=f"{where}/{path}") for path, oid in mine.items() if oid in rows}
    texts = blobs.read([f"{below}{path}" for path in mine if path not in known])
    unknown = {path.removeprefix(below): text for path, text in texts.items()}

    fresh: dict[str, ParsedFile] = {}
    tree = parse_tree({**known, **unknown}, name=name, where=where, keep=fresh.__setitem__)
    edited = [path for path, text in unknown.items() if is_edited(path, text)]
    made = {
        mine[path]: make_row(each)
        for path, each in fresh.items()
        if path not in edited and may_keep(path, unknown[path], each)
    }
    if made:
        left = {oid: rows[oid] for oid in mine.values() if oid in rows}
        memo.write(format_kept({**left, **made}, program=program))
    # The line that says whose a file is can be edited away, too.
    applied = {each.where.rpartition(":")[0] for each in tree.manifests.values()}
    own = [path for path in edited if is_ours(path, unknown[path]) or f"{where}/{path}" in applied]
    return tree, [f"{where}/{path}" for path in own]
