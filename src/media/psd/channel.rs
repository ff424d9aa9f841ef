//! One channel's pixels, row by row: raw, run-length packed (PackBits), or deflated, the last with
//! or without the difference from pixel to pixel.

use std::io::{self, Read};

use super::PsdError;
use super::reader::Reader;
use crate::media::colour::curved;
use crate::media::input::Input;

/// Longest row, in bytes: the longest side in the deepest form.
const ROW_BYTES_MAX: usize = super::SIDE_MAX as usize * 4;

/// Takes one row: the number of its plane, its own number, its bytes.
pub(super) type Take<'t> = dyn FnMut(u32, u32, &[u8]) -> Result<(), PsdError> + 't;

/// How the pixels of one or several planes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Raw,
    Runs,
    Deflate,
    DeflateDifferences,
}

impl Packing {
    fn from_number(number: u16) -> Result<Self, PsdError> {
        Ok(match number {
            0 => Self::Raw,
            1 => Self::Runs,
            2 => Self::Deflate,
            3 => Self::DeflateDifferences,
            _ => return Err(PsdError::Illegal { what: "way of compression" }),
        })
    }
}

/// The form of the rows that are to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    /// Pixels in a row.
    pub width: u32,
    /// Rows in a plane.
    pub height: u32,
    /// Bits per pixel.
    pub depth: u16,
    /// Whether rows' lengths have 32 bits (PSB).
    pub large: bool,
}

impl Rows {
    /// Bytes of one row.
    pub fn bytes(&self) -> usize {
        match self.depth {
            1 => (self.width as usize).div_ceil(8),
            depth => self.width as usize * usize::from(depth / 8),
        }
    }
}

/// Reads `planes` planes of rows that begin at `at` and end before `end`, and hands every row to
/// `take` with the numbers of its plane and of itself. Memory: a few rows.
pub(super) fn read_rows(
    input: &mut Input<'_>,
    (at, end): (u64, u64),
    rows: Rows,
    planes: u32,
    take: &mut Take<'_>,
) -> Result<(), PsdError> {
    if rows.width == 0 || rows.height == 0 {
        return Ok(());
    }
    if rows.bytes() > ROW_BYTES_MAX {
        return Err(PsdError::TooLarge);
    }
    let mut reader = Reader::new(input, at, end);
    match Packing::from_number(reader.u16()?)? {
        Packing::Raw => raw(&mut reader, rows, planes, take),
        Packing::Runs => runs(&mut reader, rows, planes, take),
        packing => {
            let at = reader.at();
            let differences = packing == Packing::DeflateDifferences;
            deflate(input, (at, end), rows, planes, differences, take)
        }
    }
}

fn raw(reader: &mut Reader<'_, '_>, rows: Rows, planes: u32, take: &mut Take<'_>) -> Result<(), PsdError> {
    for plane in 0..planes {
        for row in 0..rows.height {
            let bytes = reader.bytes(rows.bytes() as u64, ROW_BYTES_MAX)?;
            take(plane, row, &bytes)?;
        }
    }
    Ok(())
}

/// The packed lengths of all rows of all planes come first.
fn runs(reader: &mut Reader<'_, '_>, rows: Rows, planes: u32, take: &mut Take<'_>) -> Result<(), PsdError> {
    let width = if rows.large { 4 } else { 2 };
    let mut length_at = reader.at();
    let mut at = length_at + u64::from(planes) * u64::from(rows.height) * width;
    let mut lengths: Vec<u64> = Vec::new();
    let mut unpacked = vec![0; rows.bytes()];
    for plane in 0..planes {
        for row in 0..rows.height {
            if lengths.is_empty() {
                // Lengths are read some thousand at a time, so that a lying height costs nothing.
                let left = u64::from(planes - plane) * u64::from(rows.height) - u64::from(row);
                reader.go_to(length_at)?;
                for _ in 0..left.min(4096) {
                    lengths.push(if rows.large {
                        u64::from(reader.u32()?)
                    } else {
                        u64::from(reader.u16()?)
                    });
                }
                length_at = reader.at();
                lengths.reverse();
            }
            let length = lengths.pop().unwrap_or(0);
            reader.go_to(at)?;
            let packed = reader.bytes(length, 2 * ROW_BYTES_MAX + 2)?;
            at += length;
            unpack(&packed, &mut unpacked)?;
            take(plane, row, &unpacked)?;
        }
    }
    Ok(())
}

