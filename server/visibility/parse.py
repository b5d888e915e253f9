"""The list filter: text in the official language → a drivers.base.Filter, with every value checked against its attribute's type.

The language is the condition of a SQL statement; sentences and positions are those of common/persistence/visibility/store/query (positions count
from the start of the statement that the official server puts around the text).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, NoReturn

from temporalio.api.enums.v1 import IndexedValueType as Type
from temporalio.api.enums.v1 import WorkflowExecutionStatus

from drivers.base import Compare, Filter, IsNull, Junction, Not, OneOf
from server.core.rejected import InvalidArgument

AROUND = len("select * from dummy where ") + 1
NESTING_MAX, DEPTH_MAX = (
    200,
    995,
)  # brackets and NOTs in each other; operators in each other, where a AND b AND c is two
LARGEST = 2**63 - 1
GROUPABLE = {"ExecutionStatus", "TemporalWorkflowVersioningBehavior"}
STATUS_NAMES = {
    name.removeprefix("WORKFLOW_EXECUTION_STATUS_").title().replace("_", ""): number
    for name, number in WorkflowExecutionStatus.items()
    if number
}
OPERATORS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
UNORDERED = (Type.INDEXED_VALUE_TYPE_TEXT, Type.INDEXED_VALUE_TYPE_KEYWORD_LIST)
UNSUPPORTED = ("LIKE", "REGEXP", "<=>")
WORDS = {"AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "LIKE", "REGEXP", "STARTS_WITH", "TRUE", "FALSE"}
CLAUSES = ("ORDER", "GROUP", "LIMIT", "BY")
STATEMENT = {"SELECT", "FROM", "WHERE", "UNION", "INSERT", "UPDATE", "DELETE", "HAVING"}
TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[-+]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    | '(?P<single>(?:[^'\\]|\\.|'')*)' | "(?P<double>(?:[^"\\]|\\.|"")*)" | `(?P<tick>[^`]+)`
    | (?P<name>[A-Za-z_][\w.]*)
    | (?P<symbol><=>|<=|>=|<>|!=|[-+/%=<>(),*;])
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
    _refuse(f"malformed SQL query: syntax error at {_position(token)}")


def _position(token: Token) -> str:
    text = token.text.lower() if token.kind == "word" else token.text
    near = f" near '{text}'" if token.kind in ("name", "string", "number", "word") else ""
    return f"position {AROUND + token.end + 1 - (token.kind == 'number')}{near}"


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
        self._nested = 0

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
        if filter is not None and _depth(filter) > DEPTH_MAX:
            _refuse("malformed SQL query: max ast depth reached")
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
        begin = self._next
        if not (self._is("NOT") or self._is("(")):
            return self._comparison()
        self._nested += 1
        if self._nested >= NESTING_MAX:
            _refuse(f"malformed SQL query: max nesting level reached at {_position(begin)}")
        if begin.text == "(":
            inner = self._any()
            self._expect(")")
        else:
            negated = self._not()
            inner = negated.part if isinstance(negated, Not) else Not(negated)
        self._nested -= 1
        return inner

    def _comparison(self) -> Filter:
        name = self._name()
        if self._is("IS"):
            return self._null(name)
        negated = self._is("NOT")
        if self._is("IN"):
            if self._types[name] == Type.INDEXED_VALUE_TYPE_TEXT:
                self._unsupported("NOT IN" if negated else "IN", name)
            return OneOf(name, self._values(name), negated)
        if self._is("BETWEEN"):
            return self._between(name, negated)
        if self._is("STARTS_WITH"):
            return self._prefix(name, negated)
        if negated:
            _malformed(self._next)
        return self._operator(name)

    def _null(self, name: str) -> Filter:
        negated = self._is("NOT")
        if self._next.text.upper() in ("TRUE", "FALSE"):
            _refuse("invalid expression: 'IS' operator can only be used as 'IS NULL' or 'IS NOT NULL'")
        self._expect("NULL")
        return IsNull(name, negated)

    def _prefix(self, name: str, negated: bool) -> Filter:
        operator, given = "NOT STARTS_WITH" if negated else "STARTS_WITH", self._next.text
        prefix = self._value(name)
        if self._types[name] != Type.INDEXED_VALUE_TYPE_KEYWORD:
            self._unsupported(operator, name)
        if not isinstance(prefix, str):
            what = f'right-hand side of "{operator.lower()}" operator must be a literal string'
            _refuse(f"invalid expression: {what} (got: {given})")
        return Compare(name, "not starts" if negated else "starts", prefix)

    def _operator(self, name: str) -> Filter:
        token = self._next
        if self._is(token.text.upper()) and token.text.upper() in UNSUPPORTED:
            self._unsupported(token.text.upper(), name)
        if token.kind == "end" or token.text.upper() in ("AND", "OR", ")"):
            _refuse("invalid expression: incomplete expression")
        if token.text not in OPERATORS:
            _malformed(token)
        operator, value = OPERATORS[token.text], self._value(name)
        if operator not in ("=", "!=") and self._types[name] in UNORDERED:
            self._unsupported(operator, name)
        return Compare(name, operator, value)

    def _between(self, name: str, negated: bool) -> Filter:
        low = self._value(name)
        self._expect("AND")
        high = self._value(name)
        if self._types[name] in (*UNORDERED, Type.INDEXED_VALUE_TYPE_BOOL):
            what = f"cannot do range condition on search attribute '{name}' of type {self._type_name(name)}"
            _refuse(f"invalid expression: {what}")
        inside = Junction("AND", (Compare(name, ">=", low), Compare(name, "<=", high)))
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
            return self._typed(name, _number_of(token.text))
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
            if name in _SPECIAL and isinstance(value, float):
                _refuse(f"invalid expression: unexpected value type float64 for search attribute {name}")
            shown, kind = _shown(value)
            _refuse(
                f"invalid expression: invalid value type for search attribute {name} of type {self._type_name(name)}: {shown} (type: {kind})"
            )
        return typed


def _number_of(text: str) -> int | float:
    """A number as the official server reads it: what does not fit 64 bits is a fraction."""
    whole = int(text) if re.fullmatch(r"[-+]?\d+", text) else None
    if whole is not None and -LARGEST - 1 <= whole <= LARGEST:
        return whole
    if math.isinf(fraction := float(text)):
        _refuse(f'invalid expression: unable to parse value "{text}"')
    return fraction


def _depth(filter: Filter) -> int:
    """How deep operators stand in each other."""
    if isinstance(filter, Not):
        return 1 + _depth(filter.part)
    depth = 1
    if isinstance(filter, Junction):
        depth = _depth(filter.parts[0])
        for part in filter.parts[1:]:
            depth = 1 + max(depth, _depth(part))
    return depth


def _shown(value: Value) -> tuple[str, str]:
    """A value and its type as the official sentences write them."""
    if isinstance(value, bool):
        return str(value).lower(), "bool"
    if isinstance(value, str):
        return f'"{value}"', "string"
    return str(value).removesuffix(".0"), "int64" if isinstance(value, int) else "float64"


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
        found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", value)
        try:
            seconds = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")).timestamp() if found else None
        except ValueError:
            seconds = None
        if found is None or seconds is None:
            _refuse(f"invalid expression: unable to parse datetime '{value}'")
        nanos = int(seconds) * 1_000_000_000 + int((found[2] or "")[:9].ljust(9, "0"))
        return max(-LARGEST, min(nanos, LARGEST))
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
    if not isinstance(value, str):
        return _whole(value)
    if re.fullmatch(r"[-+]?\d+", value):
        total: float = int(value)
    elif clock := re.fullmatch(r"(\d+):(\d\d?):(\d\d?)", value):
        return min((int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3])) * 10**9, LARGEST)
    elif re.fullmatch(r"-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+", value):
        total = sum(float(n) * UNITS[unit] for n, _, unit in re.findall(r"(\d+(\.\d+)?)(ns|us|µs|ms|s|m|h|d)", value))
        total = -total if value.startswith("-") else total
    else:
        total = math.inf
    if abs(total) > LARGEST:
        _refuse(f"invalid expression: invalid duration value for search attribute ExecutionDuration: {value}")
    return int(total)


def _text(value: Value) -> Value | None:
    return value if isinstance(value, str) else None


def _whole(value: Value) -> Value | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _numeric(value: Value) -> Value | None:
    """An attribute of whole numbers may be compared with any number."""
    return None if isinstance(value, bool | str) else value


def _number(value: Value) -> Value | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _truth(value: Value) -> Value | None:
    return value if isinstance(value, bool) else None


_SPECIAL: dict[str, Callable[[Value], Value | None]] = {"ExecutionStatus": _status, "ExecutionDuration": _span}
_TYPED: dict[int, Callable[[Value], Value | None]] = {
    Type.INDEXED_VALUE_TYPE_TEXT: _text,
    Type.INDEXED_VALUE_TYPE_KEYWORD: _text,
    Type.INDEXED_VALUE_TYPE_KEYWORD_LIST: _text,
    Type.INDEXED_VALUE_TYPE_INT: _numeric,
    Type.INDEXED_VALUE_TYPE_DOUBLE: _number,
    Type.INDEXED_VALUE_TYPE_BOOL: _truth,
    Type.INDEXED_VALUE_TYPE_DATETIME: _time,
}
