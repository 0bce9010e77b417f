"""The sandbox that templates are filled in; the only module that knows Jinja2.

Templates see values and nothing else: no clock, no environment, no file outside the service's folder. What they
may do is limited (limits.py), so that no template harms who renders it.
"""

import re
from collections.abc import Mapping
from itertools import islice
from traceback import walk_tb
from types import CodeType
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.runtime import BlockReference, Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, pass_eval_context

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.fields import find_near
from jsorc_gitops.model.services import ServiceFiles
from jsorc_gitops.render.filters import to_json, to_yaml
from jsorc_gitops.render.limits import CHARACTERS, LARGEST, LimitError, Limits

# What filling a template raises where the template is wrong: it may divide by zero, index a number or
# include itself as well as name what is not there.
_MISTAKES = (
    jinja2.TemplateError,
    ArithmeticError,
    AssertionError,  # of truncate
    AttributeError,
    LimitError,
    LookupError,
    MemoryError,
    NameError,  # of 1e400, which Jinja2 compiles to Python's word for it
    RecursionError,
    RuntimeError,  # cycler()
    TypeError,
    ValueError,
)

# Randomness; HTML, which YAML is not; and two that take a time that cannot be told from their input.
_NO_FILTERS = (
    *("e", "escape", "forceescape", "pprint", "random", "safe", "striptags", "urlize", "wordwrap", "xmlattr"),
)
# str.format reads attributes behind the sandbox's back (CVE-2016-10745, CVE-2024-56326). The others make
# bytes, or texts of any size.
_NO_METHODS = frozenset(["format", "format_map", "encode", "expandtabs", "striptags", "to_bytes", "translate"])
# What only templates define; calling it costs what its body costs.
_OF_TEMPLATES = (BlockReference, LoopContext, Macro)

# Filters that compiled templates call without having named them; no template can.
_ENTER, _PAY, _PAY_PLAIN = "enter ", "pay ", "pay plain"
_BODIES = {nodes.Template: 100, nodes.Block: 50, nodes.CallBlock: 50, nodes.Macro: 50, nodes.For: 10}  # steps

# Keys that a near one is looked for among, and characters of one: comparing takes its time.
_MOST, _LONGEST = 1_000, 64

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class Sandbox:
    """Fills in the templates of one service after the other; those of the same text are compiled once."""

    def __init__(self) -> None:
        self._environment = Environment()
        self._templates: dict[str, jinja2.Template] = {}

    def enter(self, files: ServiceFiles) -> None:
        """From now on, these are the files that templates are taken from and may include."""
        self._folder = files.folder
        self._environment.loader = _Folder(files, self._templates)

    def render_text(self, name: str, context: Mapping[str, Any]) -> str:
        """What a template of the folder makes; raise DefinitionError with file and line."""
        outermost = f"{self._folder}/{name}"
        self._environment.limits.refill()
        try:
            text = self._environment.get_template(name).render(context)
        except _MISTAKES as error:
            place = _find_place(error, self._folder, outermost)
            raise DefinitionError(f"{place}: {_explain(error, self._folder)}") from error
        if len(text) > LARGEST:
            raise DefinitionError(f"{outermost}: makes {len(text):,} characters; {LARGEST:,} is the limit")
        return text


class _Undefined(jinja2.StrictUndefined):
    """A name that is not there, and that no list or mapping printed around it hides."""

    __repr__ = jinja2.StrictUndefined.__str__

    @property
    def _undefined_message(self) -> str:
        """What a mapping lacks, in plain words; the rest as Jinja2 says it."""
        name, values = self._undefined_name, self._undefined_obj
        if self._undefined_hint is not None or not isinstance(values, Mapping) or not isinstance(name, str):
            return super()._undefined_message
        near = find_near(name[:_LONGEST], [each for each in islice(values, _MOST) if _is_short(each)])
        return f"no key {name!r} here{f'; did you mean {near}?' if near else ''}"


def _is_short(key: object) -> bool:
    return isinstance(key, str) and len(key) <= _LONGEST


class Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which everything that could go on or grow without end is paid for."""

    intercepted_binops = frozenset(["+", "*", "**", "%"])
    namespace = Namespace  # what a call of namespace() means, beside the variable of that name

    def __init__(self) -> None:
        super().__init__(
            undefined=_Undefined,
            finalize=self._finalize,
            autoescape=False,
            optimized=False,  # would compute constant parts while compiling, before anything is counted
            cache_size=0,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self.limits = Limits(_refuse_value)
        for name in _NO_FILTERS:
            del self.filters[name]
        self.filters |= {"to_yaml": to_yaml, "tojson": to_json}
        self.filters = {name: self.limits.guard_filter(name, each) for name, each in self.filters.items()}
        self.filters |= {_ENTER: self._enter, _PAY: self.limits.weigh_any, _PAY_PLAIN: self.limits.weigh_plain}
        tests: Mapping[str, Any] = self.tests
        self.tests = {name: self.limits.guard_test(each) for name, each in tests.items()}
        # Random texts; and a name that is a variable here, told apart where it is called.
        del self.globals["lipsum"], self.globals["namespace"]
        # Of the class, dict["x"].update would be a method that changes values, and not be known for one.
        self.globals["dict"] = _make_dict

    def compile_text(self, text: str) -> CodeType:
        """Compile a template whose loops, macros, blocks and operations pay for themselves."""
        template = self.parse(text)
        for node in list(template.find_all(nodes.Node)):
            if type(node) in _BODIES:
                _charge_body(node, sum(map(_measure, node.find_all(nodes.Node))))
            else:
                _charge_operation(node)
        _charge_body(template, len(text) // CHARACTERS)
        return self.compile(template)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        # By way of its class, a method that changes a value would not be known for one: dict.update(values).
        return (
            attr not in _NO_METHODS and not isinstance(obj, type) and super().is_safe_attribute(obj, attr, value)
        )

    def wrap_str_format(self, value: object) -> None:  # noqa: ARG002 - no format method is let through at all
        return None

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        if isinstance(function, _OF_TEMPLATES):
            return super().call(context, function, *args, **kwargs)
        args = self.limits.check_call(function, args)
        return self.limits.weigh_any(super().call(context, function, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002
        return self.limits.apply(operator, self.binop_table[operator], left, right)

    def _enter(self, steps: int) -> bool:
        return self.limits.spend(abs(steps))

    @pass_eval_context  # else Jinja2 would print constants while compiling
    def _finalize(self, _: object, value: Any) -> Any:
        if type(value) is str:
            return self.limits.weigh_text(value)
        if value is None:
            return "null"  # Python's word for it would be a text to YAML
        return self.limits.weigh_plain(value)


class _Folder(jinja2.BaseLoader):
    """The files of one service, and nothing else; templates of the same text are one, whoever has it."""

    def __init__(self, files: ServiceFiles, templates: dict[str, jinja2.Template]) -> None:
        self._files = files
        self._templates = templates

    def load(self, environment: jinja2.Environment, name: str, globals: Any = None) -> jinja2.Template:  # noqa: A002
        text = self._files.texts.get(name)
        if text is None:
            raise jinja2.TemplateNotFound(name)
        place = f"{self._files.folder}/{name}"
        if text not in self._templates:
            code = _compile(environment, text, place)
            self._templates[text] = jinja2.Template.from_code(environment, code, globals)
        template = self._templates[text]
        template.name, template.filename = name, place
        # What an import had made of it for another service cost steps that this one has not paid.
        template._module = None  # noqa: SLF001
        return template


def _compile(environment: Any, text: str, place: str) -> CodeType:
    try:
        return environment.compile_text(text)  # type: ignore[no-any-return]
    except jinja2.TemplateSyntaxError as error:
        raise DefinitionError(f"{place}:{error.lineno}: {error.message}") from error
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise DefinitionError(f"{place}: blocks or expressions lie too deep in each other") from error
    except ValueError as error:
        raise DefinitionError(f"{place}: {error}") from error


def _make_dict(*args: Any, **kwargs: Any) -> dict[Any, Any]:
    return dict(*args, **kwargs)


def _charge_body(node: Any, weight: int) -> None:
    """Have a body pay each time that it is entered, and a loop's condition each time that it is asked."""
    enter = _make_filter(_ENTER, nodes.Const(_BODIES[type(node)] + weight, lineno=node.lineno))
    node.body.insert(0, nodes.ExprStmt(enter, lineno=node.lineno))
    if isinstance(node, nodes.For) and node.test is not None:
        ask = _make_filter(_ENTER, nodes.Const(_BODIES[nodes.For], lineno=node.lineno))
        node.test = nodes.And(ask, node.test, lineno=node.lineno)


def _measure(node: nodes.Node) -> int:
    return 1 + (len(node.data) // CHARACTERS if isinstance(node, nodes.TemplateData) else 0)


def _charge_operation(node: Any) -> None:
    match node:
        case nodes.Call(node=nodes.Name(name="namespace")):
            node.node = nodes.EnvironmentAttribute("namespace", lineno=node.lineno)
        case nodes.Compare():
            node.expr = _charge(node.expr, _PAY)
            for operand in node.ops:
                operand.expr = _charge(operand.expr, _PAY)
        case nodes.Concat():
            node.nodes = [_charge(each, _PAY_PLAIN) for each in node.nodes]
        case nodes.Getitem(arg=nodes.Slice()):
            node.node = _charge(node.node, _PAY)
        case nodes.Getitem():
            node.arg = _charge(node.arg, _PAY)
        case nodes.Pair():
            node.key = _charge(node.key, _PAY)


def _charge(value: nodes.Expr, name: str) -> nodes.Expr:
    # A constant is as large as the template that it stands in, which is paid for.
    return value if isinstance(value, nodes.Const) else _make_filter(name, value)


def _make_filter(name: str, value: nodes.Expr) -> nodes.Expr:
    return nodes.Filter(value, name, [], [], None, None, lineno=value.lineno)


def _find_place(error: Exception, folder: str, outermost: str) -> str:
    """File and line: Jinja2 rewrites tracebacks so that the last frame of a template has them."""
    place = f"{outermost}:1"
    for frame, line in walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith(f"{folder}/"):
            place = f"{frame.f_code.co_filename}:{line}"
    return place


def _explain(error: Exception, folder: str) -> str:
    match error:
        case jinja2.TemplateNotFound():
            names = " or ".join(map(str, error.templates)) or "without a name"
            return f"no file {names} in {folder}"
        case RecursionError():
            return "calls or includes itself too often"
        case MemoryError():
            return "needs more memory than there is"
        case NameError():
            return "holds a number beyond the range of 64-bit floats"
    return " ".join(str(error).split())


def _refuse_value(value: object) -> None:
    # Spelled out, an undefined name raises its own error; an `if` without `else` is empty.
    spelled = _ADDRESS.sub("", f"{value}")
    if not isinstance(value, jinja2.Undefined):
        raise TypeError(f"{spelled} is no value; a filter may lack `| list`, a method its parentheses")
