//! The small languages inside a policy: requirements, lengths of time, moments.

use crate::rules::policy::error::Problem;
use crate::rules::policy::{COUNT_MAX, Policy, Requirement, Who};
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Longest length of time, in milliseconds: a hundred years.
const DURATION_MS_MAX: i64 = 100 * 366 * 86_400_000;

/// Reads `2 editor` or `1 of anna, ben` as a given policy understands it.
pub fn parse_requirement(policy: &Policy, text: &str) -> Result<Requirement, Problem> {
    requirement(text, &|name| super::check::find_who(policy, name))
}

/// Reads `2 editor` or `1 of anna, ben`; `who` looks a name up.
pub(super) fn requirement(
    text: &str,
    who: &dyn Fn(&str) -> Result<Who, Problem>,
) -> Result<Requirement, Problem> {
    let refuse = || Problem::Requirement { text: text.to_owned() };
    let (count, names) = text.trim().split_once(' ').ok_or_else(refuse)?;
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse());
    }
    let count: u32 = count.parse().map_err(|_| Problem::LargeCount { text: text.to_owned() })?;
    if count == 0 {
        return Err(Problem::NoCount { text: text.to_owned() });
    }
    if count > COUNT_MAX {
        return Err(Problem::LargeCount { text: text.to_owned() });
    }
    let names = names.trim();
    let mut of = Vec::new();
    for name in names.strip_prefix("of ").unwrap_or(names).split(',').map(str::trim) {
        if name.is_empty() || name.contains(' ') {
            return Err(refuse());
        }
        let found = who(name)?;
        if of.contains(&found) {
            return Err(Problem::Twice { name: name.to_owned() });
        }
        of.push(found);
    }
    Ok(Requirement { count, of })
}

/// Reads `90 days` as milliseconds.
pub(super) fn duration(text: &str) -> Result<i64, Problem> {
    let refuse = || Problem::Duration { text: text.to_owned() };
    let (number, unit) = text.trim().split_once(' ').ok_or_else(refuse)?;
    let number: i64 = number.parse().ok().filter(|number| *number > 0).ok_or_else(refuse)?;
    let unit = unit.trim();
    let unit_ms: i64 = match unit.strip_suffix('s').unwrap_or(unit) {
        "minute" => 60_000,
        "hour" => 3_600_000,
        "day" => 86_400_000,
        "week" => 7 * 86_400_000,
        _ => return Err(refuse()),
    };
    number.checked_mul(unit_ms).filter(|ms| *ms <= DURATION_MS_MAX).ok_or_else(refuse)
}

/// Reads a length of time as people say it, as milliseconds: `90 days`, `12 hours`.
pub fn parse_duration(text: &str) -> Option<i64> {
    duration(text).ok()
}

/// A length of time as people say it: `90 days`, `12 hours`.
pub fn describe_duration(ms: i64) -> String {
    let units = [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute")];
    let fitting = units.iter().find(|(unit_ms, _)| ms >= *unit_ms && ms % unit_ms == 0);
    let (number, unit) = fitting.map_or((ms / 1000, "second"), |(unit_ms, name)| (ms / unit_ms, *name));
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// Reads a moment as milliseconds since 1970: RFC 3339, or a day, which begins in UTC.
pub(super) fn moment(text: &str) -> Result<i64, Problem> {
    let refuse = || Problem::Moment { text: text.to_owned() };
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(moment.as_millisecond());
    }
    let day: Date = if text.len() == 10 { text.parse().map_err(|_| refuse())? } else { return Err(refuse()) };
    let start = day.to_zoned(TimeZone::UTC).map_err(|_| refuse())?;
    Ok(start.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_a_number_and_a_unit() {
        assert_eq!(duration("90 days"), Ok(90 * 86_400_000));
        assert_eq!(duration("1 week"), Ok(7 * 86_400_000));
        for bad in ["", "90", "days", "0 days", "-1 days", "1 month", "99999999 weeks", "1.5 days"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
        assert_eq!(describe_duration(90 * 86_400_000), "90 days");
        assert_eq!(describe_duration(3_600_000), "1 hour");
    }

    #[test]
    fn moments_are_exact_or_the_beginning_of_a_day() {
        assert_eq!(moment("1970-01-02"), Ok(86_400_000));
        assert_eq!(moment("1970-01-01T01:00:00+01:00"), Ok(0));
        for bad in ["", "yesterday", "2026-13-01", "2026-02-30T00:00:00Z"] {
            assert!(moment(bad).is_err(), "{bad:?}");
        }
    }
}
