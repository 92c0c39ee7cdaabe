# SPDX-License-Identifier: Apache-2.0
"""The parsed body of a model-card operation -> a checked request, or every problem in it. No AWS calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.catalog import Schema
from chalicelib.errors import BadRequest, Code, Problem
from chalicelib.intake import reach
from chalicelib.intake.canonical import canonical
from chalicelib.intake.explain import explain
from chalicelib.intake.request import Body
from chalicelib.model_cards import nulls, schemas
from chalicelib.quoting import pointer, shown
from chalicelib.settings import Settings

KEY_BYTES = 1024  # of a key in S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
ARN = "arn:{0.partition}:sagemaker:{0.aws_region}:{0.account}:model-card/{1}"


@dataclass(frozen=True)
class CardRequest:
    """A valid request for an operation."""

    operation: str
    keys: Mapping[str, Any]  # canonical, without the content
    sections: Mapping[str, Any]  # of the content, canonical; in an update, null stands for what is removed
    warnings: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """The card's name; empty for the list."""
        return str(self.keys.get("name", ""))

    @property
    def subject(self) -> str:
        return f"model card {self.name}" if self.name else "model cards"


def check(operation: str, body: Body, settings: Settings, deployed: bool) -> CardRequest:
    """Check a request. Without a deployment (`deployed` is false), what it may name is not checked.

    Raises BadRequest with every problem.
    """
    schema = schemas.request(operation)
    form = canonical(body, schema, schemas.known_keys())
    written = {key: value for key, value in form.body.items() if key != "pipeline_type"}
    problems = form.problems
    if operation == "update_model_card":
        problems += _nulls(written, schema)
    checked = nulls.without(written) if operation == "update_model_card" else written
    wrong = {problem.path for problem in problems}
    problems += [one for one in explain({"pipeline_type": operation, **checked}, schema) if one.path not in wrong]
    wrong = {problem.path for problem in problems}
    rules = [*_same_card(checked, settings, deployed), *_content_rules(checked, settings, deployed)]
    problems += [one for one in rules if not any(one.path == path or one.path.startswith(f"{path}/") for path in wrong)]
    if deployed:
        problems += reach.problems(checked, schema, settings, wrong)
    if problems:
        many = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        raise BadRequest(f"{many} in this {operation} request", sorted(problems, key=lambda one: one.path))
    sections = {key: value for key, value in written.items() if key in schemas.sections()}
    keys = {key: value for key, value in written.items() if key not in sections}
    return CardRequest(operation, keys, sections, (*form.warnings, *_unused(keys, schema)))


def _unused(keys: Body, schema: Schema) -> Iterator[Problem]:
    """Keys that have no effect."""
    for key in keys:
        if why := schema["properties"][key].get("x-unused"):
            yield Problem(pointer(key), Code.NOT_APPLIED, f"not used: {why}")


def _nulls(body: Body, schema: Schema) -> Iterator[Problem]:
    """Nulls that do not stand for a part of the content that is removed."""
    for path in nulls.paths(body):
        if not nulls.is_removable(path, schema):
            yield Problem(pointer(*path), Code.UNKNOWN_KEY, "is an unknown key", "remove it")
        elif path[0] not in schemas.sections():
            yield Problem(pointer(*path), Code.WRONG_TYPE, "is null", "omit the key instead")


def _same_card(body: Body, settings: Settings, deployed: bool) -> Iterator[Problem]:
    arn, name = body.get("arn"), body.get("name")
    if deployed and arn and isinstance(name, str) and arn != (expected := ARN.format(settings, name)):
        yield Problem("/arn", Code.CONFLICT, f"{shown(arn)} is not the ARN of the card {shown(name)}", expected)


def _content_rules(body: Body, settings: Settings, deployed: bool) -> Iterator[Problem]:
    """What two keys of the content say together."""
    training = body.get("training_details")
    if isinstance(training, Mapping):
        yield from _training_rules(training)
    evaluations = body.get("evaluation_details")
    for index, evaluation in enumerate(evaluations if isinstance(evaluations, list) else []):
        if isinstance(evaluation, Mapping):
            yield from _metric_file_rules(f"/evaluation_details/{index}", evaluation, settings, deployed)


def _training_rules(training: Mapping[str, Any]) -> Iterator[Problem]:
    path = "/training_details"
    if training.get("model_name") and training.get("training_job_name"):
        problem = f"cannot be used together with {path}/training_job_name, which names the job itself"
        yield Problem(f"{path}/model_name", Code.CONFLICT, problem, "remove one of them")
    objective = training.get("objective_function")
    if isinstance(objective, Mapping) and isinstance(objective.get("function"), Mapping):
        for key in ("facet", "condition"):
            if key in objective:
                problem = f"belongs into {path}/objective_function/function, which is an object here"
                yield Problem(f"{path}/objective_function/{key}", Code.CONFLICT, problem, "move it there")


def _metric_file_rules(
    path: str, evaluation: Mapping[str, Any], settings: Settings, deployed: bool
) -> Iterator[Problem]:
    url, kind = evaluation.get("metric_file_s3_url"), evaluation.get("metric_type")
    if url and not kind:
        hint = f"one of {', '.join(schemas.METRIC_TYPES)}"
        yield Problem(f"{path}/metric_type", Code.MISSING, "is missing: the format of metric_file_s3_url", hint)
    if kind and not url:
        hint = "URI of the file in the assets bucket"
        yield Problem(f"{path}/metric_file_s3_url", Code.MISSING, "is missing: the file of metric_type", hint)
    if isinstance(url, str) and (size := len(url.removeprefix("s3://").partition("/")[2].encode())) > KEY_BYTES:
        problem = f"has a key of {size} bytes in UTF-8"
        yield Problem(f"{path}/metric_file_s3_url", Code.TOO_LONG, problem, f"at most {KEY_BYTES}")
    ours = f"s3://{settings.assets_bucket}/"
    if deployed and isinstance(url, str) and not url.startswith(ours):
        problem = "files of metrics are read from the assets bucket only"
        yield Problem(f"{path}/metric_file_s3_url", Code.NOT_REACHABLE, problem, f"copy the file to {ours}")
