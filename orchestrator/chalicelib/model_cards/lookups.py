# SPDX-License-Identifier: Apache-2.0
"""What a request names in AWS -> the parts of the content that follow from it: models, training jobs, files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.aws.model_cards import ModelCards
from chalicelib.errors import BadRequest, Code, Problem
from chalicelib.intake.explain import explain
from chalicelib.intake.request import parse_value
from chalicelib.model_cards import fill, metric_files, schemas
from chalicelib.model_cards.content import Content
from chalicelib.quoting import shown
from chalicelib.settings import Settings

LARGEST_FILE = 1024 * 1024  # bytes; a card has at most 100,000 characters


@dataclass
class Lookups:
    """The lookups of one request. What was not found is in `problems`, what was found in part in `warnings`."""

    cards: ModelCards
    settings: Settings
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def filled(self, sections: Mapping[str, Any], content: Content) -> Content:
        """The content with what the sections name in AWS filled in; what they say themselves has precedence.

        Raises BadRequest with every problem.
        """
        found = dict(content)
        if name := (sections.get("model_overview") or {}).get("model_name"):
            found["model_overview"] = {**self._model_overview(name), **content["model_overview"]}
        if job := self._training_job(sections.get("training_details") or {}):
            training = content.get("training_details", {})
            given = training.get("training_job_details") or {}
            found["training_details"] = {**training, "training_job_details": {**self._details(job), **given}}
        for index, evaluation in enumerate(sections.get("evaluation_details") or []):
            if url := evaluation.get("metric_file_s3_url"):
                groups = self._metric_groups(f"/evaluation_details/{index}", url, evaluation["metric_type"])
                entry = found["evaluation_details"][index]
                entry["metric_groups"] = [*entry.get("metric_groups", []), *groups]
        if self.problems:
            many = f"{len(self.problems)} lookups" if len(self.problems) > 1 else "1 lookup"
            raise BadRequest(f"{many} of this request failed", self.problems)
        return found

    def _model_overview(self, name: str) -> Content:
        model = self.cards.model(name)
        if model is not None:
            return fill.model_overview(model)
        problem = f"there is no SageMaker model {shown(name)}: model_id, model_artifact and inference_environment"
        hint = "name a SageMaker model, or write them yourself"
        self.warnings.append(
            Problem("/model_overview/model_name", Code.NOT_APPLIED, f"{problem} are not filled in", hint)
        )
        return {}

    def _training_job(self, training: Mapping[str, Any]) -> Mapping[str, Any] | None:
        path = "/training_details"
        if name := training.get("training_job_name"):
            job = self.cards.training_job(name)
            if job is None:
                problem = f"there is no training job {shown(name)}"
                self.problems.append(Problem(f"{path}/training_job_name", Code.UNKNOWN_RESOURCE, problem))
            return job
        if name := training.get("model_name"):
            return self._job_of_model(f"{path}/model_name", name)
        return None

    def _job_of_model(self, path: str, name: str) -> Mapping[str, Any] | None:
        model = self.cards.model(name)
        if model is None:
            self.problems.append(Problem(path, Code.UNKNOWN_RESOURCE, f"there is no SageMaker model {shown(name)}"))
            return None
        artifacts = fill.model_artifacts(model)
        jobs = {artifact: fill.training_job_of(artifact) for artifact in artifacts}
        if len(artifacts) == 1 and (job_name := jobs[artifacts[0]]):
            job = self.cards.training_job(job_name)
            if job and (job.get("ModelArtifacts") or {}).get("S3ModelArtifacts") == artifacts[0]:
                return job
        problem = f"the training job of the model {shown(name)} cannot be determined from its artifacts"
        self.problems.append(Problem(path, Code.UNKNOWN_RESOURCE, problem, "use training_job_name"))
        return None

    def _details(self, job: Mapping[str, Any]) -> Content:
        details, left_out = fill.training_job_details(job)
        if left_out:
            problem = f"hyperparameters that a model card cannot hold are left out: {', '.join(left_out)}"
            self.warnings.append(Problem("/training_details", Code.NOT_APPLIED, problem))
        return details

    def _metric_groups(self, path: str, url: str, metric_type: str) -> list[metric_files.Group]:
        """The groups in a file of the assets bucket, which check.py made sure of."""
        path = f"{path}/metric_file_s3_url"
        bucket, _, key = url.removeprefix("s3://").partition("/")
        content = self.cards.file(bucket, key, LARGEST_FILE + 1)
        if content is None:
            self.problems.append(Problem(path, Code.UNKNOWN_RESOURCE, f"there is no object {shown(url)}"))
            return []
        if len(content) > LARGEST_FILE:
            self.problems.append(Problem(path, Code.TOO_LONG, "the file is too large", f"at most {LARGEST_FILE} bytes"))
            return []
        try:
            groups = metric_files.metric_groups(metric_type, parse_value(content.decode("utf-8-sig")))
        except UnicodeDecodeError:
            self.problems.append(Problem(path, Code.INVALID_JSON, "the file is not UTF-8"))
            return []
        except BadRequest as unreadable:
            self.problems += [Problem(path, one.code, f"in the file: {one.problem}") for one in unreadable.problems]
            return []
        except metric_files.NotOfThisFormat as wrong:
            problem = f"the file does not have the format {metric_type}: {wrong}"
            self.problems.append(Problem(path, Code.WRONG_FORMAT, problem))
            return []
        self.problems += self._unusable(path, groups)
        return groups

    def _unusable(self, path: str, groups: list[metric_files.Group]) -> list[Problem]:
        """What a card cannot hold of a file."""
        found = explain({"metric_groups": groups}, schemas.metric_groups())
        return [Problem(path, one.code, f"{one.path} of the file {one.problem}", one.hint) for one in found]
