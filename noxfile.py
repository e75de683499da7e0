"""Development sessions: `nox` runs the tests and the linters, `nox -s cluster` the end-to-end tests on $KUBECONFIG."""

import os
import shutil
from pathlib import Path

import nox

nox.options.sessions = ["tests", "lint"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)  # its classifiers

CONSTRAINTS = "tests/constraints.txt"
# A worker takes a file at a time, since the tests of one may share a fleet, and those of a folder too: so in the order
# of tests/conftest.py. One more than there are cores: some wait, for a pod or a moment. `-n 0` for one process.
WORKERS = str((os.cpu_count() or 1) + 1)
SIDE_BY_SIDE = ("-n", WORKERS, "--dist", "loadfile", "--no-loadscope-reorder")

IN_PODS = [*map(str, sorted(Path("asynccp/remote/scripts").glob("*.sh"))), "tests/e2e/images/root.sh"]
HERE = [".ci/run", "asynccp/cli/shells/asynccp.bash"]
"""Scripts by what reads them: any POSIX shell, and bash."""
SHFMT = ("shfmt", "-i", "4", "-ln")

NO_TEST = 5  # pytest's exit code


def _install(session: nox.Session, *groups: str) -> None:
    """Install this and what the groups name, as CONSTRAINTS has it; with $ASYNCCP_NEWEST the newest of everything."""
    pinned = () if os.environ.get("ASYNCCP_NEWEST") else ("-c", CONSTRAINTS)
    session.install("-q", *pinned, "-e", ".", *nox.project.dependency_groups(PYPROJECT, *groups))


def _compile(session: nox.Session) -> None:
    """Write bytecode for those thousands of commands that tests start. Where PYTHONDONTWRITEBYTECODE is set each takes
    0.54 s of CPU without, 0.31 with it; else it is those of the first minutes, side by side."""
    session.run("python", "-m", "compileall", "-q", "asynccp", "benchmarks")


@nox.session
def tests(session: nox.Session) -> None:
    """Everything that needs no cluster; the end-to-end tests run on the fake one."""
    _install(session, "test")
    _compile(session)
    session.run("pytest", *SIDE_BY_SIDE, *session.posargs, env={"ASYNCCP_TEST_KUBECONFIG": ""})


@nox.session(python=PYTHONS)
def pythons(session: nox.Session) -> None:
    """The same on every supported Python that is on this machine, or with `-s pythons-3.12` on one."""
    tests(session)


@nox.session
def coverage(session: nox.Session) -> None:
    """How much of asynccp/ the tests reach in their own process. It fails below the floor that pyproject.toml has.

    What tests/e2e starts is processes of its own, which are not looked into: neither are those tests run.
    """
    _install(session, "test", "coverage")
    pytest = ["pytest", "--ignore=tests/e2e", *session.posargs]
    session.run("coverage", "run", "-m", *pytest, env={"ASYNCCP_TEST_KUBECONFIG": ""})
    session.run("coverage", "report")


@nox.session(name="format")
def format_(session: nox.Session) -> None:
    """Write the files anew as `lint` wants them: all, or those given."""
    _install(session, "lint")
    files = session.posargs or [".", *IN_PODS, *HERE]
    if python := [one for one in files if one not in (*IN_PODS, *HERE)]:
        session.run("ruff", "check", "--fix", *python)
        session.run("ruff", "format", *python)
    for dialect, scripts in (("posix", IN_PODS), ("bash", HERE)):
        if those := [one for one in files if one in scripts]:
            session.run(*SHFMT, dialect, "-w", *those)


@nox.session
def lint(session: nox.Session) -> None:
    """Format, style, types, and the scripts that run in pods."""
    _install(session, "test", "lint")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")
    session.run(*SHFMT, "posix", "-d", *IN_PODS)
    session.run(*SHFMT, "bash", "-d", *HERE)
    joined = session.create_tmp()  # a script's parts share variables, so they are checked as one
    session.run("python", "-m", "tests.remote.joined", joined)
    session.run("shellcheck", *map(str, sorted(Path(joined).glob("*.sh"))), "tests/e2e/images/root.sh")


