//! Pixels of layers and masks, from tiles of 64 by 64.

use flate2::read::ZlibDecoder;
use std::io::Read as _;

use super::read::{Image, Reader, Record, Sample, mask as mask_head};
use crate::media::decoder::DecodeError;
use crate::media::input::Input;
use crate::media::pixels::{PIXELS_MAX, Pixels};

/// Side of a tile, in pixels.
const TILE: u32 = 64;

fn damaged() -> DecodeError {
    DecodeError::Damaged("pixels of a layer are damaged".to_owned())
}

/// A plane of tiles.
struct Plane {
    width: u32,
    height: u32,
    /// Samples of a pixel.
    channels: u32,
    sample: Sample,
    hierarchy: u64,
}

impl Plane {
    /// Calls with each pixel's place and bytes.
    fn read(
        &self,
        input: &mut Input<'_>,
        image: &Image,
        each: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), DecodeError> {
        if u64::from(self.width) * u64::from(self.height) > PIXELS_MAX {
            return Err(DecodeError::TooLarge("a layer is too large for a preview".to_owned()));
        }
        let mut reader = Reader { input, at: self.hierarchy, wide: image.wide_offsets };
        let (_, _, size) = (reader.u32()?, reader.u32()?, reader.u32()? as usize);
        if size != self.channels as usize * self.sample.bytes() {
            return Err(damaged());
        }
        reader.at = reader.pointer()?;
        let (width, height) = (reader.u32()?, reader.u32()?);
        if (width, height) != (self.width, self.height) {
            return Err(damaged());
        }
        let mut bytes = Vec::new();
        for top in (0..height).step_by(TILE as usize) {
            for left in (0..width).step_by(TILE as usize) {
                let place = reader.pointer()?;
                let (wide, high) = ((width - left).min(TILE), (height - top).min(TILE));
                let count = wide as usize * high as usize;
                tile(reader.input, place, image.packing, count, size, &mut bytes)?;
                for (number, pixel) in bytes.chunks_exact(size).enumerate() {
                    let (x, y) =
                        (left as usize + number % wide as usize, top as usize + number / wide as usize);
                    each(y * width as usize + x, pixel);
                }
            }
        }
        Ok(())
    }
}

/// The bytes of one tile, pixel by pixel.
fn tile(
    input: &mut Input<'_>,
    place: u64,
    packing: u8,
    count: usize,
    size: usize,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let length = count * size;
    // What is packed is never much longer than what it stands for.
    let raw = input.read_at(place, length * 2 + 1024)?;
    out.clear();
    match packing {
        0 => out.extend_from_slice(raw.get(..length).ok_or_else(damaged)?),
        1 => runs(&raw, count, size, out).ok_or_else(damaged)?,
        2 => {
            ZlibDecoder::new(raw.as_slice()).take(length as u64).read_to_end(out)?;
        }
        _ => {
            return Err(DecodeError::Unsupported(
                "its tiles are packed in a way that is not read".to_owned(),
            ));
        }
    }
    if out.len() == length { Ok(()) } else { Err(damaged()) }
}

/// Runs of bytes, plane by plane: all first bytes of the pixels, then all second ones...
fn runs(raw: &[u8], count: usize, size: usize, out: &mut Vec<u8>) -> Option<()> {
    out.resize(count * size, 0);
    let mut rest = raw;
    for plane in 0..size {
        let mut at = 0;
        while at < count {
            let (code, after) = rest.split_first()?;
            let long = |after: &[u8]| {
                after.first_chunk::<2>().map(|length| usize::from(u16::from_be_bytes(*length)))
            };
            let (length, repeats, after) = match code {
                0..=126 => (usize::from(*code) + 1, true, after),
                127 => (long(after)?, true, after.get(2..)?),
                128 => (long(after)?, false, after.get(2..)?),
                _ => (256 - usize::from(*code), false, after),
            };
            let (run, after) = after.split_at_checked(if repeats { 1 } else { length })?;
            for step in 0..length {
                *out.get_mut((at + step) * size + plane).filter(|_| at + step < count)? =
                    run[if repeats { 0 } else { step }];
            }
            at += length;
            rest = after;
        }
    }
    Some(())
}

