"""YAML both ways: model/blocks reads usual texts, model/libyaml the others, and model/emitter writes."""

from collections.abc import Iterator
from functools import partial

from jsorc_gitops.model.blocks import read_blocks
from jsorc_gitops.model.document import MAX_LENGTH, Document, Part
from jsorc_gitops.model.emitter import format_documents, format_yaml

__all__ = ["MAX_LENGTH", "Document", "format_documents", "format_yaml", "parse_documents"]


def parse_documents(text: str, *, source: str) -> list[Document]:
    """Read all documents of `text` as kubectl reads them; empty ones are left out.

    Raises DefinitionError with source and line for what is no YAML, what JSON cannot say, what readers take
    differently, and what is longer than MAX_LENGTH or more than 100 collections deep.
    """
    if len(text) <= MAX_LENGTH and (blocks := read_blocks(text)) is not None:
        return [Document(each.value, each.line, partial(_list_parts, text, each.place)) for each in blocks]
    # Most runs never get here: importing PyYAML takes as long as reading hundreds of manifests.
    from jsorc_gitops.model import libyaml

    return libyaml.parse_documents(text, source=source)


def _list_parts(text: str, place: int) -> Iterator[Part]:
    from jsorc_gitops.model import libyaml

    return libyaml.list_parts(text, place)
