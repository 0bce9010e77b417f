"""The seal: no test sees or touches the user's home, git configuration, kubeconfig or credentials.

And a test that docs/jsorc-parity.md names as a proof fails where it is skipped.
"""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests import machine, parity

# Real parts are cached for the user who runs the tests, not for the sealed home of one test.
os.environ["JSORC_TEST_CACHE"] = str(machine.cache_root().parent)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and item.nodeid.partition("[")[0] in parity.list_named():
        report.outcome = "failed"
        report.longrepr = f"skipped, though {parity.PAGE.name} names it: {report.longreprtext}"
    return report


@pytest.fixture(autouse=True)
def _seal(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    config = home / ".gitconfig"
    config.write_text("[user]\n\tname = Tester\n\temail = tester@example.com\n[init]\n\tdefaultBranch = main\n")
    for name in [name for name in os.environ if name.startswith(("GIT_", "JASECI", "XDG_", "KUBERNETES_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    # An editor that somebody forgot to switch off fails at once instead of waiting.
    monkeypatch.setenv("GIT_EDITOR", "false")
    monkeypatch.setenv("KUBECONFIG", str(Path("/nonexistent")))
