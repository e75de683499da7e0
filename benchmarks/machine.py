"""What the figures were measured with: machine, kernel, versions. A figure without them means nothing."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

PEERS = ("kubernetes", "ansible")  # distributions; kubectl is asked itself


def measured_with() -> dict[str, str]:
    """Return facts by their names, as the README shows them; what isn't there is left out."""
    facts = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory_gib()} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "asynccp": metadata.version("asynccp"),
        **_kubernetes(),
        **{name: _version(name) for name in PEERS},
    }
    return {name: value for name, value in facts.items() if value}


def _processor() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _kubernetes() -> dict[str, str]:
    try:
        versions = json.loads(_output(["kubectl", "version", "-o", "json"]))
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {
        "Kubernetes": versions["serverVersion"]["gitVersion"],
        "kubectl": versions["clientVersion"]["gitVersion"],
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _output(argv: Sequence[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout
