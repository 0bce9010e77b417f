"""The one place that waits: for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], *, what: str, seconds: float = 120) -> T:
    """Return the first truthy answer of `condition`; after `seconds` raise TimeoutError naming `what`."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:g} s still waiting: {what}")
        time.sleep(0.05)
    return answer