@nox.session
def audit(session: nox.Session) -> None:
    """Ask for known holes in what CONSTRAINTS names. Not a part of `lint`: it needs an advisory service.

    Where the package index has none, each package is skipped; `--strict` makes that an error. An exception is
    `--ignore-vuln ID` here, with its reason beside it; there is none so far.
    """
    session.install("-q", "-c", CONSTRAINTS, *nox.project.dependency_groups(PYPROJECT, "audit"))
    session.run("pip-audit", "--strict", "--disable-pip", "--no-deps", "-r", CONSTRAINTS, *session.posargs)


@nox.session
def cluster(session: nox.Session) -> None:
    """The end-to-end tests on the real cluster that $KUBECONFIG names, in namespaces that they make and remove."""
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        session.error("set KUBECONFIG to the cluster to test on")
    _install(session, "test")
    _compile(session)
    what = session.posargs or ["tests/e2e", "tests/contracts"]
    env = {"ASYNCCP_TEST_KUBECONFIG": kubeconfig}
    session.run("pytest", "-rP", *SIDE_BY_SIDE, "-m", "not alone", *what, env=env)
    session.run("pytest", "-rP", "-m", "alone", *what, env=env, success_codes=[0, NO_TEST])


@nox.session
def objects(session: nox.Session) -> None:
    """Pull into, and push from, the S3 server that $AWS_ENDPOINT_URL names; the buckets are new ones."""
    if not os.environ.get("AWS_ENDPOINT_URL"):
        session.error("set AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    _install(session, "test")
    env = {"ASYNCCP_TEST_S3": "1", "ASYNCCP_TEST_KUBECONFIG": ""}
    session.run("pytest", "-rP", *(session.posargs or ["tests/e2e/test_objects_real.py"]), env=env)


@nox.session
def trust(session: nox.Session) -> None:
    """Measure what is promised, and write benchmarks/TRUST.md: all of it, or the names given; some on $KUBECONFIG."""
    _install(session, "test")
    session.run("python", "-m", "benchmarks.trust", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against what else there is, on the cluster that $KUBECONFIG names, and write benchmarks/README.md.

    All scenarios, or the names given, with --runs and --scale. `gate` is for itself: it measures against the last
    release, or --against COMMIT, needs no cluster, and fails where a copy costs 10 % more.
    """
    if session.posargs[:1] == ["gate"]:
        _install(session, "test")
        session.run("python", "-m", "benchmarks.gate", *session.posargs[1:])
        return
    _install(session, "bench", "peers")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def plots(session: nox.Session) -> None:
    """Draw benchmarks/figures.json: a picture for each scenario, or for the names given, in benchmarks/plots/."""
    _install(session, "plots")
    session.run("python", "-m", "benchmarks.plots", *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Try the page of a report in the Chromium that $CHROMIUM names, else in that on the PATH."""
    _install(session, "test")
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        session.error("there is no Chromium: set CHROMIUM")
    session.run("pytest", "tests/ui/test_page_in_browser.py", *session.posargs, env={"ASYNCCP_TEST_CHROMIUM": program})


@nox.session
def autobahn(session: nox.Session) -> None:
    """Run the Autobahn test suite against our end of a WebSocket: all of it, or the cases given. Needs $PYTHON2."""
    _install(session, "test")
    python2, base = os.environ.get("PYTHON2", "python2.7"), os.path.abspath(session.create_tmp())
    env = {"PYTHONUSERBASE": base, "PYTHON2": python2}
    suite = "autobahntestsuite==25.10.1"  # never in an environment of ours: it brings a Twisted of 2019
    session.run(python2, "-m", "pip", "install", "-q", "--user", suite, env=env, external=True)
    session.run("python", "-m", "benchmarks.trust.autobahn", *session.posargs, env=env)
