"""How an endpoint looks: DescribeEndpoint's reply, and the details of its two events."""

import re
from collections.abc import Mapping
from typing import Any

from twin.sagemaker.context import millis
from twin.sagemaker.fleet import Fleet, Variant
from twin.sagemaker.rollout import Rollout

Record = dict[str, Any]


def describe(record: Record, current: Fleet | None, pending: Fleet | None, progress: Rollout | None) -> Record:
    """DescribeEndpoint. While an update runs, the running configuration is the old one, and the new one is pending."""
    reply = dict(record)
    if current is not None:
        reply["ProductionVariants"] = _variants(current)
    if pending is not None and progress is not None:
        status = [_stage(pending, progress) | {"StartTime": record["LastModifiedTime"]}]
        reply["PendingDeploymentSummary"] = {
            "EndpointConfigName": pending.config_name,
            "StartTime": record["LastModifiedTime"],
            "ProductionVariants": [shown | {"VariantStatus": status} for shown in _variants(pending)],
        }
    return reply


def state_event(record: Record, current: Fleet | None, tags: Mapping[str, Mapping[str, str]]) -> Record:
    """The detail of "SageMaker Endpoint State Change"; statuses are written IN_SERVICE there."""
    return {
        "EndpointName": record["EndpointName"],
        "EndpointArn": record["EndpointArn"],
        "EndpointConfigName": record["EndpointConfigName"],
        "ProductionVariants": [_brief(shown) for shown in _variants(current)] if current else [],
        "EndpointStatus": re.sub(r"(?<=[a-z])(?=[A-Z])", "_", record["EndpointStatus"]).upper(),
        "FailureReason": record.get("FailureReason"),
        "CreationTime": millis(record["CreationTime"]),
        "LastModifiedTime": millis(record["LastModifiedTime"]),
        "Tags": dict(tags.get(record["EndpointArn"], {})),
    }


def deployment_event(
    record: Record, current: Fleet | None, pending: Fleet | None, progress: Rollout | None, tags: Mapping[str, Mapping[str, str]]
) -> Record:
    """The detail of "SageMaker Endpoint Deployment State Change"."""
    detail = state_event(record, current, tags)
    if pending is not None and progress is not None:
        start = millis(record["LastModifiedTime"])
        status = [_stage(pending, progress) | {"StartTime": start}]
        detail["PendingDeploymentSummary"] = {
            "EndpointConfigName": pending.config_name,
            "StartTime": start,
            "ProductionVariants": [_brief(shown) | {"VariantStatus": status} for shown in _variants(pending)],
        }
    return detail


def _variants(fleet: Fleet) -> list[Record]:
    return [
        {
            "VariantName": variant.name,
            "DeployedImages": [{"SpecifiedImage": variant.image.uri, "ResolvedImage": variant.image.uri}],
            "CurrentWeight": fleet.weights[variant.name],
            "DesiredWeight": fleet.weights[variant.name],
            **_size(variant),
        }
        for variant in fleet.variants
    ]


def _size(variant: Variant) -> Record:
    if variant.serverless is not None:
        return {"CurrentServerlessConfig": dict(variant.serverless), "DesiredServerlessConfig": dict(variant.serverless)}
    return {"CurrentInstanceCount": variant.instances, "DesiredInstanceCount": variant.instances}


def _brief(shown: Record) -> Record:
    return {key: value for key, value in shown.items() if key != "DeployedImages"}


def _stage(pending: Fleet, progress: Rollout) -> Record:
    count = pending.variants[0].instances
    if progress.outcome == "RolledBack":
        return {"Status": "Deleting", "StatusMessage": f"Terminating {count} instance(s)."}
    if progress.stage < 0:
        return {"Status": "Creating", "StatusMessage": f"Launching {count} instance(s)."}
    stage = progress.stages[progress.stage]
    what, wait = ("full capacity", "TerminationWaitInSeconds") if stage.final else ("canary capacity", "WaitIntervalInSeconds")
    message = f"Baking for {stage.bake:g} seconds ({wait}) with traffic enabled on {what} of {stage.instances} instance(s)."
    return {"Status": "Baking", "StatusMessage": message}
