# SPDX-License-Identifier: Apache-2.0
"""The schema of model cards against those that AWS publishes, and what is pure about them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema
import pytest
import yaml
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from chalicelib import operations
from chalicelib.errors import BadRequest
from chalicelib.model_cards import content, fill, metric_files, schemas
from chalicelib.model_cards.check import check
from chalicelib.model_cards.metric_files import NotOfThisFormat
from chalicelib.settings import Settings
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "model-cards.md").read_text("utf-8")
EXAMPLES = [json.loads(text) for text in re.findall(r"<!-- example: \w+ -->\n```json\n(.*?)```", PAGE, re.DOTALL)]


@pytest.fixture(scope="module")
def registry() -> dict[str, Any]:
    """CloudFormation's schema of a model card, which says the same of the content with other names."""
    schema: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(
        "us-east-1", "AWS::SageMaker::ModelCard"
    ).schema
    return schema


def camel(key: str) -> str:
    return "".join(word.capitalize() for word in key.split("_"))


def in_camel_case(value: Any, schema: Mapping[str, Any]) -> Any:
    """A content with the names that CloudFormation has; keys of maps stay."""
    schema = resolved(schema)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return {
            camel(key) if key in known else key: in_camel_case(one, known.get(key, {})) for key, one in value.items()
        }
    if isinstance(value, list):
        return [in_camel_case(one, schema.get("items", {})) for one in value]
    return value


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")
    return schemas.content()["$defs"][reference.removeprefix("#/$defs/")] if reference else schema


def sentence(least: int, most: int) -> st.SearchStrategy[str]:
    alphabet = st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_characters="\x7f")
    return st.text(alphabet, min_size=least, max_size=min(most, 60))


