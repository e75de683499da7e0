"""What a file of settings may say, and above all what one may not that came with a directory."""

import os
from pathlib import Path

import pytest

from asynccp.cli import configfile
from asynccp.cli.configfile import FILE_SIZE, HOW, NAMED, ConfigFile, find_profile, parse, read_file
from asynccp.cli.configured import configured, found_files, users_path
from asynccp.cli.flags import FLAGS
from asynccp.errors import UsageError

FILE = """\
timeout = 60
exclude = ["*.bak"]

[push]
checksum = true   # of push alone
delete = true

[profiles.web]
selector = "app=web:/etc/app"
timeout = 5.5

[profiles.web.push]
arguments = ["./config/"]
timeout = 7
"""


def users(text: str) -> ConfigFile:
    return parse(text, "own.toml", is_here=False)


def here(text: str) -> ConfigFile:
    return parse(text, "./.asynccp.toml", is_here=True)


def told(text: str, *, is_here: bool = False) -> str:
    with pytest.raises(UsageError) as caught:
        parse(text, "f.toml", is_here=is_here)
    return str(caught.value)


def test_a_file_says_what_holds_for_all_commands_for_one_and_in_a_profile() -> None:
    file = users(FILE)
    assert {name: (one.word, one.origin) for name, one in file.section.of("push").items()} == {
        "timeout": ("60", "own.toml:1"),
        "exclude": (["*.bak"], "own.toml:2"),
        "checksum": (True, "own.toml:5"),
        "delete": (True, "own.toml:6"),
    }
    assert file.section.of("pull").keys() == {"timeout", "exclude"}
    assert file.section.of("check").keys() == set(), "it has neither flag"
    web = file.profiles["web"]
    assert web.of("push")["timeout"].word == "7"
    assert web.of("pull")["timeout"].word == "5.5"
    assert web.of("pull")["selector"].word == ["app=web:/etc/app"]
    assert web.of("pull")["selector"].profile == "web"
    assert web.arguments_of("push") == ("./config/",)
    assert web.arguments_of("pull") == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = \n", "f.toml:1: this is no TOML: Invalid value"),
        ("x = 1\ny = [1\n", "f.toml"),
        ("retries = 1\n\nconcurency = 3", "f.toml:3: there is no setting concurency"),
        ("[push]\n\nmirror = true", "f.toml:3: push has no --mirror"),
        ("push = 1", "f.toml:1: push is a table, of settings of that command"),
        ("profiles = 1", "f.toml:1: profiles is a table, with a table for each profile"),
        ("[profiles]\nweb = 1", "f.toml:2: web is a table of settings"),
        ("checksum = 1", "f.toml:1: checksum is true or false"),
        ('checksum = "yes"', "f.toml:1: checksum is true or false"),
        ("verbose = 9", "f.toml:1: verbose is true or false"),
        ("timeout = true", "f.toml:1: timeout is a text or a number"),
        ("timeout = [1]", "f.toml:1: timeout is a text or a number"),
        ("exclude = 1", "f.toml:1: exclude is a text, or a list of them"),
        ("exclude = [1]", "f.toml:1: exclude is a text, or a list of them"),
        ("no-config = true", "f.toml:1: there is no setting no-config"),
        ("arguments = []", "f.toml:1: only a profile has arguments"),
        ('[profiles.a]\narguments = "x"', "f.toml:2: arguments is a list of texts"),
        ('[profiles.a]\narguments = ["--delete"]', "f.toml:2: --delete is no argument"),
        ("force = true\nignore-times = true", "f.toml:2: ignore-times is another name of what was set before"),
        ('"a\\u001b[2J" = 1', r"f.toml: there is no setting a\x1b[2J"),
        ("x = " + "[" * 30_000, "f.toml"),
        ("x = " + "9" * 5000, "f.toml: this is no TOML"),
    ],
)
def test_what_a_file_gets_wrong_is_told_with_its_line(text: str, sentence: str) -> None:
    assert told(text).startswith(sentence)
    assert "\n" not in told(text)
    assert "\x1b" not in told(text)


def test_what_may_stand_alone_may_be_true() -> None:
    assert users("backup = true").section.of("push")["backup"].word == "3"
    assert users("backup = 5").section.of("push")["backup"].word == "5"
    assert told("timeout = true") == "f.toml:1: timeout is a text or a number"


