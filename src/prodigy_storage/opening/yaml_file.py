"""Configuration files: YAML, strictly, and no keys that are given twice."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from prodigy_storage.errors import ConfigError


class _Unique(yaml.SafeLoader):
    """Refuses a mapping that has a key twice: which value was meant is anybody's guess."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  # as it is overridden
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen and key.value != "<<":
                raise yaml.MarkedYAMLError(problem=f"{key.value} is there twice", problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def load(file: Path) -> object:
    """The tree of a file.

    Raises:
        ConfigError: it cannot be read, or is no YAML.
    """
    try:
        with file.open("rb") as stream:
            return yaml.load(stream, _Unique)  # noqa: S506  # a SafeLoader
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(f"{file}: {line}{error.problem or 'it is no YAML'}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is no YAML: {str(error).splitlines()[0]}") from error
