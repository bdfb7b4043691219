"""Functions through the Lambda API: they run, under their own role, as on AWS."""

import base64
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.twin.functions.helpers import PANDAS, POWERTOOLS, asset, make_role, policy
from twin.iam import AccessDenied
from twin.server import TwinServer

Make = Callable[..., str]
ECHO = "def handle(event, context):\n    return event\n"


def invoke(twin: TwinServer, payload: Any = None, **settings: Any) -> tuple[Any, str | None]:
    reply = twin.cloud.client("lambda").invoke(FunctionName="f", Payload=json.dumps(payload).encode(), **settings)
    return json.loads(reply["Payload"].read()), reply.get("FunctionError")


def test_runs_the_code_under_the_functions_role_and_sees_nothing_of_the_laptop(twin: TwinServer, function: Make) -> None:
    os.environ["SECRET_OF_THE_LAPTOP"] = "secret"
    function(
        "import os, boto3\n"
        "def handle(event, context):\n"
        "    who = boto3.client('sts').get_caller_identity()['Arn']\n"
        "    left, arn = context.get_remaining_time_in_millis(), context.invoked_function_arn\n"
        "    return {'who': who, 'env': dict(os.environ), 'left': left, 'arn': arn}\n",
        Environment={"Variables": {"COLOUR": "blue"}},
    )
    result, error = invoke(twin)
    assert error is None
    assert result["who"] == "arn:aws:sts::123456789012:assumed-role/function/f"
    assert result["env"]["COLOUR"] == "blue"
    assert result["env"]["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert "SECRET_OF_THE_LAPTOP" not in result["env"]
    assert 8000 < result["left"] <= 10000
    assert result["arn"].endswith(":function:f")


def test_keeps_the_worker_warm_and_replaces_it_after_an_update(twin: TwinServer, function: Make) -> None:
    function("import os\nn = 0\ndef handle(event, context):\n    global n\n    n += 1\n    return [os.getpid(), n]\n")
    (first, one), (second, two) = invoke(twin)[0], invoke(twin)[0]
    assert (first, one, two) == (second, 1, 2)
    twin.cloud.client("lambda").update_function_code(FunctionName="f", ZipFile=asset("def handle(event, context):\n    return 'new'\n"))
    assert invoke(twin)[0] == "new"
    twin.cloud.client("lambda").update_function_configuration(FunctionName="f", Environment={"Variables": {"COLOUR": "red"}})
    assert invoke(twin)[0] == "new"


def test_an_exception_has_lambdas_shape(twin: TwinServer, function: Make) -> None:
    function("def handle(event, context):\n    raise KeyError('missing')\n")
    result, error = invoke(twin)
    assert error == "Unhandled"
    assert (result["errorType"], result["errorMessage"]) == ("KeyError", "'missing'")
    assert "handler.py" in result["stackTrace"][0]


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("import pandas\n" + ECHO, "Runtime.ImportModuleError", "No module named 'pandas'"),
        ("import twin\n" + ECHO, "Runtime.ImportModuleError", "No module named 'twin'"),
        ("def other(): pass\n", "Runtime.HandlerNotFound", "Handler 'handle' missing"),
        ("def handle(event, context):\n    return {1, 2}\n", "Runtime.MarshalError", "not JSON serializable"),
        ("import os\ndef handle(event, context):\n    os._exit(3)\n", "Runtime.ExitError", "exit status 3"),
        ("import time\ndef handle(event, context):\n    time.sleep(30)\n", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
    ],
)
def test_a_broken_function_says_what_lambda_says(twin: TwinServer, function: Make, source: str, kind: str, message: str) -> None:
    function(source, Timeout=1)
    for _ in range(2):  # the second request has a worker of its own again
        result, error = invoke(twin)
        assert error == "Unhandled"
        assert result["errorType"] == kind
        assert message in result["errorMessage"]


