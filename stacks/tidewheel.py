"""The stacks of a project, in the order in which they are deployed, under cdk-nag's AwsSolutions rules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from contracts.network import Mode
from stacks.batch import BatchStack
from stacks.control import ControlStack
from stacks.data import DataStack
from stacks.endpoint import EndpointStack
from stacks.github import GitHubStack
from stacks.network import NetworkStack
from stacks.project import Project
from stacks.serving import ServingStack
from stacks.stream import StreamStack
from stacks.training import TrainingStack


def new_app(flags: Mapping[str, Any], outdir: Path | None = None) -> cdk.App:
    """An app under cdk.json's feature flags, with nothing in it that differs from one synth to the next.

    The context `cdk_nag: off` leaves its rules out, for whoever proves by other means what they look for (tide prove-iam).
    """
    # No usage reports: the templates hold what the project needs and nothing else.
    app = cdk.App(context=dict(flags), outdir=str(outdir) if outdir else None, analytics_reporting=False)
    if app.node.try_get_context("cdk_nag") != "off":
        cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def add_stacks(app: cdk.App, project: Project) -> None:
    """Adds `<prefix>-data`, -training, -endpoint, -serving and -control, and -network, -stream, -batch and -github if they are configured.

    Raises ConfigError for what AWS would refuse.
    """
    data = DataStack(app, project)
    network = NetworkStack(app, project, data) if project.config.network.mode is Mode.VPC else None
    training = TrainingStack(app, project, data)
    endpoint = EndpointStack(app, project, data, training)
    serving = ServingStack(app, project, data)
    control = ControlStack(app, project, data, training, serving)
    # By name only, so CDK cannot know: serving calls the endpoint, control updates its stack and watches predict.
    serving.add_stack_dependency(endpoint)
    control.add_stack_dependency(serving)
    if project.config.stream.enabled:
        StreamStack(app, project, data).add_stack_dependency(control)
    if project.config.batch.schedule is not None:
        BatchStack(app, project, data, training, project.config.batch.schedule).add_stack_dependency(control)
    if network is not None:
        for stack in (training, endpoint, serving):
            stack.add_stack_dependency(network)
    if project.config.github is not None:
        GitHubStack(app, project, project.config.github)
