"""A path that was named and is a link is followed, in pulls and pushes: the keys of ConfigMaps, Secrets and tokens are
links, and so are `latest`, `current` and `/var/run`.
"""

import base64
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.fleet import WITH_TAR, Fleet, asynccp, labels_for, selector, sh, snapshot
from tests.e2e.real import RealFleet

MAKE = """
rm -rf "$1"; mkdir -p "$1/releases/7/bin" "$1/logs" && cd "$1" || exit
echo seven >releases/7/version; echo run >releases/7/bin/run; ln -s bin/run releases/7/start
ln -s releases/7 current; ln -s current live; ln -s "$1/releases/7" absolute
echo line >logs/app.7.log; ln -s app.7.log logs/app.log; ln -s logs/app.log newest
ln -s nowhere dangling; ln -s loop loop
"""
PLACE = "/tmp/linked"
RELEASE = {"version": "seven\n", "bin/run": "run\n", "start": "run\n"}


@dataclass(frozen=True)
class Linked:
    """A pod of each kind, with the same links in each: one command copies from, or to, all of them."""

    labels: str
    pods: list[str]

    def __call__(self, path: str) -> tuple[str, str]:
        return "-l", f"{self.labels}:{path}"

    def all(self, what: str) -> dict[str, str]:
        return dict.fromkeys(self.pods, what)


@pytest.fixture(scope="module")
def linked(fleet: Fleet) -> Linked:
    labels = labels_for("links")
    made = [fleet.add(kind, f"links-{kind}", labels) for kind in fleet.kinds(*WITH_TAR)]
    for pod in made:
        sh(fleet, pod, "sh", "-c", MAKE, "sh", PLACE)
    return Linked(selector(labels), made)


def texts(directory: Path) -> dict[str, str]:
    """Return what can be read below a directory, through links."""
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["newest", "logs/app.log"])
def test_a_link_to_a_file_brings_the_file_under_the_links_name(
    fleet: Fleet, linked: Linked, tmp_path: Path, name: str
) -> None:
    ran = asynccp(fleet, "pull", *linked(f"{PLACE}/{name}"), tmp_path, "--checksum", "-o", "json")
    assert (ran.code, ran.outcomes) == (0, linked.all("complete")), ran.errors
    for pod in linked.pods:
        here = tmp_path / pod / Path(name).name
        assert here.is_file()
        assert not here.is_symlink()
        assert here.read_text() == "line\n"


@pytest.mark.parametrize("name", ["current", "live", "absolute"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_link_to_a_directory_brings_its_content(
    fleet: Fleet, linked: Linked, tmp_path: Path, name: str, slash: str
) -> None:
    ran = asynccp(fleet, "pull", *linked(f"{PLACE}/{name}{slash}"), tmp_path, "--checksum", "-o", "json")
    assert (ran.code, ran.outcomes) == (0, linked.all("complete")), ran.errors
    for pod in linked.pods:
        here = tmp_path / pod if slash else tmp_path / pod / name
        assert not here.is_symlink()
        assert texts(here) == RELEASE
        assert (here / "start").is_symlink(), "links below the one that was named stay links"


@pytest.mark.parametrize("name", ["current", "newest", "dangling", "loop"])
def test_the_link_itself_is_copied_on_request(fleet: Fleet, linked: Linked, tmp_path: Path, name: str) -> None:
    ran = asynccp(fleet, "pull", *linked(f"{PLACE}/{name}"), tmp_path, "--no-follow", "-o", "json")
    assert (ran.code, ran.outcomes) == (0, linked.all("complete")), ran.errors
    target = {"current": "releases/7", "newest": "logs/app.log", "dangling": "nowhere", "loop": "loop"}[name]
    assert {pod: str((tmp_path / pod / name).readlink()) for pod in linked.pods} == linked.all(target)


@pytest.mark.parametrize("name", ["dangling", "loop"])
def test_a_link_that_leads_nowhere_is_a_failure_that_says_so(
    fleet: Fleet, linked: Linked, tmp_path: Path, name: str
) -> None:
    ran = asynccp(fleet, "pull", *linked(f"{PLACE}/{name}"), tmp_path, "-o", "json")
    assert ran.code == 1
    assert ran.errors == linked.all(f"{PLACE}/{name} is a symbolic link that leads nowhere in the container")
    assert {one["hint"] for one in ran.report["pods"]} == {"--no-follow copies the link itself"}


def test_a_link_that_leads_out_is_no_complete_copy_of_itself(fleet: Fleet, linked: Linked, tmp_path: Path) -> None:
    ran = asynccp(fleet, "pull", *linked(f"{PLACE}/absolute"), tmp_path, "--no-follow", "-o", "json")
    assert (ran.code, ran.outcomes) == (1, linked.all("failed"))
    for error in ran.errors.values():
        assert error.startswith(f"nothing of {PLACE}/absolute can be copied: its target, ")
        assert error.endswith("/releases/7, leads out of the pod's directory")


# --- what the cluster mounts


@pytest.fixture(scope="module")
def mounted(fleet: Fleet) -> str:
    """A pod with a ConfigMap at /etc/conf, a Secret at /etc/key, and a token at /etc/token."""
    if not isinstance(fleet, RealFleet):
        pytest.skip("for the real cluster")
    config = {"app.conf": "x = 1\n", "log.conf": "level = info\n"}
    fleet.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": config})
    secret = {"tls.key": base64.b64encode(b"secret\n").decode()}
    fleet.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "data": secret})
    spec = fleet.spec("busybox", WITH_TAR)
    token = [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}]
    spec["volumes"] = [
        {"name": "conf", "configMap": {"name": "conf"}},
        {"name": "key", "secret": {"secretName": "key", "defaultMode": 0o400}},
        {"name": "token", "projected": {"sources": token}},
    ]
    for one, kind in zip(spec["containers"], WITH_TAR, strict=True):
        one["image"] = fleet.spec(kind)["containers"][0]["image"]
        names = ("conf", "key", "token")
        one["volumeMounts"] = [{"name": name, "mountPath": f"/etc/{name}"} for name in names]
    return fleet.run("mounted", labels_for("mounted"), spec)


