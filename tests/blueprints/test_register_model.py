# SPDX-License-Identifier: Apache-2.0
"""RegisterModel: what it makes of a job's description, for each kind that makes a model; what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from jsonata import Jsonata
from mlops.templates import run_job
from mlops.templates.folder import BlueprintError
from mlops.templates.job_states import expression

ARTIFACT = "s3://bucket/churn/output/job-1/output/model.tar.gz"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
JOB = {"kind": "TrainingJob", "label": "Training job", "name": "job-1"}
ARGUMENTS = {
    "TrainingJob": "{% {'ResourceConfig': $request.x} %}",
    "HyperParameterTuningJob": "{% {'HyperParameterTuningJobConfig': $request.x} %}",
    "AutoMLJob": "{% {'AutoMLJobInputDataConfig': $request.x} %}",
    "ProcessingJob": "{% {'AppSpecification': $request.x} %}",
}


def states(kind: str = "TrainingJob", register: Any = None, **beside: Any) -> dict[str, Any]:
    """The states of a machine that runs a job and registers its model."""
    node = {"Job": "Make", "Image": "image", "ContentType": "csv"} if register is None else register
    job = {"Kind": kind, "Name": {"Ref": "Name"}, "Role": "Role", "Arguments": ARGUMENTS[kind]}
    written = {
        "Make": {"RunJob": job, "Next": "Register"},
        "Register": {"RegisterModel": node, **(beside or {"End": True})},
    }
    template = {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role"},
            "StateMachineRole": {"Type": "AWS::IAM::Role"},
            "MLOpsStateMachine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {"Definition": {"QueryLanguage": "JSONata", "StartAt": "Make", "States": written}},
            },
        }
    }
    made, _ = run_job.expand(template, "x")
    found: dict[str, Any] = made["Resources"]["MLOpsStateMachine"]["Properties"]["Definition"]["States"]
    return found


def prepared(kind: str, registration: dict[str, Any], description: dict[str, Any]) -> Any:
    """What is registered of a described job."""
    register = {"Job": "Make", "ContentType": "csv"} | ({} if kind == "AutoMLJob" else {"Image": "image"})
    text = expression(states(kind, register)["RegisterPrepare"]["Assign"]["registration"])
    assert text
    compiled = Jsonata(text)
    for name, value in {"registration": registration, "Make": description, "job": JOB}.items():
        compiled.assign(name, value)
    return compiled.evaluate({})


def registration(**changes: Any) -> dict[str, Any]:
    return {"group": "churn", "image": IMAGE, "content_type": "csv", "key": "", **changes}


def trained(**metrics: float) -> dict[str, Any]:
    """A training job with these final metrics; `validation_auc` is validation:auc."""
    listed = [{"MetricName": name.replace("_", ":", 1), "Value": value} for name, value in metrics.items()]
    return {
        "TrainingJobArn": "arn:job-1",
        "ModelArtifacts": {"S3ModelArtifacts": ARTIFACT},
        **({"FinalMetricDataList": listed} if listed else {}),
    }


def section(name: str, **metrics: float) -> dict[str, Any]:
    return {name: {metric: {"value": value, "standard_deviation": "NaN"} for metric, value in metrics.items()}}


@pytest.mark.parametrize(
    ("metrics", "statistics"),
    [
        (
            {"train_auc": 0.99, "validation_auc": 0.9, "validation_logloss": 0.2},
            section("binary_classification_metrics", auc=0.9, logloss=0.2),
        ),
        ({"validation_rmse": 2.5}, section("regression_metrics", rmse=2.5)),
        (
            {"validation_auc": 0.9, "validation_merror": 0.1, "validation_mlogloss": 0.3},
            section("multiclass_classification_metrics", auc=0.9, merror=0.1, mlogloss=0.3),
        ),
        ({"test_Accuracy": 0.8}, section("binary_classification_metrics", accuracy=0.8)),
        ({"train_rmse": 2.5}, {"metrics": {"train:rmse": {"value": 2.5}}}),
        ({"validation_perplexity": 7.0}, {"metrics": {"validation:perplexity": {"value": 7.0}}}),
        ({}, None),
    ],
)
def test_final_metrics_are_statistics_as_sagemaker_writes_them(
    metrics: dict[str, float], statistics: dict[str, Any] | None
) -> None:
    found = prepared("TrainingJob", registration(), trained(**metrics))
    assert found.get("statistics") == statistics
    properties = {name.replace("_", ":", 1): f"{value:g}" for name, value in metrics.items()}
    assert found["metadata"] == {"job": "job-1", **properties}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("csv", "text/csv"),
        ("libsvm", "text/libsvm"),
        ("text/csv;label_size=0", "text/csv"),
        ("application/x-recordio-protobuf", "application/x-recordio-protobuf"),
    ],
)
def test_a_model_predicts_on_the_content_type_that_it_was_trained_on(given: str, kept: str) -> None:
    assert prepared("TrainingJob", registration(content_type=given), trained())["type"] == kept


def test_the_statistics_lie_beside_the_artifact() -> None:
    found = prepared("TrainingJob", registration(), trained(validation_auc=0.9))
    assert (found["bucket"], found["key_of_statistics"]) == ("bucket", "churn/output/job-1/output/statistics.json")
    assert found["containers"] == [{"Image": IMAGE, "ModelDataUrl": ARTIFACT}]
    assert found["generated_by"] == "arn:job-1"


def test_the_model_of_a_tuning_job_is_that_of_its_best_training_job() -> None:
    made = states("HyperParameterTuningJob")
    find = made["RegisterFindJob"]
    assert made["RegisterIfAsked"]["Default"] == "RegisterFindJob"
    assert find["Arguments"] == {"TrainingJobName": "{% $Make.BestTrainingJob.TrainingJobName %}"}
    found = prepared("HyperParameterTuningJob", registration(made_by=trained(validation_auc=0.9)), {})
    assert found["containers"] == [{"Image": IMAGE, "ModelDataUrl": ARTIFACT}]
    assert found["statistics"] == section("binary_classification_metrics", auc=0.9)


def test_the_model_of_an_automl_job_is_its_best_candidate() -> None:
    containers = [
        {"Image": "one", "ModelDataUrl": ARTIFACT, "Environment": {"MODE": "transform"}},
        {"Image": "two", "ModelDataUrl": "s3://bucket/two/model.tar.gz"},
    ]
    metrics = [
        {"MetricName": "F1macro", "Set": "Validation", "Value": 0.7},
        {"MetricName": "Accuracy", "Set": "Validation", "Value": 0.8},
    ]
    candidate = {"InferenceContainers": containers, "CandidateProperties": {"CandidateMetrics": metrics}}
    found = prepared("AutoMLJob", registration(), {"AutoMLJobArn": "arn:automl", "BestCandidate": candidate})
    assert found["containers"] == containers
    assert found["statistics"] == section("multiclass_classification_metrics", f1macro=0.7, accuracy=0.8)
    assert found["generated_by"] == "arn:automl"


def test_states_lead_where_they_should() -> None:
    made = states()
    assert made["Make"]["Next"] == "Register"
    assert made["RegisterIfAsked"]["Choices"][0]["Next"] == "NotifySuccess"
    assert made["RegisterVersion"]["Next"] == "NotifySuccess"
    assert made["RegisterRefused"]["Next"] == "Explain"
    assert "RegisterFindJob" not in made
    ways = {state.get("Next") or state.get("Default") for state in made.values()} - {None}
    assert ways <= set(made)


@pytest.mark.parametrize(
    ("kind", "register", "beside", "message"),
    [
        ("TrainingJob", {"Job": "Train", "Image": "i", "ContentType": "c"}, {}, "'Train' is not a RunJob state"),
        ("TrainingJob", {"Job": "Make", "ContentType": "c"}, {}, "of a TrainingJob requires an Image"),
        ("AutoMLJob", {"Job": "Make", "Image": "i", "ContentType": "c"}, {}, "names its containers itself"),
        ("ProcessingJob", {"Job": "Make", "Image": "i", "ContentType": "c"}, {}, "a ProcessingJob makes no model"),
        ("TrainingJob", {"Job": "Make", "Image": "i"}, {}, "has no ContentType"),
        ("TrainingJob", {"Job": "Make", "Imagee": "i", "ContentType": "c"}, {}, "Imagee is an unknown key"),
        ("TrainingJob", None, {"End": True, "Next": "Make"}, "requires either `Next` or `End: true`"),
        ("TrainingJob", None, {"End": True, "Retry": []}, "Retry is an unknown key"),
        ("TrainingJob", [], {}, "is not a mapping"),
    ],
)
def test_what_does_not_fit_is_refused(kind: str, register: Any, beside: dict[str, Any], message: str) -> None:
    with pytest.raises(BlueprintError, match=message):
        states(kind, register, **beside)
