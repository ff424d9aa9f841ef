//! Blender scenes: which Blender wrote it, what it contains, and the small picture that it keeps.
//!
//! Source: "The mystery of the blend" (J. Hess), and Blender's own reader of small pictures
//! (`source/blender/blendthumb`). A scene may be packed as a whole: with gzip before Blender 3.0, with Zstandard since.

mod contents;

use std::io::{Cursor, Read, SeekFrom};

use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::facts::Facts;
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::pixels::Pixels;
use contents::Stream;

/// Most blocks that are passed to find the picture, which is among the first.
const BLOCKS_MAX: usize = 64;
/// Longest side of the picture, in pixels; Blender writes 128 or 256.
const SIDE_MAX: u32 = 1024;

/// Blender scenes.
pub struct Blender;

/// Most bytes that are unpacked to find the picture, and of which.
const UNPACKED_MAX: u64 = 8 << 20;
const PACKED_MAX: u64 = 32 << 20;
/// Most memory that a packed scene may ask for, as a power of two of bytes.
const WINDOW_LOG_MAX: u32 = 27;

struct Head {
    /// Bytes of the head itself, after which the blocks begin.
    length: u64,
    /// Bytes of a block's head.
    block: usize,
    /// Where a block's length stands in its head, and which structure it is of.
    length_at: usize,
    structure_at: usize,
    /// Bytes of a pointer.
    pointer: usize,
    big_endian: bool,
    version: String,
}

impl Head {
    fn read(input: &mut Input<'_>) -> Result<Self, DecodeError> {
        let head = input.read_at(0, 17)?;
        let unknown = || DecodeError::Unsupported("this form of the scene is not read".to_owned());
        if !head.starts_with(b"BLENDER") {
            return Err(unknown());
        }
        let digits = |range: std::ops::Range<usize>| {
            let digits = head.get(range).filter(|digits| digits.iter().all(u8::is_ascii_digit));
            digits.map(|digits| String::from_utf8_lossy(digits).into_owned())
        };
        let (width, order) = (head.get(7).copied(), head.get(8).copied());
        // Since Blender 5.0: the length of the head, a dash, the form, and four digits of the version.
        if head.get(7..13) == Some(b"17-01v") {
            let number = digits(13..17).ok_or_else(unknown)?;
            return Ok(Self {
                length: 17,
                block: 32,
                length_at: 16,
                structure_at: 4,
                pointer: 8,
                big_endian: false,
                version: version(&number, 2),
            });
        }
        let (Some(width @ (b'-' | b'_')), Some(order)) = (width, order) else { return Err(unknown()) };
        let number = digits(9..12).ok_or_else(unknown)?;
        Ok(Self {
            length: 12,
            block: if width == b'-' { 24 } else { 20 },
            length_at: 4,
            structure_at: if width == b'-' { 16 } else { 12 },
            pointer: if width == b'-' { 8 } else { 4 },
            big_endian: order == b'V',
            version: version(&number, 1),
        })
    }

    fn number(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk::<4>()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}

/// `280` as `2.80`, `0500` as `5.0`: so many digits of it stand before the point.
fn version(digits: &str, before: usize) -> String {
    let (major, minor) = digits.split_at(before);
    let major = major.trim_start_matches('0');
    // Up to 2.93 the second number has two digits.
    if before == 1 && major == "2" {
        return format!("{major}.{minor}");
    }
    let minor = minor.trim_start_matches('0');
    format!("{major}.{}", if minor.is_empty() { "0" } else { minor })
}

/// The beginning of a scene that is packed as a whole; `None` for one that is not.
fn unpacked(input: &mut Input<'_>) -> Result<Option<Vec<u8>>, DecodeError> {
    let signature = input.read_at(0, 4)?;
    let source = input.rewound()?.take(PACKED_MAX);
    let mut bytes = Vec::new();
    let read = if signature.starts_with(b"\x1f\x8b") {
        flate2::read::MultiGzDecoder::new(source).take(UNPACKED_MAX).read_to_end(&mut bytes)
    } else if signature == *b"\x28\xb5\x2f\xfd" {
        let mut decoder = zstd::stream::read::Decoder::new(source)?;
        decoder.window_log_max(WINDOW_LOG_MAX)?;
        decoder.take(UNPACKED_MAX).read_to_end(&mut bytes)
    } else {
        return Ok(None);
    };
    // One that ends too early may have its picture all the same.
    if read.is_err() && bytes.is_empty() {
        return Err(DecodeError::Damaged("the scene cannot be unpacked".to_owned()));
    }
    Ok(Some(bytes))
}

/// The bytes of a scene behind its head, unpacked where it is packed.
fn stream<'i>(input: &'i mut Input<'_>, head: u64) -> Result<Stream<'i>, DecodeError> {
    let signature = input.read_at(0, 4)?;
    let source = input.rewound()?;
    let mut packed: Box<dyn Read + 'i> = if signature.starts_with(b"\x1f\x8b") {
        Box::new(flate2::read::MultiGzDecoder::new(source))
    } else if signature == *b"\x28\xb5\x2f\xfd" {
        let mut decoder = zstd::stream::read::Decoder::new(source)?;
        decoder.window_log_max(WINDOW_LOG_MAX)?;
        Box::new(decoder)
    } else {
        source.seek(SeekFrom::Start(head))?;
        return Ok(Stream::Plain(source));
    };
    std::io::copy(&mut (&mut packed).take(head), &mut std::io::sink())?;
    Ok(Stream::Packed(packed))
}

