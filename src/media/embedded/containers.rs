//! Where packets stand in the containers of pictures: JPEG, PNG, WebP; and in files that are only searched.

use flate2::read::ZlibDecoder;
use memchr::memmem;
use std::io::{self, Read as _};

use super::{Packets, tiff, xmp};
use crate::media::facts::Field;
use crate::media::input::Input;
use crate::media::psd;

/// Longest part that is read, in bytes.
const PART_MAX: u64 = 32 << 20;
/// Most parts of one file that are looked at.
const PARTS_MAX: usize = 1 << 20;
/// Most bytes of a file that is searched.
const SEARCH_MAX: u64 = 512 << 20;
/// Bytes that are searched at a time.
const STEP: usize = 1 << 20;
/// Most packets that one file may have.
const PACKETS_MAX: usize = 16;
/// Most fields of the format itself, and longest text of one, in bytes.
const OWN_MAX: usize = 1000;
const OWN_BYTES_MAX: usize = 64 << 10;
/// How a part of extended XMP begins.
const EXTENSION: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";

/// Segments of a JPEG file up to its pixels (ISO/IEC 10918-1, annex B; Adobe's XMP part 3; JPEG XT's
/// boxes for content credentials).
pub(super) fn jpeg(input: &mut Input<'_>, found: &mut Packets) -> io::Result<()> {
    let mut at = 2u64;
    let mut extended: Vec<(u32, Vec<u8>)> = Vec::new();
    for _ in 0..PARTS_MAX {
        let head = input.read_at(at, 4)?;
        let [0xff, marker, high, low] = *head.as_slice() else { break };
        if marker == 0xff {
            at += 1;
            continue;
        }
        if matches!(marker, 0x01 | 0xd0..=0xd7) {
            at += 2;
            continue;
        }
        if matches!(marker, 0xd9 | 0xda) {
            break;
        }
        let length = u64::from(u16::from_be_bytes([high, low]));
        if length < 2 {
            break;
        }
        if matches!(marker, 0xe0 | 0xe1 | 0xeb | 0xed | 0xfe) {
            let payload = input.read_at(at + 4, length as usize - 2)?;
            segment(marker, &payload, found, &mut extended)?;
        }
        at += 2 + length;
    }
    extended.sort_by_key(|(offset, _)| *offset);
    let whole: Vec<u8> = extended.into_iter().flat_map(|(_, part)| part).collect();
    if !whole.is_empty() {
        found.xmp.push(whole);
    }
    Ok(())
}

fn segment(
    marker: u8,
    payload: &[u8],
    found: &mut Packets,
    extended: &mut Vec<(u32, Vec<u8>)>,
) -> io::Result<()> {
    match marker {
        0xe0 => found.resolution = found.resolution.or_else(|| jfif_resolution(payload)),
        0xe1 => {
            if let Some(structure) = payload.strip_prefix(b"Exif\0") {
                exif(structure.get(1..).unwrap_or_default(), found)?;
            } else if let Some(packet) = payload.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                if found.xmp.len() < PACKETS_MAX {
                    found.xmp.push(packet.to_vec());
                }
            } else if let Some((offset, part)) = payload
                .strip_prefix(EXTENSION)
                // The digest of the whole and its length come before the place of this part.
                .and_then(|rest| rest.get(36..))
                .and_then(|rest| rest.split_first_chunk::<4>())
            {
                let held: usize = extended.iter().map(|(_, part)| part.len()).sum();
                if held + part.len() <= xmp::PACKET_MAX {
                    extended.push((u32::from_be_bytes(*offset), part.to_vec()));
                }
            }
        }
        0xeb => found.credentials |= memmem::find(payload, b"c2pa").is_some(),
        0xed => {
            if let Some(resources) = payload.strip_prefix(b"Photoshop 3.0\0") {
                let read = psd::resources(resources).unwrap_or_default();
                found.iptc = found.iptc.take().or(read.iptc);
            }
        }
        _ => found.comment("jpeg", "Comment", &String::from_utf8_lossy(payload)),
    }
    Ok(())
}

/// Dots per inch of a JFIF header (ISO/IEC 10918-5).
fn jfif_resolution(payload: &[u8]) -> Option<(f64, f64)> {
    let rest = payload.strip_prefix(b"JFIF\0")?;
    let [_, _, unit, x1, x0, y1, y0, ..] = *rest else { return None };
    let scale = match unit {
        1 => 1.0,
        2 => 2.54,
        _ => return None,
    };
    let dots = |high, low| f64::from(u16::from_be_bytes([high, low])) * scale;
    let (across, down) = (dots(x1, x0), dots(y1, y0));
    (across > 1.0 && down > 1.0).then_some((across, down))
}

