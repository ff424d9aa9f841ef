//! TIFF pictures of forms that the library of pictures does not take: palettes, L*a*b*, and grey in floating point.
//!
//! They are unpacked as what the library of TIFF files takes them for once another kind of colour stands in
//! their directory - numbers of a palette as grey, L*a*b* as red, green and blue - and then are what they are.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use ::tiff::decoder::{Decoder, DecodingResult, Limits};
use ::tiff::tags::Tag;
use ::tiff::{ColorType, TiffError};

use super::inks::Inked;
use super::{Bytes, MEMORY_MAX, light};
use crate::media::colour::{Profile, lab};
use crate::media::decoder::DecodeError;
use crate::media::input::{Input, Source};
use crate::media::pixels::{PIXELS_MAX, Pixels};

/// The tag that says what the colours are, and what it says (TIFF 6.0, section 8, `PhotometricInterpretation`).
const COLOURS: u16 = 262;
const GREY: u16 = 1;
const RGB: u16 = 2;
const PALETTE: u16 = 3;
const SEPARATED: u16 = 5;
const CIE_LAB: u16 = 8;
/// Most entries of a directory that are looked at.
const ENTRIES_MAX: u64 = 4096;

/// Where the file says what its colours are, in which order of bytes, and what.
struct Colours {
    at: u64,
    is_big: bool,
    kind: u16,
}

/// A picture of the first page; `None` when it is none of these forms, or is not to be read.
pub(super) fn picture(input: &mut Input<'_>) -> Result<Option<Pixels>, DecodeError> {
    let Some(colours) = colours(input)? else { return Ok(None) };
    let turn =
        opened(input, &colours, GREY).ok().and_then(|mut file| file.get_tag_u32(Tag::Orientation).ok());
    let turn = turn.and_then(|turn| u8::try_from(turn).ok()).unwrap_or(1);
    let pixels = match colours.kind {
        PALETTE => Some(palette(input, &colours)?),
        CIE_LAB => Some(of_lab(input, &colours)?),
        GREY => grey(input)?,
        _ => None,
    };
    pixels.map(|pixels| pixels.turned(turn)).transpose()
}

/// Whether a picture can be made of the first page, as far as its directory says so.
pub(super) fn is_read(input: &mut Input<'_>) -> bool {
    let Ok(Some(colours)) = colours(input) else { return false };
    match colours.kind {
        PALETTE => opened(input, &colours, GREY).is_ok_and(|mut file| {
            matches!(file.colortype(), Ok(ColorType::Gray(1 | 2 | 4 | 8)))
                && file.get_tag_u16_vec(Tag::ColorMap).is_ok()
        }),
        CIE_LAB => opened(input, &colours, RGB).is_ok_and(|mut file| {
            matches!(file.colortype(), Ok(ColorType::RGB(8 | 16) | ColorType::RGBA(8 | 16)))
        }),
        GREY => opened(input, &colours, GREY)
            .is_ok_and(|mut file| matches!(file.colortype(), Ok(ColorType::Gray(16 | 32 | 64)))),
        _ => false,
    }
}

/// The first directory of a file.
struct Directory {
    /// Where its entries begin.
    first: u64,
    /// How long each is.
    length: usize,
    /// Where in one its value stands, behind how many there are.
    value: usize,
    is_big: bool,
    entries: Vec<u8>,
}

impl Directory {
    /// The number of an entry between two places.
    fn number(&self, entry: &[u8], from: usize, to: usize) -> u64 {
        number(entry.get(from..to).unwrap_or_default(), self.is_big)
    }
}

fn number(bytes: &[u8], is_big: bool) -> u64 {
    let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    if is_big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) }
}

/// Reads it, of both sizes of TIFF files.
fn directory(input: &mut Input<'_>) -> io::Result<Option<Directory>> {
    let head = input.read_at(0, 16)?;
    let is_big = match head.get(..2) {
        Some(b"II") => false,
        Some(b"MM") => true,
        _ => return Ok(None),
    };
    let field = |bytes: &[u8], from: usize, to: usize| bytes.get(from..to).map(|it| number(it, is_big));
    // The larger form has longer numbers everywhere.
    let (start, count_length, length, value) = match field(&head, 2, 4) {
        Some(42) => (field(&head, 4, 8), 2, 12, 8),
        Some(43) => (field(&head, 8, 16), 8, 20, 12),
        _ => return Ok(None),
    };
    let Some(start) = start else { return Ok(None) };
    let count = input.read_at(start, count_length)?;
    let count = field(&count, 0, count_length).unwrap_or(0).min(ENTRIES_MAX);
    let first = start.saturating_add(count_length as u64);
    let entries = input.read_at(first, count as usize * length)?;
    Ok(Some(Directory { first, length, value, is_big, entries }))
}

