//! Documents that are ZIP files: Krita, OpenRaster, Sketch, Figma, Office, OpenDocument, EPUB, and plain
//! archives.
//!
//! Names of members are only looked up and never become paths; what a member may be, unpacked, is bounded
//! before it is read.

mod krita;
mod office;
mod openraster;

use image::ImageFormat;
use roxmltree::{Document, ParsingOptions};
use std::collections::HashSet;
use std::io::{self, Read as _};
use std::ops::Range;
use zip::{CompressionMethod, ZipArchive};

use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::facts::{Contained, Facts, LIST_MAX, Picture, cut};
use crate::media::format::{self, Family, Format};
use crate::media::input::{Input, Source};
use crate::media::pixels::{PIXELS_MAX, Pixels};
use crate::media::usd;
use crate::media::writing::{Hand, first_page};

/// Most members of one file.
const MEMBERS_MAX: usize = 200_000;
/// Longest member that is read, in bytes.
const MEMBER_MAX: u64 = 256 << 20;
/// Longest member of markup, in bytes.
const MARKUP_MAX: u64 = 64 << 20;
/// Most elements of one member of markup.
const NODES_MAX: u32 = 2_000_000;

/// Documents that are ZIP files.
pub struct Packages;

impl Decoder for Packages {
    fn formats(&self) -> &'static [&'static Format] {
        &[
            &format::KRA,
            &format::ORA,
            &format::SKETCH,
            &format::FIG,
            &format::DOCX,
            &format::XLSX,
            &format::PPTX,
            &format::ODF,
            &format::EPUB,
            &format::ZIP,
            &format::USDZ,
        ]
    }

    fn draws(&self, format: &'static Format) -> bool {
        ![&format::ZIP, &format::USDZ].contains(&format)
    }

    fn facts(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done {
        if *format == format::FIG && !is_zip(input)? {
            facts.note("this form of the document is not read");
            return Ok(());
        }
        if *format == format::USDZ {
            return scene(input, facts);
        }
        let mut package = Package::open(input)?;
        match format.id {
            "kra" => krita::facts(&mut package, facts),
            "ora" => openraster::facts(&mut package, facts),
            "zip" => {
                facts.contains = package.contents();
                Ok(())
            }
            _ => office::facts(&mut package, format, facts),
        }
    }

    fn picture(&self, input: &mut Input<'_>, format: &'static Format, wanted: Wanted) -> Shown {
        if !self.draws(format) || (*format == format::FIG && !is_zip(input)?) {
            return Ok(None);
        }
        let mut package = Package::open(input)?;
        let names: &[&str] = match format.id {
            // The whole first, then what programs keep for lists of files.
            "kra" => &["mergedimage.png", "preview.png"],
            "ora" => &["mergedimage.png", "Thumbnails/thumbnail.png"],
            "sketch" => &["previews/preview.png"],
            "fig" => &["thumbnail.png"],
            "odf" => &["Thumbnails/thumbnail.png"],
            "epub" => &[],
            _ => &["docProps/thumbnail.jpeg", "docProps/thumbnail.png", "docProps/thumbnail.jpg"],
        };
        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        if *format == format::EPUB {
            names.extend(office::cover(&mut package));
        }
        for name in names {
            if let Some(bytes) = package.member(&name, MEMBER_MAX)? {
                return picture(&bytes)?.within(wanted.edge).map(Some);
            }
        }
        // Without a picture of it, its words stand for it.
        if format.family == Family::Document {
            let mut facts = Facts::default();
            office::facts(&mut package, format, &mut facts)?;
            if let Some(page) =
                first_page(facts.text.as_deref().unwrap_or_default(), Hand::Even, wanted.edge)?
            {
                return Ok(Some(page));
            }
        }
        Err(DecodeError::without_picture())
    }

    fn compares(&self, format: &'static Format) -> Option<&'static str> {
        match format.family {
            _ if [&format::KRA, &format::ORA].contains(&format) => Some("layers"),
            Family::Document => Some("text"),
            Family::Mesh => Some("contents"),
            _ => None,
        }
    }

    fn prints(&self, input: &mut Input<'_>, format: &'static Format, facts: &mut Facts) -> Done {
        match format.id {
            "kra" => krita::prints(&mut Package::open(input)?, facts),
            "ora" => openraster::prints(&mut Package::open(input)?, facts),
            _ => Ok(()),
        }
    }

    fn layer(&self, input: &mut Input<'_>, format: &'static Format, layer: usize, wanted: Wanted) -> Shown {
        let drawn = match format.id {
            "kra" => krita::layer(&mut Package::open(input)?, layer)?,
            "ora" => openraster::layer(&mut Package::open(input)?, layer)?,
            _ => None,
        };
        drawn.map(|pixels| pixels.within(wanted.edge)).transpose()
    }
}

/// What a scene that is packed for delivery holds: its first member is its root.
fn scene(input: &mut Input<'_>, facts: &mut Facts) -> Result<(), DecodeError> {
    let mut package = Package::open(input)?;
    facts.contains = package.contents();
    let root = facts.contains.first().map(|root| root.name.clone()).unwrap_or_default();
    let told = match package.place(&root)? {
        Some(Place::Here(part)) => usd::tell(input, part, facts),
        Some(Place::Packed) => package.member(&root, MARKUP_MAX).and_then(|bytes| {
            let bytes = bytes.unwrap_or_default();
            let whole = 0..bytes.len() as u64;
            usd::tell(&mut Input::new(&mut io::Cursor::new(bytes))?, whole, facts)
        }),
        None => {
            facts.note("there is no scene in it");
            Ok(())
        }
    };
    match told {
        Ok(()) => {}
        Err(DecodeError::Io(error)) => return Err(error.into()),
        // What it holds is known all the same.
        Err(error) => facts.note(format!("its scene cannot be read: {error}")),
    }
    // What it names is in it.
    let contains: HashSet<&str> = facts.contains.iter().map(|file| file.name.as_str()).collect();
    facts.needs.retain(|name| !contains.contains(name.trim_start_matches("./")));
    Ok(())
}

fn is_zip(input: &mut Input<'_>) -> Result<bool, DecodeError> {
    Ok(input.read_at(0, 4)? == b"PK\x03\x04")
}

/// Where a member of a ZIP file lies.
enum Place {
    /// As it is, in this part of the file.
    Here(Range<u64>),
    /// Packed.
    Packed,
}

/// An open ZIP file.
struct Package<'i> {
    archive: ZipArchive<&'i mut dyn Source>,
}

