"""A whole LIST, in pages, and the moment it is of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jsorc_gitops.adapters.answers import GONE
from jsorc_gitops.adapters.connection import Connection
from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import Body

JSON = "application/json"
NAMES = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PAGE = 500
RESTARTS = 3  # how often one LIST begins anew because its pages expired


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Objects of one kind, in a namespace or in all of them: where they are, and which of them."""

    api_version: str
    kind: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)


def read_list(connection: Connection, collection: Collection, *, accept: str = JSON) -> tuple[list[Body], str]:
    """All objects, and the resourceVersion of the LIST, at which a WATCH begins; raises ClusterError."""
    query = {"limit": str(PAGE), **collection.query}
    common = {"apiVersion": collection.api_version, "kind": collection.kind}
    items: list[Body] = []
    restarts = RESTARTS
    while True:
        try:
            page = connection.call("GET", collection.path, query=query, accept=accept)
        except ClusterError as error:
            if error.status != GONE or not restarts:
                raise
            # What was read is of a past that the server has forgotten, so the rest does not fit to it.
            restarts, items = restarts - 1, []
            query.pop("continue", None)
            continue
        if not {"items", "metadata"} <= page.keys():
            raise ClusterError(f"GET {collection.path}: answered 200 without a list")
        # A list leaves out what its items have in common; one of names without any has no items at all.
        items += [{**common, **item} for item in page["items"] or ()]
        following = page["metadata"].get("continue")
        if not following:
            return items, page["metadata"].get("resourceVersion", "")
        query["continue"] = following
