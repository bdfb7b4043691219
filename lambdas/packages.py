"""Model packages, as DescribeModelPackage answers them."""

from collections.abc import Mapping
from typing import Any


def evaluation_uri(package: Mapping[str, Any]) -> str | None:
    """Where the package's evaluation.json is, if it names one."""
    statistics = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {})
    uri = statistics.get("S3Uri")
    return str(uri) if uri else None
