"""Kinesis streams on the twin's clock and in its metrics."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from twin.server import TwinServer


@pytest.mark.parametrize("speed", [0.0])
def test_records_come_and_go_on_the_twins_clock(twin: TwinServer) -> None:
    kinesis, clock = twin.cloud.client("kinesis"), twin.cloud.clock
    kinesis.create_stream(StreamName="tides", ShardCount=1)
    clock.advance(3600)
    came = clock.now()
    kinesis.put_record(StreamName="tides", Data=b"first", PartitionKey="a")
    clock.advance(23 * 3600)
    kinesis.put_record(StreamName="tides", Data=b"second", PartitionKey="a")

    def texts() -> list[bytes]:
        start = kinesis.get_shard_iterator(StreamName="tides", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
        return [record["Data"] for record in kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]]

    start = kinesis.get_shard_iterator(StreamName="tides", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
    arrived = kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"][0]["ApproximateArrivalTimestamp"]
    assert abs(arrived - came) < timedelta(seconds=1)
    assert texts() == [b"first", b"second"]
    clock.advance(2 * 3600)
    assert texts() == [b"second"]
    kinesis.increase_stream_retention_period(StreamName="tides", RetentionPeriodHours=48)
    assert texts() == [b"first", b"second"]

    span = {"StartTime": came - timedelta(hours=1), "EndTime": clock.now(), "Period": 3600, "Statistics": ["Sum"]}
    named = {"Namespace": "AWS/Kinesis", "MetricName": "IncomingRecords", "Dimensions": [{"Name": "StreamName", "Value": "tides"}]}
    points = twin.cloud.client("cloudwatch").get_metric_statistics(**named, **span)["Datapoints"]
    assert sum(point["Sum"] for point in points) == 2
    shard = "shardId-000000000000"
    with pytest.raises(ClientError, match="a change of a stream's shards"):
        kinesis.split_shard(StreamName="tides", ShardToSplit=shard, NewStartingHashKey="1000")
    with pytest.raises(ClientError, match="a change of a stream's shards"):
        kinesis.merge_shards(StreamName="tides", ShardToMerge=shard, AdjacentShardToMerge=shard)
