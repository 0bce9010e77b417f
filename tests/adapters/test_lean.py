"""The kubernetes package comes without the schema checker, which can still be imported."""

import subprocess
import sys

import pytest

LEAN = "from jsorc_gitops.adapters.lean import import_kubernetes; import_kubernetes(); import sys; "


@pytest.mark.parametrize(
    "code",
    [
        "import jsorc_gitops.adapters.cluster; assert not {'jsonschema', 'kubernetes_validate'} & {*sys.modules}",
        "import kubernetes, kubernetes_validate; assert kubernetes_validate.__file__",
        "import_kubernetes(); assert 'kubernetes' in sys.modules",
    ],
)
def test_what_is_imported(code: str) -> None:
    """Neither it nor what it needs is loaded with kubernetes; who asks for it gets it."""
    subprocess.run([sys.executable, "-c", LEAN + code], check=True)


def test_a_checker_that_is_loaded_stays() -> None:
    """Who has it already keeps it."""
    code = "import sys, kubernetes_validate; " + LEAN + "assert sys.modules['kubernetes_validate'].__file__"
    subprocess.run([sys.executable, "-c", code], check=True)
