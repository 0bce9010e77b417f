"""What a new tree changes, in the field's terms; the text of a render commit."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsorc_gitops.model.objects import Manifest, ObjectRef
from jsorc_gitops.model.tree import PRUNE_TRAILER, RECORD_PREFIX, hash_value

_SUBJECT_LENGTH = 72


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
    services = sorted({each.service for each in (*old.values(), *new.values())})
    changes = (
        _diff_service(service, _of_service(old, service), _of_service(new, service)) for service in services
    )
    return tuple(change for change in changes if change.lines)


def format_message(
    changes: Sequence[ServiceChange], *, source: str, digest: str, version: str, allow_prune: Collection[str] = ()
) -> str:
    """A commit message: a subject, a paragraph per service, trailers that git interpret-trailers reads."""
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
    trailers = [f"Jsorc-Source: {source}", f"Jsorc-Digest: {digest}", f"Jsorc-Version: {version}"]
    trailers += [f"{PRUNE_TRAILER}: {service}" for service in sorted(allow_prune)]
    return "\n\n".join([subject, *paragraphs, "\n".join(trailers)]) + "\n"


def _of_service(manifests: Mapping[ObjectRef, Manifest], service: str) -> dict[ObjectRef, Manifest]:
    return {ref: each for ref, each in manifests.items() if each.service == service}


def _diff_service(
    service: str, old: Mapping[ObjectRef, Manifest], new: Mapping[ObjectRef, Manifest]
) -> ServiceChange:
    added, removed = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    common = sorted(old.keys() & new.keys())
    changed = [ref for ref in common if hash_value(old[ref].body) != hash_value(new[ref].body)]
    details = {ref: _describe(old[ref].body, new[ref].body) for ref in changed}
    lines = [f"+ {_name(ref)}" for ref in added]
    lines += [f"~ {_name(ref)}: {', '.join(details[ref])}" for ref in changed]
    lines += [f"- {_name(ref)}" for ref in removed]
    return ServiceChange(service=service, lines=tuple(lines), summary=_summarize(service, old, new, details))


def _summarize(
    service: str,
    old: Mapping[ObjectRef, Manifest],
    new: Mapping[ObjectRef, Manifest],
    details: Mapping[ObjectRef, Sequence[str]],
) -> str:
    if not service:
        return "settings"
    if not old:
        return f"{service} added"
    if not new:
        return f"{service} removed"
    # Records follow from the rest, so they speak only where nothing else does.
    spoken = [text for ref, texts in details.items() if not ref.name.startswith(RECORD_PREFIX) for text in texts]
    return f"{service} {', '.join(dict.fromkeys(spoken)) or 'changed'}"


def _name(ref: ObjectRef) -> str:
    return f"{ref.kind}/{ref.name}"


def _describe(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The changed fields of one object, those a reviewer asks for first with their values."""
    if new["kind"] == "Secret":
        return ["changed"]
    told = []
    for path, before, after in _diff_values(old, new, ()):
        name = _spell(path)
        if path[-1] in {"image", "replicas", "storage"} and before is not None and after is not None:
            told.append(f"{path[-1]} {_short(before, after)}→{_short(after, before)}")
        else:
            told.append(name)
    return told or ["changed"]  # an empty value that is now absent, or the other way round


def _short(value: Any, other: Any) -> str:
    """An image without the repository both have: redis:6→7 says enough."""
    text, other = str(value), str(other)
    repository, colon, tag = text.rpartition(":")
    return tag if colon and other.rpartition(":")[0] == repository else text


def _diff_values(old: Any, new: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any, Any]]:
    """(path, before, after) of every smallest part that differs; lists by position."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = sorted(old.keys() | new.keys())
        return [found for key in keys for found in _diff_values(old.get(key), new.get(key), (*path, key))]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [found for index, (a, b) in pairs for found in _diff_values(a, b, (*path, f"[{index}]"))]
    # 1 and true are equal to Python, and different to Kubernetes.
    return [] if (type(old), old) == (type(new), new) else [(path, old, new)]


def _spell(path: tuple[str, ...]) -> str:
    return ".".join(path).replace(".[", "[")
