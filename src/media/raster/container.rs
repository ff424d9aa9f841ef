//! What the container of a picture says about it: size, depth, colours, frames, length, pages.
//!
//! The library that decodes pixels tells what it makes of them: four inks as red, green and blue, one bit as
//! eight, a palette as its colours. And of what it does not decode it tells nothing. The numbers of the file
//! itself stand in its first few parts; this reads them there, and never more of a file than its parts' heads.

use std::io::{self, BufReader, Read as _};

use super::Bytes;
use crate::media::input::Input;

/// Most parts of one file that are looked at.
const PARTS_MAX: usize = 1 << 20;
/// Most directories of a TIFF file that are followed.
const PAGES_MAX: usize = 100_000;
/// Most entries of one directory of a TIFF file.
const ENTRIES_MAX: u64 = 4096;
/// Longest header of an OpenEXR file that is looked at, in bytes.
const EXR_HEAD_MAX: usize = 1 << 16;

/// What a container says; nothing where it says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Container {
    /// Pixels across and down, as they are stored.
    pub size: Option<(u64, u64)>,
    /// The colour space, by the names of [`crate::media::facts::Picture::colour_space`].
    pub colour: Option<&'static str>,
    /// Bits per channel; of a palette's numbers where there is a palette.
    pub depth: Option<u32>,
    /// Whether there is transparency.
    pub alpha: Option<bool>,
    /// Frames of an animation.
    pub frames: Option<u64>,
    /// How long all frames are shown once, in seconds.
    pub seconds: Option<f64>,
    /// Pictures that stand one after the other and are not played.
    pub pages: Option<u64>,
}

/// Reads what the container of a format says.
pub fn read(input: &mut Input<'_>, format: &str) -> io::Result<Container> {
    let found = match format {
        "png" => png(input)?,
        "jpeg" => jpeg(input)?,
        "gif" => gif(input)?,
        "webp" => webp(input)?,
        "tiff" => tiff(input)?,
        "bmp" => bmp(&input.read_at(0, 54)?),
        "tga" => tga(&input.read_at(0, 18)?),
        "dds" => dds(&input.read_at(0, 148)?),
        "exr" => exr(&input.read_at(0, EXR_HEAD_MAX)?),
        _ => None,
    };
    let mut found = found.unwrap_or_default();
    // One frame is a picture, and one page too.
    found.frames = found.frames.filter(|frames| *frames > 1);
    found.pages = found.pages.filter(|pages| *pages > 1);
    found.seconds = found.seconds.filter(|seconds| found.frames.is_some() && *seconds > 0.0);
    Ok(found)
}

fn u16_be(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)))
}

fn u16_le(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)))
}

fn u24_le(bytes: &[u8], at: usize) -> Option<u64> {
    let [a, b, c] = *bytes.get(at..)?.first_chunk()?;
    Some(u64::from(u32::from_le_bytes([a, b, c, 0])))
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?)))
}

fn u32_le(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)))
}

/// Chunks of a PNG file (W3C PNG, third edition; sections 11.2, 11.3.1 and 11.3.6).
fn png(input: &mut Input<'_>) -> io::Result<Option<Container>> {
    let mut found = Container::default();
    let (mut at, mut seconds) = (8u64, 0.0);
    for _ in 0..PARTS_MAX {
        let head = input.read_at(at, 8 + 26)?;
        let (Some(length), Some(kind)) = (u32_be(&head, 0), head.get(4..8)) else { break };
        let data = &head[8..];
        match kind {
            b"IHDR" => {
                found.size = u32_be(data, 0).zip(u32_be(data, 4));
                found.depth = data.get(8).map(|depth| u32::from(*depth));
                let (colour, alpha) = match data.get(9) {
                    Some(0) => ("gray", false),
                    Some(2) => ("RGB", false),
                    Some(3) => ("indexed", false),
                    Some(4) => ("gray", true),
                    Some(6) => ("RGB", true),
                    _ => return Ok(None),
                };
                (found.colour, found.alpha) = (Some(colour), Some(alpha));
            }
            b"tRNS" => found.alpha = Some(true),
            b"acTL" => found.frames = u32_be(data, 0),
            b"fcTL" => {
                let (part, whole) = (u16_be(data, 20).unwrap_or(0), u16_be(data, 22).unwrap_or(0));
                // No denominator means hundredths.
                seconds += part as f64 / if whole == 0 { 100.0 } else { whole as f64 };
            }
            b"IEND" => break,
            _ => {}
        }
        at += 12 + length;
    }
    found.seconds = Some(seconds);
    Ok(Some(found))
}

