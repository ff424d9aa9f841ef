//! Boxes of ISO base media files (ISO/IEC 14496-12), which HEIC, AVIF, JPEG XL, MP4 and QuickTime are
//! made of, and the items that still pictures in them have (ISO/IEC 23008-12).

use std::io;
use std::ops::Range;

use crate::media::input::Input;

/// Most boxes on one level.
const BOXES_MAX: usize = 4096;
/// Longest table or item that is read, in bytes.
pub const BODY_MAX: u64 = 32 << 20;

/// A box: its kind, and where its content lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Four letters.
    pub kind: [u8; 4],
    /// The content, without the header.
    pub body: Range<u64>,
}

/// The boxes that lie within a range, one after the other. One that claims more than there is ends at
/// the range's end.
pub fn parts(input: &mut Input<'_>, range: Range<u64>) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut at = range.start;
    while at + 8 <= range.end && parts.len() < BOXES_MAX {
        let head = input.read_at(at, 16)?;
        let Some((size, kind)) = head.split_first_chunk::<4>() else { break };
        let Some((kind, large)) = kind.split_first_chunk::<4>() else { break };
        let (header, size) = match u32::from_be_bytes(*size) {
            0 => (8, range.end - at),
            1 => match large.first_chunk::<8>() {
                Some(large) => (16, u64::from_be_bytes(*large)),
                None => break,
            },
            size => (8, u64::from(size)),
        };
        if size < header {
            break;
        }
        let end = at.saturating_add(size).min(range.end);
        parts.push(Part { kind: *kind, body: (at + header).min(end)..end });
        at = end;
    }
    Ok(parts)
}

/// The content of a box, unless it is longer than any that is read.
pub fn body(input: &mut Input<'_>, part: &Part) -> io::Result<Vec<u8>> {
    let length = part.body.end - part.body.start;
    if length > BODY_MAX { Ok(Vec::new()) } else { input.read_at(part.body.start, length as usize) }
}

/// Numbers, one after the other, most significant byte first.
pub struct Numbers<'b>(pub &'b [u8]);

impl<'b> Numbers<'b> {
    /// The next number of so many bytes, at most eight; no bytes are 0.
    pub fn take(&mut self, bytes: usize) -> Option<u64> {
        let (number, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(number.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
    }

    /// Bytes up to the next 0, which is passed.
    pub fn text(&mut self) -> &'b [u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let text = &self.0[..end];
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        text
    }
}

/// One item of a picture file: a picture, or data about one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// Its number.
    pub id: u64,
    /// Four letters: `hvc1`, `av01`, `grid`, `Exif`, `mime`...
    pub kind: [u8; 4],
    /// The media type, of data of the kind `mime`.
    pub mime: Vec<u8>,
    /// Where its bytes lie in the file.
    pub extents: Vec<Range<u64>>,
    /// Its properties: places in [`Items::properties`].
    pub properties: Vec<usize>,
}

/// The items of a picture file.
#[derive(Debug, Clone, Default)]
pub struct Items {
    /// The number of the picture that is shown.
    pub primary: u64,
    /// All items.
    pub items: Vec<Item>,
    /// Boxes of properties that items share.
    pub properties: Vec<Part>,
    /// References: the kind, from which item, to which.
    pub references: Vec<([u8; 4], u64, u64)>,
}

impl Items {
    /// Reads the content of a `meta` box.
    pub fn read(input: &mut Input<'_>, meta: &Part) -> io::Result<Self> {
        let mut found = Self::default();
        // It has a version and flags, which its children follow.
        let children = parts(input, meta.body.start + 4..meta.body.end)?;
        let data = children.iter().find(|part| part.kind == *b"idat").map(|part| part.body.clone());
        // What items there are comes before where they lie and what they have.
        for wanted in [b"pitm", b"iinf", b"iloc", b"iprp", b"iref"] {
            for part in children.iter().filter(|part| part.kind == *wanted) {
                match wanted {
                    b"iinf" => found.entries(input, part)?,
                    b"iprp" => found.properties_of(input, part)?,
                    b"iref" => found.references_of(input, part)?,
                    _ => {
                        let body = body(input, part)?;
                        let _ = if wanted == b"pitm" {
                            found.primary_of(&body)
                        } else {
                            found.places(&body, data.as_ref())
                        };
                    }
                }
            }
        }
        Ok(found)
    }

