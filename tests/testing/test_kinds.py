"""Kinds of container: each has the programs that it is named for, and no others."""

import pytest

from asynccp.testing.kinds import KINDS, Kind, available_kinds, distroless, gnu
from asynccp.testing.pod import Container, FakePod
from tests.testing.exec_client import Client

PRESENT = {kind.name: kind for kind in available_kinds()}
EXPECTED = {
    "gnu": "tar dd head",
    "busybox": "tar dd head",
    "bsdtar": "tar dd head",
    "toybox": "tar head",
    "no-tar": "dd head",
    "no-dd": "tar",
}


def test_every_machine_has_the_plain_kinds() -> None:
    assert {"gnu", "no-tar", "no-dd", "distroless"} <= PRESENT.keys() <= KINDS.keys()


@pytest.mark.parametrize("name", EXPECTED)
async def test_a_shell_finds_what_its_kind_has(client: Client, name: str) -> None:
    if name not in PRESENT:
        pytest.skip(f"this machine has no {name}")
    await client.cluster.add_pod(FakePod("one", containers=[Container("main", PRESENT[name])]))
    script = 'for p in tar dd head; do command -v "$p" >/dev/null && echo "$p"; done; exit 0'
    heard = await client.run("one", "sh", "-c", script)
    found = heard.stdout.decode().split()
    assert set(EXPECTED[name].split()) <= set(found)
    assert "tar" not in found or name != "no-tar"
    assert not {"dd", "head"} & set(found) or name != "no-dd"


@pytest.mark.parametrize("name", [name for name in EXPECTED if "tar" in EXPECTED[name].split()])
async def test_its_tar_packs_and_unpacks(client: Client, name: str) -> None:
    if name not in PRESENT:
        pytest.skip(f"this machine has no {name}")
    pod = await client.cluster.add_pod(FakePod("one", containers=[Container("main", PRESENT[name])]))
    (pod.root() / "from").mkdir()
    (pod.root() / "from" / "file").write_bytes(b"content")
    script = 'mkdir -p "$2" && tar cf - -C "$1" . | tar xf - -C "$2"'
    heard = await client.run("one", "sh", "-c", script, "sh", "/from", "/to")
    assert heard.stderr == b""
    assert (pod.root() / "to" / "file").read_bytes() == b"content"


async def test_distroless_has_no_shell(client: Client) -> None:
    await client.cluster.add_pod(FakePod("one", containers=[Container("main", distroless())]))
    for shell in ("sh", "/bin/sh"):
        status = (await client.run("one", shell, "-c", "true")).status
        assert status is not None
        assert status.code is None


def test_kinds_that_differ_have_images_that_differ() -> None:
    assert gnu().digest == gnu().digest
    assert Kind("mine", {"sh": "/bin/sh"}).digest != Kind("mine", {"sh": "/bin/dash"}).digest
