"""The data bucket, as record_feedback uses it."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from contracts.ground_truth import GroundTruth
from contracts.layout import FEEDBACK, REASON, ground_truth_key, quarantine_prefix
from contracts.refusal import Refusal
from lambdas.objects import read_version


class FeedbackBucket:
    """Files of labels, ground truth, and what could not be used."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self.name = bucket

    def read(self, key: str, version_id: str) -> Iterator[bytes] | None:
        """A file of labels, chunk by chunk; None when it is gone since the event."""
        return read_version(self._s3, self.name, key, version_id)

    def record(self, labels: Sequence[GroundTruth], collected: datetime, part: int = 0) -> str:
        """Write labels as one file of ground truth; the same event's again are the same file. Gives its URI."""
        content = "".join(f"{label.to_line()}\n" for label in labels)
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        return self._put(ground_truth_key(collected, part, sha256), content, "application/jsonlines")

    def quarantine(self, file_name: str, refused_rows: str, refusal: Refusal) -> str:
        """Keep the rows that could not be used (CSV), and the reasons beside them. Gives the reasons' URI."""
        prefix = quarantine_prefix(FEEDBACK.rstrip("/"), refusal.sha256)
        self._put(prefix + file_name, refused_rows, "text/csv")
        return self._put(prefix + REASON, refusal.model_dump_json(indent=2), "application/json")

    def _put(self, key: str, text: str, content_type: str) -> str:
        self._s3.put_object(Bucket=self.name, Key=key, Body=text.encode(), ContentType=content_type)
        return f"s3://{self.name}/{key}"
