# SPDX-License-Identifier: Apache-2.0
"""A file of metrics -> the metric groups of an evaluation. Pure.

The files are SageMaker's own: the statistics of Model Monitor's model quality, Clarify's analysis.json, and groups as
a card has them. Metrics without a value, which Clarify writes as null, are left out.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html
https://docs.aws.amazon.com/sagemaker/latest/dg/clarify-analysis-results.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Metric = dict[str, Any]
Group = dict[str, Any]

GROUP_NAME, METRIC_NAME, AXIS_NAME = 63, 255, 63  # characters
_CURVES = {  # metric -> its x and y values
    "receiver_operating_characteristic_curve": ("false_positive_rates", "true_positive_rates"),
    "precision_recall_curve": ("recalls", "precisions"),
}


class NotOfThisFormat(Exception):
    """The file is not what its metric type says; the text says what is missing or wrong."""


def metric_groups(metric_type: str, document: Any) -> list[Group]:
    """The groups in a parsed file. Raises NotOfThisFormat."""
    if not isinstance(document, Mapping):
        raise NotOfThisFormat("it is not a JSON object")
    try:
        return [group for group in _READERS[metric_type](document) if group["metric_data"]]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise NotOfThisFormat(f"{type(error).__name__}: {error}") from error


def _of_a_card(document: Mapping[str, Any]) -> list[Group]:
    return list(_member(document, "metric_groups"))


def _quality(group: str) -> Callable[[Mapping[str, Any]], list[Group]]:
    """A reader of Model Monitor's statistics, whose metrics of one problem type are in one object."""

    def read(document: Mapping[str, Any]) -> list[Group]:
        metrics = _member(document, group)
        return [_group(group, [one for name, value in metrics.items() for one in _quality_metric(name, value)])]

    return read


def _quality_metric(name: str, value: Mapping[str, Any]) -> Iterator[Metric]:
    if name == "confusion_matrix":
        if not value:
            return
        labels, predicted = list(value), list(next(iter(value.values())))
        rows = [[value[label][one] for one in predicted] for label in labels]
        yield _metric(name, "matrix", rows, _axes(predicted), _axes(labels))
    elif name in _CURVES:
        x, y = _CURVES[name]
        yield _metric(name, "linear_graph", list(map(list, zip(value[x], value[y], strict=True))), x, y)
    else:
        yield from _number(name, value["value"])
        yield from _number(f"{name} - standard_deviation", value.get("standard_deviation"))


def _bias(document: Mapping[str, Any]) -> list[Group]:
    """A group for each kind of bias metrics, facet and value of the facet."""
    analyses = {name: one for name, one in document.items() if isinstance(one, Mapping) and "facets" in one}
    if not analyses:
        raise NotOfThisFormat("it has no facets")
    return [
        _group(
            f"{name} - {one['label']}={one['label_value_or_threshold']}, {facet}={item['value_or_threshold']}",
            [metric for given in item["metrics"] for metric in _number(given["name"], given["value"])],
        )
        for name, one in analyses.items()
        for facet, items in one["facets"].items()
        for item in items
    ]


def _explainability(document: Mapping[str, Any]) -> list[Group]:
    explanations = _member(document, "explanations")
    return [*_shap(explanations.get("kernel_shap", {})), *_partial_dependence(explanations.get("pdp", []))]


def _shap(labels: Mapping[str, Any]) -> Iterator[Group]:
    for label, found in labels.items():
        values = found.get("global_shap_values", {})
        yield _group(
            f"global_shap_values - {label}", [one for name, value in values.items() for one in _number(name, value)]
        )
        for feature, words in found.get("global_top_shap_text", {}).items():
            numbers = [one for name, value in words.items() for one in _number(name, value)]
            yield _group(f"global_top_shap_text - {label}, {feature}", numbers)


def _partial_dependence(features: list[Mapping[str, Any]]) -> Iterator[Group]:
    """A group for each feature: how its values are distributed, and what the model predicts of each."""
    for feature in features:
        name, values = feature["feature_name"], feature["feature_values"]
        series = {"data_distribution": feature["data_distribution"]}
        series |= dict(zip(feature["label_headers"], feature["model_predictions"], strict=True))
        if feature["data_type"] == "numerical":
            drawn = [
                _metric(of, "linear_graph", list(map(list, zip(values, ys, strict=True))), str(name), str(of))
                for of, ys in series.items()
            ]
        else:
            drawn = [_metric(of, "bar_chart", list(ys), _axes(values), str(of)) for of, ys in series.items()]
        yield _group(f"pdp - {name}", drawn)


def _number(name: str, value: Any) -> Iterator[Metric]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield {"name": str(name)[:METRIC_NAME], "type": "number", "value": value}


def _metric(name: str, kind: str, value: Any, x: Any, y: Any) -> Metric:
    cut = [axis if isinstance(axis, list) else axis[:AXIS_NAME] for axis in (x, y)]
    return {"name": name[:METRIC_NAME], "type": kind, "value": value, "x_axis_name": cut[0], "y_axis_name": cut[1]}


def _axes(names: Any) -> list[str]:
    return [str(name)[:AXIS_NAME] for name in names]


def _group(name: str, metrics: list[Metric]) -> Group:
    return {"name": name[:GROUP_NAME], "metric_data": metrics}


def _member(document: Mapping[str, Any], name: str) -> Any:
    if name not in document:
        raise NotOfThisFormat(f"it has no {name}")
    return document[name]


_READERS: Mapping[str, Callable[[Mapping[str, Any]], list[Group]]] = {
    "model_card_metric_schema": _of_a_card,
    "clarify_bias": _bias,
    "clarify_explainability": _explainability,
    "regression": _quality("regression_metrics"),
    "binary_classification": _quality("binary_classification_metrics"),
    "multiclass_classification": _quality("multiclass_classification_metrics"),
}
