"""Swaps the pipeline definition's placeholder literals for CloudFormation tokens.

The definition is built by the SageMaker SDK, which cannot hold tokens in most places (roles, S3 URIs); it is built with literals that look
valid, and here every string in it that names one gets the token instead. A pure function of both.
"""

from collections.abc import Mapping
from typing import Any


def swap(value: Any, tokens: Mapping[str, str]) -> Any:
    """`value` (what JSON can hold) with every placeholder in its strings replaced. No placeholder may be part of another."""
    if isinstance(value, str):
        for placeholder, token in tokens.items():
            value = value.replace(placeholder, token)
        return value
    if isinstance(value, Mapping):
        return {key: swap(item, tokens) for key, item in value.items()}
    if isinstance(value, list):
        return [swap(item, tokens) for item in value]
    return value
