# SPDX-License-Identifier: Apache-2.0
"""Bytes -> a checked request. Pure: no AWS call, no clock.

check.py            calls the modules below; gathers every problem
request.py          size, UTF-8, JSON, depth, duplicate keys, NaN
canonical.py        the canonical form: "20" is 20, "" is absent, old spellings are new ones
validate.py         whether the body fits its schema; gathers what does not
places.py           the places in a body that a schema describes, inside objects and lists too
rules.py            the rules over two fields
explain.py          what does not fit a schema, as problems with hints; imported for a wrong request only
reach.py            buckets, images and keys: this account's, AWS's own, or allowed by the installer
references.py       fields whose values only AWS can tell
preconditions.py    what must be so in AWS before anything is written
hyperparameters.py  what the built-in algorithms' containers would refuse
ranges.py           ranges of hyperparameters to search: their form
tuning.py           what of a search AWS would refuse: ranges, settings, static hyperparameters
parameters.py       fields, settings and lookups -> template parameters
lookups.py          the values a blueprint can ask for by name
query.py            query parameters
"""
