"""Runs one command and writes what it cost: `python -I -S timer.py RESULT OUTPUT COMMAND…`.

A program of its own, because a process begins with the memory of the one that starts it in its account:
measured from the bench itself, every small command would seem as large as the bench.
"""

import json
import os
import sys
import time


def main(result: str, output: str, *command: str) -> None:
    """Write wall and cpu seconds, the KiB of the largest process, and the exit code to `result`, as JSON."""
    written = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, output, written, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, f"{output}.err", written, 0o600),
    ]
    begun = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=streams)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - begun
    told = {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "rss": usage.ru_maxrss,
        "code": os.waitstatus_to_exitcode(status),
    }
    with open(result, "w", encoding="utf-8") as sink:  # noqa: PTH123 - pathlib would make this process larger
        json.dump(told, sink)


if __name__ == "__main__":
    main(*sys.argv[1:])
