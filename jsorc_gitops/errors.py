"""Everything that can end a run, each class with its exit code (the table: docs/exit-codes.md).

JsorcError 1
├── SettingsError       jsorc.yaml or the settings record says something we cannot follow
├── DefinitionError     a service under templates/ is wrong
├── TreeError           the rendered tree is not one, or a path leaves it
├── RepositoryError     git cannot give or take what is asked
├── ClusterError        the API server refused or did not answer
├── FormatError         state of a newer version, or state that cannot be read
├── NothingAppliedError what applies the tree has not begun
├── RefusedError        a pass is refused before its first write
└── LeaseHeldError 5    another reconciler is at work
"""


class JsorcError(Exception):
    """A failure the user can act on; the message says what, where, and what to do."""

    exit_code = 1


class SettingsError(JsorcError):
    """The settings are wrong: the message names the file, the line and the key."""


class DefinitionError(JsorcError):
    """A service definition is wrong: the message names the file and the line."""


class TreeError(JsorcError):
    """The rendered tree is inconsistent, or something would be written outside it."""


class RepositoryError(JsorcError):
    """Git cannot do it: no repository, no commit, no branch, a refused commit."""


class FormatError(JsorcError):
    """Stored state has a version or a shape that this version does not understand."""


class ClusterError(JsorcError):
    """The API server refused or did not answer.

    `status` is the HTTP status, 0 when there was no answer; `reason` the server's machine-readable
    word (NotFound, Conflict, Forbidden, …); `causes` its structured causes.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        causes: tuple[dict[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.causes = causes


class NothingAppliedError(JsorcError):
    """What applies the tree, Flux, Argo CD or a person, has not begun; with --wait it is waited for."""


class RefusedError(JsorcError):
    """The pass could do harm, so it is refused before its first write; the message says what would allow it."""


class LeaseHeldError(JsorcError):
    """Another reconciler holds the lease of this tree."""

    exit_code = 5
