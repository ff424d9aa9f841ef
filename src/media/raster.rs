//! Pictures of pixels: PNG, JPEG, GIF, WebP, TIFF, BMP, Targa, DDS, icons, Radiance HDR, OpenEXR.

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::{BufReader, Read, Seek};

use crate::media::colour::Profile;
use crate::media::decoder::{DecodeError, Decoder, Wanted};
use crate::media::embedded;
use crate::media::facts::{Facts, Picture, Timing, cut};
use crate::media::format::{self, Format};
use crate::media::frames;
use crate::media::input::{Input, Source};
use crate::media::pixels::{PIXELS_MAX, Pixels};

/// Most memory that a decoder of the library may take, in bytes.
const MEMORY_MAX: u64 = 1 << 30;

/// Pictures of pixels.
pub struct Raster;

impl Decoder for Raster {
    fn formats(&self) -> &'static [&'static Format] {
        &[
            &format::PNG,
            &format::JPEG,
            &format::GIF,
            &format::WEBP,
            &format::TIFF,
            &format::BMP,
            &format::TGA,
            &format::DDS,
            &format::ICO,
            &format::HDR,
            &format::EXR,
        ]
    }

    fn facts(
        &self,
        input: &mut Input<'_>,
        format: &'static Format,
        facts: &mut Facts,
    ) -> Result<(), DecodeError> {
        let mut decoder = open(input.rewound()?, format)?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let (mut width, mut height) = decoder.dimensions();
        if turned(orientation) {
            (width, height) = (height, width);
        }
        let colour = decoder.original_color_type();
        let (space, depth, alpha) = describe(colour);
        let profile = decoder.icc_profile().ok().flatten();
        let read = profile.as_deref().map(Profile::read);
        match &read {
            Some(None) => {
                facts.note("its colour profile cannot be read: its colours are taken for those of sRGB");
            }
            Some(Some(profile)) if profile.is_not_applied() => {
                facts.note("its colour profile is not one of light: its colours are only near");
            }
            _ => {}
        }
        facts.picture = Some(Picture {
            width: u64::from(width),
            height: u64::from(height),
            colour_space: Some(space.to_owned()),
            depth: Some(depth),
            alpha: Some(alpha),
            profile: read.flatten().and_then(|profile| profile.name).as_deref().map(cut),
            resolution: None,
            frames: None,
            orientation: (orientation != Orientation::NoTransforms).then(|| orientation.to_exif()),
        });
        drop(decoder);
        tell_more(input, format, facts)?;
        embedded::add(embedded::find(input, format)?, facts);
        Ok(())
    }

    fn picture(
        &self,
        input: &mut Input<'_>,
        format: &'static Format,
        wanted: Wanted,
    ) -> Result<Option<Pixels>, DecodeError> {
        if *format == format::JPEG
            && let Some(pixels) = scaled_jpeg(input, wanted.edge)
        {
            return Ok(Some(pixels));
        }
        let mut decoder = open(input.rewound()?, format)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > PIXELS_MAX {
            return Err(DecodeError::TooLarge(format!(
                "{width} x {height} pixels are too many for a preview"
            )));
        }
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let profile = decoder.icc_profile().ok().flatten();
        let pixels = DynamicImage::from_decoder(decoder).map_err(fault)?.into_rgba8();
        // Turning fewer pixels is cheaper, and a turn changes no pixel's value.
        let mut pixels =
            Pixels::new(pixels.width(), pixels.height(), pixels.into_raw())?.within(wanted.edge)?;
        if let Some(profile) = profile.as_deref().and_then(Profile::read) {
            profile.apply(&mut pixels.bytes);
        }
        pixels.turned(orientation.to_exif()).map(Some)
    }
}

