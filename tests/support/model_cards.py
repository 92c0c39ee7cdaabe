# SPDX-License-Identifier: Apache-2.0
"""Model cards through the API: a content with everything in it, and its operations."""

from __future__ import annotations

import json
from typing import Any

from tests.support.http import Answer
from tests.support.installed import Installed

CONTENT: dict[str, Any] = {
    "model_overview": {
        "model_id": "fraud-7",
        "model_description": "Scores payments.\nSee “the handbook”.",
        "model_version": 2.5,
        "problem_type": "Binary Classification",
        "algorithm_type": "XGBoost",
        "model_creator": "Risk",
        "model_owner": "Payments",
        "model_artifact": ["s3://models/fraud/7/model.tar.gz"],
        "inference_environment": {"container_image": ["111122223333.dkr.ecr.us-east-1.amazonaws.com/fraud:7"]},
    },
    "intended_uses": {
        "purpose_of_model": "Fraud",
        "intended_uses": "Card payments",
        "factors_affecting_model_efficiency": "Seasons",
        "risk_rating": "High",
        "explanations_for_risk_rating": "Payments are refused.",
    },
    "business_details": {
        "business_problem": "Losses",
        "business_stakeholders": "Merchants",
        "line_of_business": "Payments",
    },
    "training_details": {
        "objective_function": {
            "function": {"function": "Maximize", "facet": "AUC", "condition": "recent data"},
            "notes": "of the last month",
        },
        "training_observations": "It converged.",
        "training_job_details": {
            "training_arn": "arn:aws:sagemaker:us-east-1:111122223333:training-job/fraud-7",
            "training_datasets": ["s3://data/fraud/train.csv"],
            "training_environment": {"container_image": ["111122223333.dkr.ecr.us-east-1.amazonaws.com/train:1"]},
            "training_metrics": [{"name": "auc", "value": 0.93, "notes": "of validation"}],
            "user_provided_training_metrics": [{"name": "lift", "value": 4}],
            "hyper_parameters": [{"name": "eta", "value": "0.1"}],
            "user_provided_hyper_parameters": [{"name": "seed", "value": "7"}],
        },
    },
    "evaluation_details": [
        {
            "name": "holdout",
            "evaluation_observation": "Fine.",
            "evaluation_job_arn": "arn:aws:sagemaker:us-east-1:111122223333:processing-job/holdout",
            "datasets": ["s3://data/fraud/test.csv"],
            "metadata": {"rows": "1000"},
            "metric_groups": [
                {
                    "name": "scores",
                    "metric_data": [
                        {"name": "auc", "type": "number", "value": 0.91, "notes": "n", "x_axis_name": "x"},
                        {"name": "calibrated", "type": "boolean", "value": True},
                        {"name": "verdict", "type": "string", "value": "usable"},
                        {
                            "name": "confusion",
                            "type": "matrix",
                            "value": [[9, 1], [2, 8]],
                            "x_axis_name": ["no", "yes"],
                            "y_axis_name": ["no", "yes"],
                        },
                        {"name": "roc", "type": "linear_graph", "value": [[0, 0], [0.2, 0.8], [1, 1]]},
                        {"name": "regions", "type": "bar_chart", "value": [1, 2], "x_axis_name": ["EU", "US"]},
                    ],
                }
            ],
        }
    ],
    "additional_information": {
        "ethical_considerations": "None known.",
        "caveats_and_recommendations": "Watch drift.",
        "custom_details": {"ticket": "RISK-1"},
    },
}


def ask(api: Installed, operation: str, **keys: Any) -> Answer:
    return api.provision({"pipeline_type": operation, **keys})


def done(api: Installed, operation: str, **keys: Any) -> Any:
    answer = ask(api, operation, **keys)
    assert answer.status == 200, answer.text
    return answer.body["message"]


def content(card: dict[str, Any]) -> Any:
    return json.loads(card["Content"])
