"""`jsorc` whose dry-runs are answered without asking, to see what applying costs alone: run in its place."""

import sys
from collections.abc import Sequence

from jsorc_gitops import cli
from jsorc_gitops.adapters import cluster
from jsorc_gitops.errors import ClusterError
from jsorc_gitops.model.objects import ApplyRequest, Body


class Undried(cluster.Cluster):
    """A cluster that says of every dry-run that the object would be created as it was sent."""

    def apply_objects(self, requests: Sequence[ApplyRequest]) -> list[Body | ClusterError]:
        if all(each.dry_run for each in requests):
            return [each.body for each in requests]
        return super().apply_objects(requests)


setattr(cluster, "Cluster", Undried)  # noqa: B010 - mypy forbids the plain way

if __name__ == "__main__":
    sys.exit(cli.run(sys.argv[1:]))
