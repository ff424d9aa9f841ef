//! EXIF fields, from a TIFF structure (CIPA DC-008).

use exif::{Field as Raw, In, Tag, Value};

use crate::media::facts::Field;

/// Fields that say where bytes lie, and the halves of others.
const LEFT_OUT: &[Tag] = &[
    Tag::MakerNote,
    Tag::StripOffsets,
    Tag::StripByteCounts,
    Tag::TileOffsets,
    Tag::TileByteCounts,
    Tag::JPEGInterchangeFormat,
    Tag::JPEGInterchangeFormatLength,
    Tag::InteroperabilityIndex,
    Tag::InteroperabilityVersion,
    Tag::ComponentsConfiguration,
    Tag::GPSLatitudeRef,
    Tag::GPSLongitudeRef,
    Tag::GPSAltitudeRef,
    Tag::OffsetTime,
    Tag::OffsetTimeOriginal,
    Tag::OffsetTimeDigitized,
];

/// Fields, and dots per inch across and down.
type Read = (Vec<Field>, Option<(f64, f64)>);

/// The fields of a structure, and dots per inch when it says so. `None` when it cannot be read.
pub(super) fn read(structure: Vec<u8>) -> Option<Read> {
    let read = exif::Reader::new().continue_on_error(true).read_raw(structure);
    let exif = read.or_else(|error| error.distill_partial_result(|_| ())).ok()?;
    let number = |tag| exif.get_field(tag, In::PRIMARY).and_then(number_of);
    let unit = match number(Tag::ResolutionUnit).map(|unit| unit as u32) {
        Some(3) => 2.54,
        _ => 1.0,
    };
    let resolution = number(Tag::XResolution).zip(number(Tag::YResolution));
    let resolution = resolution.filter(|(across, down)| *across > 1.0 && *down > 1.0);
    let get = |tag| exif.get_field(tag, In::PRIMARY);
    let fields = exif.fields().filter(|field| field.ifd_num == In::PRIMARY).filter_map(|raw| {
        let tag = raw.tag;
        tag.description()?;
        if LEFT_OUT.contains(&tag) {
            return None;
        }
        let name = tag.to_string();
        let field = match tag {
            Tag::GPSLatitude => degrees(raw, get(Tag::GPSLatitudeRef), b"S"),
            Tag::GPSLongitude => degrees(raw, get(Tag::GPSLongitudeRef), b"W"),
            Tag::GPSAltitude => {
                let below = get(Tag::GPSAltitudeRef).and_then(|it| it.value.get_uint(0)) == Some(1);
                number_of(raw).map(|metres| Field::number("", "", if below { -metres } else { metres }))
            }
            Tag::DateTime => date(raw, get(Tag::OffsetTime)),
            Tag::DateTimeOriginal => date(raw, get(Tag::OffsetTimeOriginal)),
            Tag::DateTimeDigitized => date(raw, get(Tag::OffsetTimeDigitized)),
            Tag::UserComment => comment(raw),
            _ => value(raw),
        };
        field.map(|field| Field { group: "exif".to_owned(), name, ..field })
    });
    Some((fields.collect(), resolution.map(|(across, down)| (across * unit, down * unit))))
}

fn number_of(field: &Raw) -> Option<f64> {
    let number = match &field.value {
        Value::Rational(all) => all.first()?.to_f64(),
        Value::SRational(all) => all.first()?.to_f64(),
        Value::Float(all) => f64::from(*all.first()?),
        Value::Double(all) => *all.first()?,
        Value::SByte(all) => f64::from(*all.first()?),
        Value::SShort(all) => f64::from(*all.first()?),
        Value::SLong(all) => f64::from(*all.first()?),
        other => f64::from(other.get_uint(0)?),
    };
    number.is_finite().then_some(number)
}

