"""The stacks of a project, in the order in which they are deployed, under cdk-nag's AwsSolutions rules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from stacks.control import ControlStack
from stacks.data import DataStack
from stacks.endpoint import EndpointStack
from stacks.github import GitHubStack
from stacks.project import Project
from stacks.serving import ServingStack
from stacks.training import TrainingStack


def new_app(flags: Mapping[str, Any], outdir: Path | None = None) -> cdk.App:
    """An app under cdk.json's feature flags, with nothing in it that differs from one synth to the next."""
    # No usage reports: the templates hold what the project needs and nothing else.
    app = cdk.App(context=dict(flags), outdir=str(outdir) if outdir else None, analytics_reporting=False)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def add_stacks(app: cdk.App, project: Project) -> None:
    """Adds `<prefix>-data`, -training, -endpoint, -serving and -control, and -github if it is configured.

    Raises ConfigError for what AWS would refuse.
    """
    data = DataStack(app, project)
    training = TrainingStack(app, project, data)
    endpoint = EndpointStack(app, project, data, training)
    serving = ServingStack(app, project, data)
    control = ControlStack(app, project, data, training, serving)
    # By name only, so CDK cannot know: serving calls the endpoint, control updates its stack and watches predict.
    serving.add_stack_dependency(endpoint)
    control.add_stack_dependency(serving)
    if project.config.github is not None:
        GitHubStack(app, project, project.config.github)
