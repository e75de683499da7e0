"""`asynccp diff --unified`: how small text files differ, with each kind of tar that a container may have."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fleet import Fleet, Pods, Ran, asynccp, names, one_of_each, sh

pytestmark = pytest.mark.timeout(120)
TEXT = "".join(f"line {number}\n" for number in range(20))


@pytest.fixture(scope="module")
def pods(fleet: Fleet) -> Pods:
    return one_of_each(fleet, "unified")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    top = tmp_path / "config"
    (top / "d").mkdir(parents=True)
    for name in ("app.conf", "d/same.conf", os.fsdecode(b"odd \n\xff.conf")):
        (top / name).write_text(TEXT)
    (top / "picture").write_bytes(b"\0\1\2")
    (top / "large").write_text("x" * 70_000)
    return top


def push(fleet: Fleet, pods: Pods, source: Path, to: str) -> None:
    ran = asynccp(fleet, "push", source, "-l", f"{pods['labels']}:{to}")
    assert ran.code == 0, ran.err


def diff(fleet: Fleet, pods: Pods, source: Path, to: str, *flags: str) -> Ran:
    ran = asynccp(fleet, "diff", source, "-l", f"{pods['labels']}:{to}", "--unified", *flags)
    assert ran.code == 4, ran.err
    return ran


def overwrite(fleet: Fleet, pod: str, path: str, content: bytes) -> None:
    """Give a file in a pod other content, and another time."""
    octal = "".join(f"\\0{byte:03o}" for byte in content)
    sh(fleet, pod, "sh", "-c", 'printf %b "$2" >"$1" && touch -d @1000000000 "$1"', "sh", path, octal)


def texts(ran: Ran) -> list[tuple[list[str], dict[str, Any]]]:
    """Return which pods stand together, and the text of each of their differences."""
    return [
        (sorted(pod["pod"] for pod in one["pods"]), {each["path"]: each.get("text") for each in one["differences"]})
        for one in ran.report["alike"]
    ]


def test_what_was_edited_is_shown_as_a_push_would_change_it(fleet: Fleet, pods: Pods, config: Path) -> None:
    push(fleet, pods, config, "/tmp/edited")
    for pod in names(pods):
        overwrite(fleet, pod, "/tmp/edited/config/app.conf", TEXT.replace("line 9\n", "line nine\n").encode())
        overwrite(fleet, pod, "/tmp/edited/config/added", b"theirs")
        sh(fleet, pod, "rm", "/tmp/edited/config/d/same.conf")
    shown = diff(fleet, pods, config, "/tmp/edited").out
    assert (
        f"""
      --- /tmp/edited/config/app.conf
      +++ {config}/app.conf
      @@ -7,7 +7,7 @@
       line 6
       line 7
       line 8
      -line nine
      +line 9
       line 10
       line 11
       line 12
"""
        in shown
    )
    assert (
        """
      --- /tmp/edited/config/added
      +++ /dev/null
      @@ -1 +0,0 @@
      -theirs
      \\ No newline at end of file
"""
        in shown
    )
    assert f"      --- /dev/null\n      +++ {config}/d/same.conf\n      @@ -0,0 +1,20 @@\n      +line 0\n" in shown
    dry = asynccp(fleet, "push", config, "-l", f"{pods['labels']}:/tmp/edited", "--dry-run", "--unified")
    assert "      +line 9\n" in dry.out
    assert "theirs" not in dry.out, "nothing would be removed"


def test_pods_stand_together_that_have_the_same_content(fleet: Fleet, pods: Pods, config: Path) -> None:
    push(fleet, pods, config, "/tmp/alike")
    first, *others = names(pods)
    for pod in names(pods):
        end = "a" if pod == first else "b"  # behind what is shown of a line
        overwrite(fleet, pod, "/tmp/alike/config/app.conf", b"=" * 1000 + end.encode())
    found = texts(diff(fleet, pods, config, "/tmp/alike", "-o", "json"))
    assert sorted(those for those, _ in found) == sorted([[first], sorted(others)])
    (text,) = {each["config/app.conf"]["unified"] for _, each in found}
    assert text.splitlines()[3] == "-" + "=" * 400 + "…"
    assert found[0][1]["config/app.conf"]["note"] == "1 line cut after 400 characters"


def test_what_is_no_small_text_says_so_in_a_line(fleet: Fleet, pods: Pods, config: Path) -> None:
    push(fleet, pods, config, "/tmp/binary")
    for pod in names(pods):
        overwrite(fleet, pod, "/tmp/binary/config/picture", b"\0\1\3")
        overwrite(fleet, pod, "/tmp/binary/config/large", b"small now")
        sh(fleet, pod, "chmod", "600", "/tmp/binary/config/app.conf")
        sh(fleet, pod, "sh", "-c", 'touch -d @1000000000 "$1"*', "sh", "/tmp/binary/config/odd")
    ((_, found),) = texts(diff(fleet, pods, config, "/tmp/binary", "-o", "json"))
    assert {path: text and (text["unified"], text["note"]) for path, text in found.items()} == {
        "config/app.conf": None,
        "config/large": ("", "not shown: larger than 64.0 KiB"),
        "config/odd \\n\\xff.conf": ("", "the content is the same"),
        "config/picture": ("", "not shown: binary in the pod, or not readable in full"),
    }


def test_no_byte_of_a_pod_reaches_the_terminal_raw(fleet: Fleet, pods: Pods, config: Path) -> None:
    push(fleet, pods, config, "/tmp/hostile")
    for pod in names(pods):
        overwrite(fleet, pod, "/tmp/hostile/config/app.conf", b"\x1b[2Jgone\r\xff\xc2\x9b\xe2\x80\xae\ttab")
    for flags in ((), ("-o", "json")):
        shown = diff(fleet, pods, config, "/tmp/hostile", *flags).out
        assert not set(shown) & {"\x1b", "\r", "\x9b", "\u202e", "\udcff"}
    assert "-\\x1b[2Jgone\\r\\xff\\x9b\\u202e\\ttab" in diff(fleet, pods, config, "/tmp/hostile").out


def test_a_single_file_is_compared_under_the_name_that_it_has_there(fleet: Fleet, pods: Pods, config: Path) -> None:
    for pod in names(pods):
        sh(fleet, pod, "mkdir", "-p", "/tmp/single")
        overwrite(fleet, pod, "/tmp/single/renamed.conf", b"renamed")
        overwrite(fleet, pod, "/tmp/single/app.conf", b"another")
    shown = diff(fleet, pods, config / "app.conf", "/tmp/single/renamed.conf").out
    assert f"--- /tmp/single/renamed.conf\n      +++ {config}/app.conf\n" in shown
    assert "      -renamed\n" in shown
    shown = diff(fleet, pods, config / "app.conf", "/tmp/single").out
    assert f"--- /tmp/single/app.conf\n      +++ {config}/app.conf\n" in shown
    assert "      -another\n" in shown


def test_a_push_that_would_not_only_look_is_refused(fleet: Fleet, pods: Pods, config: Path) -> None:
    ran = asynccp(fleet, "push", config, "-l", f"{pods['labels']}:/tmp/refused", "--unified")
    assert (ran.code, "add --dry-run" in ran.err) == (2, True)
    for pod in names(pods):
        sh(fleet, pod, "test", "!", "-e", "/tmp/refused")