def values(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Any value that our schema takes."""
    schema = resolved(schema)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string":
            return sentence(schema.get("minLength", 0), schema.get("maxLength", 60))
        case "number":
            return st.integers(1, 10**6) | st.floats(1, 1e6)
        case "boolean":
            return st.booleans()
        case "array":
            least, most = schema.get("minItems", 0), min(schema.get("maxItems", 3), 3)
            return st.lists(values(schema["items"]), min_size=least, max_size=max(least, most))
        case "object" if "properties" in schema:
            return objects(schema)
        case "object":
            keys = st.from_regex("[a-zA-Z_][a-zA-Z0-9_]{0,9}", fullmatch=True)
            return st.dictionaries(keys, values(schema["additionalProperties"]), max_size=2)
    raise AssertionError(schema)


def objects(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if "allOf" in schema:  # a metric
        return st.sampled_from(schema["allOf"]).flatmap(lambda one: metrics(schema, one))
    required = set(schema.get("required", ()))
    known = {key: values(one) for key, one in schema["properties"].items()}
    given = {key: one for key, one in known.items() if key in required}
    return st.fixed_dictionaries(given, optional={key: one for key, one in known.items() if key not in required})


def metrics(schema: Mapping[str, Any], condition: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    kind = condition["if"]["properties"]["type"]["const"]
    parts = {key: values(one) for key, one in condition["then"]["properties"].items()}
    always = {"name": values(schema["properties"]["name"]), "type": st.just(kind), "value": parts.pop("value")}
    return st.fixed_dictionaries(always, optional={"notes": values(schema["properties"]["notes"]), **parts})


CONTENTS = values(schemas.content())


@given(CONTENTS)
@runs(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_cloudformation_takes_every_content_that_we_take(drawn: dict[str, Any]) -> None:
    jsonschema.validate(drawn, schemas.content(), jsonschema.Draft202012Validator)
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::SageMaker::ModelCard").schema
    whole = {"$ref": "#/definitions/Content", "definitions": schema["definitions"]}
    jsonschema.Draft7Validator(whole).validate(in_camel_case(drawn, schemas.content()))


def test_we_know_every_key_that_cloudformation_knows(registry: dict[str, Any]) -> None:
    ours = {camel(key) for key in keys(schemas.content())}
    theirs = set(keys({name: one for name, one in registry["definitions"].items() if name not in NOT_CONTENT}))
    assert theirs - ours == set()
    assert ours - theirs == set()


NOT_CONTENT = {"SecurityConfig", "Tag", "UserContext"}


def keys(schema: Any) -> Iterator[str]:
    """The names of all properties in a schema."""
    if isinstance(schema, list):
        for one in schema:
            yield from keys(one)
    elif isinstance(schema, dict):
        yield from schema.get("properties", {}) if isinstance(schema.get("properties"), dict) else ()
        for one in schema.values():
            yield from keys(one)


def test_names_and_keys_are_those_of_the_service() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    name = model.shape_for("EntityName")
    ours = schemas.request("create_model_card")["properties"]["name"]
    assert (ours["pattern"], ours["maxLength"]) == (f"^{name.metadata['pattern']}$", name.metadata["max"])
    assert tuple(schemas.STATUSES) == tuple(model.shape_for("ModelCardStatus").enum)
    assert model.shape_for("ModelCardContent").metadata["max"] == content.LONGEST
    definitions = yaml.safe_load((ROOT / "blueprints" / "_parts" / "definitions.yaml").read_text("utf-8"))
    assert (
        schemas.request("create_model_card")["properties"]["kms_key_arn"]["pattern"]
        == (definitions["kms_key_arn"]["pattern"])
    )


def test_every_operation_is_registered() -> None:
    assert set(schemas.OPERATIONS) == operations.NAMES


@pytest.mark.parametrize("body", EXAMPLES, ids=lambda body: body["pipeline_type"])
def test_the_documented_requests_are_valid(body: dict[str, Any], settings: Settings) -> None:
    operation = operations.find(body["pipeline_type"])
    assert operation is not None
    assert operation.check(body, settings).warnings == ()


def test_every_operation_has_a_documented_request() -> None:
    assert {body["pipeline_type"] for body in EXAMPLES} == operations.NAMES


@given(CONTENTS)
@runs(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_content_that_sagemaker_takes_is_a_request(settings: Settings, drawn: dict[str, Any]) -> None:
    """Except for text that pipelines refuse too, and keys with an empty string, which are absent."""
    operation = operations.find("create_model_card")
    assert operation is not None
    checked: Any = operation.check(
        {"pipeline_type": "create_model_card", "name": "n", **copy.deepcopy(drawn)}, settings, deployed=False
    )
    jsonschema.validate(content.plain(checked.sections), schemas.content(), jsonschema.Draft202012Validator)


@given(CONTENTS, CONTENTS)
@runs(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_merged_content_is_a_content(before: dict[str, Any], patch: dict[str, Any]) -> None:
    merged = content.merged(before, patch)
    jsonschema.validate(merged, schemas.content(), jsonschema.Draft202012Validator)
    assert content.merged(merged, patch) == merged


def test_a_content_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadRequest):
        content.text({"additional_information": {"custom_details": {f"k{n}": "x" * 1024 for n in range(100)}}})


def test_a_training_job_can_be_told_from_what_it_made() -> None:
    assert fill.training_job_of("s3://b/churn/output/job-1/output/model.tar.gz") == "job-1"
    assert fill.training_job_of("s3://b/churn/model.tar.gz") == ""


def test_hyperparameters_that_a_card_cannot_hold_are_left_out() -> None:
    given = {f"p{number}": "1" for number in range(101)} | {"long": "x" * 256, "empty": ""}
    job = {"TrainingJobArn": "arn", "AlgorithmSpecification": {}, "HyperParameters": given}
    details, left_out = fill.training_job_details(job)
    assert len(details["hyper_parameters"]) == 100
    assert left_out == ["p100", "long", "empty"]


CURVE = {"false_positive_rates": [0.0, 1.0], "true_positive_rates": [0.0, 1.0]}
FILES: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("model_card_metric_schema", {"metric_groups": [{"name": "g", "metric_data": [
        {"name": "m", "type": "number", "value": 1}]}]}, ["g"], ["m"]),
    ("regression", {"version": 0, "regression_metrics": {"mae": {"value": 1, "standard_deviation": "NaN"}}},
     ["regression_metrics"], ["mae"]),
    ("binary_classification", {"binary_classification_metrics": {
        "confusion_matrix": {"0": {"0": 9, "1": 1}, "1": {"0": 2, "1": 8}},
        "receiver_operating_characteristic_curve": CURVE,
        "precision_recall_curve": {"precisions": [1, 0], "recalls": [0, 1]},
        "auc": {"value": 0.9, "standard_deviation": 0.1},
    }}, ["binary_classification_metrics"],
     ["confusion_matrix", "receiver_operating_characteristic_curve", "precision_recall_curve", "auc",
      "auc - standard_deviation"]),
    ("clarify_bias", {"version": "1", "post_training_bias_metrics": {
        "label": "y", "label_value_or_threshold": "1",
        "facets": {"sex": [{"value_or_threshold": "f", "metrics": [
            {"name": "DI", "description": "d", "value": 0.8}, {"name": "CDDPL", "description": "d", "value": None}]}]},
    }}, ["post_training_bias_metrics - y=1, sex=f"], ["DI"]),
    ("clarify_explainability", {"explanations": {
        "kernel_shap": {"label0": {"global_shap_values": {"age": 0.2}, "expected_value": 0.5}},
        "pdp": [
            {"feature_name": "age", "data_type": "numerical", "feature_values": [1, 2], "data_distribution": [3, 4],
             "label_headers": ["label0"], "model_predictions": [[0.1, 0.2]]},
            {"feature_name": "sex", "data_type": "categorical", "feature_values": ["f", "m"],
             "data_distribution": [3, 4], "label_headers": ["label0"], "model_predictions": [[0.1, 0.2]]},
        ]}}, ["global_shap_values - label0", "pdp - age", "pdp - sex"],
     ["age", "data_distribution", "label0", "data_distribution", "label0"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "document", "groups", "names"), FILES, ids=lambda one: one if isinstance(one, str) else ""
)
def test_files_of_metrics_become_groups(
    kind: str, document: dict[str, Any], groups: list[str], names: list[str]
) -> None:
    found = metric_files.metric_groups(kind, document)
    assert [one["name"] for one in found] == groups
    assert [metric["name"] for one in found for metric in one["metric_data"]] == names
    jsonschema.validate({"metric_groups": found}, schemas.metric_groups(), jsonschema.Draft202012Validator)


def test_a_confusion_matrix_keeps_its_rows() -> None:
    document = FILES[2][1]
    matrix = metric_files.metric_groups("binary_classification", document)[0]["metric_data"][0]
    assert matrix["value"] == [[9, 1], [2, 8]]
    assert (matrix["x_axis_name"], matrix["y_axis_name"]) == (["0", "1"], ["0", "1"])


def test_a_file_whose_key_is_longer_than_s3_takes_is_refused(settings: Settings) -> None:
    url = f"s3://{settings.assets_bucket}/{'ü' * 600}"
    evaluation = {"name": "unseen", "metric_type": "regression", "metric_file_s3_url": url}
    body = {"pipeline_type": "create_model_card", "name": "churn", "evaluation_details": [evaluation]}
    with pytest.raises(BadRequest) as refused:
        check("create_model_card", body, settings, deployed=True)
    (problem,) = refused.value.problems
    assert (problem.path, problem.hint) == ("/evaluation_details/0/metric_file_s3_url", "at most 1024")


def test_an_empty_confusion_matrix_is_left_out() -> None:
    document = {"multiclass_classification_metrics": {"confusion_matrix": {}, "accuracy": {"value": 0.5}}}
    (group,) = metric_files.metric_groups("multiclass_classification", document)
    assert [metric["name"] for metric in group["metric_data"]] == ["accuracy"]


@pytest.mark.parametrize("kind", schemas.METRIC_TYPES)
@pytest.mark.parametrize("document", [[], {}, {"explanations": 1}, {"a": {"facets": {"b": [{}]}}}])
def test_files_of_another_format_are_refused(kind: str, document: Any) -> None:
    with pytest.raises(NotOfThisFormat):
        metric_files.metric_groups(kind, document)
