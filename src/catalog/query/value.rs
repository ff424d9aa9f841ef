//! Values of keys: numbers, sizes, lengths of time, dates, and the bounds that people set with them.

use crate::base::time::Timestamp;
use crate::catalog::query::error::QueryProblem;
use crate::repo::date::parse_date;
use std::ops::Bound;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Anything.
    Plain,
    /// Bytes.
    Size,
    /// Seconds.
    Duration,
    /// Milliseconds since 1970, in the zone of whoever asks.
    Moment,
}

/// Numbers from one to another: a date without a time is a whole day, `3000` is only itself.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    first: f64,
    /// The first that does not belong to it; `None` when it is one number.
    end: Option<f64>,
}

impl Span {
    const fn one(number: f64) -> Self {
        Self { first: number, end: None }
    }

    const fn from(self) -> Bound<f64> {
        Bound::Included(self.first)
    }

    fn through(self) -> Bound<f64> {
        self.end.map_or(Bound::Included(self.first), Bound::Excluded)
    }

    fn after(self) -> Bound<f64> {
        self.end.map_or(Bound::Excluded(self.first), Bound::Included)
    }
}

/// From where to where.
pub type Bounds = (Bound<f64>, Bound<f64>);

/// Whether a value is a comparison or a range.
pub(super) fn is_comparison(text: &str) -> bool {
    text.starts_with(['>', '<', '='])
}

/// Reads `>3000`, `<=2MB`, `1..5`, `2026-01` or a plain value.
pub(super) fn bounds(measure: Measure, text: &str, now: Timestamp) -> Result<Bounds, QueryProblem> {
    let read = |text: &str| read(measure, text.trim(), now);
    let open = Bound::Unbounded;
    for (sign, two) in [(">=", true), ("<=", true), (">", false), ("<", false), ("=", false)] {
        let Some(rest) = text.strip_prefix(sign) else { continue };
        let span = read(rest)?;
        return Ok(match (&sign[..1], two) {
            (">", true) => (span.from(), open),
            (">", false) => (span.after(), open),
            ("<", true) => (open, span.through()),
            ("<", false) => (open, Bound::Excluded(span.first)),
            _ => (span.from(), span.through()),
        });
    }
    if let Some((from, to)) = text.split_once("..") {
        let from = if from.is_empty() { None } else { Some(read(from)?) };
        let to = if to.is_empty() { None } else { Some(read(to)?) };
        if let (Some(from), Some(to)) = (from, to)
            && from.first > to.first
        {
            return Err(QueryProblem::EndsFirst { text: text.to_owned() });
        }
        return Ok((from.map_or(open, Span::from), to.map_or(open, Span::through)));
    }
    let span = read(text)?;
    Ok((span.from(), span.through()))
}

/// What a comparison with a field asks whose values may be numbers or dates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct FieldBounds {
    /// Asked of numbers; `None` when the text is no number.
    pub numbers: Option<Bounds>,
    /// Asked of dates, in milliseconds since 1970 in UTC; `None` when the text is no date.
    pub dates: Option<Bounds>,
}

/// Bounds of a field whose type is not known. Four digits are a number and a year: each is asked of the
/// values that it can be compared with.
pub(super) fn field_bounds(text: &str) -> Result<FieldBounds, QueryProblem> {
    let utc = Timestamp::utc(0);
    match (bounds(Measure::Plain, text, utc), bounds(Measure::Moment, text, utc)) {
        (Err(_), Err(later @ QueryProblem::EndsFirst { .. })) => Err(later),
        (Err(error), Err(_)) => Err(error),
        (numbers, dates) => Ok(FieldBounds { numbers: numbers.ok(), dates: dates.ok() }),
    }
}

fn read(measure: Measure, text: &str, now: Timestamp) -> Result<Span, QueryProblem> {
    let owned = || text.to_owned();
    match measure {
        Measure::Plain => number(text).map(Span::one).ok_or_else(|| QueryProblem::Number { text: owned() }),
        Measure::Size => size(text).map(Span::one).ok_or_else(|| QueryProblem::Size { text: owned() }),
        Measure::Duration => {
            duration(text).map(Span::one).ok_or_else(|| QueryProblem::Duration { text: owned() })
        }
        Measure::Moment => moment(text, now).ok_or_else(|| QueryProblem::Date { text: owned() }),
    }
}

/// Digits with perhaps a sign and a fraction; nothing that only computers write.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let fits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !fits(whole) || !fits(fraction) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn size(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 13] = [
        ("kib", 1024.0),
        ("mib", 1_048_576.0),
        ("gib", 1_073_741_824.0),
        ("tib", 1_099_511_627_776.0),
        ("kb", 1e3),
        ("mb", 1e6),
        ("gb", 1e9),
        ("tb", 1e12),
        ("k", 1e3),
        ("m", 1e6),
        ("g", 1e9),
        ("t", 1e12),
        ("b", 1.0),
    ];
    let lower = text.to_ascii_lowercase();
    for (unit, factor) in UNITS {
        if let Some(amount) = lower.strip_suffix(unit) {
            return Some(number(amount.trim())? * factor);
        }
    }
    number(&lower)
}

/// `90`, `1m30s`, `2h`, `1:30`, `0:01:30`, in seconds.
fn duration(text: &str) -> Option<f64> {
    if text.contains(':') {
        let parts: Vec<f64> = text.split(':').map(number).collect::<Option<_>>()?;
        return (parts.len() <= 3 && parts.iter().all(|part| *part >= 0.0))
            .then(|| parts.iter().fold(0.0, |sum, part| sum * 60.0 + part));
    }
    if let Some(seconds) = number(text) {
        return Some(seconds);
    }
    let (mut sum, mut amount) = (0.0, String::new());
    for character in text.to_ascii_lowercase().chars() {
        let factor = match character {
            'h' => 3600.0,
            'm' => 60.0,
            's' => 1.0,
            other => {
                amount.push(other);
                continue;
            }
        };
        sum += number(&amount)? * factor;
        amount.clear();
    }
    amount.is_empty().then_some(sum)
}

