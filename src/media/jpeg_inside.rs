//! JPEG pictures that stand inside of other files: what cameras and programs put there to be looked at.

use image::{DynamicImage, ImageDecoder as _};
use memchr::memmem;
use std::io::{self, Cursor};

use crate::media::boxes::Numbers;
use crate::media::decoder::DecodeError;
use crate::media::input::Input;
use crate::media::pixels::{PIXELS_MAX, Pixels};

/// How much of a file is searched, in bytes.
const SEARCH_MAX: u64 = 1 << 30;
/// How much is read at a time.
const STEP: usize = 1 << 20;
/// Most beginnings that are looked at.
const TRIES_MAX: usize = 4096;
/// Most segments before a picture's size.
const SEGMENTS_MAX: usize = 200;
/// Longest picture, in bytes.
const BYTES_MAX: usize = 128 << 20;

/// A JPEG picture in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// Where it begins.
    pub at: u64,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

/// The largest JPEG picture of a file that can be looked at. What a camera packs without loss is none.
pub fn largest(input: &mut Input<'_>) -> io::Result<Option<Inside>> {
    let (mut at, mut tries) = (0u64, 0);
    let mut best: Option<Inside> = None;
    let end = input.len().min(SEARCH_MAX);
    let finder = memmem::Finder::new(b"\xff\xd8\xff");
    while at < end && tries < TRIES_MAX {
        let window = input.read_at(at, STEP + 2)?;
        for start in finder.find_iter(&window) {
            tries += 1;
            let found = begins_at(input, at + start as u64)?;
            let pixels = |it: &Inside| u64::from(it.width) * u64::from(it.height);
            if let Some(found) = found.filter(|it| best.as_ref().is_none_or(|best| pixels(it) > pixels(best)))
            {
                best = Some(found);
            }
        }
        at += STEP as u64;
    }
    Ok(best)
}

/// Reads segments up to the one that tells the size (ISO/IEC 10918-1, B.2).
fn begins_at(input: &mut Input<'_>, start: u64) -> io::Result<Option<Inside>> {
    let mut at = start + 2;
    for _ in 0..SEGMENTS_MAX {
        let head = input.read_at(at, 10)?;
        let (Some(255), Some(marker)) = (head.first(), head.get(1)) else { return Ok(None) };
        let mut numbers = Numbers(head.get(2..).unwrap_or_default());
        let Some(length) = numbers.take(2).filter(|length| *length >= 2) else { return Ok(None) };
        match marker {
            // Baseline, extended and progressive; not lossless, nor with arithmetic coding.
            0xc0..=0xc2 => {
                let (Some(8), Some(height), Some(width), Some(1 | 3)) =
                    (numbers.take(1), numbers.take(2), numbers.take(2), numbers.take(1))
                else {
                    return Ok(None);
                };
                let is_picture = width > 0 && height > 0 && width * height <= PIXELS_MAX;
                return Ok(is_picture.then_some(Inside {
                    at: start,
                    width: width as u32,
                    height: height as u32,
                }));
            }
            0xc4 | 0xdb | 0xdd | 0xe0..=0xef | 0xfe => at += 2 + length,
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Its bytes, and what follows them.
pub fn bytes(input: &mut Input<'_>, inside: Inside) -> io::Result<Vec<u8>> {
    input.read_at(inside.at, BYTES_MAX)
}

/// A JPEG picture, at most `edge` pixels wide and high, turned as an EXIF orientation says.
pub fn decode(bytes: &[u8], edge: u32, orientation: Option<u8>) -> Result<Pixels, DecodeError> {
    let fault = |error: image::ImageError| DecodeError::Damaged(format!("the picture in it: {error}"));
    let decoder = image::codecs::jpeg::JpegDecoder::new(Cursor::new(bytes)).map_err(fault)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(DecodeError::TooLarge("the picture in it is too large for a preview".to_owned()));
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(fault)?.into_rgba8();
    let small = Pixels::new(picture.width(), picture.height(), picture.into_raw())?.within(edge)?;
    small.turned(orientation.unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_several_is_found_and_turned() {
        let jpeg = |width: u32, height: u32, tone: u8| {
            let pixels = Pixels::new(width, height, [tone, 20, 20, 255].repeat((width * height) as usize));
            pixels.expect("pixels").jpeg(90).expect("a file")
        };
        let noise: Vec<u8> = (0..5000u32).map(|at| ((at * 7919) >> 3) as u8).collect();
        let file =
            [&noise[..], &jpeg(16, 8, 90), b"\xff\xd8\xff\xc3\0\0", &jpeg(64, 32, 200), &noise].concat();
        let mut source = Cursor::new(file);
        let mut input = Input::new(&mut source).expect("measured");
        let found = largest(&mut input).expect("read").expect("a picture");
        assert_eq!((found.width, found.height), (64, 32));
        let bytes = bytes(&mut input, found).expect("read");
        let turned = decode(&bytes, 32, Some(6)).expect("decoded");
        assert_eq!((turned.width, turned.height), (16, 32));
        assert!(turned.bytes[0] > 190, "{:?}", &turned.bytes[..4]);
    }
}
