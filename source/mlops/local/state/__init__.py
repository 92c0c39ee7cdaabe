# SPDX-License-Identifier: Apache-2.0
"""The account's records, and how they outlive the process with `--data`.

store.py       tables of our services' records; all records, read and filled again
directory.py   the directory that holds them, one account's at a time
journal.py     the file they are written to, in frames that each hold one moment
saving.py      when they are written, and which responses wait for it
writes.py      which requests may change something
outbox.py      what is written a moment later, many at once
"""
