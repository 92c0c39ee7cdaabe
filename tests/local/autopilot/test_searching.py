# SPDX-License-Identifier: Apache-2.0
"""Autopilot jobs, from outside: what they find in messy data, how they measure it, and that it is served."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

import pytest
from sklearn import metrics

from tests.support import messy, searches
from tests.support.lab import Lab
from tests.support.laptop import Account

ROWS = messy.rows(520)
UNSEEN = messy.rows(150, seed=9)


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    lab = Lab(account)
    lab.put("binary/part-1.csv.gz", gzip.compress(messy.text(ROWS[:300]).encode()))
    lab.put("binary/part-2.csv.gz", gzip.compress(messy.text(ROWS[300:]).encode()))
    lab.put("plain.csv", messy.text(ROWS))
    lab.put("unseen.csv", messy.text(UNSEEN))
    return lab


@pytest.fixture(scope="module")
def folded(lab: Lab) -> dict[str, Any]:
    """A job that infers everything, from two packed files."""
    channel = searches.channel(f"s3://{lab.bucket}/binary", CompressionType="Gzip")
    job = searches.search(lab, "", {"CompletionCriteria": {"MaxCandidates": 5}}, AutoMLJobInputDataConfig=[channel])
    assert job["AutoMLJobStatus"] == "Completed", job
    return job


def answers(lab: Lab, endpoint: str, body: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(lab.invoke(endpoint, body))))


def test_candidates_of_several_algorithms_are_compared_by_the_objective(lab: Lab, folded: dict[str, Any]) -> None:
    found = searches.candidates(lab, folded, MaxResults=2)
    algorithms = ["xgboost", "linear-learner", "randomforest", "extra-trees", "ensemble"]
    assert searches.algorithms(folded, found) == algorithms
    assert {one["CandidateStatus"] for one in found} == {"Completed"}
    best = max(found, key=searches.value)
    assert folded["BestCandidate"] == best
    assert best["FinalAutoMLJobObjectiveMetric"]["MetricName"] == "F1"
    assert searches.candidates(lab, folded, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")[0] == best
    names = {"CandidateNameEquals": best["CandidateName"]}
    assert searches.candidates(lab, folded, **names) == [best]
    assert searches.candidates(lab, folded, StatusEquals="Failed") == []
    for one in found:
        assert set(searches.metrics(one)) == set(searches.metrics(one, "Train")) >= {"F1", "AUC", "Accuracy", "LogLoss"}
        assert searches.metrics(one)["F1"] == searches.value(one)


def test_a_job_says_what_it_inferred(folded: dict[str, Any]) -> None:
    assert folded["AutoMLJobSecondaryStatus"] == "Completed"
    assert folded["AutoMLProblemTypeConfigName"] == "Tabular"
    resolved = folded["ResolvedAttributes"]
    assert resolved["AutoMLJobObjective"] == {"MetricName": "F1"}
    assert resolved["CompletionCriteria"]["MaxCandidates"] == 5
    kind = resolved["AutoMLProblemTypeResolvedAttributes"]["TabularResolvedAttributes"]["ProblemType"]
    assert kind == "BinaryClassification"


def test_the_notebooks_say_what_is_in_the_data_and_how_candidates_are_made(lab: Lab, folded: dict[str, Any]) -> None:
    locations = folded["AutoMLJobArtifacts"]
    exploration = notebook(lab, locations["DataExplorationNotebookLocation"])
    for kind in ("numeric", "categorical", "text", "datetime", "unused"):
        assert f"| {kind} |" in exploration
    definitions = notebook(lab, locations["CandidateDefinitionNotebookLocation"])
    assert "5-fold cross-validation (seed 42)" in definitions
    assert '"algorithm": "xgboost"' in definitions


def notebook(lab: Lab, uri: str) -> str:
    """The text of a notebook, which has what Jupyter requires."""
    body = lab.s3.get_object(Bucket=lab.bucket, Key=uri.removeprefix(f"s3://{lab.bucket}/"))["Body"].read()
    document = json.loads(body)
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in document["cells"]}) == len(document["cells"])
    assert {cell["cell_type"] for cell in document["cells"]} <= {"markdown", "code"}
    return "".join("".join(cell["source"]) for cell in document["cells"])


def test_the_best_candidate_predicts_from_raw_rows(lab: Lab, folded: dict[str, Any]) -> None:
    endpoint = searches.serve(lab, folded["BestCandidate"])
    found = [row[0] for row in answers(lab, endpoint, messy.raw(UNSEEN))]
    truth = [row[-1] for row in UNSEEN]
    assert set(found) == {"yes", "no"}
    accuracy = metrics.accuracy_score(truth, found)
    assert accuracy == pytest.approx(searches.metrics(folded["BestCandidate"])["Accuracy"], abs=0.1)
    assert answers(lab, endpoint, "C-1,,never seen,not a date,x,,NA\n")  # missing and unseen cells
    for body, problem in ((messy.text(UNSEEN[:2], None), "Row 1 has 8 cells; the model takes 7"), ("", "no rows")):
        with pytest.raises(lab.runtime.exceptions.ModelError, match=problem):
            lab.invoke(endpoint, body)
    header = messy.text([row[:-1] for row in UNSEEN[:2]], messy.HEADER[:-1])
    with pytest.raises(lab.runtime.exceptions.ModelError, match="Row 1 is the header"):
        lab.invoke(endpoint, header)


def test_metrics_on_validation_data_are_those_of_the_model_that_is_served(lab: Lab) -> None:
    """With validation data the model isn't fitted again: what it answers to them is what was measured."""
    bucket = f"s3://{lab.bucket}"
    channels = [searches.channel(f"{bucket}/plain.csv"), searches.channel(f"{bucket}/unseen.csv", "validation")]
    job = searches.search(
        lab,
        "",
        {"Mode": "HYPERPARAMETER_TUNING", "ProblemType": "BinaryClassification"},
        AutoMLJobInputDataConfig=channels,
        AutoMLJobObjective={"MetricName": "AUC"},
    )
    assert job["AutoMLJobStatus"] == "Completed", job
    assert searches.algorithms(job, searches.candidates(lab, job)) == ["xgboost", "linear-learner", "mlp"]
    endpoint = searches.serve(lab, job["BestCandidate"], "predicted_label,probability, probabilities,labels")
    found = answers(lab, endpoint, messy.raw(UNSEEN))
    truth = [row[-1] for row in UNSEEN]
    probabilities = [json.loads(row[2]) for row in found]
    assert {row[3] for row in found} == {'["no", "yes"]'}
    assert [float(row[1]) for row in found] == [max(row) for row in probabilities]
    measured = searches.metrics(job["BestCandidate"])
    assert metrics.roc_auc_score(truth, [row[1] for row in probabilities]) == pytest.approx(measured["AUC"])
    labels = [row[0] for row in found]
    assert metrics.f1_score(truth, labels, pos_label="yes") == pytest.approx(measured["F1"])
    assert metrics.balanced_accuracy_score(truth, labels) == pytest.approx(measured["BalancedAccuracy"])
    assert metrics.log_loss(truth, probabilities) == pytest.approx(measured["LogLoss"])
    as_json = json.loads(lab.invoke(endpoint, messy.raw(UNSEEN[:1]), Accept="application/json"))
    assert as_json["predictions"][0]["predicted_label"] == labels[0]


