"""A remote codec: an HTTP service that encrypts payloads on the way to the server and decrypts them on the way back.

The protocol is that of the SDKs' RemotePayloadCodec: POST {endpoint}/encode and /decode with the JSON of a Payloads message.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen

from google.protobuf import json_format
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, Payloads, SearchAttributes

from tctl.command import CommandError
from tctl.render import to_json

CODEC_SECONDS = 30.0


class Codec(NamedTuple):
    """Where the codec is, and the headers it wants."""

    endpoint: str
    headers: Mapping[str, str]

    def apply(self, message: Message, verb: str) -> None:
        """Changes every payload in the message, search attributes apart; `verb` is encode or decode. Raises CommandError."""
        found = list(_payloads(message))
        if not found:
            return
        changed = self._ask(verb, Payloads(payloads=found)).payloads
        if len(changed) != len(found):
            raise CommandError(f"the codec answered {len(changed)} payloads to {len(found)}")
        for each, other in zip(found, changed, strict=True):
            each.CopyFrom(other)

    def _ask(self, verb: str, payloads: Payloads) -> Payloads:
        url = f"{self.endpoint.rstrip('/')}/{verb}"
        if not url.startswith(("http://", "https://")):
            raise CommandError(f"the codec endpoint {self.endpoint} is not an HTTP URL")
        body = json.dumps(to_json(payloads, shorthand=False)).encode()
        headers = {"Content-Type": "application/json", **self.headers}
        try:
            with urlopen(Request(url, body, headers), timeout=CODEC_SECONDS) as answer:  # noqa: S310  checked above
                return json_format.Parse(answer.read(), Payloads(), ignore_unknown_fields=True)
        except URLError as error:
            raise CommandError(f"the codec at {url} failed: {error}") from None
        except (OSError, json_format.ParseError) as error:
            raise CommandError(f"the codec at {url} gave no answer that can be read: {error}") from None


def _payloads(message: Message) -> Iterator[Payload]:
    if isinstance(message, Payload):
        yield message
    elif not isinstance(message, SearchAttributes):
        for _, value in message.ListFields():
            yield from _inside(value)


def _inside(value: Any) -> Iterator[Payload]:
    if isinstance(value, Message):
        yield from _payloads(value)
    elif hasattr(value, "MergeFrom"):  # repeated fields and maps
        for item in value.values() if hasattr(value, "values") else value:
            yield from _inside(item)
