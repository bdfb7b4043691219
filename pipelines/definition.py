"""get_pipeline: a project's configuration -> its pipeline definition, as SageMaker's UpdatePipeline takes it.

Built with the SageMaker SDK, without network or credentials, and checked (validation.py) before it is returned: neither CloudFormation nor
cdk looks inside a definition, and SageMaker itself only finds a wrong request when a run reaches it.
"""

import json
from typing import Any

from contracts.config import Config
from contracts.pipeline import RunParameters
from pipelines.session import offline_session
from pipelines.validation import validate

INSTANCE_TYPE = "InstanceType"


def get_pipeline(config: Config) -> dict[str, Any]:
    """The definition, with the literals of placeholders.py where CloudFormation has names. The same configuration gives the same bytes."""
    with offline_session() as session:
        # Imported here, inside the session: the SDK reads the environment when it is imported.
        from sagemaker.core.workflow.parameters import ParameterString  # noqa: PLC0415 - see above
        from sagemaker.mlops.workflow.pipeline import Pipeline  # noqa: PLC0415 - see above

        from pipelines.steps import Steps  # noqa: PLC0415 - see above

        # What a run must say has no default: a start without it is refused.
        names = [str(field.alias) for field in RunParameters.model_fields.values()]
        parameters = {name: ParameterString(name) for name in names}
        parameters[INSTANCE_TYPE] = ParameterString(INSTANCE_TYPE, default_value=config.training.instance_type)
        steps = Steps(config, session, parameters).all()
        pipeline = Pipeline(
            config.prefix,
            parameters=list(parameters.values()),
            pipeline_experiment_config=None,  # else SageMaker keeps an experiment beside the registry, and the role must be allowed to
            steps=steps,
            sagemaker_session=session,
        )
        definition: dict[str, Any] = json.loads(pipeline.definition())
    validate(definition)
    return definition
