//! Patterns that say how versions are written into names.
//!
//! A pattern is text with places in braces: `{name}` what the asset is called, `{number}` or `{n}` a number,
//! `{date}` a day, `{word}` any words, `*` anything. Without a pattern the usual [`habits`](super::habits) are known.

use crate::import::error::ImportError;

/// What a name says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// What the asset is called, without its extension; empty for a state of everything.
    pub name: String,
    /// The number of the version: several where dots part it; empty when there is none.
    pub number: Vec<u64>,
    /// Whether that number stands alone, without a `v` or the like: it may as well count things.
    pub bare: bool,
    /// The number of a copy, as in `logo (2)`.
    pub copy: Option<u64>,
    /// The day, and the time when it is said, in milliseconds since 1970 as if it were UTC.
    pub date_ms: Option<i64>,
    /// The same day with the month first, where it can be read so, too.
    pub date_month_first_ms: Option<i64>,
    /// How the day can be read.
    pub date_order: Option<DateOrder>,
    /// Words such as `final`, in lower case.
    pub words: Vec<String>,
}

impl Parts {
    /// Takes a date over.
    pub fn set_date(&mut self, date: Dated) {
        self.date_ms = Some(date.ms);
        self.date_month_first_ms = date.month_first_ms;
        self.date_order = Some(date.order);
    }

    /// The same with the month first in days that can be read either way.
    pub fn month_first(mut self) -> Self {
        self.date_ms = self.date_month_first_ms.or(self.date_ms);
        self
    }
}

/// In which order a day can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// It says so itself: the year comes first, or day and month are the same.
    Clear,
    /// Only with the day first.
    DayFirst,
    /// Only with the month first, as in the United States.
    MonthFirst,
    /// Either way.
    Either,
}

/// A day that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dated {
    /// The moment in milliseconds since 1970 as if it were UTC, with the day first where both can be.
    pub ms: i64,
    /// With the month first, where both can be.
    pub month_first_ms: Option<i64>,
    /// How it can be read.
    pub order: DateOrder,
}

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name,
    Number,
    Date,
    Word,
    Anything,
}

/// A pattern that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pieces: Vec<Piece>,
    /// It fits whole folders, each a state of everything.
    pub folders: bool,
    /// It fits paths from the top, not only names.
    pub paths: bool,
    /// It says what assets are called; otherwise each match is a state of everything.
    pub names: bool,
}

impl Pattern {
    /// Understands a pattern.
    pub fn parse(text: &str) -> Result<Self, ImportError> {
        let refuse =
            |reason: &str| ImportError::Argument { text: text.to_owned(), reason: reason.to_owned() };
        let folders = text.ends_with('/');
        let mut rest = text.trim_end_matches('/');
        let mut pieces = Vec::new();
        while let Some(first) = rest.chars().next() {
            let (piece, length) = match first {
                '{' => {
                    let end = rest.find('}').ok_or_else(|| refuse("a { has no } after it"))?;
                    let piece = match &rest[1..end] {
                        "name" => Piece::Name,
                        "number" | "n" => Piece::Number,
                        "date" => Piece::Date,
                        "word" => Piece::Word,
                        _ => return Err(refuse("the places are {name}, {number}, {date} and {word}")),
                    };
                    (piece, end + 1)
                }
                '*' => (Piece::Anything, 1),
                _ => {
                    let end = rest.find(['{', '*']).unwrap_or(rest.len());
                    (Piece::Text(rest[..end].to_owned()), end)
                }
            };
            pieces.push(piece);
            rest = &rest[length..];
        }
        let names = pieces.contains(&Piece::Name);
        let orders = pieces.iter().any(|piece| matches!(piece, Piece::Number | Piece::Date | Piece::Word));
        if !orders && !pieces.contains(&Piece::Anything) {
            return Err(refuse("nothing in it tells versions apart: use {number}, {date}, {word} or *"));
        }
        if pieces.iter().filter(|piece| !matches!(piece, Piece::Text(_))).count() > 8 {
            return Err(refuse("it has more than eight places"));
        }
        let paths = text.trim_end_matches('/').contains('/');
        Ok(Self { pieces, folders, paths, names })
    }

    /// Takes a name apart; `None` when the pattern does not fit.
    pub fn fit(&self, name: &str) -> Option<Parts> {
        let mut parts = Parts::default();
        fit(&self.pieces, name, &mut parts).then_some(parts)
    }
}

