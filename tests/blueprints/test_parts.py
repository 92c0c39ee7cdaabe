# SPDX-License-Identifier: Apache-2.0
"""What blueprints share: includes, conditions and parameters."""

from __future__ import annotations

from typing import Any

import pytest
from mlops.templates.bindings import bind, field_of
from mlops.templates.folder import BlueprintError, Parts
from mlops.templates.includes import resolve

PIECES: dict[str, Any] = {
    "one": {"A": 1, "B": {"C": 2}},
    "two": {"Include": "one", "B": 3},
    "list": [{"X": 1}, {"Include": "more"}],
    "more": [{"Y": 2}, {"Include": "one"}],
    "itself": {"In": {"Include": "itself"}},
}


@pytest.mark.parametrize(
    ("node", "resolved"),
    [
        ({"Include": "one"}, {"A": 1, "B": {"C": 2}}),
        ({"Include": "one", "A": 7, "D": 4}, {"A": 7, "B": {"C": 2}, "D": 4}),
        ({"Include": ["one", "two"]}, {"A": 1, "B": 3}),
        ({"In": {"Deep": {"Include": "two"}}}, {"In": {"Deep": {"A": 1, "B": 3}}}),
        ([0, {"Include": "list"}, 9], [0, {"X": 1}, {"Y": 2}, {"A": 1, "B": {"C": 2}}, 9]),
        ([{"Include": ["one", "more"]}], [{"A": 1, "B": {"C": 2}}, {"Y": 2}, {"A": 1, "B": {"C": 2}}]),
        ([{"Include": "one", "A": 5}], [{"A": 5, "B": {"C": 2}}]),
    ],
)
def test_an_include_is_what_the_part_says_and_what_stands_beside_it(node: Any, resolved: Any) -> None:
    assert resolve(node, PIECES, "x") == resolved


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ({"Include": "ones"}, "x includes 'ones', which is not in _parts"),
        ({"Include": 7}, "x: Include is not a name or a list of names"),
        ({"Include": [7]}, "x: Include is not a name or a list of names"),
        ({"Include": "list"}, "x includes 'list' in a mapping, but the part is not a mapping"),
        ({"Include": "itself"}, "x includes 'itself', which includes itself"),
    ],
)
def test_an_include_that_leads_nowhere_is_refused(node: Any, told: str) -> None:
    with pytest.raises(BlueprintError) as refused:
        resolve(node, PIECES, "x")
    assert str(refused.value) == told


SHARED = Parts(
    definitions={},
    parameters={"RolePath": {"setting": "role_path"}, "Key": {"lookup": "key", "instance": "/instance_type"}},
    conditions={
        "HasKey": {"Fn::Not": [{"Condition": "NoKey"}]},
        "NoKey": {"Fn::Equals": [{"Ref": "Key"}, ""]},
        "Other": {"Fn::Equals": [{"Ref": "Nothing"}, ""]},
    },
    pieces={},
    keys_elsewhere=[],
)


def test_what_a_template_refers_to_is_bound_and_nothing_else() -> None:
    template = {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"Path": {"Ref": "RolePath"}, "Key": {"Fn::If": ["HasKey", {"Ref": "Role"}, ""]}},
            }
        },
        "Outputs": {"Type": {"Value": {"Fn::Sub": "${InstanceType} ${Own} ${AWS::Region}"}}},
    }
    bound, sources = bind(template, {"Own": {"from": "/model_name"}}, {"instance_type", "own", "role_path"}, SHARED)
    assert bound["Conditions"] == {name: SHARED.conditions[name] for name in ("HasKey", "NoKey")}
    assert sources == {
        "Own": {"from": "/model_name"},
        "InstanceType": {"from": "/instance_type"},
        "RolePath": {"setting": "role_path"},
        "Key": {"lookup": "key", "instance": "/instance_type"},
    }


def test_what_a_blueprint_says_itself_wins() -> None:
    own = {"NoKey": {"Fn::Equals": [1, 2]}}
    template = {
        "Conditions": own,
        "Outputs": {"Path": {"Condition": "NoKey", "Value": {"Ref": "RolePath"}}},
    }
    bound, sources = bind(template, {"RolePath": {"constant": "/x/"}}, {"role_path"}, SHARED)
    assert (bound["Conditions"], sources) == (own, {"RolePath": {"constant": "/x/"}})


@pytest.mark.parametrize(
    ("parameter", "field"),
    [
        ("InstanceType", "instance_type"),
        ("S3DataType", "s3_data_type"),
        ("KmsKeyArn", "kms_key_arn"),
        ("NotificationsSNSTopicArn", "notifications_sns_topic_arn"),
    ],
)
def test_a_parameter_is_named_after_its_field(parameter: str, field: str) -> None:
    assert field_of(parameter) == field
