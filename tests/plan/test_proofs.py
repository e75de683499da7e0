"""In which order a pod is asked to prove beginnings, and what is not asked again."""

import pytest

from asynccp.entry import Kind
from asynccp.plan.fetch import Beginning, Move
from asynccp.plan.manifest import Item
from asynccp.plan.proofs import MOST_IN_ROUND, ROUND_SIZE, Proofs, Settled, next_round

LOG, OLD = b"app.log", b"app.log.1"


def file(size: int = 100, time: int = 5, inode: int = 7) -> Item:
    return Item(Kind.FILE, size, time, device=1, inode=inode)


def begins(path: bytes, at: bytes = b"", had: int = 100) -> Beginning:
    return Beginning(path, at or path, had, had + 10)


FEW = [begins(b"%d" % number) for number in range(MOST_IN_ROUND + 1)]
HALF = ROUND_SIZE // 2


@pytest.mark.parametrize(
    ("left", "settled", "asked"),
    [
        ([], [], []),
        ([begins(LOG)], [], [begins(LOG)]),
        ([begins(OLD, LOG), begins(OLD, b"x"), begins(LOG)], [], [begins(OLD, LOG), begins(LOG)]),
        ([begins(OLD, LOG), begins(LOG)], [begins(OLD, LOG)], []),
        ([begins(LOG, b"x")], [begins(LOG)], []),
        (FEW, [], FEW[:-1]),
        ([begins(LOG, had=ROUND_SIZE + 1), begins(OLD)], [], [begins(LOG, had=ROUND_SIZE + 1)]),
        ([begins(LOG, had=HALF), begins(OLD, had=HALF)], [], [begins(LOG, had=HALF), begins(OLD, had=HALF)]),
        ([begins(LOG, had=HALF), begins(OLD, had=HALF + 1)], [], [begins(LOG, had=HALF)]),
    ],
    ids=[
        "nothing", "one", "the likeliest, and one file here for two", "what is here is settled", "what is there is",
        "not more than a question holds", "one that is large", "as much as a round has", "a byte more",
    ],
)  # fmt: skip
def test_a_round(left: list[Beginning], settled: list[Beginning], asked: list[Beginning]) -> None:
    known = Settled()
    known.add(settled)
    assert next_round(left, known) == asked


def test_of_one_file_one_beginning_is_settled() -> None:
    settled = Settled()
    settled.add([begins(OLD, LOG), begins(LOG), begins(OLD, b"x"), begins(b"y")])
    assert settled.found == [begins(OLD, LOG), begins(b"y")]


@pytest.mark.parametrize(
    ("there", "here", "is_known"),
    [
        (file(), file(inode=9), True),
        (file(size=101), file(inode=9), False),
        (file(time=6), file(inode=9), False),
        (file(inode=8), file(inode=9), False),
        (file(), file(inode=10), False),
    ],
    ids=["as it was", "grown", "touched", "another file there", "another file here"],
)
def test_what_was_proved_is_not_asked_again_while_both_files_are_what_they_were(
    there: Item, here: Item, is_known: bool
) -> None:
    proofs = Proofs()
    proofs.remember([begins(LOG)], {LOG: file()}, {LOG: file(inode=9)})
    assert proofs.paths == {(1, 7): LOG}
    told = begins(OLD, LOG)  # it was rotated
    assert proofs.proved([told], {OLD: there}, {LOG: here}) == ([told] if is_known else [])


def test_proofs_follow_what_gets_another_name_here() -> None:
    proofs = Proofs()
    there, here = {LOG: file(), OLD: file(inode=8)}, {LOG: file(inode=9), OLD: file(inode=10)}
    proofs.remember([begins(LOG), begins(OLD)], there, here)
    proofs.moved([Move(OLD, b"app.log.2", 100), Move(LOG, OLD, 100)])
    assert proofs.paths == {(1, 7): OLD, (1, 8): b"app.log.2"}


def test_all_of_a_file_that_was_completed_is_known() -> None:
    proofs = Proofs()
    proofs.remember([begins(LOG, had=60)], {LOG: file()}, {LOG: file(60, inode=9)})
    proofs.completed(LOG, file())
    told = Beginning(OLD, LOG, 100, 100)
    assert proofs.proved([told], {OLD: file()}, {LOG: file(inode=9)}) == [told]


def test_a_file_whose_inode_nobody_told_is_not_known() -> None:
    proofs = Proofs()
    proofs.remember([begins(LOG)], {LOG: file(inode=0)}, {LOG: file()})
    assert not proofs.paths
