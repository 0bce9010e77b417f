"""Reading hand-written mappings: every complaint names the file, the line and the key."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from jsorc_gitops.errors import JsorcError
from jsorc_gitops.model.yaml import Document

Path = tuple[str | int, ...]

_LONGEST = 366 * 86400  # a year; what waits could not take a number of any size


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """One mapping somewhere in a document, read key by key."""

    document: Document
    source: str
    error: type[JsorcError]
    path: Path = ()

    @property
    def mapping(self) -> Mapping[str, Any]:
        value = self.document.value
        for step in self.path:
            value = value[step]
        if not isinstance(value, Mapping):
            self.fail("must be a mapping of keys to values")
        return value

    def fail(self, complaint: str, *below: str | int) -> NoReturn:
        """Raise the error of this file, at the line of the key below this mapping."""
        raise self.error(self._spell(complaint, *below))

    def allow(self, known: Collection[str]) -> "Fields":
        """Refuse every key that is not `known`, a line for each; returns itself."""
        unknown = []
        for key in self.mapping:
            if key not in known:
                near = find_near(key, known)
                hint = f"did you mean {near}?" if near else f"known keys: {', '.join(sorted(known))}"
                unknown.append(self._spell(f"unknown key; {hint}", key))
        if unknown:
            raise self.error("\n".join(unknown))
        return self

    def below(self, key: str) -> "Fields | None":
        """The mapping under `key`, None where the key is absent or empty."""
        if self.mapping.get(key) is None:
            return None
        nested = Fields(document=self.document, source=self.source, error=self.error, path=(*self.path, key))
        return nested if nested.mapping is not None else None

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not empty; without a default the key must be there."""
        value: str = self._get(key, default, "a text", lambda found: isinstance(found, str))
        if not value:
            self.fail("must not be empty", key)
        return value

    def boolean(self, key: str, *, default: bool) -> bool:
        value: bool = self._get(key, default, "true or false", lambda found: isinstance(found, bool))
        return value

    def seconds(self, key: str, default: float) -> float:
        """A number of seconds above zero, a year at most."""
        value: float = self._get(
            key,
            default,
            "a number of seconds above zero, a year at most",
            lambda found: (
                isinstance(found, int | float) and not isinstance(found, bool) and 0 < found <= _LONGEST
            ),
        )
        return value

    def port(self, key: str) -> int:
        """A TCP port; the key must be there."""
        value: int = self._get(
            key, None, "a port, 1 to 65535", lambda found: type(found) is int and 0 < found < 1 << 16
        )
        return value

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of different texts, None where the key is absent."""
        if key not in self.mapping:
            return None
        value: list[Any] = self._get(key, [], "a list of texts", lambda found: isinstance(found, list))
        for index, item in enumerate(value):
            if not isinstance(item, str) or not item:
                self.fail("must be a text", key, index)
            if item in value[:index]:
                self.fail(f"{item} is named twice", key, index)
        return tuple(value)

    def plain(self, key: str) -> Mapping[str, Any]:
        """A mapping taken as it is, empty where the key is absent."""
        nested = self.below(key)
        return nested.mapping if nested else {}

    def _spell(self, complaint: str, *below: str | int) -> str:
        path = (*self.path, *below)
        place = f"{self.source}:{self.document.line_of(*path)}"
        return f"{place}: {format_path(path)}: {complaint}" if path else f"{place}: {complaint}"

    def _get(self, key: str, default: Any, wanted: str, fits: Callable[[Any], bool]) -> Any:
        value = self.mapping.get(key)
        if key not in self.mapping:
            if default is None:
                self.fail(f"is missing; it must be {wanted}", key)
            return default
        if not fits(value):
            self.fail(f"must be {wanted}, not {value!r}", key)
        return value


def find_near(name: str, known: Collection[str]) -> str:
    """The one of `known` that somebody may have meant, "" where none is near."""
    # Imported by those alone who complain: it takes as long as reading a hundred files.
    from difflib import get_close_matches

    same = [each for each in known if each.lower() == name.lower()]
    return next(iter(same or get_close_matches(name, known, n=1)), "")


def format_path(path: Path) -> str:
    """('keep_alive', 2) → 'keep_alive[2]'."""
    spelled = ""
    for step in path:
        spelled += f"[{step}]" if isinstance(step, int) else f".{step}" if spelled else step
    return spelled
