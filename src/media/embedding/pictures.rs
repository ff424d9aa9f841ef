//! Where a packet stands in JPEG, PNG and WebP (Adobe, "XMP Specification Part 3", sections 1.1.3, 1.1.4; W3C PNG,
//! 11.3.3.4; Google, "WebP Container Specification").

use super::Edit;
use crate::media::decoder::DecodeError;
use crate::media::input::Input;

/// Most parts of one file that are looked at.
const PARTS_MAX: usize = 1 << 20;
/// How a packet begins in a JPEG file, and how a part of a longer one does.
const HEAD: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const EXTENSION: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
/// What a packet is called in a PNG file, and what stands before its text: not packed, in no language.
const KEYWORD: &[u8] = b"XML:com.adobe.xmp\0\0\0\0\0";

fn damaged(what: &str) -> DecodeError {
    DecodeError::Damaged(format!("its {what} are not as they should be"))
}

/// The packet comes behind the segments of JFIF and EXIF, in the place of the one that was there.
pub(super) fn jpeg(input: &mut Input<'_>, packet: &[u8]) -> Result<Vec<Edit>, DecodeError> {
    let mut edits = Vec::new();
    let (mut at, mut place) = (2u64, 2u64);
    for _ in 0..PARTS_MAX {
        let head = input.read_at(at, 4)?;
        let [0xff, marker, high, low] = *head.as_slice() else { return Err(damaged("segments")) };
        match marker {
            0xff => {
                at += 1;
                continue;
            }
            0x01 | 0xd0..=0xd7 => {
                at += 2;
                continue;
            }
            0xd9 | 0xda => break,
            _ => {}
        }
        let length = u64::from(u16::from_be_bytes([high, low]));
        if length < 2 {
            return Err(damaged("segments"));
        }
        let payload = input.read_at(at + 4, (length as usize - 2).min(EXTENSION.len()))?;
        if marker == 0xe1 && (payload.starts_with(HEAD) || payload.starts_with(EXTENSION)) {
            edits.push(Edit::leave_out(at, 2 + length));
        } else if marker == 0xe0 || (marker == 0xe1 && payload.starts_with(b"Exif\0")) {
            place = at + 2 + length;
        }
        at += 2 + length;
    }
    let length = u16::try_from(2 + HEAD.len() + packet.len());
    let length =
        length.map_err(|_| DecodeError::TooLarge("the fields are too long for a JPEG file".to_owned()))?;
    let segment = [&[0xff, 0xe1][..], &length.to_be_bytes(), HEAD, packet].concat();
    // A packet that stood right there is left out behind it.
    edits.insert(0, Edit::put_in(place, segment));
    Ok(edits)
}

/// The packet is a part of text behind the header.
pub(super) fn png(input: &mut Input<'_>, packet: &[u8]) -> Result<Vec<Edit>, DecodeError> {
    const HEADER_END: u64 = 8 + 25;
    let mut edits = Vec::new();
    let mut at = 8u64;
    let mut is_whole = false;
    for _ in 0..PARTS_MAX {
        let head = input.read_at(at, 8 + KEYWORD.len())?;
        let (Some(length), Some(kind)) = (head.first_chunk::<4>(), head.get(4..8)) else { break };
        let length = 12 + u64::from(u32::from_be_bytes(*length));
        if at == 8 && (kind != b"IHDR" || length != 25) {
            return Err(damaged("parts"));
        }
        let name = &KEYWORD[..KEYWORD.len() - 4];
        if kind == b"iTXt" && head.get(8..).is_some_and(|text| text.starts_with(name)) {
            edits.push(Edit::leave_out(at, length));
        }
        at += length;
        if kind == b"IEND" {
            is_whole = true;
            break;
        }
    }
    if !is_whole || at > input.len() {
        return Err(damaged("parts"));
    }
    let mut part = ((KEYWORD.len() + packet.len()) as u32).to_be_bytes().to_vec();
    part.extend([&b"iTXt"[..], KEYWORD, packet].concat());
    let mut sum = flate2::Crc::new();
    sum.update(&part[4..]);
    part.extend(sum.sum().to_be_bytes());
    edits.insert(0, Edit::put_in(HEADER_END, part));
    Ok(edits)
}

