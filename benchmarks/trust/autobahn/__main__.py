"""Run the Autobahn test suite's fuzzing server against our client, and print what it found.

    python -m benchmarks.trust.autobahn [CASE ...]    5.* 7.1.1; else all but compression, which we don't offer

The suite runs on Python 2.7 alone: $PYTHON2, or python2.7, which has it; `nox -s autobahn` installs it. By itself it
listens to the whole network, and shows its directory there on port 8080; here it listens on loopback, for one client.
Four cases are NON-STRICT: a text that is no UTF-8 is refused when it is whole, not at its first bad byte.
"""

import asyncio
import json
import os
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.trust.autobahn.echo import converse

SECTIONS = {
    1: "framing",
    2: "pings and pongs",
    3: "reserved bits",
    4: "opcodes",
    5: "fragmentation",
    6: "UTF-8",
    7: "closing",
    9: "limits",
    10: "auto-fragmentation",
}
BEHAVIOURS = ("OK", "NON-STRICT", "INFORMATIONAL", "FAILED")
ON_LOOPBACK = """
from autobahn.twisted import websocket
websocket.listenWS.__defaults__ = (None, 50, "127.0.0.1")  # its `interface`, which nothing sets
from autobahntestsuite import wstest
wstest.run()
"""
CASE_TIMEOUT_S = 120.0  # the longest cases of section 9 send 4 MiB in pieces of 64 bytes, recorded by the suite

Outcomes = dict[str, dict[str, Any]]
"""For each case what the suite says of it: `behavior`, `behaviorClose`, among others."""


async def main(cases: list[str]) -> int:
    with TemporaryDirectory() as directory:
        async with fuzzing_server(Path(directory), cases) as port:
            (count,) = await converse(port, "/getCaseCount")
            for number in range(1, int(count) + 1):
                async with asyncio.timeout(CASE_TIMEOUT_S):
                    await converse(port, f"/runCase?case={number}&agent=asynccp")
            await converse(port, "/updateReports?agent=asynccp")
        outcomes: Outcomes = json.loads((Path(directory) / "index.json").read_text())["asynccp"]
    print(table(outcomes))
    worth_a_word = [case for case in sorted(outcomes, key=by_number) if worst(outcomes[case]) != "OK"]
    print(*(f"{case}: {worst(outcomes[case])}" for case in worth_a_word), sep="\n")
    return int(not outcomes or any(worst(one) not in BEHAVIOURS[:-1] for one in outcomes.values()))


@asynccontextmanager
async def fuzzing_server(directory: Path, cases: list[str]) -> AsyncIterator[int]:
    """Run the suite on loopback until it listens; yield its port. Its report lands in `directory`."""
    port = free_port()
    spec = {
        "url": f"ws://127.0.0.1:{port}",
        "outdir": str(directory),
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (directory / "spec.json").write_text(json.dumps(spec))
    python2 = os.environ.get("PYTHON2", "python2.7")
    argv = [python2, "-c", ON_LOOPBACK, "-m", "fuzzingserver", "-s", "spec.json", "--webport", "0"]
    log_path = directory / "log"
    with log_path.open("wb") as log:
        suite = await asyncio.create_subprocess_exec(*argv, cwd=directory, stdout=log, stderr=log)
        try:
            if not await listening(port, suite):
                raise SystemExit(f"the suite does not run:\n{log_path.read_text()}")
            yield port
        finally:
            if suite.returncode is None:
                suite.terminate()
            await suite.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


async def listening(port: int, suite: asyncio.subprocess.Process) -> bool:
    """Wait until the suite listens; tell whether it does."""
    while suite.returncode is None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return True
    return False


def by_number(case: str) -> list[int]:
    return [int(part) for part in case.split(".")]


def worst(outcome: dict[str, Any]) -> str:
    """Return how a case went: what was said in it, and how the connection was closed."""
    both = {outcome["behavior"], outcome["behaviorClose"]}
    return next((one for one in reversed(BEHAVIOURS) if one in both), "FAILED") if both <= {*BEHAVIOURS} else "FAILED"


def table(outcomes: Outcomes) -> str:
    found: dict[int, Counter[str]] = {}
    for case, outcome in outcomes.items():
        found.setdefault(by_number(case)[0], Counter())[worst(outcome)] += 1
    rows = [
        ("section", *BEHAVIOURS),
        *((f"{one} {SECTIONS.get(one, '')}", *(str(found[one][name]) for name in BEHAVIOURS)) for one in sorted(found)),
        ("all", *(str(sum(counter[name] for counter in found.values())) for name in BEHAVIOURS)),
    ]
    return "\n".join(row[0].ljust(24) + "".join(cell.rjust(15) for cell in row[1:]) for row in rows)


sys.exit(asyncio.run(main(sys.argv[1:] or [f"{section}.*" for section in SECTIONS])))
