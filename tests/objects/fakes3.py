"""A small S3 server: what the default tests put objects into. Its memory is what a bucket has; a real one is asked by
`nox -s objects`.

It knows signatures only as far as the access key in them, and of multipart uploads that nothing is visible before they
are completed.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

KEY, SECRET, BUCKET = "test-key", "test-secret", "bucket"
PAGE = 1000
_LAST_MODIFIED = "2026-01-01T00:00:00.000Z"


@dataclass
class Stored:
    """An object: its content, metadata, and etag."""

    content: bytes
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'


class FakeS3:
    """objects: by key. uploads: parts of those that are under way. room: bytes until it is full. asked: what for.

    go: while it is not set, parts are not answered. changes: what objects become when they are read.
    busy: how many requests are still refused for now.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.begun: dict[str, tuple[str, dict[str, str]]] = {}
        self.aborted = 0
        self.room = 1 << 40
        self.asked: list[tuple[str, str]] = []
        self.news = Condition()
        self.busy = 0
        self.changes: dict[str, Stored] = {}
        self.go = Event()
        self.go.set()
        self.url = ""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def puts(self) -> list[str]:
        """Return the keys that were put, in order."""
        return [key for method, key in self.asked if method == "PUT"]

    def wait_for_parts(self, count: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: sum(map(len, self.uploads.values())) >= count, 30)

    def told(self) -> None:
        with self.news:
            self.news.notify_all()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: FakeS3

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:  # who asked was killed
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        _, bucket, *rest = unquote(address.path).split("/", 2)
        key, query = "".join(rest), {name: one[0] for name, one in parse_qs(address.query, True).items()}
        self.store.asked.append((self.command, key or "?"))
        if f"Credential={KEY}/" not in self.headers.get("Authorization", ""):
            return self._fail(403, "InvalidAccessKeyId", "The access key id does not exist.")
        if self.store.busy and key and self.command in ("PUT", "GET"):
            self.store.busy -= 1
            return self._fail(503, "SlowDown", "Please reduce your request rate.")
        if bucket != BUCKET:
            return self._fail(404, "NoSuchBucket", "The specified bucket does not exist")
        answers = {"GET": self._get, "HEAD": self._head, "PUT": self._put, "POST": self._post, "DELETE": self._delete}
        return answers[self.command](key, query, body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _answer  # noqa: N815 (its base's names)

    def _get(self, key: str, query: dict[str, str], _body: bytes) -> None:
        if not key:
            return self._list(query)
        if not (one := self.store.objects.get(key)):
            return self._fail(404, "NoSuchKey", "The specified key does not exist.")
        if self.headers.get("If-Match", one.etag) != one.etag:
            return self._fail(412, "PreconditionFailed", "It is another one.")
        if changed := self.store.changes.pop(key, None):
            self.store.objects[key] = changed
            return self._get(key, query, b"")
        content, status, more = one.content, 200, self._about(one)
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            begin, end = int(wanted[1]), min(len(content) - 1, int(wanted[2] or len(content)))
            more["Content-Range"] = f"bytes {begin}-{end}/{len(content)}"
            content, status = content[begin : end + 1], 206
        return self._send(status, content, more)

    def _head(self, key: str, _query: dict[str, str], _body: bytes) -> None:
        if not (one := self.store.objects.get(key)):
            return self._fail(404, "NoSuchKey", "")
        return self._send(200, one.content, self._about(one))

    def _put(self, key: str, query: dict[str, str], body: bytes) -> None:
        store = self.store
        if "uploadId" in query:
            store.uploads[query["uploadId"]][int(query["partNumber"])] = body
            store.told()
            store.go.wait(60)
        store.room -= len(body)
        if store.room < 0:
            return self._fail(507, "InsufficientStorage", "The bucket is full.")
        if "uploadId" in query:
            return self._send(200, b"", {"ETag": Stored(body).etag})
        if source := self.headers.get("x-amz-copy-source"):
            found = store.objects[unquote(source).removeprefix(f"/{BUCKET}/").removeprefix(f"{BUCKET}/")]
            store.objects[key] = Stored(found.content, dict(found.metadata))
            result = f"<CopyObjectResult><ETag>{escape(found.etag)}</ETag></CopyObjectResult>"
            return self._send(200, result.encode())
        store.objects[key] = Stored(body, self._metadata())
        return self._send(200, b"", {"ETag": store.objects[key].etag})

    def _post(self, key: str, query: dict[str, str], _body: bytes) -> None:
        store = self.store
        if "uploads" in query:
            name = f"upload-{len(store.begun)}"
            store.uploads[name], store.begun[name] = {}, (key, self._metadata())
            result = f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
            return self._send(200, result.encode())
        parts, (key, metadata) = store.uploads.pop(query["uploadId"]), store.begun[query["uploadId"]]
        made = store.objects[key] = Stored(b"".join(parts[one] for one in sorted(parts)), metadata)
        result = f"<CompleteMultipartUploadResult><ETag>{escape(made.etag)}</ETag></CompleteMultipartUploadResult>"
        return self._send(200, result.encode())

    def _delete(self, key: str, query: dict[str, str], _body: bytes) -> None:
        if "uploadId" in query:
            self.store.uploads.pop(query["uploadId"], None)
            self.store.aborted += 1
        else:
            self.store.objects.pop(key, None)
        self._send(204, b"")

    def _list(self, query: dict[str, str]) -> None:
        after = query.get("continuation-token") or ""
        keys = [one for one in sorted(self.store.objects) if one.startswith(query.get("prefix", "")) and one > after]
        rows = "".join(
            f"<Contents><Key>{escape(quote(one) if query.get('encoding-type') == 'url' else one)}</Key>"
            f"<LastModified>{_LAST_MODIFIED}</LastModified>"
            f"<ETag>{escape(self.store.objects[one].etag)}</ETag><Size>{len(self.store.objects[one].content)}</Size></Contents>"
            for one in keys[:PAGE]
        )
        more = f"<NextContinuationToken>{escape(keys[PAGE - 1])}</NextContinuationToken>" if len(keys) > PAGE else ""
        self._send(200, f"<ListBucketResult>{more}{rows}</ListBucketResult>".encode())

    def _metadata(self) -> dict[str, str]:
        prefix = "x-amz-meta-"
        return {
            name.lower()[len(prefix) :]: one for name, one in self.headers.items() if name.lower().startswith(prefix)
        }

    def _about(self, one: Stored) -> dict[str, str]:
        when = {"ETag": one.etag, "Last-Modified": formatdate(1767225600, usegmt=True)}
        return when | {f"x-amz-meta-{name}": value for name, value in one.metadata.items()}

    def _fail(self, status: int, code: str, message: str) -> None:
        self._send(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def served() -> Iterator[FakeS3]:
    store = FakeS3()
    handler = type("OfStore", (Handler,), {"store": store})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        store.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield store
        finally:
            store.go.set()
            server.shutdown()
            thread.join()
