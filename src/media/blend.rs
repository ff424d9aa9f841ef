//! Blender scenes: which Blender wrote it, and the small picture that it keeps.
//!
//! Source: "The mystery of the blend" (J. Hess), and Blender's own reader of small pictures
//! (`source/blender/blendthumb`).

use crate::media::decoder::{DecodeError, Decoder, Wanted};
use crate::media::facts::Facts;
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::pixels::Pixels;

/// Most blocks that are passed to find the picture, which is among the first.
const BLOCKS_MAX: usize = 64;
/// Longest side of the picture, in pixels; Blender writes 128 or 256.
const SIDE_MAX: u32 = 1024;

/// Blender scenes.
pub struct Blender;

struct Head {
    wide: bool,
    big_endian: bool,
    version: String,
}

impl Head {
    fn read(input: &mut Input<'_>) -> Result<Self, DecodeError> {
        let head = input.read_at(0, 12)?;
        let (Some(width), Some(order), Some(version)) = (head.get(7), head.get(8), head.get(9..12)) else {
            return Err(DecodeError::Damaged("the scene ends too early".to_owned()));
        };
        if !matches!(width, b'-' | b'_') || !version.iter().all(u8::is_ascii_digit) {
            return Err(DecodeError::Unsupported("this form of the scene is not read".to_owned()));
        }
        let version = String::from_utf8_lossy(version);
        let version = format!("{}.{}", &version[..1], version[1..].trim_start_matches('0'));
        let version = if version.ends_with('.') { format!("{version}0") } else { version };
        Ok(Self { wide: *width == b'-', big_endian: *order == b'V', version })
    }

    fn number(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk::<4>()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}

impl Decoder for Blender {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::BLEND]
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Result<(), DecodeError> {
        let head = Head::read(input)?;
        facts.add_field("blender", "Version", &head.version);
        Ok(())
    }

    fn picture(
        &self,
        input: &mut Input<'_>,
        _: &'static Format,
        wanted: Wanted,
    ) -> Result<Option<Pixels>, DecodeError> {
        let head = Head::read(input)?;
        let header = if head.wide { 24 } else { 20 };
        let mut at = 12u64;
        for _ in 0..BLOCKS_MAX {
            let block = input.read_at(at, header)?;
            let Some(length) = head.number(&block, 4) else { break };
            if block.starts_with(b"TEST") {
                return small(input, &head, at + header as u64, u64::from(length))?
                    .within(wanted.edge)
                    .map(Some);
            }
            if block.starts_with(b"ENDB") {
                break;
            }
            at += header as u64 + u64::from(length);
        }
        Err(DecodeError::without_picture())
    }
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
