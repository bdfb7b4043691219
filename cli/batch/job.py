"""A batch in an account: its model, its parts in S3, and transform jobs, until every part has its output or was asked for often enough."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from cli.batch.target import Target
from cli.observe import App
from contracts.batch import names
from contracts.batch.answers import Answer, read_answers, read_rows
from contracts.batch.parts import OUTPUT, Part, divide, to_divide
from contracts.errors import StateError

LIMIT = 24 * 3600.0
LOOK_EVERY = 1.0
UPLOADS = 3
"""Parts on their way at a time; more would only take memory."""

Show = Callable[[str], None]


@dataclass
class Batch:
    """One batch; `with` it ends in S3 without a trace: its model, its objects, and a job that still runs are gone."""

    app: App
    target: Target
    name: str
    parts: list[Part] = field(default_factory=list)
    pieces: dict[str, list[Part]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    jobs: list[str] = field(default_factory=list)
    reason: str = ""
    running: str | None = None
    _places: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> "Batch":
        target = self.target
        request = names.model_request(self.name, target.version.arn, target.role, target.subnets, target.security_group)
        self.app.sagemaker.create_model(**request)
        return self

    def __exit__(self, *_: object) -> None:
        if self.running is not None:
            self._stop(self.running)
        self.app.sagemaker.delete_model(ModelName=self.name)
        pages = self.app.s3.get_paginator("list_object_versions").paginate(Bucket=self.target.bucket, Prefix=names.folder(self.name))
        for page in pages:  # of at most 1,000, which DeleteObjects takes at once
            found = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in page.get("Versions", [])]
            if found:
                self.app.s3.delete_objects(Bucket=self.target.bucket, Delete={"Objects": found, "Quiet": True})

    def send(self, number: int, parts: Iterable[tuple[Part, bytes]]) -> list[Part]:
        """Put the parts of a round into S3, some at a time while the next ones are made."""
        sent, under_way, folder = list[Part](), deque[Future[Any]](), names.input_folder(self.name, number)
        with ThreadPoolExecutor(UPLOADS) as pool:
            for part, content in parts:
                if len(under_way) == UPLOADS:
                    under_way.popleft().result()
                under_way.append(pool.submit(self.app.s3.put_object, Bucket=self.target.bucket, Key=folder + part.file, Body=content))
                self._places[part.name] = number
                sent.append(part)
            for upload in under_way:
                upload.result()
        return sent

    def predict(self, show: Show) -> None:
        """Run rounds until no part is to be sent again. Raises StateError."""
        waiting, number = self.parts, 0
        while waiting:
            self._round(number, waiting, show)
            failed, waiting, number = to_divide(number, waiting, self.done), [], number + 1
            for part in failed:
                rows = [row for row, _ in read_rows(self._lines(self._input(part)))]
                self.pieces[part.name] = self.send(number, divide(part, rows))
                waiting += self.pieces[part.name]

    def answers(self, part: Part) -> Iterator[Answer | tuple[int, str]]:
        """A part's rows in order: an answer, or (row, id) of one that has none. Raises StateError when an output is not whole."""
        if part.output in self.done:
            yield from read_answers(part, self._lines(names.output_folder(self.name) + part.output))
        elif part.name in self.pieces:
            for piece in self.pieces[part.name]:
                yield from self.answers(piece)
        else:
            yield from ((row.row, name) for row, name in read_rows(self._lines(self._input(part))))

    def _round(self, number: int, waiting: list[Part], show: Show) -> None:
        target, sagemaker = self.target, self.app.sagemaker
        request = names.job_request(
            self.name,
            number,
            bucket=target.bucket,
            key_arn=target.key_arn,
            instance_type=self.app.project.config.batch.instance_type,
        )
        sagemaker.create_transform_job(**request)
        self.running = request["TransformJobName"]
        self.jobs.append(self.running)
        sizes = {part.output: part.rows for part in waiting}
        total, deadline = sum(sizes.values()), time.monotonic() + LIMIT
        while True:
            found = sagemaker.describe_transform_job(TransformJobName=self.running)
            self._look()
            rows = sum(sizes[output] for output in self.done & sizes.keys())
            show(f"{rows:,} of {total:,} rows{f', round {number + 1}' if number else ''}")
            if found["TransformJobStatus"] not in {"InProgress", "Stopping"}:
                break
            if time.monotonic() > deadline:
                raise StateError(f"transform job {self.running} did not end in {LIMIT / 3600:.0f} h. Next: divide the table")
            time.sleep(LOOK_EVERY)
        self.running = None
        if found["TransformJobStatus"] == "Stopped":
            raise StateError(f"transform job {found['TransformJobName']} was stopped. Next: run it again, it starts anew")
        self.reason = found.get("FailureReason", self.reason)

    def _look(self) -> None:
        outputs = self._objects(names.output_folder(self.name))
        self.done |= {found["Key"].rpartition("/")[2] for found in outputs if found["Key"].endswith(OUTPUT)}

    def _objects(self, prefix: str) -> Iterator[dict[str, Any]]:
        for page in self.app.s3.get_paginator("list_objects_v2").paginate(Bucket=self.target.bucket, Prefix=prefix):
            yield from page.get("Contents", [])

    def _input(self, part: Part) -> str:
        return names.input_folder(self.name, self._places[part.name]) + part.file

    def _lines(self, key: str) -> Iterator[bytes]:
        body = self.app.s3.get_object(Bucket=self.target.bucket, Key=key)["Body"]
        yield from (line for line in body.iter_lines(1 << 18) if line)

    def _stop(self, job: str) -> None:
        try:
            self.app.sagemaker.stop_transform_job(TransformJobName=job)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise  # else it has ended by itself
