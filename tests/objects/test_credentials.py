"""Where credentials come from, by tables: never from whatever answers at a metadata service's address by accident."""

from collections.abc import Mapping

import pytest

from asynccp.objects.credentials import is_plain, settings
from asynccp.objects.errors import StoreError
from asynccp.objects.url import parse_url

PROFILES = {
    "~/.aws/credentials": "[default]\naws_access_key_id = D\naws_secret_access_key = d\n"
    "[work]\naws_access_key_id=W\naws_secret_access_key=w\naws_session_token=t\n",
    "~/.aws/config": "[default]\nregion=eu-west-1\n[profile work]\nregion=eu-north-1\nendpoint_url=http://x:1\n"
    "[profile sso]\nsso_session=s\n[profile chained]\nrole_arn=r\nsource_profile=work\n[profile bare]\nregion=r\n",
}
GCLOUD = {"~/.config/gcloud/application_default_credentials.json": "{}"}
ACCOUNT = {"AZURE_STORAGE_ACCOUNT_NAME": "a"}


def found(url: str, environ: Mapping[str, str], files: Mapping[str, str]) -> dict[str, str]:
    return settings(parse_url(url), environ, files.get)


@pytest.mark.parametrize(
    ("url", "environ", "files", "config"),
    [
        ("s3://bucket", {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}, PROFILES, {}),
        ("s3://bucket", {"AWS_SKIP_SIGNATURE": "true"}, {}, {}),
        ("s3://bucket", {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "r"}, PROFILES, {}),
        ("s3://bucket", {}, PROFILES, {"access_key_id": "D", "secret_access_key": "d", "region": "eu-west-1"}),
        (
            "s3://bucket",
            {"AWS_PROFILE": "work", "AWS_REGION": "us-east-1"},
            PROFILES,
            {"access_key_id": "W", "secret_access_key": "w", "session_token": "t", "endpoint": "http://x:1"},
        ),
        ("s3://bucket", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1"}, {}, {}),
        ("s3://bucket", {"AWS_EC2_METADATA_DISABLED": "false"}, {}, {}),
        ("s3://bucket", {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://m/"}, {}, {"metadata_endpoint": "http://m"}),
        ("gs://bucket", {"GOOGLE_APPLICATION_CREDENTIALS": "/f"}, {}, {}),
        ("gs://bucket", {}, GCLOUD, {}),
        ("gs://bucket", {"GCE_METADATA_HOST": "metadata.google.internal"}, {}, {}),
        ("az://bucket", ACCOUNT | {"AZURE_STORAGE_ACCOUNT_KEY": "k"}, {}, {}),
        ("az://bucket", ACCOUNT | {"AZURE_USE_AZURE_CLI": "true"}, {}, {}),
        ("az://bucket", ACCOUNT | {"IDENTITY_ENDPOINT": "http://i"}, {}, {"msi_endpoint": "http://i"}),
    ],
)
def test_each_stores_own_chain_is_followed(
    url: str, environ: dict[str, str], files: dict[str, str], config: dict[str, str]
) -> None:
    assert found(url, environ, files) == config


@pytest.mark.parametrize(
    ("url", "environ", "files", "words"),
    [
        ("s3://bucket/p", {}, {}, "there are no credentials for s3://bucket/p"),
        ("s3://bucket", {"AWS_EC2_METADATA_DISABLED": "true"}, {}, "there are no credentials"),
        ("s3://bucket", {"AWS_ACCESS_KEY_ID": "k"}, PROFILES, "AWS_SECRET_ACCESS_KEY is not"),
        ("s3://bucket", {"AWS_PROFILE": "sso"}, PROFILES, "the AWS profile sso gets its keys by sso_session"),
        ("s3://bucket", {"AWS_PROFILE": "chained"}, PROFILES, "gets its keys by role_arn"),
        ("s3://bucket", {"AWS_PROFILE": "bare"}, PROFILES, "the AWS profile bare has no keys"),
        ("s3://bucket", {"AWS_PROFILE": "none"}, PROFILES, "the AWS profile none has no keys"),
        ("s3://bucket", {}, {"~/.aws/credentials": "aws_secret_access_key = hush"}, "credentials can't be understood"),
        ("gs://bucket", {}, {}, "there are no credentials for gs://bucket"),
        ("az://bucket", {}, {}, "nothing says which account az://bucket is in"),
        ("az://bucket", ACCOUNT, {}, "there are no credentials for az://bucket"),
    ],
)
def test_without_any_nothing_is_asked_and_the_error_says_what_is_missing(
    url: str, environ: dict[str, str], files: dict[str, str], words: str
) -> None:
    with pytest.raises(StoreError) as caught:
        found(url, environ, files)
    assert words in str(caught.value)
    assert caught.value.hint
    assert "hush" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("config", "environ", "plain"),
    [
        ({}, {}, False),
        ({}, {"AWS_ENDPOINT_URL": "https://s3"}, False),
        ({}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:8333"}, True),
        ({"endpoint": "http://x:1"}, {}, True),
    ],
)
def test_tls_is_left_out_only_where_somebody_has_written_so(
    config: dict[str, str], environ: dict[str, str], plain: bool
) -> None:
    assert is_plain(config, environ) is plain
