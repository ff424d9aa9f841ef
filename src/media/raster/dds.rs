//! DirectDraw surfaces of forms that the library of pictures does not take: without packing, and in blocks of one or
//! two channels (BC4, BC5), of light (BC6H) and of colours with opacity (BC7).
//!
//! After Microsoft's description of `DDS_HEADER`, `DDS_PIXELFORMAT` and of block compression in Direct3D 11. Only
//! the first and largest picture is read.

use super::light::level;
use crate::media::decoder::DecodeError;
use crate::media::input::Input;
use crate::media::pixels::{PIXELS_MAX, Pixels};

/// Bytes of the header with its first four.
const HEAD: usize = 128;
/// Bytes of the second header that newer files have.
const SECOND_HEAD: usize = 20;
/// Flags of the form of pixels: there is opacity, it is packed, red, green and blue, grey.
const ALPHA: u32 = 0x1;
const ONLY_ALPHA: u32 = 0x2;
const PACKED: u32 = 0x4;
const RGB: u32 = 0x40;
const GREY: u32 = 0x2_0000;

/// How pixels are written.
enum Form {
    /// Bytes of one pixel, and the bits of red, green, blue and opacity in it.
    Plain { bytes: usize, masks: [u32; 4] },
    /// Blocks of four by four pixels.
    Blocks(Packing),
}

/// What is in a block.
#[derive(Clone, Copy)]
enum Packing {
    /// Grey (BC4).
    One,
    /// A direction (BC5).
    Two,
    /// Light, of which there may be less than none (BC6H).
    Light { signed: bool },
    /// Colours with opacity (BC7).
    Colours,
}

impl Packing {
    /// Bytes of a block.
    const fn bytes(self) -> usize {
        match self {
            Self::One => 8,
            Self::Two | Self::Light { .. } | Self::Colours => 16,
        }
    }

    /// The pixels of a block, row by row.
    fn pixels(self, block: &[u8]) -> [[u8; 4]; 16] {
        let part = |at: usize| block.get(at..).and_then(|it| it.first_chunk()).map_or([0; 16], one_channel);
        match self {
            Self::One => part(0).map(|grey| [grey, grey, grey, 255]),
            Self::Two => {
                let (red, green) = (part(0), part(8));
                std::array::from_fn(|at| [red[at], green[at], rest(red[at], green[at]), 255])
            }
            Self::Light { signed } => {
                let mut light = [0.0f32; 48];
                bcdec_rs::bc6h_float(block, &mut light, 12, signed);
                std::array::from_fn(|at| {
                    [level(light[at * 3]), level(light[at * 3 + 1]), level(light[at * 3 + 2]), 255]
                })
            }
            Self::Colours => {
                let mut colours = [0u8; 64];
                bcdec_rs::bc7(block, &mut colours, 16);
                std::array::from_fn(|at| std::array::from_fn(|channel| colours[at * 4 + channel]))
            }
        }
    }
}

struct Surface {
    width: u32,
    height: u32,
    form: Form,
    /// Where its pixels begin.
    start: u64,
}

