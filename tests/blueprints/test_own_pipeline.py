# SPDX-License-Identifier: Apache-2.0
"""`delivery: own`: a template that has the pipeline itself has what the orchestrator knows its runs by."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from mlops.templates import BlueprintError, compile_catalog
from mlops.templates.pipeline import TEMPLATE_BODY

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"
MANIFEST, TEMPLATE = "image_builder/blueprint.yaml", "image_builder/template.yaml"


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[[str, str, str], None]:
    """Compiles the image builder with one text in one of its files replaced."""

    def compile_changed(file: str, old: str, new: str) -> None:
        for folder in ("_parts", "delivery", "image_builder"):
            shutil.copytree(BLUEPRINTS / folder, tmp_path / "blueprints" / folder)
        path = tmp_path / "blueprints" / file
        assert old in path.read_text("utf-8")
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
        compile_catalog(tmp_path / "blueprints", tmp_path / "catalog")

    return compile_changed


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        (TEMPLATE, "AWS::CodePipeline::Pipeline", "AWS::SNS::Topic", "has one AWS::CodePipeline::Pipeline, not 0"),
        (
            TEMPLATE,
            "            - Include: bundle_source\n",
            "",
            "has the action S3Source: write `Include: bundle_source`",
        ),
        (
            TEMPLATE,
            "RestartExecutionOnUpdate: true",
            "RestartExecutionOnUpdate: false",
            "RestartExecutionOnUpdate: true",
        ),
        (TEMPLATE, "DefaultValue: !Ref BundleDigest", "DefaultValue: !Ref ImageTag", "!Ref BundleDigest"),
        (TEMPLATE, "  PipelineName:\n", "  Named:\n", "has the output PipelineName"),
        (TEMPLATE, "version: 0.2\n", f"version: 0.2\n          # {'x' * TEMPLATE_BODY}\n", "at most 51,200 bytes"),
        (MANIFEST, "BYOMPipelineImageBuilder", "Codepipeline", "does not end in codepipeline"),
        (MANIFEST, "delivery: own ", "delivery: own\nrun: true\n#", "there is no `run: true`"),
        (MANIFEST, "delivery: own ", "delivery: home ", "BundleKey cannot come from the plan"),
        (MANIFEST, "[/ecr_repo_name, /image_tag]", "[/repository]", "/repository is not described"),
        (MANIFEST, "{lookup: base_image_accounts}", "{plan: bundle_name}", "no plan 'bundle_name'"),
    ],
)
def test_what_is_missing_is_refused_when_it_is_compiled(
    compiled: Callable[[str, str, str], None], file: str, old: str, new: str, reason: str
) -> None:
    with pytest.raises(BlueprintError) as refused:
        compiled(file, old, new)
    assert reason in str(refused.value)
