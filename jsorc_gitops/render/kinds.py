"""Which schema an object is checked against: Kubernetes' own, or that of a CustomResourceDefinition beside it."""

from collections.abc import Iterable

from jsorc_gitops.model.objects import Manifest
from jsorc_gitops.render.custom import list_versions, make_custom_schema
from jsorc_gitops.render.definitions import Definitions
from jsorc_gitops.render.findings import Rule
from jsorc_gitops.render.schemas import Checker, Mistake, SchemaError, compile_schema
from jsorc_gitops.render.sizes import check_size

_DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")


class Schemas:
    """The schemas of Kubernetes, compiled as kinds ask for them; one serves any number of trees."""

    def __init__(self, text: str) -> None:
        """`text` holds the OpenAPI definitions of one release as a JSON document."""
        self.definitions = Definitions(text)
        self._checkers: dict[tuple[str, str], Checker | None] = {}

    def is_own(self, group: str) -> bool:
        """Whether a group belongs to Kubernetes itself."""
        return group in self.definitions.groups

    def check_own(self, manifest: Manifest) -> list[Mistake]:
        """What is wrong with an object of Kubernetes' own groups."""
        api_version, kind = key = manifest.api_version, manifest.ref.kind
        if key not in self._checkers:
            schema = self.definitions.make_schema(api_version, kind)
            self._checkers[key] = compile_schema(schema, secret=kind == "Secret") if schema else None
        checker = self._checkers[key]
        if checker is None:
            why = self.definitions.explain_absence(api_version, kind)
            return [Mistake(rule=Rule.NOT_SERVED, path=("apiVersion",), message=why)]
        return checker.check_value(manifest.body)


class CustomKinds:
    """The kinds that the CustomResourceDefinitions of one tree define, compiled as objects ask for them."""

    def __init__(self, schemas: Schemas, manifests: Iterable[Manifest]) -> None:
        """CRDs that are wrong themselves are passed over: they have findings of their own."""
        self._schemas = schemas
        self._definitions = {}
        for each in manifests:
            if each.ref.group_kind == _DEFINITION and not any(check_size(each)) and not schemas.check_own(each):
                spec = each.body["spec"]
                self._definitions[spec["group"], spec["names"]["kind"]] = each
        self._checkers: dict[tuple[str, str], Checker | Mistake] = {}

    def check_custom(self, manifest: Manifest) -> list[Mistake]:
        """What is wrong with a custom resource; nothing where its definition lies outside of the tree."""
        definition = self._definitions.get(manifest.ref.group_kind)
        if definition is None:
            return []
        key = manifest.api_version, manifest.ref.kind
        if key not in self._checkers:
            self._checkers[key] = self._compile(definition, manifest.api_version)
        checker = self._checkers[key]
        return [checker] if isinstance(checker, Mistake) else checker.check_value(manifest.body)

    def _compile(self, definition: Manifest, api_version: str) -> Checker | Mistake:
        versions = list_versions(definition)
        if api_version not in versions:
            served = " or ".join(versions) or "nothing"
            message = f"{definition.ref} ({definition.where}) does not serve it; write {served}"
            return Mistake(rule=Rule.NOT_SERVED, path=("apiVersion",), message=message)
        try:
            return compile_schema(make_custom_schema(versions[api_version], self._schemas.definitions))
        except SchemaError as error:
            message = f"not checked: the schema in {definition.ref} ({definition.where}) is none: {error}"
            return Mistake(rule=Rule.UNCHECKED, path=(), message=message)
