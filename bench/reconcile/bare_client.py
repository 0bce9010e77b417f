"""The client of the bare programs: ApiClient of the kubernetes package, with nothing around it."""

import json
import sys
from typing import Any

from kubernetes.client import ApiClient, Configuration
from kubernetes.config import load_kube_config

IN_FLIGHT = 16
KINDS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Service": "/api/v1/namespaces/{}/services",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
}


def connect(kubeconfig: str) -> ApiClient:
    configuration = Configuration()
    load_kube_config(config_file=kubeconfig, client_configuration=configuration)
    configuration.connection_pool_maxsize = IN_FLIGHT
    return ApiClient(configuration)


def call(client: ApiClient, method: str, target: str, headers: dict[str, str], body: Any = None) -> Any:
    """The decoded answer; ends the program where the server refuses."""
    request = client.param_serialize(
        method, target, header_params=headers, body=body, auth_settings=["BearerToken"]
    )
    response = client.call_api(*request)
    data = response.read()
    if response.status >= 300:  # noqa: PLR2004 - HTTP's own number
        sys.exit(f"{method} {target}: {data.decode()}")
    return json.loads(data)
