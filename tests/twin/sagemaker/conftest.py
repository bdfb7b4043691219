"""A tiny model image, so that tests of the machinery are fast: its verbs do next to nothing, but as real processes."""

import io
import json
import tarfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from twin.server import TwinServer

TAG = "0" * 64
REPOSITORY = "cdk-hnb659fds-container-assets-123456789012-us-east-1"
IMAGE = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}:{TAG}"

PROGRAM = """
import json, os, pathlib, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = pathlib.Path(os.environ["ML_ROOT"])


def copy(source, target):
    for path in (ROOT / source).rglob("*"):
        if path.is_file():
            (ROOT / target).mkdir(parents=True, exist_ok=True)
            (ROOT / target / path.name).write_bytes(path.read_bytes())


def prepare():
    copy("processing/input", "processing/output")
    (ROOT / "processing/output/report.json").write_text(json.dumps({"metrics": {"auc": {"value": 0.9}}, "arguments": sys.argv[2:]}))


def watch():
    place = ROOT / "processing/output"
    names = ("start_time", "end_time", "dataset_source", "dataset_format", "baseline_statistics", "baseline_constraints", "output_path")
    names += ("sagemaker_endpoint_name", "sagemaker_monitoring_schedule_name", "problem_type", "inference_attribute", "OWN")
    files = sorted(path for path in (ROOT / "processing").rglob("*") if path.is_file())
    seen = {str(path.relative_to(ROOT)): path.read_text() for path in files}
    (place / "seen.json").write_text(json.dumps({"environment": {name: os.environ.get(name) for name in names}, "files": seen}))
    metrics = ROOT / "output/metrics/cloudwatch"
    metrics.mkdir(parents=True)
    dimensions = [{"Name": "Endpoint", "Value": os.environ["sagemaker_endpoint_name"]}]
    line = {"MetricName": "drift", "Timestamp": os.environ["end_time"], "Dimensions": dimensions, "Value": 1.0}
    (metrics / "m.jsonl").write_text(json.dumps(line) + "\\n")
    (ROOT / "output/message").write_text(os.environ.get("SAYS", ""))


def fail():
    (ROOT / "output/message").write_text("column y is missing")
    sys.exit(3)


def sleep():
    time.sleep(60)


def train():
    parameters = json.loads((ROOT / "input/config/hyperparameters.json").read_text())
    if parameters.get("fail"):
        (ROOT / "output/failure").write_text("no convergence")
        sys.exit(1)
    rows = (ROOT / "input/data/train/data.csv").read_text()
    print("auc=0.75;", flush=True)
    (ROOT / "model/model.json").write_text(json.dumps({"says": parameters.get("says", "one"), "rows": rows}))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def reply(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(200, b"")

    def batch(self, records):
        # One line a record: what it is, how many came with it, and what the job says. Some are troublemakers.
        words = [record.get("be") for record in records]
        if "bad" in words:
            return self.reply(400, b"row 1: be is wrong")
        if "dead" in words:
            os._exit(1)
        if "slow" in words:
            time.sleep(60)
        if "flaky" in words:
            seen = ROOT / "seen"
            seen.write_text((seen.read_text() if seen.exists() else "") + "x")
            if len(seen.read_text()) <= int(os.environ["FAILS"]):
                return self.reply(500, b"broken for a moment")
        told = records[1:] if "silent" in words else records
        variables = {name: value for name, value in os.environ.items() if name.startswith("SAGEMAKER_") and "PORT" not in name}
        said = {"of": len(records), "type": self.headers["Content-Type"], "accept": self.headers["Accept"], "variables": variables}
        self.reply(200, "".join(json.dumps(said | {"record": record}) + "\\n" for record in told).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "SAGEMAKER_BATCH" in os.environ:
            return self.batch([json.loads(line) for line in body.splitlines()])
        if os.environ.get("ANSWER") == "500" or body == b"500":
            return self.reply(500, b"broken inside")
        if body == b"400":
            return self.reply(400, b"field x is missing")
        if body == b"slow":
            time.sleep(1)
        said = json.loads((ROOT / "model/model.json").read_text())["says"]
        self.reply(200, json.dumps({"says": said, "pid": os.getpid(), "bytes": len(body), "accept": self.headers["Accept"]}).encode())

    def log_message(self, *_):
        pass


def serve():
    if "EXIT" in os.environ:
        sys.exit(1)
    ThreadingHTTPServer.daemon_threads = True
    print("serving", flush=True)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()


{"prepare": prepare, "watch": watch, "fail": fail, "sleep": sleep, "train": train, "serve": serve}[sys.argv[1]]()
"""


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    """A cloud assembly with one image asset."""
    folder = tmp_path / "cdk.out"
    build = folder / "asset.tiny"
    (build / "tiny").mkdir(parents=True)
    (build / "tiny" / "__main__.py").write_text(textwrap.dedent(PROGRAM))
    (build / "Dockerfile").write_text('FROM scratch\nENV GREETING="hello" PATH=/opt/bin:$PATH\nENTRYPOINT ["python", "-m", "tiny"]\n')
    destination = {"repositoryName": REPOSITORY.replace("123456789012-us-east-1", "${AWS::AccountId}-${AWS::Region}"), "imageTag": TAG}
    asset = {"source": {"directory": "asset.tiny"}, "destinations": {"current": destination}}
    (folder / "T.assets.json").write_text(json.dumps({"version": "1", "files": {}, "dockerImages": {TAG: asset}}))
    return folder


