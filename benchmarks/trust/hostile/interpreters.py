"""The supported Pythons of this machine, and what the hostile table comes to on each of them."""

import glob
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
LOWER_LAYERS_NEED = ("msgspec",)  # besides the standard library
PROBE = "import sys; print(sys.executable, *sys.version_info[:2], sep='\\n')"


def interpreters() -> dict[str, str]:
    """Return version → path of one interpreter of each supported version: of PATH, pyenv, and the one that runs."""
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    candidates = [f"python{version}" for version in VERSIONS]
    candidates += sorted(glob.glob(f"{pyenv}/versions/3.*/bin/python"))
    found = {"{}.{}".format(*sys.version_info[:2]): sys.executable}
    for candidate in candidates:
        try:
            said = subprocess.run([candidate, "-c", PROBE], capture_output=True, text=True, timeout=30, check=True)
        except (OSError, subprocess.SubprocessError):  # a shim of pyenv may stand for nothing
            continue
        executable, major, minor = said.stdout.split("\n")[:3]
        if f"{major}.{minor}" in VERSIONS:
            found.setdefault(f"{major}.{minor}", executable)
    return dict(sorted(found.items()))


def verdicts(executable: str) -> dict[str, dict[str, Any]]:
    """Run the table on an interpreter; return name → verdict. What a bare one lacks is installed for it, and goes."""
    argv = [executable, "-X", "utf8", "-m", "benchmarks.trust.hostile"]
    with tempfile.TemporaryDirectory(prefix="asynccp-hostile-") as site:
        if executable != sys.executable:
            install = ["-m", "pip", "install", "-q", "--target", site, "-c", str(ROOT / "tests/constraints.txt")]
            _run([executable, *install, *LOWER_LAYERS_NEED], os.environ)
        told = _run(argv, {**os.environ, "PYTHONPATH": site})
    found: dict[str, dict[str, Any]] = json.loads(told)
    return found


def _run(argv: list[str], environment: Mapping[str, str]) -> bytes:
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(f"{argv[0]}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout
