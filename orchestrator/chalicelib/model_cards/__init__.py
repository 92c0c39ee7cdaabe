# SPDX-License-Identifier: Apache-2.0
"""Amazon SageMaker Model Cards: six operations of POST /provisionpipeline. Imported when one is asked for.

content.schema.json   what SageMaker takes as a card's content
schemas.py            the schema of each operation's request, made from that
canonical.py          a body -> the form that everything after it sees
check.py              a body -> a checked request, or every problem in it
content.py            what a request says -> a card's content
fill.py               what SageMaker says of a model or a training job -> a part of that content
metric_files.py       a file of metrics in S3 -> a part of it, too
operations.py         what each operation does
"""
