"""The page in a real browser: every row is there, sorts and is found; dark, on paper, and with names that attack it."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from asynccp.entry import LeftOut
from asynccp.report import Attempt, Outcome, Report, Result
from asynccp.target import Skipped, Target, Transfer
from asynccp.ui.page import page
from asynccp.wave import Passed
from tests.ui.browser import PROGRAM, Tab, browser
from tests.ui.test_page import EVIL, hostile

pytestmark = pytest.mark.skipif(not PROGRAM, reason="$ASYNCCP_TEST_CHROMIUM names no browser")
PODS = 1000
OPENS_WITHIN_S = 2.0  # of CPU, so that a busy machine is no slow page


def many() -> Report:
    """A run of a thousand pods, some of which had trouble."""
    chance = random.Random(7)
    results = []
    for number in range(PODS):
        transfer = Transfer(Target("shop", f"web-{number}", "main", f"node-{number % 40}"), "/etc/app")
        lost = (Attempt("the connection was lost", "SessionLost", 1.0),) * (number % 50 == 0)
        left_out = (LeftOut(b"app/pipe", "a FIFO, which is never copied"),) * (number % 40 == 1)
        outcome = Outcome.FAILED if number % 100 == 99 else Outcome.PARTIAL if left_out else Outcome.COMPLETE
        error = "there is no tar in the container" if outcome is Outcome.FAILED else ""
        results.append(
            Result(
                transfer, outcome, size=number * 1000, entries=24, wire_size=131072, begun_s=number / 64,
                seconds=chance.random() * 3, attempts=lost, tries=1 + len(lost), error=error, left_out=left_out,
                error_class="CommandMissing" if error else "",
            )
        )  # fmt: skip
    return Report("push", results, [Skipped("shop/old", "is being deleted")], seconds=20.0)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def opened(tab: Tab, tmp_path: Path) -> Iterator[Tab]:
    """The page of a thousand pods. Fails if it has complained, or has asked anybody for anything."""
    (tmp_path / "run.html").write_text(page(many()))
    tab.asked_for.clear()
    assert tab.open(tmp_path / "run.html") < OPENS_WITHIN_S
    yield tab
    assert tab.complaints == []
    assert tab.asked_for == [(tmp_path / "run.html").as_uri()]


def shown(tab: Tab, column: int = 1) -> list[str]:
    """Return what the rows of pods that can be seen have in a column."""
    cells = f"#pods tbody tr:not([hidden]) td:nth-child({column})"
    found: list[str] = tab.run(f"[...document.querySelectorAll('{cells}')].map(it => it.textContent)")
    return found


def press(tab: Tab, name: str) -> None:
    tab.run(f"[...document.querySelectorAll('#pods th button')].find(it => it.textContent === '{name}').click()")


def search(tab: Tab, words: str) -> None:
    tab.run(f"document.querySelector('input').value = {words!r}")
    tab.run("document.querySelector('input').dispatchEvent(new Event('input'))")


def test_every_pod_has_its_row_and_its_place_in_the_timeline(opened: Tab) -> None:
    assert shown(opened) == [f"shop/web-{number}" for number in range(PODS)]
    assert opened.run("document.querySelectorAll('svg rect').length") == PODS
    assert opened.run("document.querySelector('#totals .complete').textContent") == "965"
    assert opened.run("document.querySelectorAll('#errors tbody tr').length") == 3
    assert opened.run("document.querySelectorAll('#skipped tbody tr').length") == 1
    assert "app/pipe" in opened.run("document.querySelector('#entries tbody').textContent")


def test_rows_sort_by_any_column_numbers_as_numbers(opened: Tab) -> None:
    press(opened, "Pod")
    assert shown(opened)[:3] == ["shop/web-0", "shop/web-1", "shop/web-2"]
    press(opened, "Pod")
    assert shown(opened)[0] == "shop/web-999"
    press(opened, "Size")
    assert shown(opened)[:2] == ["shop/web-0", "shop/web-1"]
    assert opened.run("document.querySelectorAll('#pods th[aria-sort]').length") == 1
    press(opened, "Tries")
    press(opened, "Tries")
    assert set(shown(opened)[:20]) == {f"shop/web-{number}" for number in range(0, PODS, 50)}


def test_a_search_finds_rows_of_every_table(opened: Tab) -> None:
    search(opened, "no tar NODE-19")
    assert shown(opened) == [f"shop/web-{number}" for number in (99, 299, 499, 699, 899) if number % 40 == 19]
    assert opened.run("document.querySelector('#pods .count').textContent") == "5 of 1,000"
    search(opened, "fifo")
    assert opened.run("document.querySelectorAll('#entries tbody tr:not([hidden])').length") == 1
    assert shown(opened) == []
    search(opened, "")
    assert len(shown(opened)) == PODS


def test_waves_have_a_table_and_what_is_usual_has_no_column(tab: Tab, tmp_path: Path) -> None:
    def heads(table: str) -> list[str]:
        found: list[str] = tab.run(f"[...document.querySelectorAll('{table} th')].map(it => it.textContent)")
        return found

    report = many()
    (tmp_path / "run.html").write_text(page(report))
    tab.open(tmp_path / "run.html")
    assert heads("#waves") == []
    assert {"Wave", "Rounds"} & set(heads("#pods")) == set()
    report.results = [replace(one, wave=1 + number // 500, rounds=3) for number, one in enumerate(report.results)]
    report.waves = [Passed(1, "canary", 500, 0.0, 9.0, 6, "6 pods failed"), Passed(2, "", 500)]
    (tmp_path / "run.html").write_text(page(report))
    tab.open(tmp_path / "run.html")
    assert heads("#waves") == ["Wave", "Name", "Pods", "Failed", "Begun", "Took", "Stopped, because"]
    assert {"Wave", "Rounds"} <= set(heads("#pods"))
    assert tab.run("document.querySelectorAll('#waves tbody tr').length") == 2
    assert tab.complaints == []


def test_it_is_dark_where_that_is_preferred_and_light_on_paper(opened: Tab) -> None:
    def back() -> str:
        return str(opened.run("getComputedStyle(document.body).backgroundColor"))

    opened.prefer("light")
    light = back()
    opened.prefer("dark")
    assert (light, back()) == ("rgb(255, 255, 255)", "rgb(20, 24, 29)")
    opened.prefer("light")
    assert opened.printed().startswith(b"%PDF-")


def test_names_that_attack_the_page_are_text_in_it(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "run.html").write_text(page(hostile()))
    tab.asked_for.clear()
    tab.open(tmp_path / "run.html")
    assert tab.run("document.querySelectorAll('img, script:not(#report)').length") == 1
    for place in ("#pods", "#errors", "#entries", "#skipped", "#run"):
        assert "<img src=x onerror=alert(2)>" in tab.run(f"document.querySelector('{place}').textContent")
    assert "\u202e" not in tab.run("document.body.textContent")
    assert EVIL.partition("\x1b")[0] in tab.run("document.querySelector('#pods td').textContent")
    assert tab.complaints == []
    assert tab.asked_for == [(tmp_path / "run.html").as_uri()]


def test_a_script_that_came_in_all_the_same_would_not_run(tab: Tab, tmp_path: Path) -> None:
    """The policy is the second wall, behind the escaping."""
    evil = "<script>document.title = 'run'</script><img src='https://127.0.0.1:1/' onerror=document.title='run'>"
    (tmp_path / "run.html").write_text(page(many()).replace("</main>", f"{evil}</main>"))
    tab.asked_for.clear()
    tab.open(tmp_path / "run.html")
    assert tab.run("document.title") == "asynccp pushed to 965 of 1000 pods"
    assert len(tab.complaints) >= 2
    tab.complaints.clear()
