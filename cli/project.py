"""The project that a command works on: the nearest tidewheel.yaml, and the folder that it lies in.

The code of the app is this repository; a project is a configuration, which may lie in the repository or anywhere else.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from contracts.config import Config, parse_config
from contracts.errors import ConfigError, StateError

CONFIG_NAME = "tidewheel.yaml"
STATE_NAME = ".tidewheel"
REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Project:
    """A project in one environment. `config_path` is absolute."""

    config_path: Path
    config: Config

    @property
    def folder(self) -> Path:
        """Where tidewheel.yaml lies; relative paths in it start here."""
        return self.config_path.parent

    @property
    def state(self) -> Path:
        """The default folder of the project's twin."""
        return self.folder / STATE_NAME


class _Loader(yaml.SafeLoader):
    """A key is there once, as YAML has it; PyYAML alone would silently take the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        names = [key.value for key in keys]
        for position, key in enumerate(keys):
            if key.value in names[:position]:
                raise yaml.constructor.ConstructorError(problem=f"{key.value!r} is there twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


def find_config(start: Path) -> Path | None:
    """The nearest tidewheel.yaml from `start` upwards."""
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder / CONFIG_NAME
    return None


def load_project(config_path: Path | None = None, environment: str | None = None) -> Project:
    """The project at `config_path`, or the nearest. Raises StateError when there is none, ConfigError when it is wrong."""
    path = config_path or find_config(Path.cwd())
    if path is None or not path.is_file():
        where = f"{path} does not exist" if path else f"no {CONFIG_NAME} here or in a folder above"
        raise StateError(f"{where}. Next: tide init --data FILE.csv --target COLUMN")
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
    except UnicodeDecodeError as error:
        raise ConfigError([f"the file is not UTF-8: {error.reason} at byte {error.start}"], str(path)) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"the file is not YAML: {' '.join(str(error).split())}"], str(path)) from None
    return Project(path.resolve(), parse_config(raw, environment, str(path)))
