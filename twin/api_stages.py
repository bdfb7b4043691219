"""UpdateStage of API Gateway HTTP APIs, which moto does not have: a second deployment of a template that changes a stage needs it.

docs: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid-stages-stagename.html
A field that the request leaves out keeps its value.
"""

import json
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from moto.apigatewayv2.models import Stage
from moto.apigatewayv2.responses import ApiGatewayV2Response

from twin import patches
from twin.cloud import Cloud


class ApiStages:
    """A part without threads: its patch is undone with all others."""

    def stop(self) -> None:
        """Nothing runs."""


def install(cloud: Cloud) -> ApiStages:  # noqa: ARG001 - parts have one form
    """Add the operation."""
    why = "moto cannot change a stage once it is made"
    patches.apply(patches.Patch(ApiGatewayV2Response, "update_stage", _update_stage, patches.ABSENT, why))
    return ApiStages()


def _update_stage(self: Any) -> tuple[int, dict[str, str], str]:
    api_id, _, name = self.path.rpartition("/v2/apis/")[2].partition("/stages/")
    old = self.apigatewayv2_backend.get_stage(api_id, unquote(name))
    changed: dict[str, Any] = json.loads(self.body)
    # moto forgets nothing of a stage's making, so a new stage of the joined configuration is the changed one.
    new = Stage(self.apigatewayv2_backend.get_api(api_id), old.config | changed)
    new.created, new.updated = old.created, datetime.now()  # noqa: DTZ005 - as moto keeps them
    self.apigatewayv2_backend.get_api(api_id).stages[new.name] = new
    return 200, {}, json.dumps(new.to_json())