class Events(list[tuple[str, dict[str, Any], list[str]]]):
    """Stands in for the bus: what was published, in order."""

    def __call__(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
        self.append((detail_type, dict(detail), list(resources)))

    def details(self, detail_type: str) -> list[dict[str, Any]]:
        return [detail for kind, detail, _ in self if kind == detail_type]


class Account:
    """A twin with a role that may do everything, a bucket with data, and a model package group."""

    def __init__(self, twin: TwinServer) -> None:
        self.twin = twin
        self.cloud = twin.cloud
        self.events = Events()
        twin.cloud.publish = self.events
        self.sagemaker, self.s3 = (twin.cloud.client(name) for name in ("sagemaker", "s3"))
        self.runtime = twin.cloud.client("sagemaker-runtime")
        self.role = self.new_role("all", ["*"])
        self.s3.create_bucket(Bucket="data")
        self.s3.put_object(Bucket="data", Key="in/data.csv", Body=b"1,2\n")

    def new_role(self, name: str, actions: list[str]) -> str:
        """A role that SageMaker may assume, and that may do these actions on everything."""
        iam = self.cloud.client("iam")
        assume = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        trust = {"Version": "2012-10-17", "Statement": [assume]}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="it", PolicyDocument=json.dumps(policy))
        return str(arn)

    def training_job(self, **changes: Any) -> dict[str, Any]:
        return {
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "RoleArn": self.role,
            "InputDataConfig": [channel("train", "s3://data/in/")],
            "OutputDataConfig": {"S3OutputPath": "s3://data/models/"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        } | changes

    def processing_job(self, verb: str = "prepare", **changes: Any) -> dict[str, Any]:
        output = {"S3Uri": "s3://data/out/", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
        given = {"S3Uri": "s3://data/in/", "LocalPath": "/opt/ml/processing/input", "S3DataType": "S3Prefix", "S3InputMode": "File"}
        return {
            "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python", "-m", "tiny", verb]},
            "RoleArn": self.role,
            "ProcessingInputs": [{"InputName": "in", "S3Input": given}],
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": output}]},
            "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10}},
        } | changes

    def model(self, name: str, says: str, **environment: str) -> None:
        """A model whose server says something."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            content = json.dumps({"says": says}).encode()
            member = tarfile.TarInfo("model.json")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        self.s3.put_object(Bucket="data", Key=f"{name}.tar.gz", Body=buffer.getvalue())
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://data/{name}.tar.gz", "Environment": environment}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=self.role)

    def config(self, name: str, says: str, count: int = 1, **environment: str) -> str:
        """An endpoint configuration with one variant AllTraffic of a new model."""
        self.model(name, says, **environment)
        variant = {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": count, "InstanceType": "ml.m5.large"}
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        return name

    def endpoint(self, config: str) -> None:
        """An endpoint `e` in service."""
        self.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName=config)
        assert self.settled()["EndpointStatus"] == "InService"

    def settled(self, seconds: float = 30) -> dict[str, Any]:
        """The endpoint `e` when nothing moves any more."""
        found: dict[str, Any] = until(
            lambda: self.sagemaker.describe_endpoint(EndpointName="e"),
            lambda found: found["EndpointStatus"] not in {"Creating", "Updating", "RollingBack"},
            seconds,
        )
        return found

    def ask(self, body: bytes = b"x") -> dict[str, Any]:
        """What the endpoint `e` answers."""
        reply: dict[str, Any] = json.loads(self.runtime.invoke_endpoint(EndpointName="e", Body=body, ContentType="text/csv")["Body"].read())
        return reply


def channel(name: str, uri: str) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}},
    }


def until(read: Callable[[], Any], good: Callable[[Any], bool], seconds: float = 30) -> Any:
    """Read until it is good; fails with what was last read."""
    deadline = time.monotonic() + seconds
    while not good(found := read()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


@pytest.fixture
def account(twin: TwinServer) -> Iterator[Account]:
    yield Account(twin)
