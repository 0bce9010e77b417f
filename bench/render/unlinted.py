"""`jsorc` without its lint, to see what that costs: run as a program, in the place of `jsorc`."""

import sys

from jsorc_gitops import cli
from jsorc_gitops.render import publish

setattr(publish, "_lint", lambda *_, **__: ())  # noqa: B010 - mypy forbids the plain way

if __name__ == "__main__":
    sys.exit(cli.run(sys.argv[1:]))
