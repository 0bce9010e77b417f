"""The door to the disk: definitions in, the rendered tree both ways. Decides nothing.

Writing never leaves the tree's folder: every step opens one path component through the handle of the
folder above it, and follows no symbolic link.
"""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.resources import files as package_files
from pathlib import Path

from jsorc_gitops.errors import DefinitionError, SettingsError, TreeError
from jsorc_gitops.model.services import ServiceFiles
from jsorc_gitops.model.tree import TreeDiff

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def read_settings_text(root: Path) -> str:
    """The text of jsorc.yaml; raise SettingsError where there is none."""
    path = root / "jsorc.yaml"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: not found; run jsorc init here, or name the folder with -C") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error


def read_secret_file(path: Path) -> str:
    """The text of a credentials file; raise SettingsError that names it and never what is in it."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"jaseci.credentials: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"jaseci.credentials: {path}: not UTF-8") from error


def read_definitions(root: Path, *, folder: str = "templates") -> dict[str, ServiceFiles]:
    """Every folder below templates/ as a service; raise DefinitionError where one cannot be read.

    Without the folder there are no services: git keeps no empty one when the last service is removed.
    """
    base = root / folder
    if not base.is_dir():
        return {}
    services = {}
    for each in sorted(base.iterdir()):
        if each.is_dir() and not each.name.startswith("."):
            place = f"{folder}/{each.name}"
            # Git knows no empty folder, so a clone would render something else.
            if texts := _read_texts(each, place):
                services[each.name] = ServiceFiles(name=each.name, folder=place, texts=texts)
    return services


def read_shipped_definitions() -> dict[str, ServiceFiles]:
    """The services that come with jsorc: in the wheel, or beside the package in a checkout."""
    packaged = Path(str(package_files("jsorc_gitops")))
    root = packaged if (packaged / "templates").is_dir() else packaged.parent
    return read_definitions(root)


def write_new_files(root: Path, texts: Mapping[str, str]) -> None:
    """Write files that must not be there yet; raise SettingsError before the first is written."""
    for name in texts:
        if (root / name).exists():
            raise SettingsError(f"{root / name} is there already; nothing was written")
    for name, text in texts.items():
        try:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{root / name}: cannot be written: {error.strerror}") from error


class TreeFolder:
    """The folder a rendered tree lies in."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read_tree(self) -> dict[str, str]:
        """All files below the folder, by path; empty where there is no folder. Refuses symbolic links."""
        if self._path.is_symlink():
            raise TreeError(f"{self._path} is a symbolic link; a rendered tree is a real folder")
        found: dict[str, str] = {}
        for folder, folders, names in os.walk(self._path, onerror=_refuse_unreadable):
            for name in (*folders, *names):
                path = Path(folder, name)
                if path.is_symlink() or not (path.is_file() or path.is_dir()):
                    raise TreeError(f"{path} is a symbolic link or no regular file; remove it")
                if name in names:
                    found[path.relative_to(self._path).as_posix()] = _read_text(path)
        return dict(sorted(found.items()))

    def write_tree(self, files: Mapping[str, str], diff: TreeDiff) -> None:
        """Bring the folder from what it holds to `files`, of which `diff` says what differs.

        Each file is replaced whole; removals come last, so a killed run leaves only whole files.
        """
        try:
            self._path.mkdir(exist_ok=True)
            root = os.open(self._path, _DIRECTORY)
            try:
                for path in (*diff.added, *diff.changed):
                    _replace_file(root, path, files[path])
                for path in diff.removed:
                    _remove_file(root, path)
            finally:
                os.close(root)
        except OSError as error:
            raise TreeError(f"{self._path}: cannot be written: {error}") from error


def _read_texts(folder: Path, place: str) -> dict[str, str]:
    texts = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in Path(name).parts) or path.is_dir():
            continue
        try:
            if not Path(os.path.realpath(path, strict=True)).is_relative_to(folder.resolve()):
                raise DefinitionError(f"{place}/{name}: leads out of the service's folder")
            texts[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DefinitionError(f"{place}/{name}: not UTF-8 ({error.reason} at byte {error.start})") from error
        except OSError as error:
            raise DefinitionError(f"{place}/{name}: cannot be read: {error.strerror}") from error
    return texts


def _read_text(path: Path) -> str:
    # Whatever a file of somebody else holds, it must not stop us; ours are UTF-8.
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TreeError(f"{path}: cannot be read: {error.strerror}") from error


def _refuse_unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise TreeError(f"{error.filename}: cannot be read: {error.strerror}") from error


@contextmanager
def _open_parent(root: int, path: str, *, create: bool) -> Iterator[tuple[int, str]]:
    *folders, name = path.split("/")
    if ".." in folders or name in {"", ".", ".."}:
        raise TreeError(f"{path!r} leaves the tree")
    handles = [os.dup(root)]
    try:
        for folder in folders:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(folder, dir_fd=handles[-1])
            handles.append(os.open(folder, _DIRECTORY, dir_fd=handles[-1]))
        yield handles[-1], name
    finally:
        for handle in handles:
            os.close(handle)


def _replace_file(root: int, path: str, text: str) -> None:
    with _open_parent(root, path, create=True) as (parent, name):
        scratch = f".{name}.{secrets.token_hex(4)}.tmp"
        try:
            handle = os.open(scratch, _NEW_FILE, 0o644, dir_fd=parent)
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as sink:
                sink.write(text)
                sink.flush()
                os.fsync(sink.fileno())
            os.replace(scratch, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(scratch, dir_fd=parent)
            raise


def _remove_file(root: int, path: str) -> None:
    with suppress(FileNotFoundError), _open_parent(root, path, create=False) as (parent, name):
        os.unlink(name, dir_fd=parent)
    folder = path.rpartition("/")[0]
    while folder:
        # A folder goes with its last file; one that still holds something stays.
        with suppress(OSError):
            os.rmdir(folder, dir_fd=root)
        folder = folder.rpartition("/")[0]
