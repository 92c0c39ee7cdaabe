# SPDX-License-Identifier: Apache-2.0
"""The regions that an installation is supported in, and what is said of the others."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mlops.deploy import regions
from mlops.deploy.errors import InstallError
from mlops.source_tree import ROOT
from tools.docs import generated


def test_every_supported_region_has_every_resource_type(built: Path) -> None:
    main, blueprints = regions.read(built)
    used = regions.types([main, *blueprints.values()])
    assert {"AWS::SageMaker::Endpoint", "AWS::CodePipeline::Pipeline", "AWS::ApiGateway::RestApi"} <= used
    supported = regions.supported_by(main)
    assert {"us-east-1", "eu-west-1", "us-gov-west-1"} <= set(supported)
    for region in supported:
        assert not used - regions.registries()[region].keys(), region


def test_the_documentation_lists_what_is_built(built: Path) -> None:
    main, _ = regions.read(built)
    listed = generated(ROOT)["installing.md"]["supported regions"]
    assert listed == ", ".join(f"`{region}`" for region in regions.supported_by(main)) + "."


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        ("us-gov-east-1", "CloudFormation does not have AWS::SageMaker::Endpoint,"),
        ("me-central-1", "CloudFormation does not have AWS::SageMaker::Endpoint,"),
        ("ap-south-2", "CloudFormation does not have AWS::SageMaker::ModelPackageGroup there"),
        ("cn-north-1", "CodePipeline has no CloudFormation action there"),
        ("us-iso-east-1", "its CloudFormation resource types are not published"),
        ("mars-north-1", "this build has no data about its CloudFormation resource types"),
    ],
)
def test_another_region_is_refused_with_the_reason(region: str, reason: str, built: Path) -> None:
    with pytest.raises(InstallError, match=f"{region} is not supported: .*{reason}.*Supported: af-south-1, "):
        regions.check(region, built)


def test_a_supported_region_is_not_refused(built: Path) -> None:
    regions.check("eu-west-1", built)


def test_a_build_that_does_not_name_its_regions_is_to_be_made_again(tmp_path: Path) -> None:
    (tmp_path / "global-s3-assets").mkdir()
    (tmp_path / "global-s3-assets" / "mlops-orchestrator-single-account.template").write_text('{"Resources": {}}')
    with pytest.raises(InstallError, match="build it again"):
        regions.check("us-east-1", tmp_path)


def test_a_type_that_a_region_lacks_takes_the_region_away() -> None:
    with_groups = regions.supported({"AWS::S3::Bucket", "AWS::SageMaker::ModelPackageGroup"})
    without = regions.supported({"AWS::S3::Bucket"})
    assert "ap-south-2" in without
    assert "ap-south-2" not in with_groups
    assert regions.types([{"Resources": {"A": {"Type": "AWS::S3::Bucket"}, "B": {"Type": "Custom::B"}}}]) == {
        "AWS::S3::Bucket"
    }


def test_what_is_linted_stands_for_every_supported_region(built: Path) -> None:
    """All schemas in use are the same; a region with another one would be linted by itself."""
    main, blueprints = regions.read(built)
    assert regions.differing(main, blueprints) == []
    registries = regions.registries()
    for region in regions.supported_by(main):
        for name in regions.types([main, *blueprints.values()]):
            assert registries[region][name] == registries["us-east-1"][name], f"{region}: {name}"


def test_the_lint_finds_what_is_wrong(built: Path, tmp_path: Path) -> None:
    template = regions.read(built)[0]
    template["Resources"]["Key"]["Properties"]["Enabled"] = "perhaps"
    (tmp_path / "global-s3-assets").mkdir()
    (tmp_path / "global-s3-assets" / "mlops-orchestrator-single-account.template").write_text(json.dumps(template))
    command = [sys.executable, "-m", "mlops.deploy.regions", str(tmp_path)]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert linted.returncode != 0
    assert "perhaps" in linted.stdout