def test_a_value_that_means_nothing_is_told_with_its_line() -> None:
    setting = users("\ntimeout = 0").section.of("push")["timeout"]
    with pytest.raises(UsageError, match=r"^own.toml:2: --timeout is at least 0.001$"):
        assert setting.value


NAMES = [name.removeprefix("--") for flag in FLAGS for name in flag.names.split() if name.startswith("--")]
EVERY = sorted(name for name in NAMES if NAMES.count(name) == 1)


def line_for(name: str) -> str:
    flag = next(flag for flag in FLAGS if f"--{name}" in flag.names.split())
    return f"{name} = {'true' if not flag.metavar else '[]' if flag.kind is tuple else '1'}"


@pytest.mark.parametrize("name", [name for name in EVERY if name != "no-config"])
def test_the_working_directory_may_say_only_what_is_allowed_to_it(name: str) -> None:
    """Whatever flag comes later may not, until somebody has thought about it."""
    for table, allowed in (("", HOW), ("[push]\n", HOW), ("[profiles.a]\n", HOW | NAMED)):
        text = f"{table}{line_for(name)}"
        flag = next(flag for flag in FLAGS if f"--{name}" in flag.names.split())
        if "[push]" in table and "push" not in flag.commands:
            continue
        if name in allowed:
            here(text)
        else:
            assert told(text, is_here=True).startswith(
                f"f.toml:{text.count(chr(10)) + 1}: {name} may not be set by the working directory"
            )
        users(text)


@pytest.mark.parametrize(
    "name",
    [
        *("kubeconfig", "context", "ephemeral", "ephemeral-ttl", "report", "html", "events", "archive", "exclude-from"),
        *("exec-before", "exec-after", "signal", "atomic-link", "chown", "workers"),
        *("relays", "relay-image", "relay-namespace", "relay-template"),
        *("newer-than", "copy-links", "preserve-owner", "preserve-modes", "max-size", "max-memory", "anyway"),
    ],
)
def test_what_could_harm_is_never_said_by_the_working_directory(name: str) -> None:
    assert name not in HOW | NAMED


def test_who_and_what_is_removed_takes_a_profile_that_was_named() -> None:
    assert not HOW & {"selector", "namespace", "delete", "mirror", "max-delete", "template", "quiet", "dry-run"}


def test_every_name_that_is_allowed_is_a_flag() -> None:
    assert set(EVERY) >= HOW | NAMED
    assert not HOW & NAMED


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; beside it there is `secret`, and in it `linked` leads there."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "linked").symlink_to("../secret")
    (tmp_path / "here" / "web:").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.parametrize(
    "path", ["../secret", "/etc", "~/.ssh", "linked", "linked/", "a/../../secret", "web:/../../secret"]
)
@pytest.mark.usefixtures("directory")
def test_a_profile_of_the_working_directory_leads_nowhere_else(path: str) -> None:
    text = f"[profiles.a]\narguments = [{path!r}, 'web-0:/etc/app']"
    assert told(text, is_here=True) == f"f.toml:2: {path} is not in the working directory"
    users(text)


@pytest.mark.usefixtures("directory")
def test_a_profile_of_the_working_directory_names_what_is_below_it() -> None:
    arguments = (".", "./config", "new/logs", "web-0:/etc/app", "deploy/web:/x", ":/x", "-")
    assert here(f"[profiles.a]\narguments = {list(arguments)}").profiles["a"].arguments_of("push") == arguments


def test_paths_of_home_are_those_of_the_user() -> None:
    file = users("kubeconfig = '~/kube'\n[profiles.a]\narguments = ['~/x']")
    assert file.section.of("push")["kubeconfig"].word == os.path.expanduser("~/kube")
    assert file.profiles["a"].arguments_of("push") == (os.path.expanduser("~/x"),)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"uid": 4711}, "belongs to another user (uid 4711)"),
        ({"mode": 0o100666}, "may be written by everybody"),
        ({"mode": 0o100664, "gid": 4711}, "may be written by another group (gid 4711)"),
        ({"mode": 0o010600}, "is no file"),
        ({"mode": 0o100664}, ""),
        ({"uid": 0}, ""),
    ],
)
def test_a_file_that_others_may_write_is_refused(facts: dict[str, int], why: str) -> None:
    values = {"mode": 0o100644, "uid": os.geteuid(), "gid": os.getegid(), **facts}
    found = os.stat_result((values["mode"], 0, 0, 1, values["uid"], values["gid"], 0, 0, 0, 0))
    if not why:
        configfile._refuse_strangers(found, "f")
        return
    with pytest.raises(UsageError) as caught:
        configfile._refuse_strangers(found, "f")
    assert str(caught.value) == f"the file of settings f {why}"