@pytest.mark.parametrize(("packages", "layer"), [("pydantic, aws_lambda_powertools", POWERTOOLS), ("pyarrow.parquet", PANDAS)])
def test_a_layer_is_there_only_when_it_is_asked_for(twin: TwinServer, function: Make, packages: str, layer: str) -> None:
    source = f"import {packages}\n{ECHO}"
    function(source, name="bare", Layers=[each for each in (POWERTOOLS, PANDAS) if each != layer])
    function(source, Layers=[POWERTOOLS, PANDAS])
    assert invoke(twin, {"a": 1}) == ({"a": 1}, None)
    reply = twin.cloud.client("lambda").invoke(FunctionName="bare")
    assert f"No module named '{packages[:7]}" in reply["Payload"].read().decode()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"Layers": ["arn:aws:lambda:us-east-1:1:layer:numpy:1"]}, "layer:numpy"),
        ({"Runtime": "nodejs22.x"}, "nodejs22.x"),
    ],
)
def test_refuses_by_name_what_it_cannot_run(function: Make, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ClientError, match=named):
        function(ECHO, **settings)


def test_runs_requests_at_the_same_time(twin: TwinServer, function: Make) -> None:
    function("import time, os\ndef handle(event, context):\n    time.sleep(0.4)\n    return os.getpid()\n")
    with ThreadPoolExecutor(4) as pool:
        pids = set(pool.map(lambda _: invoke(twin)[0], range(4)))
    assert len(pids) == 4


def test_reserved_concurrency_throttles(twin: TwinServer, function: Make) -> None:
    function(ECHO)
    twin.cloud.client("lambda").put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        invoke(twin)


def test_output_is_in_the_log_group_and_in_the_tail(twin: TwinServer, function: Make) -> None:
    function("def handle(event, context):\n    print('seen', event)\n", LoggingConfig={"LogGroup": "/custom/group"})
    reply = twin.cloud.client("lambda").invoke(FunctionName="f", Payload=b"7", LogType="Tail")
    assert base64.b64decode(reply["LogResult"]).decode() == "seen 7"
    events = twin.cloud.client("logs").filter_log_events(logGroupName="/custom/group")["events"]
    assert [event["message"] for event in events] == ["seen 7"]
    assert "seen 7" in (twin.cloud.folder / "functions" / "f.log").read_text()


def test_embedded_metrics_and_lambdas_own_are_measured(twin: TwinServer, function: Make) -> None:
    measured: list[tuple[str, str, dict[str, str], float]] = []
    twin.cloud.measure = lambda namespace, name, dimensions, value, **_: measured.append((namespace, name, dict(dimensions), value))
    line = json.dumps(
        {
            "_aws": {
                "Timestamp": int(time.time() * 1000),
                "CloudWatchMetrics": [{"Namespace": "App", "Dimensions": [["service"]], "Metrics": [{"Name": "Rows", "Unit": "Count"}]}],
            },
            "service": "ingest",
            "Rows": [3, 4],
        }
    )
    function(f"def handle(event, context):\n    print({line!r})\n    return 1\n")
    invoke(twin)
    assert ("App", "Rows", {"service": "ingest"}, 3.0) in measured
    assert ("App", "Rows", {"service": "ingest"}, 4.0) in measured
    assert ("AWS/Lambda", "Errors", {"FunctionName": "f"}, 0.0) in measured


def test_a_service_needs_the_functions_permission(twin: TwinServer, function: Make) -> None:
    arn = function(ECHO)
    source = "arn:aws:events:us-east-1:123456789012:rule/mine"
    with pytest.raises(AccessDenied, match=r"events.amazonaws.com is not authorized to perform: lambda:InvokeFunction"):
        twin.cloud.invoke(arn, b"{}", "events.amazonaws.com", source)
    twin.cloud.client("lambda").add_permission(
        FunctionName="f",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=source,
        SourceAccount="123456789012",
    )
    assert twin.cloud.invoke(arn, b'{"a": 1}', "events.amazonaws.com", source) == (b'{"a": 1}', None)
    with pytest.raises(AccessDenied):
        twin.cloud.invoke(arn, b"{}", "events.amazonaws.com", source + "-other")
    with pytest.raises(AccessDenied):
        twin.cloud.invoke(arn, b"{}", "s3.amazonaws.com", source)
    with pytest.raises(KeyError):
        twin.cloud.invoke(arn + "-missing", b"{}", "events.amazonaws.com", source)


