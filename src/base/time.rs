//! Moments and the [`Clock`] that tells them.

use serde::{Deserialize, Serialize};

/// A moment with the zone in which it was noted.
///
/// Order and equality look at the moment first, the zone last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp {
    /// Milliseconds since 1970-01-01T00:00:00Z, negative before.
    pub unix_ms: i64,
    /// Minutes east of UTC, between -1,440 and 1,440 exclusive.
    pub offset_minutes: i16,
}

impl Timestamp {
    /// A moment in UTC.
    pub const fn utc(unix_ms: i64) -> Self {
        Self { unix_ms, offset_minutes: 0 }
    }

    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    pub const fn unix_seconds(&self) -> i64 {
        self.unix_ms.div_euclid(1000)
    }

    /// Year, month, day, hour, minute, second on the wall clock of its own zone
    /// (proleptic Gregorian calendar; days-to-civil after Howard Hinnant, "chrono-Compatible
    /// Low-Level Date Algorithms").
    pub fn civil(&self) -> (i64, u8, u8, u8, u8, u8) {
        let local = self.unix_seconds() + i64::from(self.offset_minutes) * 60;
        let (days, second_of_day) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_index + 2) / 5 + 1;
        let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
        (year, month as u8, day as u8, hour as u8, minute as u8, second as u8)
    }

    /// The offset as `+02:00`.
    pub fn offset_text(&self) -> String {
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let minutes = self.offset_minutes.unsigned_abs();
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// RFC 3339 with seconds, for example `2026-03-01T17:20:05+01:00`.
    pub fn rfc3339(&self) -> String {
        let (year, month, day, hour, minute, second) = self.civil();
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{}", self.offset_text())
    }
}

/// Tells the time. The library never asks the system by itself.
pub trait Clock: Send + Sync {
    /// The present moment in the user's zone.
    fn now(&self) -> Timestamp;
}

/// A clock that stands still, for tests and for dates given by the user.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_print_on_the_wall_clock_of_their_zone() {
        let moment = Timestamp { unix_ms: 1_772_381_999_000, offset_minutes: 60 };
        assert_eq!(moment.rfc3339(), "2026-03-01T17:19:59+01:00");
        assert_eq!(Timestamp::utc(-1).rfc3339(), "1969-12-31T23:59:59+00:00");
        assert_eq!(
            Timestamp { unix_ms: 951_782_400_000, offset_minutes: -150 }.rfc3339(),
            "2000-02-28T21:30:00-02:30"
        );
    }
}
