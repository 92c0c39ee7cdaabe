#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the files to install in an AWS account: deployment/build-s3-dist.sh BUCKET SOLUTION VERSION
# (source/mlops/deploy/build.py describes the output).
set -euo pipefail

script="${BASH_SOURCE[0]}"
while [ -L "$script" ]; do # a link to this script: the sources are next to its target
  target="$(readlink "$script")"
  case "$target" in /*) script="$target" ;; *) script="$(dirname "$script")/$target" ;; esac
done
root="$(cd "$(dirname "$script")/.." && pwd)"
python="$root/.venv/bin/python"
[ -x "$python" ] || python=python3
export PYTHONUTF8=1 # the sources are UTF-8, regardless of the locale
PYTHONPATH="$root/source${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m mlops.deploy.build "$@"
