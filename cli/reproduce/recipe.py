"""What has to be done again, from the model package alone: its metadata name the run, and the run's definition what its jobs were told.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribePipelineDefinitionForExecution.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.observe import App
from contracts.errors import StateError
from contracts.layout import manifest_key


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the model's bytes. `libraries`: name -> version, python among them."""

    commit: str
    manifest: bytes
    prepare: tuple[str, ...]
    hyperparameters: Mapping[str, str]
    environment: Mapping[str, str]
    libraries: Mapping[str, str]
    archive: str


def recipe_of(app: App, number: int) -> Recipe:
    """Read a version's recipe. Raises StateError when a part of it is gone, or it was not made here.

    A model that was live before and registered again, as it was, is made as it was made the first time.
    """
    version = app.version(number)
    package = app.sagemaker.describe_model_package(ModelPackageName=version.arn)
    evaluation = app.evaluation(package)
    if evaluation is not None and evaluation.former is not None:
        return recipe_of(app, int(evaluation.former.rpartition("/")[2]))
    if version.metadata is None:
        raise StateError(f"version {number} was not registered by this project's pipeline, so nobody knows how it was made")
    metadata = version.metadata
    steps, values = _definition(app, metadata.run, number)
    key = manifest_key(app.project.config.data.dataset, metadata.dataset_version)
    prepare = steps["Prepare"]["Arguments"]
    return Recipe(
        commit=metadata.git_commit,
        manifest=app.read(app.data_bucket, key),
        prepare=tuple(str(filled(part, values)) for part in prepare["AppSpecification"]["ContainerArguments"]),
        hyperparameters={name: str(filled(value, values)) for name, value in steps["Train"]["Arguments"]["HyperParameters"].items()},
        environment={name: str(filled(value, values)) for name, value in (prepare.get("Environment") or {}).items()},
        libraries=dict(part.split("=", 1) for part in metadata.libraries.split()),
        archive=package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"],
    )


def filled(value: Any, values: Mapping[str, str]) -> Any:
    """A parameter's value in place of {"Get": "Parameters.Name"}. Raises StateError for another reference."""
    if not isinstance(value, Mapping):
        return value
    name = str(value.get("Get", "")).removeprefix("Parameters.")
    if name not in values:
        raise StateError(f"the run's definition holds {json.dumps(value)}, which is known only while it runs")
    return values[name]


def _definition(app: App, run: str, number: int) -> tuple[dict[str, Any], dict[str, str]]:
    """(the run's steps by name, its parameters)."""
    execution = next((each for each in app.executions() if each.name == run), None)
    if execution is None:
        raise StateError(f"the run {run} that made version {number} is not among the pipeline's runs any more, so its settings are gone")
    definition = json.loads(
        app.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=execution.arn)["PipelineDefinition"]
    )
    pages = app.sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(PipelineExecutionArn=execution.arn)
    given = {each["Name"]: each["Value"] for page in pages for each in page["PipelineParameters"]}
    defaults = {each["Name"]: each["DefaultValue"] for each in definition.get("Parameters", []) if "DefaultValue" in each}
    return {step["Name"]: step for step in definition["Steps"]}, defaults | given
