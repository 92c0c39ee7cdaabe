# SPDX-License-Identifier: Apache-2.0
"""Amazon SageMaker Model Cards: six operations of POST /provisionpipeline. Imported when one is asked for.

content.schema.json   what SageMaker takes as a card's content
schemas.py            the schema of each operation's request, made from that
check.py              a body -> a checked request, or every problem in it
nulls.py              nulls in an update, which remove keys
content.py            what a request says -> a card's content
lookups.py            what a request names in AWS -> a part of that content, by the two below
fill.py               what SageMaker says of a model or a training job -> such a part
metric_files.py       a file of metrics in S3 -> such a part
operations.py         what each operation does
"""
