"""What newcomers are told is there: the files, the folders and the commands that .github/CONTRIBUTING.md names."""

import ast
import re
from pathlib import Path

import asynccp

ROOT = Path(__file__).parent.parent
PACKAGE = Path(asynccp.__file__).parent
GUIDE = ROOT / ".github" / "CONTRIBUTING.md"
FOLDERS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
TODAY, _, TOMORROW = GUIDE.read_text().partition("## Where new things go")


def sessions() -> list[str]:
    functions = [
        node for node in ast.parse((ROOT / "noxfile.py").read_text()).body if isinstance(node, ast.FunctionDef)
    ]
    return [function.name.rstrip("_") for function in functions if function.decorator_list]


def test_every_file_that_it_names_is_there() -> None:
    names = re.findall(rf"(?<![\w/.])(?:{'|'.join(FOLDERS)}|asynccp|benchmarks|tests|\.github)/[\w/.]*\w", TODAY)
    ends = ("", ".py")
    missing = {
        name for name in names if not any((root / f"{name}{end}").exists() for root in (ROOT, PACKAGE) for end in ends)
    }
    assert len(names) > 50
    assert missing == set()


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#:]+)[)#]", TODAY)
    assert [link for link in links if not (GUIDE.parent / link).exists()] == []


def test_every_folder_is_in_the_table_of_the_architecture() -> None:
    assert [folder for folder in FOLDERS if f"| `{folder}/` |" not in TODAY] == []


def test_every_session_of_nox_is_in_the_table_of_commands() -> None:
    assert [name for name in sessions() if not re.search(rf"^\| .*`(nox -s )?{name}[` ]", TODAY, re.MULTILINE)] == []


def test_the_files_that_wishes_will_add_are_not_there_yet() -> None:
    """Or the table is behind: what has been built belongs to the architecture."""
    added = [row.split("|")[2] for row in TOMORROW.splitlines() if row.startswith("| **")]
    assert added, "the table has another form"
    names = {name for cell in added for name in re.findall(r"`([\w/]+\.(?:py|sh))`", cell)}
    assert [name for name in sorted(names) if (PACKAGE / name).exists()] == []
