//! Words of Word documents (\[MS-DOC\]): pieces of text, which a table puts into their order.

use super::{ENCRYPTED, OLDER, Told, characters, long, short};

/// The first number of every Word document since 1997, and of those before.
const MAGIC: [u16; 2] = [0xa5ec, 0xa5dc];
/// The least version whose text is in pieces that a table always has.
const PIECES_SINCE: u16 = 0xc1;
/// Longest text that is kept, in bytes.
const TEXT_MAX: usize = 4 << 20;

/// The name of the stream with the tables; `None` when the text is told without.
pub(super) fn table(main: &[u8]) -> Option<&'static str> {
    let flags = short(main, 10)?;
    (short(main, 2)? >= PIECES_SINCE).then_some(if flags & 0x0200 == 0 { "0Table" } else { "1Table" })
}

/// The words of a document, with its notes, heads and feet behind them.
pub(super) fn words(main: &[u8], table: &[u8]) -> Told {
    let note = |note| Told { notes: vec![note], ..Told::default() };
    let head = short(main, 0).zip(short(main, 2)).zip(short(main, 10));
    let Some(((magic, version), flags)) = head else { return note(OLDER) };
    if !MAGIC.contains(&magic) {
        return note(OLDER);
    }
    if flags & 0x0100 != 0 {
        return note(ENCRYPTED);
    }
    if version >= PIECES_SINCE {
        return match pieces(main, table) {
            Some(raw) => Told { text: plain(&raw), ..Told::default() },
            None => note("the table of its text is damaged: its words are not read"),
        };
    }
    // Before 1997: one run, unless it was saved quickly.
    let run = long(main, 0x18).zip(long(main, 0x1c));
    match run.and_then(|(from, to)| main.get(from as usize..to as usize)) {
        Some(run) if flags & 0x0004 == 0 => Told {
            text: plain(&encoding_rs::WINDOWS_1252.decode_without_bom_handling(run).0),
            ..Told::default()
        },
        _ => note(OLDER),
    }
}

/// The text as it is stored, with its marks.
fn pieces(main: &[u8], table: &[u8]) -> Option<String> {
    let (start, length) = (long(main, 0x1a2)? as usize, long(main, 0x1a6)? as usize);
    let mut list = table.get(start..start.checked_add(length)?)?;
    // What stands before the pieces is about their looks.
    while let [1, rest @ ..] = list {
        list = rest.get(2 + usize::from(short(rest, 0)?)..)?;
    }
    let [2, rest @ ..] = list else { return None };
    let plan = rest.get(4..4 + long(rest, 0)? as usize)?;
    let count = plan.len().checked_sub(4)? / 12;
    let mut text = String::new();
    for number in 0..count {
        let (from, to) = (long(plan, number * 4)?, long(plan, number * 4 + 4)?);
        let length = (to.checked_sub(from)? as usize).min(TEXT_MAX);
        let place = long(plan, (count + 1) * 4 + number * 8 + 2)?;
        // One bit tells that each character takes one byte, and then the place is doubled.
        if place & 0x4000_0000 == 0 {
            let place = place as usize;
            let bytes = main.get(place..place.checked_add(length * 2)?)?;
            text.push_str(&characters(bytes));
        } else {
            let place = (place & 0x3fff_ffff) as usize / 2;
            let bytes = main.get(place..place.checked_add(length)?)?;
            text.push_str(&encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0);
        }
        if text.len() > TEXT_MAX {
            break;
        }
    }
    Some(text)
}

/// The text as people read it: what fields ask for is left out, and what they show stays.
fn plain(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    // For each open field, whether what it shows has begun; and how many of them ask yet.
    let mut fields: Vec<bool> = Vec::new();
    let mut asking = 0usize;
    for letter in raw.chars() {
        match letter {
            '\u{13}' => {
                fields.push(false);
                asking += 1;
            }
            '\u{14}' => {
                if let Some(shown) = fields.last_mut().filter(|shown| !**shown) {
                    *shown = true;
                    asking -= 1;
                }
            }
            '\u{15}' => asking -= usize::from(fields.pop() == Some(false)),
            _ if asking > 0 => {}
            '\r' | '\u{b}' | '\u{c}' | '\u{e}' => text.push('\n'),
            // Cells end with the same sign as rows.
            '\u{7}' | '\t' => text.push('\t'),
            '\u{1e}' => text.push('-'),
            letter if letter.is_control() => {}
            letter => text.push(letter),
        }
    }
    let lines = text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty());
    lines.collect::<Vec<_>>().join("\n")
}
