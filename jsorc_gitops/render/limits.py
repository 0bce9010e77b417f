"""How much a template may do and make.

Counted in steps, never in time, so that a template ends at the same place on every machine. What could grow
without measure is estimated before it is made.
"""

import re
from collections.abc import Callable, MappingView
from functools import wraps
from typing import Any

STEPS = 5_000_000
LARGEST = 16 * 2**20  # characters or items at once

CHARACTERS = 16  # that make one step
_DEEPEST = 100  # levels of lists and mappings in each other
_WIDEST = 10_000  # columns, digits, parts
_BITS = 4_096  # of a whole number
_SLOW = {"title": 10, "to_yaml": 50}  # steps for each step that its value weighs

# Filters that take values of any kind. All others make texts, and a text of something that is no value
# would hold its address in memory, another one in every run.
_OF_ANY = frozenset(
    {
        *("attr", "batch", "count", "d", "default", "dictsort", "first", "groupby", "items", "last", "length"),
        *("list", "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr", "slice"),
        *("sort", "sum", "unique"),
    }
)
_WIDENING = frozenset(["batch", "center", "indent", "ljust", "rjust", "round", "slice", "truncate", "zfill"])
_GROWING = _WIDENING | {"format", "join", "replace", "sum"}
_CONVERSION = re.compile(r"%(?:\([^)]*\))?[-+ #0]*(\*|[0-9]*)(?:\.(\*|[0-9]*))?")

_SEQUENCES = (list, tuple)
_SCALARS = (int, float, type(None))


class LimitError(Exception):
    """A template does or makes more than it may; the message says what."""


