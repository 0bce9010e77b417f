"""Whether objects of Kubernetes' kinds that make no pods do what they are for."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body, ObjectRef
from jsorc_gitops.reconcile.conditions import (
    find_change,
    find_condition,
    is_true,
    parse_time,
    say_condition,
)
from jsorc_gitops.reconcile.evidence import (
    LONG_PATIENCE,
    Evidence,
    Finding,
    current,
    doomed,
    failed,
    progressing,
)
from jsorc_gitops.reconcile.kube_events import find_event, list_events
from jsorc_gitops.reconcile.pods import is_ready, matches

_CLAIM_EVENTS = frozenset(
    {"WaitForFirstConsumer", "ProvisioningFailed", "FailedBinding", "ExternalProvisioning", "VolumeMismatch"}
)
_NOT_YET = "its controller has not written its status yet"


def judge_claim(live: Body, evidence: Evidence) -> Finding:
    """A PersistentVolumeClaim: current when bound, or when it waits for a pod and none is there that uses it."""
    phase = (live.get("status") or {}).get("phase", "Pending")
    if phase == "Lost":
        return failed(f"its volume {live['spec'].get('volumeName', '')} is gone (phase Lost)")
    if phase == "Bound":
        sizing = ("Resizing", "FileSystemResizePending", "ModifyingVolume")
        told = next((text for each in sizing if (text := say_condition(live, each, "True", evidence))), "")
        return progressing(f"it is being resized: {told}") if told else current("bound")
    found = _judge_unbound(live, evidence)
    return found._replace(events_of=(live["metadata"].get("uid", ""),))


def judge_volume(live: Body, evidence: Evidence) -> Finding:
    """A PersistentVolume: failed where its reclamation did."""
    status = live.get("status") or {}
    phase = status.get("phase", "Pending")
    if phase == "Failed":
        return failed(f"it could not be reclaimed: {evidence.quote(status.get('message'))}")
    return progressing("it is not available yet") if phase == "Pending" else current(phase.lower())


def judge_service(live: Body, evidence: Evidence) -> Finding:
    """A Service: one of type LoadBalancer needs an address, all others are current."""
    if (live.get("spec") or {}).get("type") != "LoadBalancer":
        return current("ready")
    if addresses := _list_addresses(live):
        return current(f"at {addresses}")
    event = find_event(live, evidence, {"SyncLoadBalancerFailed"})
    why = f": {evidence.quote(event.get('message'))}" if event else ""
    found = progressing(f"no load balancer has given it an address yet{why}")
    return found._replace(events_of=(live["metadata"].get("uid", ""),))


def judge_ingress(live: Body, evidence: Evidence) -> Finding:
    """An Ingress: current with an address. Some controllers never write one, so after a while it is, too."""
    if addresses := _list_addresses(live):
        return current(f"at {addresses}")
    text = "no Ingress controller has given it an address"
    made = parse_time(live["metadata"].get("creationTimestamp"))
    if made and evidence.now >= made + LONG_PATIENCE:
        return current(text)
    return progressing(f"{text} yet")


def judge_definition(live: Body, evidence: Evidence) -> Finding:
    """A CustomResourceDefinition: current when its kind is served, failed when its names are taken."""
    if text := say_condition(live, "NamesAccepted", "False", evidence):
        return failed(f"its names are not accepted: {text}")
    if is_true(live, "Established"):
        return current("established")
    return progressing("it is not established yet")


def judge_api_service(live: Body, evidence: Evidence) -> Finding:
    """An APIService: current when what serves it answers; until it does, that has a verdict of its own."""
    if is_true(live, "Available"):
        return current("available")
    return progressing(say_condition(live, "Available", "False", evidence) or _NOT_YET)


def judge_autoscaler(live: Body, evidence: Evidence) -> Finding:
    """A HorizontalPodAutoscaler: failed when it cannot read its target, or no metrics for a while."""
    active = find_condition(live, "ScalingActive")
    if text := say_condition(live, "AbleToScale", "False", evidence):
        since = find_change(find_condition(live, "AbleToScale"))
        return doomed(f"it cannot scale: {text}", since=since, now=evidence.now)
    if active.get("reason") == "ScalingDisabled":
        return current("off, as its target has no replicas")
    if text := say_condition(live, "ScalingActive", "False", evidence):
        message = f"it does not scale: {text}"
        return doomed(message, since=find_change(active), now=evidence.now, patience=LONG_PATIENCE)
    return current("scaling") if active else progressing(_NOT_YET)


def judge_budget(live: Body, evidence: Evidence) -> Finding:
    """A PodDisruptionBudget: current when it counts its pods; that none may go is no failure of its own."""
    condition = find_condition(live, "DisruptionAllowed")
    if condition.get("reason") == "SyncFailed":
        return progressing(say_condition(live, "DisruptionAllowed", "False", evidence))
    if not condition:
        return progressing(_NOT_YET)
    return current(f"{(live.get('status') or {}).get('disruptionsAllowed', 0)} of its pods may be disrupted")


def judge_namespace(live: Body, _evidence: Evidence) -> Finding:
    """A Namespace: current when active; one that is being deleted was told of before."""
    return current(str((live.get("status") or {}).get("phase", "Active")).lower())


def judge_webhooks(live: Body, evidence: Evidence) -> Finding:
    """A webhook configuration has no status, and refuses every request it is about while nobody answers it.

    So it is current when each Service of the tree that it calls has a ready pod, and cert-manager, where that is
    to, has put the CA in. What the tree does not hold is somebody else's.
    """
    annotations = live["metadata"].get("annotations") or {}
    injected = any(key.startswith("cert-manager.io/inject-") for key in annotations)
    for webhook in live.get("webhooks") or ():
        client = webhook.get("clientConfig") or {}
        if injected and not client.get("caBundle"):
            return progressing(f"webhook {webhook['name']}: cert-manager has not put its CA in yet")
        if (service := client.get("service")) and (text := _find_unanswered(service, evidence)):
            return progressing(f"webhook {webhook['name']}: {text}")
    return current("its webhooks have somebody to answer them")


def judge_elasticsearch(live: Body, evidence: Evidence) -> Finding:
    """Elastic's Elasticsearch: current when Ready and green, or yellow, as one node alone always is.

    https://www.elastic.co/docs/deploy-manage/deploy/cloud-on-k8s
    """
    status = live.get("status") or {}
    phase, health = status.get("phase"), status.get("health", "unknown")
    if phase == "Invalid":
        told = say_condition(live, "ReconciliationComplete", "False", evidence)
        return failed("its operator does not accept its spec (phase Invalid)" + (f": {told}" if told else ""))
    if phase == "Ready" and health in {"green", "yellow"}:
        yellow = ", which means that not all replicas of its shards have a node" if health == "yellow" else ""
        return current(f"{health}{yellow}")
    told = say_condition(live, "ReconciliationComplete", "False", evidence)
    text = f"health {health}, phase {phase}" if phase else _NOT_YET
    return progressing(f"{text}: {told}" if told else text)


def judge_elastic(live: Body, _evidence: Evidence) -> Finding:
    """What else Elastic's operator keeps (Kibana, Beat, Logstash, …): current when green."""
    status = live.get("status") or {}
    health = status.get("health")
    if health == "green":
        return current("green")
    nodes = status.get("availableNodes", 0), status.get("expectedNodes", status.get("count"))
    of = f", {nodes[0]} of {nodes[1]} nodes available" if nodes[1] is not None else ""
    links = {key: value for key, value in status.items() if key.endswith("ssociationStatus") and value}
    linked = "".join(f", {key} {value}" for key, value in links.items() if value != "Established")
    return progressing(f"health {health}{of}{linked}" if health else _NOT_YET)


