"""The list filter: text in the official language → a drivers.base.Filter, with every value checked against its attribute's type.

The language is the condition of a SQL statement; sentences and positions are those of common/persistence/visibility/store/query (positions count
from the start of the statement that the official server puts around the text).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, NoReturn

from temporalio.api.enums.v1 import IndexedValueType as Type
from temporalio.api.enums.v1 import WorkflowExecutionStatus

from drivers.base import Compare, Filter, IsNull, Junction, Not, OneOf
from server.core.rejected import InvalidArgument

AROUND = len("select * from dummy where ") + 1
GROUPABLE = {"ExecutionStatus", "TemporalWorkflowVersioningBehavior"}
STATUS_NAMES = {
    name.removeprefix("WORKFLOW_EXECUTION_STATUS_").title().replace("_", ""): number
    for name, number in WorkflowExecutionStatus.items()
    if number
}
OPERATORS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
WORDS = {"AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "LIKE", "STARTS_WITH", "TRUE", "FALSE"}
CLAUSES = ("ORDER", "GROUP", "LIMIT", "BY")
STATEMENT = {"SELECT", "FROM", "WHERE", "UNION", "INSERT", "UPDATE", "DELETE", "HAVING"}
TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | '(?P<single>(?:[^'\\]|\\.|'')*)' | "(?P<double>(?:[^"\\]|\\.|"")*)" | `(?P<tick>[^`]+)`
    | (?P<name>[A-Za-z_][\w.]*)
    | (?P<symbol><=|>=|<>|!=|[-+/%=<>(),*;])
    )""",
    re.VERBOSE,
)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
ARITHMETIC = {"+", "-", "*", "/", "%"}
Value = str | int | float | bool


class Query(NamedTuple):
    """What to list or count; `group_by` names a field, or is empty."""

    filter: Filter | None
    group_by: str


class Token(NamedTuple):
    """`kind`: name, string, number, word, symbol or end; `end` is where it ends in the text."""

    kind: str
    text: str
    end: int


def parse(text: str, types: Mapping[str, int]) -> Query:
    """Reads a filter; `types` maps every attribute that may be named to its IndexedValueType number. Raises InvalidArgument."""
    return _Parser(_tokens(text), types).query()


def _refuse(sentence: str) -> NoReturn:
    raise InvalidArgument(f"invalid query: {sentence}")


def _malformed(token: Token) -> NoReturn:
    near = f" near '{token.text}'" if token.kind in ("name", "string", "number", "word") else ""
    _refuse(f"malformed SQL query: syntax error at position {AROUND + token.end + 1 - (token.kind == 'number')}{near}")


def _tokens(text: str) -> list[Token]:
    text, at, out = text.rstrip(), 0, []
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            rest = text[at:].lstrip()
            _malformed(Token("string" if rest[0] in "'\"" else "symbol", rest[1:], len(text)))
        at = found.end()
        out.append(_token(found))
    return [*out, Token("end", "", len(text))]


def _token(found: re.Match[str]) -> Token:
    kind, end = found.lastgroup or "", found.end()
    text = found[kind]
    if kind in ("single", "double"):
        quote = "'" if kind == "single" else '"'
        text = re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), text.replace(quote * 2, quote))
        return Token("string", text, end)
    if kind == "tick":
        return Token("name", text, end)
    if kind == "name" and text.upper() in WORDS | STATEMENT | set(CLAUSES):
        return Token("word", text, end)
    return Token(kind, text, end)


