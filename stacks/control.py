"""The control stack: the functions that turn the loop, what wakes them, and where their failures go.

S3 Object Created, uploads/                 -> ingest_dataset
S3 Object Created, datasets/*/manifest.json;
alarms on windows; collect and monitoring
jobs and runs that ended; every hour        -> start_training
the end of each window                      -> start_monitoring
model package, pending approval;
every 15 minutes                            -> approve_model
model package, any state; Endpoint stack;
endpoint; its deployments; every 15 minutes -> reconcile_endpoint
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from contracts.config import MonitoringBackend
from contracts.environment import (
    ApproveModelEnvironment,
    Environment,
    IngestDatasetEnvironment,
    ReconcileEndpointEnvironment,
    StartMonitoringEnvironment,
    StartTrainingEnvironment,
)
from contracts.events import DetailType
from contracts.layout import DATASETS, MANIFEST, UPLOADS
from stacks.constructs.alerts import Alerts, DeadLetters
from stacks.constructs.dashboard import dashboard
from stacks.constructs.deployment_role import deployment_role
from stacks.constructs.function import ProjectFunction
from stacks.constructs.function_policies import FunctionPolicies
from stacks.constructs.monitoring import tell_of_failed_windows, window_alarms, window_ends
from stacks.constructs.placement import placement
from stacks.constructs.refusals import refused_alarm
from stacks.constructs.triggers import Tick, Trigger
from stacks.data import DataStack
from stacks.names import Arns, collect_jobs, function_name, monitor_jobs, rollback_alarm_names, stack_name, window_alarm_names
from stacks.project import Project
from stacks.serving import FUNCTIONS as SERVING_FUNCTIONS
from stacks.serving import ServingStack
from stacks.training import TrainingStack

FUNCTIONS = ("ingest_dataset", "start_training", "start_monitoring", "approve_model", "reconcile_endpoint")


class ControlStack(cdk.Stack):
    """Five functions with a role each, their rules and schedules, the dead letters, the alerts, and the deployment role."""

    def __init__(self, scope: Construct, project: Project, data: DataStack, training: TrainingStack, serving: ServingStack) -> None:
        super().__init__(scope, stack_name(project, "control"), description=f"Tidewheel {project.prefix}: the functions that turn the loop")
        self._project, self._data = project, data
        where = placement(project)
        self._where = where.variables if where else {}
        self._dead_letters = DeadLetters(self, data.key)
        self._policies = FunctionPolicies(self, project, data)
        self._deployment_role = deployment_role(
            self, project, model_role=training.model_role, monitor_role=training.monitor_role, key_arn=data.key.key_arn
        )
        self._ingest_dataset()
        self._start_training(training)
        self._start_monitoring(training)
        self._approve_model()
        self._reconcile_endpoint()
        names = [function_name(project, function) for function in (*FUNCTIONS, *SERVING_FUNCTIONS)]
        dead_letters = {"dead-letters": self._dead_letters, "feedback-dead-letters": serving.dead_letters}
        alerts = Alerts(self, project, data.key, dead_letters, names)
        window_alarms(self, project, alerts.topic)
        refused_alarm(self, project, alerts.topic)
        tell_of_failed_windows(self, project, alerts.topic, self._dead_letters, training.monitor_role.role_arn)
        dashboard(self, project, names)
        cdk.CfnOutput(self, "AlertsTopicArn", value=alerts.topic.topic_arn)
        cdk.CfnOutput(self, "DeadLettersUrl", value=self._dead_letters.queue_url)

    def _ingest_dataset(self) -> None:
        environment = IngestDatasetEnvironment(data_bucket=self._data.data_bucket.bucket_name, ledger_table=self._data.ledger.table_name)
        function = self._function(
            "ingest_dataset",
            environment,
            self._policies.ingest_dataset(),
            timeout_seconds=900,
            memory_megabytes=2048,
            disk_megabytes=3072,  # Parquet is read from its end, so a file of the largest size must lie there
            reads_parquet=True,
        )
        self._on_object("upload-created", {"prefix": UPLOADS}, function)

    def _start_training(self, training: TrainingStack) -> None:
        project, data = self._project, self._data
        environment = StartTrainingEnvironment(
            data_bucket=data.data_bucket.bucket_name,
            artifacts_bucket=data.artifacts_bucket.bucket_name,
            ledger_table=data.ledger.table_name,
            pipeline_name=project.prefix,
            model_package_group=project.prefix,
            endpoint_name=project.prefix,
            git_commit=project.git_commit,
            image_uri=training.image_uri,
            collect_role_arn=training.collect_role.role_arn,
            key_arn=data.key.key_arn,
            **self._where,
        )
        statements = self._policies.start_training(training.collect_role.role_arn)
        function = self._function("start_training", environment, statements, timeout_seconds=300)
        self._on_object("manifest-created", {"wildcard": f"{DATASETS}*/{MANIFEST}"}, function)
        self._on_retraining(function)

    def _on_retraining(self, function: ProjectFunction) -> None:
        """What may ask for training, or end it. Both directions of an alarm: one that was lost is made good by the other."""
        project, arns = self._project, Arns(self, self._project)
        alarms = {"alarmName": window_alarm_names(project)}
        self._trigger("window-alarm", "aws.cloudwatch", DetailType.ALARM, alarms, function)
        names = [{"prefix": pattern.rstrip("*")} for pattern in (collect_jobs(project), monitor_jobs(project))]
        jobs = {"ProcessingJobName": names, "ProcessingJobStatus": ["Completed", "Failed", "Stopped"]}
        self._on_sagemaker("job-ended", DetailType.PROCESSING_JOB, jobs, function)
        runs = {"pipelineArn": [arns.pipeline], "currentPipelineExecutionStatus": ["Succeeded", "Failed", "Stopped"]}
        self._on_sagemaker("run-ended", DetailType.PIPELINE_EXECUTION, runs, function)
        self._tick(
            "RetrainingTick", "retraining", "cron(20 * * * ? *)", "Looks at alarms and retraining again, whatever event was lost", function
        )

    def _start_monitoring(self, training: TrainingStack) -> None:
        project, data, monitoring = self._project, self._data, self._project.config.monitoring
        environment = StartMonitoringEnvironment(
            data_bucket=data.data_bucket.bucket_name,
            artifacts_bucket=data.artifacts_bucket.bucket_name,
            endpoint_name=project.prefix,
            image_uri=training.image_uri,
            job_role_arn=training.monitor_role.role_arn,
            key_arn=data.key.key_arn,
            **self._where,
        )
        statements = self._policies.start_monitoring(training.monitor_role.role_arn)
        function = self._function("start_monitoring", environment, statements)
        if monitoring.backend is MonitoringBackend.PROCESSING_JOB and monitoring.capture_percent:
            self._tick("WindowTick", "window", window_ends(monitoring.window_hours), "A window of traffic has ended", function)

    def _approve_model(self) -> None:
        environment = ApproveModelEnvironment(ledger_table=self._data.ledger.table_name, model_package_group=self._project.prefix)
        function = self._function("approve_model", environment, self._policies.approve_model())
        waiting = {"ModelApprovalStatus": ["PendingManualApproval"], "ModelPackageStatus": ["Completed"]}
        self._on_sagemaker("model-registered", DetailType.MODEL_PACKAGE, self._in_group | waiting, function)
        self._tick(
            "ApprovalTick", "approval", "rate(15 minutes)", "Looks again at what waits for approval, whatever event was lost", function
        )

    def _reconcile_endpoint(self) -> None:
        project = self._project
        environment = ReconcileEndpointEnvironment(
            ledger_table=self._data.ledger.table_name,
            model_package_group=project.prefix,
            endpoint_name=project.prefix,
            endpoint_stack=stack_name(project, "endpoint"),
            deployment_role_arn=self._deployment_role.role_arn,
            rollback_alarms=" ".join(rollback_alarm_names(project)),
        )
        statements = self._policies.reconcile_endpoint(self._deployment_role.role_arn)
        function = self._function("reconcile_endpoint", environment, statements, timeout_seconds=120)
        endpoint = {"EndpointName": [project.prefix]}
        self._on_sagemaker("model-changed", DetailType.MODEL_PACKAGE, self._in_group, function)
        self._on_sagemaker("endpoint-changed", DetailType.ENDPOINT, endpoint, function)
        self._on_sagemaker("deployment-changed", DetailType.ENDPOINT_DEPLOYMENT, endpoint, function)
        stack = {"stack-id": [{"prefix": f"{Arns(self, project).endpoint_stack}/"}]}
        self._trigger("stack-changed", "aws.cloudformation", DetailType.STACK, stack, function)
        ended = {"alarmName": rollback_alarm_names(project), "state": {"value": ["OK"]}}
        self._trigger("rollback-alarm-ended", "aws.cloudwatch", DetailType.ALARM, ended, function)
        self._tick("Tick", "tick", "rate(15 minutes)", "Looks again, whatever event was lost", function)

    def _tick(self, id: str, name: str, expression: str, why: str, function: ProjectFunction) -> None:  # noqa: A002 - CDK's name
        Tick(
            self,
            id,
            name=f"{self._project.prefix}-{name}",
            expression=expression,
            why=why,
            function=function.function,
            dead_letters=self._dead_letters,
            key=self._data.key,
        )

    @property
    def _in_group(self) -> dict[str, list[str]]:
        return {"ModelPackageGroupName": [self._project.prefix]}

    def _on_object(self, name: str, key: dict[str, str], function: ProjectFunction) -> None:
        detail = {"bucket": {"name": [self._data.data_bucket.bucket_name]}, "object": {"key": [key]}}
        self._trigger(name, "aws.s3", DetailType.OBJECT_CREATED, detail, function)

    def _on_sagemaker(self, name: str, detail_type: DetailType, detail: dict[str, Any], function: ProjectFunction) -> None:
        self._trigger(name, "aws.sagemaker", detail_type, detail, function)

    def _trigger(self, name: str, source: str, detail_type: DetailType, detail: dict[str, Any], function: ProjectFunction) -> None:
        Trigger(
            self,
            self._project.prefix,
            name,
            source=source,
            detail_type=detail_type,
            detail=detail,
            function=function.function,
            dead_letters=self._dead_letters,
        )

    def _function(
        self,
        name: str,
        environment: Environment,
        statements: list[iam.PolicyStatement],
        **more: Any,
    ) -> ProjectFunction:
        return ProjectFunction(
            self,
            self._project,
            name,
            environment=environment,
            statements=statements,
            key=self._data.key,
            dead_letters=self._dead_letters,
            **more,
        )
