//! What a document says of itself: sets of numbered properties (\[MS-OLEPS\]).

use super::{encoding, long, short, wide};
use crate::base::time::Timestamp;
use crate::media::facts::{Facts, Field};

/// Longest set that is read, in bytes; a picture that it may hold stands behind the rest.
pub(super) const BYTES_MAX: usize = 1 << 20;
/// Most properties of one set.
const PROPERTIES_MAX: u32 = 256;
/// The property that tells the code of the others.
const CODE_PAGE: u32 = 1;
/// Milliseconds from 1601, from which such times count, to 1970.
const EPOCH_MS: i64 = 11_644_473_600_000;

/// Properties by their numbers, and what they are called here.
pub(super) const SUMMARY: &[(u32, &str)] = &[
    (2, "Title"),
    (3, "Subject"),
    (4, "Author"),
    (5, "Keywords"),
    (6, "Description"),
    (8, "LastModifiedBy"),
    (12, "Created"),
    (13, "Modified"),
    (14, "Pages"),
    (18, "Application"),
];
/// The same of the second set.
pub(super) const MORE: &[(u32, &str)] = &[(2, "Category"), (14, "Manager"), (15, "Company")];

/// Adds the properties that have a name.
pub(super) fn tell(bytes: &[u8], names: &[(u32, &str)], facts: &mut Facts) {
    let Some(start) = long(bytes, 44).map(|start| start as usize) else { return };
    let Some(set) = bytes.get(start..) else { return };
    let count = long(set, 4).unwrap_or(0).min(PROPERTIES_MAX) as usize;
    let listed = || {
        (0..count).filter_map(move |number| {
            let at = 8 + number * 8;
            Some((long(set, at)?, set.get(long(set, at + 4)? as usize..)?))
        })
    };
    let page = listed().find(|(id, _)| *id == CODE_PAGE).and_then(|(_, value)| short(value, 4));
    for (id, value) in listed() {
        let Some((_, name)) = names.iter().find(|(number, _)| *number == id) else { continue };
        let Some(text) = text(value, page).filter(|text| !text.is_empty()) else { continue };
        if *name == "Pages" {
            facts.pages = text.parse().ok().filter(|pages| *pages > 0);
        } else {
            facts.add_fields([Field::text("office", name, &text)]);
        }
    }
}

/// A value: its kind, and then what it is.
fn text(value: &[u8], page: Option<u16>) -> Option<String> {
    let body = value.get(4..)?;
    match short(value, 0)? {
        // A number of four bytes.
        0x03 => long(body, 0).map(|number| number.to_string()),
        // Text in the code of the set, or in two bytes a character.
        0x1e => {
            let bytes = body.get(4..)?.get(..long(body, 0)? as usize)?;
            if page == Some(1200) {
                return Some(wide(bytes).trim().to_owned());
            }
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            Some(encoding(page).decode_without_bom_handling(&bytes[..end]).0.trim().to_owned())
        }
        0x1f => {
            let bytes = body.get(4..)?.get(..(long(body, 0)? as usize).checked_mul(2)?)?;
            Some(wide(bytes).trim().to_owned())
        }
        // A time, in tenths of microseconds.
        0x40 => {
            let ticks = i64::from(long(body, 0)?) | (i64::from(long(body, 4)?) << 32);
            (ticks > 0).then(|| Timestamp::utc(ticks / 10_000 - EPOCH_MS).rfc3339())
        }
        _ => None,
    }
}
