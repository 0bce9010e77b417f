"""`make demo`: plays the story on real parts that it starts and stops; `python -m tests.demo`."""

import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

from tests.controlplane.server import ControlPlane
from tests.jaseci.server import Jaseci, Redis
from tests.journeys.scratch import Done
from tests.journeys.story import Story
from tests.machine import SetupError, say
from tests.waiting import wait_until


class UnexpectedError(Exception):
    """A step did not go as the story has it."""


def main() -> int:
    """Tell the story; 0 when every step went as told, 1 when one did not or a part is missing."""
    folder = Path(tempfile.mkdtemp(prefix="jsorc-demo-"))
    try:
        with ExitStack() as stack:
            _tell(_set_up(folder, stack))
    except (SetupError, UnexpectedError) as error:
        print(f"\nThe demo stops here: {error}\nLogs and the repository are kept in {folder}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    shutil.rmtree(folder)
    print("\nAll that was started is stopped again; nothing of it is left.")
    return 0


def _set_up(folder: Path, stack: ExitStack) -> Story:
    begun = monotonic()
    say("Starting a Kubernetes control plane (built first if this is the first time: about 6 minutes) …")
    controlplane = ControlPlane.start(folder / "controlplane")
    stack.callback(controlplane.stop)
    say("Starting a Jaseci 1.4.2.6 server (installed first if this is the first time: about a minute) …")
    redis = Redis(folder / "redis")
    stack.callback(redis.stop)
    jaseci = Jaseci.start(folder / "jaseci", redis_port=redis.port)
    stack.callback(jaseci.stop)
    say(f"Both run after {monotonic() - begun:.0f} s.")
    return Story(folder / "repository", controlplane=controlplane, jaseci=jaseci, redis=redis)


def _tell(story: Story) -> None:
    _heading("1. A repository with the services that Jaseci ships, rendered into one commit")
    _show(*story.begin())
    _show(story.jsorc("render", "--commit"))
    _show(story.git("log", "-1", "--format=%s%n%n%(trailers)"))

    _heading("2. The first pass applies everything; redis' pods are not ready, so nothing is reset")
    _say_state(story, "redis")
    _say_state(story, "task")
    _show(story.jsorc("reconcile", "--verbose"))

    _heading("3. The pods become ready, and Redis answers where Jaseci looks for it")
    print(f"{len(story.make_pods_ready())} pods are ready now; redis-server listens on port {story.redis.port}.")
    story.redis.start()
    _await_rollout(story)
    _say_state(story, "redis")

    _heading("4. The next pass resets redis, then task, which depends on it; disabled services are left alone")
    _show(story.jsorc("reconcile", "--verbose"))
    _say_state(story, "redis")
    _say_state(story, "task")
    _show(story.kubectl("get", "configmap", "jsorc.ledger.default", "-o", r"jsonpath={.data.ledger\.json}"))

    _heading("5. Another pass: nothing to do")
    _show(story.jsorc("reconcile", "--verbose"))

    _heading("6. Somebody scales a Deployment by hand; the next pass takes it back and says who it was")
    _show(story.kubectl("scale", "deployment/jaseci-prometheus-pushgateway", "--replicas=3"))
    _show(story.jsorc("reconcile"))

    _heading("7. promon is removed from git; it goes from the cluster, its claims stay")
    print("promon is taken out of keep_alive in jsorc.yaml, and its folder is removed:")
    _show(*story.remove_service("promon"))
    _show(story.jsorc("render", "--commit"))
    print("More would go than a pass may prune, so this needs a consent, which is a commit like any other:")
    _show(story.jsorc("reconcile"), code=1)
    _show(story.jsorc("render", "--commit", "--allow-prune", "promon"))
    _show(story.jsorc("reconcile"))
    _show(story.kubectl("get", "deployments,persistentvolumeclaims"))


def _heading(text: str) -> None:
    print(f"\n{text}\n{'─' * len(text)}", flush=True)


def _show(*all_done: Done, code: int = 0) -> None:
    for done in all_done:
        print(f"$ {done.command}")
        if done.output.strip():
            print(done.output.rstrip(), flush=True)
        if done.code != code:
            raise UnexpectedError(f"{done.command} ended with {done.code}, not {code}")


def _say_state(story: Story, name: str) -> None:
    info = story.jaseci.service_info(name)
    print(f"Jaseci says: {name} is {info['state']}" + (f" ({info['error']})" if info.get("error") else ""))


def _await_rollout(story: Story) -> None:
    """Controllers need a moment to see what kubelets report."""

    def ready() -> bool:
        done = story.kubectl("rollout", "status", "deployment,daemonset", "--timeout=30s")
        return done.code == 0

    wait_until(ready, what="the rollouts are complete")


if __name__ == "__main__":
    sys.exit(main())
