"""The schedules of robfig/cron v3, and the pause before the run that follows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core import cron
from server.core.rejected import InvalidArgument
from tests.core.harness import SECOND


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000) * 1_000_000


def next_time(schedule: str, start: str, close: str = "") -> str | None:
    """When the run after the one scheduled for `start` begins; minutes of UTC, with seconds where there are any."""
    begun, closed = ns(start), ns(close or start)
    backoff = cron.next_backoff(schedule, begun, closed)
    if backoff is None:
        return None
    at = datetime.fromtimestamp((closed + backoff) / SECOND, UTC)
    return at.strftime("%Y-%m-%dT%H:%M" if not at.second else "%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(
    ("schedule", "start", "expected"),
    [
        ("* * * * *", "2024-01-01T00:00:00", "2024-01-01T00:01"),
        ("* * * * *", "2024-01-01T00:00:59", "2024-01-01T00:01"),
        ("0 * * * *", "2024-01-01T12:00:00", "2024-01-01T13:00"),
        ("*/15 * * * *", "2024-01-01T12:16:00", "2024-01-01T12:30"),
        ("5/20 * * * *", "2024-01-01T12:06:00", "2024-01-01T12:25"),
        ("10-20/5 * * * *", "2024-01-01T12:21:00", "2024-01-01T13:10"),
        ("0 9-17 * * MON-FRI", "2024-01-05T17:30:00", "2024-01-08T09:00"),
        ("0 0 1,15 * *", "2024-01-02T00:00:00", "2024-01-15T00:00"),
        ("0 0 29 feb ?", "2024-03-01T00:00:00", "2028-02-29T00:00"),
        ("0 0 13 * fri", "2024-01-01T00:00:00", "2024-01-05T00:00"),
        ("0 0 13 * *", "2024-01-01T00:00:00", "2024-01-13T00:00"),
        ("0 0 */40 * fri", "2024-01-01T00:00:00", "2024-01-05T00:00"),
        ("0 0 31 * *", "2024-04-01T00:00:00", "2024-05-31T00:00"),
        ("@hourly", "2024-01-01T12:34:56", "2024-01-01T13:00"),
        ("@daily", "2024-01-01T12:34:56", "2024-01-02T00:00"),
        ("@midnight", "2024-12-31T12:34:56", "2025-01-01T00:00"),
        ("@weekly", "2024-01-01T00:00:00", "2024-01-07T00:00"),
        ("@monthly", "2024-01-01T00:00:00", "2024-02-01T00:00"),
        ("@yearly", "2024-01-01T00:00:00", "2025-01-01T00:00"),
        ("@every 1h30m", "2024-01-01T00:00:00", "2024-01-01T01:30"),
        ("@every 90s", "2024-01-01T00:00:00", "2024-01-01T00:01:30"),
        ("@every 1.5s", "2024-01-01T00:00:00", "2024-01-01T00:00:01"),
        ("@every 1ms", "2024-01-01T00:00:00", "2024-01-01T00:00:01"),
        ("CRON_TZ=America/New_York 0 9 * * *", "2024-01-01T00:00:00", "2024-01-01T14:00"),
        ("TZ=Asia/Tokyo 0 9 * * *", "2024-01-01T00:00:00", "2024-01-02T00:00"),
        ("TZ=UTC  0 9 * * *", "2024-01-01T00:00:00", "2024-01-01T09:00"),
    ],
)
def test_next_time(schedule: str, start: str, expected: str) -> None:
    assert next_time(schedule, start) == expected


def test_an_hour_that_a_zone_skips_does_not_come() -> None:
    assert next_time("TZ=America/New_York 30 2 * * *", "2024-03-09T12:00:00") == "2024-03-11T06:30"


def test_an_hour_that_a_zone_repeats_comes_twice() -> None:
    schedule = "TZ=America/New_York 30 1 * * *"
    assert next_time(schedule, "2024-11-02T12:00:00") == "2024-11-03T05:30"
    assert next_time(schedule, "2024-11-03T05:30:00") == "2024-11-03T06:30"
    assert next_time(schedule, "2024-11-03T06:30:00") == "2024-11-04T06:30"


def test_the_next_time_is_counted_from_the_scheduled_one_and_not_before_the_close() -> None:
    assert next_time("@every 10m", "2024-01-01T00:00:00", "2024-01-01T00:03:00") == "2024-01-01T00:10"
    assert next_time("@every 10m", "2024-01-01T00:00:00", "2024-01-01T00:25:00") == "2024-01-01T00:30"
    assert next_time("@every 10m", "2024-01-01T00:00:00", "2024-01-01T00:30:00") == "2024-01-01T00:30"
    assert next_time("0 * * * *", "2024-01-01T00:00:00", "2024-01-01T05:00:00") == "2024-01-01T05:00"
    assert next_time("0 * * * *", "2024-01-01T00:00:00", "2024-01-01T05:00:01") == "2024-01-01T06:00"


def test_a_close_before_the_scheduled_time_waits_for_that() -> None:
    assert next_time("@hourly", "2024-01-01T06:00:00", "2024-01-01T05:00:00") == "2024-01-01T06:00"


def test_the_pause_is_rounded_up_to_whole_seconds() -> None:
    start = ns("2024-01-01T00:00:00")
    assert cron.next_backoff("@every 10s", start, start + SECOND // 2) == 10 * SECOND
    assert cron.next_backoff("* * * * *", start, start + SECOND // 4) == 60 * SECOND


SHAPES = (
    "x|* * * *|* * * * * *|@never|@every|@every x|@every 5|TZ=UTC|TZ=Nowhere/City * * * * *|TZ=../etc/passwd * * * * *"
)
NUMBERS = "60 * * * *|* 24 * * *|* * 0 * *|* * 32 * *|* * * 13 *|* * * * 7|-1 * * * *|a * * * *|* * * foo *|1.5 * * * *|² * * * *"
RANGES = "5-1 * * * *|*/0 * * * *|1-2-3 * * * *|1/2/3 * * * *"


@pytest.mark.parametrize("schedule", f"{SHAPES}|{NUMBERS}|{RANGES}".split("|"))
def test_what_cannot_be_read_is_refused(schedule: str) -> None:
    with pytest.raises(InvalidArgument, match="^invalid CronSchedule.$"):
        cron.validate(schedule)
    assert cron.next_backoff(schedule, SECOND, SECOND) is None


@pytest.mark.parametrize("schedule", ["0 0 30 2 *", "0 0 31 4,6 *", ", * * * *"])
def test_what_never_comes_is_refused(schedule: str) -> None:
    with pytest.raises(InvalidArgument, match="^invalid CronSchedule, no time can be found to satisfy the schedule$"):
        cron.validate(schedule)
    assert cron.next_backoff(schedule, SECOND, SECOND) is None


def test_no_schedule_is_good() -> None:
    cron.validate("")


field = st.one_of(
    st.just("*"),
    st.integers(1, 6).map(str),
    st.builds("{}-{}/{}".format, st.integers(1, 3), st.integers(4, 6), st.integers(1, 3)),
)


@given(
    schedule=st.lists(field, min_size=5, max_size=5).map(" ".join),
    at=st.integers(0, 4 * 10**9),
    late=st.integers(0, 10**7),
)
def test_the_next_time_is_on_the_schedule(schedule: str, at: int, late: int) -> None:
    start, close = at * SECOND, (at + late) * SECOND
    backoff = cron.next_backoff(schedule, start, close)
    assert backoff is not None and backoff >= 0
    found = close + backoff
    assert found > start and found % (60 * SECOND) == 0
    assert cron.next_backoff(schedule, found - 60 * SECOND, found - 60 * SECOND) == 60 * SECOND