/// Adds what the containers say beyond their first picture: frames, pages, inks.
fn tell_more(input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Result<(), DecodeError> {
    let moving = frames::of(input, format)?.unwrap_or_default();
    let is_ink = *format == format::JPEG && has_inks(input);
    let pages = if *format == format::TIFF { frames::pages(input)? } else { 1 };
    facts.pages = Some(pages).filter(|pages| *pages > 1);
    if let Some(picture) = &mut facts.picture {
        picture.frames = Some(moving.frames).filter(|frames| *frames > 1);
        picture.alpha = moving.transparent.or(picture.alpha);
        if is_ink {
            picture.colour_space = Some("CMYK".to_owned());
        }
    }
    if moving.frames > 1 && moving.seconds > 0.0 {
        let frame_rate = Some((moving.frames as f64 / moving.seconds * 1000.0).round() / 1000.0);
        facts.timing = Some(Timing { seconds: moving.seconds, frame_rate, ..Timing::default() });
    }
    Ok(())
}

/// Whether a JPEG picture is made of inks: the library decodes it to light and tells of that.
fn has_inks(input: &mut Input<'_>) -> bool {
    let Ok(source) = input.rewound() else { return false };
    let mut decoder = jpeg_decoder::Decoder::new(BufReader::new(Bytes(source)));
    let is_read = decoder.read_info().is_ok();
    is_read && decoder.info().is_some_and(|info| info.pixel_format == jpeg_decoder::PixelFormat::CMYK32)
}

/// A JPEG picture that is made small while it is decoded: an eighth of its size takes an eighth of the work
/// that is left after unpacking. `None` where that saves nothing, or where the library cannot do it; what is
/// damaged is told by the way that all pictures take.
fn scaled_jpeg(input: &mut Input<'_>, edge: u32) -> Option<Pixels> {
    let mut decoder = jpeg_decoder::Decoder::new(BufReader::new(Bytes(input.rewound().ok()?)));
    decoder.read_info().ok()?;
    let info = decoder.info()?;
    // A third more than is wanted, so that what is made smaller at last is still sharp.
    let wanted = u16::try_from(edge.saturating_mul(4) / 3).ok()?;
    let is_light =
        matches!(info.pixel_format, jpeg_decoder::PixelFormat::RGB24 | jpeg_decoder::PixelFormat::L8);
    if !is_light || info.width.max(info.height) / 2 < wanted {
        return None;
    }
    decoder.set_max_decoding_buffer_size(MEMORY_MAX as usize);
    // The library scales so that neither side is less than what is asked for.
    let (wide, high) = (f64::from(info.width), f64::from(info.height));
    let factor = f64::from(wanted) / wide.max(high);
    let side = |length: f64| ((length * factor).ceil() as u16).max(1);
    let (width, height) = decoder.scale(side(wide), side(high)).ok()?;
    let colours = decoder.decode().ok()?;
    let bytes: Vec<u8> = match info.pixel_format {
        jpeg_decoder::PixelFormat::RGB24 => {
            colours.chunks_exact(3).flat_map(|it| [it[0], it[1], it[2], 255]).collect()
        }
        jpeg_decoder::PixelFormat::L8 => colours.iter().flat_map(|it| [*it, *it, *it, 255]).collect(),
        _ => return None,
    };
    let mut pixels = Pixels::new(u32::from(width), u32::from(height), bytes).ok()?.within(edge).ok()?;
    if let Some(profile) = decoder.icc_profile().as_deref().and_then(Profile::read) {
        profile.apply(&mut pixels.bytes);
    }
    let turn = decoder.exif_data().and_then(Orientation::from_exif_chunk);
    pixels.turned(turn.unwrap_or(Orientation::NoTransforms).to_exif()).ok()
}

/// The library's name of a format.
fn library_format(format: &Format) -> Option<ImageFormat> {
    Some(match format.id {
        "png" => ImageFormat::Png,
        "jpeg" => ImageFormat::Jpeg,
        "gif" => ImageFormat::Gif,
        "webp" => ImageFormat::WebP,
        "tiff" => ImageFormat::Tiff,
        "bmp" => ImageFormat::Bmp,
        "tga" => ImageFormat::Tga,
        "dds" => ImageFormat::Dds,
        "ico" => ImageFormat::Ico,
        "hdr" => ImageFormat::Hdr,
        "exr" => ImageFormat::OpenExr,
        _ => return None,
    })
}

fn open<'i>(source: &'i mut dyn Source, format: &Format) -> Result<Box<dyn ImageDecoder + 'i>, DecodeError> {
    let library = library_format(format)
        .ok_or_else(|| DecodeError::Unsupported(format!("{} is not read as pixels", format.name)))?;
    let mut reader = ImageReader::with_format(BufReader::new(Bytes(source)), library);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY_MAX);
    reader.limits(limits);
    Ok(Box::new(reader.into_decoder().map_err(fault)?))
}

/// The library wants a type of known size.
struct Bytes<'i>(&'i mut dyn Source);

impl Read for Bytes<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(out)
    }
}

impl Seek for Bytes<'_> {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

fn fault(error: image::ImageError) -> DecodeError {
    match error {
        image::ImageError::Unsupported(error) => DecodeError::Unsupported(error.to_string()),
        image::ImageError::Limits(error) => DecodeError::TooLarge(error.to_string()),
        other => DecodeError::Damaged(other.to_string()),
    }
}

fn turned(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

fn describe(colour: image::ExtendedColorType) -> (&'static str, u32, bool) {
    use image::ExtendedColorType as Colour;
    let channels = u32::from(colour.channel_count()).max(1);
    let depth = u32::from(colour.bits_per_pixel()) / channels;
    match colour {
        Colour::A8 => ("gray", depth, true),
        Colour::L1 | Colour::L2 | Colour::L4 | Colour::L8 | Colour::L16 => ("gray", depth, false),
        Colour::La1 | Colour::La2 | Colour::La4 | Colour::La8 | Colour::La16 => ("gray", depth, true),
        Colour::Cmyk8 | Colour::Cmyk16 => ("CMYK", depth, false),
        _ => ("RGB", depth, channels == 4),
    }
}
