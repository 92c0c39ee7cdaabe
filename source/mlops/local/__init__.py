# SPDX-License-Identifier: Apache-2.0
"""The laptop account: ministack, and the services and features that it lacks.

process/         the process and its port
state/           the account's records, written with --data
ministack/       the edge to ministack, by service: the only package that knows its private parts
kit/             serves an AWS API from its model
cloudformation/  resource types, permissions and rules of stacks
stepfunctions/   tasks and versions of state machines
functions/       what Lambda functions see, and how many run
services/        the services that ministack lacks: a package each. It declares its operations on a
                 `kit.api.Api`, its resource types with `cloudformation.resources.resource`, its tasks with
                 `stepfunctions.tasks.task`
containers/      images that really train and serve
settings.py      the account's number and region, and how long each status is shown
environment.py   the process environment: nothing of the user's own AWS settings stays
activity.py      what runs beyond the requests
"""