/// PackBits (Apple technical note 1023): a count that is not negative is followed by so many bytes
/// and one more, a negative one by a byte that stands for 1 - count bytes, -128 by nothing.
fn unpack(packed: &[u8], out: &mut [u8]) -> Result<(), PsdError> {
    let mut filled = 0;
    let mut rest = packed;
    while let Some((count, after)) = rest.split_first() {
        let count = *count as i8;
        rest = after;
        if count >= 0 {
            let count = count as usize + 1;
            let (bytes, after) = rest.split_at_checked(count).ok_or(PsdError::Damaged)?;
            out.get_mut(filled..filled + count).ok_or(PsdError::Damaged)?.copy_from_slice(bytes);
            filled += count;
            rest = after;
        } else if count != -128 {
            let count = 1 + usize::from(count.unsigned_abs());
            let (byte, after) = rest.split_first().ok_or(PsdError::Damaged)?;
            out.get_mut(filled..filled + count).ok_or(PsdError::Damaged)?.fill(*byte);
            filled += count;
            rest = after;
        }
    }
    if filled == out.len() { Ok(()) } else { Err(PsdError::Damaged) }
}

fn deflate(
    input: &mut Input<'_>,
    (at, end): (u64, u64),
    rows: Rows,
    planes: u32,
    differences: bool,
    take: &mut Take<'_>,
) -> Result<(), PsdError> {
    let mut stream = flate2::read::ZlibDecoder::new(Range { input, at, end });
    let mut bytes = vec![0; rows.bytes()];
    for plane in 0..planes {
        for row in 0..rows.height {
            stream.read_exact(&mut bytes).map_err(|_| PsdError::Damaged)?;
            if differences {
                undo_differences(&mut bytes, rows.depth);
            }
            take(plane, row, &bytes)?;
        }
    }
    Ok(())
}

/// Undoes the differences of one row. Those of 32 bits are taken between bytes, after the row's
/// first bytes, second bytes and so on were put together.
fn undo_differences(row: &mut [u8], depth: u16) {
    match depth {
        16 => {
            let mut before = 0u16;
            for pair in row.chunks_exact_mut(2) {
                before = before.wrapping_add(u16::from_be_bytes([pair[0], pair[1]]));
                pair.copy_from_slice(&before.to_be_bytes());
            }
        }
        32 => {
            for at in 1..row.len() {
                row[at] = row[at].wrapping_add(row[at - 1]);
            }
            let width = row.len() / 4;
            let planar = row.to_vec();
            for (at, pixel) in row.chunks_exact_mut(4).enumerate() {
                for (byte, value) in pixel.iter_mut().enumerate() {
                    *value = planar[byte * width + at];
                }
            }
        }
        _ => {
            for at in 1..row.len() {
                row[at] = row[at].wrapping_add(row[at - 1]);
            }
        }
    }
}

/// A range of the input, read from its beginning to its end.
struct Range<'r, 'a> {
    input: &'r mut Input<'a>,
    at: u64,
    end: u64,
}

impl Read for Range<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.at).min(out.len() as u64).min(64 * 1024) as usize;
        let bytes = self.input.read_at(self.at, left)?;
        out[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
}

/// What a channel's numbers stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Colour: with 32 bits it is light, and what is shown has the curve of sRGB (IEC 61966-2-1).
    Colour,
    /// A share, as of opacity: there is no curve in any depth.
    Share,
}

/// A row's samples as numbers from 0 to 255; more than 8 bits are rounded, and values beyond 1 of 32
/// bits are cut.
pub(super) fn to_bytes(row: &[u8], depth: u16, width: usize, meaning: Meaning, out: &mut Vec<u8>) {
    out.clear();
    match depth {
        1 => out.extend((0..width).map(|at| if bit(row, at) { 0 } else { 255 })),
        16 => out.extend(row.as_chunks::<2>().0.iter().map(|pair| to_byte(u16::from_be_bytes(*pair)))),
        32 => out.extend(row.as_chunks::<4>().0.iter().map(|value| match meaning {
            Meaning::Colour => curved(unit(*value)),
            Meaning::Share => (unit(*value) * 255.0).round() as u8,
        })),
        _ => out.extend_from_slice(row),
    }
}

