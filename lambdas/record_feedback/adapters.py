"""The data bucket, as record_feedback uses it."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from contracts.ground_truth import GroundTruth
from contracts.layout import FEEDBACK, REASON, ground_truth_key, quarantine_prefix
from contracts.refusal import Refusal
from lambdas.objects import Stored, read


class FeedbackBucket:
    """Files of labels, ground truth, and what could not be used."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self.name = bucket

    def read(self, key: str, version_id: str | None = None) -> Stored | None:
        """A file of labels, its newest version unless one is named; None when it is gone."""
        return read(self._s3, self.name, key, version_id)

    def uploaded(self, since: datetime, until: datetime) -> list[str]:
        """The keys of the files of labels that S3 took meanwhile, as they came."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=FEEDBACK)
        found = [each for page in pages for each in page.get("Contents", []) if since <= each["LastModified"] <= until]
        return [each["Key"] for each in sorted(found, key=lambda each: each["LastModified"])]

    def record(self, labels: Sequence[GroundTruth], collected: datetime, part: int = 0) -> bool:
        """Write labels as one file of ground truth. False when it is there: the same labels of the same time are the same file."""
        content = "".join(f"{label.to_line()}\n" for label in labels)
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        return self._put(ground_truth_key(collected, part, sha256), content, "application/jsonlines")

    def quarantine(self, file_name: str, refused_rows: str, refusal: Refusal) -> tuple[str, bool]:
        """Keep the rows that could not be used (CSV), and the reasons beside them, once. Gives the reasons' URI; whether they are new."""
        prefix = quarantine_prefix(FEEDBACK.rstrip("/"), refusal.sha256)
        self._put(prefix + file_name, refused_rows, "text/csv")
        is_new = self._put(prefix + REASON, refusal.model_dump_json(indent=2), "application/json")
        return f"s3://{self.name}/{prefix}{REASON}", is_new

    def _put(self, key: str, text: str, content_type: str) -> bool:
        """Write an object, unless it is there."""
        try:
            self._s3.put_object(Bucket=self.name, Key=key, Body=text.encode(), ContentType=content_type, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise
            return False
        return True
