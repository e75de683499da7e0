"""A local place that a pull can't use is found out before any pod is asked, and is called what the user called it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from asynccp.errors import PlanError
from asynccp.local.destination import check_destination
from tests.powerless import bound_by_permissions


def a_file() -> None:
    Path("afile").write_text("kept")


def a_dangling_link() -> None:
    Path("link").symlink_to("nowhere")


def a_loop() -> None:
    Path("loop").symlink_to("loop")


def a_closed_directory() -> None:
    Path("closed").mkdir(mode=0o555)


def a_directory_that_may_not_be_entered() -> None:
    Path("dark").mkdir(mode=0o000)


UNFIT: dict[str, tuple[Callable[[], None], str]] = {
    "./afile": (a_file, "./afile is a file"),
    "afile/": (a_file, "afile is a file"),
    "./afile/x/y": (a_file, "./afile is a file, so ./afile/x/y can't be made"),
    "link": (a_dangling_link, "link is a symbolic link that leads nowhere"),
    "link/x": (a_dangling_link, "link is a symbolic link that leads nowhere, so link/x can't be made"),
    "loop": (a_loop, "loop can't be used: Too many levels of symbolic links"),
    "closed": (a_closed_directory, "closed may not be written to"),
    "closed/x/y": (a_closed_directory, "closed may not be written to, so closed/x/y can't be made"),
    "dark/x": (a_directory_that_may_not_be_entered, "dark/x can't be used: Permission denied"),
    "dark": (a_directory_that_may_not_be_entered, "dark may not be written to"),
    "\x1b" + "n" * 300: (a_file, "\\x1b" + "n" * 300 + " can't be used: File name too long"),
}


@pytest.mark.parametrize("destination", UNFIT)
def test_a_place_that_can_not_be_used(tmp_path: Path, destination: str) -> None:
    make, said = UNFIT[destination]
    with bound_by_permissions(tmp_path):
        make()
        before = os.listdir()
        with pytest.raises(PlanError) as caught:
            check_destination(destination, ["web-0"])
        assert os.listdir() == before
    assert str(caught.value) == f"{said}; a pull goes to a directory"


def test_a_read_only_file_system_is_called_so(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can mount one")
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine allows no mounts")
    try:
        with pytest.raises(PlanError) as caught:
            check_destination(f"{tmp_path}/x", ["web-0"])
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert str(caught.value).startswith(f"{tmp_path} is on a read-only file system, so {tmp_path}/x can't be made;")


def a_directory() -> None:
    Path("logs").mkdir()


def a_link_to_a_directory() -> None:
    Path("elsewhere").mkdir()
    Path("logs").symlink_to("elsewhere")


def a_directory_of_others_with_one_of_ours() -> None:
    Path("logs/web-1").mkdir(parents=True)
    Path("logs").chmod(0o555)


FIT: list[tuple[str, Callable[[], None]]] = [
    (".", a_directory),
    ("logs", a_directory),
    ("./logs/", a_directory),
    ("logs/of/today", a_directory),
    ("logs/../new", a_directory),
    ("logs", a_link_to_a_directory),
    ("logs/of/today", a_link_to_a_directory),
    ("logs", a_directory_of_others_with_one_of_ours),
]


@pytest.mark.parametrize(("destination", "make"), FIT)
def test_a_place_that_can_be_used_is_left_as_it_is(tmp_path: Path, destination: str, make: Callable[[], None]) -> None:
    with bound_by_permissions(tmp_path):
        make()
        before = sorted(map(str, Path().rglob("*")))
        check_destination(destination, ["web-0", "web-1"])
        assert sorted(map(str, Path().rglob("*"))) == before
