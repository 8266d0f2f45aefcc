//! `now`, `timestamp` and `duration`.
//!
//! Calendar fields are in UTC, or at an offset such as `+02:00`. Time zones by name are not offered: their rules change
//! several times a year, and a binary that carries last year's would decide wrongly without anyone noticing.

use std::any::Any;
use std::fmt;

use cel::common::types::{CelInt, DURATION_TYPE, TIMESTAMP_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};

use super::address::value;
use super::calendar::{date_of, days_of_month, days_since_1970};
use super::{Answer, Call};
use crate::expr::failure::What;
use crate::expr::value::as_text;
use crate::time::WallTime;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// A point in time: nanoseconds since 1970, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::expr) struct Time(i64);

/// A length of time in nanoseconds, possibly negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span(i64);

value!(Time, TIMESTAMP_TYPE);
value!(Span, DURATION_TYPE);

impl From<WallTime> for Time {
    fn from(time: WallTime) -> Self {
        Self(time.0)
    }
}

impl Time {
    pub(super) fn later(self, by: Span) -> Option<Self> {
        self.0.checked_add(by.0).map(Self)
    }

    pub(super) fn since(self, earlier: Self) -> Option<Span> {
        self.0.checked_sub(earlier.0).map(Span)
    }

    /// Whole seconds since 1970.
    pub(super) fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// Reads RFC 3339: `2026-01-31T12:00:00Z`, with a fraction and an offset if need be.
    fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once(['T', 't'])?;
        let zone = rest.find(['Z', 'z', '+', '-'])?;
        let (clock, zone) = rest.split_at(zone);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let [year, month, day] = fields(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
        let in_range = (1..=12).contains(&month)
            && (1..=days_of_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !in_range || fraction.is_empty() || fraction.len() > 9 {
            return None;
        }
        let nanos = digits(&format!("{fraction:0<9}"))?;
        let seconds = days_since_1970(year, month, day) * DAY + hour * 3_600 + minute * 60 + second - offset(zone)?;
        seconds.checked_mul(SECOND)?.checked_add(nanos).map(Self)
    }

    fn calendar(self, offset: i64) -> Calendar {
        let seconds = self.seconds() + offset;
        let (year, month, day) = date_of(seconds.div_euclid(DAY));
        Calendar { days: seconds.div_euclid(DAY), second_of_day: seconds.rem_euclid(DAY), year, month, day }
    }
}

/// The fields of a moment on a calendar.
struct Calendar {
    days: i64,
    second_of_day: i64,
    year: i64,
    month: i64,
    day: i64,
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calendar = self.calendar(0);
        let second = calendar.second_of_day;
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            calendar.year,
            calendar.month,
            calendar.day,
            second / 3_600,
            second / 60 % 60,
            second % 60
        )?;
        let nanos = self.0.rem_euclid(SECOND);
        if nanos > 0 {
            write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl Span {
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub(super) fn negative(self) -> Option<Self> {
        self.0.checked_neg().map(Self)
    }

    /// Reads `1h30m`, `1.5s`, `-10ms`: numbers with d, h, m, s, ms, us or ns.
    fn parse(text: &str) -> Option<Self> {
        let (sign, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        if rest == "0" {
            return Some(Self(0));
        }
        let mut total: i128 = 0;
        loop {
            let (number, after) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
            let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            total += nanos(number, unit)?;
            rest = after;
            if rest.is_empty() {
                return i64::try_from(sign * total).ok().map(Self);
            }
        }
    }
}

impl fmt::Display for Span {
    /// In seconds, as CEL writes durations.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", nanos / SECOND.unsigned_abs())?;
        let fraction = nanos % SECOND.unsigned_abs();
        if fraction > 0 {
            write!(f, ".{}", format!("{fraction:09}").trim_end_matches('0'))?;
        }
        f.write_str("s")
    }
}

/// A number of units, such as `1.5` and `s`, in nanoseconds.
fn nanos(number: &str, unit: &str) -> Option<i128> {
    let unit: i128 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.len() > 9 {
        return None;
    }
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    Some(i128::from(digits(whole)?) * unit + i128::from(digits(fraction)?) * unit / scale)
}

/// A number of ASCII digits and nothing else.
fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// Three numbers of fixed widths.
fn fields(text: &str, separator: char, widths: [usize; 3]) -> Option<[i64; 3]> {
    let mut values = [0; 3];
    let mut parts = text.split(separator);
    for (value, width) in values.iter_mut().zip(widths) {
        *value = digits(parts.next().filter(|part| part.len() == width)?)?;
    }
    parts.next().is_none().then_some(values)
}

/// Whether the text is an offset from UTC, as the functions on timestamps take it.
pub(in crate::expr) fn is_offset(zone: &str) -> bool {
    offset(zone).is_some()
}

/// The seconds that a zone such as `Z`, `UTC` or `+02:00` is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z" | "UTC") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

pub(super) fn timestamp<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let text = as_text(call.value(0)?).ok_or(call.fail(What::WrongType))?;
    let time = Time::parse(text).ok_or(call.fail(What::NotATime))?;
    Ok(CowVal::owned(time))
}

pub(super) fn duration<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let text = as_text(call.value(0)?).ok_or(call.fail(What::WrongType))?;
    let span = Span::parse(text).ok_or(call.fail(What::NotATime))?;
    Ok(CowVal::owned(span))
}

/// A calendar field of a timestamp, at the offset given or in UTC.
fn field<'b, 'v>(call: &Call<'_, 'b, 'v>, read: fn(&Calendar) -> i64) -> Answer<'b, 'v> {
    let time = call.own::<Time>(0)?;
    let offset = match call.arguments.get(1) {
        Some(zone) => as_text(zone.as_ref()).and_then(offset),
        None => Some(0),
    };
    let calendar = time.calendar(offset.ok_or(call.fail(What::NotATime))?);
    Ok(int(read(&calendar)))
}

/// A field of a timestamp, or how many of a unit a duration has.
fn field_or_total<'b, 'v>(call: &Call<'_, 'b, 'v>, read: fn(&Calendar) -> i64, unit: i64) -> Answer<'b, 'v> {
    match call.value(0)?.downcast_ref::<Span>() {
        Some(_) if call.arguments.len() > 1 => Err(call.fail(What::WrongType)),
        Some(span) => Ok(int(span.0 / (unit * SECOND))),
        None => field(call, read),
    }
}

fn int<'b, 'v>(value: i64) -> CowVal<'b, 'v> {
    CowVal::owned(CelInt::from(value))
}

pub(super) fn full_year<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    field(call, |at| at.year)
}

pub(super) fn month<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    field(call, |at| at.month - 1)
}

pub(super) fn date<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    field(call, |at| at.day)
}

pub(super) fn day_of_month<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    field(call, |at| at.day - 1)
}

pub(super) fn day_of_week<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    // 1970-01-01 was a Thursday, and Sunday is 0.
    field(call, |at| (at.days + 4).rem_euclid(7))
}

pub(super) fn day_of_year<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    field(call, |at| at.days - days_since_1970(at.year, 1, 1))
}

pub(super) fn hours<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    field_or_total(call, |at| at.second_of_day / 3_600, 3_600)
}

pub(super) fn minutes<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    field_or_total(call, |at| at.second_of_day / 60 % 60, 60)
}

pub(super) fn seconds<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    field_or_total(call, |at| at.second_of_day % 60, 1)
}
