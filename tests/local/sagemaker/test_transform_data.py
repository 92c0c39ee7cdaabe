# SPDX-License-Identifier: Apache-2.0
"""The data of batch transform jobs: which objects, split into which records, filtered and joined how.

The examples are those of https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html, and what
follows from them.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from mlops.local.services.sagemaker.transform import inputs, joining, json_path, records
from mlops.local.services.sagemaker.transform.work import Request, output, requests, work_of

ROW = ["id", "a", "b", "c", "d", "e"]
RECORD = {"id": 7, "features": {"x": 1, "y": [2, 3]}, "SageMakerOutput": {"score": 0.5}}
BOOKS = {"store": {"book": [{"price": 8, "title": "A"}, {"price": 12, "title": "B"}]}}


# --- JSONPath ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "selected"),
    [
        ("$", ROW, ROW),
        ("$[0]", ROW, "id"),
        ("$[-1]", ROW, "e"),
        ("$[1,3,5]", ROW, ["a", "c", "e"]),
        ("$[0,-1]", ROW, ["id", "e"]),
        ("$[0, 4:]", ROW, ["id", "d", "e"]),
        ("$[1:]", ROW, ["a", "b", "c", "d", "e"]),
        ("$[1:4]", ROW, ["a", "b", "c", "d"]),
        ("$[:2]", ROW, ["id", "a", "b"]),
        ("$[-2:]", ROW, ["d", "e"]),
        ("$[:]", ROW, ROW),
        ("$[4:9]", ROW, ["d", "e"]),
        ("$[*]", ROW, ROW),
        ("$.id", RECORD, 7),
        ("$['id']", RECORD, 7),
        ("$['id','SageMakerOutput']", RECORD, {"id": 7, "SageMakerOutput": {"score": 0.5}}),
        ("$.features.['x','y']", RECORD, {"x": 1, "y": [2, 3]}),
        ("$.features.y[1]", RECORD, 3),
        ("$.features.y[0:]", RECORD, [2, 3]),
        ("$.features.*", RECORD, [1, [2, 3]]),
        ("$.store.book[*].price", BOOKS, [8, 12]),
        ("$.store.book[0:0].title", BOOKS, ["A"]),
        ("$['a b']", {"a b": None}, None),
    ],
)
def test_a_path_selects(path: str, value: Any, selected: Any) -> None:
    assert json_path.parse(path).select(value) == selected


@pytest.mark.parametrize("path", ["a", ".a", "$a", "$..a", "$[?(@.a)]", "$[", "$[]", "$[a]", "$['a]", "$.", "$['a',1]"])
def test_a_path_beyond_the_subset_is_refused(path: str) -> None:
    with pytest.raises(json_path.PathError):
        json_path.parse(path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$[6]", ROW),
        ("$[-7]", ROW),
        ("$[0,6]", ROW),
        ("$.a", ROW),
        ("$.a", RECORD),
        ("$[0]", RECORD),
        ("$.id.a", RECORD),
    ],
)
def test_a_path_to_what_is_not_there_is_an_error(path: str, value: Any) -> None:
    with pytest.raises(json_path.PathError):
        json_path.parse(path).select(value)


# --- objects and their records -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "keys", "outputs"),
    [
        ("data/a.csv", ["data/a.csv"], ["a.csv.out"]),
        ("data/", ["data/a.csv", "data/more/b.csv"], ["a.csv.out", "more/b.csv.out"]),
        ("data", ["data/a.csv", "data/more/b.csv"], ["a.csv.out", "more/b.csv.out"]),
        ("data/pa", ["data/part1/a.csv", "data/part2/a.csv"], ["part1/a.csv.out", "part2/a.csv.out"]),
        ("", ["a.csv", "more/b.csv"], ["a.csv.out", "more/b.csv.out"]),
    ],
)
def test_outputs_keep_the_folders_below_the_prefix(prefix: str, keys: list[str], outputs: list[str]) -> None:
    found = inputs.under_prefix("bucket", prefix, keys)
    assert [one.uri for one in found] == [f"s3://bucket/{key}" for key in keys]
    assert [one.output for one in found] == outputs


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"{}", b'["a.csv"]', b'[{"prefix": "bucket/"}, "a"]', b'[{"prefix": "s3://b/"}, 1]', b"[" * 100_000],
)
def test_what_is_no_manifest_is_refused(body: bytes) -> None:
    with pytest.raises(inputs.ManifestError):
        inputs.of_manifest(body)


def recordio(*payloads: bytes) -> bytes:
    return b"".join(struct.pack("<II", 0xCED7230A, len(one)) + one + b"\0" * (-len(one) % 4) for one in payloads)


def tfrecord(*payloads: bytes) -> bytes:
    return b"".join(struct.pack("<QI", len(one), 0) + one + b"\0\0\0\0" for one in payloads)


@pytest.mark.parametrize(
    ("kind", "body", "framed"),
    [
        ("Line", b"one\n\ntwo,2\r\n3", [b"one\n", b"two,2\r\n", b"3\n"]),
        ("RecordIO", recordio(b"one", b"two,2", b""), [recordio(b"one"), recordio(b"two,2"), recordio(b"")]),
        ("TFRecord", tfrecord(b"one", b"two,2"), [tfrecord(b"one"), tfrecord(b"two,2")]),
    ],
)
def test_records_are_split_with_and_without_padding(kind: str, body: bytes, framed: list[bytes]) -> None:
    found = list(records.split(body, kind))
    assert [one.framed for one in found] == framed
    assert found[0].data == b"one"
    assert [records.body_of(batch, "MultiRecord") for batch in records.batches(found, "MultiRecord", 1)] == [
        b"".join(framed)
    ]
    single = [records.body_of(batch, "SingleRecord") for batch in records.batches(found, "SingleRecord", 1)]
    assert single == [one.data for one in found]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("RecordIO", b"no record"),
        ("RecordIO", recordio(b"whole")[:-1]),
        ("RecordIO", recordio(b"whole") + b"1234"),
        ("TFRecord", tfrecord(b"whole")[:-1]),
        ("TFRecord", b"12"),
    ],
)
def test_a_damaged_record_is_told(kind: str, body: bytes) -> None:
    with pytest.raises(records.RecordError):
        list(records.split(body, kind))


def test_as_many_records_as_fit_are_in_a_request() -> None:
    lines = [records.Record(b"x", b"x" * (300 * 1024)) for _ in range(8)]
    assert [len(batch) for batch in records.batches(lines, "MultiRecord", 1)] == [3, 3, 2]
    assert [len(batch) for batch in records.batches(lines, "MultiRecord", 0)] == [8]
    with pytest.raises(records.RecordError, match="Too much data for max payload size"):
        list(records.batches([records.Record(b"", b"x" * (2**20 + 1))], "MultiRecord", 1))


# --- filters and joins -------------------------------------------------------------------------------------


def job(content_type: str, split: str = "Line", **processing: str) -> dict[str, Any]:
    return {
        "TransformInput": {"ContentType": content_type, "SplitType": split},
        "TransformOutput": {"Accept": content_type, "AssembleWith": split},
        "DataProcessing": processing,
    }


def transformed(description: dict[str, Any], body: str, answer: str) -> tuple[str, str]:
    """The one request for an object, and its output if the model gives that answer."""
    work = work_of(description)
    (request,) = requests(body.encode(), work)
    return request.body.decode(), output(request, answer.encode(), "", work).decode()


def test_a_row_and_its_prediction() -> None:
    """The example of AWS: the record [1,2,3] and the label [1] are [1,2,3,1]."""
    assert transformed(job("text/csv", JoinSource="Input"), "1,2,3", "1\n") == ("1,2,3\n", "1,2,3,1\n")


def test_columns_are_filtered_and_joined_as_text() -> None:
    description = job("text/csv", InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-1]")
    body = '"a, ""b""",1.50,2\nc,3,4\n'
    assert transformed(description, body, "0.10\n0.9") == ("1.50,2\n3,4\n", '"a, ""b""",0.10\nc,0.9\n')