def _judge_unbound(live: Body, evidence: Evidence) -> Finding:
    told = list_events(live, evidence, _CLAIM_EVENTS)
    if not told:
        return progressing("it is not bound yet")
    last = told[-1]
    said = evidence.quote(last.get("message"))
    if last["reason"] == "WaitForFirstConsumer" and not _is_used(live, evidence):
        return current("it is bound once a pod uses it (WaitForFirstConsumer)")
    # Of a class that there is none of somebody may make volumes by hand, so even that is not final.
    return progressing(f"it is not bound: {said}")


def _is_used(claim: Body, evidence: Evidence) -> bool:
    """Whether a pod uses it; yes where nobody knows."""
    pods = evidence.pods.get(claim["metadata"]["namespace"], ())
    if isinstance(pods, ClusterError):
        return True
    return any(claim["metadata"]["name"] in _list_claims(pod) for pod in pods)


def _list_claims(pod: Body) -> Iterator[str]:
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        yield str((volume.get("persistentVolumeClaim") or {}).get("claimName"))


def _list_addresses(live: Body) -> str:
    found: Iterable[Mapping[str, Any]] = ((live.get("status") or {}).get("loadBalancer") or {}).get(
        "ingress"
    ) or ()
    return ", ".join(str(each.get("ip") or each.get("hostname")) for each in found)


def _find_unanswered(service: Mapping[str, Any], evidence: Evidence) -> str:
    """Why nobody answers at a Service that a webhook calls; "" where somebody does, or it is not of the tree."""
    namespace, name = service["namespace"], service["name"]
    ref = ObjectRef(group="", kind="Service", namespace=namespace, name=name)
    pods = evidence.pods.get(namespace)
    selector = (evidence.live.get(ref, {}).get("spec") or {}).get("selector")
    if not selector or pods is None or isinstance(pods, ClusterError):
        return ""
    found = [each for each in pods if matches({"matchLabels": selector}, each["metadata"].get("labels") or {})]
    return "" if any(map(is_ready, found)) else f"no ready pod stands behind {ref}"
