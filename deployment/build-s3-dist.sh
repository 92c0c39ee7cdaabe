#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds what an AWS account installs: deployment/build-s3-dist.sh BUCKET SOLUTION VERSION
# (source/mlops/deploy/build.py says what is written where).
set -euo pipefail

script="${BASH_SOURCE[0]}"
while [ -L "$script" ]; do # a link to this script: the sources are beside the script itself
  target="$(readlink "$script")"
  case "$target" in /*) script="$target" ;; *) script="$(dirname "$script")/$target" ;; esac
done
root="$(cd "$(dirname "$script")/.." && pwd)"
python="$root/.venv/bin/python"
[ -x "$python" ] || python=python3
export PYTHONUTF8=1 # the sources are in UTF-8, whatever the locale is
PYTHONPATH="$root/source${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m mlops.deploy.build "$@"