def queue_of(twin: TwinServer, name: str) -> tuple[str, str]:
    sqs = twin.cloud.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


@pytest.mark.parametrize("speed", [0.0])
def test_a_failing_event_is_tried_three_times_then_sent_on_under_the_functions_role(twin: TwinServer) -> None:
    url, arn = queue_of(twin, "failed")
    dead_url, dead_arn = queue_of(twin, "dead")
    role = make_role(twin, "sender", "lambda.amazonaws.com", document=policy(("sqs:SendMessage", [arn, dead_arn])))
    client = twin.cloud.client("lambda")
    source = "def handle(event, context):\n    print('attempt')\n    raise ValueError('no')\n"
    client.create_function(
        FunctionName="f",
        Runtime="python3.12",
        Handler="handler.handle",
        Role=role,
        Code={"ZipFile": asset(source)},
        DeadLetterConfig={"TargetArn": dead_arn},
    )
    client.put_function_event_invoke_config(FunctionName="f", DestinationConfig={"OnFailure": {"Destination": arn}})
    reply = client.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"a": 1}')
    assert reply["StatusCode"] == 202
    log = twin.cloud.folder / "functions" / "f.log"

    def attempts() -> int:
        return log.read_text().count("attempt") if log.exists() else 0

    wait_for(lambda: attempts() == 1)
    twin.cloud.clock.advance(59)
    time.sleep(0.3)
    assert attempts() == 1

    def later(look: Callable[[], object]) -> Callable[[], object]:
        """Looks while time passes: a pause begins a moment after its attempt was written down."""

        def moved() -> object:
            twin.cloud.clock.advance(2)
            return look()

        return moved

    wait_for(later(lambda: attempts() == 2))
    wait_for(later(lambda: twin.part("functions").failures))
    assert attempts() == 3
    sqs = twin.cloud.client("sqs")
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    record = json.loads(message["Body"])
    assert record["requestPayload"] == {"a": 1}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorMessage"] == "no"
    [dead] = wait_for(lambda: sqs.receive_message(QueueUrl=dead_url, MessageAttributeNames=["All"]).get("Messages"))
    assert dead["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no"


@pytest.mark.parametrize("speed", [0.0])
def test_the_event_invoke_config_of_the_latest_put_counts(twin: TwinServer, function: Make) -> None:
    function("def handle(event, context):\n    raise ValueError('no')\n")
    client = twin.cloud.client("lambda")
    client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=2)
    client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    assert client.get_function_event_invoke_config(FunctionName="f")["MaximumRetryAttempts"] == 0
    client.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")
    [failure] = wait_for(lambda: twin.part("functions").failures)
    assert failure.reason == "RetriesExhausted"


def test_a_killed_worker_fails_its_request_and_the_next_one_works(twin: TwinServer, function: Make) -> None:
    function("import time\ndef handle(event, context):\n    time.sleep(event)\n    return 'done'\n")
    assert invoke(twin, 0)[0] == "done"
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(invoke, twin, 5)
        time.sleep(0.2)
        assert twin.part("functions").pool("f").kill()
        result, error = slow.result(5)
    assert (result["errorType"], error) == ("Runtime.ExitError", "Unhandled")
    assert invoke(twin, 0)[0] == "done"


def test_event_source_mappings_are_refused_by_name(twin: TwinServer, function: Make) -> None:
    function(ECHO)
    with pytest.raises(ClientError, match="event source mappings"):
        twin.cloud.client("lambda").create_event_source_mapping(FunctionName="f", EventSourceArn="arn:aws:sqs:us-east-1:123456789012:q")


