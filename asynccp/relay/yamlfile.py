"""YAML, as people write and read Kubernetes' objects: a pod template of theirs, and a manifest for them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from asynccp.errors import UsageError
from asynccp.target import Json
from asynccp.text import printable

_MOST_SIZE = 1024 * 1024  # bytes of a template
_PARTS = ("metadata", "spec")


def read_template(path: Path) -> Json:
    """Return `metadata` and `spec` of a PodTemplate, a Pod, or of what is only these. Blocks. Raises UsageError."""
    shown = printable(str(path))
    try:
        with path.open("rb") as file:
            found: Any = yaml.safe_load(file.read(_MOST_SIZE))
    except OSError as exc:
        raise UsageError(f"the template {shown} can't be read: {exc.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise UsageError(f"the template {shown} is no YAML") from None
    if isinstance(found, dict) and isinstance(found.get("template"), dict):
        found = found["template"]
    if not isinstance(found, dict) or not all(isinstance(found.get(one, {}), dict) for one in _PARTS):
        raise UsageError(f"the template {shown} is no pod template", hint="it has metadata and spec, as of a Pod")
    if set(found) - {*_PARTS, "apiVersion", "kind"}:
        more = printable(", ".join(sorted(map(str, set(found) - {*_PARTS, "apiVersion", "kind"}))), 200)
        raise UsageError(f"the template {shown} has more than metadata and spec: {more}")
    return {one: found[one] for one in _PARTS if one in found}


def manifest(documents: Sequence[Json]) -> str:
    """Return documents as one text, each as it would be written by hand."""
    return "---\n".join(yaml.dump(one, Dumper=_Plain, sort_keys=False, width=120) for one in documents)


class _Plain(yaml.SafeDumper):  # type: ignore[misc]
    """Without anchors: what is in two places is written twice."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True
