# SPDX-License-Identifier: Apache-2.0
"""Autopilot jobs (AutoML V2, tabular data): what AWS checks of one. What it does is in `automl_run`."""

from __future__ import annotations

from typing import Any

from chalicelib.job_kinds import JOB_KINDS

from mlops.local.containers.autopilot import objectives
from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker import automl_candidates, automl_run, networks
from mlops.local.services.sagemaker.jobs import Run, job_type
from mlops.local.services.sagemaker.service import invalid
from mlops.local.state.store import Record

_CSV, _PARQUET = "text/csv;header=present", "x-application/vnd.amazon+parquet"
_NOT_HERE = ("AutoMLComputeConfig", "ModelDeployConfig")


@job_type
class AutoMLJob:
    kind = JOB_KINDS["AutoMLJob"]
    event = "AutoML Job"
    default_order = "Descending"
    messages: dict[str, str] = {}  # noqa: RUF012  its description has the current one only

    def check(self, request: dict[str, Any], caller: Caller) -> None:
        _check(request)
        networks.check(request.get("SecurityConfig", {}), request["RoleArn"], caller)

    def record(self, request: dict[str, Any]) -> Record:
        return {"AutoMLProblemTypeConfigName": "Tabular"}

    def run(self, run: Run) -> str | None:
        return automl_run.search(run)

    def ended(self, job: Record) -> None:
        automl_candidates.end_all(job)


def _check(request: dict[str, Any]) -> None:
    """What AWS checks beyond the members' shapes before it takes a job."""
    for member in _NOT_HERE:
        if member in request:
            raise invalid(f"The laptop account does not support {member}.")
    config: Record | None = request["AutoMLProblemTypeConfig"].get("TabularJobConfig")
    if config is None:
        kind = next(iter(request["AutoMLProblemTypeConfig"]), "no problem type")
        raise invalid(f"The laptop account runs Autopilot jobs with TabularJobConfig only, not with {kind}.")
    if "FeatureSpecificationS3Uri" in config:
        raise invalid("The laptop account does not support FeatureSpecificationS3Uri.")
    _check_objective(config.get("ProblemType"), request.get("AutoMLJobObjective", {}).get("MetricName"))
    _check_channels(request["AutoMLJobInputDataConfig"])
    _check_split(request)
    _check_mode(config)


def _check_objective(problem: str | None, objective: str | None) -> None:
    if bool(problem) != bool(objective):
        raise invalid("AutoMLJobObjective and ProblemType must be specified together: provide both, or none.")
    if problem and objective not in objectives.OF_PROBLEM[problem]:
        allowed = ", ".join(sorted(objectives.OF_PROBLEM[problem]))
        raise invalid(f"The objective metric {objective} is not supported for {problem}; use one of: {allowed}.")


def _check_channels(channels: list[Record]) -> None:
    kinds = [channel.get("ChannelType", "training") for channel in channels]
    if sorted(kinds) not in (["training"], ["training", "validation"]):
        raise invalid(
            "AutoMLJobInputDataConfig needs one channel of type training, and may have one of type validation."
        )
    if len({channel.get("ContentType", _CSV) for channel in channels}) > 1:
        raise invalid("The training and validation channels must have the same ContentType.")
    for channel in channels:
        content = channel.get("ContentType", _CSV)
        if content not in (_CSV, _PARQUET):
            raise invalid(f"The ContentType {content} is not supported for tabular data; use {_CSV} or {_PARQUET}.")
        if "DataSource" not in channel:
            raise invalid("Each channel of AutoMLJobInputDataConfig needs a DataSource.")
        kind = channel["DataSource"]["S3DataSource"]["S3DataType"]
        if kind == "AugmentedManifestFile":
            raise invalid("S3DataType AugmentedManifestFile is not supported for tabular data.")
        if kind != "S3Prefix" and channel.get("CompressionType", "None") != "None":
            raise invalid("CompressionType Gzip is supported for S3DataType S3Prefix only.")


def _check_split(request: Record) -> None:
    fraction = request.get("DataSplitConfig", {}).get("ValidationFraction")
    if fraction is None:
        return
    if not 0 < fraction < 1:
        raise invalid("ValidationFraction must be greater than 0 and less than 1.")
    if len(request["AutoMLJobInputDataConfig"]) > 1:
        raise invalid("ValidationFraction cannot be used together with a validation channel.")


def _check_mode(config: Record) -> None:
    mode = config.get("Mode", "AUTO")
    given = config.get("CandidateGenerationConfig", {}).get("AlgorithmsConfig", [])
    if given and mode == "AUTO":
        raise invalid("AlgorithmsConfig cannot be used with Mode AUTO.")
    for algorithm in given[0]["AutoMLAlgorithms"] if given else ():
        if algorithm not in automl_run.AWS_ALGORITHMS[mode]:
            allowed = ", ".join(automl_run.AWS_ALGORITHMS[mode])
            raise invalid(f"The algorithm {algorithm} is not supported in Mode {mode}; use: {allowed}.")
    if "SampleWeightAttributeName" in config and mode == "HYPERPARAMETER_TUNING":
        raise invalid("SampleWeightAttributeName is supported in Mode ENSEMBLING only.")
