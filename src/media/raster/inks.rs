//! Pictures in inks (CMYK) that say by a profile what their inks are: JPEG, and TIFF of 8 bits.
//!
//! The library of pictures takes each ink for what takes away one colour of light, which no press does.

use image::metadata::Orientation;
use std::io::BufReader;

use super::{Bytes, MEMORY_MAX, tiff};
use crate::media::colour::Inks;
use crate::media::decoder::DecodeError;
use crate::media::format::Format;
use crate::media::input::Input;
use crate::media::pixels::{PIXELS_MAX, Pixels};

/// Pixels that are turned at a time.
const STEP: usize = 64 << 10;

/// Whether the inks of such a picture are drawn by this profile.
pub(super) fn are_managed(format: &Format, depth: u32, profile: &[u8]) -> bool {
    matches!(format.id, "jpeg" | "tiff") && depth == 8 && Inks::read(profile).is_some()
}

/// A picture of a file in inks with a profile of them; `None` when it is another kind of picture.
pub(super) fn picture(
    input: &mut Input<'_>,
    format: &Format,
    edge: u32,
) -> Result<Option<Pixels>, DecodeError> {
    match format.id {
        "jpeg" => Ok(jpeg(input, edge)),
        "tiff" => match tiff::inks(input)? {
            Some(found) => turned(found, edge),
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Levels of inks of which 0 is none, pixel by pixel, with what belongs to them.
pub(super) struct Inked {
    pub width: u32,
    pub height: u32,
    pub levels: Vec<u8>,
    pub profile: Vec<u8>,
    pub orientation: u8,
}

/// What is damaged is told by the way that all pictures take.
fn jpeg(input: &mut Input<'_>, edge: u32) -> Option<Pixels> {
    let mut decoder = jpeg_decoder::Decoder::new(BufReader::new(Bytes(input.rewound().ok()?)));
    decoder.read_info().ok()?;
    let info = decoder.info()?;
    let count = u64::from(info.width) * u64::from(info.height);
    if info.pixel_format != jpeg_decoder::PixelFormat::CMYK32 || count > PIXELS_MAX {
        return None;
    }
    decoder.set_max_decoding_buffer_size(MEMORY_MAX as usize);
    let levels = decoder.decode().ok()?;
    let turn = decoder.exif_data().and_then(Orientation::from_exif_chunk);
    let found = Inked {
        width: u32::from(info.width),
        height: u32::from(info.height),
        levels,
        profile: decoder.icc_profile()?,
        orientation: turn.unwrap_or(Orientation::NoTransforms).to_exif(),
    };
    turned(found, edge).ok().flatten()
}

/// Inks as red, green and blue; `None` when the profile is of something else or cannot be used.
fn turned(found: Inked, edge: u32) -> Result<Option<Pixels>, DecodeError> {
    let Inked { width, height, levels, profile, orientation } = found;
    let Some(inks) = Inks::read(&profile) else { return Ok(None) };
    let mut bytes = Vec::with_capacity(levels.len());
    for part in levels.chunks(STEP * 4) {
        let Some(light) = inks.apply(part) else { return Ok(None) };
        bytes.extend(light.chunks_exact(3).flat_map(|light| [light[0], light[1], light[2], 255]));
    }
    Pixels::new(width, height, bytes)?.within(edge)?.turned(orientation).map(Some)
}