@pytest.mark.parametrize(
    ("target", "problem", "objective"),
    [("classes", "MulticlassClassification", "Accuracy"), ("value", "Regression", "MSE")],
)
def test_other_problems_are_inferred_searched_and_served(lab: Lab, target: str, problem: str, objective: str) -> None:
    table = messy.rows(520, target=target)
    data = lab.put(f"{target}.csv", messy.text(table))
    job = searches.search(lab, data, DataSplitConfig={"ValidationFraction": 0.25})
    assert job["AutoMLJobStatus"] == "Completed", job
    best = job["BestCandidate"]
    assert best["FinalAutoMLJobObjectiveMetric"]["MetricName"] == objective
    found = searches.candidates(lab, job)
    assert searches.value(best) == (min if problem == "Regression" else max)(map(searches.value, found))
    answer = [row[0] for row in answers(lab, searches.serve(lab, best), messy.raw(UNSEEN))]
    truth = [row[-1] for row in messy.rows(150, seed=9, target=target)]
    if problem == "Regression":
        assert metrics.r2_score(list(map(float, truth)), list(map(float, answer))) > 0.5
    else:
        assert set(answer) <= {"low", "mid", "high"}
        assert metrics.accuracy_score(truth, answer) > 0.5


def test_definitions_alone_train_nothing(lab: Lab) -> None:
    data = f"s3://{lab.bucket}/plain.csv"
    job = searches.search(lab, data, {"GenerateCandidateDefinitionsOnly": True})
    assert (job["AutoMLJobStatus"], job["AutoMLJobSecondaryStatus"]) == ("Completed", "CandidateDefinitionsGenerated")
    assert "BestCandidate" not in job
    assert searches.candidates(lab, job) == []
    assert "xgboost" in notebook(lab, job["AutoMLJobArtifacts"]["CandidateDefinitionNotebookLocation"])
    held = lab.s3.list_objects_v2(Bucket=lab.bucket, Prefix=f"found/{job['AutoMLJobName']}")["Contents"]
    assert all(one["Key"].endswith(".ipynb") for one in held)
