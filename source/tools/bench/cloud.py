# SPDX-License-Identifier: Apache-2.0
"""An AWS of three answers, where a first request is always the first: no such stack, written, created."""

from __future__ import annotations

from contextlib import AbstractContextManager
from urllib.parse import parse_qs

from tools.bench import wire

_REFUSAL = """<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type>
<Code>ValidationError</Code><Message>Stack with id {name} does not exist</Message></Error></ErrorResponse>"""
_CREATED = """<CreateStackResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><CreateStackResult>
<StackId>arn:aws:cloudformation:us-east-1:123456789012:stack/{name}/0</StackId></CreateStackResult>
</CreateStackResponse>"""


class _Cloud(wire.Exchange):
    def do_PUT(self) -> None:
        self.body()
        self.answer(200, b"", {"ETag": '"0"', "x-amz-version-id": "1"})

    def do_POST(self) -> None:
        form = {name: values[0] for name, values in parse_qs(self.body().decode()).items()}
        status, text = (400, _REFUSAL) if form["Action"] == "DescribeStacks" else (200, _CREATED)
        self.answer(status, text.format(name=form["StackName"]).encode(), {"Content-Type": "text/xml"})


def serving() -> AbstractContextManager[str]:
    """Serve it; its host and port."""
    return wire.serving(_Cloud)
