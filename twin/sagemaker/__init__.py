"""SageMaker: pipelines, jobs, the registry and endpoints that really run.

    api.py, context.py              operations as functions; what the parts share
    definition.py, steps.py,        a stored pipeline definition, checked and executed
    execution.py, pipelines.py
    jobs.py, training.py,           containers as processes, with SageMaker's folders and S3 transfers
    processing.py, storage.py
    transform.py,                   batch transform: a model server, and what is in S3 sent to it
    transform_run.py,
    transform_records.py
    job_definitions.py,             Model Monitor: schedules and their executions
    monitoring.py, merge.py,
    monitoring_runs.py
    registry.py, lineage.py         model packages and their events; artifacts of S3 URIs and their associations
    models.py, endpoints.py,        models; endpoints as fleets of model servers
    fleet.py, endpoint_views.py
    rollout.py, alarmwatch.py       blue/green deployments and their alarms
    invoke.py, capture.py           the traffic, and what is captured of it
    rights.py, joblogs.py,          what happens in the name of an execution role
    utilisation.py
    scaling.py                      targets and policies of Application Auto Scaling

SageMaker operations that are not in these tables are moto's, which only keep records;
those that would pretend to run something are refused.
"""

from moto.sagemaker.responses import SageMakerResponse

from twin import patches
from twin.cloud import Cloud
from twin.images import Images
from twin.sagemaker import api, invoke, scaling
from twin.sagemaker.context import Context, Tags
from twin.sagemaker.endpoints import Endpoints
from twin.sagemaker.job_definitions import JobDefinitions
from twin.sagemaker.jobs import Jobs
from twin.sagemaker.lineage import Lineage
from twin.sagemaker.models import Models
from twin.sagemaker.monitoring import Schedules
from twin.sagemaker.monitoring_runs import MonitoringRuns
from twin.sagemaker.pipelines import Pipelines
from twin.sagemaker.processing import ProcessingJobs
from twin.sagemaker.registry import Registry
from twin.sagemaker.training import TrainingJobs
from twin.sagemaker.transform import TransformJobs

NOT_RUN = (
    "create_auto_ml_job_v2",
    "create_cluster",
    "create_compilation_job",
    "create_hyper_parameter_tuning_job",
    "create_notebook_instance",
)
"""What moto would call done at once, without doing it."""


class SageMaker:
    """The part."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        context = Context(cloud, Images(cloud.assembly, cloud.folder / "images", cloud.account, cloud.region))
        self.jobs = Jobs(context)
        self.training = TrainingJobs(context, self.jobs)
        self.processing = ProcessingJobs(context, self.jobs)
        self.registry = Registry(context)
        self.models = Models(context, self.registry)
        self.transform = TransformJobs(context, self.models)
        self.endpoints = Endpoints(context, self.models)
        self.pipelines = Pipelines(context)
        self.definitions = JobDefinitions(context, self.endpoints)
        runs = MonitoringRuns(context, self.endpoints, self.models, self.processing)
        self.schedules = Schedules(context, self.definitions, runs, self.processing)
        self.lineage = Lineage(context, self.processing)
        self.tags = Tags(context)

    def patch(self) -> None:
        """Put the operations behind moto's door."""
        why = "moto's SageMaker completes jobs, executions and endpoints at once, runs nothing and sends no events"
        replaced: dict[str, api.Operation] = self.tags.operations() | self.models.replaced()
        added: dict[str, api.Operation] = {}
        for part in (self.training, self.processing, self.transform, self.registry, self.endpoints, self.pipelines, self.definitions):
            replaced |= part.replaced()
        for adding in (self.training, self.transform, self.registry, self.endpoints, self.pipelines, self.schedules, self.lineage):
            added |= adding.added()
        replaced |= dict.fromkeys(NOT_RUN, _refuse)
        patches.apply(*api.patches(SageMakerResponse, why, replaced=replaced, added=added), *scaling.patches(self.cloud))

    @property
    def is_busy(self) -> bool:
        """A job, a run or an endpoint is on its way, and will get there without anybody's help."""
        return any(part.is_busy for part in (self.jobs, self.transform, self.pipelines, self.endpoints))

    def stop(self) -> None:
        """End every execution, job and model server."""
        self.schedules.close()
        self.pipelines.close()
        self.jobs.close()
        self.transform.close()
        self.endpoints.close()


def _refuse(_request: api.Request) -> api.Reply:
    raise NotImplementedError("the twin would have to run it, and does not")


def install(cloud: Cloud) -> SageMaker:
    """Put the twin's SageMaker behind moto's door."""
    part = SageMaker(cloud)
    part.patch()
    invoke.install(cloud, part.endpoints)
    part.schedules.start()
    return part
