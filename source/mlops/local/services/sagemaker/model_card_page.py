# SPDX-License-Identifier: Apache-2.0
"""A model card as a page of HTML. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto}dt{font-weight:bold}dd{margin:0 0 .5rem 1.5rem}"
)


def page(card: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """A page with what a card is called, and everything in its content."""
    name = escape(card["ModelCardName"])
    about = {
        "version": card["ModelCardVersion"],
        "status": card["ModelCardStatus"],
        "arn": card["ModelCardArn"],
        "created": card["CreationTime"].isoformat(),
    }
    sections = "".join(f"<h2>{_title(key)}</h2>{_html(value)}" for key, value in content.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{name}</h1>{_html(about)}{sections}</body></html>\n"
    )


def _html(value: Any) -> str:
    if isinstance(value, Mapping):
        return "<dl>" + "".join(f"<dt>{_title(key)}</dt><dd>{_html(one)}</dd>" for key, one in value.items()) + "</dl>"
    if isinstance(value, list):
        return "<ul>" + "".join(f"<li>{_html(one)}</li>" for one in value) + "</ul>"
    return escape(str(value))


def _title(key: str) -> str:
    return escape(key.replace("_", " ").capitalize())
