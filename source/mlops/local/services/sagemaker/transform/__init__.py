# SPDX-License-Identifier: Apache-2.0
"""What a batch transform job computes with, apart from SageMaker's API and S3; all of it is pure.

inputs.py       the keys under a prefix, or a manifest -> the objects to transform, each with the name of its output
records.py      an object -> its records -> the requests to the model
json_path.py    a JSONPath of SageMaker's subset, and what it selects
joining.py      records and predictions in CSV, JSON and JSON Lines: filtered, joined, written
"""
