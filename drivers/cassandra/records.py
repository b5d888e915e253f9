"""Small records, a partition for each kind, changed by compare-and-set; and members, whose time runs by the coordinator's clock."""

from __future__ import annotations

from drivers.base import Conflict, Member, Record, Refused
from drivers.cassandra.session import Session
from drivers.keys import pack

_ONE = "SELECT version, data FROM {keyspace}.record WHERE kind = ? AND id = ?"
_SOME = "SELECT id, version, data FROM {keyspace}.record WHERE kind = ? AND id > ? LIMIT ?"
_PUT = "UPDATE {keyspace}.record SET version = ?, data = ? WHERE kind = ? AND id = ? IF version = ?"
_DELETE = "DELETE FROM {keyspace}.record WHERE kind = ? AND id = ? IF version = ?"
_BEAT = """
INSERT INTO {keyspace}.member (part, id, data, beat, seconds) VALUES (0, ?, ?, toTimestamp(now()), ?)"""
_MEMBERS = """
SELECT id, data, toUnixTimestamp(beat), seconds, toUnixTimestamp(now()) FROM {keyspace}.member WHERE part = 0"""


def record(session: Session, kind: str, id: str) -> Record | None:
    """Raises Unavailable."""
    rows = session.read(_ONE, pack(kind), id)
    return Record(kind, id, *rows[0]) if rows else None


def records(session: Session, kind: str, after: str, limit: int) -> list[Record]:
    """Raises Unavailable."""
    return [Record(kind, *row) for row in session.read(_SOME, pack(kind), after, limit)]


def put_record(session: Session, kind: str, id: str, data: bytes | None, expected: int) -> int:
    """Raises Conflict, Unavailable, Unknown, Refused."""
    try:
        name = pack(kind), id.encode().decode()
    except UnicodeEncodeError as error:
        raise Refused(f"This is no name of a record: {error}.") from error
    while True:
        found = record(session, kind, id)
        if (found.version if found else 0) != expected:
            raise Conflict(found)
        if data is None and found is None:
            return 0
        version = 0 if data is None else expected + 1
        change = (_DELETE, *name) if data is None else (_PUT, version, data, *name)
        if session.decide_one(session.bind(*change, expected or None)):
            return version


def beat(session: Session, member: Member, seconds: float) -> None:
    """Raises Unavailable."""
    session.write([session.bind(_BEAT, member.id, member.data, seconds)])


def members(session: Session) -> list[Member]:
    """Raises Unavailable."""
    rows = session.read(_MEMBERS)
    return [Member(id, data) for id, data, beat, seconds, now in rows if beat + seconds * 1000 > now]
