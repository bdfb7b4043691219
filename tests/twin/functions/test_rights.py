"""What Lambda does in the name of a function's role beside its code: logs, metrics in them, traces."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.functions.helpers import asset, make_role, policy
from twin.server import TwinServer

GROUP = "/aws/lambda/f"
METRIC = json.dumps(
    {
        "_aws": {"Timestamp": 0, "CloudWatchMetrics": [{"Namespace": "App", "Dimensions": [[]], "Metrics": [{"Name": "Rows"}]}]},
        "Rows": 1,
    }
)
SOURCE = f"import time\ndef handle(event, context):\n    print({METRIC!r}.replace('0', str(int(time.time() * 1000)), 1))\n    return 1\n"


def invoke(twin: TwinServer, *actions: str) -> Any:
    """What a function answers whose role may do this; it has a log group, and active tracing."""
    role = make_role(twin, f"r{len(actions)}", "lambda.amazonaws.com", document=policy((list(actions), "*")))
    client = twin.cloud.client("lambda")
    client.create_function(
        FunctionName="f",
        Code={"ZipFile": asset(SOURCE)},
        Runtime="python3.12",
        Handler="handler.handle",
        Role=role,
        TracingConfig={"Mode": "Active"},
    )
    reply = client.invoke(FunctionName="f", Payload=b"{}")
    return json.loads(reply["Payload"].read())


def lines(twin: TwinServer) -> list[str]:
    return [event["message"] for event in twin.cloud.client("logs").filter_log_events(logGroupName=GROUP)["events"]]


def measured(twin: TwinServer) -> bool:
    return bool(twin.cloud.client("cloudwatch").list_metrics(Namespace="App")["Metrics"])


def traces(twin: TwinServer) -> int:
    now = datetime.now(UTC)
    window = {"StartTime": now - timedelta(days=1), "EndTime": now + timedelta(days=1)}
    return len(twin.cloud.client("xray").get_trace_summaries(**window)["TraceSummaries"])


LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
TRACES = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")


@pytest.mark.parametrize(
    ("actions", "is_logged", "is_traced"),
    [
        ((*LOGS, *TRACES), True, True),
        ((LOGS[0], *TRACES), False, True),
        ((LOGS[1], *TRACES), False, True),
        ((*LOGS, TRACES[0]), True, False),
        ((*LOGS, TRACES[1]), True, False),
    ],
)
def test_a_function_runs_without_what_its_role_may_not_send(
    twin: TwinServer, actions: tuple[str, ...], is_logged: bool, is_traced: bool
) -> None:
    twin.cloud.client("logs").create_log_group(logGroupName=GROUP)
    assert invoke(twin, *actions) == 1
    assert bool(lines(twin)) == measured(twin) == is_logged
    assert bool(traces(twin)) == is_traced
    functions = twin.part("functions")
    assert 0 < functions.tracer.rests(functions.find("f").function_arn) <= 1
    assert METRIC[:6] in (twin.cloud.folder / "functions" / "f.log").read_text()  # the laptop's own copy is always there


def test_a_function_makes_its_log_group_only_where_there_is_none(twin: TwinServer) -> None:
    assert invoke(twin, *LOGS) == 1
    assert not twin.cloud.client("logs").describe_log_groups()["logGroups"]


def test_a_log_group_gets_only_a_key_that_cloudwatch_logs_may_use_for_it(twin: TwinServer) -> None:
    kms, logs = twin.cloud.client("kms"), twin.cloud.client("logs")

    def key(group: str) -> str:
        arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{group}"
        actions = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey", "kms:DescribeKey"]
        statement = {"Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"}, "Action": actions, "Resource": "*"}
        statement |= {"Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arn}}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        return str(kms.create_key(Policy=document)["KeyMetadata"]["Arn"])

    with pytest.raises(ClientError, match="not allowed to be used with") as caught:
        logs.create_log_group(logGroupName="mine", kmsKeyId=key("another"))
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
    logs.create_log_group(logGroupName="mine", kmsKeyId=key("mine"))