/// What a header says; `None` when its form is not read here.
fn surface(input: &mut Input<'_>) -> Result<Option<Surface>, DecodeError> {
    let head = input.read_at(0, HEAD + SECOND_HEAD)?;
    let number = |at: usize| {
        head.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |it| u32::from_le_bytes(*it))
    };
    if head.len() < HEAD || !head.starts_with(b"DDS ") {
        return Ok(None);
    }
    let (flags, bits) = (number(80), number(88));
    let mut masks = [number(92), number(96), number(100), number(104)];
    let mut start = HEAD as u64;
    if flags & (ALPHA | ONLY_ALPHA) == 0 {
        masks[3] = 0;
    }
    let plain = |bits: u32, masks| Form::Plain { bytes: bits as usize / 8, masks };
    let form = if flags & PACKED != 0 {
        match head.get(84..88) {
            Some(b"ATI1" | b"BC4U") => Form::Blocks(Packing::One),
            Some(b"ATI2" | b"BC5U") => Form::Blocks(Packing::Two),
            Some(b"DX10") => {
                start += SECOND_HEAD as u64;
                match number(128) {
                    27..=31 => plain(32, [0xff, 0xff00, 0x00ff_0000, 0xff00_0000]),
                    87 | 90 | 91 => plain(32, [0x00ff_0000, 0xff00, 0xff, 0xff00_0000]),
                    88 | 92 | 93 => plain(32, [0x00ff_0000, 0xff00, 0xff, 0]),
                    60..=64 => plain(8, [0xff, 0xff, 0xff, 0]),
                    85 => plain(16, [0xf800, 0x07e0, 0x001f, 0]),
                    79 | 80 => Form::Blocks(Packing::One),
                    82 | 83 => Form::Blocks(Packing::Two),
                    number @ 94..=96 => Form::Blocks(Packing::Light { signed: number == 96 }),
                    97..=99 => Form::Blocks(Packing::Colours),
                    _ => return Ok(None),
                }
            }
            _ => return Ok(None),
        }
    } else if flags & GREY != 0 {
        plain(bits, [masks[0], masks[0], masks[0], masks[3]])
    } else if flags & RGB != 0 {
        plain(bits, masks)
    } else if flags & ONLY_ALPHA != 0 {
        plain(bits, [0, 0, 0, masks[3]])
    } else {
        return Ok(None);
    };
    let is_whole = !matches!(form, Form::Plain { bytes, .. } if !(1..=4).contains(&bytes) || bits % 8 != 0);
    let surface = Surface { width: number(16), height: number(12), form, start };
    Ok(Some(surface).filter(|it| is_whole && it.width > 0 && it.height > 0))
}

/// Whether a picture can be made of it here.
pub(super) fn is_read(input: &mut Input<'_>) -> bool {
    matches!(surface(input), Ok(Some(_)))
}

/// Its first picture; `None` when its form is not read here.
pub(super) fn picture(input: &mut Input<'_>) -> Result<Option<Pixels>, DecodeError> {
    let Some(Surface { width, height, form, start }) = surface(input)? else { return Ok(None) };
    let count = u64::from(width) * u64::from(height);
    if count > PIXELS_MAX {
        return Err(DecodeError::TooLarge(format!("{width} x {height} pixels are too many for a preview")));
    }
    let (across, down) = (width.div_ceil(4) as usize, height.div_ceil(4) as usize);
    let length = match form {
        Form::Plain { bytes, .. } => count as usize * bytes,
        Form::Blocks(packing) => across * down * packing.bytes(),
    };
    // A file that is shorter than it says costs no more than it is long.
    let stored = input.exactly_at(start, length)?;
    let bytes = match form {
        Form::Plain { bytes, masks } => {
            stored.chunks_exact(bytes).flat_map(|pixel| plain(pixel, masks)).collect()
        }
        Form::Blocks(packing) => blocks(&stored, (width as usize, height as usize), packing),
    };
    Pixels::new(width, height, bytes).map(Some)
}

/// A pixel of which each channel has some of its bits.
fn plain(pixel: &[u8], masks: [u32; 4]) -> [u8; 4] {
    let value = pixel.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    std::array::from_fn(|channel| {
        let mask = masks[channel];
        match mask >> mask.trailing_zeros().min(31) {
            0 => {
                if channel == 3 {
                    255
                } else {
                    0
                }
            }
            most => {
                let part = u64::from((value & mask) >> mask.trailing_zeros());
                ((part * 255 + u64::from(most) / 2) / u64::from(most)) as u8
            }
        }
    })
}

/// The pixels of blocks; what of these lies beyond the picture is left out.
fn blocks(stored: &[u8], (width, height): (usize, usize), packing: Packing) -> Vec<u8> {
    let mut out = vec![255; width * height * 4];
    let across = width.div_ceil(4);
    for (number, block) in stored.chunks_exact(packing.bytes()).enumerate() {
        let (left, top) = (number % across * 4, number / across * 4);
        for (place, pixel) in packing.pixels(block).into_iter().enumerate() {
            let (x, y) = (left + place % 4, top + place / 4);
            if x < width && y < height {
                out[(y * width + x) * 4..][..4].copy_from_slice(&pixel);
            }
        }
    }
    out
}

