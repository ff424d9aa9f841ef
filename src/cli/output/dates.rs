//! Moments as people say them.

use crate::base::time::Timestamp;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// How moments are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// As seen from a moment, in that moment's zone: `Tuesday 14:02`, `3 weeks ago`.
    Relative { now: Timestamp },
    /// RFC 3339, each in its own zone.
    Exact,
}

impl Dates {
    /// Writes a moment.
    pub fn show(self, then: Timestamp) -> String {
        match self {
            Self::Exact => then.rfc3339(),
            Self::Relative { now } => relative(now, then),
        }
    }
}

/// A moment with day and clock time in its own zone: `Tuesday, 3 March 2026, 14:02 (+01:00)`.
pub fn full(then: Timestamp) -> String {
    let (year, month, day, hour, minute, _) = then.civil();
    let weekday = WEEKDAYS[weekday(then)];
    let month = month_name(month);
    format!("{weekday}, {day} {month} {year}, {hour:02}:{minute:02} ({})", then.offset_text())
}

fn relative(now: Timestamp, then: Timestamp) -> String {
    let here = Timestamp { unix_ms: then.unix_ms, offset_minutes: now.offset_minutes };
    let passed = now.unix_ms.saturating_sub(then.unix_ms);
    let (year, month, day, hour, minute, _) = here.civil();
    let days = day_number(now) - day_number(here);
    if passed < -MINUTE_MS {
        // The clock went back, or somebody else's is fast: say exactly what was noted.
        return format!("{day} {} {year} {hour:02}:{minute:02}", month_name(month));
    }
    if passed < MINUTE_MS {
        return "just now".to_owned();
    }
    if passed < HOUR_MS {
        return ago(passed / MINUTE_MS, "minute");
    }
    match days {
        ..=0 => format!("today {hour:02}:{minute:02}"),
        1 => format!("yesterday {hour:02}:{minute:02}"),
        2..=6 => format!("{} {hour:02}:{minute:02}", WEEKDAYS[weekday(here)]),
        7..=34 => ago(days / 7, "week"),
        _ if now.civil().0 == year => format!("{day} {}", month_name(month)),
        _ => format!("{day} {} {year}", month_name(month)),
    }
}

fn ago(number: i64, unit: &str) -> String {
    if number == 1 { format!("1 {unit} ago") } else { format!("{number} {unit}s ago") }
}

/// Days since 1970-01-01 on the wall clock of the moment's own zone.
fn day_number(moment: Timestamp) -> i64 {
    (moment.unix_ms + i64::from(moment.offset_minutes) * MINUTE_MS).div_euclid(DAY_MS)
}

const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// Index into [`WEEKDAYS`], which begins with the weekday of 1970-01-01.
fn weekday(moment: Timestamp) -> usize {
    // The remainder lies between 0 and 6.
    day_number(moment).rem_euclid(7) as usize
}

fn month_name(month: u8) -> &'static str {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    MONTHS[usize::from(month.clamp(1, 12)) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tuesday, 2026-03-03 14:02:00 in a zone one hour east.
    const NOW: Timestamp = Timestamp { unix_ms: 1_772_542_920_000, offset_minutes: 60 };

    fn before(ms: i64) -> String {
        relative(NOW, Timestamp::utc(NOW.unix_ms - ms))
    }

    #[test]
    fn moments_read_as_people_say_them() {
        assert_eq!(full(NOW), "Tuesday, 3 March 2026, 14:02 (+01:00)");
        let texts: Vec<_> = [
            0,
            MINUTE_MS,
            59 * MINUTE_MS,
            HOUR_MS,
            15 * HOUR_MS,
            3 * DAY_MS,
            7 * DAY_MS,
            21 * DAY_MS,
            50 * DAY_MS,
            400 * DAY_MS,
            -HOUR_MS,
        ]
        .map(before)
        .to_vec();
        assert_eq!(
            texts,
            [
                "just now",
                "1 minute ago",
                "59 minutes ago",
                "today 13:02",
                "yesterday 23:02",
                "Saturday 14:02",
                "1 week ago",
                "3 weeks ago",
                "12 January",
                "27 January 2025",
                "3 March 2026 15:02",
            ]
        );
    }
}
