//! Directories of a TIFF structure, which EXIF is one of: reads them from anywhere in a file of any
//! size and writes what matters of them as a small structure of their own.
//!
//! Source: TIFF revision 6.0 (1992), and its form with 64-bit offsets (BigTIFF) as LibTIFF has it.
//! The small structure is in no place twice, so what reads it takes no more memory than it is long.

use std::io;

use super::Packets;
use crate::media::input::Input;

/// Most entries of one directory.
const ENTRIES_MAX: u64 = 4096;
/// Longest value of a plain entry, in bytes.
const VALUE_MAX: u64 = 64 << 10;
/// Longest packet that an entry holds, in bytes.
const PACKET_MAX: u64 = 32 << 20;
/// Most bytes of plain values in all.
const TOTAL_MAX: usize = 4 << 20;

const EXIF_POINTER: u16 = 0x8769;
const GPS_POINTER: u16 = 0x8825;
const INTEROP_POINTER: u16 = 0xa005;
const XMP: u16 = 0x02bc;
const IPTC: u16 = 0x83bb;
const CREDENTIALS: u16 = 0xcd41;
/// Where pixels lie, what programs keep for themselves, profiles and previews: nobody asks for these.
const LEFT_OUT: &[u16] = &[
    0x0111, 0x0117, 0x0144, 0x0145, 0x014a, 0x015b, 0x0201, 0x0202, 0x8649, 0x8773, 0x927c, 0xc4a5, 0xc634,
    0xea1c,
];

/// How numbers are written.
#[derive(Clone, Copy)]
struct Order {
    big_endian: bool,
    /// Whether offsets and counts have 64 bits.
    large: bool,
}