class Limits:
    """The steps that a template has left, and what each thing it does takes of them.

    `refuse` raises for what is no value: neither text, number, boolean, null, list nor mapping.
    """

    def __init__(self, refuse: Callable[[object], object]) -> None:
        self._refuse = refuse
        self._left = 0

    def refill(self) -> None:
        self._left = STEPS

    def spend(self, steps: int) -> bool:
        """Take steps away; True, so that it can stand in a condition. Raises LimitError where none are left."""
        self._left -= steps
        if self._left < 0:
            raise LimitError(
                f"takes more than {STEPS:,} steps; a loop or a recursion has no end, or a text is too large"
            )
        return True

    def weigh(self, value: Any, *, plain: bool = False) -> int:
        """Spend the steps it takes to read a value with all that is in it; returns how many.

        Where a `plain` value is asked for, `refuse` is called with everything in it that is none.
        """
        cost = 1 + len(value) // CHARACTERS if isinstance(value, str) else isinstance(value, _SCALARS)
        if cost:
            self.spend(cost)
            return cost
        before = self._left
        level: list[Any] = [value]
        for depth in range(_DEEPEST):
            self.spend(len(level) * (1 + depth // 8))
            level = self._open(level, plain=plain)
            if not level:
                return before - self._left
        raise LimitError(f"makes lists or mappings more than {_DEEPEST} levels deep")

    def _open(self, level: list[Any], *, plain: bool) -> list[Any]:
        """What is in these values, one level below."""
        below: list[Any] = []
        for each in level:
            if isinstance(each, str):
                self.spend(len(each) // CHARACTERS)
            elif isinstance(each, _SCALARS):
                pass
            elif isinstance(each, _SEQUENCES):
                below += each
            elif isinstance(each, dict):
                below += each
                below += each.values()
            elif isinstance(each, MappingView) and not plain:
                below += each  # type: ignore[arg-type]
            elif plain:
                self._refuse(each)
        return below

    def weigh_text(self, value: str) -> str:
        """The same for a text, which most values are."""
        self._left -= 1 + len(value) // CHARACTERS
        if self._left < 0:
            self.spend(0)
        return value

    def weigh_any(self, value: Any) -> Any:
        self.weigh(value)
        return value

    def weigh_plain(self, value: Any) -> Any:
        self.weigh(value, plain=True)
        return value

    def guard_filter(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same filter, paying for what it is given and for what it makes."""
        hidden = int(hasattr(function, "jinja_pass_arg"))  # the context or environment comes first
        plain, grows = name not in _OF_ANY, name in _GROWING

        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            value, *rest = args[hidden:]
            if name in {"join", "sum"}:
                value = list(value)
            cost = self.weigh(value, plain=plain)
            if name in _SLOW:
                self.spend(cost * _SLOW[name])
            if grows:
                self._check_growth(name, value, (*rest, *kwargs.values()))
            result = function(*args[:hidden], value, *rest, **kwargs)
            self.weigh(result)
            return result

        return guarded

    def guard_test(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def guarded(*args: Any) -> Any:
            self.weigh(args)
            return function(*args)

        return guarded

    def check_call(self, function: object, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Pay for a call of something that templates do not define: a method of a value, dict(), cycler().

        Returns the arguments to call it with.
        """
        owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
        if isinstance(owner, dict):
            self.spend(len(owner))
            return args
        if isinstance(owner, str):
            if name == "join":
                args = tuple(list(each) for each in args)
            # A search from the right may look at the whole text for every character of what it searches.
            self.spend(len(owner) * _measure_longest(args) // 1024)
            self._check_growth(name, owner, args)
        self.weigh((owner, args))
        return args

    def apply(self, operator: str, function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        """The result of `left operator right`, unless it would be too large."""
        match operator:
            case "%" if isinstance(left, str):
                self._check_format(left, right)
            case "**" if isinstance(left, int) and isinstance(right, int):
                self._check_bits(left.bit_length() * right)
            case "*" if isinstance(left, int) and isinstance(right, int):
                self._check_bits(left.bit_length() + right.bit_length())
            case "*":
                self._check_repetition(left, right)
                self._check_repetition(right, left)
            case _:
                for each in (left, right):
                    self.spend(len(each) if isinstance(each, (str, *_SEQUENCES)) else 1)
        return function(left, right)

    def _check_growth(self, name: str, value: Any, args: tuple[Any, ...]) -> None:
        width = max((abs(each) for each in args if isinstance(each, int)), default=0)
        if name in _WIDENING and width > _WIDEST:
            raise LimitError(f"{name}: {width:,} is too wide; {_WIDEST:,} is the limit")
        longest = _measure_longest(args)
        match name:
            case "format":
                self._check_format(str(value), args)
            case "indent":
                self._check_size(str(value).count("\n") * max(width, longest))
            case "join":
                self._check_size(len(value) * longest)
            case "replace":
                found = max((str(value).count(each) for each in args if isinstance(each, str)), default=0)
                self._check_size(found * longest)
            case "sum" if any(isinstance(each, _SEQUENCES) for each in args):
                # Every list that is added makes a new and longer one.
                self.spend(len(value) * self.weigh(value) // 64)

    def _check_format(self, text: str, args: Any) -> None:
        weight = self.weigh(args, plain=True)
        numbers = [number for match in _CONVERSION.findall(text) for number in match]
        if any(number == "*" or len(number) > len(str(_WIDEST)) for number in numbers):
            raise LimitError(f"a width in a format is no number, or more than {_WIDEST:,}")
        self._check_size(sum(int(number) for number in numbers if number))
        self.spend(text.count("%") * weight)

    def _check_repetition(self, value: object, times: object) -> None:
        if isinstance(value, (str, *_SEQUENCES)) and isinstance(times, int):
            self._check_size(len(value) * times)

    def _check_size(self, size: int) -> None:
        if size > LARGEST:
            raise LimitError(f"makes {size:,} characters or items at once; {LARGEST:,} is the limit")
        self.spend(max(size, 0) // CHARACTERS)

    def _check_bits(self, bits: int) -> None:
        if bits > _BITS:
            raise LimitError(f"makes a number of {bits:,} bits; {_BITS:,} is the limit")


def _measure_longest(args: tuple[Any, ...]) -> int:
    return max((len(each) for each in args if isinstance(each, (str, list))), default=0)
