"""Whether two renderings of the same definitions, under other circumstances, are the same bytes."""

from collections.abc import Iterator

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.diff import FieldDiff, ObjectDiff, diff_objects
from jsorc_gitops.model.layout import FOLDER, Files, compute_folder, compute_path, diff_files
from jsorc_gitops.model.masks import mask_manifests
from jsorc_gitops.render.findings import Finding, FindingsError, Rule
from jsorc_gitops.render.publish import Manifests, Rendering, read_touched
from jsorc_gitops.render.wording import format_short


def check_again(rendering: Rendering, again: Files, *, mask_key: bytes) -> None:
    """Raise FindingsError with every field that differs in `again`, the files of the second rendering."""
    diff = diff_files(rendering.files, again)
    touched = {*diff.added, *diff.changed, *diff.removed}
    findings: list[Finding] = []
    for tree in rendering.trees:
        second, first = read_touched(tree, rendering.trees, again, diff)
        diffs = diff_objects(mask_manifests(first, mask_key), mask_manifests(second, mask_key))
        findings += [each for one in diffs for each in _make_findings(one, {**second, **first}, tree)]
    if findings:
        raise FindingsError(findings)
    if touched:
        raise DefinitionError(f"{FOLDER}/{min(touched)} is other bytes when it is rendered a second time")


def _make_findings(diff: ObjectDiff, manifests: Manifests, tree: str) -> Iterator[Finding]:
    manifest = manifests[diff.ref]
    # What was read back from a file, and a service's record, do not know which definition made them.
    made_by = manifest.where if manifest.where.startswith("templates/") else ""
    origin = f"templates/{diff.service}" if diff.service else "jsorc.yaml"
    place = f"{FOLDER}/{compute_folder(tree)}{compute_path(manifest, tree=tree)}"
    for field in diff.fields:
        yield Finding(
            where=made_by or origin,
            ref=diff.ref,
            path=field.spelled,
            message=f"{_describe(field)} ({place})",
            rule=Rule.NOT_DETERMINISTIC,
        )


def _describe(field: FieldDiff) -> str:
    if field.reordered:
        return "comes in another order when it is rendered a second time"
    if not field.path:
        return f"is there only when it is rendered {'a second time' if field.before is None else 'first'}"
    before, after = ("nothing" if each is None else format_short(each) for each in (field.before, field.after))
    return f"is {before}, and {after} when it is rendered a second time"
