"""All mistakes told at once: what one thing raises does not keep the next from being looked at."""

from types import TracebackType

from jsorc_gitops.errors import DefinitionError


class Collector:
    """`with collector:` around each thing keeps its DefinitionError; `check` raises all of them as one."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, DefinitionError):
            return False
        self.add(str(error))
        return True

    def add(self, line: str) -> None:
        self._lines.append(line)

    def check(self) -> None:
        """Raise DefinitionError, one line for each mistake, where there was one."""
        if self._lines:
            raise DefinitionError("\n".join(self._lines))
