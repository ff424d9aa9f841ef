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
        use fast_image_resize::images::Image;
        use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
        let (width, height) = self.size_within(edge);
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
