"""The app's functions, asked by a person: the same way in as an event's, so that a thing is done in one way only."""

import json
import uuid
from typing import Any

from cli.observe import App
from contracts.errors import StateError
from contracts.events import DetailType


def by_hand(app: App, detail_type: DetailType, detail: dict[str, Any]) -> dict[str, Any]:
    """An event as EventBridge delivers it, that only a person can have caused."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "source": "tidewheel.cli",
        "detail-type": detail_type.value,
        "time": app.account.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": app.account.region,
        "account": "",
        "resources": [],
        "detail": detail,
    }


def invoke(app: App, function: str, event: dict[str, Any]) -> dict[str, Any]:
    """Invoke `<prefix>-<function>` and wait for its answer. Raises StateError with the function's own error."""
    name = f"{app.prefix}-{function}"
    reply = app.account.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    result: dict[str, Any] = json.loads(reply["Payload"].read())
    if reply.get("FunctionError"):
        raise StateError(f"{name} failed: {result.get('errorType')}: {result.get('errorMessage')}. Next: its log group, /aws/lambda/{name}")
    return result
