"""`python -m tests.jaseci install` builds what the tests and the demo start, and says how far it is."""

import sys

from tests.jaseci.install import install
from tests.machine import SetupError, say


def main(arguments: list[str]) -> int:
    """0 when installed, 1 with one line on SetupError, 2 on wrong usage."""
    if arguments != ["install"]:
        say("usage: python -m tests.jaseci install")
        return 2
    try:
        installation = install()
    except SetupError as failed:
        say(f"error: {failed}")
        return 1
    say(f"Jaseci is installed: {installation.jsserv}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