@pytest.fixture(params=WITH_TAR)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.mark.cluster
@pytest.mark.parametrize(("path", "content"), [("conf/app.conf", "x = 1\n"), ("key/tls.key", "secret\n")])
def test_a_key_of_a_configmap_and_of_a_secret_arrives_as_a_file(
    real_fleet: RealFleet, mounted: str, kind: str, tmp_path: Path, path: str, content: str
) -> None:
    ran = asynccp(real_fleet, "pull", f"{mounted}:/etc/{path}", tmp_path, "-c", kind, "--checksum", "-o", "json")
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"], one["bytes"]) == (0, "complete", len(content)), one["error"]
    (here,) = (one for one in tmp_path.rglob(Path(path).name))
    assert not here.is_symlink()
    assert here.read_text() == content


@pytest.mark.cluster
def test_a_token_arrives_as_a_file(real_fleet: RealFleet, mounted: str, kind: str, tmp_path: Path) -> None:
    ran = asynccp(real_fleet, "pull", f"{mounted}:/etc/token/token", tmp_path, "-c", kind, "-o", "json")
    assert ran.code == 0, ran.errors
    (here,) = (one for one in tmp_path.rglob("token"))
    assert here.read_text().count(".") == 2, "a JWT"


@pytest.mark.cluster
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_directory_of_a_configmap_keeps_its_keys_working(
    real_fleet: RealFleet, mounted: str, kind: str, tmp_path: Path, slash: str
) -> None:
    ran = asynccp(real_fleet, "pull", f"{mounted}:/etc/conf{slash}", tmp_path, "-c", kind, "--checksum", "-o", "json")
    (one,) = ran.report["pods"]
    assert (ran.code, one["outcome"], one["left_out"]) == (0, "complete", []), one["error"]
    (here,) = (one for one in tmp_path.rglob("app.conf") if one.is_symlink())
    assert str(here.readlink()) == "..data/app.conf"
    assert here.read_text() == "x = 1\n"
    assert (here.parent / "log.conf").read_text() == "level = info\n"


# --- pushes


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A directory with a release, and links to it and to one of its files."""
    (tmp_path / "releases" / "7" / "bin").mkdir(parents=True)
    (tmp_path / "releases" / "7" / "version").write_text("seven\n")
    (tmp_path / "releases" / "7" / "bin" / "run").write_text("run\n")
    (tmp_path / "current").symlink_to("releases/7")
    (tmp_path / "version").symlink_to("current/version")
    (tmp_path / "dangling").symlink_to("nowhere")
    return tmp_path


@pytest.fixture
def pushed_to(fleet: Fleet, linked: Linked) -> str:
    """An empty directory in each pod."""
    for pod in linked.pods:
        sh(fleet, pod, "sh", "-c", 'rm -rf "$1"; mkdir "$1"', "sh", "/tmp/pushed")
    return "/tmp/pushed"


def test_a_link_that_is_pushed_arrives_as_what_it_leads_to(
    fleet: Fleet, linked: Linked, pushed_to: str, local: Path
) -> None:
    ran = asynccp(fleet, "push", local / "version", local / "current", *linked(pushed_to), "-o", "json")
    assert (ran.code, ran.outcomes) == (0, linked.all("complete")), ran.errors
    for pod in linked.pods:
        said = sh(fleet, pod, "sh", "-c", 'cd "$1"; cat version current/version current/bin/run', "sh", pushed_to)
        assert said == b"seven\nseven\nrun\n"
        assert "symlink" not in {facts.kind for facts in snapshot(fleet, pod, pushed_to).values()}


def test_a_link_that_is_pushed_stays_one_on_request(fleet: Fleet, linked: Linked, pushed_to: str, local: Path) -> None:
    ran = asynccp(fleet, "push", local / "version", *linked(f"{pushed_to}/"), "--no-follow", "-o", "json")
    assert ran.code == 0, ran.errors
    for pod in linked.pods:
        assert sh(fleet, pod, "sh", "-c", 'readlink "$1/version"', "sh", pushed_to) == b"current/version\n"


def test_a_dangling_link_that_is_pushed_is_said_before_anything_moves(
    fleet: Fleet, linked: Linked, local: Path
) -> None:
    ran = asynccp(fleet, "push", local / "dangling", *linked("/tmp/pushed"))
    assert ran.code == 1
    assert f"{local}/dangling" in ran.err
    assert "nowhere" in ran.err
    assert "--no-follow" in ran.err