/// The packet is the last part, and the header says that it is there; a file without a long header gets one.
pub(super) fn webp(input: &mut Input<'_>, packet: &[u8]) -> Result<Vec<Edit>, DecodeError> {
    const HAS_XMP: u8 = 0x04;
    const HAS_ALPHA: u8 = 0x10;
    let head = input.read_at(0, 30)?;
    let size = head.get(4..8).and_then(|size| size.first_chunk()).map_or(0, |size| u32::from_le_bytes(*size));
    let end = 8 + u64::from(size);
    if !head.starts_with(b"RIFF") || head.get(8..12) != Some(b"WEBP") || end > input.len() {
        return Err(damaged("parts"));
    }
    let mut edits = Vec::new();
    let (mut at, mut removed, mut header) = (12u64, 0u64, None);
    while at + 8 <= end {
        let part = input.read_at(at, 18)?;
        let (Some(kind), Some(length)) =
            (part.get(..4), part.get(4..8).and_then(|length| length.first_chunk()))
        else {
            break;
        };
        let length = u64::from(u32::from_le_bytes(*length));
        let whole = 8 + length + length % 2;
        match kind {
            b"VP8X" => {
                let flags = part.get(8).copied().unwrap_or(0) | HAS_XMP;
                header = Some(Edit { at: at + 8, removed: 1, inserted: vec![flags] });
            }
            b"XMP " => {
                edits.push(Edit::leave_out(at, whole.min(end - at)));
                removed += whole.min(end - at);
            }
            // Width and height of fourteen bits each, less one, and whether there is transparency.
            b"VP8L" if header.is_none() => {
                let bits = part
                    .get(9..13)
                    .and_then(|bits| bits.first_chunk())
                    .map_or(0, |bits| u32::from_le_bytes(*bits));
                let alpha = if bits >> 28 & 1 == 1 { HAS_ALPHA } else { 0 };
                header = Some(long_header(HAS_XMP | alpha, bits & 0x3fff, bits >> 14 & 0x3fff));
            }
            b"VP8 " if header.is_none() => {
                let head = input.read_at(at + 8 + 6, 4)?;
                let [a, b, c, d] = *head.as_slice() else { return Err(damaged("parts")) };
                let side = |low: u8, high: u8| {
                    (u32::from(u16::from_le_bytes([low, high])) & 0x3fff).saturating_sub(1)
                };
                header = Some(long_header(HAS_XMP, side(a, b), side(c, d)));
            }
            _ => {}
        }
        at += whole;
    }
    let header = header.ok_or_else(|| damaged("parts"))?;
    let mut part = b"XMP ".to_vec();
    part.extend((packet.len() as u32).to_le_bytes());
    part.extend(packet);
    part.resize(part.len().next_multiple_of(2), 0);
    let added = part.len() as u64 + header.inserted.len() as u64 - header.removed;
    let size = u32::try_from(u64::from(size) + added - removed)
        .map_err(|_| DecodeError::TooLarge("the file is as long as such a file may be".to_owned()))?;
    edits.push(Edit { at: 4, removed: 4, inserted: size.to_le_bytes().to_vec() });
    edits.push(header);
    edits.push(Edit::put_in(end, part));
    Ok(edits)
}

fn long_header(flags: u8, width: u32, height: u32) -> Edit {
    let mut part = b"VP8X\x0a\0\0\0".to_vec();
    part.extend([flags, 0, 0, 0]);
    part.extend(&width.to_le_bytes()[..3]);
    part.extend(&height.to_le_bytes()[..3]);
    Edit::put_in(12, part)
}
