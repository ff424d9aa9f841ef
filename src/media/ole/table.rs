//! Words of Excel workbooks (\[MS-XLS\]): the texts of cells, which stand in one table, or on their own in older ones.

use super::{ENCRYPTED, Told, encoding, long, short};

/// Longest text that is kept, in bytes.
const TEXT_MAX: usize = 4 << 20;
/// The version of the workbooks that keep their texts in one table.
const SHARED_SINCE: u16 = 0x0600;

/// The words of a workbook, and how many sheets it has.
pub(super) fn words(book: &[u8]) -> Told {
    let mut told = Told::default();
    let (mut sheets, mut version, mut page) = (0, 0, None);
    let mut records = Records { rest: book };
    while let Some((kind, body)) = records.next() {
        match kind {
            // The beginning of the workbook, or of a sheet.
            0x0809 if version == 0 => version = short(body, 0).unwrap_or(0),
            0x002f => {
                told.notes.push(ENCRYPTED);
                break;
            }
            0x0042 => page = short(body, 0),
            0x0085 => sheets += 1,
            0x00fc => {
                let parts: Vec<&[u8]> = std::iter::once(body).chain(records.continued()).collect();
                shared(&parts, &mut told.text);
            }
            // A cell with a text of its own.
            0x0204 => {
                if let Some(text) = cell(body, version, page) {
                    push(&text, &mut told.text);
                }
            }
            _ => {}
        }
        if told.text.len() > TEXT_MAX {
            break;
        }
    }
    told.pages = Some(sheets).filter(|sheets| *sheets > 0);
    told
}

/// Records: what each is, how long, and what is in it.
struct Records<'b> {
    rest: &'b [u8],
}

impl<'b> Iterator for Records<'b> {
    type Item = (u16, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, length) = (short(self.rest, 0)?, usize::from(short(self.rest, 2)?));
        let body = self.rest.get(4..4 + length)?;
        self.rest = &self.rest[4 + length..];
        Some((kind, body))
    }
}

impl<'b> Records<'b> {
    /// The records that go on with the last one, which was too long for one.
    fn continued(&mut self) -> Vec<&'b [u8]> {
        let mut parts = Vec::new();
        while short(self.rest, 0) == Some(0x003c) {
            match self.next() {
                Some((_, body)) => parts.push(body),
                None => break,
            }
        }
        parts
    }
}

fn push(text: &str, into: &mut String) {
    let text = text.trim();
    if !text.is_empty() {
        into.push_str(text);
        into.push('\n');
    }
}

/// The text of a cell: behind its row, column and looks.
fn cell(body: &[u8], version: u16, page: Option<u16>) -> Option<String> {
    let length = usize::from(short(body, 6)?);
    if version < SHARED_SINCE {
        let bytes = body.get(8..8 + length)?;
        return Some(encoding(page).decode_without_bom_handling(bytes).0.into_owned());
    }
    let mut parts = Parts { part: body.get(8..)?, others: &[] };
    let is_wide = parts.byte()? & 1 != 0;
    parts.characters(length, is_wide)
}

/// The texts of the table, one line each.
fn shared(parts: &[&[u8]], into: &mut String) {
    let Some((first, others)) = parts.split_first() else { return };
    let Some(count) = long(first, 4) else { return };
    let mut parts = Parts { part: &first[8..], others };
    for _ in 0..count {
        let Some(text) = parts.text() else { return };
        push(&text, into);
        if into.len() > TEXT_MAX {
            return;
        }
    }
}

/// Bytes in several records.
struct Parts<'b> {
    part: &'b [u8],
    others: &'b [&'b [u8]],
}

impl Parts<'_> {
    /// Goes on to the next record where one is used up; whether there is one.
    fn refill(&mut self) -> bool {
        while self.part.is_empty() {
            let Some((next, others)) = self.others.split_first() else { return false };
            (self.part, self.others) = (next, others);
        }
        true
    }

    fn byte(&mut self) -> Option<u8> {
        self.refill();
        let (byte, rest) = self.part.split_first()?;
        self.part = rest;
        Some(*byte)
    }

    fn number(&mut self, bytes: usize) -> Option<u32> {
        (0..bytes).try_fold(0, |number, place| Some(number | (u32::from(self.byte()?) << (8 * place))))
    }

    fn skip(&mut self, mut count: usize) -> Option<()> {
        while count > 0 {
            if !self.refill() {
                return None;
            }
            let now = count.min(self.part.len());
            self.part = &self.part[now..];
            count -= now;
        }
        Some(())
    }

    /// So many characters. Where they go on in another record, that says anew how wide they are.
    fn characters(&mut self, mut count: usize, mut is_wide: bool) -> Option<String> {
        let mut units: Vec<u16> = Vec::new();
        while count > 0 {
            if self.part.is_empty() {
                is_wide = self.byte()? & 1 != 0;
            }
            let width = 1 + usize::from(is_wide);
            let now = count.min(self.part.len() / width);
            if now == 0 {
                return None;
            }
            let (taken, rest) = self.part.split_at(now * width);
            // What takes one byte is the lower half of a character.
            units.extend(
                taken
                    .chunks_exact(width)
                    .map(|unit| u16::from(unit[0]) | unit.get(1).map_or(0, |upper| u16::from(*upper) << 8)),
            );
            self.part = rest;
            count -= now;
        }
        Some(String::from_utf16_lossy(&units))
    }

    /// One text: its length, how it is stored, and behind it what is about its looks and its sounds.
    fn text(&mut self) -> Option<String> {
        let length = self.number(2)? as usize;
        let flags = self.byte()?;
        let runs = if flags & 8 != 0 { self.number(2)? as usize } else { 0 };
        let sounds = if flags & 4 != 0 { self.number(4)? as usize } else { 0 };
        let text = self.characters(length, flags & 1 != 0)?;
        // The last of the table may have nothing behind it.
        let _ = self.skip(runs * 4 + sounds);
        Some(text)
    }
}
