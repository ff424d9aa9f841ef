//! Decoded pixels, and making them smaller.

use crate::media::decoder::DecodeError;

/// Most pixels of one picture in memory.
pub const PIXELS_MAX: u64 = 400_000_000;

/// A picture: red, green, blue and opacity in four bytes a pixel, not multiplied, row by row, in the
/// colours of sRGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Four bytes a pixel.
    pub bytes: Vec<u8>,
}

impl Pixels {
    /// A picture of these bytes, when there are as many as the size asks for.
    pub fn new(width: u32, height: u32, bytes: Vec<u8>) -> Result<Self, DecodeError> {
        if width == 0 || height == 0 || bytes.len() as u128 != u128::from(width) * u128::from(height) * 4 {
            return Err(DecodeError::Damaged("the picture has not as many pixels as it says".into()));
        }
        Ok(Self { width, height, bytes })
    }

    /// The size with the longest side cut down to `edge`, at the same proportions; never larger.
    pub fn size_within(&self, edge: u32) -> (u32, u32) {
        let longest = self.width.max(self.height);
        if longest <= edge {
            return (self.width, self.height);
        }
        let scale = |side: u32| {
            let scaled =
                (u64::from(side) * u64::from(edge) * 2 + u64::from(longest)) / (2 * u64::from(longest));
            (scaled as u32).max(1)
        };
        (scale(self.width), scale(self.height))
    }

    /// The picture with its longest side at most `edge`: averages in multiplied colours, so that what
    /// cannot be seen does not shine through.
    pub fn within(self, edge: u32) -> Result<Self, DecodeError> {
        let (width, height) = self.size_within(edge);
        self.resized(width, height)
    }

    /// The picture in exactly that size, averaged likewise.
    pub fn resized(self, width: u32, height: u32) -> Result<Self, DecodeError> {
        use fast_image_resize::images::Image;
        use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
        if (width, height) == (self.width, self.height) {
            return Ok(self);
        }
        let fault = |what: String| DecodeError::Damaged(what);
        let source = Image::from_vec_u8(self.width, self.height, self.bytes, PixelType::U8x4)
            .map_err(|error| fault(error.to_string()))?;
        let mut smaller = Image::new(width, height, PixelType::U8x4);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
        Resizer::new().resize(&source, &mut smaller, &options).map_err(|error| fault(error.to_string()))?;
        Self::new(width, height, smaller.into_vec())
    }

    /// The picture in the top left corner of a transparent canvas that is at least as large.
    pub fn on_canvas(self, width: u32, height: u32) -> Result<Self, DecodeError> {
        let count = u64::from(width) * u64::from(height);
        if width < self.width || height < self.height || count > PIXELS_MAX {
            return Err(DecodeError::TooLarge(format!("{width} x {height} pixels are no canvas for it")));
        }
        if (width, height) == (self.width, self.height) {
            return Ok(self);
        }
        let mut bytes = vec![0; count as usize * 4];
        let rows = bytes.chunks_exact_mut(width as usize * 4);
        for (row, line) in rows.zip(self.bytes.chunks_exact(self.width as usize * 4)) {
            row[..line.len()].copy_from_slice(line);
        }
        Self::new(width, height, bytes)
    }

    /// The picture turned and mirrored as an EXIF orientation says (1 to 8).
    pub fn turned(self, orientation: u8) -> Result<Self, DecodeError> {
        use image::metadata::Orientation;
        let turn = Orientation::from_exif(orientation).unwrap_or(Orientation::NoTransforms);
        if turn == Orientation::NoTransforms {
            return Ok(self);
        }
        let whole = image::RgbaImage::from_raw(self.width, self.height, self.bytes);
        let whole = whole.ok_or_else(|| DecodeError::Damaged("the picture cannot be turned".to_owned()))?;
        let mut picture = image::DynamicImage::ImageRgba8(whole);
        picture.apply_orientation(turn);
        let picture = picture.into_rgba8();
        Self::new(picture.width(), picture.height(), picture.into_raw())
    }

    /// The picture as the bytes of a PNG file.
    pub fn png(&self) -> Result<Vec<u8>, DecodeError> {
        use image::ImageEncoder as _;
        use image::codecs::png::{CompressionType, FilterType, PngEncoder};
        let mut bytes = Vec::new();
        let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive);
        let is_opaque = self.bytes.chunks_exact(4).all(|pixel| pixel[3] == 255);
        let written = if is_opaque {
            let colours: Vec<u8> =
                self.bytes.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
            encoder.write_image(&colours, self.width, self.height, image::ExtendedColorType::Rgb8)
        } else {
            encoder.write_image(&self.bytes, self.width, self.height, image::ExtendedColorType::Rgba8)
        };
        written.map_err(|error| DecodeError::Damaged(error.to_string()))?;
        Ok(bytes)
    }

    /// The picture as the bytes of a JPEG file, without what is transparent in it.
    pub fn jpeg(&self, quality: u8) -> Result<Vec<u8>, DecodeError> {
        let colours: Vec<u8> =
            self.bytes.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
            .encode(&colours, self.width, self.height, image::ExtendedColorType::Rgb8)
            .map_err(|error| DecodeError::Damaged(error.to_string()))?;
        Ok(bytes)
    }

    /// The average colour of what can be seen, as on white.
    pub fn mean_colour(&self) -> [u8; 3] {
        let mut sums = [0u64; 3];
        for pixel in self.bytes.chunks_exact(4) {
            let alpha = u64::from(pixel[3]);
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += u64::from(*value) * alpha + 255 * (255 - alpha);
            }
        }
        let count = (self.bytes.len() as u64 / 4).max(1) * 255;
        sums.map(|sum| (sum / count) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_their_proportions_and_never_grow() {
        let size = |width, height, edge| Pixels { width, height, bytes: Vec::new() }.size_within(edge);
        assert_eq!(size(4000, 3000, 400), (400, 300));
        assert_eq!(size(3000, 4000, 400), (300, 400));
        assert_eq!(size(100, 50, 400), (100, 50));
        assert_eq!(size(300_000, 1, 512), (512, 1));
    }

    #[test]
    fn a_hidden_colour_does_not_bleed() {
        // A red dot that is seen beside a green one that is not.
        let bytes = [[255, 0, 0, 255], [0, 255, 0, 0]].concat();
        let one = Pixels::new(2, 1, bytes).expect("two pixels").within(1).expect("smaller");
        assert_eq!((one.width, one.height), (1, 1));
        assert!(one.bytes[0] > 250 && one.bytes[1] < 5, "{:?}", one.bytes);
    }
}
