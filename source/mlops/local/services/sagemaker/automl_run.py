# SPDX-License-Identifier: Apache-2.0
"""What an Autopilot job does: data come in, a process tries candidates, their models and its notebooks go out.

The process tells its progress in a file, which becomes the job's statuses and candidates while it works. All of S3 is
reached with the job's role.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from chalicelib.job_kinds import JOB_KINDS

from mlops.local.containers import autopilot
from mlops.local.containers.autopilot import modes
from mlops.local.kit.errors import ApiError
from mlops.local.services.sagemaker import archives, automl_candidates, storage
from mlops.local.services.sagemaker.jobs import JobFailed, JobStopped, Run
from mlops.local.services.sagemaker.logs import LogStream
from mlops.local.settings import TIMING
from mlops.local.state.store import Record

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOG_GROUP = JOB_KINDS["AutoMLJob"].log_group
_DAYS_30 = 30 * 86400  # https://docs.aws.amazon.com/sagemaker/latest/dg/autopilot-quotas.html
_LARGE = 100 * 10**6  # bytes: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TabularJobConfig.html
_CANDIDATES = 10  # that are tried if the request does not say
_PARQUET = "x-application/vnd.amazon+parquet"

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AutoMLAlgorithmConfig.html
AWS_ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "HYPERPARAMETER_TUNING": ("linear-learner", "mlp", "xgboost"),
    "ENSEMBLING": (
        "catboost",
        "extra-trees",
        "fastai",
        "lightgbm",
        "linear-learner",
        "nn-torch",
        "randomforest",
        "xgboost",
    ),
}


def search(run: Run) -> str | None:
    """Do the job; the secondary status that it completes with."""
    run.wait(TIMING.training_starting)
    with tempfile.TemporaryDirectory(prefix="mlops-automl-", ignore_cleanup_errors=True) as folder:
        return _Search(Path(folder), run).work()


class _Search:
    """One job at work in a folder tree."""

    def __init__(self, tree: Path, run: Run) -> None:
        self._tree, self._run, self._job = tree, run, run.job
        self._config: Record = run.job["AutoMLProblemTypeConfig"]["TabularJobConfig"]
        self._started = time.monotonic()
        self._read = 0  # how much of the progress
        self._finished: str | None = None
        self._session = run.session()
        self._s3: S3Client = self._session.client("s3")
        self._steps: Mapping[str, Callable[..., None]] = {
            "status": self._enter,
            "resolved": self._resolve,
            "documents": self._keep_documents,
            "begun": self._begin,
            "ended": self._end,
            "finished": self._finish,
        }
        self._output = f"{run.job['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{run.job['AutoMLJobName']}"

    def work(self) -> str | None:
        for part in ("input/config", "input/data", "output", "candidates"):
            (self._tree / part).mkdir(parents=True)
        for channel in self._job["AutoMLJobInputDataConfig"]:
            self._download(channel)
        request = self._request()
        (self._tree / "input" / "config" / "job.json").write_text(json.dumps(request))
        progress, log = self._tree / "output" / "progress", self._tree / "log"
        progress.touch()
        log.touch()
        stream = LogStream(self._session, _LOG_GROUP, f"{self._job['AutoMLJobName']}-search", log)

        def look() -> None:
            stream.forward()
            self._follow(progress)

        command = [sys.executable, "-P", "-u", "-m", "mlops.local.containers.autopilot.search", str(self._tree)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        with (
            log.open("wb") as output,
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, cwd=self._tree, env=environment
            ) as process,
        ):
            ended = self._run.follow(process, look)
        stream.forward(now=True)
        self._follow(progress)
        if ended == "Failed":
            failure = self._tree / "output" / "failure"
            raise JobFailed(failure.read_text() if failure.exists() else _last_lines(log))
        if ended != "Completed":
            raise JobStopped(ended)
        if self._finished != "CandidateDefinitionsGenerated" and "BestCandidate" not in self._job:
            raise JobFailed(f"AlgorithmError: no candidate was completed; the last one: {self._last_reason()}")
        return self._finished

    # --- before -------------------------------------------------------------------------------------------------

    def _request(self) -> Record:
        """What the process is asked for; what the laptop account cannot do fails the job."""
        config, criteria = self._config, self._config.get("CompletionCriteria", {})
        mode = config.get("Mode", "AUTO")
        if mode == "AUTO":
            mode = modes.TUNING if self._size() > _LARGE else modes.ENSEMBLING
        given = config.get("CandidateGenerationConfig", {}).get("AlgorithmsConfig", [])
        algorithms = list(given[0]["AutoMLAlgorithms"]) if given else []
        here = modes.ALGORITHMS[mode]
        missing = [name for name in algorithms if name not in here]
        if missing:
            raise JobFailed(
                f"ClientError: the laptop account does not have the algorithm {missing[0]}; it has {', '.join(here)}."
            )
        return {
            "name": self._job["AutoMLJobName"],
            "target": config["TargetAttributeName"],
            "weights": config.get("SampleWeightAttributeName", ""),
            "problem_type": config.get("ProblemType", ""),
            "objective": self._job.get("AutoMLJobObjective", {}).get("MetricName", ""),
            "mode": mode,
            "algorithms": algorithms,
            "max_candidates": criteria.get("MaxCandidates", _CANDIDATES),
            "seconds_each": criteria.get("MaxRuntimePerTrainingJobInSeconds", 0),
            "seconds_total": criteria.get("MaxAutoMLJobRuntimeInSeconds", _DAYS_30),
            "fraction": self._job.get("DataSplitConfig", {}).get("ValidationFraction", 0),
            "definitions_only": config.get("GenerateCandidateDefinitionsOnly", False),
        }

    def _size(self) -> int:
        """How many bytes the data have."""
        files = (self._tree / "input" / "data").rglob("*")
        return sum(path.stat().st_size for path in files if path.is_file())

    def _download(self, channel: Record) -> None:
        name, source = channel.get("ChannelType", "training"), channel["DataSource"]["S3DataSource"]
        uri, role = source["S3Uri"], self._job["RoleArn"]
        if channel.get("ContentType") == _PARQUET:
            raise JobFailed(f"ClientError: Channel {name}: the laptop account reads CSV files, not Parquet.")
        if source["S3DataType"] != "S3Prefix":
            raise JobFailed(
                f"ClientError: Channel {name}: the laptop account does not read {source['S3DataType']}; use S3Prefix."
            )
        folder = self._tree / "input" / "data" / name
        folder.mkdir()
        try:
            keys = storage.list_prefix(self._s3, uri)
            if not keys:
                raise JobFailed(f"ClientError: No S3 objects found under {uri} of the {name} channel.")
            storage.download_prefix(self._s3, uri, keys, folder, channel.get("CompressionType") == "Gzip")
        except ClientError as error:
            reason = storage.explain(error)
            raise JobFailed(
                f"ClientError: Data download failed: {reason} (channel {name}, {uri}, role {role})"
            ) from error
        except storage.StorageError as error:
            raise JobFailed(f"ClientError: Data download failed: channel {name}: {error}") from error

    # --- while it works -----------------------------------------------------------------------------------------

    def _follow(self, progress: Path) -> None:
        """What is new in the process's progress; the last line may be half written."""
        with progress.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        content = content[: content.rfind(b"\n") + 1]
        self._read += len(content)
        for line in content.splitlines():
            step = json.loads(line)
            self._steps[step.pop("event")](**step)

    def _enter(self, status: str) -> None:
        self._run.enter(status)

    def _resolve(self, problem_type: str, objective: str) -> None:
        self._job["ResolvedAttributes"] = {
            "AutoMLJobObjective": {"MetricName": objective},
            "CompletionCriteria": {"MaxCandidates": _CANDIDATES, **self._config.get("CompletionCriteria", {})},
            "AutoMLProblemTypeResolvedAttributes": {"TabularResolvedAttributes": {"ProblemType": problem_type}},
        }

    def _keep_documents(self) -> None:
        locations = {}
        for member, name in autopilot.NOTEBOOKS.items():
            uri = f"{self._output}/sagemaker-automl-candidates/notebooks/{name}"
            self._write(uri, (self._tree / "output" / "notebooks" / name).read_bytes())
            locations[member] = uri
        self._job["AutoMLJobArtifacts"] = locations

    def _begin(self, name: str, algorithm: str) -> None:
        automl_candidates.begin(self._job, name)

    def _end(self, name: str, status: str, metrics: Any = None, reason: str = "") -> None:
        if status != "Completed":
            automl_candidates.end(self._job, name, status, reason)
            return
        archive = archives.pack(self._tree / "candidates" / name)
        assert archive is not None
        uri = f"{self._output}/sagemaker-automl-candidates/{name}/output/model.tar.gz"
        self._write(uri, archive)
        container = autopilot.inference_container(uri, self._problem(), self._run.caller.region)
        automl_candidates.complete(self._job, name, metrics, [container])

    def _finish(self, status: str) -> None:
        self._finished = status

    def _problem(self) -> str:
        resolved = self._job["ResolvedAttributes"]["AutoMLProblemTypeResolvedAttributes"]
        return str(resolved["TabularResolvedAttributes"]["ProblemType"])

    def _last_reason(self) -> str:
        return automl_candidates.last_reason(self._job)

    def _write(self, uri: str, body: bytes) -> None:
        key, role = self._job["OutputDataConfig"].get("KmsKeyId") or None, self._job["RoleArn"]
        try:
            storage.check_key(role, key, self._run.caller)
            storage.write(self._s3, uri, body, key)
        except ClientError as error:
            reason = storage.explain(error)
            raise JobFailed(f"ClientError: Artifact upload failed: {reason} ({uri}, role {role})") from error
        except ApiError as error:
            raise JobFailed(f"ClientError: Artifact upload failed: {error.message} ({uri})") from error


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()[-5:]
    return f"AlgorithmError: {' '.join(lines) or 'the process ended without output'}"
