"""`tide feedback`: labels of earlier predictions, as a CSV file."""

from pathlib import Path
from typing import Annotated

import typer
from boto3.s3.transfer import TransferConfig

from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output
from cli.tables import open_table, sha256_of
from contracts.errors import DataError
from contracts.layout import FEEDBACK, parse_feedback_key, quarantine_prefix

COLUMNS = ("inference_id", "label")
TRANSFER = TransferConfig(multipart_threshold=16 << 20, multipart_chunksize=16 << 20)


def feedback(
    file: Annotated[Path, typer.Argument(help="A CSV file with the columns inference_id and label.", show_default=False)],
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Upload labels of earlier predictions. Good rows become ground truth; refused ones, if any, are listed in quarantine."""
    output = Output(machine)
    key = FEEDBACK + file.name
    try:
        parse_feedback_key(key)
    except ValueError as error:
        raise DataError([f"{error}. Next: give a .csv file"]) from None
    app = open_app(config, environment, directory, aws)
    check_columns(file)
    refused = f"s3://{app.data_bucket}/{quarantine_prefix(FEEDBACK.rstrip('/'), sha256_of(file))}"
    uri = f"s3://{app.data_bucket}/{key}"
    with output.phase("upload labels") as phase:
        app.s3.upload_file(str(file), app.data_bucket, key, Config=TRANSFER)
        phase.result = uri
    output.say(f"rows that cannot be used, and why, will be in {refused}")
    output.document({"ok": True, "uri": uri, "refused": refused})


def check_columns(file: Path) -> None:
    """Raises DataError for a file that holds no labels: record_feedback would only say so in quarantine."""
    with open_table(file) as table:
        missing = [name for name in COLUMNS if name not in table.header]
    if missing:
        step = "give the ids that tide predict --json shows, each with its label"
        raise DataError([f"{file} has no column {' and no column '.join(missing)}. Next: {step}"])
