"""Builds one Python definition; adapters/python.py starts it as a process of its own.

It runs on Python 3.8 and newer, in environments that have no jsorc, so it knows the standard library alone.
The request is JSON on standard input: `name`, `folders` to import from (the last is the repository), `values`,
`answer` (the file for the answer) and `shifted`. The answer is JSON, too: {kube, config, sources} or {error};
`sources` are {files, searched, complete}, as model.services.Sources has them.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import resource
import sys
import traceback
from typing import Any

_LARGEST = 32 << 20  # bytes of the answer, and of all that a definition prints
_OVERHEAD = 16  # bytes of a value beside its text: quotes, commas, what reads it
_DEEPEST = 100  # model.emitter.MAX_DEPTH; the schema of a CustomResourceDefinition goes 40 deep
_LONGEST = 500  # characters of somebody's error that a line can bear
_SHIFT = 400 * 86400 + 5 * 3600 + 7 * 60 + 11  # seconds: another year, month, day, hour and minute


class _UnusableError(Exception):
    """The definition is not one; the message says it all."""


class _Hook:
    """What Jaseci passes to its services' builders, as far as they use it."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def service_glob(self, name: str, default: Any = None) -> Any:
        return self._values.get(name, default)


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin)
    root = request["folders"][-1]
    # Beside this file, which is no part of a package here.
    from python_reads import Reads  # type: ignore[import-not-found]

    reads = Reads(root)
    # In the place of this file's own folder, whose names (jaseci, git) are those of others' packages, too.
    sys.path[0:1] = request["folders"]
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    sys.addaudithook(reads.hear)
    if request["shifted"]:
        shift_clock()
        reverse_folders()
    try:
        built = _build(request["name"], request["values"])
        _check(built, (), [_LARGEST])
        answer = json.dumps({**built, "sources": reads.find()})
    except BaseException as error:  # whatever it is, it is the answer
        answer = json.dumps({"error": _describe(error, root)})
    with open(request["answer"], "w", encoding="ascii") as sink:  # noqa: PTH123 - pathlib came too early
        sink.write(answer)
    # No thread of the definition keeps us, and nothing that it registered runs.
    os._exit(0)


def _build(name: str, values: dict[str, Any]) -> dict[str, Any]:
    module, _, attribute = name.partition(":")
    definition = getattr(importlib.import_module(module), attribute)
    hook = _Hook(values)
    if isinstance(definition, (dict, list)):
        return {"kube": hook.service_glob(attribute, definition), "config": None}
    if not isinstance(definition, type):
        raise _UnusableError(f"is {_kind_of(definition)}, neither a class nor a dict")
    # Only made, not initialised: that is when Jaseci's services start.
    service: Any = object.__new__(definition)
    # Jaseci renamed the first to the second after 1.3.6.2.
    builders = [each for each in ("build_kube", "build_manifest") if hasattr(service, each)]
    configures = hasattr(service, "build_config")
    if not builders and not configures:
        raise _UnusableError("is a class without build_kube(hook) and build_config(hook)")
    kube = None
    for each in builders:
        kube = kube or getattr(service, each)(hook)
    return {"kube": kube, "config": service.build_config(hook) if configures else None}


def _check(value: Any, path: tuple[str | int, ...], room: list[int]) -> None:
    """Refuse what JSON cannot say; `room` holds what is left for the answer. model.plain checks the rest."""
    if len(path) > _DEEPEST:
        raise _UnusableError(f"{_spell(path[:6])}: nested more than {_DEEPEST} deep, or within itself")
    room[0] -= _OVERHEAD + (len(value) if isinstance(value, str) else 0)
    if room[0] < 0:
        raise _UnusableError(f"says more than {_LARGEST >> 20} MiB")
    if isinstance(value, dict):
        for key, below in value.items():
            if not isinstance(key, str):
                raise _UnusableError(f"{_spell(path)}: the key {key!r} is {_kind_of(key)}, not a text")
            _check(key, (*path, key), room)
            _check(below, (*path, key), room)
    elif isinstance(value, (list, tuple)):
        for index, below in enumerate(value):
            _check(below, (*path, index), room)
    elif not isinstance(value, (str, int, float, type(None))):
        raise _UnusableError(f"{_spell(path)}: is {_kind_of(value)}, which neither JSON nor YAML can say")