/// A year, a month, a day, or a date in words.
fn moment(text: &str, now: Timestamp) -> Option<Span> {
    let parts: Vec<&str> = text.split('-').collect();
    let is_number = |part: &&str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
    let starts = |year: i16, month: i8, day: i8| midnight(year, month, day, now);
    match parts.as_slice() {
        [year] if is_number(year, 4) => {
            let year: i16 = year.parse().ok()?;
            Some(Span { first: starts(year, 1, 1)?, end: Some(starts(year.checked_add(1)?, 1, 1)?) })
        }
        [year, month] if is_number(year, 4) && is_number(month, 2) => {
            let (year, month): (i16, i8) = (year.parse().ok()?, month.parse().ok()?);
            let next = if month == 12 { (year.checked_add(1)?, 1) } else { (year, month + 1) };
            Some(Span { first: starts(year, month, 1)?, end: Some(starts(next.0, next.1, 1)?) })
        }
        [year, month, day] if is_number(year, 4) && is_number(month, 2) && is_number(day, 2) => {
            let first = starts(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
            Some(Span { first, end: Some(first + 86_400_000.0) })
        }
        // Without a now there are no words like `yesterday`.
        _ if now.unix_ms == 0 || text.is_empty() => None,
        _ => parse_date(text, now).ok().map(|time| Span::one(time.unix_ms as f64)),
    }
}

/// Midnight in the zone of `now`, in milliseconds since 1970.
fn midnight(year: i16, month: i8, day: i8, now: Timestamp) -> Option<f64> {
    let date = jiff::civil::Date::new(year, month, day).ok()?;
    let days = jiff::civil::Date::constant(1970, 1, 1).until(date).ok()?.get_days();
    let ms = i64::from(days) * 86_400_000 - i64::from(now.offset_minutes) * 60_000;
    Some(ms as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Bound::{Excluded, Included, Unbounded};

    const NOW: Timestamp = Timestamp { unix_ms: 1_772_381_999_000, offset_minutes: 60 };

    #[test]
    fn numbers_and_sizes_have_bounds() {
        let plain = |text| bounds(Measure::Plain, text, NOW);
        assert_eq!(plain(">3000"), Ok((Excluded(3000.0), Unbounded)));
        assert_eq!(plain("<=2.5"), Ok((Unbounded, Included(2.5))));
        assert_eq!(plain("10..20"), Ok((Included(10.0), Included(20.0))));
        assert_eq!(plain("7"), Ok((Included(7.0), Included(7.0))));
        assert!(matches!(plain("20..10"), Err(QueryProblem::EndsFirst { .. })));
        for bad in ["", ">", "1e9", "nan", "inf", "0x10", "1.", ".5", "--3", "1,000"] {
            assert!(matches!(plain(bad), Err(QueryProblem::Number { .. })), "{bad:?}");
        }
        let size = |text| bounds(Measure::Size, text, NOW);
        assert_eq!(size(">20MB"), Ok((Excluded(20e6), Unbounded)));
        assert_eq!(size("1kib..2 GiB"), Ok((Included(1024.0), Included(2_147_483_648.0))));
        let length = |text| bounds(Measure::Duration, text, NOW);
        assert_eq!(length("<1m30s"), Ok((Unbounded, Excluded(90.0))));
        assert_eq!(length(">=0:01:30"), Ok((Included(90.0), Unbounded)));
        assert!(length("1m30").is_err() && length("m").is_err());
    }

    #[test]
    fn dates_reach_as_far_as_they_say() {
        let day = 86_400_000.0;
        let at = |text| bounds(Measure::Moment, text, Timestamp { unix_ms: 1, offset_minutes: 0 });
        let (Included(first), Excluded(end)) = at("2026-01").expect("a month") else { panic!("a month") };
        assert_eq!(((end - first) / day) as i64, 31);
        assert_eq!(at(">2026-01"), Ok((Included(end), Unbounded)));
        assert_eq!(at("<2026-01"), Ok((Unbounded, Excluded(first))));
        assert_eq!(at("1970-01-02"), Ok((Included(day), Excluded(2.0 * day))));
        assert!(at("2026-13").is_err() && at("2026-02-30").is_err());
        let (Included(here), _) = bounds(Measure::Moment, "1970-01-01", NOW).expect("a day") else {
            panic!("a day")
        };
        assert_eq!(here as i64, -3_600_000, "a day begins where the user is");
        assert!(bounds(Measure::Moment, ">2 weeks ago", NOW).is_ok());
        assert!(field_bounds("yesterday").is_err(), "fields know no now");
        let both = field_bounds(">1970").expect("a number and a year");
        assert_eq!(both.numbers, Some((Excluded(1970.0), Unbounded)));
        assert_eq!(
            both.dates,
            Some((Included(365.0 * day), Unbounded)),
            "after the year, not after its first day"
        );
        let date = FieldBounds { numbers: None, dates: Some((Unbounded, Excluded(day))) };
        assert_eq!(field_bounds("<1970-01-02"), Ok(date));
        let number = FieldBounds { numbers: Some((Excluded(19.9), Unbounded)), dates: None };
        assert_eq!(field_bounds(">19.9"), Ok(number));
        assert!(matches!(field_bounds("2028..2026"), Err(QueryProblem::EndsFirst { .. })));
        assert!(matches!(field_bounds("2028-01..2026-01"), Err(QueryProblem::EndsFirst { .. })));
    }
}
