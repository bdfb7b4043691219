"""The pipeline's steps, written with the SageMaker SDK; imported only inside `offline_session`.

    Prepare -> Train -> Evaluate -> Gate -> Register
                                         -> Rejected (the execution fails, with the gate's reasons)

Whatever a run writes lies below its RunUri. Evaluate's outcome.json is a property file of texts, because the registry takes only text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sagemaker.core.drift_check_baselines import DriftCheckBaselines
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.network import NetworkConfig
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import (
    OutputDataConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    S3DataSource,
    StoppingCondition,
)
from sagemaker.core.workflow.conditions import ConditionEquals
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, Networking

from contracts import layout
from contracts.config import Config
from contracts.evaluation import Verdict
from contracts.instances import has_local_storage
from contracts.metadata import ModelMetadata
from contracts.network import Mode
from contracts.pipeline import LOST
from contracts.privacy import KEY_VARIABLE, secret_name
from pipelines import placeholders

VOLUME = 30  # GB
ISOLATED = frozenset({"Evaluate"})  # of the processing steps; Prepare reads objects by their versions itself
FOUND = ("artifact_sha256", "libraries", "score", "runtime", "runtime_difference")  # by evaluate; for the model package
RESPONSE_TYPES = ["application/json", "application/jsonlines", "text/csv"]
CONTENT_TYPES = [*RESPONSE_TYPES, "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"]


@dataclass(frozen=True)
class Steps:
    """Builds the steps. `parameters` are the pipeline's, by name; `session` is an offline session."""

    config: Config
    session: Any
    parameters: Mapping[str, Any]

    def all(self) -> list[Any]:
        """Every step, in order."""
        prepare = self.prepare()
        train = self.train(prepare)
        outcome = PropertyFile(name="Outcome", output_name=layout.EVALUATION_CHANNEL, path=layout.OUTCOME)
        evaluate = self.evaluate(prepare, train, outcome)
        return [prepare, train, evaluate, self.gate(evaluate, outcome)]

    def prepare(self) -> Any:
        """A dataset version becomes a training and a holdout table."""
        privacy = self.config.data.privacy
        return self._process(
            "Prepare",
            ["--dataset-version", self.parameters["DatasetVersion"], *self._prepare_arguments],
            inputs={layout.DATASET_CHANNEL: self.parameters["ManifestUri"]},
            outputs=[layout.TRAIN_CHANNEL, layout.HOLDOUT_CHANNEL],
            environment={KEY_VARIABLE: secret_name(self.config.prefix)} if privacy.hash else None,
        )

    def train(self, prepare: Any) -> Any:
        """The training table becomes a model."""
        training = self.config.training
        table = S3DataSource(
            s3_data_type="S3Prefix", s3_uri=_output(prepare, layout.TRAIN_CHANNEL), s3_data_distribution_type="FullyReplicated"
        )
        trainer = ModelTrainer(
            sagemaker_session=self.session,
            role=placeholders.JOB_ROLE_ARN,
            training_image=placeholders.IMAGE_URI,
            compute=Compute(
                instance_type=self.parameters["InstanceType"],
                instance_count=1,
                volume_size_in_gb=VOLUME,
                volume_kms_key_id=self._volume_key,
            ),
            stopping_condition=StoppingCondition(max_runtime_in_seconds=training.max_runtime_seconds),
            output_data_config=OutputDataConfig(s3_output_path=self._run_uri("model"), kms_key_id=placeholders.KMS_KEY_ARN),
            networking=self._training_network(),
            hyperparameters=self._hyperparameters,
            input_data_config=[InputData(channel_name=layout.TRAIN_CHANNEL, data_source=table)],
        )
        return TrainingStep("Train", step_args=trainer.train())

    def evaluate(self, prepare: Any, train: Any, outcome: PropertyFile) -> Any:
        """Model and champion are scored on the holdout, and the gate is asked."""
        return self._process(
            "Evaluate",
            ["--metric", str(self.config.metric), "--gate", self.config.training.gate.model_dump_json()],
            inputs={
                layout.MODEL_CHANNEL: train.properties.ModelArtifacts.S3ModelArtifacts,
                layout.HOLDOUT_CHANNEL: _output(prepare, layout.HOLDOUT_CHANNEL),
                layout.CHAMPION_CHANNEL: self._run_uri(layout.CHAMPION_CHANNEL),
            },
            outputs=[layout.EVALUATION_CHANNEL],
            property_files=[outcome],
        )

    def gate(self, evaluate: Any, outcome: PropertyFile) -> Any:
        """Register what passed; fail the execution otherwise, so that nobody mistakes it for a success."""

        def found(field: str) -> JsonGet:
            return JsonGet(step_name=evaluate.name, property_file=outcome, json_path=field)

        reasons = Join(on="", values=[LOST, found("reasons")])
        return ConditionStep(
            "Gate",
            conditions=[ConditionEquals(left=found("gate"), right=str(Verdict.PASSED))],
            if_steps=[self._register({name: found(name) for name in FOUND})],
            else_steps=[FailStep("Rejected", error_message=reasons)],
        )

    def _register(self, found: Mapping[str, Any]) -> Any:
        """The model package: artifact, what verifies it, where it came from, how good it is, and its baseline."""
        values = {
            "dataset_version": self.parameters["DatasetVersion"],
            "run": self.parameters["Run"],
            "git_commit": self.parameters["GitCommit"],
            "image": placeholders.IMAGE_URI,
            "seed": str(self.config.training.seed),
            "metric": str(self.config.metric),
            "dataset": self.config.data.dataset,
            "prepare": " ".join(self._prepare_arguments),
            "train": " ".join(f"{name}={value}" for name, value in self._hyperparameters.items()),
            **found,
        }
        builder = ModelBuilder(
            # Evaluate puts there what is to be registered: the challenger, or a model that was live before.
            s3_model_data_url=self._run_uri(layout.EVALUATION_CHANNEL, layout.MODEL_ARCHIVE),
            image_uri=placeholders.IMAGE_URI,
            role_arn=placeholders.JOB_ROLE_ARN,
            sagemaker_session=self.session,
            dependencies={},
            env_vars={layout.ARTIFACT_VARIABLE: found["artifact_sha256"]},
        )
        quality, statistics, constraints = (
            MetricsSource(content_type="application/json", s3_uri=self._run_uri(layout.EVALUATION_CHANNEL, name))
            for name in (layout.EVALUATION, layout.STATISTICS, layout.CONSTRAINTS)
        )
        arguments = builder.register(
            model_package_group_name=placeholders.MODEL_PACKAGE_GROUP,
            content_types=CONTENT_TYPES,
            response_types=RESPONSE_TYPES,
            inference_instances=[self.config.serving.instance_type],
            approval_status="PendingManualApproval",
            model_metrics=ModelMetrics(model_statistics=quality, model_data_statistics=statistics, model_data_constraints=constraints),
            drift_check_baselines=DriftCheckBaselines(model_data_statistics=statistics, model_data_constraints=constraints),
            customer_metadata_properties={str(field.alias): values[name] for name, field in ModelMetadata.model_fields.items()},
        )
        return ModelStep("Register", step_args=arguments)

    def _process(
        self,
        name: str,
        arguments: list[Any],
        inputs: Mapping[str, Any],
        outputs: list[str],
        property_files: list[PropertyFile] | None = None,
        environment: dict[str, str] | None = None,
    ) -> Any:
        """A processing job that runs the verb called like the step, its outputs below the run's folder."""
        processor = Processor(
            role=placeholders.JOB_ROLE_ARN,
            image_uri=placeholders.IMAGE_URI,
            entrypoint=["python", "-m", "training", name.lower()],
            instance_count=1,
            instance_type=self.parameters["InstanceType"],
            volume_size_in_gb=VOLUME,
            volume_kms_key=self._volume_key,
            output_kms_key=placeholders.KMS_KEY_ARN,
            max_runtime_in_seconds=self.config.training.max_runtime_seconds,
            network_config=self._network(isolated=name in ISOLATED),
            sagemaker_session=self.session,
            env=environment,
        )
        step_arguments = processor.run(
            arguments=arguments,
            inputs=[_input(channel, uri) for channel, uri in inputs.items()],
            outputs=[self._write(channel) for channel in outputs],
        )
        return ProcessingStep(name, step_args=step_arguments, property_files=property_files)

    def _network(self, *, isolated: bool) -> NetworkConfig | None:
        """In the VPC, if there is one. An isolated container reaches nothing and has no credentials; SageMaker moves its data."""
        if self.config.network.mode is not Mode.VPC:
            return None
        return NetworkConfig(
            enable_network_isolation=isolated,
            encrypt_inter_container_traffic=True,
            subnets=placeholders.subnets(self.config.network.zones),
            security_group_ids=[placeholders.SECURITY_GROUP],
        )

    def _training_network(self) -> Networking | None:
        """The same for the training job, which calls nobody."""
        if self.config.network.mode is not Mode.VPC:
            return None
        return Networking(
            enable_network_isolation=True,
            enable_inter_container_traffic_encryption=True,
            subnets=placeholders.subnets(self.config.network.zones),
            security_group_ids=[placeholders.SECURITY_GROUP],
        )

    @property
    def _prepare_arguments(self) -> list[str]:
        training, privacy = self.config.training, self.config.data.privacy
        arguments = ["--seed", str(training.seed), "--holdout", str(training.holdout), "--folds", str(training.folds)]
        return [*arguments, "--privacy", privacy.digest] if privacy.columns else arguments  # an argument has at most 256 characters

    @property
    def _hyperparameters(self) -> dict[str, str]:
        training = self.config.training
        return {
            "seed": str(training.seed),
            "folds": str(training.folds),
            "candidates": str(training.candidates),
            "metric": str(self.config.metric),
        }

    @property
    def _volume_key(self) -> str | None:
        return None if has_local_storage(self.config.training.instance_type) else placeholders.KMS_KEY_ARN

    def _write(self, channel: str) -> ProcessingOutput:
        folder = str(layout.PROCESSING_OUTPUT / channel)
        target = ProcessingS3Output(s3_uri=self._run_uri(channel), local_path=folder, s3_upload_mode="EndOfJob")
        return ProcessingOutput(output_name=channel, s3_output=target)

    def _run_uri(self, *parts: str) -> Join:
        """A place below the run's folder."""
        return Join(on="/", values=[self.parameters["RunUri"], *parts])


def _input(channel: str, uri: Any) -> ProcessingInput:
    folder: PurePosixPath = layout.PROCESSING_INPUT / channel
    source = ProcessingS3Input(s3_uri=uri, local_path=str(folder), s3_data_type="S3Prefix", s3_input_mode="File")
    return ProcessingInput(input_name=channel, s3_input=source)


def _output(step: Any, channel: str) -> Any:
    return step.properties.ProcessingOutputConfig.Outputs[channel].S3Output.S3Uri
