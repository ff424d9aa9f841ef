//! JPEG pictures that are made small while they are decoded.

use crate::media::colour::Profile;
use crate::media::input::Input;
use crate::media::pixels::Pixels;
use crate::media::raster::{Bytes, MEMORY_MAX};
use image::metadata::Orientation;
use std::io::BufReader;

/// A JPEG picture that is made small while it is decoded: an eighth of its size takes an eighth of the work
/// that is left after unpacking. `None` where that saves nothing, or where the library cannot do it; what is
/// damaged is told by the way that all pictures take.
pub(super) fn scaled_jpeg(input: &mut Input<'_>, edge: u32) -> Option<Pixels> {
    let mut decoder = jpeg_decoder::Decoder::new(BufReader::new(Bytes(input.rewound().ok()?)));
    decoder.read_info().ok()?;
    let info = decoder.info()?;
    // A third more than is wanted, so that what is made smaller at last is still sharp.
    let wanted = u16::try_from(edge.saturating_mul(4) / 3).ok()?;
    let is_light =
        matches!(info.pixel_format, jpeg_decoder::PixelFormat::RGB24 | jpeg_decoder::PixelFormat::L8);
    if !is_light || info.width.max(info.height) / 2 < wanted {
        return None;
    }
    decoder.set_max_decoding_buffer_size(MEMORY_MAX as usize);
    // The library scales so that neither side is less than what is asked for.
    let (wide, high) = (f64::from(info.width), f64::from(info.height));
    let factor = f64::from(wanted) / wide.max(high);
    let side = |length: f64| ((length * factor).ceil() as u16).max(1);
    let (width, height) = decoder.scale(side(wide), side(high)).ok()?;
    let colours = decoder.decode().ok()?;
    let bytes: Vec<u8> = match info.pixel_format {
        jpeg_decoder::PixelFormat::RGB24 => {
            colours.chunks_exact(3).flat_map(|it| [it[0], it[1], it[2], 255]).collect()
        }
        jpeg_decoder::PixelFormat::L8 => colours.iter().flat_map(|it| [*it, *it, *it, 255]).collect(),
        _ => return None,
    };
    let mut pixels = Pixels::new(u32::from(width), u32::from(height), bytes).ok()?.within(edge).ok()?;
    if let Some(profile) = decoder.icc_profile().as_deref().and_then(Profile::read) {
        profile.apply(&mut pixels.bytes);
    }
    let turn = decoder.exif_data().and_then(Orientation::from_exif_chunk);
    pixels.turned(turn.unwrap_or(Orientation::NoTransforms).to_exif()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn a_large_picture_is_made_small_while_it_is_decoded() {
        let large =
            image::RgbImage::from_fn(1600, 1200, |x, y| image::Rgb([(x / 8) as u8, (y / 8) as u8, 90]));
        let mut bytes = Vec::new();
        large.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Jpeg).expect("a picture");
        let mut source = Cursor::new(bytes);
        let mut input = Input::new(&mut source).expect("an input");
        let small = scaled_jpeg(&mut input, 256).expect("a smaller picture");
        assert_eq!((small.width, small.height), (256, 192));
        assert!(scaled_jpeg(&mut input, 900).is_none(), "it would save nothing");
    }
}
