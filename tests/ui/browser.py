"""A headless Chromium, driven by its own protocol (DevTools, https://chromedevtools.github.io/devtools-protocol/)."""

import base64
import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAM = os.environ.get("ASYNCCP_TEST_CHROMIUM", "")
"""The Chromium to test with; empty: none, and what needs one is skipped."""
_STARTS_WITHIN_S = 60.0


class Tab:
    """One page. heard: all that it has complained of, and each address that it has asked for."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        self.asked_for: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Performance.enable", timeDomain="threadTicks")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := self._received()).get("id") != number:
            pass
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _received(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=60))
        match message.get("method"):
            case "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded":
                self.complaints.append(json.dumps(message["params"]))
            case "Network.requestWillBeSent":
                self.asked_for.append(message["params"]["request"]["url"])
            case "Page.javascriptDialogOpening":
                self.complaints.append(json.dumps(message["params"]))
                self.call("Page.handleJavaScriptDialog", accept=False)
        return message

    def open(self, path: Path) -> float:
        """Open a file; return the seconds of CPU that the page took until it had been laid out."""
        before = self._cpu_s()
        self.call("Page.navigate", url=path.as_uri())
        while self._received().get("method") != "Page.loadEventFired":
            pass
        self.run("document.body.getBoundingClientRect().height")
        return self._cpu_s() - before

    def _cpu_s(self) -> float:
        metrics = {one["name"]: one["value"] for one in self.call("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"])

    def run(self, script: str) -> Any:
        """Return what an expression is."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def prefer(self, scheme: str) -> None:
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def printed(self) -> bytes:
        """Return the page as PDF."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])


@contextmanager
def browser(directory: Path, program: str = PROGRAM) -> Iterator[Tab]:
    """Run a browser that has one tab."""
    argv = [
        program, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={directory}", "--no-first-run",
        "--disable-gpu", "--window-size=1400,1000", "about:blank", *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]  # fmt: skip
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("DevTools listening on "):
                break
        address = line.removeprefix("DevTools listening on ").strip()
        with connect(address, max_size=None, proxy=None) as whole:
            whole.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
            targets = json.loads(whole.recv(timeout=_STARTS_WITHIN_S))["result"]["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        host = address.split("/devtools/")[0]
        with connect(f"{host}/devtools/page/{page}", max_size=None, proxy=None) as socket:
            yield Tab(socket)
    finally:
        process.kill()
        process.communicate()