def _spell(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _kind_of(value: Any) -> str:
    return f"a value of type {type(value).__name__}"


def _describe(error: BaseException, root: str) -> str:
    if isinstance(error, _UnusableError):
        return str(error)
    try:
        message = " ".join(str(error).split())[:_LONGEST]
    except Exception:  # it cannot even spell itself
        message = ""
    if isinstance(error, SystemExit):
        text = f"calls sys.exit({message})"
    elif isinstance(error, OSError) and error.errno == errno.EFBIG:
        text = f"prints or writes more than {_LARGEST >> 20} MiB"
    else:
        text = f"{type(error).__name__}: {message}"
    if isinstance(error, ImportError):
        text += f"; it is run by {sys.executable}"
    place = _find_place(error, root)
    return f"{text} ({place})" if place else text


def _find_place(error: BaseException, root: str) -> str:
    """The innermost line of the repository's own code, else of any code that is not ours; "" for none."""
    places = [(each.filename, each.lineno) for each in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((error.filename, error.lineno))
    others = [(file, line) for file, line in places if file != __file__ and not file.startswith("<")]
    for file, line in reversed(others):
        if _relate(file, root):
            return f"{_relate(file, root)}:{line}"
    return f"{others[-1][0]}:{others[-1][1]}" if others else ""


def _relate(file: str, root: str) -> str:
    """The file's path below the repository; "" where it is not the repository's own."""
    own = file.startswith(f"{root}/") and "site-packages" not in file
    return os.path.relpath(file, root) if own else ""


def shift_clock() -> None:
    """Move all clocks that tell the time of day, before anybody else has imported them."""
    import ctypes
    import datetime as dt
    import gc
    import time

    real_time, real_time_ns, real_strftime = time.time, time.time_ns, time.strftime
    time.time = lambda: real_time() + _SHIFT
    time.time_ns = lambda: real_time_ns() + _SHIFT * 10**9
    for name in ("gmtime", "localtime", "ctime"):
        setattr(time, name, _default_to(time.time, getattr(time, name)))
    time.asctime = _default_to(time.localtime, time.asctime)
    time.strftime = lambda form, *given: real_strftime(form, *(given or (time.localtime(),)))

    def now(cls: Any, tz: Any = None) -> Any:
        return cls.fromtimestamp(time.time(), tz)

    # In the classes themselves, which does not meet the eye: substitutes for them break what derives from them.
    dates, datetimes = (gc.get_referents(vars(each))[0] for each in (dt.date, dt.datetime))
    dates["today"] = classmethod(lambda cls: cls.fromtimestamp(time.time()))
    datetimes["now"] = datetimes["today"] = classmethod(now)
    datetimes["utcnow"] = classmethod(lambda cls: cls.now(dt.timezone.utc).replace(tzinfo=None))  # noqa: UP017
    for each in (dt.date, dt.datetime):
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(each))


def _default_to(now: Any, real: Any) -> Any:
    return lambda given=None: real(now() if given is None else given)


def reverse_folders() -> None:
    """List folders the other way round."""
    real_listdir, real_scandir = os.listdir, os.scandir

    class Reversed:
        def __init__(self, path: Any = ".") -> None:
            with real_scandir(path) as entries:
                self._entries = reversed(list(entries))

        def __iter__(self) -> Any:
            return self._entries

        def __next__(self) -> Any:
            return next(self._entries)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

        def close(self) -> None:
            """All is read, and closed, at the beginning."""

    vars(os).update(listdir=lambda path=".": real_listdir(path)[::-1], scandir=Reversed)


if __name__ == "__main__":
    main()
