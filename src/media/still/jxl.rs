//! JPEG XL pictures (ISO/IEC 18181), by `jxl`: facts and pixels, in the closed process.
//!
//! Of a picture that the library refuses the size is told still, out of the field that its codestream begins with
//! ("SizeHeader").

use std::io::{self, BufReader};

use jxl::api::{
    AlphaMode, Event, ExtraChannel, JxlColorProfile, JxlDecoder, JxlDecoderOptions, JxlOutputBuffer,
    JxlPixelFormat, Orientation, ProfileLevel,
};

use crate::media::boxes::parts;
use crate::media::colour::Profile;
use crate::media::decoder::DecodeError;
use crate::media::facts::{Facts, Picture, cut};
use crate::media::input::{Input, Source};
use crate::media::pixels::{PIXELS_MAX, Pixels};

/// Most numbers - pixels by channels - of a picture that is looked at.
const SAMPLES_MAX: usize = PIXELS_MAX as usize * 4;
/// How many times the numbers of the whole picture a frame of it may have, beyond some that each may have.
const FRAMES_MORE: usize = 4;
const FRAMES_LEAST: usize = 1 << 18;

/// Adds size, depth, colours and opacity.
pub(super) fn facts(input: &mut Input<'_>, facts: &mut Facts) -> io::Result<()> {
    match described(input) {
        Ok((picture, note)) => {
            facts.picture = Some(picture);
            note.into_iter().for_each(|note| facts.note(note));
        }
        Err(DecodeError::Io(error)) => return Err(error),
        // What stands in the file beside its pixels can be read without them.
        Err(error) => {
            facts.note(format!("no picture can be made of it: {error}"));
            facts.picture = codestream(input)?
                .and_then(|bytes| size(&bytes))
                .map(|(width, height)| Picture { width, height, ..Picture::default() });
        }
    }
    Ok(())
}

fn described(input: &mut Input<'_>) -> Result<(Picture, Option<&'static str>), DecodeError> {
    let (decoder, _) = open(input, SAMPLES_MAX)?;
    let (Some(info), Some(colours)) = (decoder.basic_info(), decoder.embedded_color_profile()) else {
        return Err(cut_off());
    };
    let space = match colours {
        _ if colours.is_cmyk() => "CMYK",
        _ if colours.channels() == 1 => "gray",
        _ => "RGB",
    };
    let profile = match colours {
        JxlColorProfile::Icc(profile) => Some(Profile::read(profile)),
        JxlColorProfile::Simple(_) => None,
    };
    let note = match &profile {
        Some(None) => Some("its colour profile cannot be read: its colours are taken for those of sRGB"),
        Some(Some(found)) if found.is_not_applied() => {
            Some("its colour profile is not one of light: its colours are only near")
        }
        _ => None,
    };
    let orientation = info.orientation as u8;
    let picture = Picture {
        width: info.size.0 as u64,
        height: info.size.1 as u64,
        colour_space: Some(space.to_owned()),
        depth: Some(info.bit_depth.bits_per_sample()),
        alpha: Some(info.extra_channels.iter().any(|channel| channel.ec_type == ExtraChannel::Alpha)),
        profile: profile.flatten().and_then(|profile| profile.name).as_deref().map(cut),
        orientation: (info.orientation != Orientation::Identity).then_some(orientation),
        ..Picture::default()
    };
    Ok((picture, note))
}

/// The picture, or the first of several, turned as it is shown, in the colours of sRGB.
pub(super) fn picture(input: &mut Input<'_>, edge: u32) -> Result<Pixels, DecodeError> {
    let ((width, height), others) = {
        let (decoder, _) = open(input, SAMPLES_MAX)?;
        let info = decoder.basic_info().ok_or_else(cut_off)?;
        (info.size, info.extra_channels.len())
    };
    let count = (width as u64).saturating_mul(height as u64);
    if count == 0 || count > PIXELS_MAX {
        return Err(DecodeError::TooLarge(format!("{width} x {height} pixels are too many for a preview")));
    }
    // What a picture is put together from may be larger than itself, but not by much.
    let samples = (count as usize).saturating_mul(others + 3).saturating_mul(FRAMES_MORE) + FRAMES_LEAST;
    let (mut decoder, mut bytes) = open(input, samples.min(SAMPLES_MAX))?;
    decoder.set_pixel_format(JxlPixelFormat::rgba8(others)).map_err(fault)?;
    let profile = decoder.output_color_profile().and_then(|profile| Profile::read(&profile.try_as_icc()?));
    // Room is taken when there is a frame to put there.
    while decoder.frame_header().is_none() {
        match decoder.process(&mut bytes, None, None).map_err(fault)? {
            Event::FrameHeader => break,
            Event::NeedMoreInput { .. } | Event::Complete => return Err(cut_off()),
            Event::BasicInfo | Event::FrameComplete { .. } => {}
        }
    }
    let mut pixels = vec![0; count as usize * 4];
    loop {
        let mut whole = [JxlOutputBuffer::new(&mut pixels, height, width * 4)];
        match decoder.process(&mut bytes, Some(&mut whole), None).map_err(fault)? {
            Event::FrameComplete { .. } => break,
            Event::NeedMoreInput { .. } | Event::Complete => return Err(cut_off()),
            Event::BasicInfo | Event::FrameHeader => {}
        }
    }
    let mut pixels = Pixels::new(width as u32, height as u32, pixels)?.within(edge)?;
    if let Some(profile) = profile {
        profile.apply(&mut pixels.bytes);
    }
    Ok(pixels)
}

