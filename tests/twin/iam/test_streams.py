"""Kinesis and event source mappings under IAM: by stream, by the key of an encrypted one, and by the function of a mapping."""

import json

from tests.twin.functions.helpers import asset, make_role, policy
from tests.twin.iam.test_gate import BASE, Role, refused, role
from twin.server import TwinServer

__all__ = ["role"]

STREAM = f"arn:aws:kinesis:{BASE}:stream/tides"
FUNCTION = f"arn:aws:lambda:{BASE}:function:reader"


def test_records_take_rights_on_the_stream_and_on_its_key(role: Role, twin: TwinServer) -> None:
    key = twin.cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    twin.cloud.client("kinesis").create_stream(StreamName="tides", ShardCount=1)
    kinesis = role.client("kinesis")
    encrypt = {"StreamName": "tides", "EncryptionType": "KMS", "KeyId": key}
    role.may(("kinesis:StartStreamEncryption", STREAM))
    assert refused(kinesis.start_stream_encryption, **encrypt) == ("kinesis:StartStreamEncryption", key)
    role.may(("kinesis:StartStreamEncryption", [STREAM, key]))
    assert refused(kinesis.start_stream_encryption, **encrypt) == ("kms:DescribeKey", key)
    role.may(("kinesis:StartStreamEncryption", [STREAM, key]), ("kms:DescribeKey", key))
    kinesis.start_stream_encryption(**encrypt)

    records = {"StreamName": "tides", "Records": [{"Data": b"1", "PartitionKey": "a"}]}
    assert refused(kinesis.put_records, **records) == ("kinesis:PutRecords", STREAM)
    role.may(("kinesis:PutRecords", STREAM))
    assert refused(kinesis.put_records, **records) == ("kms:GenerateDataKey", key)
    role.may(("kinesis:PutRecords", STREAM), ("kms:GenerateDataKey", key))
    kinesis.put_records(**records)

    by_arn = {"StreamARN": STREAM, "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    assert refused(kinesis.get_shard_iterator, **by_arn) == ("kinesis:GetShardIterator", STREAM)
    by_name = {"StreamName": "tides", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    iterator = twin.cloud.client("kinesis").get_shard_iterator(**by_name)["ShardIterator"]
    assert refused(kinesis.get_records, ShardIterator=iterator) == ("kinesis:GetRecords", STREAM)
    role.may(("kinesis:GetRecords", STREAM))
    assert refused(kinesis.get_records, ShardIterator=iterator) == ("kms:Decrypt", key)
    role.may(("kinesis:GetRecords", STREAM), ("kms:Decrypt", key))
    assert len(kinesis.get_records(ShardIterator=iterator)["Records"]) == 1
    assert refused(kinesis.list_streams) == ("kinesis:ListStreams", "*")


def test_mappings_are_held_to_their_function(role: Role, twin: TwinServer) -> None:
    twin.cloud.client("kinesis").create_stream(StreamName="tides", ShardCount=1)
    reader = make_role(twin, "reader", "lambda.amazonaws.com", document=policy(("kinesis:*", STREAM)))
    code = {"ZipFile": asset("def handle(event, context): pass")}
    twin.cloud.client("lambda").create_function(
        FunctionName="reader", Code=code, Runtime="python3.12", Handler="handler.handle", Role=reader
    )
    functions = role.client("lambda")
    mapping = {"EventSourceArn": STREAM, "FunctionName": "reader", "StartingPosition": "LATEST"}
    verbs = [f"lambda:{verb}EventSourceMapping" for verb in ("Create", "Get", "Update", "Delete")]

    def held(function: str) -> None:
        only = {"ArnLike": {"lambda:FunctionArn": function}}
        role.may(document=json.dumps({"Statement": [{"Effect": "Allow", "Action": verbs, "Resource": "*", "Condition": only}]}))

    held(f"arn:aws:lambda:{BASE}:function:other*")
    assert refused(functions.create_event_source_mapping, **mapping) == ("lambda:CreateEventSourceMapping", "*")
    held(f"arn:aws:lambda:{BASE}:function:read*")
    identity = functions.create_event_source_mapping(**mapping)["UUID"]
    held(f"arn:aws:lambda:{BASE}:function:other*")
    own = f"arn:aws:lambda:{BASE}:event-source-mapping:{identity}"
    assert refused(functions.get_event_source_mapping, UUID=identity) == ("lambda:GetEventSourceMapping", own)
    assert refused(functions.delete_event_source_mapping, UUID=identity) == ("lambda:DeleteEventSourceMapping", own)
    held(FUNCTION)
    functions.update_event_source_mapping(UUID=identity, BatchSize=5)
    functions.delete_event_source_mapping(UUID=identity)
