"""What of a listing can be copied in which links were followed."""

import pytest

from asynccp.entry import Kind
from asynccp.plan.links import Ways, followed
from asynccp.plan.manifest import Item

TOP = Item(Kind.DIRECTORY, device=1, inode=2)
SUB = Item(Kind.DIRECTORY, device=1, inode=3)
FAR = Item(Kind.DIRECTORY, device=7, inode=3)
FILE = Item(Kind.FILE, 5, device=1, inode=9)
NOWHERE = Item(Kind.SYMLINK, link=b"../gone\x1b[2J")
PROC = Item(Kind.DIRECTORY, device=20, inode=1)
BACK, UNLISTED = "leads back to a directory above it", "leads back to itself"


@pytest.mark.parametrize(
    ("listed", "ways", "kept", "reasons"),
    [
        ({b"": TOP, b"a": FILE, b"b": FILE}, Ways(), {b"", b"a", b"b"}, {}),
        ({b"": TOP, b"s": SUB, b"s/f": FILE, b"l": SUB, b"l/f": FILE}, Ways(), {b"", b"s", b"s/f", b"l", b"l/f"}, {}),
        ({b"": TOP, b"s": SUB, b"s/far": FAR, b"s/far/f": FILE}, Ways(), {b"", b"s", b"s/far", b"s/far/f"}, {}),
        ({b"": TOP, b"l": NOWHERE}, Ways(), {b""}, {b"l": "that leads nowhere (to ../gone\\x1b[2J)"}),
        ({b"": TOP, b"l": TOP, b"l/f": FILE, b"l/l": TOP, b"f": FILE}, Ways(), {b"", b"f"}, {b"l": BACK}),
        ({b"": TOP, b"s": SUB, b"s/t": TOP, b"s/t/s": SUB}, Ways(), {b"", b"s"}, {b"s/t": BACK}),
        ({b"": TOP, b"s": SUB}, Ways(links=[b"s", b"t", b"s/u"]), {b"", b"s"}, {b"t": UNLISTED, b"s/u": UNLISTED}),
        ({b"": TOP, b"t": TOP}, Ways(links=[b"t/t"]), {b""}, {b"t": BACK}),
        ({b"": TOP, b"p": PROC, b"p/1": PROC}, Ways({20: "proc"}), {b""}, {b"p": "it is of type proc"}),
        ({b"": TOP, b"p": PROC}, Ways({20: "proc"}, mounted=[b"p"]), {b"", b"p"}, {}),
        ({b"": FILE._replace(device=20)}, Ways({20: "proc"}), {b""}, {}),
        ({b"": TOP, b"x": Item(None)}, Ways(), {b"", b"x"}, {}),
    ],
)
def test_what_leads_nowhere_or_back_is_left_out_with_all_that_is_below(
    listed: dict[bytes, Item], ways: Ways, kept: set[bytes], reasons: dict[bytes, str]
) -> None:
    found = followed(listed, ways)
    assert {path for path in found.manifest if path not in found.reasons} == kept
    assert all(found.manifest[path] == listed[path] for path in kept)
    assert found.reasons.keys() == reasons.keys()
    assert all(reasons[path] in why for path, why in found.reasons.items())
    assert all(found.manifest[path] == Item(None) for path in found.reasons)


def test_all_levels_of_one_loop_are_one_reason() -> None:
    listed = {b"": TOP} | {b"/".join([b"l"] * number): TOP for number in range(1, 41)}
    assert followed(listed, Ways()).reasons.keys() == {b"l"}