impl Order {
    fn u16(self, bytes: &[u8]) -> Option<u16> {
        let bytes = *bytes.first_chunk::<2>()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(self, bytes: &[u8]) -> Option<u32> {
        let bytes = *bytes.first_chunk::<4>()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// A number as long as this form's offsets.
    fn long(self, bytes: &[u8]) -> Option<u64> {
        if !self.large {
            return self.u32(bytes).map(u64::from);
        }
        let bytes = *bytes.first_chunk::<8>()?;
        Some(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    fn put_u16(self, value: u16, out: &mut Vec<u8>) {
        out.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn put_u32(self, value: u32, out: &mut Vec<u8>) {
        out.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }
}

/// An entry with its value.
struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    value: Vec<u8>,
}

struct Walk<'w, 'i> {
    input: &'w mut Input<'i>,
    order: Order,
    held: usize,
    found: &'w mut Packets,
}

/// Reads the first directory of a structure that begins at the file's first byte, and those of EXIF that
/// hang on it. Returns `false` when this is no such structure; what is damaged within is left out.
pub(super) fn gather(input: &mut Input<'_>, found: &mut Packets) -> io::Result<bool> {
    let head = input.read_at(0, 16)?;
    let big_endian = match head.get(..2) {
        Some(b"II") => false,
        Some(b"MM") => true,
        _ => return Ok(false),
    };
    let mut order = Order { big_endian, large: false };
    let first = match order.u16(&head[2..]) {
        // Some cameras put another number in the place of 42.
        Some(42 | 0x55 | 0x4f52 | 0x5352) => head.get(4..).and_then(|bytes| order.long(bytes)),
        Some(43) => {
            order.large = true;
            head.get(8..).and_then(|bytes| order.long(bytes))
        }
        _ => return Ok(false),
    };
    let Some(first) = first else { return Ok(false) };
    let mut walk = Walk { input, order, held: 0, found };
    let mut out = if big_endian { b"MM\0\x2a".to_vec() } else { b"II\x2a\0".to_vec() };
    out.extend([0; 4]);
    let at = walk.directory(first, 0, &mut out)?;
    if let Some(at) = at {
        let mut offset = Vec::new();
        order.put_u32(at, &mut offset);
        out[4..8].copy_from_slice(&offset);
        found.exif.get_or_insert(out);
    }
    Ok(true)
}

impl Walk<'_, '_> {
    /// Reads the directory at an offset, and writes it with all below it. The new offset is returned.
    fn directory(&mut self, at: u64, depth: u8, out: &mut Vec<u8>) -> io::Result<Option<u32>> {
        let order = self.order;
        let (count_bytes, entry_bytes) = if order.large { (8, 20) } else { (2, 12) };
        let head = self.input.read_at(at, count_bytes)?;
        let count = if order.large { order.long(&head) } else { order.u16(&head).map(u64::from) };
        let Some(count) = count.filter(|count| (1..=ENTRIES_MAX).contains(count)) else { return Ok(None) };
        let table = self.input.read_at(at + count_bytes as u64, count as usize * entry_bytes)?;
        let mut entries = Vec::new();
        for raw in table.chunks_exact(entry_bytes) {
            let Some(mut entry) = self.entry(raw)? else { continue };
            if matches!(entry.tag, EXIF_POINTER | GPS_POINTER | INTEROP_POINTER) {
                let target = order.u32(&entry.value).map(u64::from).filter(|_| depth < 2);
                let below = target.map(|target| self.directory(target, depth + 1, out)).transpose()?;
                let Some(below) = below.flatten() else { continue };
                entry.value.clear();
                order.put_u32(below, &mut entry.value);
            }
            entries.push(entry);
        }
        Ok(Some(write(&entries, order, out)))
    }

    /// Reads an entry's value, unless it is one of those that are left out or taken apart elsewhere.
    fn entry(&mut self, raw: &[u8]) -> io::Result<Option<Entry>> {
        let order = self.order;
        let (Some(tag), Some(kind), Some(count)) = (
            order.u16(raw),
            raw.get(2..).and_then(|bytes| order.u16(bytes)),
            raw.get(4..).and_then(|bytes| order.long(bytes)),
        ) else {
            return Ok(None);
        };
        let field = raw.get(if order.large { 12.. } else { 8.. }).unwrap_or_default();
        let width: u64 = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 => 8,
            16 | 18 if order.large => 8,
            _ => return Ok(None),
        };
        let packet = matches!(tag, XMP | IPTC | CREDENTIALS);
        let size = count.saturating_mul(width);
        if LEFT_OUT.contains(&tag) || size > if packet { PACKET_MAX } else { VALUE_MAX } {
            return Ok(None);
        }
        let value = if size <= field.len() as u64 {
            field[..size as usize].to_vec()
        } else {
            let at = order.long(field).unwrap_or(u64::MAX);
            self.input.read_at(at, size as usize)?
        };
        if value.len() as u64 != size {
            return Ok(None);
        }
        match tag {
            XMP => self.found.xmp.push(value),
            IPTC => self.found.iptc = Some(value),
            CREDENTIALS => self.found.credentials = true,
            _ if self.held + value.len() > TOTAL_MAX => {}
            _ => {
                self.held += value.len();
                return Ok(self.narrow(tag, kind, count, value));
            }
        }
        Ok(None)
    }

    /// Numbers of 64 bits become such of 32 where they fit.
    fn narrow(&self, tag: u16, kind: u16, count: u64, value: Vec<u8>) -> Option<Entry> {
        let count = u32::try_from(count).ok()?;
        if !matches!(kind, 16 | 18) {
            return Some(Entry { tag, kind, count, value });
        }
        let mut narrow = Vec::new();
        for number in value.chunks_exact(8) {
            self.order.put_u32(u32::try_from(self.order.long(number)?).ok()?, &mut narrow);
        }
        Some(Entry { tag, kind: 4, count, value: narrow })
    }
}

/// Writes a directory: its values first, each at an even place, then the table. The place of the table
/// is returned; all of it is far shorter than 4 GiB.
fn write(entries: &[Entry], order: Order, out: &mut Vec<u8>) -> u32 {
    let mut places = Vec::with_capacity(entries.len());
    for entry in entries.iter().filter(|entry| entry.value.len() > 4) {
        places.push(out.len() as u32);
        out.extend(&entry.value);
        out.resize(out.len().next_multiple_of(2), 0);
    }
    let at = out.len() as u32;
    let mut places = places.into_iter();
    order.put_u16(entries.len() as u16, out);
    for entry in entries {
        order.put_u16(entry.tag, out);
        order.put_u16(entry.kind, out);
        order.put_u32(entry.count, out);
        if entry.value.len() > 4 {
            order.put_u32(places.next().unwrap_or(0), out);
        } else {
            let end = out.len() + 4;
            out.extend(&entry.value);
            out.resize(end, 0);
        }
    }
    out.extend([0; 4]);
    at
}
