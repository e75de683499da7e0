"""Texts of pods that do not tell what they were asked for, or too much of it."""

from pathlib import Path

import pytest

from asynccp.archive.layout import ArchiveLayout
from asynccp.difference import Text
from asynccp.engine import texts
from asynccp.engine.diff import diff
from asynccp.local.scan import scan
from asynccp.plan.plan import PushPlan
from asynccp.report import Outcome, Report, alike
from asynccp.target import Transfer

from .scripted import ONCE, TOKEN, Pod, Script, scripted, targets

pytestmark = pytest.mark.anyio
SUMMED = f"asynccp {TOKEN} summed\n".encode()


def pod_with(size: int, content: bytes, *, parts: str = "yes", after: bytes = SUMMED) -> Script:
    """Return the script of a pod that lists a file of `size`, and sends `content` when it is asked for that."""

    async def script(pod: Pod) -> None:
        await pod.hello(f"count=dd compares=yes parts={parts}")
        item = f"f644 {size} 1000000000.000000000 0 0 1 7 1 ./a\0\0"
        await pod.say(f"asynccp {TOKEN} listing how=printf\n{item}//asynccp {TOKEN} listed rc=0\n".encode())
        assert await pod.hear() == b"heard\n"
        question = await pod.hear()
        if question.startswith(b"part "):
            assert question == b"part 0 %d\n./a\n\n" % (size + 1)
            await pod.say(content + after)
            question = await pod.hear()
        assert question == b"none\n"
        await pod.done()
        await pod.hear_line()
        await pod.end()

    return script


@pytest.fixture
def layout(tmp_path: Path) -> ArchiveLayout:
    (tmp_path / "a").write_text("ours\n")
    return ArchiveLayout(scan([str(tmp_path / "a")])[0], TOKEN)


async def compared(layout: ArchiveLayout, script: Script, pods: int = 1) -> Report:
    plan = PushPlan(("a",), layout, tuple(Transfer(one, "/etc/app") for one in targets(pods)))
    async with scripted(script) as cluster:
        return await diff(cluster, plan, options=ONCE, unified=True)


async def text_of(layout: ArchiveLayout, script: Script) -> Text:
    (result,) = (await compared(layout, script)).results
    assert result.outcome is Outcome.COMPLETE, result.error
    (difference,) = result.differences
    assert difference.text
    return difference.text


async def test_a_file_is_taken_to_the_size_that_was_told(layout: ArchiveLayout, tmp_path: Path) -> None:
    found = await text_of(layout, pod_with(7, b"theirs\n\0"))
    assert found.lines[2:] == ("@@ -1 +1 @@", "-theirs", "+ours")
    assert found.lines[:2] == ("--- /etc/app/a", f"+++ {tmp_path}/a")


@pytest.mark.parametrize(
    ("sent", "parts", "note"),
    [
        (b"theirs\n\n", "yes", "not shown: it grew while it was read"),
        (b"their\0\0\0", "yes", "not shown: binary in the pod, or not readable in full"),
        (b"\0" * 8, "yes", "not shown: binary in the pod, or not readable in full"),
        (b"", "", "not shown: the container has no head, or no tail"),
    ],
)
async def test_what_did_not_come_whole_is_not_shown(layout: ArchiveLayout, sent: bytes, parts: str, note: str) -> None:
    found = await text_of(layout, pod_with(7, sent, parts=parts))
    assert (found.lines, found.note) == ((), note)


async def test_a_pod_that_sends_more_than_it_was_asked_for_has_failed(layout: ArchiveLayout) -> None:
    report = await compared(layout, pod_with(7, b"theirs\n\0", after=b"x" * 10_000))
    assert [one.error for one in report.results] == ["the pod's answer to a question for digests does not end"]


async def test_the_texts_of_many_pods_have_a_bound_and_equal_ones_are_kept_once(
    layout: ArchiveLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "MOST_KEPT", 200 + 2 * len(str(tmp_path)))

    async def script(pod: Pod) -> None:
        number = 1 if pod.target.pod < "web-5" else int(pod.target.pod[-1])
        await pod_with(81, b"%d" % number * 80 + b"\n\0")(pod)

    report = await compared(layout, script, pods=9)
    assert {one.outcome for one in report.results} == {Outcome.COMPLETE}
    told = [(len(one.transfers), one.differences[0].text) for one in alike(report.results)]
    assert [count for count, _ in told] == [5, 1, 1, 1, 1], "other content is apart, shown or not"
    shown = [text for _, text in told if text and text.lines]
    assert 1 <= len(shown) < 3
    assert all("the pods' texts have more than" in text.note for _, text in told if text and not text.lines)
