"""An admission policy of a real API server, for as long as a test needs it."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.controlplane.server import ControlPlane, KubectlError
from tests.waiting import wait_until

_POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}
    resourceRules: [{rule}]
  validations: [{{expression: "{expression}", message: {message}}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec: {{policyName: {name}, validationActions: [Deny]}}
"""


@contextmanager
def admit_only(
    controlplane: ControlPlane,
    namespace: str,
    expression: str,
    *,
    rule: str,
    message: str,
    refused: tuple[str, ...],
) -> Iterator[None]:
    """In the namespace, requests that the rule matches are refused with the message unless the expression holds.

    `refused` are kubectl's arguments of one, by whose dry-run is known when the policy is in force.
    """
    name = f"{namespace}-policy"
    policy = _POLICY.format(name=name, namespace=namespace, rule=rule, expression=expression, message=message)
    controlplane.kubectl("create", "-f", "-", stdin=policy)

    def is_in_force() -> bool:
        try:
            controlplane.kubectl(*refused, "-n", namespace, "--dry-run=server")
        except KubectlError:
            return True
        return False

    try:
        wait_until(is_in_force, what="the admission policy is in force")
        yield
    finally:
        kinds = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
        controlplane.kubectl("delete", *(f"{kind}/{name}" for kind in kinds))
