"""What the commands of `tide data` share: which dataset, which version, and the store that holds them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from cli.datasets.index import INDEX, Index
from cli.datasets.store import Store
from cli.observe import App
from cli.opening import open_app
from contracts.config import Name
from contracts.errors import DataError

NameOption = Annotated[str | None, typer.Option("--name", help="The dataset. Default: the project's own.", show_default=False)]
VersionArgument = Annotated[str, typer.Argument(help="A version, the beginning of one, or latest.", show_default=False)]


def open_store(config: Path | None, environment: str | None, directory: Path | None, aws: bool) -> tuple[App, Store]:
    """The app, and the versions in its data bucket."""
    app = open_app(config, environment, directory, aws)
    return app, Store(app.s3, app.data_bucket)


@contextmanager
def open_index(app: App) -> Iterator[Index]:
    """What this machine remembers of the project's data."""
    with Index(app.project.state / INDEX) as index:
        yield index


def dataset_name(app: App, name: str | None) -> str:
    """The dataset that is meant. Raises DataError for a name that cannot be one."""
    if name is None:
        return app.project.config.data.dataset
    try:
        return TypeAdapter(Name).validate_python(name)
    except ValidationError:
        raise DataError([f"{name!r} cannot name a dataset. Next: use up to 24 small letters, digits and hyphens"]) from None
