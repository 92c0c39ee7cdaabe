# SPDX-License-Identifier: Apache-2.0
"""AWS CodeBuild: projects, and builds that get as far as this account can take them.

There is no Docker here. A build really reads its source with the project's role, and its buildspec is checked; then it
fails, and says what is missing. No build succeeds that has not built anything.

records.py     what CodeBuild remembers
projects.py    the API of projects
builds.py      the API of builds
build_run.py   the phases of a build
buildspec.py   reads a buildspec
source.py      reads a source: a zip in S3
resource.py    AWS::CodeBuild::Project
"""

from mlops.local.services.codebuild import builds, projects, resource

__all__ = ["builds", "projects", "resource"]
