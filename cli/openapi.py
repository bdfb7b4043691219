"""`tide api`: what is live, as the API tells it, and the API's OpenAPI document."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import urllib3

from cli.api import Answer, PredictionApi
from cli.observe import MODEL_PATH, OPENAPI_PATH, App
from cli.opening import open_app
from cli.options import AwsOption, ConfigOption, DirectoryOption, EnvironmentOption, JsonOption
from cli.output import Output
from contracts.errors import StateError
from contracts.live_model import LiveModel


def api(
    openapi: Annotated[Path | None, typer.Option(help="Write the OpenAPI document there; - for stdout.", show_default=False)] = None,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
    directory: DirectoryOption = None,
    aws: AwsOption = False,
    machine: JsonOption = False,
) -> None:
    """Show what the API answers with: the live model, its features, its quality. With --openapi, write the API's description."""
    output = Output(machine)
    app = open_app(config, environment, directory, aws)
    if openapi is not None:
        text = json.dumps(described(app), indent=2, ensure_ascii=False) + "\n"
        if str(openapi) == "-":
            typer.echo(text, nl=False)
            return
        openapi.write_text(text, encoding="utf-8")
        output.say(f"the API's description is in {openapi}")
        output.document({"ok": True, "openapi": str(openapi)})
        return
    answer = _ask(app, MODEL_PATH)
    if answer.status == 404:
        raise StateError(answer.document()["error"]["message"])
    model = LiveModel.model_validate(_checked(answer))
    _show(output, app.base_url, model)
    output.document({"ok": True, "url": app.base_url, **model.model_dump(mode="json")})


def described(app: App) -> dict[str, Any]:
    """The OpenAPI document, with the API's URL as it is reached from here. Raises StateError."""
    document: dict[str, Any] = _checked(_ask(app, OPENAPI_PATH))
    return document | {"servers": [{"url": app.base_url}]}


def _ask(app: App, path: str) -> Answer:
    try:
        return PredictionApi(app.account, app.base_url + path).get()
    except urllib3.exceptions.HTTPError as error:
        raise StateError(f"the API did not answer: {error}. Next: tide status") from None


def _checked(answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        raise StateError(f"the API answered {answer.status}: {answer.body[:500].decode(errors='replace')}. Next: tide status")
    found: dict[str, Any] = answer.document()
    return found


def _show(output: Output, url: str, model: LiveModel) -> None:
    output.say(f"{model.name} at {url}: version {model.version}, {model.approval}; the endpoint is {model.status}")
    if model.since is not None:
        output.say(f"deployed {model.since:%Y-%m-%d %H:%M:%S} UTC, trained on dataset version {model.dataset_version}")
    if model.runtime is not None:
        output.say(f"served from {model.runtime.name}{f': {model.runtime.why}' if model.runtime.why else ''}")
    if model.metrics:
        said = ", ".join(f"{name} {value:.4g}" for name, value in model.metrics.items())
        output.say(f"on {model.holdout_rows} rows of its holdout: {said}")
    if model.signature is not None:
        classes = f" ({', '.join(model.signature.classes)})" if model.signature.classes else ""
        output.say(f"predicts {model.signature.target}{classes} from")
        output.table(("feature", "kind"), [(name, str(kind)) for name, kind in model.signature.features.items()])
    for note in model.notes:
        output.say(note, "yellow")
