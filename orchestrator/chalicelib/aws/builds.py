# SPDX-License-Identifier: Apache-2.0
"""CodeBuild: the builds of pipelines."""

from __future__ import annotations

from chalicelib.aws.calls import Calls, code, translate_errors


class Builds(Calls):
    """Calls to CodeBuild."""

    @translate_errors
    def stop_build(self, build_id: str) -> None:
        from botocore.exceptions import ClientError

        try:
            self.client("codebuild").stop_build(id=build_id)
        except ClientError as error:
            if code(error) != "ResourceNotFoundException":
                raise
