"""Credentials of object stores: what the environment says, by each store's own rules. Reads no network.

    s3  AWS_ACCESS_KEY_ID and its companions; a web identity; the profile of ~/.aws (AWS_PROFILE), if it has keys; a
        container's endpoint; an instance's metadata service
    gs  GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_SERVICE_ACCOUNT…; gcloud's application default; the metadata service
    az  AZURE_STORAGE_ACCOUNT_NAME with a key, a SAS, a client's secret, a federated token, `az`; a managed identity

obstore has these chains, but for AWS profiles; and where it finds nothing it asks 169.254.169.254 for whatever answers
there: on a laptop that is a wait of a minute, on somebody's network a stranger. So it is asked only where the
environment says that there is such a service; without anything the error says what is missing.
"""

import configparser
from collections.abc import Callable, Mapping

from asynccp.objects.errors import StoreError
from asynccp.objects.url import StoreUrl
from asynccp.text import printable

Environment = Mapping[str, str]
Read = Callable[[str], str | None]
"""Return the text of a file, `~` standing for the home directory; None if there is none."""

_GCLOUD = "~/.config/gcloud/application_default_credentials.json"
_PROFILE_FIELDS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}
_ENDPOINTS = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT",
    "GOOGLE_BASE_URL",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_ENDPOINT",
)
_OTHER_WAYS = ("sso_session", "sso_start_url", "role_arn", "credential_process", "login_session")


def settings(url: StoreUrl, environ: Environment, read: Read) -> dict[str, str]:
    """Return what the store's client is told besides the environment, which it reads itself. Raises StoreError."""
    return {"s3": _aws, "gs": _google, "az": _azure}[url.scheme](url, environ, read)


def is_plain(config: Mapping[str, str], environ: Environment) -> bool:
    """Tell whether the endpoint that somebody has named is one without TLS: a store on this machine, or in tests."""
    named = (config.get("endpoint", ""), *(environ.get(one, "") for one in _ENDPOINTS))
    return any(one.startswith("http://") for one in named) or _is_true(environ, "AZURE_STORAGE_USE_EMULATOR")


def _aws(url: StoreUrl, environ: Environment, read: Read) -> dict[str, str]:
    said = _said(environ)
    if said("AWS_ACCESS_KEY_ID") and not said("AWS_SECRET_ACCESS_KEY"):
        raise StoreError("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not", hint="set both")
    if said("AWS_ACCESS_KEY_ID") or _is_true(environ, "AWS_SKIP_SIGNATURE"):
        return {}
    if said("AWS_WEB_IDENTITY_TOKEN_FILE") and said("AWS_ROLE_ARN"):
        return {}
    if found := _aws_profile(environ, read):
        return found
    if said("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        return {}
    if said("AWS_METADATA_ENDPOINT"):
        return {}
    if at := environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        return {"metadata_endpoint": at.rstrip("/")}
    if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "false":
        return {}
    raise StoreError(
        f"there are no credentials for {url}",
        hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; on an EC2 instance that has a role, "
        "AWS_EC2_METADATA_DISABLED=false",
    )


def _aws_profile(environ: Environment, read: Read) -> dict[str, str]:
    """Return the keys, region and endpoint of a profile; empty if there are none. Raises StoreError."""
    named = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or ""
    name = named or "default"
    section = name if name == "default" else f"profile {name}"
    found = {
        **_section(read, environ.get("AWS_CONFIG_FILE") or "~/.aws/config", section),
        **_section(read, environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials", name),
    }
    keys = {ours: found[theirs] for theirs, ours in _PROFILE_FIELDS.items() if found.get(theirs)}
    if {"access_key_id", "secret_access_key"} <= keys.keys():
        if found.get("region") and not (environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")):
            keys["region"] = found["region"]
        if found.get("endpoint_url") and not (environ.get("AWS_ENDPOINT_URL") or environ.get("AWS_ENDPOINT_URL_S3")):
            keys["endpoint"] = found["endpoint_url"]
        return keys
    if way := next((one for one in _OTHER_WAYS if one in found), ""):
        raise StoreError(
            f"the AWS profile {printable(name)} gets its keys by {way}, which takes the aws command",
            hint=f'eval "$(aws configure export-credentials --format env --profile {printable(name)})"',
        )
    if named:
        raise StoreError(f"the AWS profile {printable(name)} has no keys", hint="see `aws configure list`")
    return {}


def _section(read: Read, path: str, name: str) -> dict[str, str]:
    """Return a section of an ini file. Raises StoreError for a file that is none."""
    text = read(path)
    if text is None:
        return {}
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:  # whose words quote the line, which may have a key in it
        raise StoreError(f"{printable(path)} can't be understood", hint="see `aws configure list`") from None
    return dict(parser[name]) if parser.has_section(name) else {}


def _google(url: StoreUrl, environ: Environment, read: Read) -> dict[str, str]:
    said = _said(environ)
    if _is_true(environ, "GOOGLE_SKIP_SIGNATURE") or said(
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GOOGLE_BEARER_TOKEN",
    ):
        return {}
    if read(_GCLOUD) is not None or said("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"):
        return {}
    raise StoreError(
        f"there are no credentials for {url}",
        hint="run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS; on a machine of "
        "Google's, GCE_METADATA_HOST=metadata.google.internal",
    )


def _azure(url: StoreUrl, environ: Environment, _read: Read) -> dict[str, str]:
    said = _said(environ)
    if not (said("AZURE_STORAGE_ACCOUNT_NAME") or _is_true(environ, "AZURE_STORAGE_USE_EMULATOR")):
        raise StoreError(f"nothing says which account {url} is in", hint="set AZURE_STORAGE_ACCOUNT_NAME")
    true = ("AZURE_STORAGE_USE_EMULATOR", "AZURE_SKIP_SIGNATURE", "AZURE_USE_AZURE_CLI")
    if any(_is_true(environ, one) for one in true) or said(
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCESS_KEY",
        "AZURE_STORAGE_MASTER_KEY",
        "AZURE_STORAGE_SAS_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_TOKEN",
        "AZURE_STORAGE_CLIENT_SECRET",
        "AZURE_CLIENT_SECRET",
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_FABRIC_SESSION_TOKEN",
        "AZURE_MSI_ENDPOINT",
        "AZURE_IDENTITY_ENDPOINT",
    ):
        return {}
    if at := environ.get("IDENTITY_ENDPOINT") or environ.get("MSI_ENDPOINT"):
        return {"msi_endpoint": at}
    raise StoreError(
        f"there are no credentials for {url}",
        hint="set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_USE_AZURE_CLI=true after `az login`; "
        "on a machine with a managed identity, AZURE_MSI_ENDPOINT",
    )


def _said(environ: Environment) -> Callable[..., bool]:
    return lambda *names: any(environ.get(name) for name in names)


def _is_true(environ: Environment, name: str) -> bool:
    return environ.get(name, "").lower() in ("true", "1", "yes", "on")