/// Calls `read` with the scene as it is when it is not packed.
fn plain<T>(
    input: &mut Input<'_>,
    read: impl FnOnce(&mut Input<'_>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    match unpacked(input)? {
        Some(bytes) => read(&mut Input::new(&mut Cursor::new(bytes))?),
        None => read(input),
    }
}

impl Decoder for Blender {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::BLEND]
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("contents")
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let head = plain(input, Head::read)?;
        facts.add_field("blender", "Version", &head.version);
        contents::tell(&head, &mut stream(input, head.length)?, facts);
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, _: &'static Format, wanted: Wanted) -> Shown {
        plain(input, kept)?.within(wanted.edge).map(Some)
    }
}

/// The picture that is kept in a scene.
fn kept(input: &mut Input<'_>) -> Result<Pixels, DecodeError> {
    let head = Head::read(input)?;
    let mut at = head.length;
    for _ in 0..BLOCKS_MAX {
        let block = input.read_at(at, head.block)?;
        let Some(length) = head.number(&block, head.length_at) else { break };
        if block.starts_with(b"TEST") {
            return small(input, &head, at + head.block as u64, u64::from(length));
        }
        if block.starts_with(b"ENDB") {
            break;
        }
        at += head.block as u64 + u64::from(length);
    }
    Err(DecodeError::without_picture())
}

/// The picture: two sides, then rows from the lowest up.
fn small(input: &mut Input<'_>, head: &Head, at: u64, length: u64) -> Result<Pixels, DecodeError> {
    let damaged = || DecodeError::Damaged("its small picture is damaged".to_owned());
    let sides = input.read_at(at, 8)?;
    let (width, height) = head.number(&sides, 0).zip(head.number(&sides, 4)).ok_or_else(damaged)?;
    let fits = (1..=SIDE_MAX).contains(&width) && (1..=SIDE_MAX).contains(&height);
    if !fits || length < 8 + u64::from(width) * u64::from(height) * 4 {
        return Err(damaged());
    }
    let rows = input.exactly_at(at + 8, width as usize * height as usize * 4).map_err(|_| damaged())?;
    let bytes: Vec<u8> = rows.chunks_exact(width as usize * 4).rev().flatten().copied().collect();
    Pixels::new(width, height, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// A scene of one block, which is the picture: two pixels, the lower one first.
    fn scene(head: &[u8], block: usize, length_at: usize) -> Vec<u8> {
        let mut bytes = head.to_vec();
        let mut start = vec![0; block];
        start[..4].copy_from_slice(b"TEST");
        start[length_at..length_at + 4].copy_from_slice(&16u32.to_le_bytes());
        bytes.extend(start);
        bytes.extend([1, 0, 0, 0, 2, 0, 0, 0, 9, 9, 9, 255, 7, 7, 7, 255]);
        bytes
    }

    fn told(bytes: Vec<u8>) -> (String, Vec<u8>) {
        let mut source = Cursor::new(bytes);
        let mut input = Input::new(&mut source).expect("measured");
        let mut facts = Facts::default();
        Blender.facts(&mut input, &format::BLEND, &mut facts).expect("facts");
        let drawn = Blender.picture(&mut input, &format::BLEND, Wanted { edge: 64 });
        (facts.embedded[0].value.clone(), drawn.expect("decoded").expect("a picture").bytes)
    }

    #[test]
    fn scenes_of_all_ages_and_packed_ones_are_read() {
        let pixels = vec![7, 7, 7, 255, 9, 9, 9, 255];
        let old = scene(b"BLENDER-v280", 24, 4);
        assert_eq!(told(old.clone()), ("2.80".to_owned(), pixels.clone()));
        assert_eq!(told(scene(b"BLENDER_v304", 20, 4)), ("3.4".to_owned(), pixels.clone()));
        assert_eq!(told(scene(b"BLENDER17-01v0500", 32, 16)), ("5.0".to_owned(), pixels.clone()));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&old).expect("written");
        assert_eq!(told(gzip.finish().expect("packed")), ("2.80".to_owned(), pixels.clone()));
        let packed = zstd::stream::encode_all(Cursor::new(&old), 1).expect("packed");
        assert_eq!(told(packed), ("2.80".to_owned(), pixels));
        let mut source = Cursor::new(b"\x1f\x8bnonsense".to_vec());
        assert!(kept(&mut Input::new(&mut source).expect("measured")).is_err());
    }
}
