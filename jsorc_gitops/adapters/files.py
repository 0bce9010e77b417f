"""The door to the disk: definitions in, the rendered tree both ways. Decides nothing.

Writing never leaves the tree's folder: every step opens one path component through the handle of the
folder above it, and follows no symbolic link.
"""

import errno
import os
import shlex
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path

from jsorc_gitops.adapters.memo import Stamp, stamp_file
from jsorc_gitops.errors import DefinitionError, SettingsError, TreeError
from jsorc_gitops.model.layout import TreeDiff
from jsorc_gitops.model.services import ServiceFiles

_PACKAGE = Path(__file__).parents[1]
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_LARGEST = 16 << 20  # bytes of one file; the largest real manifests have half a megabyte

_OF_SERVICES = frozenset([".yaml", ".yml", ".j2"])  # how files end that would be left out beside the folders
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def read_settings_text(root: Path) -> str:
    """The text of jsorc.yaml; raise SettingsError where there is none."""
    path = root / "jsorc.yaml"
    try:
        return _read_file(str(path)).decode().replace("\r\n", "\n")
    except FileNotFoundError as error:
        # The one of a folder above, where somebody is within a repository.
        above = next((each for each in root.resolve().parents if os.path.lexists(each / path.name)), None)
        hint = "run jsorc init here, or name the folder with -C; an empty jsorc.yaml will do, too"
        if above:
            hint = f"there is one in {above}; use -C {shlex.quote(str(above))}"
        raise SettingsError(f"{path}: not found; {hint}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"jsorc.yaml: not UTF-8 ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error


def read_secret_file(path: Path) -> str:
    """The text of a credentials file; raise SettingsError that names it and never what is in it."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"jaseci.credentials: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"jaseci.credentials: {path}: not UTF-8") from error


def read_manifest_text(path: Path | None) -> str:
    """The text of a file of manifests, of standard input for None; raise DefinitionError where it is none."""
    name = "standard input" if path is None else str(path)
    try:
        return (sys.stdin.buffer.read() if path is None else path.read_bytes()).decode("utf-8-sig")
    except OSError as error:
        raise DefinitionError(f"{name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DefinitionError(f"{name}: not UTF-8 ({error.reason} at byte {error.start})") from error


def read_definitions(root: Path, *, folder: str = "templates") -> dict[str, ServiceFiles]:
    """Every folder below templates/ as a service; raise DefinitionError where one cannot be read.

    Without the folder there are no services: git keeps no empty one when the last service is removed.
    """
    base = root / folder
    if not base.exists():
        return {}
    if not base.is_dir():
        raise DefinitionError(f"{folder} is no folder")
    services = {}
    same: dict[str, str] = {}  # a template that is copied into many folders is kept once
    for each in sorted(base.iterdir()):
        if each.suffix in _OF_SERVICES and not each.is_dir():
            raise DefinitionError(f"{folder}/{each.name}: belongs to no service; move it into {folder}/NAME/")
        if each.is_dir() and not each.name.startswith("."):
            place = f"{folder}/{each.name}"
            # Git knows no empty folder, so a clone would render something else.
            if texts := {name: same.setdefault(text, text) for name, text in _read_texts(each, place).items()}:
                services[each.name] = ServiceFiles(name=each.name, folder=place, texts=texts)
    return services


def read_shipped_definitions() -> dict[str, ServiceFiles]:
    """The services that come with jsorc: in the wheel, or beside the package in a checkout."""
    root = _PACKAGE if (_PACKAGE / "templates").is_dir() else _PACKAGE.parent
    return read_definitions(root)


def check_new_files(root: Path, names: Iterable[str]) -> None:
    """Raise SettingsError where one of these files is there already, or what is there has no room for it."""
    for name in names:
        if os.path.lexists(root / name):
            raise SettingsError(f"{root / name} is there already; nothing was written")
        above = next(each for each in (root / name).parents if os.path.lexists(each))
        if not above.is_dir():
            raise SettingsError(f"{above} is no folder; nothing was written")


def write_new_files(root: Path, texts: Mapping[str, str]) -> None:
    """Write files that must not be there yet; raise SettingsError before the first is written."""
    check_new_files(root, texts)
    for name, text in texts.items():
        try:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{root / name}: cannot be written: {error.strerror}") from error


def read_mask_key(cache: Path) -> bytes:
    """The key of this user's masks, made on first use; where nothing can be kept, one for this run alone."""
    path = cache / "jsorc" / "mask.key"
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError), os.fdopen(os.open(path, _NEW_FILE, 0o600), "wb") as sink:
            sink.write(os.urandom(32))
        if key := path.read_bytes():
            return key
    return os.urandom(32)


class TreeFolder:
    """The folder a rendered tree lies in; `written` has the files that were, by path, as they were then."""

    def __init__(self, path: Path) -> None:
        self.written: dict[str, Stamp] = {}
        self._path = path

    def read_tree(self) -> dict[str, str]:
        """All files below the folder, by path; empty where there is no folder. Refuses symbolic links."""
        if self._path.is_symlink():
            raise TreeError(f"{self._path} is a symbolic link; a rendered tree is a real folder")
        if not self._path.exists():
            return {}
        return dict(sorted(_read_folder(self._path, "")))

    def write_tree(self, files: Mapping[str, str], diff: TreeDiff) -> None:
        """Bring the folder from what it holds to `files`, of which `diff` says what differs.

        Each file is replaced whole; removals come last, so a killed run leaves only whole files.
        """
        for path in (*diff.added, *diff.changed, *diff.removed):
            if not {"", ".", ".."}.isdisjoint(path.split("/")):
                raise TreeError(f"{path!r} leaves the tree")
        try:
            self._path.mkdir(exist_ok=True)
            root = os.open(self._path, _DIRECTORY)
            try:
                self.written |= _replace_files(root, sorted((*diff.added, *diff.changed)), files)
                for path in diff.removed:
                    _remove_file(root, path)
            finally:
                os.close(root)
        except OSError as error:
            raise TreeError(f"{self._path}: cannot be written: {error}") from error


