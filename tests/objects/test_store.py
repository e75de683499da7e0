"""What a store's errors mean, in one sentence, and that nothing secret is in it."""

import pytest
from obstore.exceptions import BaseError, GenericError, PermissionDeniedError

from asynccp.objects.store import store_error
from asynccp.objects.url import parse_url

ANSWER = "Error performing PUT http://x/bucket/k?sig=SECRET in 1ms - Server returned non-2xx status code: {}: {}"


def error(code: str, message: str = "so it is") -> str:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"


@pytest.mark.parametrize(
    ("exc", "words"),
    [
        (PermissionDeniedError(ANSWER.format(403, error("AccessDenied"))), "access to s3://bucket/p/k is denied"),
        (GenericError(ANSWER.format(403, error("SignatureDoesNotMatch"))), "s3://bucket refuses the credentials"),
        (GenericError(ANSWER.format(401, "")), "s3://bucket refuses the credentials"),
        (FileNotFoundError(ANSWER.format(404, error("NoSuchBucket"))), "there is no bucket s3://bucket"),
        (GenericError(ANSWER.format(507, error("InsufficientStorage"))), "s3://bucket is full: InsufficientStorage"),
        (GenericError(ANSWER.format(403, error("QuotaExceeded"))), "s3://bucket is full: QuotaExceeded"),
        (GenericError(ANSWER.format(500, error("InternalError", "\x1b[31mred"))), "the store says 500 InternalError"),
        (GenericError("Received redirect without LOCATION, this …"), "s3://bucket is in another region"),
        (GenericError("… ConnectionRefused …"), "s3://bucket can't be reached: connection refused"),
        (GenericError("… dns error …"), "s3://bucket can't be reached: its name is not known"),
        (GenericError("… operation timed out"), "s3://bucket can't be reached: it does not answer"),
    ],
)  # fmt: skip
def test_an_error_is_one_sentence(exc: BaseError, words: str) -> None:
    told = store_error(parse_url("s3://bucket/p/"), "k", exc)
    assert words in str(told)
    assert "SECRET" not in str(told)
    assert str(told).isprintable()
