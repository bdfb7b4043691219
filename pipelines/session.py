"""A SageMaker SDK session that only builds requests.

Out of the box the SDK looks for a region, credentials, configuration files and a default bucket, validates roles with IAM, and sends
telemetry. Each of these is switched off here by the switch that the SDK has for it; the client's credentials are good for nothing.
"""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

REGION = "us-east-1"  # of the placeholders; nothing of it reaches the definition
_VARIABLES = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "SAGEMAKER_VALIDATE_ROLE": "false",
    # The machine's own defaults (networks, tags, keys) must not get into the definition.
    "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": os.devnull,
    "SAGEMAKER_USER_CONFIG_OVERRIDE": os.devnull,
}
_CONFIGURATION = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}


@contextmanager
def offline_session() -> Iterator[Any]:
    """A PipelineSession without a way out. Environment variables and the SDK's chatter are as before when the block ends."""
    saved = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(_VARIABLES)
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), _configuration_checked_once():
            warnings.simplefilter("ignore")
            yield _session()
    finally:
        logging.disable(previous)
        for name, value in saved.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _configuration_checked_once() -> Iterator[None]:
    """The SDK checks its configuration against a JSON schema whenever it looks something up: some fifty times, for 3 s in all."""
    from sagemaker.core.config.config_manager import SageMakerConfig  # noqa: PLC0415 - as in _session

    check = SageMakerConfig.validate_sagemaker_config
    check(_CONFIGURATION)
    SageMakerConfig.validate_sagemaker_config = staticmethod(lambda *_: None)
    try:
        yield
    finally:
        SageMakerConfig.validate_sagemaker_config = staticmethod(check)


def _session() -> Any:
    # Imported here: the SDK needs a region when it is imported, and 3 s and 250 MB always.
    from sagemaker.core.workflow.pipeline_context import PipelineSession  # noqa: PLC0415 - see above

    class OfflineSession(PipelineSession):  # type: ignore[misc]  # the SDK ships no types
        def default_bucket(self) -> str:
            raise ValueError("the pipeline wants the SDK's default bucket: give every input and output its own S3 URI")

    return OfflineSession(
        boto_session=boto3.Session(aws_access_key_id="offline", aws_secret_access_key="offline", region_name=REGION),  # noqa: S106 - no secret
        sagemaker_config=_CONFIGURATION,
    )
