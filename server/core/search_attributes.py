"""Search attributes: which names there are, what their values look like, and which may be set.

A custom one takes one of a namespace's fields (Keyword01, Int03, …), as the official server keeps them in SQL databases: the field says
the type, and how many there can be. Source: common/searchattribute/sadefs/constants.go, common/searchattribute/validator.go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from google.protobuf import text_format
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.api.enums.v1 import IndexedValueType

from server.core.limits import Limits
from server.core.outcome import Namespace
from server.core.rejected import InvalidArgument

_TYPES: Final[dict[str, int]] = {
    name.removeprefix("INDEXED_VALUE_TYPE_").title().replace("_", ""): number
    for name, number in IndexedValueType.items()
    if number
}
TEXT, KEYWORD, INT, DOUBLE, BOOL, DATETIME, KEYWORD_LIST = (
    _TYPES[name] for name in ("Text", "Keyword", "Int", "Double", "Bool", "Datetime", "KeywordList")
)
TYPE_NAMES: Final[Mapping[int, str]] = {number: name for name, number in _TYPES.items()}
TYPES: Final[Mapping[str, int]] = _TYPES
FIELDS_OF_TYPE: Final[Mapping[int, int]] = {KEYWORD: 10} | dict.fromkeys(
    (TEXT, INT, DOUBLE, BOOL, DATETIME, KEYWORD_LIST), 3
)

SYSTEM: Final[Mapping[str, int]] = {
    "WorkflowId": KEYWORD,
    "RunId": KEYWORD,
    "WorkflowType": KEYWORD,
    "StartTime": DATETIME,
    "ExecutionTime": DATETIME,
    "CloseTime": DATETIME,
    "ExecutionStatus": KEYWORD,
    "TaskQueue": KEYWORD,
    "HistoryLength": INT,
    "ExecutionDuration": INT,
    "StateTransitionCount": INT,
    "HistorySizeBytes": INT,
    "ParentWorkflowId": KEYWORD,
    "ParentRunId": KEYWORD,
    "RootWorkflowId": KEYWORD,
    "RootRunId": KEYWORD,
}
# May be set by anybody, though they are the server's.
SETTABLE: Final[Mapping[str, int]] = {
    "TemporalChangeVersion": KEYWORD_LIST,
    "BinaryChecksums": KEYWORD_LIST,
    "BuildIds": KEYWORD_LIST,
    "BatcherNamespace": KEYWORD,
    "BatcherUser": KEYWORD,
    "TemporalScheduledStartTime": DATETIME,
    "TemporalScheduledById": KEYWORD,
    "TemporalSchedulePaused": BOOL,
    "TemporalNamespaceDivision": KEYWORD,
    "TemporalPauseInfo": KEYWORD_LIST,
    "TemporalReportedProblems": KEYWORD_LIST,
}
INTERNAL: Final[Mapping[str, int]] = {
    "TemporalWorkerDeploymentVersion": KEYWORD,
    "TemporalWorkflowVersioningBehavior": KEYWORD,
    "TemporalWorkerDeployment": KEYWORD,
    "TemporalUsedWorkerDeploymentVersions": KEYWORD_LIST,
    "TemporalExternalPayloadCount": INT,
    "TemporalExternalPayloadSizeBytes": INT,
}
PREDEFINED: Final[Mapping[str, int]] = {**SYSTEM, **SETTABLE, **INTERNAL}
_RESERVED: Final = frozenset({"NamespaceId", "Memo", "MemoEncoding", "VisibilityTaskKey"})
_FIELD = re.compile(r"([A-Za-z]+?)(\d\d)")


def reserved(name: str) -> bool:
    """The name cannot be a custom search attribute's."""
    return name in PREDEFINED or name in _RESERVED or name.startswith("Temporal")


def fields() -> dict[str, int]:
    """Every field that a custom search attribute can take, with its type."""
    return {
        f"{TYPE_NAMES[kind]}{number:02}": kind
        for kind, count in FIELDS_OF_TYPE.items()
        for number in range(1, count + 1)
    }


def custom(aliases: Mapping[str, str]) -> dict[str, int]:
    """Name → type of the custom ones, from field → name."""
    found = {}
    for field, name in aliases.items():
        match = _FIELD.fullmatch(field)
        if match and match[1] in TYPES:
            found[name] = TYPES[match[1]]
    return found


def check(attributes: SearchAttributes, namespace: Namespace) -> None:
    """Whether a client may set these. Raises InvalidArgument."""
    if attributes.indexed_fields:
        check_names(attributes, namespace)
        check_values(attributes, namespace)
        check_sizes(attributes, namespace.limits)


