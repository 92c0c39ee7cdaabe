# SPDX-License-Identifier: Apache-2.0
"""The pieces of the main template, and the parts that they include."""

import re
from pathlib import Path

import pytest
from mlops.deploy.build import Sources
from mlops.deploy.errors import TemplateError
from mlops.deploy.template import load_folder


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def test_what_a_piece_says_itself_wins_over_what_it_includes(tmp_path: Path) -> None:
    parts = {"_parts/topic.yaml": "DisplayName: shared\nKmsMasterKeyId: !Ref Key\n"}
    piece = "Resources:\n  Topic: {Type: AWS::SNS::Topic, Properties: {Include: topic, DisplayName: own}}\n"
    found = load_folder(write(tmp_path, {**parts, "piece.yaml": piece}))
    assert found.keys() == {"piece.yaml"}
    properties = found["piece.yaml"]["Resources"]["Topic"]["Properties"]
    assert properties == {"DisplayName": "own", "KmsMasterKeyId": {"Ref": "Key"}}


def test_a_part_that_is_missing_is_an_error_that_names_the_piece(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"piece\.yaml.*'nothing'"):
        load_folder(write(tmp_path, {"piece.yaml": "Resources: {Include: nothing}\n"}))


def test_every_part_is_included_more_than_once() -> None:
    templates = Sources().templates
    text = "".join(path.read_text("utf-8") for path in templates.glob("*.yaml"))
    for path in (templates / "_parts").glob("*.yaml"):
        assert len(re.findall(rf"\bInclude: {path.stem}\b", text)) > 1, path.name