/// The frame header of a JPEG file and Adobe's marker (ISO/IEC 10918-1, B.2.2; ISO/IEC 10918-6, 6.5.3).
fn jpeg(input: &mut Input<'_>) -> io::Result<Option<Container>> {
    let mut at = 2u64;
    for _ in 0..PARTS_MAX {
        let head = input.read_at(at, 10)?;
        let [0xff, marker, ..] = *head.as_slice() else { break };
        match marker {
            0xff => at += 1,
            0x01 | 0xd0..=0xd7 => at += 2,
            0xd9 | 0xda => break,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let colour = match head.get(9) {
                    Some(1) => "gray",
                    Some(3) => "RGB",
                    // Whether they stand there as inks or as brightness and colour: they are four inks.
                    Some(4) => "CMYK",
                    _ => break,
                };
                return Ok(Some(Container {
                    size: u16_be(&head, 7).zip(u16_be(&head, 5)).filter(|(_, height)| *height > 0),
                    depth: head.get(4).map(|depth| u32::from(*depth)),
                    colour: Some(colour),
                    alpha: Some(false),
                    ..Container::default()
                }));
            }
            _ => match u16_be(&head, 2) {
                Some(length) if length >= 2 => at += 2 + length,
                _ => break,
            },
        }
    }
    Ok(None)
}

/// Blocks of a GIF file (GIF89a, sections 18, 20 and 23).
fn gif(input: &mut Input<'_>) -> io::Result<Option<Container>> {
    let head = input.read_at(0, 13)?;
    let (Some(size), Some(flags)) = (u16_le(&head, 6).zip(u16_le(&head, 8)), head.get(10).copied()) else {
        return Ok(None);
    };
    let depth = u32::from(flags & 7) + 1;
    let mut found = Container {
        size: Some(size),
        colour: Some("indexed"),
        depth: (flags & 0x80 != 0).then_some(depth),
        alpha: Some(false),
        ..Container::default()
    };
    let mut reader = BufReader::new(Bytes(input.rewound()?));
    let palette = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    reader.seek_relative(13 + palette(flags))?;
    let (mut frames, mut hundredths) = (0u64, 0u64);
    // A file that is cut off has as many frames as are there.
    while let Some(block) = byte(&mut reader) {
        match block {
            0x21 => {
                let control = byte(&mut reader) == Some(0xf9);
                let mut first = [0; 5];
                if control && reader.read_exact(&mut first).is_ok() {
                    found.alpha = Some(found.alpha == Some(true) || first[1] & 1 == 1);
                    hundredths += u16_le(&first, 2).unwrap_or(0);
                    reader.seek_relative(i64::from(first[0]) - 4)?;
                }
            }
            0x2c => {
                let mut descriptor = [0; 9];
                if reader.read_exact(&mut descriptor).is_err() {
                    break;
                }
                frames += 1;
                let own = u32::from(descriptor[8] & 7) + 1;
                found.depth = found.depth.or(Some(own));
                reader.seek_relative(palette(descriptor[8]) + 1)?;
            }
            _ => break,
        }
        // Parts of the block, up to an empty one.
        while let Some(length) = byte(&mut reader).filter(|length| *length > 0) {
            reader.seek_relative(i64::from(length))?;
        }
    }
    found.frames = Some(frames);
    found.seconds = Some(hundredths as f64 / 100.0);
    Ok(Some(found))
}

fn byte(reader: &mut impl io::Read) -> Option<u8> {
    let mut one = [0];
    reader.read_exact(&mut one).ok().map(|()| one[0])
}

/// Chunks of a WebP file (RFC 9649, sections 2.5 to 2.7).
fn webp(input: &mut Input<'_>) -> io::Result<Option<Container>> {
    let mut found = Container { colour: Some("RGB"), depth: Some(8), ..Container::default() };
    let (mut at, mut frames, mut milliseconds) = (12u64, 0u64, 0u64);
    for _ in 0..PARTS_MAX {
        let head = input.read_at(at, 8 + 16)?;
        let (Some(kind), Some(length)) = (head.get(..4), u32_le(&head, 4)) else { break };
        let data = &head[8..];
        match kind {
            b"VP8X" => {
                found.alpha = data.first().map(|flags| flags & 0x10 != 0);
                found.size =
                    u24_le(data, 4).zip(u24_le(data, 7)).map(|(across, down)| (across + 1, down + 1));
            }
            b"ANMF" => {
                frames += 1;
                milliseconds += u24_le(data, 12).unwrap_or(0);
            }
            b"VP8 " if found.size.is_none() && data.get(3..6) == Some(b"\x9d\x01\x2a") => {
                found.size = u16_le(data, 6).zip(u16_le(data, 8)).map(|(w, h)| (w & 0x3fff, h & 0x3fff));
                found.alpha = Some(false);
            }
            b"VP8L" if found.size.is_none() && data.first() == Some(&0x2f) => {
                let bits = u32_le(data, 1).unwrap_or(0);
                found.size = Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1));
                found.alpha = Some((bits >> 28) & 1 == 1);
            }
            _ => {}
        }
        at += 8 + length + (length & 1);
    }
    found.frames = Some(frames);
    found.seconds = Some(milliseconds as f64 / 1000.0);
    Ok(found.size.is_some().then_some(found))
}