def check_names(attributes: SearchAttributes, namespace: Namespace) -> None:
    """The namespace has them all. Raises InvalidArgument."""
    for name in attributes.indexed_fields:
        if name not in namespace.search_attributes:
            raise InvalidArgument(f"Namespace {namespace.name} has no mapping defined for search attribute {name}")


def check_values(attributes: SearchAttributes, namespace: Namespace) -> None:
    """How many there are, and what each holds. Raises InvalidArgument."""
    count, most = len(attributes.indexed_fields), namespace.limits.search_attributes_keys_max
    if count > most:
        raise InvalidArgument(f"number of search attributes {count} exceeds limit {most}")
    for name, payload in attributes.indexed_fields.items():
        _check_value(name, payload, namespace.search_attributes[name])


def check_sizes(attributes: SearchAttributes, limits: Limits) -> None:
    """Each value, and all together. Raises InvalidArgument."""
    most = limits.search_attributes_value_bytes_max
    for name, payload in attributes.indexed_fields.items():
        size = len(payload.data)
        if size > most:
            raise InvalidArgument(f"search attribute {name} value size {size} exceeds size limit {most}")
    size, most = attributes.ByteSize(), limits.search_attributes_total_bytes_max
    if size > most:
        raise InvalidArgument(f"total size of search attributes {size} exceeds size limit {most}")


def _check_value(name: str, payload: Payload, kind: int) -> None:
    if name in SYSTEM or name in INTERNAL:
        raise InvalidArgument(f"{name} attribute can't be set in SearchAttributes")
    if not fits(payload, kind):
        shown = _shown(payload)
        raise InvalidArgument(f"invalid value for search attribute {name} of type {TYPE_NAMES[kind]}: {shown}")


def fits(payload: Payload, kind: int) -> bool:
    """The payload holds a value of the type, or null. A list of one value stands for the value, an empty one for null."""
    try:
        value = _decoded(payload)
    except ValueError:
        return False
    if value is None or value == []:
        return True
    if isinstance(value, list) and kind != KEYWORD_LIST:
        return len(value) == 1 and _is(value[0], kind)
    return _is(value, kind)


def _decoded(payload: Payload) -> Any:
    """Raises ValueError."""
    encoding = payload.metadata.get("encoding", b"")
    if encoding == b"binary/null":
        return None
    if encoding != b"json/plain":
        msg = "not JSON"
        raise ValueError(msg)
    return json.loads(payload.data)


def _shown(payload: Payload) -> str:
    try:
        return _as_go(_decoded(payload))
    except ValueError:
        metadata = [
            f'metadata:{{key:"{key}"  value:"{payload.metadata[key].decode(errors="replace")}"}}'
            for key in sorted(payload.metadata)
        ]
        data = text_format.MessageToString(Payload(data=payload.data), as_one_line=True).replace(": ", ":", 1)
        return f"value from <{'  '.join((*metadata, data))}>"


def _as_go(value: Any) -> str:
    """As Go's %v prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return f"[{' '.join(map(_as_go, value))}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_as_go(value[key])}' for key in sorted(value))}]"
    return "<nil>" if value is None else str(value)


def _is(value: Any, kind: int) -> bool:
    if kind in (TEXT, KEYWORD):
        return isinstance(value, str)
    if kind == KEYWORD_LIST:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind == BOOL:
        return isinstance(value, bool)
    if kind == DATETIME:
        return isinstance(value, str) and _is_time(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return kind == DOUBLE or (isinstance(value, int) and -(1 << 63) <= value < 1 << 63)


def _is_time(text: str) -> bool:
    """RFC 3339, as Go reads it: with a zone."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None and "T" in text
    except ValueError:
        return False


def typed(attributes: SearchAttributes, known: Mapping[str, int]) -> SearchAttributes:
    """A copy in which every payload says its type, as the official server shows them."""
    out = SearchAttributes()
    out.CopyFrom(attributes)
    for name, payload in out.indexed_fields.items():
        if kind := known.get(name):
            payload.metadata["type"] = TYPE_NAMES[kind].encode()
    return out


def value_of(payload: Payload, kind: int) -> Any:
    """The value, as lists compare it: times are nanoseconds since 1970; None for null. Raises ValueError for one that does not fit."""
    if not fits(payload, kind):
        msg = f"not a {TYPE_NAMES[kind]}"
        raise ValueError(msg)
    value = _decoded(payload)
    if kind == KEYWORD_LIST:
        return value if value is None or isinstance(value, list) else [value]
    if isinstance(value, list):
        value = value[0] if value else None
    if kind == DATETIME and value is not None:
        return _nanoseconds(value)
    return float(value) if kind == DOUBLE and value is not None else value


def _nanoseconds(text: str) -> int:
    """Of an RFC 3339 time, all nine digits of the fraction."""
    time = Timestamp()
    time.FromJsonString(text)
    return time.ToNanoseconds()
