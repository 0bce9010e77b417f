"""`python -m tests.jaseci install` builds what the tests and the demo start; `record` asks an older Jaseci."""

import sys

from tests.jaseci.install import install
from tests.machine import SetupError, say


def main(arguments: list[str]) -> int:
    """0 when done, 1 with one line on SetupError, 2 on wrong usage."""
    try:
        match arguments:
            case ["install"]:
                say(f"Jaseci is installed: {install().jsserv}")
            case ["record", version]:
                from tests.jaseci.recording import record

                record(version)
            case _:
                say("usage: python -m tests.jaseci install | record VERSION")
                return 2
    except SetupError as failed:
        say(f"error: {failed}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