class _Parser:
    def __init__(self, tokens: list[Token], types: Mapping[str, int]) -> None:
        self._tokens = tokens
        self._types = types
        self._at = 0

    # Reading tokens ----------------------------------------------------------------------------------------------------------------

    @property
    def _next(self) -> Token:
        return self._tokens[min(self._at, len(self._tokens) - 1)]

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _is(self, *words: str) -> bool:
        """Whether exactly these words or symbols come next; they are taken if so."""
        ahead = self._tokens[self._at : self._at + len(words)]
        if [t.text.upper() for t in ahead if t.kind in ("word", "symbol")] != list(words):
            return False
        self._at += len(words)
        return True

    def _expect(self, symbol: str) -> None:
        if not self._is(symbol):
            _malformed(self._next)

    # The language ------------------------------------------------------------------------------------------------------------------

    def query(self) -> Query:
        filter = None
        if self._next.kind != "end" and self._next.text.upper() not in CLAUSES:
            filter = self._any()
        group_by = self._clauses()
        self._is(";")
        if self._next.kind != "end":
            _malformed(self._next)
        return Query(filter, group_by)

    def _clauses(self) -> str:
        group_by = ""
        if self._is("GROUP", "BY"):
            group_by = self._name()
            if self._is(","):
                _refuse("operation is not supported: 'GROUP BY' clause supports only a single field")
            if group_by not in GROUPABLE:
                _refuse(
                    f"operation is not supported: 'GROUP BY' clause is not supported for search attribute {group_by}"
                )
        for clause, words in (("ORDER BY", ("ORDER", "BY")), ("LIMIT", ("LIMIT",))):
            if self._is(*words):
                if clause == "ORDER BY":
                    self._name()
                _refuse(f"operation is not supported: '{clause}' clause")
        return group_by

    def _any(self) -> Filter:
        parts = [self._all()]
        while self._is("OR"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Junction("OR", tuple(parts))

    def _all(self) -> Filter:
        parts = [self._not()]
        while self._is("AND"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else Junction("AND", tuple(parts))

    def _not(self) -> Filter:
        if self._is("NOT"):
            return Not(self._not())
        if self._is("("):
            inner = self._any()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Filter:
        name = self._name()
        if self._is("IS"):
            negated = self._is("NOT")
            self._expect("NULL")
            return IsNull(name, negated)
        negated = self._is("NOT")
        if self._is("IN"):
            return OneOf(name, self._values(name), negated)
        if self._is("BETWEEN"):
            return self._between(name, negated)
        if self._is("STARTS_WITH"):
            prefix = self._value(name)
            if self._types[name] != Type.INDEXED_VALUE_TYPE_KEYWORD:
                self._unsupported("STARTS_WITH", name)
            return Compare(name, "not starts" if negated else "starts", prefix)
        if negated:
            _malformed(self._next)
        return self._operator(name)

    def _operator(self, name: str) -> Filter:
        token = self._next
        if self._is("LIKE"):
            self._unsupported("LIKE", name)
        if token.kind == "end" or token.text.upper() in ("AND", "OR", ")"):
            _refuse("invalid expression: incomplete expression")
        if token.text not in OPERATORS:
            _malformed(token)
        self._take()
        return Compare(name, OPERATORS[token.text], self._value(name))

    def _between(self, name: str, negated: bool) -> Filter:
        low = self._value(name)
        self._expect("AND")
        inside = Junction("AND", (Compare(name, ">=", low), Compare(name, "<=", self._value(name))))
        return Not(inside) if negated else inside

    def _values(self, name: str) -> tuple[Value, ...]:
        self._expect("(")
        values = [self._value(name)]
        while self._is(","):
            values.append(self._value(name))
        self._expect(")")
        return tuple(values)

    # Names and values --------------------------------------------------------------------------------------------------------------

    def _name(self) -> str:
        token = self._take()
        if token.kind in ("number", "string"):
            _refuse("invalid expression: must be a column name but was *sqlparser.SQLVal")
        if token.kind != "name":
            _malformed(token)
        name = token.text
        if name not in self._types and f"Temporal{name}" in self._types:
            name = f"Temporal{name}"
        if name not in self._types:
            if self._next.kind == "name":
                _malformed(self._next)
            _refuse(f"invalid search attribute: {token.text}")
        return name

    def _type_name(self, name: str) -> str:
        return Type.Name(self._types[name]).removeprefix("INDEXED_VALUE_TYPE_").title().replace("_", "")  # type: ignore[arg-type]

    def _unsupported(self, operator: str, name: str) -> NoReturn:
        _refuse(
            f"operation is not supported: operator '{operator}' not supported for {self._type_name(name)} "
            f"type search attribute '{name}'"
        )

    def _value(self, name: str) -> Value:
        token = self._take()
        if token.kind == "name":
            _refuse(
                "operation is not supported: column name on the right side of comparison expression "
                f'(did you forget to quote "{token.text}"?)'
            )
        word = token.text.upper()
        if (odd := self._no_value(token)) is not None:
            _refuse(f"invalid expression: unexpected value type *sqlparser.{odd}")
        if token.kind == "word" and word in ("TRUE", "FALSE"):
            return self._typed(name, word == "TRUE")
        if token.kind == "number":
            return self._typed(name, int(token.text) if re.fullmatch(r"-?\d+", token.text) else float(token.text))
        if token.kind != "string":
            _malformed(token)
        return self._typed(name, token.text)

    def _no_value(self, token: Token) -> str | None:
        """What the official parser calls that which begins with this token, where it is an expression other than a value."""
        if token.kind == "word" and token.text.upper() == "NULL":
            return "NullVal"
        if token.kind == "symbol" and token.text == "(":
            return "Subquery" if self._next.text.upper() == "SELECT" else "ParenExpr"
        return "BinaryExpr" if self._next.kind == "symbol" and self._next.text in ARITHMETIC else None

    def _typed(self, name: str, value: Value) -> Value:
        read = _SPECIAL.get(name) or _TYPED[self._types[name]]
        typed = read(value)
        if typed is None:
            shown, kind = _shown(value)
            _refuse(
                f"invalid expression: invalid value type for search attribute {name} of type {self._type_name(name)}: {shown} (type: {kind})"
            )
        return typed


def _shown(value: Value) -> tuple[str, str]:
    """A value and its type as the official sentences write them."""
    if isinstance(value, bool):
        return str(value).lower(), "bool"
    if isinstance(value, str):
        return f'"{value}"', "string"
    return str(value), "int64" if isinstance(value, int) else "float64"


def _status(value: Value) -> Value | None:
    if isinstance(value, str):
        if value not in STATUS_NAMES:
            _refuse(f"invalid expression: invalid ExecutionStatus value '{value}'")
        return STATUS_NAMES[value]
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    if value not in STATUS_NAMES.values():
        _refuse(f"invalid expression: invalid ExecutionStatus value {value}")
    return value


def _time(value: Value) -> Value | None:
    """Nanoseconds since 1970 of an RFC 3339 text; a whole number is that already."""
    if isinstance(value, str):
        found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", value)
        try:
            seconds = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")).timestamp() if found else None
        except ValueError:
            seconds = None
        if found is None or seconds is None:
            _refuse(f"invalid expression: unable to parse datetime '{value}'")
        return int(seconds) * 1_000_000_000 + int((found[2] or "").ljust(9, "0"))
    return value if isinstance(value, int) and not isinstance(value, bool) else None


UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}


def _span(value: Value) -> Value | None:
    """Nanoseconds of a Go duration (1h30m), a clock (12:34:56) or a whole number."""
    if isinstance(value, str):
        clock = re.fullmatch(r"(\d+):(\d\d):(\d\d)", value)
        if clock:
            return (int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3])) * 10**9
        if not re.fullmatch(r"-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+", value):
            _refuse(f"invalid expression: invalid value for search attribute ExecutionDuration: {value}")
        total = sum(float(n) * UNITS[unit] for n, _, unit in re.findall(r"(\d+(\.\d+)?)(ns|us|µs|ms|s|m|h|d)", value))
        return int(-total if value.startswith("-") else total)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Value) -> Value | None:
    return value if isinstance(value, str) else None


def _whole(value: Value) -> Value | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Value) -> Value | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _truth(value: Value) -> Value | None:
    return value if isinstance(value, bool) else None


_SPECIAL: dict[str, Callable[[Value], Value | None]] = {"ExecutionStatus": _status, "ExecutionDuration": _span}
_TYPED: dict[int, Callable[[Value], Value | None]] = {
    Type.INDEXED_VALUE_TYPE_TEXT: _text,
    Type.INDEXED_VALUE_TYPE_KEYWORD: _text,
    Type.INDEXED_VALUE_TYPE_KEYWORD_LIST: _text,
    Type.INDEXED_VALUE_TYPE_INT: _whole,
    Type.INDEXED_VALUE_TYPE_DOUBLE: _number,
    Type.INDEXED_VALUE_TYPE_BOOL: _truth,
    Type.INDEXED_VALUE_TYPE_DATETIME: _time,
}
