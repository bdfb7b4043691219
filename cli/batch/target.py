"""Which version predicts a batch, what it takes, and the places and roles of the deployed app."""

from dataclasses import dataclass

from botocore.exceptions import ClientError
from pydantic import ValidationError

from cli.deploy import find_stack
from cli.observe import App, Version
from cli.release import APPROVED
from contracts.batch.rows import Hasher
from contracts.errors import StateError
from contracts.layout import EVALUATION_CHANNEL, run_prefix
from contracts.network import Mode
from contracts.privacy import hashed, secret_name
from contracts.signature import SIGNATURE, Signature


@dataclass(frozen=True)
class Target:
    """The version, its signature, and how a transform job of it is made."""

    version: Version
    signature: Signature
    bucket: str
    role: str
    key_arn: str
    subnets: str
    security_group: str


def find_target(app: App, number: int | None) -> Target:
    """The version of this number, or the live one. Raises StateError when there is none that may predict."""
    version = app.version(number) if number is not None else _live(app)
    if version.approval != APPROVED:
        step = "tide approve it first, or name another --version"
        raise StateError(f"version {version.number} is {version.approval}, and SageMaker runs approved versions only. Next: {step}")
    role = app.output("training", "BatchRoleArn")
    subnets, group = _place(app)
    return Target(
        version,
        read_signature(app, version),
        app.artifacts_bucket,
        role,
        app.output("data", "KeyArn"),
        subnets,
        group,
    )


def read_signature(app: App, version: Version) -> Signature:
    """What a version takes, as its run left it. Raises StateError for a version that this project's pipeline did not make."""
    if version.metadata is None:
        raise StateError(f"version {version.number} was not made by this project's pipeline, so what it takes is unknown")
    key = f"{run_prefix(version.metadata.run)}{EVALUATION_CHANNEL}/{SIGNATURE}"
    try:
        return Signature.model_validate_json(app.read(app.artifacts_bucket, key))
    except (ClientError, ValidationError) as error:
        raise StateError(
            f"the signature of version {version.number} cannot be read at s3://{app.artifacts_bucket}/{key}: {error}"
        ) from None


def find_hasher(app: App, columns: frozenset[str]) -> Hasher:
    """What stands for the values of hashed columns: the key is read only when there are any."""
    if not columns:
        return lambda _column, text: text
    secret = app.account.client("secretsmanager").get_secret_value(SecretId=secret_name(app.prefix))["SecretString"]
    key = str(secret).encode()
    return lambda column, text: hashed(key, column, text)


def _place(app: App) -> tuple[str, str]:
    """(subnets, separated by spaces; security group) of a model in a VPC, as the network stack exports them; nothing without one."""
    if app.project.config.network.mode is not Mode.VPC:
        return "", ""
    stack = find_stack(app.cloudformation, f"{app.prefix}-network")
    exports = {each["ExportName"]: each["OutputValue"] for each in (stack or {}).get("Outputs", []) if "ExportName" in each}
    try:
        zones = range(1, app.project.config.network.zones + 1)
        return " ".join(exports[f"{app.prefix}-subnet-{zone}"] for zone in zones), exports[f"{app.prefix}-workloads"]
    except KeyError as error:
        raise StateError(f"stack {app.prefix}-network exports no {error.args[0]}. Next: deploy it (cdk deploy --all)") from None


def _live(app: App) -> Version:
    endpoint = app.endpoint()
    if endpoint is None or endpoint.live is None:
        raise StateError("no model is live yet. Next: tide status, tide approve N, or name a version with --version N")
    return app.package(endpoint.live)