/// A row's samples as numbers from 0 to 65,535, without a curve: light stays light.
pub(super) fn to_words(row: &[u8], depth: u16, width: usize, out: &mut Vec<u16>) {
    out.clear();
    match depth {
        1 => out.extend((0..width).map(|at| if bit(row, at) { 0 } else { u16::MAX })),
        16 => out.extend(row.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair))),
        32 => out.extend(
            row.as_chunks::<4>().0.iter().map(|value| (unit(*value) * f32::from(u16::MAX)).round() as u16),
        ),
        _ => out.extend(row.iter().map(|value| u16::from(*value) * 257)),
    }
}

/// A number of 16 bits as one of 8.
pub(super) fn to_byte(value: u16) -> u8 {
    ((u32::from(value) * 255 + 32_767) / 65_535) as u8
}

/// A bit that is set is ink.
fn bit(row: &[u8], at: usize) -> bool {
    row[at / 8] >> (7 - at % 8) & 1 == 1
}

/// A sample of 32 bits, from 0 to 1; what is no number is dark.
fn unit(bytes: [u8; 4]) -> f32 {
    let value = f32::from_be_bytes(bytes);
    if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    fn rows_of(bytes: Vec<u8>, rows: Rows) -> Result<Vec<u8>, PsdError> {
        let mut source = Cursor::new(bytes);
        let mut input = Input::new(&mut source)?;
        let end = input.len();
        let mut out = Vec::new();
        read_rows(&mut input, (0, end), rows, 1, &mut |_, _, row| {
            out.extend_from_slice(row);
            Ok(())
        })?;
        Ok(out)
    }

    const SMALL: Rows = Rows { width: 4, height: 2, depth: 8, large: false };

    #[test]
    fn all_four_ways_give_the_same_pixels() {
        let pixels = vec![9, 9, 9, 9, 1, 2, 3, 4];
        let mut raw = vec![0, 0];
        raw.extend(&pixels);
        assert_eq!(rows_of(raw, SMALL).expect("raw"), pixels);
        let packed = vec![0, 1, 0, 2, 0, 5, 0xfd, 9, 3, 1, 2, 3, 4];
        assert_eq!(rows_of(packed, SMALL).expect("runs"), pixels);
        for (number, bytes) in [(2u8, pixels.clone()), (3, vec![9, 0, 0, 0, 1, 1, 1, 1])] {
            let mut encoder = flate2::write::ZlibEncoder::new(vec![0, number], flate2::Compression::fast());
            encoder.write_all(&bytes).expect("written");
            let stream = encoder.finish().expect("finished");
            assert_eq!(rows_of(stream, SMALL).expect("deflate"), pixels);
        }
    }

    #[test]
    fn runs_that_do_not_fit_are_damage() {
        for packed in [
            vec![0, 1, 0, 2, 0, 5, 0xfc, 9, 3, 1, 2, 3, 4],
            vec![0, 1, 0, 2, 0, 5, 0xfe, 9, 3, 1, 2, 3, 4],
            vec![0, 1, 0, 1, 0, 5, 0xfd],
        ] {
            assert!(matches!(rows_of(packed, SMALL), Err(PsdError::Damaged | PsdError::Short)));
        }
    }

    #[test]
    fn a_height_that_lies_ends_at_once() {
        let rows = Rows { width: 300_000, height: 300_000, depth: 32, large: true };
        assert!(rows_of(vec![0, 1, 0, 0], rows).is_err());
        assert!(rows_of(vec![0, 2, 0x78, 0x9c], rows).is_err());
    }

    #[test]
    fn depths_become_bytes() {
        let mut out = Vec::new();
        let colour = Meaning::Colour;
        to_bytes(&[0b1010_0000], 1, 3, colour, &mut out);
        assert_eq!(out, [0, 255, 0]);
        to_bytes(&[0xff, 0xff, 0x80, 0x80], 16, 2, colour, &mut out);
        assert_eq!(out, [255, 128]);
        to_bytes(&[f32::NAN.to_be_bytes(), 7f32.to_be_bytes()].concat(), 32, 2, colour, &mut out);
        assert_eq!(out, [0, 255]);
        // A quarter of the light is the level of half the lightness; a quarter of opacity is a quarter.
        let quarter = 0.25f32.to_be_bytes();
        to_bytes(&quarter, 32, 1, colour, &mut out);
        assert_eq!(out, [137]);
        to_bytes(&quarter, 32, 1, Meaning::Share, &mut out);
        assert_eq!(out, [64]);
        let mut words = Vec::new();
        to_words(&quarter, 32, 1, &mut words);
        assert_eq!(words, [16_384]);
        to_words(&[0x80, 0xff], 8, 2, &mut words);
        assert_eq!(words, [0x8080, 0xffff]);
    }
}
