"""start_batch's view of S3 and SageMaker: tables, plans, parts and jobs."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from pydantic import ValidationError

from contracts.batch import names, schedule
from contracts.batch.parts import OUTPUT, Part
from contracts.batch.schedule import Plan
from contracts.errors import StateError
from contracts.layout import BATCH, EVALUATION_CHANNEL, run_prefix
from contracts.metadata import ModelMetadata
from contracts.signature import SIGNATURE, Signature
from lambdas.unknown import unless_unknown

# S3 tells nobody that an object is not there who may not list its bucket: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html.
_UNREADABLE = frozenset({"NoSuchKey", "AccessDenied"})
_MOST_AT_ONCE = 1000
_UPLOADS = 8  # of at most 8 MB
_CHUNK_BYTES = 1 << 18


class Table(NamedTuple):
    """An object version in batch/input/, and its bytes. `is_latest`: it was neither replaced nor deleted."""

    key: str
    version_id: str
    size: int
    is_latest: bool


class Store:
    """Both buckets."""

    def __init__(self, s3: Any, data: str, artifacts: str) -> None:
        self._s3, self.data, self.artifacts = s3, data, artifacts

    def tables(self) -> list[Table]:
        """Every version of a table that waits or waited, the oldest first."""
        found = [each for each in self._versions(self.data, schedule.INPUT) if not each["Key"].endswith("/")]
        found.sort(key=lambda each: (each["LastModified"], each["Key"]))
        return [Table(each["Key"], each["VersionId"], each["Size"], each["IsLatest"]) for each in found]

    def begun(self, prefix: str) -> set[str]:
        """The batches of which something is on its way; their names begin with `prefix`."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.artifacts, Prefix=f"{BATCH}{prefix}", Delimiter="/")
        return {each["Prefix"].split("/")[-2] for page in pages for each in page.get("CommonPrefixes", [])}

    def finished(self) -> set[str]:
        """The batches that have their summary."""
        keys = [each["Key"] for each in self._objects(self.data, schedule.OUTPUT)]
        return {key.split("/")[-2] for key in keys if key.endswith(f"/{schedule.SUMMARY}")}

    def download(self, table: Table, path: Path) -> None:
        """A table's file."""
        self._s3.download_file(self.data, table.key, str(path), ExtraArgs={"VersionId": table.version_id})

    def upload(self, bucket: str, key: str, path: Path) -> None:
        """A file."""
        self._s3.upload_file(str(path), bucket, key)

    def put(self, key: str, content: bytes) -> None:
        """An object of the artifacts bucket."""
        self._s3.put_object(Bucket=self.artifacts, Key=key, Body=content)

    def first(self, key: str, text: str) -> str:
        """This text, or what another invocation put there before. Raises StateError when that one cleared it meanwhile."""
        self._put_first(self.artifacts, key, text.encode())
        return self.read(key).decode()

    def finish(self, batch: str, content: bytes) -> bool:
        """The summary, which says that everything else is there. False when another invocation's is."""
        return self._put_first(self.data, schedule.result_key(batch, schedule.SUMMARY), content)

    def plans(self, batch: str) -> tuple[Plan, ...]:
        """The plans of a batch's rounds so far. Raises StateError when one is gone."""
        keys = {each["Key"] for each in self._objects(self.artifacts, f"{names.folder(batch)}plan-")}
        wanted = (schedule.plan_key(batch, number) for number in range(len(keys)))
        return tuple(Plan.model_validate_json(self.read(key)) for key in wanted)

    def write_plan(self, batch: str, number: int, plan: Plan) -> None:
        """The first one counts: another invocation may be at the same table."""
        self._put_first(self.artifacts, schedule.plan_key(batch, number), plan.model_dump_json().encode())

    def send(self, batch: str, number: int, parts: Iterable[tuple[Part, bytes]]) -> tuple[Part, ...]:
        """Put a round's parts where its job looks for them, some at a time: there may be thousands, and a function has 15 minutes."""
        sent, under_way = list[Part](), deque[Future[None]]()
        with ThreadPoolExecutor(_UPLOADS) as pool:
            for part, content in parts:
                if len(under_way) == _UPLOADS:
                    under_way.popleft().result()
                under_way.append(pool.submit(self.put, names.input_folder(batch, number) + part.file, content))
                sent.append(part)
            for upload in under_way:
                upload.result()
        return tuple(sent)

    def outputs(self, batch: str) -> set[str]:
        """The names of the outputs so far."""
        keys = (each["Key"] for each in self._objects(self.artifacts, names.output_folder(batch)))
        return {key.rpartition("/")[2] for key in keys if key.endswith(OUTPUT)}

    def read(self, key: str) -> bytes:
        """An object of the artifacts bucket. Raises StateError when it is gone."""
        content: bytes = self._body(key).read()
        return content

    def lines(self, key: str) -> Iterator[bytes]:
        """Its lines. Raises StateError when it is gone."""
        yield from (line for line in self._body(key).iter_lines(_CHUNK_BYTES) if line)

    def chunks(self, key: str) -> Iterator[bytes]:
        """Its bytes. Raises StateError when it is gone."""
        yield from self._body(key).iter_chunks(_CHUNK_BYTES)

    def clear(self, batch: str) -> None:
        """Delete what was on its way, with its versions."""
        found = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in self._versions(self.artifacts, names.folder(batch))]
        for start in range(0, len(found), _MOST_AT_ONCE):
            self._s3.delete_objects(Bucket=self.artifacts, Delete={"Objects": found[start : start + _MOST_AT_ONCE], "Quiet": True})

    def _body(self, key: str) -> Any:
        try:
            return self._s3.get_object(Bucket=self.artifacts, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in _UNREADABLE:
                raise
        raise StateError(f"s3://{self.artifacts}/{key} cannot be read any more. Next: put the table there again")

    def _put_first(self, bucket: str, key: str, content: bytes) -> bool:
        """False when it is there already: of several invocations the first one counts.

        While it is being deleted S3 says neither, but to ask again: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        """
        while True:
            try:
                self._s3.put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*")
            except ClientError as error:
                if error.response["Error"]["Code"] == "PreconditionFailed":
                    return False
                if error.response["Error"]["Code"] != "ConditionalRequestConflict":
                    raise
            else:
                return True

    def _objects(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from page.get("Contents", [])

    def _versions(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            yield from page.get("Versions", [])


class SageMaker:
    """Packages, the batch's model, and its jobs."""

    def __init__(self, sagemaker: Any, store: Store) -> None:
        self._sagemaker, self._store = sagemaker, store

    def signature(self, package: str) -> Signature:
        """What a version takes. Raises StateError for one that is gone, or whose run left no signature, such as somebody else's."""
        found = self._package(package)
        try:
            run = ModelMetadata.from_properties(found.get("CustomerMetadataProperties", {})).run
            return Signature.model_validate_json(self._store.read(f"{run_prefix(run)}{EVALUATION_CHANNEL}/{SIGNATURE}"))
        except ValidationError:
            problem = "is not as this project's pipeline writes it"
        except StateError:
            problem = "cannot be read"
        raise StateError(f"what {package} takes {problem}. Next: approve a version that this project's pipeline made")

    def start(self, model: dict[str, Any], job: dict[str, Any]) -> None:
        """Start a job, after its model was made; what another invocation did is done. Raises StateError when its package is gone."""
        self._make(model)
        try:
            self._sagemaker.create_transform_job(**job)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUse":
                raise

    def job(self, name: str) -> tuple[str, str] | None:
        """(status, why it failed) of a job; None before it was started."""
        found = unless_unknown(self._sagemaker.describe_transform_job, TransformJobName=name)
        return None if found is None else (found["TransformJobStatus"], found.get("FailureReason", ""))

    def forget(self, model: str) -> None:
        """Delete a batch's model, if it is there."""
        unless_unknown(self._sagemaker.delete_model, ModelName=model)

    def _make(self, model: dict[str, Any]) -> None:
        if self._has(model["ModelName"]):
            return
        for container in model["Containers"]:
            self._package(container["ModelPackageName"])
        try:
            self._sagemaker.create_model(**model)
        except ClientError:
            if not self._has(model["ModelName"]):
                raise  # else another invocation was faster

    def _has(self, model: str) -> bool:
        return unless_unknown(self._sagemaker.describe_model, ModelName=model) is not None

    def _package(self, arn: str) -> dict[str, Any]:
        found = unless_unknown(self._sagemaker.describe_model_package, ModelPackageName=arn)
        if found is None:
            raise StateError(f"{arn} is gone. Next: approve another version, and put the table there again")
        return found
