"""Safe YAML of bounded size: no tags, no aliases, no key twice; what is wrong is one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from costlib._files import opened

__all__ = ["one_line", "safe_yaml", "shown"]

MOST_BYTES: Final = 200_000
SHOWN_CHARS: Final = 40
KEPT: Final = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"}


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases, tags and twice the same key; numbers and dates stay texts."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        tag = getattr(event, "tag", None)
        if tag or isinstance(event, yaml.events.AliasEvent):
            found = f"tag, got {tag}" if tag else f"alias, got *{event.anchor}"
            raise _at(event.start_mark, f"expected no {found}")
        return super().compose_node(parent, index)


def _at(mark: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in node.value:
        if not (isinstance(key, yaml.ScalarNode) and key.value):
            raise _at(key.start_mark, "expected the name of a field")
        if key.value in fields:
            raise _at(key.start_mark, f"the field {key.value} stands there twice")
        fields[key.value] = loader.construct_object(value, deep=True)
    return fields


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.yaml_implicit_resolvers = {
    first: kept
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [(tag, pattern) for tag, pattern in resolvers if tag in KEPT])
}


def safe_yaml(path: str | Path) -> Any:
    """What a file holds: fields, lists and texts; only true, false and nothing are told apart.

    Raises
    ------
    ValueError
        If the file is missing, empty, too large, no text, or not such YAML. The message is one
        line.
    """
    try:
        with opened(path, ValueError) as file:
            raw = file.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise ValueError(f"{path}: expected {MOST_BYTES:,} bytes at most")
        given = yaml.load(raw.decode("utf-8-sig"), _Loader)
    except UnicodeError:
        raise ValueError(f"{path}: is not text in UTF-8") from None
    except yaml.MarkedYAMLError as why:
        mark = why.problem_mark or why.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        problem = str(why.problem or why)
        if problem.startswith("but "):  # goes on from what was expected
            problem = f"{why.context}, {problem}"
        raise ValueError(f"{path}{line}: {one_line(problem)}") from None
    except yaml.YAMLError as why:
        raise ValueError(f"{path}: is no YAML ({one_line(why)})") from None
    except RecursionError:
        raise ValueError(f"{path}: is nested too deeply") from None
    if given is None:
        raise ValueError(f"{path}: is empty")
    return given


def one_line(problem: Any) -> str:
    """What is wrong, on one line."""
    return " ".join(str(problem).split())


def _plain(value: Any) -> str:
    """A value as the file has it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_plain, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_plain(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "nothing"
    bare = isinstance(value, str) and re.fullmatch(r"[-+.\w]*\d[-+.\w]*", value)
    return str(value) if bare else repr(value)


def shown(value: Any) -> str:
    """A value as the file has it, cut short and named where it is no single value."""
    words = _plain(value)
    if len(words) > SHOWN_CHARS:
        words = words[:SHOWN_CHARS] + " .."
    several = isinstance(value, list | tuple)
    return f"the {'list' if several else 'fields'} {words}" if words[:1] in ("[", "{") else words