type Bytes<'i> = BufReader<&'i mut dyn Source>;

/// A decoder that knows what is said of the picture as a whole.
fn open<'i>(input: &'i mut Input<'_>, samples: usize) -> Result<(JxlDecoder, Bytes<'i>), DecodeError> {
    let mut options = JxlDecoderOptions::default();
    options.max_profile_level = ProfileLevel::Main10;
    options.alpha_mode = AlphaMode::Unpremultiplied;
    options.sample_limit = Some(samples);
    let mut decoder = JxlDecoder::new(options);
    let mut bytes = BufReader::new(input.rewound()?);
    match decoder.process(&mut bytes, None, None).map_err(fault)? {
        Event::BasicInfo => Ok((decoder, bytes)),
        _ => Err(cut_off()),
    }
}

fn cut_off() -> DecodeError {
    DecodeError::Damaged("the file is cut off".to_owned())
}

fn fault(error: jxl::error::Error) -> DecodeError {
    match error {
        jxl::error::Error::IOError(error) => DecodeError::Io(error),
        other => DecodeError::Damaged(other.to_string()),
    }
}

/// The beginning of the codestream of a JPEG XL picture: of the file, or of the box that has it.
fn codestream(input: &mut Input<'_>) -> io::Result<Option<Vec<u8>>> {
    let head = input.read_at(0, 64)?;
    if head.starts_with(b"\xff\x0a") {
        return Ok(Some(head));
    }
    let end = input.len();
    for part in parts(input, 0..end)? {
        match &part.kind {
            b"jxlc" => return input.read_at(part.body.start, 64).map(Some),
            // The number of the piece comes first.
            b"jxlp" => return input.read_at(part.body.start + 4, 64).map(Some),
            _ => {}
        }
    }
    Ok(None)
}

/// Pixels across and down; `None` when this is no codestream.
fn size(codestream: &[u8]) -> Option<(u64, u64)> {
    let mut bits = Bits { bytes: codestream.strip_prefix(b"\xff\x0a")?, at: 0 };
    let is_small = bits.take(1)? == 1;
    let side = |bits: &mut Bits<'_>| -> Option<u64> {
        if is_small {
            return Some((bits.take(5)? + 1) * 8);
        }
        let width = [9, 13, 18, 30][bits.take(2)? as usize];
        Some(bits.take(width)? + 1)
    };
    let height = side(&mut bits)?;
    let width = match bits.take(3)? {
        0 => side(&mut bits)?,
        1 => height,
        2 => height * 12 / 10,
        3 => height * 4 / 3,
        4 => height * 3 / 2,
        5 => height * 16 / 9,
        6 => height * 5 / 4,
        _ => height * 2,
    };
    Some((width, height))
}

/// Bits, the least of each byte first.
struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u64> {
        let mut number = 0;
        for bit in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            number |= u64::from((byte >> (self.at % 8)) & 1) << bit;
            self.at += 1;
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_their_forms() {
        // Small: 8 times (2 + 1) down, as wide as high.
        assert_eq!(size(b"\xff\x0a\x45\x00"), Some((24, 24)));
        // Large: 300 - 1 in nine bits, then 2 to 1.
        let bits: u32 = (299 << 3) | (7 << 12);
        assert_eq!(size(&[&b"\xff\x0a"[..], &bits.to_le_bytes()].concat()), Some((600, 300)));
        assert_eq!(size(b"\xff\xd8\xff"), None);
        assert_eq!(size(b"\xff\x0a"), None);
    }
}
