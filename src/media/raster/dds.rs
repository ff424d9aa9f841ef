//! DirectDraw surfaces of forms that the library of pictures does not take: without packing, in numbers or in floating
//! point, and in blocks of one or two channels (BC4, BC5), of light (BC6H) and of colours with opacity (BC7).
//!
//! After Microsoft's description of `DDS_HEADER`, `DDS_PIXELFORMAT` and of block compression in Direct3D 11. Only
//! the first and largest picture is read.

use super::light::level;
use crate::media::decoder::DecodeError;
use crate::media::input::Input;
use crate::media::light::{full, sane};
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
    /// Light, in floating point.
    Light(Floats),
    /// Blocks of four by four pixels.
    Blocks(Packing),
}

/// Pixels in floating point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Floats {
    /// How many channels there are: one of grey, three, or four with opacity.
    pub channels: usize,
    /// Bits of a channel: 16 or 32.
    pub bits: u32,
}

impl Floats {
    /// Those of the two headers, when pixels are written so (`D3DFORMAT`, `DXGI_FORMAT`).
    pub fn of(head: &[u8]) -> Option<Self> {
        let number =
            |at: usize| head.get(at..).and_then(|rest| rest.first_chunk()).map(|it| u32::from_le_bytes(*it));
        if number(80)? & PACKED == 0 {
            return None;
        }
        let (channels, bits) = match (head.get(84..88)?, number(84)?) {
            (b"DX10", _) => match number(128)? {
                2 => (4, 32),
                6 => (3, 32),
                10 => (4, 16),
                41 => (1, 32),
                54 => (1, 16),
                _ => return None,
            },
            (_, 111) => (1, 16),
            (_, 113) => (4, 16),
            (_, 114) => (1, 32),
            (_, 116) => (4, 32),
            _ => return None,
        };
        Some(Self { channels, bits })
    }

    /// Bytes of a pixel.
    const fn bytes(self) -> usize {
        self.channels * self.bits as usize / 8
    }

    /// A pixel as red, green, blue and opacity.
    fn pixel(self, stored: &[u8]) -> [f32; 4] {
        let value = |at: usize| match self.bits {
            16 => {
                stored.get(at * 2..).and_then(|it| it.first_chunk()).map(|it| full(u16::from_le_bytes(*it)))
            }
            _ => stored.get(at * 4..).and_then(|it| it.first_chunk()).map(|it| f32::from_le_bytes(*it)),
        };
        std::array::from_fn(|at| match (at, self.channels) {
            (3, 1 | 3) => 1.0,
            (_, 1) => value(0).unwrap_or(0.0),
            _ => value(at).unwrap_or(0.0),
        })
    }
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
            Self::Light { signed } => lit(block, signed).map(shown),
            Self::Colours => {
                let mut colours = [0u8; 64];
                bcdec_rs::bc7(block, &mut colours, 16);
                std::array::from_fn(|at| std::array::from_fn(|channel| colours[at * 4 + channel]))
            }
        }
    }
}

/// The light of a block.
fn lit(block: &[u8], signed: bool) -> [[f32; 4]; 16] {
    let mut light = [0.0f32; 48];
    bcdec_rs::bc6h_float(block, &mut light, 12, signed);
    std::array::from_fn(|at| [light[at * 3], light[at * 3 + 1], light[at * 3 + 2], 1.0])
}

/// Light as it is shown without a choice of exposure.
fn shown([red, green, blue, opacity]: [f32; 4]) -> [u8; 4] {
    [level(red), level(green), level(blue), (sane(opacity).clamp(0.0, 1.0) * 255.0).round() as u8]
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
    let form = if let Some(floats) = Floats::of(&head) {
        start += if head.get(84..88) == Some(b"DX10") { SECOND_HEAD as u64 } else { 0 };
        Form::Light(floats)
    } else if flags & PACKED != 0 {
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

/// What is stored of its first picture.
fn stored(input: &mut Input<'_>, surface: &Surface) -> Result<Vec<u8>, DecodeError> {
    let Surface { width, height, start, .. } = *surface;
    let count = u64::from(width) * u64::from(height);
    if count > PIXELS_MAX {
        return Err(DecodeError::TooLarge(format!("{width} x {height} pixels are too many for a preview")));
    }
    let (across, down) = (width.div_ceil(4) as usize, height.div_ceil(4) as usize);
    let length = match surface.form {
        Form::Plain { bytes, .. } => count as usize * bytes,
        Form::Light(floats) => count as usize * floats.bytes(),
        Form::Blocks(packing) => across * down * packing.bytes(),
    };
    // A file that is shorter than it says costs no more than it is long.
    Ok(input.exactly_at(start, length)?)
}

/// Its first picture; `None` when its form is not read here.
pub(super) fn picture(input: &mut Input<'_>) -> Result<Option<Pixels>, DecodeError> {
    let Some(surface) = surface(input)? else { return Ok(None) };
    let stored = stored(input, &surface)?;
    let size = (surface.width as usize, surface.height as usize);
    let bytes = match surface.form {
        Form::Plain { bytes, masks } => {
            stored.chunks_exact(bytes).flat_map(|pixel| plain(pixel, masks)).collect()
        }
        Form::Light(floats) => {
            stored.chunks_exact(floats.bytes()).flat_map(|pixel| shown(floats.pixel(pixel))).collect()
        }
        Form::Blocks(packing) => blocks(&stored, size, packing.bytes(), 255, |block| packing.pixels(block)),
    };
    Pixels::new(surface.width, surface.height, bytes).map(Some)
}

/// Its first picture as numbers of light: red, green, blue and opacity; `None` where it is none.
pub(super) fn light(input: &mut Input<'_>) -> Result<Option<(u32, u32, Vec<f32>)>, DecodeError> {
    let Some(surface) = surface(input)? else { return Ok(None) };
    let size = (surface.width as usize, surface.height as usize);
    let values = match surface.form {
        Form::Light(floats) => {
            let stored = stored(input, &surface)?;
            stored.chunks_exact(floats.bytes()).flat_map(|pixel| floats.pixel(pixel)).collect()
        }
        Form::Blocks(packing @ Packing::Light { signed }) => {
            let stored = stored(input, &surface)?;
            blocks(&stored, size, packing.bytes(), 1.0, |block| lit(block, signed))
        }
        _ => return Ok(None),
    };
    Ok(Some((surface.width, surface.height, values)))
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
fn blocks<T: Copy>(
    stored: &[u8],
    (width, height): (usize, usize),
    bytes: usize,
    white: T,
    pixels: impl Fn(&[u8]) -> [[T; 4]; 16],
) -> Vec<T> {
    let mut out = vec![white; width * height * 4];
    let across = width.div_ceil(4);
    for (number, block) in stored.chunks_exact(bytes).enumerate() {
        let (left, top) = (number % across * 4, number / across * 4);
        for (place, pixel) in pixels(block).into_iter().enumerate() {
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