impl<'i> Package<'i> {
    fn open(input: &'i mut Input<'_>) -> Result<Self, DecodeError> {
        let archive = ZipArchive::new(input.rewound()?).map_err(damaged)?;
        if archive.len() > MEMBERS_MAX {
            return Err(DecodeError::TooLarge("it holds more files than a document does".to_owned()));
        }
        Ok(Self { archive })
    }

    /// The bytes of a member of that name; `None` when there is none.
    fn member(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, DecodeError> {
        let member = match self.archive.by_name(name) {
            Ok(member) => member,
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(damaged(error)),
        };
        let mut bytes = Vec::new();
        member.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(DecodeError::TooLarge(format!("{} in it is too long", cut(name))));
        }
        Ok(Some(bytes))
    }

    /// Where a member of that name lies; `None` when there is none.
    fn place(&mut self, name: &str) -> Result<Option<Place>, DecodeError> {
        let member = match self.archive.by_name(name) {
            Ok(member) => member,
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(damaged(error)),
        };
        let start = member.data_start().filter(|_| member.compression() == CompressionMethod::Stored);
        Ok(Some(start.map_or(Place::Packed, |start| Place::Here(start..start.saturating_add(member.size())))))
    }

    /// The text of a member of markup.
    fn markup(&mut self, name: &str) -> Result<Option<String>, DecodeError> {
        let bytes = self.member(name, MARKUP_MAX)?;
        Ok(bytes.map(|bytes| encoding_rs::UTF_8.decode(&bytes).0.into_owned()))
    }

    /// Names of all members that a condition holds for.
    fn names(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut names: Vec<String> =
            self.archive.file_names().filter(|name| wanted(name)).map(str::to_owned).collect();
        names.sort_by_key(|name| (name.len(), name.clone()));
        names
    }

    fn contents(&mut self) -> Vec<Contained> {
        let count = self.archive.len().min(LIST_MAX);
        let member = |at| {
            let member = self.archive.by_index_raw(at).ok()?;
            (!member.is_dir()).then(|| Contained { name: cut(member.name()), size: member.size() })
        };
        (0..count).filter_map(member).collect()
    }
}

fn damaged(error: zip::result::ZipError) -> DecodeError {
    DecodeError::Damaged(error.to_string())
}

/// Markup as a tree; a document type may stand before it, and its entities may not grow.
fn parse(text: &str) -> Result<Document<'_>, DecodeError> {
    let options = ParsingOptions { allow_dtd: true, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| DecodeError::Damaged(error.to_string()))
}

/// A picture that a document holds, PNG or JPEG.
fn picture(bytes: &[u8]) -> Result<Pixels, DecodeError> {
    let Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) = image::guess_format(bytes) else {
        return Err(DecodeError::Unsupported("the picture in it is of a form that is not read".to_owned()));
    };
    let fault = |error: image::ImageError| DecodeError::Damaged(error.to_string());
    let mut reader = image::ImageReader::with_format(std::io::Cursor::new(bytes), format);
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(1 << 30);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(fault)?;
    let (width, height) = image::ImageDecoder::dimensions(&decoder);
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(DecodeError::TooLarge("the picture in it is too large".to_owned()));
    }
    let read = image::DynamicImage::from_decoder(decoder).map_err(fault)?.into_rgba8();
    Pixels::new(read.width(), read.height(), read.into_raw())
}

/// A picture's facts when only its size is known.
fn sized(width: u64, height: u64) -> Picture {
    Picture { width, height, ..Picture::default() }
}