@pytest.mark.parametrize(
    ("body", "answer", "written"),
    [
        ('{"key": 1}', '{"label": 1}', {"key": 1, "SageMakerOutput": {"label": 1}}),
        ("[1, 2]", "0.5", {"SageMakerInput": [1, 2], "SageMakerOutput": 0.5}),
    ],
)
@pytest.mark.parametrize(("content_type", "split"), [("application/json", "None"), ("application/jsonlines", "Line")])
def test_json_is_joined_in_an_attribute(
    content_type: str, split: str, body: str, answer: str, written: dict[str, Any]
) -> None:
    _, found = transformed(job(content_type, split, JoinSource="Input"), body, answer)
    assert json.loads(found) == written


def test_attributes_are_filtered_and_selected() -> None:
    description = job(
        "application/jsonlines",
        InputFilter="$.features",
        JoinSource="Input",
        OutputFilter="$['id','SageMakerOutput']",
    )
    body = '{"id": 1, "features": [1, 2]}\n{"id": 2, "features": [3, 4]}\n'
    request, found = transformed(description, body, '{"score":0.1}\n{"score":0.9}\n')
    assert request == "[1,2]\n[3,4]\n"
    assert found == '{"id":1,"SageMakerOutput":{"score":0.1}}\n{"id":2,"SageMakerOutput":{"score":0.9}}\n'


def test_only_line_breaks_end_lines() -> None:
    """Python counts more characters as ends of lines."""
    body, answer = '{"a": "1\u2028\x0c2"}\r\n'.replace("\x0c", "\\f"), "0.5\n"
    written = transformed(job("application/jsonlines", JoinSource="Input"), body, answer)[1]
    assert json.loads(written) == {"a": "1\u2028\x0c2", "SageMakerOutput": 0.5}
    assert transformed(job("text/csv", JoinSource="Input"), "a\x0cb,1\r\n", "2\r\n")[1] == "a\x0cb,1,2\n"


def test_predictions_alone_are_filtered() -> None:
    assert transformed(job("text/csv", OutputFilter="$[1]"), "1,2", "0,0.3\n1,0.7\n")[1] == "0.3\n0.7\n"


@pytest.mark.parametrize(("split", "written"), [("Line", "0.1\n"), ("None", "0.1")])
def test_an_answer_is_written_as_it_is(split: str, written: str) -> None:
    assert transformed(job("text/csv", split), "1,2\n", "0.1")[1] == written


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("0.1\n0.2\n", "Cannot join 2 predictions with 1 input records"),
        ('"predictions": [[1.5]]', "Failed to parse output from the algorithm as CSV"),
    ],
)
def test_answers_that_cannot_be_joined_are_told(answer: str, problem: str) -> None:
    with pytest.raises(joining.FormatError, match=problem):
        transformed(job("text/csv", JoinSource="Input"), "1,2,3\n", answer)


def test_an_empty_object_needs_no_request() -> None:
    for split in ("Line", "None"):
        assert list(requests(b"", work_of(job("text/csv", split)))) == []


def test_a_filter_beyond_a_row_is_told() -> None:
    work = work_of(job("text/csv", JoinSource="Input", OutputFilter="$[5]"))
    with pytest.raises(joining.FormatError, match=r"the index 5 of 3 values"):
        output(Request(b"", [["1", "2"]]), b"3\n", "", work)
