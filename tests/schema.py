"""Schema: what `report.schema.json` says of reports and plans; and whether what a test has before it is that.

Readers pass over fields that they don't know, so the schema that they have lets them. Here it is closed: a field that
is not described is an error.
"""

import json
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

SCHEMA: dict[str, Any] = json.loads(files("asynccp").joinpath("report.schema.json").read_text())


def closed(schema: Any) -> Any:
    """Return a schema whose objects have no other fields than it describes."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    is_object = schema.get("type") == "object" and "properties" in schema
    return inner | {"additionalProperties": False} if is_object else inner


_SHOWN = 500  # characters: of a thousand pods that are none the words have each
_VALIDATOR = Draft202012Validator(closed(SCHEMA))


def mismatch(document: object) -> str:
    """Return where a report or plan is not what the schema says, and how; empty if it is."""
    error = best_match(_VALIDATOR.iter_errors(document))
    return f"{error.json_path}: {error.message[:_SHOWN]}" if error else ""


def conforming(text: str | bytes) -> dict[str, Any]:
    """Return a report or plan from its JSON. Fails if it isn't what the schema says."""
    found: dict[str, Any] = json.loads(text)
    assert not (why := mismatch(found)), why
    return found