/// Whether no field of the first directory claims to have more values than the file has bytes. The library makes
/// room for what one claims (up to 256 MiB) before a limit can be set.
fn is_sound(input: &mut Input<'_>) -> io::Result<bool> {
    let Some(directory) = directory(input)? else { return Ok(true) };
    let mut entries = directory.entries.chunks_exact(directory.length);
    Ok(entries.all(|entry| directory.number(entry, 4, directory.value) <= input.len()))
}

/// Refuses a file with such a field.
pub(super) fn refuse_unsound(input: &mut Input<'_>) -> Result<(), DecodeError> {
    if is_sound(input)? {
        return Ok(());
    }
    Err(DecodeError::Damaged("a field of it claims to be longer than the file".to_owned()))
}

/// Finds the tag in the first directory.
fn colours(input: &mut Input<'_>) -> io::Result<Option<Colours>> {
    let Some(directory) = directory(input)? else { return Ok(None) };
    let Directory { first, length, value, is_big, .. } = directory;
    let mut entries = directory.entries.chunks_exact(length);
    let place = entries.position(|entry| directory.number(entry, 0, 2) == u64::from(COLOURS));
    Ok(place.map(|place| {
        let entry = &directory.entries[place * length..];
        let kind = directory.number(entry, value, value + 2) as u16;
        Colours { at: first + (place * length + value) as u64, is_big, kind }
    }))
}

/// The file with another kind of colour in its directory.
struct Recoloured<'i> {
    source: Bytes<'i>,
    at: u64,
    bytes: [u8; 2],
    position: u64,
}

impl Read for Recoloured<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(out)?;
        for (offset, byte) in self.bytes.iter().enumerate() {
            let place = (self.at + offset as u64).checked_sub(self.position);
            if let Some(place) = place.filter(|place| *place < read as u64) {
                out[place as usize] = *byte;
            }
        }
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Recoloured<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.source.seek(to)?;
        Ok(self.position)
    }
}

type File<'i> = Decoder<BufReader<Recoloured<'i>>>;

fn opened<'i>(input: &'i mut Input<'_>, colours: &Colours, kind: u16) -> Result<File<'i>, DecodeError> {
    refuse_unsound(input)?;
    let source: &mut dyn Source = input.rewound()?;
    let bytes = if colours.is_big { kind.to_be_bytes() } else { kind.to_le_bytes() };
    let source = Recoloured { source: Bytes(source), at: colours.at, bytes, position: 0 };
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MEMORY_MAX as usize;
    limits.intermediate_buffer_size = MEMORY_MAX as usize;
    let mut file = Decoder::new(BufReader::new(source)).map_err(fault)?.with_limits(limits);
    let (width, height) = file.dimensions().map_err(fault)?;
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(DecodeError::TooLarge(format!("{width} x {height} pixels are too many for a preview")));
    }
    Ok(file)
}

fn fault(error: TiffError) -> DecodeError {
    match error {
        TiffError::UnsupportedError(error) => DecodeError::Unsupported(error.to_string()),
        TiffError::LimitsExceeded => DecodeError::TooLarge("it takes too much memory".to_owned()),
        other => DecodeError::Damaged(other.to_string()),
    }
}

fn unread(what: &str) -> DecodeError {
    DecodeError::Unsupported(format!("{what} of this form are not read"))
}

fn palette(input: &mut Input<'_>, colours: &Colours) -> Result<Pixels, DecodeError> {
    let mut file = opened(input, colours, GREY)?;
    let (width, height) = file.dimensions().map_err(fault)?;
    let Ok(ColorType::Gray(bits @ (1 | 2 | 4 | 8))) = file.colortype() else {
        return Err(unread("palettes"));
    };
    let map = file.get_tag_u16_vec(Tag::ColorMap).map_err(fault)?;
    let profile = file.get_tag_u8_vec(Tag::IccProfile).ok();
    let DecodingResult::U8(packed) = file.read_image().map_err(fault)? else {
        return Err(unread("palettes"));
    };
    let each = map.len() / 3;
    // Some programs wrote bytes where two are asked for.
    let is_short = map.iter().all(|value| *value < 256);
    let level = |plane: usize, number: usize| {
        let value = map.get(plane * each + number).copied().filter(|_| number < each).unwrap_or(0);
        if is_short { value as u8 } else { (value >> 8) as u8 }
    };
    let row = (width as usize * usize::from(bits)).div_ceil(8);
    let mut bytes = Vec::with_capacity(width as usize * height as usize * 4);
    for line in packed.chunks_exact(row.max(1)).take(height as usize) {
        for x in 0..width as usize {
            let bit = x * usize::from(bits);
            let shift = 8 - usize::from(bits) - bit % 8;
            let number = usize::from(line[bit / 8] >> shift) & ((1 << bits) - 1);
            bytes.extend([level(0, number), level(1, number), level(2, number), 255]);
        }
    }
    if let Some(profile) = profile.as_deref().and_then(Profile::read) {
        profile.apply(&mut bytes);
    }
    Pixels::new(width, height, bytes)
}