def test_what_cannot_be_read_is_told(directory: Path) -> None:
    for make, why in (
        (lambda: os.mkfifo("f"), "is no file"),
        (lambda: os.mkdir("f"), "can't be read: Is a directory"),
        (lambda: Path("f").write_bytes(b"#" * (FILE_SIZE + 1)), "has more than 64 KiB"),
        (lambda: Path("f").write_bytes(b"\n\xff = 1"), "f:2: this is no UTF-8"),
    ):
        make()
        with pytest.raises(UsageError, match=why):
            read_file("f", is_here=True)
        (directory / "f").rename(directory / why[:5])
    assert read_file("f", is_here=True) is None


def test_the_nearer_file_counts_and_a_profile_before_it(directory: Path) -> None:
    variables = {"XDG_CONFIG_HOME": str(directory.parent), "ASYNCCP_RETRIES": "1"}
    own = Path(users_path(variables))
    own.parent.mkdir()
    own.write_text("retries = 4\ntimeout = 4\ncompress = 'gzip'\nbwlimit = '4M'\n[profiles.own]\ntimeout = 2")
    (directory / ".asynccp.toml").write_text(
        "timeout = 3\ncompress = 'zstd'\nretries = 3\n[profiles.web]\ntimeout = 2\nretries = 2\narguments = ['a']"
    )
    found = configured("push", ["@web", ":/x"], ["checksum"], variables)
    assert {name: (one.word, one.origin) for name, one in found.settings.items()} == {
        "retries": ("1", "ASYNCCP_RETRIES"),
        "timeout": ("2", "./.asynccp.toml:5"),
        "compress": ("zstd", "./.asynccp.toml:2"),
        "bwlimit": ("4M", f"{own}:4"),
    }
    assert (found.arguments, found.files) == (["a", ":/x"], ["./.asynccp.toml", str(own)])
    assert configured("push", ["a"], ["no_config"], {}).settings == {}
    assert configured("push", ["a"], [], {"ASYNCCP_NO_CONFIG": "1"}).settings.keys() == {"no_config"}
    assert configured("report", ["@web"], [], {}).arguments == ["@web"], "a file"
    with pytest.raises(UsageError, match=r"^web is a profile of a file, and --no-config takes nothing from files$"):
        configured("push", ["@web"], ["no_config"], {})


def test_a_profile_that_is_nowhere_or_in_both_files_is_told() -> None:
    a, b = here("[profiles.web]"), users("[profiles.web]\n[profiles.db]")
    for files, name, why in (
        ([a, b], "web", "^the profile web is in ./.asynccp.toml and in own.toml$"),
        ([a, b], "x", "^there is no profile x; there are: db, web$"),
        ([users("")], "x", "^there is no profile x; there are none$"),
        ([], "x", "^there is no profile x: neither ./.asynccp.toml nor /h/asynccp/config.toml is there$"),
    ):
        with pytest.raises(UsageError, match=why):
            find_profile(files, name, {"XDG_CONFIG_HOME": "/h"})


def test_a_configuration_home_that_is_no_absolute_path_means_nothing() -> None:
    assert users_path({"XDG_CONFIG_HOME": "x"}) == os.path.expanduser("~/.config/asynccp/config.toml")
    assert found_files({"XDG_CONFIG_HOME": "/nonexistent"}) == []


def test_a_flag_that_two_commands_mean_differently_is_set_for_each() -> None:
    assert told("follow = true") == "f.toml:1: follow is not the same for all commands"
    users("[push]\nfollow = true\n[pull]\nfollow = '30s'\n")
    assert "follow may not be set by the working directory" in told("[push]\nfollow = true", is_here=True)
