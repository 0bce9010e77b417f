"""Which kinds an API server serves, and under which paths."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from jsorc_gitops.errors import ClusterError


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a kind is called in paths, and whether its objects lie in namespaces."""

    plural: str
    namespaced: bool


class Resources:
    """What discovery told; nothing before that."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Resource] = {}
        self.preferred: dict[tuple[str, str], str] = {}
        self.away: set[str] = set()

    def learn_group(self, group: Mapping[str, Any]) -> None:
        """Take in one item of an APIGroupDiscoveryList."""
        name = group["metadata"].get("name", "")
        for version in group["versions"]:
            if version.get("freshness") == "Stale":
                # What it served when it could be reached last proves nothing now.
                self.away.add(name)
                continue
            api_version = f"{name}/{version['version']}" if name else version["version"]
            for resource in version.get("resources", ()):
                kind = resource.get("responseKind", {}).get("kind", "")
                found = Resource(plural=resource["resource"], namespaced=resource["scope"] == "Namespaced")
                self.found.setdefault((api_version, kind), found)
                self.preferred.setdefault((name, kind), api_version)

    def make_path(self, api_version: str, kind: str, namespace: str, name: str) -> str:
        """The path of an object, or without a name of its collection; raises ClusterError where there is none."""
        resource = self.found.get((api_version, kind))
        if resource is None:
            raise ClusterError(
                f"the API server serves no {kind} of {api_version or 'that group'}", reason="NotServed"
            )
        if {name, namespace} & {".", ".."}:
            # As parts of a path they would lead to another resource: DELETE …/.. is a collection.
            raise ClusterError(f"{kind} {namespace}/{name}: no object has such a name", reason="Invalid")
        root = "/apis/" if "/" in api_version else "/api/"
        place = f"/namespaces/{quote(namespace)}" if namespace and resource.namespaced else ""
        return f"{root}{api_version}{place}/{resource.plural}" + (f"/{quote(name)}" if name else "")
