"""Payloads by name: memos and search attributes. A null (or empty list) deletes its name. Source: common/payload/payload.go."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

from temporalio.api.common.v1 import Memo, Payload, Payloads, SearchAttributes

NULLS = (b"", b"null", b"[]")


def merge(into: MutableMapping[str, Payload], changes: MutableMapping[str, Payload]) -> None:
    """Sets what `changes` holds and deletes what it holds a null for."""
    for name, payload in changes.items():
        if payload.data in NULLS:
            into.pop(name, None)
        else:
            into[name].CopyFrom(payload)


def memo(asked: Memo) -> Memo | None:
    """The memo without nulls; None when nothing is left."""
    kept = Memo()
    merge(kept.fields, asked.fields)
    return kept if kept.fields else None


def search_attributes(asked: SearchAttributes) -> SearchAttributes | None:
    """The search attributes without nulls; None when nothing is left."""
    kept = SearchAttributes()
    merge(kept.indexed_fields, asked.indexed_fields)
    return kept if kept.indexed_fields else None


def set_keyword(attributes: SearchAttributes, name: str, value: str | list[str]) -> None:
    """Sets a search attribute of the server's own to a keyword or a list of them; nothing deletes it."""
    payload = json_payload(value or None)
    payload.metadata["type"] = b"KeywordList" if isinstance(value, list) else b"Keyword"
    merge(attributes.indexed_fields, {name: payload})


def size(fields: MutableMapping[str, Payload]) -> int:
    """Bytes of names and data, as the limit on commands counts them."""
    return sum(len(name.encode()) + len(payload.data) for name, payload in fields.items())


def encode(*values: Any) -> Payloads:
    """JSON values as an SDK's default converter writes them."""
    return Payloads(payloads=[json_payload(value) for value in values])


def json_payload(value: Any) -> Payload:
    """One JSON value."""
    data = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    return Payload(metadata={"encoding": b"json/plain"}, data=data)