/// Takes a TIFF structure that stands by itself.
pub(super) fn exif(structure: &[u8], found: &mut Packets) -> io::Result<()> {
    let structure = structure.strip_prefix(b"Exif\0\0").unwrap_or(structure);
    let mut source = io::Cursor::new(structure);
    tiff::gather(&mut Input::new(&mut source)?, found).map(drop)
}

/// Chunks of a PNG file (W3C PNG, third edition).
pub(super) fn png(input: &mut Input<'_>, found: &mut Packets) -> io::Result<()> {
    let mut at = 8u64;
    for _ in 0..PARTS_MAX {
        let head = input.read_at(at, 8)?;
        let Some((length, kind)) = head.split_first_chunk::<4>() else { break };
        let length = u64::from(u32::from_be_bytes(*length));
        let Ok(kind) = <[u8; 4]>::try_from(kind) else { break };
        if kind == *b"IEND" {
            break;
        }
        let wanted = matches!(&kind, b"eXIf" | b"iTXt" | b"tEXt" | b"zTXt" | b"pHYs" | b"caBX");
        if wanted && length <= PART_MAX {
            let data = input.read_at(at + 8, length as usize)?;
            match &kind {
                b"eXIf" => exif(&data, found)?,
                b"pHYs" => found.resolution = found.resolution.or_else(|| png_resolution(&data)),
                b"caBX" => found.credentials = true,
                kind => png_text(*kind, &data, found)?,
            }
        }
        at += 12 + length;
    }
    Ok(())
}

fn png_resolution(data: &[u8]) -> Option<(f64, f64)> {
    let (across, rest) = data.split_first_chunk::<4>()?;
    let (down, unit) = rest.split_first_chunk::<4>()?;
    let per_inch = |dots: &[u8; 4]| (f64::from(u32::from_be_bytes(*dots)) * 2.54).round() / 100.0;
    (unit == [1]).then(|| (per_inch(across), per_inch(down)))
}

/// A text chunk: what it is called, then the text, plain or packed.
fn png_text(kind: [u8; 4], data: &[u8], found: &mut Packets) -> io::Result<()> {
    let Some(end) = data.iter().position(|byte| *byte == 0) else { return Ok(()) };
    let (keyword, rest) = (String::from_utf8_lossy(&data[..end]).into_owned(), &data[end + 1..]);
    let may_be_packet = keyword == "XML:com.adobe.xmp" || keyword.starts_with("Raw profile type");
    let (room, most) = if may_be_packet {
        found.unpacked += 1;
        // All of them together are no longer than one may be.
        let held: usize = found.xmp.iter().map(Vec::len).sum();
        (PACKETS_MAX.saturating_sub(found.unpacked - 1), xmp::PACKET_MAX.saturating_sub(held))
    } else {
        (OWN_MAX.saturating_sub(found.own.len()), OWN_BYTES_MAX)
    };
    if room == 0 || most == 0 {
        return Ok(());
    }
    let text = match &kind {
        b"tEXt" => Some(rest.to_vec()),
        b"zTXt" => rest.split_first().and_then(|(_, packed)| unpacked(packed, most)),
        _ => {
            // Whether it is packed, the method, then language and translated keyword, each ended by 0.
            let (Some(packed), Some(rest)) = (rest.first(), rest.get(2..)) else { return Ok(()) };
            let mut parts = rest.splitn(3, |byte| *byte == 0);
            let text = parts.nth(2).unwrap_or_default();
            if *packed == 0 { Some(text.to_vec()) } else { unpacked(text, most) }
        }
    };
    let Some(text) = text else { return Ok(()) };
    match keyword.as_str() {
        "XML:com.adobe.xmp" => found.xmp.push(text),
        // A habit of one family of programs from before there was a chunk for it.
        "Raw profile type exif" | "Raw profile type APP1" => {
            let bytes = raw_profile(&text).unwrap_or_default();
            match bytes.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                Some(packet) => found.xmp.push(packet.to_vec()),
                None => exif(&bytes, found)?,
            }
        }
        "Raw profile type xmp" => found.xmp.extend(raw_profile(&text)),
        "Raw profile type iptc" => {
            let bytes = raw_profile(&text).unwrap_or_default();
            let read = psd::resources(&bytes).unwrap_or_default();
            found.iptc = read.iptc.or(Some(bytes).filter(|bytes| bytes.starts_with(b"\x1c")));
        }
        _ if keyword.starts_with("Raw profile type") => {}
        _ => {
            // Latin-1 by the standard in two of three kinds, UTF-8 by many programs in all.
            let text = match String::from_utf8(text) {
                Ok(text) => text,
                Err(latin) => latin.into_bytes().into_iter().map(char::from).collect(),
            };
            found.comment("png", &keyword, &text);
        }
    }
    Ok(())
}

