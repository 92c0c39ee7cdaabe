# SPDX-License-Identifier: Apache-2.0
"""What a browser is shown at the account's root URL: static, without scripts, and without anything of the account."""

from __future__ import annotations

HEADERS = (
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)

HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>AWS account on this laptop</title>
</head>
<body>
<h1>An AWS account on this laptop</h1>
<p>This is the endpoint of <code>mlops local up</code>. It serves the AWS APIs that the MLOps Orchestrator uses: S3,
CloudFormation, Lambda, API Gateway, Step Functions, CodePipeline, SageMaker, IAM and others.</p>
<p>Nothing can be done here from a browser: every request must be signed. In a terminal:</p>
<pre>
eval "$(mlops local env)"    # selects this account, for mlops, the AWS CLI and boto3
mlops --help                 # provisions and watches pipelines
aws s3 ls
</pre>
</body>
</html>
"""
