"""What looking costs at least with a client of Python: `python -m bench.reconcile.bare_list KUBECONFIG SELECTOR`.

Lists the four kinds side by side, in pages, and decodes them.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

from kubernetes.client import ApiClient

from bench.reconcile.bare_client import KINDS, call, connect

PAGE = "500"


def list_kind(client: ApiClient, place: str, selector: str) -> list[Any]:
    target, query = place.replace("/namespaces/{}", ""), {"limit": PAGE, "labelSelector": selector}
    items: list[Any] = []
    while True:
        page = call(client, "GET", f"{target}?{urlencode(query)}", {"Accept": "application/json"})
        items += page["items"]
        if not page["metadata"].get("continue"):
            return items
        query["continue"] = page["metadata"]["continue"]


def main(kubeconfig: str, selector: str) -> None:
    client = connect(kubeconfig)
    with ThreadPoolExecutor(len(KINDS)) as pool:
        found = list(pool.map(lambda place: list_kind(client, place, selector), KINDS.values()))
    print(sum(map(len, found)))


if __name__ == "__main__":
    main(*sys.argv[1:])
