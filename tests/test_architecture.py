"""House rules that no linter keeps; the layers are kept by import-linter (pyproject.toml)."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(folder: str) -> dict[str, ast.Module]:
    """Every module below a folder, by its path in the repository."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def calls(tree: ast.Module) -> set[str]:
    """The names of all that is called: `print`, `time.sleep`."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def name_function(tree: ast.Module, line: int) -> str:
    """The function a line lies in, "" outside of any."""
    around = [each for each in functions(tree) if each.lineno <= line <= (each.end_lineno or 0)]
    return around[-1].name if around else ""


def is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or ast.unparse(kind) in {"Exception", "BaseException"} for kind in kinds)


def reraises(handler: ast.ExceptHandler) -> bool:
    """Whether it only tidies up: its last statement is a bare raise."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_modules_are_short() -> None:
    """A module stays under 300 lines; one that outgrows it is split by noun."""
    lines = {name: len((ROOT / name).read_text().splitlines()) for name in modules("jsorc_gitops")}

    assert {name: count for name, count in lines.items() if count >= 300} == {}


def test_functions_are_short() -> None:
    """A function stays under 50 lines."""
    lengths = {
        f"{name}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for name, tree in modules("jsorc_gitops").items()
        for function in functions(tree)
    }

    assert {name: count for name, count in lengths.items() if count >= 50} == {}


def test_only_the_porch_prints() -> None:
    """What a run has to say is a value or an exception until it reaches cli/."""
    printing = {
        name
        for name, tree in modules("jsorc_gitops").items()
        if calls(tree) & {"print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"}
    }

    assert {name for name in printing if not name.startswith("jsorc_gitops/cli/")} == set()


def test_nothing_unexpected_is_swallowed() -> None:
    """Only these catch everything: the porch, and what runs code of others, which raises whatever it likes."""
    broad = {
        f"{name}:{name_function(tree, node.lineno)}"
        for name, tree in modules("jsorc_gitops").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and is_broad(node) and not reraises(node)
    }

    assert broad == {
        "jsorc_gitops/cli/__init__.py:run",
        "jsorc_gitops/adapters/kubeconfig.py:load_configuration",
        "jsorc_gitops/adapters/python_child.py:main",
        "jsorc_gitops/adapters/python_child.py:_describe",
    }


def test_tests_wait_for_conditions() -> None:
    """A test never waits for a time to pass; what waits for a condition does it in one place."""
    sleeping = {name for name, tree in modules("tests").items() if calls(tree) & {"time.sleep", "sleep"}}

    assert sleeping <= {"tests/waiting.py", "tests/supervisor.py"}


def test_every_test_states_its_claim() -> None:
    """Each test says in its docstring what it shows."""
    silent = {
        f"{name}:{function.name}"
        for name, tree in modules("tests").items()
        for function in functions(tree)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    }

    assert silent == set()
