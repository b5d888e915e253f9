"""When a cron schedule fires next. The syntax is the standard one of robfig/cron v3, which the Go server reads schedules with: five fields
(minute, hour, day of month, month, day of week), descriptors (@hourly, @every 1h30m), and a CRON_TZ= or TZ= prefix.

Source: common/backoff/cron.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from server.core.limits import SECOND
from server.core.rejected import InvalidArgument

YEARS_AHEAD = 5  # robfig/cron gives up after as many
DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = {
    name: n
    for n, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
DAYS = {name: n for n, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
QUANTITY = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


class Calendar(NamedTuple):
    """The values that each field allows. `any_day` and `any_weekday` tell fields that were `*` or `?`: where both days are restricted,
    either one will do."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    zone: tzinfo

    def matches_day(self, at: datetime) -> bool:
        day, weekday = at.day in self.days, at.isoweekday() % 7 in self.weekdays
        return day and weekday if self.any_day or self.any_weekday else day or weekday


def validate(schedule: str) -> None:
    """Raises InvalidArgument for one that cannot be read, or that never fires. The empty one is none, and good."""
    if not schedule:
        return
    try:
        parsed = _parse(schedule)
    except ValueError:
        msg = "invalid CronSchedule."
        raise InvalidArgument(msg) from None
    if isinstance(parsed, Calendar) and _next(parsed, _FIRST_OF_A_LEAP_YEAR) is None:
        msg = "invalid CronSchedule, no time can be found to satisfy the schedule"
        raise InvalidArgument(msg)


def next_backoff(schedule: str, start: int, close: int) -> int | None:
    """How long after `close` the run that follows one scheduled for `start` begins: until the first time of the schedule, counted from `start`,
    that is not before `close`, in whole seconds rounded up. All in nanoseconds. None for a schedule that never fires."""
    try:
        parsed = _parse(schedule)
    except ValueError:
        return None
    at: int | None
    if close < start:
        at = start
    elif isinstance(parsed, int):
        at = _next_of_interval(parsed, start, close)
    else:
        at = _next_of_calendar(parsed, start, close)
    return None if at is None else -((close - at) // SECOND) * SECOND


def _next_of_interval(every: int, start: int, close: int) -> int:
    first = start + every - start % SECOND
    return first if first >= close else first - (first - close) // every * every


def _next_of_calendar(calendar: Calendar, start: int, close: int) -> int | None:
    """The first time after `start` that is not before `close`: only the later of the two bounds matters."""
    after = max(start, close - 1)
    found = _next(calendar, datetime.fromtimestamp(after // SECOND, UTC))
    return None if found is None else int(found.timestamp()) * SECOND


_FIRST_OF_A_LEAP_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


# Reading ---------------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _parse(schedule: str) -> Calendar | int:
    """A calendar, or the nanoseconds of @every. Raises ValueError."""
    zone: tzinfo = UTC
    if schedule.startswith(("TZ=", "CRON_TZ=")):
        name, _, schedule = schedule.partition("=")[2].partition(" ")
        zone = _zone(name)
    schedule = schedule.strip()
    if schedule.startswith("@every "):
        return max(_duration(schedule.removeprefix("@every ")) // SECOND, 1) * SECOND
    fields = DESCRIPTORS.get(schedule, schedule).split()
    if len(fields) != 5:
        msg = f"expected exactly 5 fields, found {len(fields)}"
        raise ValueError(msg)
    bounds: tuple[tuple[int, int, Mapping[str, int]], ...] = (
        (0, 59, {}),
        (0, 23, {}),
        (1, 31, {}),
        (1, 12, MONTHS),
        (0, 6, DAYS),
    )
    minutes, hours, days, months, weekdays = (_field(text, *bound) for text, bound in zip(fields, bounds, strict=True))
    return Calendar(minutes[0], hours[0], days[0], months[0], weekdays[0], days[1], weekdays[1], zone)


def _zone(name: str) -> tzinfo:
    if name in ("", "UTC", "Local"):
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, KeyError) as error:
        msg = f"unknown time zone {name}"
        raise ValueError(msg) from error


def _field(text: str, low: int, high: int, names: Mapping[str, int]) -> tuple[frozenset[int], bool]:
    """The values of a comma list, and whether `*` or `?` is in it."""
    values: set[int] = set()
    star = False
    for part in text.split(","):
        if part:
            found, is_star = _range(part, low, high, names)
            values |= found
            star |= is_star
    return frozenset(values), star


def _range(text: str, low: int, high: int, names: Mapping[str, int]) -> tuple[set[int], bool]:
    """One of `*`, `n`, `n-m`, each with an optional `/step`; `n/step` goes up to the end."""
    span, *steps = text.split("/")
    ends = span.split("-")
    star = ends[0] in ("*", "?")
    if (len(ends) > 2 and not star) or len(steps) > 1:
        msg = f"failed to parse range: {text}"
        raise ValueError(msg)
    first = low if star else _number(ends[0], names)
    last = high if star else _number(ends[-1], names)
    step = 1
    if steps:
        step = _number(steps[0], {})
        last = high if len(ends) == 1 else last
        star = star and step == 1
    if first < low or last > high or first > last or step == 0:
        msg = f"out of range: {text}"
        raise ValueError(msg)
    return set(range(first, last + 1, step)), star


def _number(text: str, names: Mapping[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"\+?\d+", text, re.ASCII):
        msg = f"failed to parse number: {text}"
        raise ValueError(msg)
    return int(text)


def _duration(text: str) -> int:
    """Go's notation: 1h30m, 1.5s. Nanoseconds."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    parts = QUANTITY.findall(rest)
    if rest == "0":
        return 0
    if not parts or "".join(n + unit for n, unit in parts) != rest:
        msg = f"failed to parse duration: {text}"
        raise ValueError(msg)
    return sign * sum(round(float(number) * UNITS[unit]) for number, unit in parts)


# Looking for the next time ---------------------------------------------------------------------------------------------------------


def _next(calendar: Calendar, after: datetime) -> datetime | None:
    """The first whole minute after `after` that the calendar allows, in UTC. An hour that the zone skips does not come, and one that it
    repeats comes twice."""
    if not (calendar.minutes and calendar.hours and calendar.months):
        return None
    at = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    last_year = at.year + YEARS_AHEAD
    while at.year <= last_year:
        local = at.astimezone(calendar.zone)
        if local.month not in calendar.months:
            at = _midnight(local.replace(day=1) + timedelta(days=32), day=1)
        elif not calendar.matches_day(local):
            at = _midnight(local + timedelta(days=1))
        elif local.hour not in calendar.hours:
            at += timedelta(minutes=60 - local.minute)
        elif local.minute not in calendar.minutes:
            at += timedelta(minutes=1)
        else:
            return at
    return None


def _midnight(local: datetime, day: int = 0) -> datetime:
    """The beginning of the day, or of that day of the month, in UTC."""
    return local.replace(day=day or local.day, hour=0, minute=0, fold=0).astimezone(UTC)
