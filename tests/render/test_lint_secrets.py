"""Secrets: what may lie in git, and what may not."""

import pytest

from tests.render.linting import Body, make_good, tell

ADVICE = "use a SealedSecret or an ExternalSecret, or say plainSecrets: allow in service.yaml"
SOPS = {"mac": "ENC[AES256_GCM,data:x]", "version": "3.9"}


def make_secret(**fields: Body) -> Body:
    return make_good("Secret/empty") | fields


@pytest.mark.parametrize(
    "fields", [{}, {"data": {}}, {"stringData": {}}, {"data": {"password": ""}}, {"data": {"password": None}}]
)
def test_a_secret_without_values_passes(fields: Body) -> None:
    """Others may fill it in."""
    assert tell(make_secret(**fields)) == []


@pytest.mark.parametrize("field", ["data", "stringData"])
def test_a_secret_with_values_is_refused(field: str) -> None:
    """Git never forgets, so each of its keys is named, and no value."""
    secret = make_secret(**{field: {"user": "YQ==", "password": "Yg==", "empty": ""}})

    assert tell(secret) == [f"plain-secret: {field}: password, user would lie in git as it is; {ADVICE}"]


def test_a_service_may_allow_it() -> None:
    """plainSecrets: allow is consent that a reviewer sees."""
    assert tell(make_secret(data={"password": "Yg=="}), plain=["redis"]) == []
    assert tell(make_secret(data={"password": "Yg=="}), plain=["mail"]) != []


@pytest.mark.parametrize(
    ("version", "kind"), [("bitnami.com/v1alpha1", "SealedSecret"), ("external-secrets.io/v1", "ExternalSecret")]
)
def test_other_kinds_of_secrets_pass(version: str, kind: str) -> None:
    """They hold references, or what only the cluster can read."""
    assert tell(make_secret(apiVersion=version, kind=kind, data={"password": "AgB3"})) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["data", "stringData"])
def test_a_secret_of_sops_passes_under_flux(field: str) -> None:
    """Flux decrypts it; nothing else does, whatever a service allows."""
    secret = make_secret(sops=SOPS, **{field: {"password": "ENC[AES256_GCM,data:x]"}})

    assert tell(secret, flux=True) == []
    message = "only Flux decrypts this; where it does not apply, use a SealedSecret or an ExternalSecret"
    for plain in ([], ["redis"]):
        assert tell(secret, plain=plain) == [f"plain-secret: sops: {message}"]


def test_a_secret_of_sops_is_encrypted_whole() -> None:
    """A value that was added later, in plain, is told."""
    secret = make_secret(sops=SOPS, data={"password": "ENC[AES256_GCM,data:x]", "user": "YQ=="})

    assert tell(secret, flux=True) == ["plain-secret: data: user would lie in git as it is; encrypt all of it"]


def test_the_rest_of_a_secret_of_sops_is_checked() -> None:
    """Encryption leaves the other fields as they are."""
    secret = make_secret(sops=SOPS, imutable={})

    assert tell(secret, flux=True) == ["unknown-field: imutable: unknown field; did you mean immutable?"]


def test_sops_without_encryption_is_a_field_like_any_other() -> None:
    """Only a secret that SOPS signed is taken for one of its own."""
    assert tell(make_secret(sops={}), flux=True) == ["unknown-field: sops: unknown field"]