/// How a TIFF file writes numbers.
#[derive(Clone, Copy)]
struct Order {
    big_endian: bool,
    /// Whether offsets and counts have 64 bits.
    large: bool,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u64> {
        if self.big_endian { u16_be(bytes, at) } else { u16_le(bytes, at) }
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u64> {
        if self.big_endian { u32_be(bytes, at) } else { u32_le(bytes, at) }
    }

    fn long(self, bytes: &[u8], at: usize) -> Option<u64> {
        match (self.large, self.big_endian) {
            (false, _) => self.u32(bytes, at),
            (true, true) => Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?)),
            (true, false) => Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?)),
        }
    }
}

/// Directories of a TIFF file (TIFF revision 6.0; BigTIFF as LibTIFF has it).
fn tiff(input: &mut Input<'_>) -> io::Result<Option<Container>> {
    let head = input.read_at(0, 16)?;
    let mut order = Order { big_endian: head.starts_with(b"MM"), large: false };
    let mut next = match order.u16(&head, 2) {
        Some(42) => order.u32(&head, 4),
        Some(43) => {
            order.large = true;
            order.long(&head, 8)
        }
        _ => None,
    };
    let mut found: Option<Container> = None;
    let (mut pages, mut seen) = (0u64, std::collections::HashSet::new());
    while let Some(at) = next.filter(|at| *at > 0) {
        if !seen.insert(at) || seen.len() > PAGES_MAX {
            break;
        }
        let Some((page, is_page, after)) = directory(input, order, at)? else { break };
        pages += u64::from(is_page);
        found.get_or_insert(page);
        next = after;
    }
    Ok(found.map(|found| Container { pages: Some(pages), ..found }))
}

/// A directory: what it says, whether it is a page and no smaller copy of one, and where the next begins.
fn directory(
    input: &mut Input<'_>,
    order: Order,
    at: u64,
) -> io::Result<Option<(Container, bool, Option<u64>)>> {
    let (count_bytes, entry_bytes, offset_bytes) = if order.large { (8, 20, 8) } else { (2, 12, 4) };
    let head = input.read_at(at, count_bytes)?;
    let count = if order.large { order.long(&head, 0) } else { order.u16(&head, 0) };
    let Some(count) = count.filter(|count| (1..=ENTRIES_MAX).contains(count)) else { return Ok(None) };
    let length = count as usize * entry_bytes;
    let table = input.read_at(at.saturating_add(count_bytes as u64), length + offset_bytes)?;
    let mut page = Container { alpha: Some(false), depth: Some(1), ..Container::default() };
    let (mut across, mut down, mut is_page) = (None, None, true);
    for raw in table.get(..length).unwrap_or_default().chunks_exact(entry_bytes) {
        let value_at = if order.large { 12 } else { 8 };
        let (Some(tag), Some(kind), Some(count)) = (order.u16(raw, 0), order.u16(raw, 2), order.long(raw, 4))
        else {
            break;
        };
        let first = match kind {
            // Several short numbers stand elsewhere when they do not fit here.
            3 if count.saturating_mul(2) > offset_bytes as u64 => {
                let place = order.long(raw, value_at).unwrap_or(u64::MAX);
                order.u16(&input.read_at(place, 2)?, 0)
            }
            3 => order.u16(raw, value_at),
            4 => order.u32(raw, value_at),
            _ => None,
        };
        let Some(first) = first else { continue };
        match tag {
            254 => is_page = first & 1 == 0,
            256 => across = Some(first),
            257 => down = Some(first),
            258 => page.depth = u32::try_from(first).ok(),
            262 => page.colour = photometric(first),
            // Opacity that the colours are multiplied by, or not; anything else is a channel of its own.
            338 => page.alpha = Some(matches!(first, 1 | 2)),
            _ => {}
        }
    }
    page.size = across.zip(down);
    Ok(Some((page, is_page, order.long(&table, length))))
}

/// How a TIFF file means its numbers (section 8, `PhotometricInterpretation`).
const fn photometric(number: u64) -> Option<&'static str> {
    Some(match number {
        0 | 1 => "gray",
        2 | 6 => "RGB",
        3 => "indexed",
        5 => "CMYK",
        8..=10 => "Lab",
        _ => return None,
    })
}