def test_a_bucket_notification_needs_the_functions_permission(twin: TwinServer, function: Make) -> None:
    arn = function("def handle(event, context):\n    print('KEY', event['Records'][0]['s3']['object']['key'])\n")
    s3 = twin.cloud.client("s3")
    s3.create_bucket(Bucket="data")
    configuration = {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="data", NotificationConfiguration=configuration)
    s3.put_object(Bucket="data", Key="denied", Body=b"x")
    [failure] = wait_for(lambda: twin.part("functions").failures)
    assert "s3.amazonaws.com is not authorized" in failure.reason
    twin.cloud.client("lambda").add_permission(
        FunctionName="f", StatementId="s", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::data"
    )
    s3.put_object(Bucket="data", Key="allowed", Body=b"x")
    log = twin.cloud.folder / "functions" / "f.log"
    assert "KEY allowed" in wait_for(lambda: log.exists() and log.read_text())


def test_no_worker_outlives_the_twin(twin: TwinServer, function: Make) -> None:
    function("import os\ndef handle(event, context):\n    return os.getpid()\n")
    pid = invoke(twin)[0]
    twin.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_moto_drops_is_kept(twin: TwinServer, function: Make) -> None:
    _, arn = queue_of(twin, "dead")
    function(ECHO, DeadLetterConfig={"TargetArn": arn}, LoggingConfig={"LogFormat": "JSON", "LogGroup": "/g"}, Layers=[POWERTOOLS])
    found = twin.cloud.client("lambda").get_function_configuration(FunctionName="f")
    assert found["DeadLetterConfig"] == {"TargetArn": arn}
    assert found["LoggingConfig"]["LogGroup"] == "/g"
    assert found["Layers"][0]["Arn"] == POWERTOOLS
    twin.cloud.client("lambda").update_function_configuration(
        FunctionName="f", DeadLetterConfig={"TargetArn": arn + "2"}, TracingConfig={"Mode": "Active"}, EphemeralStorage={"Size": 1024}
    )
    found = twin.cloud.client("lambda").get_function_configuration(FunctionName="f")
    assert found["DeadLetterConfig"] == {"TargetArn": arn + "2"}
    assert found["TracingConfig"] == {"Mode": "Active"}
    assert found["EphemeralStorage"] == {"Size": 1024}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"Timeout": 901}, "less than or equal to 900"),
        ({"Environment": {"Variables": {"CONFIG": "x" * 4090}}}, "4KB limit"),
        ({"Environment": {"Variables": {"AWS_REGION": "eu-west-1"}}}, "reserved keys .*AWS_REGION"),
    ],
)
def test_settings_beyond_lambdas_quotas_are_refused(twin: TwinServer, function: Make, settings: dict[str, Any], message: str) -> None:
    function(ECHO)
    with pytest.raises(ClientError, match=message) as caught:
        twin.cloud.client("lambda").update_function_configuration(FunctionName="f", **settings)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_payloads_beyond_lambdas_quotas_are_refused(twin: TwinServer, function: Make) -> None:
    function("def handle(event, context):\n    return 'x' * event\n")
    client = twin.cloud.client("lambda")
    with pytest.raises(ClientError, match="smaller than 6291456 bytes") as caught:
        client.invoke(FunctionName="f", Payload=b" " * (6 * 1024 * 1024) + b"1")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    with pytest.raises(ClientError, match="smaller than 1048576 bytes"):
        client.invoke(FunctionName="f", Payload=b" " * (1024 * 1024) + b"1", InvocationType="Event")
    result, error = invoke(twin, 6 * 1024 * 1024)
    assert (result["errorType"], error) == ("Function.ResponseSizeTooLarge", "Unhandled")
    assert invoke(twin, 10) == ("x" * 10, None)
