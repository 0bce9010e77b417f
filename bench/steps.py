"""What is measured: chains of commands, each of which finds what the one before it left."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where everything lies, what the commands see of the environment, and how many objects there are."""

    scratch: Path
    env: dict[str, str]
    size: int


def do_nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command; what is done before it, untimed; how its outcome is checked and told from another.

    Steps with one `outcome` must all come to the same digest, in every round; `meter` counts requests.
    """

    name: str
    command: tuple[str | Path, ...]
    folder: Path
    prepare: Callable[[], None] = do_nothing
    check: Callable[[], None] = do_nothing
    digest: Callable[[], str] | None = None
    outcome: str = ""
    meter: Callable[[], int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Steps that follow one another; `rounds`, where it is slow, is how often at most."""

    steps: tuple[Step, ...]
    rounds: int | None = None
