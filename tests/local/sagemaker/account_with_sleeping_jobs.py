# SPDX-License-Identifier: Apache-2.0
"""An account whose processing jobs run a shell command: a second kind of job, unlike training jobs.

`python -m tests.local.sagemaker.account_with_sleeping_jobs` starts it; the account imports
this module among its services.
"""

import subprocess
import sys
from typing import Any


def serve_sleeping_jobs() -> None:
    """Each runs the first argument of its container with sh."""
    from chalicelib.job_kinds import JOB_KINDS
    from mlops.local.kit.errors import Caller
    from mlops.local.services.sagemaker.jobs import JobFailed, JobStopped, Run, job_type
    from mlops.local.services.sagemaker.service import invalid
    from mlops.local.state.store import Record

    @job_type
    class SleepingJob:
        kind = JOB_KINDS["ProcessingJob"]
        event = "Processing Job"
        default_order = "Descending"
        messages: dict[str, str] = {}  # noqa: RUF012

        def check(self, request: dict[str, Any], caller: Caller) -> None:
            if "ContainerArguments" not in request["AppSpecification"]:
                raise invalid("A command is missing.")

        def record(self, request: dict[str, Any]) -> Record:
            return {"Environment": {}}

        def run(self, run: Run) -> None:
            run.starts()
            command = run.job["AppSpecification"]["ContainerArguments"][0]
            with subprocess.Popen(["/bin/sh", "-c", command]) as process:
                ended = run.follow(process, lambda: None)
            if ended == "Failed":
                raise JobFailed(f"AlgorithmError: exit code {process.returncode}")
            if ended != "Completed":
                raise JobStopped(ended)

        def ended(self, job: Record) -> None:
            job["ExitMessage"] = "it has ended"


if __name__ == "__main__":
    from mlops.local.process import server

    server.SERVICES = (*server.SERVICES, "tests.local.sagemaker.account_with_sleeping_jobs")
    sys.exit(server.main())
else:
    serve_sleeping_jobs()
