"""H10: another process swaps directories for symbolic links, and back, while an archive is extracted among them.

rsync 3.5.0 and node-tar have such tests. Checking a name and then using it loses this race within milliseconds; held
directory descriptors never do: what was opened as a directory stays that directory, whatever its name is given to.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from asynccp.errors import DestinationError
from tests.archives import archive, directory, file, hard_link, symlink
from tests.sinks.extracting import extracting

# The attacker: for ever, each directory in turn becomes a link that leads out, and comes back.
ATTACKER = """
import os, sys
root = sys.argv[1]
print(end="*", flush=True)
while True:
    for name in ("a", "a/b", "c"):
        path, away = os.path.join(root, name), os.path.join(root, "away-" + name.replace("/", "-"))
        try:
            os.rename(path, away)
            os.symlink(os.path.join(root, "..", "outside"), path)
            os.unlink(path)
            os.rename(away, path)
        except OSError:
            pass
"""

PARTS = b"".join(
    directory(b"%b/d%d" % (place, index), 0o777)
    + file(b"%b/f%d" % (place, index), b"evil")
    + hard_link(b"%b/h%d" % (place, index), b"%b/f%d" % (place, index))
    + symlink(b"%b/l%d" % (place, index), b"f")
    for index in range(4)
    for place in (b"a", b"a/b", b"c", b"a/b/e")
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """rounds: archives extracted; refused: of these, ended by a DestinationError; escaped: names that came outside."""

    rounds: int
    refused: int
    escaped: list[str]


def race(seconds: float) -> Outcome:
    """Extract again and again beside the attacker, for `seconds`."""
    with tempfile.TemporaryDirectory() as place:
        root, outside = Path(place, "pod"), Path(place, "outside")
        for path in (root / "a" / "b", root / "c", outside):
            path.mkdir(parents=True)
        (outside / "victim").write_text("untouched")
        before = os.stat(outside)
        argv = [sys.executable, "-c", ATTACKER, str(root)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as attacker:
            try:
                assert attacker.stdout is not None
                assert attacker.stdout.read(1) == b"*"
                rounds, refused = _extract_for(seconds, root)
            finally:
                attacker.kill()
        after, found = os.stat(outside), sorted(os.listdir(outside))
        changed = [] if (before.st_mtime_ns, before.st_mode) == (after.st_mtime_ns, after.st_mode) else ["itself"]
        return Outcome(rounds, refused, [name for name in found if name != "victim"] + changed)


def _extract_for(seconds: float, root: Path) -> tuple[int, int]:
    rounds = refused = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        extractor = extracting(root, b"")
        rounds += 1
        try:
            extractor.feed(archive(PARTS))
            extractor.finish()
        except DestinationError:
            refused += 1
        finally:
            extractor.abort()
    return rounds, refused