fn value(field: &Raw) -> Option<Field> {
    let single = match &field.value {
        Value::Ascii(parts) => {
            let parts: Vec<String> =
                parts.iter().map(|part| text(part)).filter(|it| !it.is_empty()).collect();
            return (!parts.is_empty()).then(|| Field::text("", "", &parts.join("; ")));
        }
        Value::Undefined(bytes, _) => {
            return match (bytes.as_slice(), field.tag) {
                ([one], _) => {
                    let shown = field.display_value().to_string();
                    Some(Field { number: Some(f64::from(*one)), ..Field::text("", "", &shown) })
                }
                (bytes, Tag::ExifVersion | Tag::FlashpixVersion | Tag::GPSVersionID) => {
                    bytes.is_ascii().then(|| Field::text("", "", &text(bytes)))
                }
                _ => None,
            };
        }
        Value::Unknown(..) => return None,
        Value::Byte(all) => all.len() == 1,
        Value::Short(all) => all.len() == 1,
        Value::Long(all) => all.len() == 1,
        Value::Rational(all) => all.len() == 1,
        Value::SByte(all) => all.len() == 1,
        Value::SShort(all) => all.len() == 1,
        Value::SLong(all) => all.len() == 1,
        Value::SRational(all) => all.len() == 1,
        Value::Float(all) => all.len() == 1,
        Value::Double(all) => all.len() == 1,
    };
    let shown = field.display_value().to_string();
    // A denominator of nothing means that it is not known.
    let number = number_of(field)?;
    Some(Field { number: single.then_some(number), ..Field::text("", "", &shown) })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned()
}

/// Degrees, minutes and seconds as one number.
fn degrees(field: &Raw, side: Option<&Raw>, negative: &[u8]) -> Option<Field> {
    let Value::Rational(parts) = &field.value else { return None };
    let mut degrees = 0.0;
    for (part, share) in parts.iter().zip([1.0, 60.0, 3600.0]) {
        let part = part.to_f64();
        degrees += if part.is_finite() { part / share } else { 0.0 };
    }
    let minus = side.is_some_and(|side| match &side.value {
        Value::Ascii(parts) => parts.first().is_some_and(|part| part.starts_with(negative)),
        _ => false,
    });
    let degrees = if minus { -degrees } else { degrees };
    Some(Field::number("", "", (degrees * 1e8).round() / 1e8))
}

/// A date in the form of ISO 8601, with its zone when that is known.
fn date(field: &Raw, zone: Option<&Raw>) -> Option<Field> {
    let ascii = |field: &Raw| match &field.value {
        Value::Ascii(parts) => parts.first().map(|part| text(part)),
        _ => None,
    };
    let written = ascii(field)?;
    let zone = zone.and_then(ascii).unwrap_or_default();
    let shown = match (written.get(..10), written.get(11..19)) {
        (Some(day), Some(time)) if day.as_bytes()[4] == b':' => {
            format!("{}T{time}{zone}", day.replace(':', "-"))
        }
        _ => written,
    };
    Some(Field::text("", "", &shown))
}

/// A comment in one of four ways of writing, named in its first eight bytes.
fn comment(field: &Raw) -> Option<Field> {
    let Value::Undefined(bytes, _) = &field.value else { return None };
    let (code, rest) = bytes.split_first_chunk::<8>()?;
    let comment = if code == b"UNICODE\0" {
        let units = rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        let big: String = char::decode_utf16(units).map(|it| it.unwrap_or('\u{fffd}')).collect();
        let units = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let little: String = char::decode_utf16(units).map(|it| it.unwrap_or('\u{fffd}')).collect();
        // The order is that of the structure by the standard, and another by some programs: what has more
        // letters of the first page is meant.
        let latin = |text: &str| text.chars().filter(|c| (*c as u32) < 0x250).count();
        if latin(&big) >= latin(&little) { big } else { little }
    } else {
        String::from_utf8_lossy(rest).into_owned()
    };
    let comment = comment.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!comment.is_empty()).then(|| Field::text("", "", comment))
}
