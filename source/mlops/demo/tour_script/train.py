# SPDX-License-Identifier: Apache-2.0
"""The user's own script in the tour: a logistic regression, for SageMaker's scikit-learn image.

The rows have the label first and no header, as XGBoost's have.
"""

import argparse
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


def rows(channel: str) -> tuple[np.ndarray, np.ndarray]:
    """The labels and the features of a channel."""
    table = np.vstack([np.loadtxt(path, delimiter=",", ndmin=2) for path in sorted(Path(channel).iterdir())])
    return table[:, 0], table[:, 1:]


def train(regularization: float) -> None:
    """Fit the model, print its AUC on the validation rows, and save it."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=regularization, max_iter=1000))
    labels, features = rows(os.environ["SM_CHANNEL_TRAIN"])
    model.fit(features, labels)
    labels, features = rows(os.environ["SM_CHANNEL_VALIDATION"])
    print(f"validation-auc:{roc_auc_score(labels, model.predict_proba(features)[:, 1]):.6f}")
    joblib.dump(model, Path(os.environ["SM_MODEL_DIR"]) / "model.joblib")


def model_fn(model_dir: str) -> Pipeline:
    """Load the model; SageMaker calls it once."""
    return joblib.load(Path(model_dir) / "model.joblib")


def predict_fn(features: np.ndarray, model: Pipeline) -> np.ndarray:
    """The probability that a row is malignant."""
    return np.asarray(model.predict_proba(np.atleast_2d(features))[:, 1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--regularization", type=float, default=1.0)
    train(parser.parse_args().regularization)
