"""How a completion callback names the Nexus operation that it completes: the headers, and the token in one of them.

Source: common/nexus/callback_token.go, common/nexus/constants.go.
"""

from __future__ import annotations

import base64
import json

from google.protobuf.message import DecodeError

from server.core.rejected import InvalidArgument
from server.core.state_pb2 import TaskToken

SYSTEM_URL = "temporal://system"  # an operation of a run of this cluster
CALLBACK_HEADER = "temporal-callback-token"
TOKEN_HEADER = "nexus-operation-token"  # noqa: S105  a name
UNREADABLE = "invalid callback token"


def encode_token(token: TaskToken) -> str:
    """The token for the header of a callback."""
    data = base64.urlsafe_b64encode(token.SerializeToString()).decode()
    return json.dumps({"v": 1, "d": data}, separators=(",", ":"))


def decode_token(text: str) -> TaskToken:
    """Which operation a completion is about. Raises InvalidArgument."""
    try:
        token = TaskToken.FromString(base64.urlsafe_b64decode(json.loads(text)["d"]))
    except (ValueError, KeyError, TypeError, DecodeError) as wrong:
        raise InvalidArgument(UNREADABLE) from wrong
    if not (token.namespace_id and token.workflow_id and token.run_id and token.scheduled_event_id):
        raise InvalidArgument(UNREADABLE)
    return token
