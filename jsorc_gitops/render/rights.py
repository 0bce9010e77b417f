"""The rights of jsorc itself, which it must not be the one to apply."""

from collections.abc import Iterable

from jsorc_gitops.errors import DefinitionError
from jsorc_gitops.model.layout import rights_name
from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.model.services import ServiceRecord
from jsorc_gitops.model.settings import Settings


def check_own_rights(record: ServiceRecord, manifests: Iterable[Manifest], settings: Settings, tree: str) -> None:
    """Refuse what `jsorc rbac` printed in a service that jsorc applies. Raises DefinitionError.

    To apply its own rights it would have to hold the right to change them, and removing the service would end
    the very pass that prunes it.
    """
    if settings.applier != "jsorc" or not record.keep_alive:
        return
    name = rights_name(settings.namespace, tree)
    own = next((each for each in manifests if each.ref.name == name), None)
    if own is not None:
        raise DefinitionError(
            f"{own.where}: {own.ref.kind}/{name} is what jsorc itself may do, so jsorc must not apply it; take "
            f"{record.name} out of keep_alive in jsorc.yaml, and have somebody who may grant rights apply "
            f"rendered/{record.name}"
        )
