"""The opaque tokens that workers and clients carry back to us: task tokens and history page tokens. Every one has a version and is checked:
a forged, empty or foreign one is the official InvalidArgument, never a crash.
"""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError

from server.core.rejected import InvalidArgument
from server.core.state_pb2 import HistoryToken, TaskToken

VERSION = 1
BAD_TASK = "Error deserializing task token."
BAD_PAGE = "Invalid NextPageToken."

M = TypeVar("M", TaskToken, HistoryToken)


def encode(token: TaskToken | HistoryToken) -> bytes:
    """The token as bytes to hand out."""
    token.version = VERSION
    return token.SerializeToString()


def decode_task(data: bytes) -> TaskToken:
    """The task token that we handed out. Raises InvalidArgument."""
    if not data:
        msg = "Task token not set on request."
        raise InvalidArgument(msg)
    token = _decode(TaskToken, data, BAD_TASK)
    if not (token.namespace_id and token.workflow_id and token.run_id):
        raise InvalidArgument(BAD_TASK)
    return token


def decode_page(data: bytes) -> HistoryToken:
    """The history page token that we handed out. Raises InvalidArgument."""
    token = _decode(HistoryToken, data, BAD_PAGE)
    if not token.run_id or token.first_event_id <= 0:
        raise InvalidArgument(BAD_PAGE)
    return token


def _decode(kind: type[M], data: bytes, sentence: str) -> M:
    try:
        token = kind.FromString(data)
    except (DecodeError, RecursionError):
        raise InvalidArgument(sentence) from None
    if token.version != VERSION:
        raise InvalidArgument(sentence)
    return token
