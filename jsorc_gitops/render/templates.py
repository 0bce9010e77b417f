"""A service's files to objects: templates are filled with its values, plain YAML is taken as it is."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import Manifest, parse_manifest
from jsorc_gitops.model.services import ServiceFiles
from jsorc_gitops.model.yaml import Document, parse_documents
from jsorc_gitops.render.collect import Collector
from jsorc_gitops.render.placeholders import OPENING
from jsorc_gitops.render.sandbox import Sandbox

TEMPLATE_SUFFIX = ".yaml.j2"
PLAIN_SUFFIX = ".yaml"

_NEARLY = (".yml", ".yml.j2", ".yaml.jinja", ".yaml.jinja2")  # what somebody who means the above may write

VALUES = re.compile(r"values\.([^.]+)\.yaml\Z")  # values.<env>.yaml

_NEWLINE = re.compile(r"\r\n?|\n")
_SECRET = re.compile(r"kind\W+Secret\b")


class Filled(NamedTuple):
    """What the files of a service hold, in their order: plain values, which one process can hand to another."""

    documents: list[tuple[str, Any]]  # where it lies, and the value
    clean: set[str]  # where those lie that can hold no placeholder
    mistakes: list[str]

    def make_manifests(self) -> list[Manifest]:
        """All objects; raises one DefinitionError with a line for each mistake."""
        collector = Collector()
        for line in self.mistakes:
            collector.add(line)
        manifests = []
        for where, value in self.documents:
            with collector:
                manifests.append(parse_manifest(value, where=where))
        collector.check()
        return manifests


class TemplateRenderer:
    """Renders services one after the other; make one for each run."""

    def __init__(self) -> None:
        self._sandbox = Sandbox()

    def fill(self, files: ServiceFiles, context: Mapping[str, Any]) -> Filled:
        """Fill in the templates of a service, and read its plain YAML.

        A mistake names the file, and the line or, in the result of a template, the document.
        """
        self._sandbox.enter(files)
        filled = Filled(documents=[], clean=set(), mistakes=[])
        for name in sorted(files.texts):
            if name != "service.yaml" and not VALUES.match(name):
                try:
                    self._fill_file(files, name, context, filled)
                except DefinitionError as error:
                    filled.mistakes.append(str(error))
        return filled

    def _fill_file(self, files: ServiceFiles, name: str, context: Mapping[str, Any], filled: Filled) -> None:
        place = f"{files.folder}/{name}"
        if name.endswith(TEMPLATE_SUFFIX):
            text = self._sandbox.render_text(name, context)
            documents = _parse_rendered(text, source=f"{place} as rendered")
            places = [f"{place} document {number}" for number in range(1, len(documents) + 1)]
        elif name.endswith(PLAIN_SUFFIX):
            text = files.texts[name]
            documents = parse_documents(text, source=place)
            places = [f"{place}:{document.line}" for document in documents]
        elif name.endswith(_NEARLY):
            raise DefinitionError(f"{place}: would be left out; name it *{PLAIN_SUFFIX} or *{TEMPLATE_SUFFIX}")
        else:
            return
        filled.documents.extend(zip(places, (each.value for each in documents), strict=True))
        # Without these letters, only an escape in a quoted text could make a placeholder.
        if OPENING not in text and "\\" not in text:
            filled.clean.update(places)


def _parse_rendered(text: str, *, source: str) -> list[Document]:
    """The documents that a template made; the error quotes the line that nobody has in a file."""
    try:
        return parse_documents(text, source=source)
    except DefinitionError as error:
        message = str(error)
        place = re.match(rf"{re.escape(source)}:(\d+): ", message)
        # What a Secret says is in no message.
        if place is None or _SECRET.search(text) or not (line := _find_line(text, int(place[1]))):
            raise
        from jsorc_gitops.render.wording import clean_text, shorten

        raise DefinitionError(f"{message}\n    {place[1]} | {shorten(clean_text(line), 120)}") from error


def _find_line(text: str, number: int) -> str:
    """A line of the text, "" where it is blank or behind the last."""
    lines = _NEWLINE.split(text)
    return lines[number - 1].rstrip() if number <= len(lines) else ""
