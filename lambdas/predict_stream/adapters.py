"""The endpoint, the output stream, the bucket and the dead letters, as predict_stream uses them."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's name

from contracts.layout import stream_key, unreadable_key
from contracts.stream import LONGEST_DEAD_LETTER, DeadLetter
from lambdas.predict_stream.entries import Entry
from lambdas.predict_stream.logic import Answered, Predicted, Refused, Request, Unavailable

# What the model server answers when a row is to blame; anything else may be better the next time.
OF_THE_ROWS = frozenset({400, 413, 422})
THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "ModelNotReadyException"})
# InvokeEndpoint answers ValidationError for an endpoint that is not there: no model is deployed yet.
NOT_DEPLOYED = "ValidationError"
ATTEMPTS = 8
FIRST_PAUSE_SECONDS = 0.1


class Endpoint:
    """One SageMaker endpoint. https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"""

    def __init__(self, runtime: Any, name: str) -> None:
        self._runtime = runtime
        self._name = name

    def ask(self, request: Request) -> Answered | Refused | Unavailable:
        """Raises ClientError for what time cannot mend, such as a missing permission."""
        try:
            reply = self._runtime.invoke_endpoint(
                EndpointName=self._name,
                Body=request.body,
                ContentType="application/json",
                Accept="application/json",
                InferenceId=request.inference_id,
            )
            return _read(reply["Body"].read())
        except ClientError as error:
            return _outcome(error)
        except (ConnectionError, HTTPClientError) as error:
            return Unavailable(type(error).__name__)


class OutputStream:
    """The stream of predictions."""

    def __init__(self, kinesis: Any, name: str, sleep: Callable[[float], None]) -> None:
        self._kinesis = kinesis
        self._name = name
        self._sleep = sleep

    def put(self, entries: Sequence[Entry]) -> None:
        """Put the entries of one call. Raises RuntimeError when the stream does not take all of them, whatever the pause between."""
        left, codes = list(entries), set[str]()
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            records = [{"Data": entry.data, "PartitionKey": entry.key} for entry in left]
            reply = self._kinesis.put_records(StreamName=self._name, Records=records)
            said = list(zip(left, reply["Records"], strict=True))
            left = [entry for entry, result in said if result.get("ErrorCode")]
            codes = {result["ErrorCode"] for _, result in said if result.get("ErrorCode")}
            if not left:
                return
        raise RuntimeError(f"{self._name} did not take {len(left)} of {len(entries)} records: {', '.join(sorted(codes))}")


class Bucket:
    """Predictions in S3, and records that are too long for a message. The same records again are the same object."""

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self._name = name

    def write(self, dataset: str, predicted: Sequence[Predicted]) -> None:
        """One file of JSON Lines."""
        first, last = predicted[0].record, predicted[-1].record
        key = stream_key(dataset, first.arrived, first.shard, first.sequence_number, last.sequence_number)
        self._put(key, b"".join(each.line() for each in predicted), "application/jsonlines")

    def keep(self, letter: DeadLetter) -> str:
        """A record as it came. Gives its URI."""
        return self._put(unreadable_key(letter.shard, letter.sequence_number), letter.data, "application/octet-stream")

    def _put(self, key: str, content: bytes, content_type: str) -> str:
        self._s3.put_object(Bucket=self._name, Key=key, Body=content, ContentType=content_type)
        return f"s3://{self._name}/{key}"


class DeadLetters:
    """The queue of records that can never be answered."""

    def __init__(self, sqs: Any, url: str, bucket: Bucket) -> None:
        self._sqs = sqs
        self._url = url
        self._bucket = bucket

    def send(self, letter: DeadLetter) -> None:
        """Send one, with its payload, or with where its payload is."""
        message = letter.message()
        if len(message) > LONGEST_DEAD_LETTER:
            message = letter.message(self._bucket.keep(letter))
        self._sqs.send_message(QueueUrl=self._url, MessageBody=message)


def _read(body: bytes) -> Answered | Unavailable:
    try:
        document = json.loads(body)
        return Answered([dict(prediction) for prediction in document["predictions"]], dict(document.get("model", {})))
    except (ValueError, KeyError, TypeError) as error:
        return Unavailable(f"the endpoint's answer has no predictions: {error!r}")


def _outcome(error: ClientError) -> Refused | Unavailable:
    reply: Mapping[str, Any] = error.response
    code = reply["Error"]["Code"]
    if code == "ModelError":
        status, message = int(reply.get("OriginalStatusCode", 500)), str(reply.get("OriginalMessage", ""))
        return Refused(_words(message)) if status in OF_THE_ROWS else Unavailable(f"the model server answered {status}")
    if code == NOT_DEPLOYED:
        return Unavailable("no model is deployed")
    if code in THROTTLED or reply.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return Unavailable(code)
    raise error


def _words(message: str) -> str:
    """What the model server's JSON error says, in one line."""
    try:
        error = json.loads(message)["error"]
        return "; ".join([error["message"], *error.get("problems", ())])
    except (ValueError, KeyError, TypeError):
        return message
