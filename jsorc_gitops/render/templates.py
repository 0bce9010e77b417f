"""Fills one service's templates with its values; the only module that knows Jinja2.

Templates see values and nothing else: no clock, no environment, no file outside the service's folder.
"""

from collections.abc import Mapping
from traceback import extract_tb
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import Manifest, parse_manifest
from jsorc_gitops.model.services import ServiceFiles
from jsorc_gitops.model.yaml import format_yaml, parse_documents

TEMPLATE_SUFFIX = ".yaml.j2"
PLAIN_SUFFIX = ".yaml"

_NOT_OBJECTS = ("service.yaml", "values.")


def render_manifests(files: ServiceFiles, context: Mapping[str, Any]) -> list[Manifest]:
    """All objects of a service, in the order of its files; raise DefinitionError with file and line."""
    environment = _make_environment(files)
    manifests = []
    for name, text in sorted(files.texts.items()):
        source = f"{files.folder}/{name}"
        if name.startswith(_NOT_OBJECTS):
            continue
        if name.endswith(TEMPLATE_SUFFIX):
            rendered = _render_text(environment, name, context, source=source)
            source = f"{source} as rendered"
        elif name.endswith(PLAIN_SUFFIX):
            rendered = text
        else:
            continue
        manifests += [
            parse_manifest(document.value, where=f"{source}:{document.line}")
            for document in parse_documents(rendered, source=source)
        ]
    return manifests


def _make_environment(files: ServiceFiles) -> jinja2.Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.DictLoader(dict(files.texts)),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["to_yaml"] = lambda value: format_yaml(value).rstrip("\n")
    # Jinja2's own generators of random numbers and texts would make two renderings differ.
    del environment.filters["random"]
    del environment.globals["lipsum"]
    return environment


def _render_text(environment: jinja2.Environment, name: str, context: Mapping[str, Any], *, source: str) -> str:
    try:
        return environment.get_template(name).render(context)
    except jinja2.TemplateSyntaxError as error:
        raise DefinitionError(f"{source}:{error.lineno}: {error.message}") from error
    # A template may divide by zero or index a number as well as name what is not there.
    except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise DefinitionError(f"{source}:{_find_line(error)}: {error}") from error


def _find_line(error: Exception) -> int:
    """The template's line: Jinja2 rewrites tracebacks so that the last frame of a template has it."""
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == "<template>"]
    return lines[-1] or 1 if lines else 1