fn unpacked(packed: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    ZlibDecoder::new(packed).take(most as u64).read_to_end(&mut out).ok()?;
    Some(out)
}

/// A name, a length and hexadecimal digits on lines.
fn raw_profile(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut lines = text.trim_start().lines();
    let length: usize = lines.nth(1)?.trim().parse().ok()?;
    let digits: Vec<u32> = lines
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect();
    (bytes.len() == length).then_some(bytes)
}

/// Chunks of a RIFF file: WebP, WAVE and AVI keep XMP in chunks of different names.
pub(super) fn riff(input: &mut Input<'_>, found: &mut Packets) -> io::Result<()> {
    let mut at = 12u64;
    for _ in 0..PARTS_MAX {
        let head = input.read_at(at, 8)?;
        let Some((kind, length)) = head.split_first_chunk::<4>() else { break };
        let Ok(length) = <[u8; 4]>::try_from(length) else { break };
        let length = u64::from(u32::from_le_bytes(length));
        if matches!(kind, b"EXIF" | b"XMP " | b"_PMX" | b"C2PA" | b"LIST" | b"bext") && length <= PART_MAX {
            let data = input.read_at(at + 8, length as usize)?;
            match kind {
                b"EXIF" => exif(&data, found)?,
                b"C2PA" => found.credentials = true,
                b"LIST" => information(&data, found),
                b"bext" => broadcast(&data, found),
                _ if found.xmp.len() < PACKETS_MAX => found.xmp.push(data),
                _ => {}
            }
        }
        at += 8 + length + (length & 1);
    }
    Ok(())
}

/// Titles in a list of their own (Multimedia Programming Interface and Data Specifications 1.0), by the
/// names that they have in other containers.
fn information(data: &[u8], found: &mut Packets) {
    const NAMES: &[(&[u8; 4], &str)] = &[
        (b"INAM", "TrackTitle"),
        (b"IART", "Artist"),
        (b"IPRD", "Album"),
        (b"ICMT", "Comment"),
        (b"ICOP", "Copyright"),
        (b"ICRD", "ReleaseDate"),
        (b"IGNR", "Genre"),
        (b"IKEY", "Keywords"),
        (b"IENG", "Engineer"),
        (b"ISBJ", "Subject"),
        (b"ISFT", "Encoder"),
    ];
    let Some(mut rest) = data.strip_prefix(b"INFO") else { return };
    while let Some((kind, after)) = rest.split_first_chunk::<4>() {
        let Some((length, after)) = after.split_first_chunk::<4>() else { return };
        let length = u32::from_le_bytes(*length) as usize;
        let Some((text, after)) = after.split_at_checked(length) else { return };
        rest = after.get(length & 1..).unwrap_or_default();
        if let Some((_, name)) = NAMES.iter().find(|(other, _)| *other == kind) {
            found.comment("sound", name, &either_text(text));
        }
    }
}

/// What broadcasters write (EBU Tech 3285).
fn broadcast(data: &[u8], found: &mut Packets) {
    let parts = [
        (0, 256, "Description"),
        (256, 32, "Originator"),
        (288, 32, "OriginatorReference"),
        (320, 10, "OriginationDate"),
    ];
    for (at, length, name) in parts {
        let text = data.get(at..at + length).unwrap_or_default();
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        found.comment("sound", name, &either_text(&text[..end]));
    }
}

/// Text in UTF-8 where it is that, else as Western Europe's programs wrote it.
fn either_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// Packets that stand somewhere in a file as they are, as in PDF, PostScript, InDesign and GIF.
pub(super) fn search(input: &mut Input<'_>, found: &mut Packets) -> io::Result<()> {
    let mut at = 0u64;
    let end = input.len().min(SEARCH_MAX);
    while at < end && found.xmp.len() < PACKETS_MAX {
        let window = input.read_at(at, STEP)?;
        match memmem::find(&window, b"<x:xmpmeta") {
            Some(start) => {
                let packet = input.read_at(at + start as u64, xmp::PACKET_MAX)?;
                let close = b"</x:xmpmeta>";
                let Some(length) = memmem::find(&packet, close) else { break };
                found.xmp.push(packet[..length + close.len()].to_vec());
                at += (start + length) as u64;
            }
            // What begins in one window may end in the next.
            None => at += (STEP - 16) as u64,
        }
    }
    Ok(())
}

impl Packets {
    /// Takes a text that stands in the file by a name of its own.
    fn comment(&mut self, group: &str, name: &str, text: &str) {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        if !text.is_empty() && self.own.len() < OWN_MAX {
            self.own.push(Field::text(group, name, text));
        }
    }
}
