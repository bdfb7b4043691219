"""Serverless variants: memory and concurrency in place of instances.

Sources: developer guide, serverless-endpoints (feature exclusions; beyond its concurrency an endpoint answers with a throttling error),
serverless-endpoints-invoke (4 MB); API_ProductionVariantServerlessConfig. Modelled: the container always runs, so there is no cold start
and its memory is not bounded; ThrottlingException has the status of the common errors, 400. Refused by name: provisioned concurrency, more
than one variant, and traffic that shifts in steps, of which the guide says nothing for an endpoint without instances.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from twin.sagemaker import api

LONGEST_BODY = 4 * 1024 * 1024
_SIZES = tuple(range(1024, 6145, 1024))
_INSTANCES = ("InitialInstanceCount", "InstanceType", "VolumeSizeInGB")


def check(config: Mapping[str, Any], variants: Sequence[Mapping[str, Any]], models: Sequence[Mapping[str, Any]]) -> None:
    """Refuse an endpoint configuration with a serverless variant that AWS, or the twin, would not serve. Raises ValidationException."""
    sizes = [variant["ServerlessConfig"] for variant in variants if variant.get("ServerlessConfig")]
    if not sizes:
        return
    if len(variants) > 1:
        raise api.invalid("A serverless endpoint has one production variant.")
    (size,), (variant,) = sizes, variants
    api.refuse_unknown(size, ("MemorySizeInMB", "MaxConcurrency"), "ServerlessConfig")
    if size["MemorySizeInMB"] not in _SIZES:
        raise api.invalid(f"MemorySizeInMB {size['MemorySizeInMB']} is not one of {', '.join(map(str, _SIZES))}.")
    if any(variant.get(name) for name in _INSTANCES):
        raise api.invalid(f"Variant {variant['VariantName']} has a ServerlessConfig, so it has none of {', '.join(_INSTANCES)}.")
    if config.get("DataCaptureConfig"):
        raise api.invalid("Data capture is not supported for serverless endpoints.")
    for model in models:
        if model.get("VpcConfig") or model.get("EnableNetworkIsolation"):
            raise api.invalid(f"Model {model['ModelName']} has a VPC or network isolation, which serverless endpoints do not support.")


def check_deployment(deployment: Mapping[str, Any], concurrency: int | None) -> None:
    """Refuse to shift the traffic of a serverless variant in steps. Raises ValidationException."""
    kind = (deployment.get("BlueGreenUpdatePolicy") or {}).get("TrafficRoutingConfiguration", {}).get("Type", "ALL_AT_ONCE")
    if concurrency is not None and kind != "ALL_AT_ONCE":
        raise api.invalid(f"The twin does not shift the traffic of a serverless endpoint in steps ({kind}).")