/// One channel of a block: two values, and for each pixel one of eight between them.
fn one_channel(block: &[u8; 8]) -> [u8; 16] {
    let [first, second, ..] = *block;
    let (one, other) = (u32::from(first), u32::from(second));
    let mut values = [0u8; 8];
    (values[0], values[1]) = (first, second);
    let steps = if first > second { 7 } else { 5 };
    for step in 1..steps {
        values[1 + step as usize] = (((steps - step) * one + step * other + steps / 2) / steps) as u8;
    }
    if steps == 5 {
        (values[6], values[7]) = (0, 255);
    }
    let bits = block[2..].iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    std::array::from_fn(|place| values[(bits >> (3 * place)) as usize & 7])
}

/// The third part of a direction, which is what the two others leave of its length; parts from -1 to 1 are bytes.
fn rest(red: u8, green: u8) -> u8 {
    let part = |level: u8| f32::from(level) / 127.5 - 1.0;
    let left = (1.0 - part(red).powi(2) - part(green).powi(2)).max(0.0).sqrt();
    ((left + 1.0) * 127.5).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_taken_by_their_bits() {
        assert_eq!(plain(&[0xff, 0xff], [0xf800, 0x07e0, 0x001f, 0]), [255, 255, 255, 255]);
        assert_eq!(plain(&[0x1f, 0x00], [0xf800, 0x07e0, 0x001f, 0]), [0, 0, 255, 255]);
        assert_eq!(plain(&[1, 2, 3, 4], [0x00ff_0000, 0xff00, 0xff, 0xff00_0000]), [3, 2, 1, 4]);
        assert_eq!(plain(&[9], [0xff, 0xff, 0xff, 0]), [9, 9, 9, 255]);
    }

    /// Blocks of one colour, by the tables of Microsoft's description of these formats.
    #[test]
    fn blocks_of_light_and_of_colours_are_unpacked() {
        // The form 5 of BC7: bit 5 of the first byte, two bits of turn, seven bits for each end of each colour,
        // eight for each of opacity.
        let mut bits = 1u128 << 5;
        let mut at = 8;
        let mut put = |value: u128, count: u32| {
            bits |= value << at;
            at += count;
        };
        for (colour, count) in [(100, 7), (100, 7), (20, 7), (20, 7), (64, 7), (64, 7), (200, 8), (200, 8)] {
            put(colour, count);
        }
        let wide = |seven: u8| seven << 1 | seven >> 6;
        let pixels = Packing::Colours.pixels(&bits.to_le_bytes());
        assert_eq!(pixels, [[wide(100), wide(20), wide(64), 200]; 16]);
        // The form 3 of BC6H: five bits that tell it, ten for each end of each colour. 0x1f0 stands for the half
        // float 0x3c1f, a little more than white.
        let (red, none) = (0x1f0u128, 0u128);
        let bits = 3 | red << 5 | none << 15 | none << 25 | red << 35;
        let pixels = Packing::Light { signed: false }.pixels(&bits.to_le_bytes());
        assert_eq!(pixels, [[255, 0, 0, 255]; 16]);
        assert_eq!(Packing::Colours.pixels(&[0; 16]), [[0; 4]; 16]);
    }

    #[test]
    fn a_block_has_eight_values_between_two() {
        // All numbers from 0 to 7, twice.
        let numbers = (0..16u64).fold(0u64, |bits, place| bits | (place % 8) << (3 * place)).to_le_bytes();
        let falling = one_channel(&[&[70, 0][..], &numbers[..6]].concat().try_into().expect("eight bytes"));
        assert_eq!(falling[..8], [70, 0, 60, 50, 40, 30, 20, 10]);
        let rising = one_channel(&[&[0, 50][..], &numbers[..6]].concat().try_into().expect("eight bytes"));
        assert_eq!(rising[..8], [0, 50, 10, 20, 30, 40, 0, 255]);
        // A direction straight ahead.
        assert_eq!(rest(128, 128), 255);
    }
}
