# SPDX-License-Identifier: Apache-2.0
"""A model's files: `model.pickle`, and `model.json`, which says what it is.

A pickle is a program. This one is read by an unpickler that admits only the classes that models of ours consist of, by
name, and in a process of its own (see `serve`).
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops.local.containers.autopilot.model import Ensemble, Learned, Model

MODEL, DESCRIPTION = "model.pickle", "model.json"

_OURS = "mlops.local.containers.autopilot"
_ADMITTED: Mapping[str, frozenset[str]] = {
    "builtins": frozenset({"slice"}),
    f"{_OURS}.algorithms": frozenset({"BoostedTrees"}),
    f"{_OURS}.features": frozenset({"Dates", "Numbers", "Words"}),
    f"{_OURS}.model": frozenset({"Ensemble", "Model"}),
    "numpy": frozenset({"dtype", "float64", "ndarray"}),
    "numpy._core.multiarray": frozenset({"_reconstruct", "scalar"}),
    "numpy._core.numeric": frozenset({"_frombuffer"}),
    "scipy.sparse._csr": frozenset({"csr_array", "csr_matrix"}),
    "scipy.sparse._dia": frozenset({"dia_array", "dia_matrix"}),
    "sklearn._loss.link": frozenset({"IdentityLink", "Interval", "LogitLink", "MultinomialLogit"}),
    "sklearn.compose._column_transformer": frozenset({"ColumnTransformer"}),
    "sklearn.decomposition._truncated_svd": frozenset({"TruncatedSVD"}),
    "sklearn.ensemble._forest": frozenset(
        {"ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor"}
    ),
    "sklearn.feature_extraction.text": frozenset({"TfidfTransformer", "TfidfVectorizer"}),
    "sklearn.impute._base": frozenset({"MissingIndicator", "SimpleImputer"}),
    "sklearn.linear_model._logistic": frozenset({"LogisticRegression"}),
    "sklearn.linear_model._ridge": frozenset({"Ridge"}),
    "sklearn.neural_network._multilayer_perceptron": frozenset({"MLPClassifier", "MLPRegressor"}),
    "sklearn.pipeline": frozenset({"Pipeline"}),
    "sklearn.preprocessing._data": frozenset({"StandardScaler"}),
    "sklearn.preprocessing._encoders": frozenset({"OneHotEncoder"}),
    "sklearn.preprocessing._label": frozenset({"LabelBinarizer"}),
    "sklearn.tree._classes": frozenset(
        {"DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"}
    ),
    "sklearn.tree._tree": frozenset({"Tree"}),
}


class Unusable(Exception):
    """Why there is no model in a folder, in words that follow «the artifact»."""


@dataclass(frozen=True)
class Description:
    """What a model is, as far as predicting with it needs to know."""

    problem: str
    labels: tuple[str, ...]
    columns: tuple[str, ...]  # of the rows to predict from, in order


def save(folder: Path, model: Learned, description: Mapping[str, Any]) -> None:
    """Write a model's files; the description has what Description has, and whatever else people want to know."""
    folder.mkdir(parents=True)
    (folder / MODEL).write_bytes(pickle.dumps(model, protocol=5))
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1), "utf-8")


def load(folder: Path) -> tuple[Learned, Description]:
    """A model and what it is. Raises Unusable."""
    for name in (MODEL, DESCRIPTION):
        if not (folder / name).is_file():
            raise Unusable(f"has no file '{name}'; it is not a model of an Autopilot job of the laptop account")
    try:
        written = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        labels, columns = tuple(written["labels"]), tuple(written["columns"])
        description = Description(str(written["problem"]), labels, columns)
    except (ValueError, KeyError, TypeError) as error:
        raise Unusable(f"has a file '{DESCRIPTION}' that does not describe a model ({error!r})") from error
    try:
        model = _Unpickler(io.BytesIO((folder / MODEL).read_bytes())).load()
    except _NotAdmitted as error:
        raise Unusable(f"has a file '{MODEL}' with {error}, which no model of an Autopilot job contains") from error
    except Exception as error:  # whatever a damaged pickle makes of the classes it names
        raise Unusable(f"has a file '{MODEL}' that cannot be read ({type(error).__name__}: {error})") from error
    if not isinstance(model, Model | Ensemble):
        raise Unusable(f"has a file '{MODEL}' that holds no model")
    return model, description


class _NotAdmitted(Exception):
    pass


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name not in _ADMITTED.get(module, ()):
            raise _NotAdmitted(f"{module}.{name}")
        return super().find_class(module, name)
