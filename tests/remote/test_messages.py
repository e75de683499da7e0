"""Messages: what a script says is parsed once, and what is no number is as if it was not told."""

import pytest

from asynccp.remote.messages import Done, Hello, Received, number


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0", 0), ("12", 12), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("", None), ("-1", None), ("+1", None),
        ("1.0", None), ("0x1", None), ("1_0", None), ("\u0663", None), (" 1", None), ("\x1b[2J", None),
    ],
)  # fmt: skip
def test_only_digits_are_a_number(text: str, found: int | None) -> None:
    assert number({"rc": text}, "rc") == found


def test_a_script_that_tells_nothing_has_found_nothing() -> None:
    assert number({}, "rc") is None
    assert Hello.read({}) == Hello(file_system="?")
    assert Received.read({}) == Received()
    assert Done.read({}) == Done()


def test_each_fact_has_its_place() -> None:
    push = {"count": "dd", "sum": "sha256sum", "z": "zstd", "named": "yes"}
    assert Hello.read(push) == Hello(counter="dd", checksum="sha256sum", codec="zstd", is_named=True, file_system="?")
    pull = {
        "counts": "yes",
        "sum": "",
        "stat": "",
        "tar": "gnu",
        "lists": "yes",
        "busy": "9",
        "directory": "yes",
        "resume": "7",
    }
    assert Hello.read(pull) == Hello(
        counts=True, has_stat=False, tar="gnu", names_all=True, is_busy=True, is_directory=True, resumes_at=7,
        file_system="?",
    )  # fmt: skip
    assert Hello.read({"problem": "pseudo", "type": "proc"}) == Hello(problem="pseudo", file_system="proc")
    sync = {"compares": "yes", "sets": "chown,touch,"}
    assert Hello.read(sync) == Hello(compares=True, sets=frozenset({"chown", "touch"}), file_system="?")
    received = {"rc": "0", "sentinel": "yes", "entries": "3", "bytes": "45"}
    assert Received.read(received) == Received(code=0, has_last=True, entries=3, size=45)
    done = {"rc": "1", "settled": "no", "handed": "no", "barred": "2", "overwritten": "3", "hidden": "yes"}
    assert Done.read(done) == Done(code=1, settled=False, handed=False, barred=2, overwritten=3, is_hidden=True)


def test_a_pull_does_not_settle_anything() -> None:
    assert Done.read({"rc": "0"}).settled is None
