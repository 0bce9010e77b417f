"""What a new tree changes, in the field's terms; the text of a render commit."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from jsorc_gitops.model.diff import Action, FieldDiff, ObjectDiff, diff_objects, is_record
from jsorc_gitops.model.masks import is_secret
from jsorc_gitops.model.objects import SERVICE_LABEL, Manifest, ObjectRef
from jsorc_gitops.model.tree import PRUNE_TRAILER
from jsorc_gitops.render.wording import SIGNS, clean_text, format_short, shorten

_SUBJECT_LENGTH = 72
_TOLD_WITH_VALUES = frozenset({"image", "replicas", "storage"})
# Where the fields of jsorc's own records begin: what follows says enough.
_SETTINGS, _RECORD = ("data", "settings.json", "settings"), ("data", "service.json")
_SERVICE = ("metadata", "labels", SERVICE_LABEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChange:
    """What happens to one service ("" is the tree itself): one line each."""

    service: str
    lines: tuple[str, ...]
    summary: str


def diff_manifests(
    old: Mapping[ObjectRef, Manifest], new: Mapping[ObjectRef, Manifest]
) -> tuple[ServiceChange, ...]:
    """What differs in meaning between two trees, by service; empty where nothing does."""
    return summarize_diffs(diff_objects(old, new), old, new)


def summarize_diffs(
    diffs: Iterable[ObjectDiff], old: Mapping[ObjectRef, Manifest], new: Mapping[ObjectRef, Manifest]
) -> tuple[ServiceChange, ...]:
    """What diff_objects found in two trees, in a few words for each service."""
    before, after = ({each.service for each in tree.values()} for tree in (old, new))
    changes = []
    for service, group in groupby(diffs, key=lambda each: each.service):
        told = [(diff, _describe(diff)) for diff in group]
        lines = tuple(_format_line(diff, words) for diff, words in told)
        summary = _summarize(service, told, is_new=service not in before, is_gone=service not in after)
        changes.append(ServiceChange(service=service, lines=lines, summary=summary))
    return tuple(changes)


def format_message(
    changes: Sequence[ServiceChange], *, source: str, digest: str, version: str, allow_prune: Collection[str] = ()
) -> str:
    """A commit message: a subject, a paragraph per service, trailers that git interpret-trailers reads."""
    from jsorc_gitops.model.commits import DIGEST_TRAILER, SOURCE_TRAILER

    # Without changed objects it is a consent, or the files' layout of another version of jsorc.
    silent = f"allow pruning {', '.join(sorted(allow_prune))}" if allow_prune else "files"
    subject = "render: " + ("; ".join(change.summary for change in changes) or silent)
    if len(subject) > _SUBJECT_LENGTH:
        names = [change.service or "settings" for change in changes]
        subject = "render: " + ", ".join(names)
    if len(subject) > _SUBJECT_LENGTH:
        subject = f"render: {len(changes)} services"
    paragraphs = [
        "\n".join([f"{change.service or 'tree'}:", *(f"  {line}" for line in change.lines)]) for change in changes
    ]
    trailers = [f"{SOURCE_TRAILER}: {source}", f"{DIGEST_TRAILER}: {digest}", f"Jsorc-Version: {version}"]
    trailers += [f"{PRUNE_TRAILER}: {service}" for service in sorted(allow_prune)]
    return "\n\n".join([subject, *paragraphs, "\n".join(trailers)]) + "\n"


def _format_line(diff: ObjectDiff, words: Sequence[str]) -> str:
    line = clean_text(f"{SIGNS[diff.action]} {diff.ref.kind}/{diff.ref.name}")
    return f"{line}: {', '.join(words)}" if words else line


def _summarize(
    service: str, told: Sequence[tuple[ObjectDiff, Sequence[str]]], *, is_new: bool, is_gone: bool
) -> str:
    if not service:
        return "settings"
    if is_new or is_gone:
        return f"{service} added" if is_new else f"{service} removed"
    # Records follow from the rest, so they speak only where nothing else does.
    spoken = [text for diff, words in told if not is_record(diff.ref) for text in words]
    spoken = spoken or [text for _, words in told for text in words]
    return f"{service} {', '.join(dict.fromkeys(spoken)) or 'changed'}"


def _describe(diff: ObjectDiff) -> list[str]:
    """The changed fields of one object, those a reviewer asks for first with their values."""
    if diff.action is not Action.CHANGED:
        return []
    # Of a Secret not even the names of its keys; and a null that is now absent changes no field.
    if is_secret(diff.ref) or not diff.fields:
        return ["changed"]
    return [_describe_field(each) for each in diff.fields]


def _describe_field(field: FieldDiff) -> str:
    if field.path == _SERVICE:
        return f"from {field.before or 'the tree'}"
    for prefix in (_SETTINGS, _RECORD):
        if field.path[: len(prefix)] == prefix and field.path != prefix:
            field = replace(field, path=field.path[len(prefix) :])
            # What a service's config holds is nobody's to tell in a commit message.
            return clean_text(field.spelled) if field.path[:1] == ("config",) else _describe_setting(field)
    if field.path[-1:] and field.path[-1] in _TOLD_WITH_VALUES and None not in (field.before, field.after):
        before, after = str(field.before), str(field.after)
        return f"{field.path[-1]} {_short_image(before, after)}→{_short_image(after, before)}"
    return clean_text(field.spelled)


def _describe_setting(field: FieldDiff) -> str:
    """'interval 10→20', 'keep_alive +mail'; order and what has fields of its own by name alone."""
    before, after = field.before, field.after
    in_list = field.path[-1].startswith("[")
    name = clean_text(replace(field, path=field.path[:-1] if in_list else field.path).spelled)
    if field.reordered or isinstance(before, dict) or isinstance(after, dict):
        return name
    if before is None or after is None:
        return f"{name} +{format_short(after)}" if before is None else f"{name} -{format_short(before)}"
    return f"{name} {format_short(before)}→{format_short(after)}"


def _short_image(image: str, other: str) -> str:
    """An image without the repository both have: redis:6→7 says enough."""
    repository, colon, tag = image.rpartition(":")
    return shorten(clean_text(tag if colon and other.rpartition(":")[0] == repository else image))