def _read_texts(folder: Path, place: str) -> dict[str, str]:
    texts = {}
    for name, is_link in sorted(_list_files(folder, "")):
        path = f"{folder}/{name}"
        try:
            if is_link and not Path(os.path.realpath(path, strict=True)).is_relative_to(folder.resolve()):
                raise DefinitionError(f"{place}/{name}: leads out of the service's folder")
            if is_link and Path(path).is_dir():
                continue
            content = _read_file(path, most=_LARGEST)
            if len(content) > _LARGEST:
                raise DefinitionError(f"{place}/{name}: larger than {_LARGEST >> 20} MiB; split it")
            texts[name] = content.decode()
        except UnicodeDecodeError as error:
            raise DefinitionError(f"{place}/{name}: not UTF-8 ({error.reason} at byte {error.start})") from error
        except OSError as error:
            raise DefinitionError(f"{place}/{name}: cannot be read: {error.strerror}") from error
    return {name: text.replace("\r\n", "\n") for name, text in texts.items()}


def _list_files(folder: Path, prefix: str) -> Iterator[tuple[str, bool]]:
    """Names of the files below a folder, and whether a link is on the way to them."""
    try:
        with os.scandir(folder / prefix) as entries:
            for entry in entries:
                # Python leaves compiled modules beside a definition that somebody ran.
                if entry.name.startswith(".") or entry.name == "__pycache__":
                    continue
                name = f"{prefix}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    yield from _list_files(folder, f"{name}/")
                else:
                    yield name, entry.is_symlink()
    except OSError as error:
        raise DefinitionError(f"{folder / prefix}: cannot be read: {error.strerror}") from error


def _read_folder(root: Path, prefix: str) -> Iterator[tuple[str, str]]:
    """Path and text of every file below a folder of the tree."""
    try:
        with os.scandir(root / prefix) as entries:
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    yield from _read_folder(root, f"{name}/")
                elif entry.is_file(follow_symlinks=False):
                    # Whatever a file of somebody else holds, it must not stop us; ours are UTF-8.
                    with suppress(FileNotFoundError):
                        text = _read_file(entry.path).decode(errors="replace")
                        yield name, text.replace("\r\n", "\n")
                else:
                    raise TreeError(f"{entry.path} is a symbolic link or no regular file; remove it")
    except OSError as error:
        raise TreeError(f"{error.filename}: cannot be read: {error.strerror}") from error


def _read_file(path: str, *, most: int = sys.maxsize) -> bytes:
    """What a regular file holds; of one with more than `most` bytes the first of them and one more."""
    # Thousands of files are read in every run: the fewest calls, and no waiting for what is a pipe.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is no regular file", path)
        content, room = b"", min(status.st_size, most) + 1
        while len(content) < room and (more := os.read(handle, room - len(content))):
            content += more
        return content
    finally:
        os.close(handle)


@contextmanager
def _open_folder(root: int, path: str, *, create: bool = False) -> Iterator[int]:
    """A handle of a folder below `root`, reached without following any link; "" is `root` itself."""
    handles = [os.dup(root)]
    try:
        for name in path.split("/") if path else ():
            if create:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=handles[-1])
            handles.append(os.open(name, _DIRECTORY, dir_fd=handles[-1]))
        yield handles[-1]
    finally:
        for handle in handles:
            os.close(handle)


def _replace_files(root: int, paths: Iterable[str], files: Mapping[str, str]) -> dict[str, Stamp]:
    written = {}
    for folder, group in groupby(paths, key=lambda path: path.rpartition("/")[0]):
        with _open_folder(root, folder, create=True) as parent:
            for path in group:
                written[path] = _replace_file(parent, path.rpartition("/")[2], files[path].encode())
    return written


def _replace_file(parent: int, name: str, content: bytes) -> Stamp:
    # Not flushed to the disk one by one: a killed run leaves whole files all the same, and what a power
    # cut spoils, the next run writes again.
    scratch = f".{name}.{os.urandom(4).hex()}.tmp"
    try:
        handle = os.open(scratch, _NEW_FILE, 0o644, dir_fd=parent)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(handle, rest) :]
            stamp = stamp_file(handle)
        finally:
            os.close(handle)
        os.replace(scratch, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(scratch, dir_fd=parent)
        raise
    return stamp


def _remove_file(root: int, path: str) -> None:
    folder, _, name = path.rpartition("/")
    with suppress(FileNotFoundError), _open_folder(root, folder) as parent:
        os.unlink(name, dir_fd=parent)
    while folder:
        # A folder goes with its last file; one that still holds something stays.
        with suppress(OSError):
            os.rmdir(folder, dir_fd=root)
        folder = folder.rpartition("/")[0]
