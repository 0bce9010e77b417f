"""Holds what a tool wrote against what it should have written."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from bench.objects import Object

_OURS = "jsorc."  # the names of jsorc's records and settings, and its labels, begin so


class CheckError(Exception):
    """An output is not what it should be; the message names the first object that differs."""


def check_objects(found: Iterable[Object], wanted: Iterable[Object]) -> None:
    """Raise CheckError unless both hold the same objects, each once, in whatever order."""
    left, right = _index(found), _index(wanted)
    if missing := right.keys() - left.keys():
        raise CheckError(f"{min(missing)} is missing, and {len(missing) - 1} more")
    if strange := left.keys() - right.keys():
        raise CheckError(f"{min(strange)} should not be there, nor {len(strange) - 1} more")
    # As JSON: to Python, true equals 1.
    if different := [key for key in right if _spell(left[key]) != _spell(right[key])]:
        key = min(different)
        raise CheckError(
            f"{key} differs, and {len(different) - 1} more:\n{_spell(left[key])}\n{_spell(right[key])}"
        )


def read_jsorc(folder: Path) -> Iterator[Object]:
    """The objects of a rendered tree without what jsorc adds: its records, settings and labels."""
    for each in read_folder(folder):
        metadata = each["metadata"]
        if metadata["name"].startswith(_OURS):
            continue
        labels = {key: text for key, text in metadata["labels"].items() if not key.startswith(_OURS)}
        yield {**each, "metadata": {**metadata, "labels": labels}}


def read_folder(folder: Path) -> Iterator[Object]:
    """The objects in all YAML files below a folder but the lists of files."""
    for path in sorted(folder.rglob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from read_file(path)


def read_file(path: Path) -> Iterator[Object]:
    with path.open(encoding="utf-8") as stream:
        yield from (each for each in yaml.load_all(stream, Loader=yaml.CSafeLoader) if each is not None)


def hash_output(path: Path) -> str:
    """One digest over a file, or over the names and bytes of all files below a folder."""
    digest = hashlib.sha256()
    for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if each.is_file():
            content = each.read_bytes()
            digest.update(f"{each.relative_to(path)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _index(objects: Iterable[Object]) -> dict[tuple[str, str, str], Object]:
    indexed: dict[tuple[str, str, str], Object] = {}
    for each in objects:
        key = (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"])
        if key in indexed:
            raise CheckError(f"{key} is there twice")
        indexed[key] = each
    return indexed


def _spell(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
