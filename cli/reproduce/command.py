"""`tide reproduce`: can this model be made again?"""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output
from cli.reproduce.recipe import recipe_of
from cli.reproduce.workshop import Workshop
from contracts.reproduction import Grade, Reproduction

ENVIRONMENTS = "environments"
_MEANING = {
    Grade.A: "the same bytes",
    Grade.B: "other bytes, but the same answer to every probe row",
    Grade.DIFFERENT: "not the same model",
}


def reproduce(
    number: Annotated[int, typer.Argument(metavar="VERSION", help="The model's version.", show_default=False)],
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Make a registered model again from its data, commit, libraries and seed, and compare the two."""
    output = Output(machine)
    app = open_app(config, environment, directory, aws)
    recipe = recipe_of(app, number)
    with tempfile.TemporaryDirectory(prefix="tide-reproduce-") as folder, output.phase(f"version {number} again") as phase:
        found = Workshop(app, Path(folder), app.project.state / ENVIRONMENTS).make(recipe, phase.show)
        phase.result = f"grade {found.grade}: {_MEANING[found.grade]}"
    if not recipe.is_committed:
        output.say(
            "its code had changes that were never committed, so nothing promises that it is made again. Next: commit, and tide train"
        )
    _tell(output, found, recipe.commit)
    told = {"ok": found.grade is not Grade.DIFFERENT, "version": number, "code_was_committed": recipe.is_committed}
    output.document(told | found.model_dump(mode="json"))
    if found.grade is Grade.DIFFERENT:
        raise typer.Exit(1)


def _tell(output: Output, found: Reproduction, commit: str) -> None:
    output.say(f"registered  {found.registered_sha256}")
    output.say(f"made again  {found.again_sha256}, from commit {commit[:12]}")
    if found.grade is Grade.A:
        output.say(
            "model.tar.gz: the same bytes too" if found.archive_is_the_same else "model.tar.gz: packed differently, the same files in it"
        )
        return
    output.table(["file", "registered", "made again"], [(each.name, _short(each.registered), _short(each.again)) for each in found.files])
    if found.libraries:
        output.table(["library", "then", "now"], [(name, then, now) for name, (then, now) in found.libraries.items()])
    if found.changed_predictions is not None:
        output.say(f"{found.changed_predictions} of {found.probe_rows} probe rows changed; largest difference {found.largest_difference:g}")
    if found.why:
        output.say(found.why)


def _short(sha256: str | None) -> str:
    return sha256[:16] if sha256 else "-"
