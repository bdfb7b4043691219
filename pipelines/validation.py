"""Checks a pipeline definition against botocore's models of the requests that SageMaker will make from it. Pure.

Every step's arguments must fit its Create operation, with references counting as text; every reference must lead somewhere: to a declared
parameter, a property file of a step, or a property that the step's Describe operation answers with. Definition schema:
https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

# A step's type: the operation it makes, the name that SageMaker fills in, and the operation whose answer its properties are.
OPERATIONS = {
    "Processing": ("CreateProcessingJob", "ProcessingJobName", "DescribeProcessingJob"),
    "Training": ("CreateTrainingJob", "TrainingJobName", "DescribeTrainingJob"),
    "RegisterModel": ("CreateModelPackage", "ModelPackageName", "DescribeModelPackage"),
}
# https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-variables.html
EXECUTION = frozenset({"PipelineExecutionArn", "PipelineExecutionId", "PipelineName", "PipelineArn", "StartDateTime", "CurrentDateTime"})
FUNCTIONS = frozenset({"Get", "Std:Join", "Std:JsonGet"})
_PART = re.compile(r"\.?([A-Za-z0-9]+)|\['([^']+)'\]|\[(\d+)\]")


class InvalidDefinitionError(ValueError):
    """The definition would fail in SageMaker. `problems` lists everything, as `step: what is wrong`."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("the pipeline definition is not valid:\n" + "\n".join(f"  {problem}" for problem in problems))


def validate(definition: Mapping[str, Any]) -> None:
    """Raise InvalidDefinitionError with every problem."""
    listed = list(_walk(definition["Steps"]))
    steps = {step["Name"]: step for step in listed}
    parameters = {parameter["Name"] for parameter in definition.get("Parameters", [])}
    problems = [f"{name}: the name is used twice" for name in steps if sum(step["Name"] == name for step in listed) > 1]
    for name, step in steps.items():
        problems += [f"{name}: {problem}" for problem in (*_arguments(step), *_references(step, steps, parameters))]
    if problems:
        raise InvalidDefinitionError(problems)


def _walk(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every step, those inside conditions too."""
    for step in steps:
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            yield from _walk(step["Arguments"].get(branch, []))


def _arguments(step: Mapping[str, Any]) -> list[str]:
    kind = step["Type"]
    if kind == "Condition":
        return [] if step["Arguments"].get("Conditions") else ["has no condition"]
    if kind == "Fail":
        return [] if set(step["Arguments"]) == {"ErrorMessage"} else ["takes ErrorMessage and nothing else"]
    if kind not in OPERATIONS:
        return [f"step type {kind!r} is not one of {', '.join((*OPERATIONS, 'Condition', 'Fail'))}"]
    operation, filled_in, _ = OPERATIONS[kind]
    request = _flatten(step["Arguments"]) | {filled_in: "filled-in-by-sagemaker"}
    shape = _sagemaker().operation_model(operation).input_shape
    if shape is None:
        raise LookupError(f"botocore knows no request of {operation}")
    report: str = ParamValidator().validate(request, shape).generate_report()
    return report.splitlines()


def _flatten(value: Any) -> Any:
    """`value` with a text in the place of every reference and function."""
    if isinstance(value, Mapping):
        if len(value) == 1 and next(iter(value)) in FUNCTIONS:
            return "reference"
        return {key: _flatten(item) for key, item in value.items()}
    return [_flatten(item) for item in value] if isinstance(value, list) else value


def _references(step: Mapping[str, Any], steps: Mapping[str, Any], parameters: set[str]) -> list[str]:
    """What is wrong with the references in a step's own arguments; those of the steps inside it are looked at with those."""
    own = {key: value for key, value in step["Arguments"].items() if key not in {"IfSteps", "ElseSteps"}}
    problems = []
    for reference in _gets(own):
        scope, _, rest = reference.partition(".")
        if scope == "Parameters":
            wrong = None if rest in parameters else "there is no such parameter"
        elif scope == "Execution":
            wrong = None if rest in EXECUTION else "there is no such execution variable"
        elif scope == "Steps":
            wrong = _property(rest, steps)
        else:
            wrong = "a reference starts with Parameters, Execution or Steps"
        if wrong:
            problems.append(f"{reference}: {wrong}")
    return problems


def _gets(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if set(value) == {"Get"}:
            yield value["Get"]
        else:
            for item in value.values():
                yield from _gets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _gets(item)


def _property(reference: str, steps: Mapping[str, Any]) -> str | None:
    """What is wrong with `<step>.<path>`; None when it leads somewhere."""
    name, _, path = reference.partition(".")
    if name not in steps:
        return "there is no such step"
    step = steps[name]
    if path.startswith("PropertyFiles."):
        files = {file["PropertyFileName"]: file for file in step.get("PropertyFiles", [])}
        wanted = path.removeprefix("PropertyFiles.")
        if wanted not in files:
            return "the step declares no such property file"
        return None if files[wanted]["OutputName"] in _outputs(step) else "its property file is in an output that the step does not have"
    if step["Type"] not in OPERATIONS:
        return f"a {step['Type']} step has no properties"
    described = _sagemaker().operation_model(OPERATIONS[step["Type"]][2]).output_shape
    return "the step has no properties" if described is None else _follow(described, path, step)


def _follow(shape: Shape, path: str, step: Mapping[str, Any]) -> str | None:
    position = 0
    while position < len(path):
        match = _PART.match(path, position)
        if match is None:
            return f"{path[position:]!r} cannot be read"
        member, key, _ = match.groups()
        if isinstance(shape, StructureShape) and member in shape.members:
            shape = shape.members[member]
        elif isinstance(shape, ListShape) and member is None:
            # SageMaker lets a processing job's outputs be named by OutputName.
            if key is not None and key not in _outputs(step):
                return f"the step has no output {key!r}"
            shape = shape.member
        elif isinstance(shape, MapShape) and key is not None:
            shape = shape.value
        else:
            return f"{match.group()} is not in {shape.name}"
        position = match.end()
    return None if shape.type_name not in {"structure", "list", "map"} else f"it is a {shape.type_name}, not a value"


def _outputs(step: Mapping[str, Any]) -> set[str]:
    return {output["OutputName"] for output in step["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", [])}


@cache
def _sagemaker() -> ServiceModel:
    return botocore.session.Session().get_service_model("sagemaker")
