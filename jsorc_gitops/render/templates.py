"""Fills one service's templates with its values; the only module that knows Jinja2.

Templates see values and nothing else: no clock, no environment, no file outside the service's folder.
"""

import re
from collections.abc import Mapping
from traceback import extract_tb
from typing import Any, NoReturn

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.objects import Manifest, parse_manifest
from jsorc_gitops.model.services import ServiceFiles
from jsorc_gitops.model.yaml import format_yaml, parse_documents

TEMPLATE_SUFFIX = ".yaml.j2"
PLAIN_SUFFIX = ".yaml"

_NEARLY = (".yml", ".yml.j2", ".yaml.jinja", ".yaml.jinja2")  # what somebody who means the above may write

_VALUES = re.compile(r"values\.[^.]+\.yaml\Z")  # values.<env>.yaml

# What filling a template raises where the template is wrong: it may divide by zero, index a number or
# include itself as well as name what is not there.
_MISTAKES = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

# What a template may print. Anything else is a mistake (a filter without `| list`, a method that is not
# called) and would print its address in memory, another one in every run.
_PRINTABLE = (str, int, float, list, tuple, dict, type(None), jinja2.Undefined)


class _Undefined(jinja2.StrictUndefined):
    """A name that is not there, and that no list or mapping printed around it hides."""

    __repr__ = jinja2.StrictUndefined.__str__


def render_manifests(files: ServiceFiles, context: Mapping[str, Any]) -> list[Manifest]:
    """All objects of a service, in the order of its files; raise DefinitionError with file and line."""
    environment = _make_environment(files)
    manifests = []
    for name, text in sorted(files.texts.items()):
        source = f"{files.folder}/{name}"
        if name == "service.yaml" or _VALUES.match(name):
            continue
        if name.endswith(TEMPLATE_SUFFIX):
            rendered = _render_text(environment, name, context, files=files)
            source = f"{source} as rendered"
        elif name.endswith(PLAIN_SUFFIX):
            rendered = text
        elif name.endswith(_NEARLY):
            raise DefinitionError(f"{source}: would be left out; name it *{PLAIN_SUFFIX} or *{TEMPLATE_SUFFIX}")
        else:
            continue
        manifests += [
            parse_manifest(document.value, where=f"{source}:{document.line}")
            for document in parse_documents(rendered, source=source)
        ]
    return manifests


def _make_environment(files: ServiceFiles) -> jinja2.Environment:
    def load(name: str) -> tuple[str, str, None] | None:
        text = files.texts.get(name)
        return None if text is None else (text, f"{files.folder}/{name}", None)

    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(load),
        undefined=_Undefined,
        finalize=_refuse_unprintable,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["to_yaml"] = lambda value: format_yaml(value).rstrip("\n")
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "default": _refuse_value}
    # Jinja2's own generators of random numbers and texts would make two renderings differ.
    del environment.filters["random"]
    del environment.globals["lipsum"]
    return environment


def _render_text(
    environment: jinja2.Environment, name: str, context: Mapping[str, Any], *, files: ServiceFiles
) -> str:
    outermost = f"{files.folder}/{name}"
    try:
        return environment.get_template(name).render(context)
    except jinja2.TemplateSyntaxError as error:
        raise DefinitionError(f"{error.filename or outermost}:{error.lineno}: {error.message}") from error
    except jinja2.TemplateNotFound as error:
        place = _find_place(error, files.folder, outermost)
        raise DefinitionError(f"{place}: no file {error} in {files.folder}") from error
    except _MISTAKES as error:
        raise DefinitionError(f"{_find_place(error, files.folder, outermost)}: {error}") from error


def _find_place(error: Exception, folder: str, outermost: str) -> str:
    """File and line: Jinja2 rewrites tracebacks so that the last frame of a template has them."""
    frames = [frame for frame in extract_tb(error.__traceback__) if frame.filename.startswith(f"{folder}/")]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else f"{outermost}:1"


def _refuse_unprintable(value: object) -> object:
    if value is None:
        return "null"  # Python's word for it would be a text to YAML
    return value if isinstance(value, _PRINTABLE) else _refuse_value(value)


def _refuse_value(value: object) -> NoReturn:
    # Spelled out, an undefined name raises its own error, which says more.
    raise TypeError(f"{value} is no value; a filter may lack `| list`, a method its parentheses")
