"""approve_model's view of the registry and of the evaluation reports."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlparse

from contracts.metadata import approval_description
from lambdas.approve_model.logic import PENDING


class Registry:
    """Model packages."""

    def __init__(self, sagemaker: Any) -> None:
        self._sagemaker = sagemaker

    def read(self, arn: str) -> Mapping[str, Any]:
        """A package as it is now, which may differ from what an event said."""
        found: Mapping[str, Any] = self._sagemaker.describe_model_package(ModelPackageName=arn)
        return found

    def waiting(self, group: str, since: datetime) -> list[str]:
        """The ARNs of a group's packages that were made since then and wait for approval."""
        pages = self._sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, ModelApprovalStatus=PENDING, PaginationConfig={"PageSize": 100}
        )
        found = (summary for page in pages for summary in page["ModelPackageSummaryList"])
        return [summary["ModelPackageArn"] for summary in found if summary["CreationTime"] >= since]

    def approve(self, arn: str, why: str) -> None:
        """Approve a package."""
        self._sagemaker.update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription=approval_description(why)
        )


class Reports:
    """evaluation.json files on S3."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def read(self, uri: str) -> bytes | None:
        """A report's content, or None when there is none at that place."""
        place = urlparse(uri)
        try:
            content: bytes = self._s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
        except (self._s3.exceptions.NoSuchKey, self._s3.exceptions.NoSuchBucket):
            return None
        return content
