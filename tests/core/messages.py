"""What workers say of updates."""

from __future__ import annotations

from google.protobuf.message import Message
from temporalio.api.failure.v1 import Failure
from temporalio.api.protocol.v1 import Message as Packet
from temporalio.api.update.v1 import Acceptance, Outcome, Rejection, Response


def packet(body: Message, id: str = "u", message_id: str = "") -> Packet:
    out = Packet(id=message_id or f"{id}/{type(body).__name__}", protocol_instance_id=id)
    out.body.Pack(body)
    return out


def accept(id: str = "u") -> Packet:
    body = Acceptance(accepted_request_message_id=f"{id}/request", accepted_request_sequencing_event_id=1)
    return packet(body, id)


def reject(id: str = "u") -> Packet:
    return packet(Rejection(failure=Failure(message="no")), id)


def respond(id: str = "u") -> Packet:
    return packet(Response(meta={"update_id": id}, outcome=Outcome(success={})), id)  # type: ignore[arg-type]