    /// The item of that number.
    pub fn item(&self, id: u64) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }

    /// The properties of an item that are of a kind.
    pub fn properties<'s>(&'s self, item: &'s Item, kind: &'s [u8; 4]) -> impl Iterator<Item = &'s Part> {
        let all = item.properties.iter().filter_map(|at| self.properties.get(*at));
        all.filter(move |part| part.kind == *kind)
    }

    /// The bytes of an item; fewer than it should have when it is too long.
    pub fn bytes(&self, input: &mut Input<'_>, item: &Item) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for extent in &item.extents {
            let room = BODY_MAX.saturating_sub(bytes.len() as u64);
            let length = (extent.end - extent.start).min(room);
            bytes.extend(input.read_at(extent.start, length as usize)?);
        }
        Ok(bytes)
    }

    fn primary_of(&mut self, body: &[u8]) -> Option<()> {
        let mut numbers = Numbers(body);
        let version = numbers.take(4)? >> 24;
        self.primary = numbers.take(if version == 0 { 2 } else { 4 })?;
        Some(())
    }

    fn entries(&mut self, input: &mut Input<'_>, part: &Part) -> io::Result<()> {
        let head = input.read_at(part.body.start, 4)?;
        let count_bytes = if head.first() == Some(&0) { 2 } else { 4 };
        for entry in parts(input, part.body.start + 4 + count_bytes..part.body.end)? {
            if entry.kind == *b"infe" {
                let body = body(input, &entry)?;
                self.items.extend(item_entry(&body));
            }
        }
        Ok(())
    }

    /// The places of items (`iloc`).
    fn places(&mut self, body: &[u8], data: Option<&Range<u64>>) -> Option<()> {
        let mut numbers = Numbers(body);
        let version = numbers.take(4)? >> 24;
        let sizes = numbers.take(2)? as usize;
        let (offset_bytes, length_bytes) = (sizes >> 12, (sizes >> 8) & 15);
        let (base_bytes, index_bytes) = ((sizes >> 4) & 15, if version == 0 { 0 } else { sizes & 15 });
        if [offset_bytes, length_bytes, base_bytes, index_bytes].iter().any(|bytes| *bytes > 8) {
            return None;
        }
        let id_bytes = if version < 2 { 2 } else { 4 };
        for _ in 0..numbers.take(id_bytes)? {
            let id = numbers.take(id_bytes)?;
            let method = if version == 0 { 0 } else { numbers.take(2)? & 15 };
            numbers.take(2)?;
            let base = numbers.take(base_bytes)?;
            let mut extents = Vec::new();
            for _ in 0..numbers.take(2)? {
                numbers.take(index_bytes)?;
                let (offset, length) = (numbers.take(offset_bytes)?, numbers.take(length_bytes)?);
                let within = if method == 1 { data.map_or(u64::MAX, |data| data.start) } else { 0 };
                let start = within.checked_add(base)?.checked_add(offset)?;
                extents.push(start..start.checked_add(length)?);
            }
            if let Some(item) = self.items.iter_mut().find(|item| item.id == id).filter(|_| method < 2) {
                item.extents = extents;
            }
        }
        Some(())
    }

    /// Properties and which items have them (`ipco` and `ipma`).
    fn properties_of(&mut self, input: &mut Input<'_>, part: &Part) -> io::Result<()> {
        let children = parts(input, part.body.clone())?;
        for part in &children {
            match &part.kind {
                b"ipco" => self.properties = parts(input, part.body.clone())?,
                b"ipma" => {
                    let body = body(input, part)?;
                    self.associate(&body);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn associate(&mut self, body: &[u8]) -> Option<()> {
        let mut numbers = Numbers(body);
        let head = numbers.take(4)?;
        let (version, wide) = (head >> 24, head & 1 == 1);
        for _ in 0..numbers.take(4)? {
            let id = numbers.take(if version == 0 { 2 } else { 4 })?;
            let mut properties = Vec::new();
            for _ in 0..numbers.take(1)? {
                // The first bit says that a reader must know it; places are counted from 1.
                let place = if wide { numbers.take(2)? & 0x7fff } else { numbers.take(1)? & 0x7f };
                properties.extend(place.checked_sub(1).map(|place| place as usize));
            }
            if let Some(item) = self.items.iter_mut().find(|item| item.id == id) {
                item.properties = properties;
            }
        }
        Some(())
    }

    fn references_of(&mut self, input: &mut Input<'_>, part: &Part) -> io::Result<()> {
        let head = input.read_at(part.body.start, 4)?;
        let id_bytes = if head.first() == Some(&0) { 2 } else { 4 };
        for reference in parts(input, part.body.start + 4..part.body.end)? {
            let body = body(input, &reference)?;
            let mut numbers = Numbers(&body);
            let (Some(from), Some(count)) = (numbers.take(id_bytes), numbers.take(2)) else { continue };
            let to = (0..count).map_while(|_| numbers.take(id_bytes));
            self.references.extend(to.map(|to| (reference.kind, from, to)));
        }
        Ok(())
    }
}

/// An entry of the list of items (`infe`), in its second or third version.
fn item_entry(body: &[u8]) -> Option<Item> {
    let mut numbers = Numbers(body);
    let version = numbers.take(4)? >> 24;
    let id = match version {
        2 => numbers.take(2)?,
        3 => numbers.take(4)?,
        _ => return None,
    };
    numbers.take(2)?;
    let kind = (numbers.take(4)? as u32).to_be_bytes();
    numbers.text();
    let mime = if kind == *b"mime" { numbers.text().to_vec() } else { Vec::new() };
    Some(Item { id, kind, mime, ..Item::default() })
}
