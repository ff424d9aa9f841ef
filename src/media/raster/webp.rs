//! Still WebP pictures, by libwebp: the one decoder of pictures that is C code.
//!
//! It is twice as fast as the one of safe Rust, gives the same pixels, and makes a picture small while it decodes it
//! (`docs/decisions/1107-webp-by-libwebp.md`). Pictures that move, and what it refuses, take the way that all pictures
//! take. What the container says beside the pixels - size, profile, orientation - is never read by it.

use libwebp_sys::{VP8StatusCode, WEBP_CSP_MODE, WebPDecode, WebPDecoderConfig, WebPGetFeatures};

use crate::media::decoder::DecodeError;
use crate::media::input::Input;
use crate::media::pixels::{PIXELS_MAX, Pixels};
use crate::media::raster::MEMORY_MAX;

/// Longest file that is given to the library, in bytes: it wants all of it at once. One of that many pixels
/// that were not packed at all has less.
const FILE_MAX: u64 = 1 << 30;
/// The longest side that the format knows, in pixels (its fields have 14 bits).
const SIDE_MAX: u32 = 1 << 14;
/// How much larger than wanted a picture is decoded that is made small on the way: what is left is done by the
/// filter that all pictures are made smaller with, so that they look alike.
const SPARE: u32 = 2;

/// The pixels of a still picture of a size that its container was found to have, smaller when its longest side is
/// wanted to have `edge` pixels and that saves something. `None` when it moves, when its pixels have another size
/// than its container says, or when the library refuses it.
pub(super) fn picture(
    input: &mut Input<'_>,
    size: (u32, u32),
    edge: u32,
) -> Result<Option<Pixels>, DecodeError> {
    if input.len() > FILE_MAX {
        return Ok(None);
    }
    let bytes = input.read_at(0, FILE_MAX as usize)?;
    Ok(decoded(&bytes, size, edge))
}

fn decoded(bytes: &[u8], size: (u32, u32), edge: u32) -> Option<Pixels> {
    let (width, height) = size;
    if !(1..=SIDE_MAX).contains(&width) || !(1..=SIDE_MAX).contains(&height) {
        return None;
    }
    let mut config = WebPDecoderConfig::new().ok()?;
    // SAFETY: the pointer and the length are those of `bytes`, which outlives the call; what is written is a field of
    // a structure that was initialised.
    let status = unsafe { WebPGetFeatures(bytes.as_ptr(), bytes.len(), &raw mut config.input) };
    let found = (u32::try_from(config.input.width), u32::try_from(config.input.height));
    if status != VP8StatusCode::VP8_STATUS_OK
        || config.input.has_animation != 0
        || found != (Ok(width), Ok(height))
    {
        return None;
    }
    // The library averages colours without their opacity: what cannot be seen would shine through.
    let wanted = edge.saturating_mul(SPARE);
    let (out_width, out_height) = match config.input.has_alpha {
        0 if width.max(height) / 2 >= wanted => scaled(size, wanted),
        _ => size,
    };
    let count = u64::from(out_width) * u64::from(out_height);
    if count > PIXELS_MAX || count * 4 > MEMORY_MAX {
        return None;
    }
    let mut pixels = vec![0; count as usize * 4];
    config.options.use_scaling = i32::from((out_width, out_height) != size);
    config.options.scaled_width = out_width as i32;
    config.options.scaled_height = out_height as i32;
    // A thread cannot be begun in the closed process.
    config.options.use_threads = 0;
    config.output.colorspace = WEBP_CSP_MODE::MODE_RGBA;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = pixels.as_mut_ptr();
    config.output.u.RGBA.stride = out_width as i32 * 4;
    config.output.u.RGBA.size = pixels.len();
    // SAFETY: `bytes` and `pixels` outlive the call and are not touched by anything else during it; the lengths given
    // are theirs. The library checks that a picture of the size it writes fits into `size` bytes of rows of `stride`
    // bytes before it writes any. It keeps neither pointer: the memory is external, so that there is nothing to free.
    let status = unsafe { WebPDecode(bytes.as_ptr(), bytes.len(), &raw mut config) };
    if status != VP8StatusCode::VP8_STATUS_OK {
        return None;
    }
    Pixels::new(out_width, out_height, pixels).ok()
}

/// A size in the same proportions whose longest side has `longest` pixels.
fn scaled((width, height): (u32, u32), longest: u32) -> (u32, u32) {
    let factor = f64::from(longest.max(1)) / f64::from(width.max(height));
    let side = |length: u32| ((f64::from(length) * factor).round() as u32).max(1);
    (side(width), side(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::fuzz::pictures::LOSSY;
    use image::{DynamicImage, ImageFormat};
    use std::io::Cursor;

    fn by_rust(bytes: &[u8]) -> Pixels {
        let image =
            image::load_from_memory_with_format(bytes, ImageFormat::WebP).expect("a picture").to_rgba8();
        Pixels::new(image.width(), image.height(), image.into_raw()).expect("pixels")
    }

    fn written(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::WebP).expect("written");
        bytes.into_inner()
    }

    #[test]
    fn both_decoders_find_the_same_pixels() {
        let seen = image::RgbaImage::from_fn(31, 17, |x, y| {
            image::Rgba([x as u8 * 8, y as u8 * 9, 77, (x * y) as u8])
        });
        let clear = DynamicImage::ImageRgba8(seen);
        let whole = DynamicImage::ImageRgb8(clear.to_rgb8());
        let mut all = vec![written(&clear), written(&whole)];
        all.extend(LOSSY.map(<[u8]>::to_vec));
        for bytes in all {
            let expected = by_rust(&bytes);
            let size = (expected.width, expected.height);
            assert_eq!(decoded(&bytes, size, 64), Some(expected));
            assert_eq!(decoded(&bytes, (size.0, size.1 + 1), 64), None, "a size that lies");
            assert_eq!(decoded(&bytes[..bytes.len() / 2], size, 64), None, "a file that is cut off");
        }
    }

    #[test]
    fn large_pictures_are_made_small_while_they_are_decoded() {
        let large = image::RgbImage::from_fn(900, 600, |x, y| {
            image::Rgb([(x / 4) as u8, (y / 3) as u8, if (x / 40 + y / 40) % 2 == 0 { 40 } else { 200 }])
        });
        let bytes = written(&large.clone().into());
        let small = decoded(&bytes, (900, 600), 100).expect("a picture");
        assert_eq!((small.width, small.height), (200, 133));
        let expected = by_rust(&bytes).resized(200, 133).expect("smaller");
        let far = small.bytes.iter().zip(&expected.bytes).map(|(one, other)| u64::from(one.abs_diff(*other)));
        assert!(far.sum::<u64>() / (small.bytes.len() as u64) < 3);
        let whole = decoded(&bytes, (900, 600), 300).expect("a picture");
        assert_eq!((whole.width, whole.height), (900, 600), "it would save nothing");
        // What cannot be seen does not shine through.
        let dots = image::RgbaImage::from_fn(512, 512, |x, _| {
            image::Rgba(if x % 2 == 0 { [255, 0, 0, 255] } else { [0, 255, 0, 0] })
        });
        let small =
            decoded(&written(&dots.into()), (512, 512), 16).expect("a picture").within(16).expect("smaller");
        assert!(small.bytes.chunks_exact(4).all(|pixel| pixel[0] > 240 && pixel[1] < 16));
    }
}