/// L*a*b* of the TIFF specification (section 23): lightness without a sign, both colours with one.
fn of_lab(input: &mut Input<'_>, colours: &Colours) -> Result<Pixels, DecodeError> {
    let mut file = opened(input, colours, RGB)?;
    let (width, height) = file.dimensions().map_err(fault)?;
    let channels = match file.colortype() {
        Ok(ColorType::RGB(_)) => 3,
        Ok(ColorType::RGBA(_)) => 4,
        _ => return Err(unread("pictures in L*a*b*")),
    };
    let levels: Vec<u8> = match file.read_image().map_err(fault)? {
        DecodingResult::U8(levels) => levels,
        DecodingResult::U16(levels) => levels.into_iter().map(|level| (level >> 8) as u8).collect(),
        _ => return Err(unread("pictures in L*a*b*")),
    };
    let pixel = |pixel: &[u8]| {
        let [red, green, blue] = lab([pixel[0], pixel[1] ^ 0x80, pixel[2] ^ 0x80]);
        [red, green, blue, pixel.get(3).copied().unwrap_or(255)]
    };
    Pixels::new(width, height, levels.chunks_exact(channels).flat_map(pixel).collect())
}

/// Grey in floating point: light, of which 1 is white. Where it goes far beyond, its greatest value is.
fn grey(input: &mut Input<'_>) -> Result<Option<Pixels>, DecodeError> {
    let Some((width, height, values)) = grey_values(input)? else { return Ok(None) };
    let greatest = values.iter().copied().filter(|value| value.is_finite()).fold(0.0f32, f32::max);
    let level = |value: f32| {
        if greatest > light::WHITE_MAX {
            (value / greatest * 255.0).round() as u8
        } else {
            light::level(value)
        }
    };
    let pixel = |value: &f32| {
        let level = level(*value);
        [level, level, level, 255]
    };
    Pixels::new(width, height, values.iter().flat_map(pixel).collect()).map(Some)
}

/// The inks of a picture of 8 bits with a profile; `None` when it is another one.
pub(super) fn inks(input: &mut Input<'_>) -> Result<Option<Inked>, DecodeError> {
    let Some(colours) = colours(input)?.filter(|colours| colours.kind == SEPARATED) else { return Ok(None) };
    let mut file = opened(input, &colours, SEPARATED)?;
    let (width, height) = file.dimensions().map_err(fault)?;
    let profile = file.get_tag_u8_vec(Tag::IccProfile).ok();
    let (Ok(ColorType::CMYK(8)), Some(profile)) = (file.colortype(), profile) else { return Ok(None) };
    let orientation = file.get_tag_u32(Tag::Orientation).ok().and_then(|turn| u8::try_from(turn).ok());
    let DecodingResult::U8(levels) = file.read_image().map_err(fault)? else { return Ok(None) };
    Ok(Some(Inked { width, height, levels, profile, orientation: orientation.unwrap_or(1) }))
}

/// The values of a grey picture in floating point, row by row, with its size; `None` when it is another one.
pub(super) fn grey_values(input: &mut Input<'_>) -> Result<Option<(u32, u32, Vec<f32>)>, DecodeError> {
    let Some(colours) = colours(input)?.filter(|colours| colours.kind == GREY) else { return Ok(None) };
    let mut file = opened(input, &colours, GREY)?;
    let (width, height) = file.dimensions().map_err(fault)?;
    if !matches!(file.colortype(), Ok(ColorType::Gray(16 | 32 | 64))) {
        return Ok(None);
    }
    let values = match file.read_image().map_err(fault)? {
        DecodingResult::F16(values) => values.into_iter().map(f32::from).collect(),
        DecodingResult::F32(values) => values,
        DecodingResult::F64(values) => values.into_iter().map(|value| value as f32).collect(),
        _ => return Ok(None),
    };
    Ok(Some((width, height, values)))
}
