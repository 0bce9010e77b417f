"""How tests open a repository, and what it says when it will not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jsorc_gitops.adapters.git import Repository
from jsorc_gitops.errors import JsorcError, RepositoryError

Open = Callable[[Path], Repository]


def complaint(run: Callable[[], object]) -> str:
    with pytest.raises(JsorcError) as caught:
        run()
    assert isinstance(caught.value, RepositoryError)
    return str(caught.value)
