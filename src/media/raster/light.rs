//! Pictures in floating point: light, of which 1 is white.

use image::{DynamicImage, ImageDecoder as _};

use super::{dds, fault, open, tiff};
use crate::media::colour::curved;
use crate::media::decoder::DecodeError;
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::light::{Light, sane};
use crate::media::pixels::{PIXELS_MAX, Pixels};

/// Where the greatest value of a grey TIFF picture lies beyond this, its values are measures and no light.
pub(super) const WHITE_MAX: f32 = 16.0;

/// Light as a level of sRGB.
pub(super) fn level(value: f32) -> u8 {
    curved(sane(value))
}

/// A picture of light as it is shown without a choice of exposure; the picture itself when it is of another kind.
pub(super) fn developed(
    image: DynamicImage,
    format: &Format,
) -> Result<Result<Pixels, DecodeError>, DynamicImage> {
    let (width, height) = (image.width(), image.height());
    let values = values(image, format)?;
    let mut bytes = vec![0; values.len()];
    for (shown, light) in bytes.chunks_exact_mut(4).zip(values.chunks_exact(4)) {
        shown[0] = level(light[0]);
        shown[1] = level(light[1]);
        shown[2] = level(light[2]);
        shown[3] = (sane(light[3]).clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    }
    Ok(Pixels::new(width, height, bytes))
}

/// Red, green, blue and opacity, not multiplied; the picture itself when it is none of light.
fn values(image: DynamicImage, format: &Format) -> Result<Vec<f32>, DynamicImage> {
    let mut values: Vec<f32> = match image {
        DynamicImage::ImageRgb32F(light) => {
            let mut values = vec![1.0; light.as_raw().len() / 3 * 4];
            for (value, pixel) in values.chunks_exact_mut(4).zip(light.as_raw().chunks_exact(3)) {
                value[..3].copy_from_slice(pixel);
            }
            values
        }
        DynamicImage::ImageRgba32F(light) => light.into_raw(),
        other => return Err(other),
    };
    // OpenEXR keeps colours that are multiplied with their opacity.
    if *format == format::EXR {
        for pixel in values.chunks_exact_mut(4).filter(|pixel| pixel[3] > 0.0 && pixel[3] < 1.0) {
            let opacity = pixel[3];
            pixel[..3].iter_mut().for_each(|value| *value /= opacity);
        }
    }
    Ok(values)
}

/// A picture of light as numbers; `None` when it is another kind of picture.
pub(super) fn light(
    input: &mut Input<'_>,
    format: &'static Format,
    edge: u32,
) -> Result<Option<Light>, DecodeError> {
    if *format == format::TIFF
        && let Some((width, height, greys)) = tiff::grey_values(input)?
    {
        let values: Vec<f32> = greys.iter().flat_map(|grey| [*grey, *grey, *grey, 1.0]).collect();
        return Light::of(width, height, &values, edge).map(Some);
    }
    if *format == format::DDS {
        let Some((width, height, values)) = dds::light(input)? else { return Ok(None) };
        return Light::of(width, height, &values, edge).map(Some);
    }
    if ![format::EXR, format::HDR, format::TIFF].contains(format) {
        return Ok(None);
    }
    let decoder = open(input.rewound()?, format)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(DecodeError::TooLarge(format!("{width} x {height} pixels are too many for a preview")));
    }
    if !decoder.color_type().has_color() || decoder.color_type().bytes_per_pixel() < 12 {
        return Ok(None);
    }
    let image = DynamicImage::from_decoder(decoder).map_err(fault)?;
    let Ok(values) = values(image, format) else { return Ok(None) };
    Light::of(width, height, &values, edge).map(Some)
}
