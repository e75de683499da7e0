"""Containers that have a tar and no shell: what is pulled from them is complete, or failed and named."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from anyio import to_thread

from asynccp.engine.pull import pull
from asynccp.engine.push import push
from asynccp.entry import Entry, Kind
from asynccp.kube.exec import STDERR
from asynccp.options import Attributes, Concurrency, Ephemeral, Filtering, Options, Verification
from asynccp.report import Outcome, Result
from asynccp.status import ExitStatus

from ..archive.reference import content_of, member
from .scripted import NO_SHELL, ONCE, SUCCESS, Pod, Script, beside, pull_plan, push_plan, scripted, target, targets

NO_TAR = ExitStatus(None, 'Internal error occurred: exec: "tar": executable file not found in $PATH')
LOG, A = Entry(b"log", Kind.DIRECTORY, mode=0o755), Entry(b"log/a", Kind.FILE, 200_000)
ARCHIVE, END = member(LOG) + member(A), bytes(10240)


def has_tar(
    *words: bytes, status: ExitStatus | None = SUCCESS, said: str = "", version: str = "tar (GNU tar) 1.34"
) -> Script:
    """Return a container without a shell, whose tar writes this, and ends with this status."""

    async def script(pod: Pod) -> None:
        if pod.argv[0] != "tar":
            await pod.end(NO_SHELL)
        elif pod.argv[1] == "--version":
            await pod.say(version.encode())
            await pod.end(SUCCESS if "GNU" in version else ExitStatus(1))
        else:
            for word in words:
                for at in range(0, len(word), 32 * 1024):
                    await pod.say(word[at : at + 32 * 1024])
            if said:
                await pod.say(said.encode(), STDERR)
            if status is not None:
                await pod.end(status)

    return script


async def pulled(script: Script, to: Path, path: str = "/var/log", options: Options = ONCE) -> tuple[Result, list[str]]:
    """Return how a pull ended, and what was run for it."""
    async with scripted(script) as cluster:
        report = await pull(cluster, pull_plan(str(to), [target()], path), options=options)
    return report.results[0], [" ".join(one if len(one) < 40 else "…" for one in pod.argv[:8]) for pod in cluster.pods]


async def content(path: Path) -> bytes:
    return await to_thread.run_sync(path.read_bytes)


async def test_a_directory_is_pulled_by_tar_alone(tmp_path: Path) -> None:
    result, ran = await pulled(has_tar(ARCHIVE, END), tmp_path)
    assert (result.outcome, result.error, result.way) == (Outcome.COMPLETE, "", "tar-alone")
    assert await content(tmp_path / "web-0/log/a") == content_of(A)
    assert ran[2:] == ["tar --version", "tar cf - -C /var ./log"]


async def test_a_file_and_what_is_in_a_directory_have_the_names_that_they_have_elsewhere(tmp_path: Path) -> None:
    one = member(Entry(b"a", Kind.FILE, 10))
    result, ran = await pulled(has_tar(one, END), tmp_path / "one", "/etc/a")
    assert (result.outcome, ran[-1]) == (Outcome.COMPLETE, "tar cf - -C /etc ./a")
    below = member(Entry(b"", Kind.DIRECTORY, mode=0o755)) + one
    result, ran = await pulled(has_tar(below, END), tmp_path / "all", "/etc/")
    assert (result.outcome, ran[-1]) == (Outcome.COMPLETE, "tar cf - -C /etc .")
    found = [await content(tmp_path / where / "web-0/a") for where in ("one", "all")]
    assert found == [content_of(Entry(b"a", Kind.FILE, 10))] * 2


async def test_what_an_image_has_is_found_out_once(tmp_path: Path) -> None:
    async with scripted(has_tar(ARCHIVE, END)) as cluster:
        options = ONCE._replace(concurrency=Concurrency(sessions=1))
        assert (await pull(cluster, pull_plan(str(tmp_path), targets(3)), options=options)).ok
    assert [pod.argv[:2] for pod in cluster.pods][3:] == [["tar", "cf"]] * 3


@pytest.mark.parametrize(
    ("words", "status", "said", "error"),
    [
        ([ARCHIVE], SUCCESS, "", "last word"),
        ([ARCHIVE, bytes(512)], SUCCESS, "", "last word"),
        ([ARCHIVE[:-700]], SUCCESS, "", "last word"),
        ([ARCHIVE, END], None, "", "last word"),
        ([], SUCCESS, "", "last word"),
        ([], None, "", "before the pod"),
        ([END], SUCCESS, "", "nothing of /var/log can be copied: tar ended well, but with an empty archive"),
        ([ARCHIVE, END], ExitStatus(137), "", "killed (137)"),
        ([ARCHIVE, END], ExitStatus(2), "tar: out of memory\n", "tar failed in the container with exit code 2"),
        ([ARCHIVE, END], ExitStatus(None, "gone"), "", "gone"),
        ([ARCHIVE[:-700]], ExitStatus(1), "tar: short read\n", "tar ended in a file that lost its end"),
        (
            [END],
            ExitStatus(2),
            "tar: ./log: Cannot stat: No such file or directory\n",
            "does not exist in the container",
        ),
        ([], ExitStatus(1), "tar: ./log: No such file or directory\n", "does not exist in the container"),
        ([END], ExitStatus(2), "tar: ./log: Cannot open: Permission denied\n", "can't be read (Permission denied)"),
        ([], ExitStatus(2), "tar: unknown option\n", "exit code 2: tar: unknown option"),
        ([b"Welcome!\n" + ARCHIVE, END], SUCCESS, "", "no tar header"),
        ([member(Entry(b"../evil", Kind.FILE)), END], SUCCESS, "", "evil"),
        ([member(Entry(b"other", Kind.FILE)), END], SUCCESS, "", "not asked for"),
    ],
)
async def test_what_is_not_proved_to_be_whole_is_failed_and_named_at_once(
    words: Sequence[bytes], status: ExitStatus | None, said: str, error: str, tmp_path: Path
) -> None:
    result, _ = await pulled(has_tar(*words, status=status, said=said), tmp_path)
    assert result.outcome is Outcome.FAILED
    assert error in result.error
    assert result.seconds < 5


async def test_what_may_not_be_read_is_left_out_by_name(tmp_path: Path) -> None:
    said = "tar: ./log/x: Cannot open: Permission denied\n"
    result, _ = await pulled(has_tar(ARCHIVE, END, status=ExitStatus(2), said=said), tmp_path)
    assert (result.outcome, [one.path for one in result.left_out]) == (Outcome.PARTIAL, [b"log/x"])


async def test_a_link_that_was_named_is_not_copied_as_one_but_on_request(tmp_path: Path) -> None:
    link = has_tar(member(Entry(b"log", Kind.SYMLINK, link=b"other")), END)
    result, _ = await pulled(link, tmp_path)
    assert "/var/log is a symbolic link, which a tar without a shell does not follow" in result.error
    result, _ = await pulled(link, tmp_path, options=ONCE._replace(attributes=Attributes(follow=False)))
    assert "leads out" not in result.error


async def test_a_tar_that_is_silent_about_what_it_lost_is_not_asked(tmp_path: Path) -> None:
    result, ran = await pulled(has_tar(ARCHIVE, END, version="bsdtar 3.6.2 - libarchive 3.6.2"), tmp_path)
    assert "there is no shell in the container" in result.error
    assert ran[-1] == "tar --version"


async def test_where_there_is_no_tar_either_it_is_the_shell_that_is_missed(tmp_path: Path) -> None:
    async def nothing(pod: Pod) -> None:
        await pod.end(NO_TAR if pod.argv[0] == "tar" else NO_SHELL)

    result, _ = await pulled(nothing, tmp_path)
    assert "there is no shell in the container" in result.error
    assert "Ephemeral.image IMAGE" in result.hint


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (ONCE._replace(filtering=Filtering(one_file_system=True)), "can't tell what it has"),
        (ONCE._replace(verification=Verification(checksum=True)), "files can't be compared"),
        (ONCE._replace(verification=Verification(strict_sources=True)), "has no stat"),
    ],
)
async def test_what_takes_a_shell_is_told(options: Options, error: str, tmp_path: Path) -> None:
    result, _ = await pulled(has_tar(ARCHIVE, END), tmp_path, options=options)
    assert error in result.error
    assert "~" in (await pulled(has_tar(ARCHIVE, END), tmp_path, "~/log"))[0].error


async def test_it_is_asked_for_no_push() -> None:
    async with scripted(has_tar()) as cluster:
        report = await push(cluster, push_plan([target()]), options=ONCE)
    assert "there is no shell in the container" in report.results[0].error
    assert not [pod for pod in cluster.pods if pod.argv[0] == "tar"]


async def test_an_ephemeral_container_can_do_more(tmp_path: Path) -> None:
    async def script(pod: Pod) -> None:
        if pod.target.container == "main":
            await pod.end(NO_SHELL)
            return
        await pod.hello("directory=yes")
        await pod.say(ARCHIVE + END)
        await pod.done("rc=0")
        await pod.hear_line()
        await pod.end()

    async with scripted(script) as cluster:
        cluster.beside = beside
        options = ONCE._replace(ephemeral=Ephemeral("busybox:1"))
        assert (await pull(cluster, pull_plan(str(tmp_path), [target()]), options=options)).ok
    assert not [pod for pod in cluster.pods if pod.argv[0] == "tar"]
