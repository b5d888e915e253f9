"""Who a caller is and what that lets it do: the words that claim mappers and authorizers share.

Source: common/authorization/roles.go, default_jwt_claim_mapper.go.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, NamedTuple

SYSTEM = "temporal-system"  # a role in this namespace is one in all of them, and in the cluster
log = logging.getLogger(__name__)


class Role(IntFlag):
    """A higher role includes what a lower one may do. A worker's alone lets nothing be done: polling needs WRITE, as in the official server."""

    NONE = 0
    WORKER = 1
    READ = 2
    WRITE = 4
    ADMIN = 8


class Caller(NamedTuple):
    """What a call says of who makes it: the headers `authorization` and `authorization-extras`, and the subject of a client certificate that
    has been verified; each "" when there is none."""

    authorization: str = ""
    extras: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a caller may do. They hold until `until`, seconds since 1970, and are not mapped again before (0: mapped at each call)."""

    subject: str
    system: Role = Role.NONE
    namespaces: Mapping[str, Role] = field(default_factory=dict)
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """What a caller wants: the full name of an RPC, the namespace ("" of none), and the request, which must not be changed (None of a stream)."""

    rpc: str
    namespace: str
    request: Any


class NotAdmitted(Exception):
    """The caller's credentials are wrong; the message says why, for the log alone, and holds nothing of them."""


def granted(
    subject: str, permissions: Iterable[object], until: float, pattern: re.Pattern[str] | None = None
) -> Claims:
    """The claims that words such as `orders:write` give; `pattern` finds `namespace` and `role` in other words. What cannot be read
    grants nothing."""
    system, namespaces = Role.NONE, dict[str, Role]()
    for permission in permissions:
        namespace, role = read_permission(str(permission), pattern)
        if not (role and namespace):
            log.warning("a permission of %r grants nothing: %r", subject, permission)
        elif namespace == SYSTEM:
            system |= role
        else:
            namespaces[namespace] = namespaces.get(namespace, Role.NONE) | role
    return Claims(subject, system, namespaces, until)


def read_permission(permission: str, pattern: re.Pattern[str] | None) -> tuple[str, Role]:
    """The namespace and the role of it; no role when it cannot be read."""
    if pattern is None:
        namespace, _, role = permission.partition(":")
    elif found := pattern.search(permission):
        namespace, role = found["namespace"] or "", found["role"] or ""
    else:
        return "", Role.NONE
    return namespace, ROLES.get(role.lower(), Role.NONE)


ROLES = {role.name.lower(): role for role in Role if role.name}
