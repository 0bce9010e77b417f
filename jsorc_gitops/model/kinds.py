"""What is known of kinds by their names alone."""

from jsorc_gitops.model.objects import WORKLOADS, ObjectRef

# Groups of Kubernetes itself that have no dot or end in .k8s.io; custom kinds under *.k8s.io exist
# too (gateway.networking.k8s.io), so the names are listed.
OWN_GROUPS = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)

# Kinds of these groups with a status that says how an object is; reconcile/health has a rule for each.
JUDGED_KINDS = WORKLOADS | frozenset(
    {
        ("", "Namespace"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
        ("", "Pod"),
        ("", "Service"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("apps", "ReplicaSet"),
        ("autoscaling", "HorizontalPodAutoscaler"),
        ("batch", "CronJob"),
        ("batch", "Job"),
        ("networking.k8s.io", "Ingress"),
        ("policy", "PodDisruptionBudget"),
    }
)


def may_be_judged(ref: ObjectRef) -> bool:
    """Whether its status may say how it is, as far as its kind tells: those of others may have one."""
    return ref.group_kind in JUDGED_KINDS or ref.group not in OWN_GROUPS
