//! Values of metadata fields as people write and read them.

use crate::app::error::AppError;
use crate::object::metadata::{FieldValue, TermId};
use std::collections::BTreeSet;

/// The types that `meta set --type` knows, with an example each.
pub const TYPES: &[(&str, &str)] = &[
    ("text", "Harbour at dawn"),
    ("integer", "12"),
    ("decimal", "19.99"),
    ("boolean", "yes"),
    ("date", "2026-03-01"),
    ("set", "print, web, social"),
];

/// Reads a value of the named type.
pub fn parse(kind: &str, text: &str) -> Result<FieldValue, AppError> {
    match kind {
        "text" => Some(FieldValue::Text(text.to_owned())),
        "integer" => text.trim().parse().ok().map(FieldValue::Integer),
        "decimal" => parse_decimal(text.trim()),
        "boolean" => parse_boolean(text.trim()).map(FieldValue::Boolean),
        "date" => parse_day(text.trim()).map(FieldValue::Date),
        "set" => parse_set(text),
        _ => None,
    }
    .ok_or_else(|| AppError::FieldValue {
        kind: TYPES.iter().find(|(name, _)| *name == kind).map_or("known type of value", |(name, _)| name),
        text: text.to_owned(),
    })
}

/// Reads a value without a named type: of the type that the field has already, else text.
pub fn parse_like(current: Option<&FieldValue>, text: &str) -> Result<FieldValue, AppError> {
    parse(current.map_or("text", type_name), text)
}

/// The name of a value's type.
pub const fn type_name(value: &FieldValue) -> &'static str {
    match value {
        FieldValue::Text(_) => "text",
        FieldValue::Integer(_) => "integer",
        FieldValue::Decimal { .. } => "decimal",
        FieldValue::Boolean(_) => "boolean",
        FieldValue::Date(_) => "date",
        FieldValue::Moment(_) => "moment",
        FieldValue::Set(_) => "set",
        FieldValue::Terms(_) => "terms",
    }
}

/// The value as people read it.
pub fn show(value: &FieldValue) -> String {
    match value {
        FieldValue::Text(text) => text.clone(),
        FieldValue::Integer(number) => number.to_string(),
        FieldValue::Decimal { mantissa, scale } => show_decimal(*mantissa, *scale),
        FieldValue::Boolean(truth) => if *truth { "yes" } else { "no" }.to_owned(),
        FieldValue::Date(days) => show_day(*days),
        FieldValue::Moment(unix_ms) => crate::base::time::Timestamp::utc(*unix_ms).rfc3339(),
        FieldValue::Set(members) => members.iter().cloned().collect::<Vec<_>>().join(", "),
        FieldValue::Terms(terms) => terms.iter().map(show_term).collect::<Vec<_>>().join(", "),
    }
}

fn show_term(term: &TermId) -> String {
    term.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A decimal without trailing zeros; what turns out whole is an integer.
fn parse_decimal(text: &str) -> Option<FieldValue> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mantissa: i64 = format!("{whole}{fraction}").parse().ok()?;
    let scale = u8::try_from(fraction.len()).ok().filter(|scale| *scale <= 18)?;
    let mantissa = mantissa * sign;
    Some(if scale == 0 { FieldValue::Integer(mantissa) } else { FieldValue::Decimal { mantissa, scale } })
}

fn show_decimal(mantissa: i64, scale: u8) -> String {
    let width = usize::from(scale) + 1;
    let digits = format!("{:0width$}", mantissa.unsigned_abs());
    let point = digits.len() - usize::from(scale);
    let sign = if mantissa < 0 { "-" } else { "" };
    format!("{sign}{}.{}", &digits[..point], &digits[point..])
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn parse_set(text: &str) -> Option<FieldValue> {
    let members: BTreeSet<String> =
        text.split(',').map(str::trim).filter(|member| !member.is_empty()).map(str::to_owned).collect();
    if members.is_empty() { None } else { Some(FieldValue::Set(members)) }
}

/// Days since 1970-01-01 of a `year-month-day`.
fn parse_day(text: &str) -> Option<i32> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let epoch = jiff::civil::Date::constant(1970, 1, 1);
    Some(epoch.until(date).ok()?.get_days())
}

fn show_day(days: i32) -> String {
    let moment = crate::base::time::Timestamp::utc(i64::from(days) * 86_400_000);
    let (year, month, day, ..) = moment.civil();
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_back_as_they_were_written() {
        for (kind, text) in TYPES {
            let value = parse(kind, text).expect("a value");
            let shown = show(&value);
            assert_eq!(parse(kind, &shown).ok(), Some(value), "{kind}");
        }
    }

    #[test]
    fn decimals_are_exact_and_in_one_form() {
        assert_eq!(parse("decimal", "19.90").ok(), Some(FieldValue::Decimal { mantissa: 199, scale: 1 }));
        assert_eq!(parse("decimal", "-0.05").ok().map(|value| show(&value)), Some("-0.05".into()));
        assert_eq!(parse("decimal", "20.00").ok(), Some(FieldValue::Integer(20)));
        assert!(parse("decimal", "1e9").is_err() && parse("decimal", ".5").is_err());
    }

    #[test]
    fn days_before_and_after_the_epoch() {
        assert_eq!(parse("date", "1970-01-02").ok(), Some(FieldValue::Date(1)));
        assert_eq!(parse("date", "1969-12-31").ok(), Some(FieldValue::Date(-1)));
        assert_eq!(parse("date", "2026-02-30").ok(), None);
    }
}
