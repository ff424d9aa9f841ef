//! Pictures of pixels: PNG, JPEG, GIF, WebP, TIFF, BMP, Targa, DDS, icons, Radiance HDR, OpenEXR.

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::{BufReader, Read, Seek};

pub(super) mod container;
mod dds;
mod inks;
mod light;
mod scaled;
mod tiff;
mod webp;

use crate::media::colour::Profile;
use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::embedded;
use crate::media::facts::{Facts, Picture, Timing, cut};
use crate::media::format::{self, Format};
use crate::media::input::{Input, Source};
use crate::media::light::Light;
use crate::media::pixels::{PIXELS_MAX, Pixels};
use container::Container;
use scaled::scaled_jpeg;

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

    fn facts(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done {
        let own = container::read(input, format.id)?;
        let undecoded = match (pixels_say(input, format, facts), own.size) {
            (Ok(picture), _) => {
                facts.picture = Some(picture);
                false
            }
            // Of some forms the library makes nothing, and this program does.
            (Err(_), Some((width, height))) if is_read_otherwise(input, format) => {
                facts.picture = Some(Picture { width, height, ..Picture::default() });
                true
            }
            // What stands in the file beside its pixels can be read without them.
            (Err(error), Some((width, height))) => {
                facts.note(format!("no picture can be made of it: {error}"));
                facts.picture = Some(Picture { width, height, ..Picture::default() });
                true
            }
            (Err(error), None) => return Err(error),
        };
        embedded::add(embedded::find(input, format)?, facts);
        if undecoded {
            turn(facts);
        }
        take_in(&own, facts);
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, format: &'static Format, wanted: Wanted) -> Shown {
        if *format == format::JPEG
            && let Some(pixels) = scaled_jpeg(input, wanted.edge)
        {
            return Ok(Some(pixels));
        }
        if matches!(format.id, "tiff" | "dds")
            && open(input.rewound()?, format).is_err()
            && let Some(pixels) = otherwise(input, format)?
        {
            return pixels.within(wanted.edge).map(Some);
        }
        if let Some(pixels) = inks::picture(input, format, wanted.edge)? {
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
        let faster = if *format == format::WEBP {
            drop(decoder);
            let pixels = webp::picture(input, (width, height), wanted.edge)?;
            decoder = open(input.rewound()?, format)?;
            pixels
        } else {
            None
        };
        let pixels = match faster {
            Some(pixels) => pixels,
            None => {
                let image = DynamicImage::from_decoder(decoder).map_err(fault)?;
                match light::developed(image, format) {
                    Ok(pixels) => {
                        return pixels?.within(wanted.edge)?.turned(orientation.to_exif()).map(Some);
                    }
                    Err(image) => Pixels::new(image.width(), image.height(), image.into_rgba8().into_raw())?,
                }
            }
        };
        // Turning fewer pixels is cheaper, and a turn changes no pixel's value.
        let mut pixels = pixels.within(wanted.edge)?;
        if let Some(profile) = profile.as_deref().and_then(Profile::read) {
            profile.apply(&mut pixels.bytes);
        }
        pixels.turned(orientation.to_exif()).map(Some)
    }

    fn light(
        &self,
        input: &mut Input<'_>,
        format: &'static Format,
        wanted: Wanted,
    ) -> Result<Option<Light>, DecodeError> {
        light::light(input, format, wanted.edge)
    }
}

/// Whether a picture of a form that the library does not take is read here.
fn is_read_otherwise(input: &mut Input<'_>, format: &Format) -> bool {
    match format.id {
        "tiff" => tiff::is_read(input),
        "dds" => dds::is_read(input),
        _ => false,
    }
}

/// A picture of a form that the library does not take; `None` when nothing here reads it either.
fn otherwise(input: &mut Input<'_>, format: &Format) -> Result<Option<Pixels>, DecodeError> {
    match format.id {
        "tiff" => tiff::picture(input),
        "dds" => dds::picture(input),
        _ => Ok(None),
    }
}

/// What the decoder of the pixels says of a picture.
fn pixels_say(
    input: &mut Input<'_>,
    format: &'static Format,
    facts: &mut Facts,
) -> Result<Picture, DecodeError> {
    let mut decoder = open(input.rewound()?, format)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (mut width, mut height) = decoder.dimensions();
    if turned(orientation) {
        (width, height) = (height, width);
    }
    let (space, depth, alpha) = describe(decoder.original_color_type());
    let profile = decoder.icc_profile().ok().flatten();
    let read = profile.as_deref().map(Profile::read);
    match &read {
        Some(None) => {
            facts.note("its colour profile cannot be read: its colours are taken for those of sRGB");
        }
        Some(Some(found))
            if found.is_not_applied()
                && !inks::are_managed(format, depth, profile.as_deref().unwrap_or_default()) =>
        {
            facts.note("its colour profile is not one of light: its colours are only near");
        }
        _ => {}
    }
    Ok(Picture {
        width: u64::from(width),
        height: u64::from(height),
        colour_space: Some(space.to_owned()),
        depth: Some(depth),
        alpha: Some(alpha),
        profile: read.flatten().and_then(|profile| profile.name).as_deref().map(cut),
        resolution: None,
        frames: None,
        orientation: (orientation != Orientation::NoTransforms).then(|| orientation.to_exif()),
    })
}

/// Turns the size of a picture that was not decoded as its EXIF field says.
fn turn(facts: &mut Facts) {
    let stored = facts.embedded.iter().find(|field| field.group == "exif" && field.name == "Orientation");
    let number = stored.and_then(|field| field.number).map(|number| number as u8);
    if let (Some(picture), Some(number)) = (&mut facts.picture, number.filter(|it| (2..=8).contains(it))) {
        picture.orientation = Some(number);
        if number > 4 {
            (picture.width, picture.height) = (picture.height, picture.width);
        }
    }
}

/// Takes in what the container says, which holds against what the decoder makes of the pixels.
fn take_in(own: &Container, facts: &mut Facts) {
    let Some(picture) = &mut facts.picture else { return };
    picture.colour_space = own.colour.map(str::to_owned).or(picture.colour_space.take());
    picture.depth = own.depth.or(picture.depth);
    picture.alpha = own.alpha.or(picture.alpha);
    picture.frames = own.frames;
    facts.pages = own.pages;
    if let Some(seconds) = own.seconds {
        let frame_rate = own.frames.map(|frames| frames as f64 / seconds);
        facts.timing = Some(Timing { seconds, frame_rate, ..Timing::default() });
    }
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
    if *format == format::TIFF {
        let mut input = Input::new(source)?;
        tiff::refuse_unsound(&mut input)?;
        input.rewound()?;
    }
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