/// The header of a BMP file (`BITMAPCOREHEADER`, `BITMAPINFOHEADER` and what followed them).
fn bmp(head: &[u8]) -> Option<Container> {
    let (size, bits) = match u32_le(head, 14)? {
        12 => ((u16_le(head, 18)?, u16_le(head, 20)?), u16_le(head, 24)?),
        // A picture that is written from the top down has a height below nought.
        _ => {
            let down = u32_le(head, 22)? as u32;
            ((u32_le(head, 18)?, u64::from(down.cast_signed().unsigned_abs())), u16_le(head, 28)?)
        }
    };
    let palette = bits <= 8;
    Some(Container {
        size: Some(size),
        colour: palette.then_some("indexed"),
        depth: palette.then_some(bits as u32),
        ..Container::default()
    })
}

/// The header of a Targa file (Truevision TGA, version 2.0; fields 2 to 5).
fn tga(head: &[u8]) -> Option<Container> {
    let (kind, bits) = (*head.get(2)?, u32::from(*head.get(16)?));
    let opacity = head.get(17)? & 0xf;
    let (colour, depth) = match kind {
        1 | 9 => ("indexed", bits),
        3 | 11 => ("gray", if bits == 16 { 8 } else { bits }),
        2 | 10 => ("RGB", if bits < 24 { 5 } else { 8 }),
        _ => return None,
    };
    Some(Container {
        size: u16_le(head, 12).zip(u16_le(head, 14)),
        colour: Some(colour),
        depth: Some(depth),
        alpha: Some(opacity > 0),
        ..Container::default()
    })
}

/// The header of a DirectDraw surface (Microsoft, `DDS_HEADER` and `DDS_PIXELFORMAT`).
fn dds(head: &[u8]) -> Option<Container> {
    let size = u32_le(head, 16).zip(u32_le(head, 12));
    let flags = u32_le(head, 80)?;
    let (packed, gray) = (flags & 4 != 0, flags & 0x2_0000 != 0);
    if let Some(floats) = super::dds::Floats::of(head) {
        return Some(Container {
            size,
            colour: Some(if floats.channels == 1 { "gray" } else { "RGB" }),
            depth: Some(floats.bits),
            alpha: Some(floats.channels == 4),
            ..Container::default()
        });
    }
    // The widest of the masks; what is packed in blocks has no bits of its own.
    let masks = (92..108).step_by(4).filter_map(|at| u32_le(head, at)).map(u64::count_ones);
    let depth = masks.max().filter(|depth| !packed && *depth > 0);
    Some(Container {
        size,
        colour: Some(if gray { "gray" } else { "RGB" }),
        depth,
        alpha: (!packed).then_some(flags & 3 != 0),
        ..Container::default()
    })
}

/// The channels in the header of an OpenEXR file (OpenEXR file layout: `channels`, `displayWindow`).
fn exr(head: &[u8]) -> Option<Container> {
    let mut found = Container::default();
    let mut rest = head.get(8..)?;
    loop {
        let (name, after) = text(rest)?;
        if name.is_empty() {
            break;
        }
        let (_, after) = text(after)?;
        let length = usize::try_from(u32_le(after, 0)?).ok()?;
        let value = after.get(4..)?.get(..length)?;
        rest = &after[4 + length..];
        match name {
            b"displayWindow" => {
                let side = |from: usize, to: usize| {
                    let number =
                        |at| u32_le(value, at).map(|number| i64::from((number as u32).cast_signed()));
                    u64::try_from(number(to)? - number(from)? + 1).ok()
                };
                found.size = side(0, 8).zip(side(4, 12));
            }
            b"channels" => channels(value, &mut found),
            _ => {}
        }
    }
    Some(found)
}

fn channels(list: &[u8], found: &mut Container) {
    let (mut rest, mut names) = (list, Vec::new());
    while let Some((name, after)) = text(rest).filter(|(name, _)| !name.is_empty()) {
        // A number for the kind of its values, one byte and three that are kept free, and two steps.
        let Some(kind) = u32_le(after, 0) else { break };
        let depth = if kind == 1 { 16 } else { 32 };
        if name != b"A" {
            found.depth = Some(found.depth.unwrap_or(0).max(depth));
        }
        names.push(name);
        rest = after.get(16..).unwrap_or_default();
    }
    found.alpha = Some(names.contains(&b"A".as_slice()));
    let gray = names.contains(&b"Y".as_slice()) && !names.contains(&b"RY".as_slice());
    found.colour = if gray { Some("gray") } else { names.contains(&b"R".as_slice()).then_some("RGB") };
}

/// A text that ends with a zero byte, and what follows.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}
