//! IPTC fields in their binary form (IPTC-NAA Information Interchange Model, version 4.2).

use crate::media::facts::Field;

/// Longest field, in bytes.
const FIELD_MAX: usize = 64 << 10;

/// The fields of the application record, by number, with the names of the standard's own schema.
const NAMES: &[(u8, &str)] = &[
    (3, "ObjectTypeReference"),
    (4, "ObjectAttributeReference"),
    (5, "ObjectName"),
    (7, "EditStatus"),
    (8, "EditorialUpdate"),
    (10, "Urgency"),
    (12, "SubjectReference"),
    (15, "Category"),
    (20, "SupplementalCategories"),
    (22, "FixtureIdentifier"),
    (25, "Keywords"),
    (26, "ContentLocationCode"),
    (27, "ContentLocationName"),
    (30, "ReleaseDate"),
    (35, "ReleaseTime"),
    (37, "ExpirationDate"),
    (38, "ExpirationTime"),
    (40, "SpecialInstructions"),
    (42, "ActionAdvised"),
    (55, "DateCreated"),
    (60, "TimeCreated"),
    (62, "DigitalCreationDate"),
    (63, "DigitalCreationTime"),
    (65, "OriginatingProgram"),
    (70, "ProgramVersion"),
    (75, "ObjectCycle"),
    (80, "By-line"),
    (85, "By-lineTitle"),
    (90, "City"),
    (92, "Sub-location"),
    (95, "Province-State"),
    (100, "Country-PrimaryLocationCode"),
    (101, "Country-PrimaryLocationName"),
    (103, "OriginalTransmissionReference"),
    (105, "Headline"),
    (110, "Credit"),
    (115, "Source"),
    (116, "CopyrightNotice"),
    (118, "Contact"),
    (120, "Caption-Abstract"),
    (121, "LocalCaption"),
    (122, "Writer-Editor"),
    (131, "ImageOrientation"),
    (135, "LanguageIdentifier"),
];

/// The fields of a stream of data sets. A field that comes several times is one with a list.
pub(super) fn read(bytes: &[u8]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    let mut utf8 = false;
    let mut rest = bytes;
    while let [0x1c, record, set, high, low, after @ ..] = rest {
        let short = usize::from(u16::from_be_bytes([*high, *low]));
        // A length with its first bit set is one of the length of the length that follows.
        let (length, after) = if short & 0x8000 == 0 {
            (short, after)
        } else {
            let Some((digits, after)) = after.split_at_checked(short & 0x7fff) else { break };
            let fits = digits.len() <= 4;
            let length = digits.iter().fold(0usize, |sum, digit| (sum << 8) | usize::from(*digit));
            if !fits {
                break;
            }
            (length, after)
        };
        let Some((value, after)) = after.split_at_checked(length) else { break };
        rest = after;
        match (record, NAMES.iter().find(|(number, _)| number == set)) {
            (1, _) if *set == 90 => utf8 = value == b"\x1b%G",
            (2, Some((_, name))) if length <= FIELD_MAX => add(&mut fields, name, &text(value, utf8)),
            _ => {}
        }
    }
    fields
}

fn add(fields: &mut Vec<Field>, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    let value = match value.as_bytes() {
        // Days and times are written without marks between their parts.
        day if name.ends_with("Date") || name == "DateCreated" => {
            date(day).unwrap_or_else(|| value.to_owned())
        }
        _ => value.to_owned(),
    };
    match fields.iter_mut().find(|field| field.name == name) {
        Some(field) => field.push(&value),
        None => fields.push(Field::text("iptc", name, &value)),
    }
}

fn date(day: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(day).ok().filter(|text| text.len() == 8 && text.is_ascii())?;
    Some(format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]))
}

/// Text in UTF-8 when that is announced or possible, else as Western Europe's programs wrote it.
fn text(bytes: &[u8], utf8: bool) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) if utf8 => String::from_utf8_lossy(bytes).into_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    };
    text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned()
}
