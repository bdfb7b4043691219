"""What every stack is given: the project's configuration, where its code lies, and the commit it came from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from constructs import Node

from contracts.config import Config, parse_config
from contracts.errors import ConfigError

CONFIG_FILE = "tidewheel.yaml"
CONFIG_VARIABLE = "TIDEWHEEL_CONFIG"


@dataclass(frozen=True)
class Project:
    """One project in one environment. `root` is the repository: functions and image are staged from it."""

    config: Config
    root: Path
    git_commit: str = "unknown"

    @property
    def prefix(self) -> str:
        """What stacks and named resources are named after; at most 33 characters."""
        return self.config.prefix


def read_project(context: Node, root: Path, variable: str | None) -> Project:
    """The project that CDK's context (`config`, `environment`, `commit`) names; `variable` is TIDEWHEEL_CONFIG's value.

    Raises ConfigError with every mistake in the file.
    """
    path = Path(context.try_get_context("config") or variable or root / CONFIG_FILE)
    config = parse_config(_read_yaml(path), context.try_get_context("environment"), source=str(path))
    return Project(config, root, context.try_get_context("commit") or "unknown")


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(["there is no such file. Next: tide init --data FILE.csv --target COLUMN"], str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"cannot be read: {error}"], str(path)) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"is not YAML: {error}"], str(path)) from None
