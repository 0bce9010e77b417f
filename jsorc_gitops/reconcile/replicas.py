"""Which processes are Jaseci: a call reaches one of them, and each has services of its own in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.jaseci import Answer, ServiceState
from jsorc_gitops.model.settings import JaseciSettings
from jsorc_gitops.reconcile.health import is_ready
from jsorc_gitops.reconcile.ports import Pass

_SLICES = ("discovery.k8s.io/v1", "EndpointSlice")
_OF_SERVICE = "kubernetes.io/service-name"
# The worst of what several say is how a service is; what is not known says nothing of what is.
_WORST_FIRST = (
    ServiceState.FAILED,
    ServiceState.STOPPED,
    ServiceState.UNKNOWN,
    ServiceState.RUNNING,
    ServiceState.DISABLED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """The addresses that are called: IPs of pods, or "" for the url of the settings; or why none can be."""

    addresses: tuple[str, ...] = ()
    problem: str = ""


def find_replicas(run: Pass, settings: JaseciSettings) -> Replicas:
    """Every process of Jaseci, as far as the settings say how to reach it."""
    if settings.selector:
        return _find_pods(run, settings)
    name, namespace = find_service(settings.url, home=run.namespace)
    if not name:
        return Replicas(addresses=("",))
    (slices,) = run.cluster.list_objects([_SLICES], selector=f"{_OF_SERVICE}={name}", namespaces=[namespace])
    if isinstance(slices, ClusterError) and ".svc" in settings.url:
        return Replicas(problem=f"how many pods are behind {settings.url} could not be read: {slices}")
    # Another name may be one outside of the cluster.
    found = [] if isinstance(slices, ClusterError) else slices
    # A pod of two IP families has an address in two slices.
    ready = {
        (endpoint.get("targetRef") or {}).get("uid") or endpoint["addresses"][0]
        for each in found
        for endpoint in each.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
    }
    if len(ready) > 1:
        problem = (
            f"{len(ready)} pods are behind {settings.url}, and a call reaches one of them; "
            "say jaseci.selector and jaseci.port instead of url"
        )
        return Replicas(problem=problem)
    return Replicas(addresses=("",))


def combine_answers(answers: Mapping[str, Answer]) -> Answer:
    """How a service is, by what each address says; the pods that are otherwise than well are named."""
    (first, *others) = sorted(answers.items(), key=lambda pair: _WORST_FIRST.index(pair[1].state))
    address, answer = first
    automated = any(each.automated for each in answers.values())
    if not address or answer.state in {ServiceState.RUNNING, ServiceState.DISABLED}:
        return replace(answer, automated=automated)
    same = [address, *(each for each, other in others if other.state is answer.state)]
    where = f"in {', '.join(same)} of {len(answers)} pods"
    detail = f"{where}: {answer.detail}" if answer.detail else where
    return Answer(state=answer.state, detail=detail, automated=automated)


def _find_pods(run: Pass, settings: JaseciSettings) -> Replicas:
    namespace = settings.namespace or run.namespace
    (pods,) = run.cluster.list_objects([("v1", "Pod")], selector=settings.selector, namespaces=[namespace])
    what = f"the pods of Jaseci ({settings.selector} in {namespace})"
    if isinstance(pods, ClusterError):
        return Replicas(problem=f"{what} could not be listed: {pods}")
    if not pods:
        return Replicas(problem=f"no pod has the labels of jaseci.selector ({settings.selector} in {namespace})")
    ready = sorted(each["status"]["podIP"] for each in pods if is_ready(each) and each["status"].get("podIP"))
    return Replicas(addresses=tuple(ready), problem="" if ready else f"none of {what} is ready")


def find_service(url: str, *, home: str) -> tuple[str, str]:
    """(name, namespace) of the Service that a URL within the cluster leads to; empty where it is none."""
    parts: Sequence[str] = (urlsplit(url).hostname or "").split(".")
    if parts[-1].isdecimal() or ":" in parts[0]:
        return "", ""  # an IP address
    match parts:
        case ["localhost"]:
            return "", ""
        case [name]:
            return name, home
        case [name, namespace] | [name, namespace, "svc", *_]:
            return name, namespace
    return "", ""
