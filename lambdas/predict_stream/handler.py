"""predict_stream: records of the input stream become predictions on the output stream and in S3, at least once and in order.

First everything is delivered, then Lambda is told how far the batch got; whoever dies in between does it again. Wrong records go to the
dead letters with their payload. When the endpoint does not answer, the batch is tried again from the first record that waits.
"""

import time
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from contracts.environment import PredictStreamEnvironment
from contracts.stream import DeadLetter
from lambdas import runtime
from lambdas.predict_stream.adapters import Bucket, DeadLetters, Endpoint, OutputStream
from lambdas.predict_stream.entries import calls
from lambdas.predict_stream.logic import Poison, Predicted, Record, Result, Waiting, predict, timestamp
from lambdas.predict_stream.parsing import as_record

SERVICE = "predict_stream"
# Three attempts of a slow endpoint end well before the function must; what is left is tried again by Lambda.
CLIENT = Config(retries={"total_max_attempts": 3, "mode": "standard"}, connect_timeout=2, read_timeout=20)
logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace=runtime.NAMESPACE, service=SERVICE)
processor = BatchProcessor(event_type=EventType.KinesisDataStreams, raise_on_entire_batch_failure=False)


class WaitingError(Exception):
    """A record cannot be answered now."""


@cache
def endpoint() -> Endpoint:
    """The endpoint, with its connections kept between invocations."""
    return Endpoint(boto3.client("sagemaker-runtime", config=CLIENT), runtime.environment(PredictStreamEnvironment).endpoint_name)


@logger.inject_lambda_context(clear_state=True, log_event=False)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Gives the sequence numbers of the records that wait (ReportBatchItemFailures)."""
    source, records = event["Records"][0]["eventSourceARN"], [as_record(each) for each in event["Records"]]
    results = list(predict(records, endpoint().ask))
    settled = {result.record.sequence_number for result in results if not isinstance(result, Waiting)}
    why = next((result.why for result in results if isinstance(result, Waiting)), "")
    _deliver(source, results)
    if why:
        logger.warning("records wait", count=len(records) - len(settled), why=why)
    metrics.add_metric("records_waiting", MetricUnit.Count, len(records) - len(settled))

    def report(record: KinesisStreamRecord) -> None:
        if record.kinesis.sequence_number not in settled:
            raise WaitingError(why)

    return process_partial_response(event=event, record_handler=report, processor=processor, context=context)


def _deliver(source: str, results: list[Result]) -> None:
    """Raises what the services raise: then the whole batch is done again."""
    environment = runtime.environment(PredictStreamEnvironment)
    predicted = [result for result in results if isinstance(result, Predicted)]
    poison = [result for result in results if isinstance(result, Poison)]
    bucket = Bucket(runtime.client("s3"), environment.data_bucket)
    output = OutputStream(runtime.client("kinesis"), environment.output_stream, time.sleep)
    for entries in calls(predicted):
        output.put(entries)
    if predicted:
        bucket.write(runtime.project().data.dataset, predicted)
    letters = DeadLetters(runtime.client("sqs"), environment.dead_letters, bucket)
    for each in poison:
        letters.send(_letter(source, each.record, each.reason))
        logger.warning("not answered", shard=each.record.shard, sequence_number=each.record.sequence_number, reason=each.reason)
    metrics.add_metric("records_predicted", MetricUnit.Count, len(predicted))
    metrics.add_metric("records_refused", MetricUnit.Count, len(poison))


def _letter(source: str, record: Record, reason: str) -> DeadLetter:
    return DeadLetter(
        reason=reason,
        stream=source,
        shard=record.shard,
        sequence_number=record.sequence_number,
        partition_key=record.partition_key,
        arrived=timestamp(record.arrived),
        data=record.data,
    )
