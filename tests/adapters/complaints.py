"""What git has to complain about."""

from collections.abc import Callable

import pytest

from jsorc_gitops.errors import JsorcError, RepositoryError


def complaint(run: Callable[[], object]) -> str:
    with pytest.raises(JsorcError) as caught:
        run()
    assert isinstance(caught.value, RepositoryError)
    return str(caught.value)
