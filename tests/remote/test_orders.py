"""What a pod removes, or sets, where it stands: only what was named, by its own name, and through no link."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from asynccp.archive.layout import Blocks
from asynccp.remote.commands import PushRequest, push_command
from asynccp.remote.dialogue import HEARD, NOTHING
from asynccp.remote.digests import AnswerReader, encode_names, encode_question
from asynccp.remote.listing import ListingReader

from .boxes import TOKEN, Process
from .test_commands import BoxOf

KINDS = ["dash-gnu", "bash-gnu", "busybox", "toybox"]


@pytest.fixture(params=KINDS)
def box(request: pytest.FixtureRequest, box_of: BoxOf) -> Path:
    return box_of(request.param)


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A destination, beside a directory that is none of a push's business."""
    for name in ("there/a/b/deep", "there/a/file", "there/-rf", "there/odd\n\\name", "outside/deep", "outside/b/deep"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "there/link").symlink_to("../outside/deep")
    return tmp_path / "there"


class Ordered:
    """A push that has nothing to send: the pod has listed what it has, and waits for orders."""

    def __init__(self, box: Path, there: Path) -> None:
        request = PushRequest(token=TOKEN, directory=str(there), blocks=Blocks(512, 1, 0), question=encode_names([b""]))
        self._pod = Process(box, push_command(request), there.parent)

    def __enter__(self) -> "Ordered":
        self._pod.__enter__()
        assert self._pod.line("hello").facts["compares"] == "yes"
        reader = ListingReader(TOKEN)
        while not reader.ended:
            for _ in reader.feed(self._pod.read(65536)):
                pass
        self._pod.stdin.write(HEARD + NOTHING)
        assert self._pod.line("done").facts["rc"] == "0"
        return self

    def __exit__(self, *_: object) -> None:
        self._pod.acknowledge()
        assert self._pod.exit_code() == 0
        self._pod.__exit__()

    def order(self, word: str, *paths: bytes) -> Sequence[bytes]:
        """Return what could not be done."""
        self._pod.stdin.write(encode_question(paths, word))
        answer, found = AnswerReader(TOKEN, paths, word), None
        while found is None:
            found = answer.feed(self._pod.read(65536))
        return [path for path, undone in zip(paths, found[0], strict=True) if undone]


def below(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*")}


def test_what_is_named_is_removed_and_nothing_else(box: Path, there: Path) -> None:
    with Ordered(box, there) as pod:
        assert pod.order("remove", b"a/b/deep", b"a/b", b"-rf", b"odd\n\\name", b"link", b"gone") == []
    assert below(there) == {"a", "a/file"}
    assert below(there.parent / "outside") == {"deep", "b", "b/deep"}


def test_a_directory_with_something_in_it_stays(box: Path, there: Path) -> None:
    before = below(there)
    with Ordered(box, there) as pod:
        assert pod.order("remove", b"a/b", b"a") == [b"a/b", b"a"]
    assert below(there) == before


@pytest.mark.parametrize("word", ["remove", "mode 0600", "time 1000000000"])
def test_no_order_goes_through_a_link(box: Path, there: Path, word: str) -> None:
    outside = there.parent / "outside"
    before = {path: path.stat() for path in outside.rglob("*")}
    with Ordered(box, there) as pod:
        for path in (there / "a/b/deep", there / "a/file"):
            path.unlink()
        (there / "a/b").rmdir()
        (there / "a/b").symlink_to("../../outside/b")  # after the listing, as somebody else in the container might
        assert pod.order(word, b"a/b/deep") == [b"a/b/deep"]
    assert {path: path.stat() for path in outside.rglob("*")} == before


def test_a_mode_and_a_time_are_set(box: Path, there: Path) -> None:
    with Ordered(box, there) as pod:
        assert pod.order("mode 0640", b"a/file", b"odd\n\\name", b"gone") == [b"gone"]
        assert pod.order("time 1000000000", b"a/file", b"a/b", b"odd\n\\name") == []
    for name in ("a/file", "odd\n\\name"):
        status = (there / name).stat()
        assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o640, 1_000_000_000)
    assert (there / "a/b").stat().st_mtime == 1_000_000_000


@pytest.mark.parametrize("mode", [0o777, 0o755], ids=["others may write", "nobody else may"])
def test_a_link_at_the_end_is_not_given_a_mode(box: Path, there: Path, mode: int) -> None:
    """chmod(1) follows links. Where somebody else may change names, each is held, and looked at, before it is set."""
    outside = there.parent / "outside/deep"
    before = stat.S_IMODE(outside.stat().st_mode)
    there.chmod(mode)
    with Ordered(box, there) as pod:
        undone = pod.order("mode 0600", b"link")
    if mode == 0o777:
        assert undone == [b"link"]
        assert stat.S_IMODE(outside.stat().st_mode) == before


def test_what_may_not_be_removed_is_told(box_of: BoxOf, there: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become somebody else")
    request = PushRequest(token=TOKEN, directory=str(there), blocks=Blocks(512, 1, 0), question=encode_names([b""]))
    for path in (there, *there.parents[:2]):
        path.chmod(0o755)
    with Process(box_of("dash-gnu"), push_command(request), there.parent, powerless=True) as pod:
        pod.line("hello")
        reader = ListingReader(TOKEN)
        while not reader.ended:
            list(reader.feed(pod.read(65536)))
        pod.stdin.write(HEARD + NOTHING + encode_question([b"a/file"], "remove"))
        pod.line("done")
        assert b"undone  ./a/file\n" in pod.until(b"summed\n")
        pod.acknowledge()
    assert (there / "a/file").exists()
