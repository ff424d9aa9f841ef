//! Dates in words, through `gix`: `2026-03-01`, `2026-03-01 14:30`, `yesterday`, `2 weeks ago`.

use crate::base::time::Timestamp;
use crate::repo::error::RepoError;

/// Reads a date in words as seen at `now`.
///
/// A day without a time means its end, so that `main@{2026-03-01}` includes what was done that day.
pub fn parse_date(text: &str, now: Timestamp) -> Result<Timestamp, RepoError> {
    let refuse = || RepoError::Date { text: text.to_owned() };
    let zone = jiff::tz::Offset::from_seconds(i32::from(now.offset_minutes) * 60).map_err(|_| refuse())?;
    let zoned =
        jiff::Timestamp::from_millisecond(now.unix_ms).map_err(|_| refuse())?.to_zoned(zone.to_time_zone());
    let time = gix::date::parse(text, Some(zoned)).map_err(|_| refuse())?;
    let seconds = if is_bare_day(text) {
        // gix reads a bare day as its start in UTC; people mean their own day, to its end.
        time.seconds - i64::from(now.offset_minutes) * 60 + 86_399
    } else {
        time.seconds
    };
    let unix_ms = seconds.checked_mul(1000).and_then(|ms| ms.checked_add(999)).ok_or_else(refuse)?;
    Ok(Timestamp { unix_ms, offset_minutes: now.offset_minutes })
}

/// Whether text is a day without a time, such as `2026-03-01`.
pub fn is_bare_day(text: &str) -> bool {
    text.len() == 10 && text.bytes().filter(|byte| *byte == b'-').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp { unix_ms: 1_772_381_999_000, offset_minutes: 60 };

    #[test]
    fn a_bare_day_reaches_to_its_end_where_the_user_is() {
        let day = parse_date("2026-02-28", NOW).expect("a date");
        assert_eq!(day.rfc3339(), "2026-02-28T23:59:59+01:00");
    }

    #[test]
    fn words_count_from_now() {
        let ago = parse_date("2 weeks ago", NOW).expect("a date");
        assert_eq!(NOW.unix_seconds() - ago.unix_seconds(), 14 * 86_400);
        assert!(parse_date("when the cat is out", NOW).is_err());
    }
}
