"""`tide predict`: predictions through the API, as any signed client gets them; with --batch of a whole table, through a transform job."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import urllib3

from cli.api import JSON, PredictionApi
from cli.batch.command import predict_batch
from cli.observe import App
from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output
from cli.tables import read_records
from contracts.config import Data
from contracts.errors import DataError, StateError

MOST_ROWS = 1000  # of a table, in one request


def predict(
    source: Annotated[str | None, typer.Argument(help="A .csv or .json file, - for JSON on stdin, or JSON.", show_default=False)] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="A table of any size: FILE, or s3://bucket/key. Needs no endpoint.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where a batch's predictions go. Default: NAME-predictions.csv here.", show_default=False)
    ] = None,
    version: Annotated[
        int | None, typer.Option("--version", help="Who predicts a batch. Default: the live one.", show_default=False)
    ] = None,
    no_id: Annotated[bool, typer.Option("--no-id", help="A batch's rows have no id: they go by their numbers alone.")] = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Predict rows: of a table (its other columns are left out), or JSON: one record, a list of records, or {"instances": [...]}."""
    output = Output(machine)
    if (source is None) == (batch is None):
        raise typer.BadParameter("give rows, or a table with --batch, and not both")
    if batch is None and (out is not None or version is not None or no_id):
        raise typer.BadParameter("--out, --version and --no-id belong to --batch")
    app = open_app(config, environment, directory, aws)
    if batch is not None:
        _batch(app, output, batch, out, version, no_id)
        return
    assert source is not None  # noqa: S101 - one of the two was given
    document, more = read_instances(source, app.project.config.data)
    reply = ask(PredictionApi(app.account, app.api_url), document)
    _show(output, reply)
    if more:
        output.say(f"these are the first {MOST_ROWS:,} rows of {source}, which has more. Next: split it for the others", "yellow")
    output.document({"ok": True, **reply})


def _batch(app: App, output: Output, table: str, out: Path | None, version: int | None, no_id: bool) -> None:
    summary = predict_batch(app, output, table, out, version, by_id=not no_id)
    if summary["predictions"]:
        output.say(f"{summary['predicted']:,} of {summary['rows']:,} rows are in {summary['predictions']}")
    if summary["missing"]:
        counts = f"{summary['rejected']:,} rejected, {summary['failed']:,} failed"
        output.say(f"{counts}: {summary['missing']} says why. Next: mend these rows and predict them alone", "yellow")
    output.document(summary)
    if not summary["ok"]:
        raise typer.Exit(1)


def read_instances(source: str, data: Data) -> tuple[Any, bool]:
    """The request document that an argument stands for, and whether a table has more rows. Raises DataError when it is none."""
    if source == "-":
        return _json(sys.stdin.buffer.read(), "stdin"), False
    if source.lstrip().startswith(("{", "[")):
        return _json(source, "the argument"), False
    path = Path(source)
    if not path.is_file():
        raise DataError([f"there is no file {source}. Next: give a .csv or .json file, -, or JSON in quotes"])
    if path.suffix.lower() == ".json":
        return _json(path.read_bytes(), source), False
    records = read_records(path, data.features, MOST_ROWS + 1)
    return {"instances": records[:MOST_ROWS]}, len(records) > MOST_ROWS


def ask(api: PredictionApi, document: Any) -> dict[str, Any]:
    """The API's reply. Raises StateError with the API's own words when it is not 200."""
    try:
        answer = api.post(json.dumps(document).encode(), JSON)
    except urllib3.exceptions.HTTPError as error:
        raise StateError(f"the prediction API did not answer: {error}. Next: tide status") from None
    try:
        reply = answer.document()
    except ValueError:
        reply = {"message": answer.body[:500].decode(errors="replace")}
    if answer.status != 200:
        raise StateError(_refusal(answer.status, reply))
    found: dict[str, Any] = reply
    return found


_NEXT = {
    401: "it takes tokens (api.authorization: jwt), and tide signs with AWS credentials. Next: call it with an HTTP client and a token",
    429: "more requests came than api.requests_per_second and api.burst let in. Next: wait, or raise them and deploy",
}


def _refusal(status: int, reply: Any) -> str:
    if status in _NEXT:
        return f"the prediction API answered {status}: {_NEXT[status]}"
    error = reply.get("error", reply) if isinstance(reply, dict) else reply
    if not isinstance(error, dict):
        return f"the prediction API answered {status}: {error}"
    problems = "".join(f"\n  {problem}" for problem in error.get("problems", []))
    return f"the prediction API answered {status}: {error.get('message', error)}{problems}"


def _show(output: Output, reply: dict[str, Any]) -> None:
    predictions = reply["predictions"]
    names = [name for name in ("prediction", "probability", "probabilities") if any(name in prediction for prediction in predictions)]
    rows = [(number, *(_cell(prediction.get(name)) for name in names)) for number, prediction in enumerate(predictions, 1)]
    output.table(("row", *names), rows)
    model = reply.get("model", {})
    output.say(f"model trained on dataset version {model.get('dataset_version')}, artifact {str(model.get('artifact_sha256'))[:12]}")
    names = [prediction["inference_id"] for prediction in predictions if "inference_id" in prediction]
    if names:
        span = f"inference_id {names[0]}" + (f" to {names[-1]}" if len(names) > 1 else "")
        output.say(f"{span}. Next, when the truth is known: a CSV file of inference_id and label, and tide feedback FILE")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(share)}" for name, share in value.items())
    return "" if value is None else str(value)


def _json(text: str | bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:  # of the syntax, or of the encoding
        raise DataError([f"{where} is not JSON: {error}. Next: give JSON, in UTF-8"]) from None