/// Fits pieces to all of a text, the shortest fill of each place first except for numbers and dates.
fn fit(pieces: &[Piece], text: &str, parts: &mut Parts) -> bool {
    let Some((piece, rest)) = pieces.split_first() else { return text.is_empty() };
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    match piece {
        Piece::Text(literal) => {
            let head = text.get(..literal.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(literal))
                && fit(rest, &text[literal.len()..], parts)
        }
        Piece::Anything => ends.into_iter().any(|end| fit(rest, &text[end..], parts)),
        Piece::Name | Piece::Word => ends.filter(|end| *end > 0).any(|end| {
            let before = parts.clone();
            let filled = &text[..end];
            match piece {
                Piece::Name => parts.name.push_str(filled),
                _ => parts.words.push(filled.to_lowercase()),
            }
            let fits = fit(rest, &text[end..], parts);
            if !fits {
                *parts = before;
            }
            fits
        }),
        Piece::Number => {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let Ok(number) = text[..end].parse() else { return false };
            parts.number = vec![number];
            fit(rest, &text[end..], parts)
        }
        Piece::Date => {
            let lengths = ends.filter(|end| (8..=19).contains(end));
            let mut lengths: Vec<usize> = lengths.collect();
            lengths.reverse();
            lengths.into_iter().any(|end| {
                let Some(date) = parse_date(&text[..end]) else { return false };
                parts.set_date(date);
                fit(rest, &text[end..], parts)
            })
        }
    }
}

/// Reads `2024-03-01`, `20240301`, `01.03.2024`, `03-01-2024`, each with an optional time such as `_1405` or
/// `T14:05:09`.
pub fn parse_date(text: &str) -> Option<Dated> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut numbers: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).collect::<Vec<_>>();
    let allowed = |c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | ':' | ' ' | 'T' | 'h');
    if !text.chars().all(allowed) || numbers.iter().any(|part| part.is_empty()) {
        return None;
    }
    let first = numbers.first().copied()?;
    let (year, month, day) = match (first.len(), numbers.get(1).map(|part| part.len())) {
        (8, _) => {
            numbers.remove(0);
            (&first[..4], &first[4..6], &first[6..8])
        }
        (4, Some(2)) if numbers.len() >= 3 && numbers[2].len() == 2 => {
            let parts = (numbers[0], numbers[1], numbers[2]);
            numbers.drain(..3);
            parts
        }
        (2, Some(2)) if numbers.len() >= 3 && numbers[2].len() == 4 => {
            let parts = (numbers[2], numbers[1], numbers[0]);
            numbers.drain(..3);
            parts
        }
        _ => return None,
    };
    let is_year_first = first.len() != 2;
    let clock = numbers.concat();
    let (hour, minute, second) = match clock.len() {
        0 => (0, 0, 0),
        4 => (clock[..2].parse().ok()?, clock[2..4].parse().ok()?, 0),
        6 => (clock[..2].parse().ok()?, clock[2..4].parse().ok()?, clock[4..6].parse().ok()?),
        _ => return None,
    };
    let time = jiff::civil::Time::new(hour, minute, second, 0).ok()?;
    let year: i16 = year.parse().ok().filter(|year| (1970..=2200).contains(year))?;
    let moment = |month: &str, day: &str| {
        let date = jiff::civil::Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()?;
        let zoned = date.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(zoned.timestamp().as_millisecond())
    };
    let (usual, other) = (moment(month, day), moment(day, month).filter(|_| !is_year_first));
    let dated = |ms, month_first_ms, order| Some(Dated { ms, month_first_ms, order });
    match (usual, other) {
        (Some(ms), Some(other)) if ms != other => dated(ms, Some(other), DateOrder::Either),
        (Some(ms), None) if !is_year_first => dated(ms, None, DateOrder::DayFirst),
        (Some(ms), _) => dated(ms, None, DateOrder::Clear),
        (None, Some(ms)) => dated(ms, None, DateOrder::MonthFirst),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_and_fill_their_places() {
        let fit = |pattern: &str, name: &str| Pattern::parse(pattern).expect("a pattern").fit(name);
        let found = fit("{name}_v{n}.psd", "big_logo_v12.psd").expect("a fit");
        assert_eq!((found.name.as_str(), found.number.as_slice()), ("big_logo", &[12][..]));
        assert_eq!(fit("{name}_v{number}.psd", "big_logo_v12.psd"), Some(found));
        let found = fit("backup {date}/", "backup 2024-03-01_1405").expect("a fit");
        assert_eq!(found.date_ms, Some(1_709_301_900_000));
        assert_eq!(fit("{name}_v{n}.psd", "logo_final.psd"), None);
        for bad in ["logo.psd", "{name", "{nmae}_{n}", "{name}"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dates_are_read_in_the_forms_that_people_use() {
        for text in ["2024-03-01", "20240301", "01.03.2024", "2024_03_01", "2024.03.01_0000"] {
            assert_eq!(parse_date(text).map(|date| date.ms), Some(1_709_251_200_000), "{text}");
        }
        for text in ["2024-13-01", "20241301", "99999999", "2024-3-1", "1024x768", "-2024-03-01"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
        let order = |text: &str| parse_date(text).map(|date| date.order);
        assert_eq!(order("03-15-2024"), Some(DateOrder::MonthFirst));
        assert_eq!(order("15-03-2024"), Some(DateOrder::DayFirst));
        assert_eq!(order("03-04-2024"), Some(DateOrder::Either));
        assert_eq!(order("04-04-2024"), Some(DateOrder::Clear));
        let march = parse_date("03-04-2024").and_then(|date| date.month_first_ms);
        assert_eq!(march, parse_date("2024-03-04").map(|date| date.ms));
    }
}
