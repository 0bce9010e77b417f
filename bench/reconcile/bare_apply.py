"""What applying costs at least with a client of Python: `python -m bench.reconcile.bare_apply KUBECONFIG FOLDER`.

Every object below the folder is sent by server-side apply, sixteen at a time, and the answer is decoded.
Nothing else: no discovery, order, dry-run, state or report.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import ApiClient

from bench.reconcile.bare_client import IN_FLIGHT, KINDS, call, connect


def apply(client: ApiClient, body: Any) -> Any:
    metadata = body["metadata"]
    place = KINDS[body["kind"]].format(metadata["namespace"])
    query = "fieldManager=bare&fieldValidation=Strict"
    headers = {"Accept": "application/json", "Content-Type": "application/apply-patch+yaml"}
    return call(client, "PATCH", f"{place}/{metadata['name']}?{query}", headers, body)


def main(kubeconfig: str, folder: str) -> None:
    client = connect(kubeconfig)
    objects = [
        each
        for path in sorted(Path(folder).rglob("*.yaml"))
        for each in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader)
    ]
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(lambda body: apply(client, body), objects))


if __name__ == "__main__":
    main(*sys.argv[1:])
