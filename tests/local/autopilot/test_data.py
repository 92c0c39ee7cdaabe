# SPDX-License-Identifier: Apache-2.0
"""What Autopilot jobs make of their files: the kinds of columns, the problem, and what cannot be learnt from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlops.local.containers.autopilot import candidates, data, modes
from mlops.local.containers.autopilot.errors import DataError

from tests.support import messy


def prepared(folder: Path, files: dict[str, str], **changes: Any) -> data.Data:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    wanted = {"target": messy.TARGET, "weights": "", "problem_type": "", "fraction": 0.0, **changes}
    return data.prepare(folder, **wanted)


def table(target: Any, rows: int = 500, header: str = "a,b,churned") -> str:
    """Two columns of numbers, and a target that is a function of the row's number."""
    lines = [f"{number},{number % 7},{target(number)}" for number in range(rows)]
    return "\n".join([header, *lines])


def test_each_column_is_used_as_what_it_holds(tmp_path: Path) -> None:
    found = prepared(tmp_path, {"training/a.csv": messy.text(messy.rows(500))})
    assert {column.name: column.kind for column in found.columns} == {
        "Customer ID": "unused",
        "age": "numeric",
        "Plan name": "categorical",
        "joined": "datetime",
        "constant": "unused",
        "last comment": "text",
        "income": "numeric",
    }
    assert found.problem.labels == ("no", "yes")
    assert sorted(row for _, measured in found.splits for row in measured) == list(range(500))


@pytest.mark.parametrize(
    ("target", "kind", "labels"),
    [
        (lambda number: number % 2, "BinaryClassification", ("0", "1")),
        (lambda number: "tf"[number % 2], "BinaryClassification", ("f", "t")),
        (lambda number: number % 4 + 8, "MulticlassClassification", ("8", "9", "10", "11")),
        (lambda number: "abc"[number % 3], "MulticlassClassification", ("a", "b", "c")),
        (lambda number: number / 2, "Regression", ()),
        (lambda number: number % 40, "Regression", ()),
    ],
)
def test_the_problem_is_inferred(tmp_path: Path, target: Any, kind: str, labels: tuple[str, ...]) -> None:
    found = prepared(tmp_path, {"training/a.csv": table(target)}).problem
    assert (found.kind, found.labels) == (kind, labels)


def test_rare_classes_and_rows_without_target_are_left_out_and_said(tmp_path: Path) -> None:
    found = prepared(
        tmp_path,
        {"training/a.csv": table(lambda number: "" if number < 10 else "rare" if number < 12 else "ab"[number % 2])},
    )
    assert found.problem.labels == ("a", "b")
    assert len(found.rows) == 488
    assert "2 rows with the class 'rare' are left out: it needs at least 5" in found.notes
    assert any("12 rows of the training data are left out" in note for note in found.notes)


def test_weights_are_no_feature_and_bad_ones_leave_their_row_out(tmp_path: Path) -> None:
    files = {"training/a.csv": table(lambda number: "ab"[number % 2]).replace("499,2,b", "499,-1,b")}
    found = prepared(tmp_path, files, weights="b")
    assert [column.name for column in found.columns] == ["a"]
    assert found.weights is not None
    assert (len(found.rows), found.weights[:3].tolist()) == (499, [0, 1, 2])
    found = candidates.evaluate(
        candidates.definitions(modes.TUNING, ["linear-learner"], 1, "job")[0],
        found, candidates.Features(found), [], "F1",
    )  # fmt: skip
    assert 0 <= found.metrics["Validation"]["F1"] <= 1


CLASSES = table(lambda number: "ab"[number % 2])
WRONG: list[tuple[dict[str, str], dict[str, Any], str]] = [
    ({"training/a.csv": table(lambda number: number % 2, rows=499)}, {}, "499 rows; Autopilot requires at least 500"),
    ({"training/a.csv": table(lambda number: "x")}, {}, "has one value only, 'x'"),
    ({"training/a.csv": table(lambda number: "")}, {}, "has no values"),
    ({"training/a.csv": CLASSES}, {"target": "Churned"}, "'Churned' is not a column of the training data; the columns"),
    ({"training/a.csv": CLASSES}, {"weights": "w"}, "the sample weight attribute 'w' is not a column"),
    ({"training/a.csv": CLASSES}, {"problem_type": "Regression"}, "values that are not numbers, such as 'a'"),
    ({"training/a.csv": table(lambda n: "abc"[n % 3])}, {"problem_type": "BinaryClassification"}, "has 3 classes"),
    ({"training/a.csv": table(lambda number: f"name {number}")}, {}, "the problem type cannot be inferred"),
    ({"training/a.csv": CLASSES, "training/b.csv": "a,c,churned\n1,2,a"}, {}, "the header of b.csv is not that of"),
    ({"training/a.csv": CLASSES + "\n1,2"}, {}, "a.csv, row 502: 2 cells, but the header has 3 columns"),
    ({"training/a.csv": "a,a,churned\n1,2,3"}, {}, "two columns named 'a'"),
    ({"training/a.csv": 'a,b,churned\n1,"2,3\n'}, {}, "is not CSV"),
    ({"training/a.csv": ""}, {}, "fewer than two columns"),
    ({"training/a.csv": CLASSES, "validation/v.csv": "a,churned\n1,a"}, {}, "other columns than the training data"),
    ({"training/a.csv": CLASSES, "validation/v.csv": "a,b,churned\n1,1,c"}, {}, "the validation data have no row"),
    ({"training/a.csv": CLASSES}, {"fraction": 0.001}, "cannot be split with the validation fraction 0.001"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "changes", "problem"), WRONG)
def test_data_that_cannot_be_learnt_from(
    tmp_path: Path, files: dict[str, str], changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, files, **changes)
    assert problem in str(caught.value)


def test_candidates_take_turns_and_differ(tmp_path: Path) -> None:
    found = candidates.definitions(modes.ENSEMBLING, [], 10, "job")
    assert [one.algorithm for one in found[:5]] == [*modes.ALGORITHMS[modes.ENSEMBLING], "xgboost"]
    assert found[-1].algorithm == candidates.ENSEMBLE
    assert found == candidates.definitions(modes.ENSEMBLING, [], 10, "job")
    boosted = [one.hyperparameters for one in found if one.algorithm == "xgboost"]
    assert all(one != other for number, one in enumerate(boosted) for other in boosted[:number])
    few = candidates.definitions(modes.ENSEMBLING, [], 3, "job")
    assert [one.algorithm for one in few] == ["xgboost", "linear-learner", "randomforest"]


def test_a_fold_does_not_see_the_rows_it_measures(tmp_path: Path) -> None:
    """The target is a secret of each row: whoever knows it only from other rows cannot guess it."""
    noise = np.random.default_rng(1).integers(0, 2, 500)
    found = prepared(tmp_path, {"training/a.csv": table(lambda number: "ab"[noise[number]])})
    candidate = candidates.definitions(modes.ENSEMBLING, ["randomforest"], 1, "job")[0]
    measured = candidates.evaluate(candidate, found, candidates.Features(found), [], "F1").metrics
    assert measured["Train"]["Accuracy"] > 0.8
    assert measured["Validation"]["Accuracy"] == pytest.approx(0.5, abs=0.1)