/// One sample as eight bits of what is seen.
fn level(bytes: &[u8], sample: Sample, linear: bool) -> u8 {
    let value = match sample {
        Sample::Int8 if !linear => return bytes[0],
        Sample::Int8 => f32::from(bytes[0]) / 255.0,
        Sample::Int16 => {
            bytes.first_chunk::<2>().map_or(0.0, |it| f32::from(u16::from_be_bytes(*it)) / 65535.0)
        }
        Sample::Int32 => {
            bytes.first_chunk::<4>().map_or(0.0, |it| u32::from_be_bytes(*it) as f32 / u32::MAX as f32)
        }
        Sample::Half => bytes.first_chunk::<2>().map_or(0.0, |it| half(u16::from_be_bytes(*it))),
        Sample::Float => bytes.first_chunk::<4>().map_or(0.0, |it| f32::from_be_bytes(*it)),
        Sample::Double => bytes.first_chunk::<8>().map_or(0.0, |it| f64::from_be_bytes(*it) as f32),
    };
    let value = if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 };
    let seen = match (linear, value) {
        (false, value) => value,
        // IEC 61966-2-1.
        (true, value) if value <= 0.003_130_8 => value * 12.92,
        (true, value) => 1.055 * value.powf(1.0 / 2.4) - 0.055,
    };
    (seen * 255.0).round() as u8
}

/// A number of 16 bits by IEEE 754.
fn half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from((bits >> 10) & 31), f32::from(bits & 1023));
    let value = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 => f32::INFINITY,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    };
    if bits & 0x8000 == 0 { value } else { -value }
}

/// A layer's pixels, without its mask.
pub(super) fn pixels(input: &mut Input<'_>, image: &Image, record: &Record) -> Result<Pixels, DecodeError> {
    let (width, height) = (record.width, record.height);
    let sample = if record.indexed { Sample::Int8 } else { image.sample };
    let plane = Plane { width, height, channels: record.channels, sample, hierarchy: record.hierarchy };
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(DecodeError::TooLarge("a layer is too large for a preview".to_owned()));
    }
    let mut bytes = vec![0; width as usize * height as usize * 4];
    let step = sample.bytes();
    plane.read(input, image, &mut |at, raw| {
        let value = |channel: usize| level(&raw[channel * step..], sample, image.linear && !record.indexed);
        // Opacity is a share and no light.
        let share = |channel: usize| level(&raw[channel * step..], sample, false);
        let colour = |index: u8| {
            let from = usize::from(index) * 3;
            image.palette.get(from..from + 3).map_or([0; 3], |it| [it[0], it[1], it[2]])
        };
        let ([red, green, blue], alpha) = match (record.channels, record.indexed) {
            (4, _) => ([value(0), value(1), value(2)], share(3)),
            (3, _) => ([value(0), value(1), value(2)], 255),
            (2, false) => ([value(0); 3], share(1)),
            (_, false) => ([value(0); 3], 255),
            (2, true) => (colour(raw[0]), share(1)),
            (_, true) => (colour(raw[0]), 255),
        };
        bytes[at * 4..at * 4 + 4].copy_from_slice(&[red, green, blue, alpha]);
    })?;
    Pixels::new(width, height, bytes)
}

/// A layer's mask, one byte a pixel, when it has one that counts.
pub(super) fn mask(
    input: &mut Input<'_>,
    image: &Image,
    record: &Record,
) -> Result<Option<Vec<u8>>, DecodeError> {
    let Some(at) = record.mask else { return Ok(None) };
    let mut reader = Reader { input, at, wide: image.wide_offsets };
    let (width, height, hierarchy) = mask_head(&mut reader)?;
    if (width, height) != (record.width, record.height) {
        return Err(damaged());
    }
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(damaged());
    }
    let plane = Plane { width, height, channels: 1, sample: image.sample, hierarchy };
    let mut bytes = vec![0; width as usize * height as usize];
    plane.read(input, image, &mut |at, raw| bytes[at] = level(raw, image.sample, false))?;
    Ok(Some(bytes))
}
