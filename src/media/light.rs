//! Pictures of light: values that go beyond white, as cameras and renderers have them.
//!
//! They are handed on as numbers in half precision (IEEE 754 binary16), which is what OpenEXR keeps, so that
//! whoever looks at them can choose the exposure.

use crate::media::decoder::DecodeError;

/// Longest side of a picture of light that is handed on, in pixels.
pub const EDGE_MAX: u32 = 1024;
/// Bytes of one pixel.
const PIXEL_BYTES: usize = 8;
/// The greatest number in half precision.
const GREATEST: f32 = 65504.0;

/// A picture: red, green, blue and opacity, of which 1 is white and whole, not multiplied, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Light {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Four numbers in half precision a pixel, the low byte first.
    pub bytes: Vec<u8>,
}

impl Light {
    /// A picture of these bytes, when there are as many as the size asks for.
    pub fn new(width: u32, height: u32, bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let is_small = (1..=EDGE_MAX).contains(&width) && (1..=EDGE_MAX).contains(&height);
        if !is_small || bytes.len() != width as usize * height as usize * PIXEL_BYTES {
            return Err(DecodeError::Damaged("the picture has not as many pixels as it says".into()));
        }
        Ok(Self { width, height, bytes })
    }

    /// Takes a picture in full precision, four numbers a pixel, with its longest side at most `edge`: averages of
    /// light.
    pub fn of(width: u32, height: u32, values: &[f32], edge: u32) -> Result<Self, DecodeError> {
        let edge = edge.clamp(1, EDGE_MAX);
        let longest = width.max(height).max(1);
        let side = |length: u32| {
            if longest <= edge {
                length
            } else {
                (u64::from(length) * u64::from(edge) / u64::from(longest)).max(1) as u32
            }
        };
        let (wide, high) = (side(width), side(height));
        if values.len() != width as usize * height as usize * 4 {
            return Err(DecodeError::Damaged("the picture has not as many pixels as it says".into()));
        }
        let span = |at: u32, of: u32, from: u32| {
            let start = u64::from(at) * u64::from(from) / u64::from(of);
            let end = (u64::from(at + 1) * u64::from(from)).div_ceil(u64::from(of));
            start as usize..(end as usize).max(start as usize + 1)
        };
        let mut bytes = Vec::with_capacity(wide as usize * high as usize * PIXEL_BYTES);
        for y in 0..high {
            for x in 0..wide {
                let (columns, rows) = (span(x, wide, width), span(y, high, height));
                let mut sums = [0.0f64; 4];
                for row in rows.clone() {
                    let line = &values[(row * width as usize + columns.start) * 4..][..columns.len() * 4];
                    for pixel in line.chunks_exact(4) {
                        sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += f64::from(sane(*value)));
                    }
                }
                let count = (columns.len() * rows.len()) as f64;
                bytes.extend(sums.iter().flat_map(|sum| half((sum / count) as f32).to_le_bytes()));
            }
        }
        Self::new(wide, high, bytes)
    }
}

/// What is not a number is dark, and nothing is brighter than the greatest that can be written.
pub fn sane(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(-GREATEST, GREATEST) }
}

/// A number in half precision, rounded to the nearest and to even where two are as near.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let exponent = (bits >> 23 & 0xff) as i32 - 127 + 15;
    let fraction = bits & 0x7f_ffff;
    let (whole, dropped) = match exponent {
        1.. => ((exponent as u32) << 10 | fraction >> 13, 13),
        // Below the least number with all digits there are fewer of them.
        -10..=0 => ((fraction | 0x80_0000) >> (14 - exponent), 14 - exponent),
        _ => return sign,
    };
    let (digits, least) = (if exponent > 0 { fraction } else { fraction | 0x80_0000 }, 1u32 << dropped);
    let (rest, middle) = (digits & (least - 1), least / 2);
    let up = rest > middle || (rest == middle && whole & 1 == 1);
    sign | (whole + u32::from(up)).min(0x7bff) as u16
}

/// What a number in half precision is in full precision.
pub fn full(half: u16) -> f32 {
    let (exponent, fraction) = (i32::from(half >> 10 & 31), f32::from(half & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction > 0.0 => f32::NAN,
        31 => f32::INFINITY,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    };
    if half & 0x8000 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_half_precision_are_the_same_in_full() {
        for bits in (0..0x7c00u16).flat_map(|bits| [bits, bits | 0x8000]) {
            assert_eq!(half(full(bits)), bits & if full(bits) == 0.0 { 0x8000 } else { 0xffff }, "{bits:x}");
        }
        assert!(full(0x7c00).is_infinite() && full(0x7e00).is_nan());
    }

    #[test]
    fn numbers_are_those_of_half_precision() {
        let known = [
            (0.0, 0x0000),
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (0.333_251_95, 0x3555),
            (65504.0, 0x7bff),
            (1e9, 0x7bff),
            (6.103_515_6e-5, 0x0400),
            (5.960_464_5e-8, 0x0001),
            (1e-9, 0x0000),
            // Half way between two: the even one.
            (1.000_488_3, 0x3c00),
            (1.001_464_8, 0x3c02),
        ];
        for (value, bits) in known {
            assert_eq!(half(sane(value)), bits, "{value}");
        }
        assert_eq!(half(sane(f32::NAN)), 0);
    }

    #[test]
    fn a_smaller_picture_is_an_average_of_light() {
        let values = [[8.0, 0.0, 0.0, 1.0], [0.0, 2.0, 0.0, 1.0]].concat();
        let one = Light::of(2, 1, &values, 1).expect("light");
        let numbers: Vec<u16> =
            one.bytes.as_chunks::<2>().0.iter().map(|it| u16::from_le_bytes(*it)).collect();
        assert_eq!(numbers, [half(4.0), half(1.0), 0, half(1.0)]);
        assert!(Light::of(2, 2, &values, 1).is_err());
    }
}
