"""The arrows between the folders, read from the imports: who may know whom."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import asynccp

ROOT = Path(asynccp.__file__).parent
MODULES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}
ENDS = (".py", "/__init__.py")

VOCABULARY = {
    "checksum",
    "chunk",
    "difference",
    "entry",
    "errors",
    "events",
    "limits",
    "modes",
    "options",
    "ours",
    "report",
    "status",
    "steps",
    "target",
    "text",
    "times",
    "wave",
}
MAY_KNOW = {
    "vocabulary": VOCABULARY,
    "archive": VOCABULARY | {"archive"},
    "plan": VOCABULARY | {"plan", "archive"},
    "net": VOCABULARY | {"net"},
    "auth": VOCABULARY | {"auth", "net"},
    "kube": VOCABULARY | {"kube", "auth", "net"},
    "remote": VOCABULARY | {"remote", "archive", "plan.manifest"},
    "local": VOCABULARY | {"local", "archive", "objects", "plan.filters", "plan.manifest"},
    "objects": VOCABULARY | {"objects", "plan.filters", "plan.manifest"},
    "sinks": VOCABULARY | {"sinks", "archive", "local", "objects", "plan.manifest"},
    "engine": VOCABULARY
    | {"engine", "archive", "kube.base", "kube.exec", "local", "objects", "plan", "remote", "sinks"},
    "relay": VOCABULARY | {"relay", "archive", "engine", "jsonlines", "kube", "local", "objects", "plan", "sinks", ""},
    "ui": VOCABULARY | {"ui", "plan", "jsonlines"},
    "testing": VOCABULARY | {"testing", "kube.exec"},
    "jsonlines.py": VOCABULARY | {"plan", "archive"},
    "reportjson.py": VOCABULARY,
    "cli": VOCABULARY | {"cli", "engine", "kube", "plan", "relay", "testing", "reportjson", "ui", ""},
}
PROGRAM = {"__init__.py", "__main__.py"}
INPUT_AND_OUTPUT = {"asyncio", "anyio", "aiohttp", "socket", "os", "time", "subprocess", "threading", "ssl", "select"}
ONLY_IN = {
    "typer": ("cli/",),
    "tqdm": ("ui/bars.py",),
    "yaml": ("auth/kubeconfig.py", "relay/yamlfile.py"),
    "aiohttp": ("auth/oidc.py", "kube/apiclient.py", "testing/"),
    "kubernetes_asyncio": ("kube/",),  # by name alone but for apiclient.py; test_start.py has who loads it
    "h11": ("net/http.py",),
    "jsonschema": (),  # tests ask it whether reports are what report.schema.json says
    "watchfiles": ("local/watch.py",),
    "websockets": ("net/websocket.py",),
    "backports": ("archive/zstd.py",),
    "obstore": ("objects/store.py",),
    "compression": ("archive/zstd.py",),
    "anyio": ("engine/", "net/", "relay/", "auth/", "kube/", "ui/", "testing/", "cli/"),
}


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the full name of every module that is imported anywhere in a module, functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that they can be read"
            yield node.module or ""
            if node.module == "asynccp":  # modules of the package, perhaps
                yield from (f"asynccp.{alias.name}" for alias in node.names)


def layer(module: str) -> str:
    return "vocabulary" if module.removesuffix(".py") in VOCABULARY else module.partition("/")[0]


def ours(module: str) -> set[str]:
    """Return what a module imports from asynccp, without the first word; the package itself is the empty name."""
    found = {name for name in imports(MODULES[module]) if name.partition(".")[0] == "asynccp"}
    names = {name.removeprefix("asynccp").removeprefix(".") for name in found}
    return {name for name in names if not name or {f"{name.replace('.', '/')}{end}" for end in ENDS} & MODULES.keys()}


def others(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imports(MODULES[module])} - {"asynccp"}


def modules_of(*layers: str) -> list[str]:
    return [module for module in MODULES if layer(module) in layers]


@pytest.mark.parametrize("module", modules_of(*MAY_KNOW))
def test_a_module_knows_only_what_its_layer_may_know(module: str) -> None:
    allowed = MAY_KNOW[layer(module)]
    assert {name for name in ours(module) if not {name, name.partition(".")[0]} & allowed} == set()


@pytest.mark.parametrize("module", modules_of("vocabulary", "archive", "plan", "remote", "local", "sinks"))
def test_the_lower_layers_need_only_the_standard_library_and_what_values_are_made_of(module: str) -> None:
    known = {*sys.stdlib_module_names, "compression", "msgspec"}  # the former from Python 3.14 on
    others_than = {"local/watch.py": {"watchfiles"}}.get(module, set())
    assert others(module) - {"backports"} - others_than <= known, "3.14's zstd"


@pytest.mark.parametrize(
    "module", modules_of("vocabulary", "archive", "plan", "remote", "jsonlines.py", "reportjson.py")
)
def test_the_pure_layers_do_no_input_or_output_and_have_no_clock(module: str) -> None:
    assert others(module) & INPUT_AND_OUTPUT == set()


@pytest.mark.parametrize(("library", "places"), ONLY_IN.items())
def test_a_library_is_imported_only_in_its_place(library: str, places: tuple[str, ...]) -> None:
    assert [module for module in MODULES if library in others(module) and not module.startswith(places)] == []


def test_only_who_reads_and_writes_json_has_values_converted() -> None:
    of_msgspec = [
        (module, ast.unparse(node))
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and "msgspec" in ast.unparse(node)
    ]
    makes = {"from msgspec import Struct", "from msgspec import Struct, field", "from msgspec.structs import replace"}
    found = {module for module, line in of_msgspec if line not in makes}
    assert found == {"jsonlines.py", "relay/lines.py", "reportjson.py", "cli/record.py"}


def test_tasks_are_started_only_in_the_upper_layers() -> None:
    starts = [module for module, tree in MODULES.items() if "create_task_group" in ast.unparse(tree)]
    assert [
        module for module in starts if not module.startswith(("engine/", "relay/", "ui/", "testing/", "cli/"))
    ] == []
    assert starts, "the name has changed"


def test_nothing_below_knows_the_command_line() -> None:
    assert {layer(module) for module in MODULES if any(name.startswith("cli") for name in ours(module))} == {
        "cli",
        "__main__.py",
    }


def test_only_the_program_listens_for_signals() -> None:
    assert [module for module in MODULES if "signal" in others(module)] == ["cli/interrupt.py", "testing/process.py"]


def test_every_module_has_a_layer() -> None:
    assert set(map(layer, MODULES)) == {*MAY_KNOW, *PROGRAM}
