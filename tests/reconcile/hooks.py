"""What a test has happen around the writes of a pass."""

from collections.abc import Callable
from dataclasses import dataclass

from jsorc_gitops.errors import ClusterError


class Killed(BaseException):
    """The process ends here, without a chance to tidy up."""


@dataclass(slots=True)
class Hooks:
    """What happens around a write, a GET or a LIST, by verb and identity; `before` may refuse it."""

    before: Callable[[str, str], ClusterError | None] = lambda _verb, _what: None
    after: Callable[[str, str], None] = lambda _verb, _what: None
