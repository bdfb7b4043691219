"""How a command that acts on a deployed app begins: the project, the account, and the app in it."""

from pathlib import Path

from cli.account import find_account
from cli.observe import App
from cli.project import load_project


def open_app(config: Path | None, environment: str | None, directory: Path | None, aws: bool) -> App:
    """The app that the options name. Raises StateError and ConfigError with the next step."""
    project = load_project(config, environment)
    return App(find_account(directory or project.state, aws), project)
