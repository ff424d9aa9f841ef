//! PDF documents, and Illustrator files that are such: pages as pixels and as text.
//!
//! Pages stand in the list of layers, so that two versions are compared page by page.

use hayro::hayro_interpret::font::Glyph;
use hayro::hayro_interpret::hayro_cmap::BfString;
use hayro::hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
    InterpreterSettings, SoftMask, TransformExt as _, font::GlyphRun, interpret_page,
};
use hayro::hayro_syntax::object::{DateTime, Dict, Name, Stream};
use hayro::hayro_syntax::page::Page;
use hayro::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use hayro::kurbo::{Affine, BezPath, Point, Rect};
use hayro::{PixmapSettings, RenderCache, RenderSettings, render, vello_cpu};
use std::collections::BTreeMap;

use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::embedded::{self, Packets};
use crate::media::facts::{Facts, Field, FontUse, LIST_MAX, Layer, LayerKind, Picture, Print, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::pixels::Pixels;

/// Longest document that is read, in bytes.
const BYTES_MAX: u64 = 1 << 30;
/// Most pages whose text is read.
const TEXT_PAGES_MAX: usize = 300;
/// Most pages that are drawn to tell whether they changed.
const PRINTED_PAGES_MAX: usize = 100;
/// The longest side at which that is told, in pixels.
const PRINT_EDGE: u32 = 600;

/// PDF documents.
pub struct Document;

impl Decoder for Document {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::PDF]
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let pdf = open(input)?;
        let pages = pdf.pages();
        facts.pages = Some(pages.len() as u64);
        if let Some(first) = pages.first() {
            let (width, height) = first.render_dimensions();
            let mut size =
                Picture { width: width.ceil() as u64, height: height.ceil() as u64, ..Picture::default() };
            // A point is the unit of length.
            size.resolution = Some((72.0, 72.0));
            facts.picture = Some(size);
        }
        for page in pages.iter().take(TEXT_PAGES_MAX) {
            facts.add_text(&words(page));
        }
        facts.layers =
            pages.iter().take(LIST_MAX).enumerate().map(|(number, page)| layer(number, page)).collect();
        if pages.len() > TEXT_PAGES_MAX {
            facts.note(format!("text was read of its first {TEXT_PAGES_MAX} pages"));
        }
        facts.fonts_used = fonts(&pdf);
        embedded::add(packets(&pdf), facts);
        facts.add_fields(information(&pdf));
        let bytes = pdf.data().as_ref();
        if has(bytes, b"/AIPrivateData") || has(bytes, b"/AIMetaData") {
            "Illustrator document".clone_into(&mut facts.format_name);
        }
        facts.content_credentials |= has(bytes, b"/C2PA_Manifest");
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, format: &'static Format, wanted: Wanted) -> Shown {
        self.layer(input, format, 0, wanted)
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("pages and text")
    }

    fn prints(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let pdf = open(input)?;
        for (layer, page) in facts.layers.iter_mut().zip(pdf.pages().iter()).take(PRINTED_PAGES_MAX) {
            let pixels = draw(page, PRINT_EDGE)?;
            let hash = blake3::hash(&pixels.bytes).to_hex().to_string();
            layer.print = Some(Print { hash, bounds: layer.bounds, mask: None });
            layer.text = Some(cut(&words(page)));
        }
        if facts.layers.len() > PRINTED_PAGES_MAX {
            facts.note(format!("of its pages the first {PRINTED_PAGES_MAX} were compared"));
        }
        Ok(())
    }

    fn layer(&self, input: &mut Input<'_>, _: &'static Format, layer: usize, wanted: Wanted) -> Shown {
        let pdf = open(input)?;
        pdf.pages().get(layer).map(|page| draw(page, wanted.edge)).transpose()
    }
}

fn open(input: &mut Input<'_>) -> Result<Pdf, DecodeError> {
    if input.len() > BYTES_MAX {
        return Err(DecodeError::TooLarge("the document is too long for a preview".to_owned()));
    }
    let bytes = input.read_at(0, BYTES_MAX as usize)?;
    Pdf::new(bytes).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => {
            DecodeError::Unsupported("the document is protected by a password".to_owned())
        }
        LoadPdfError::Decryption(_) => {
            DecodeError::Unsupported("the document is encrypted in a way that is not read".to_owned())
        }
        LoadPdfError::Invalid => DecodeError::Damaged("this is no PDF document that can be read".to_owned()),
    })
}

fn layer(number: usize, page: &Page<'_>) -> Layer {
    let (width, height) = page.render_dimensions();
    let (width, height) =
        (f64::from(width).max(0.0).round() as u64, f64::from(height).max(0.0).round() as u64);
    Layer {
        name: format!("page {}", number + 1),
        kind: LayerKind::Page,
        visible: true,
        opacity: 1.0,
        blend: "normal".to_owned(),
        bounds: (0, 0, width, height),
        ..Layer::default()
    }
}

/// A page on white, with its longest side of exactly `edge` pixels.
fn draw(page: &Page<'_>, edge: u32) -> Result<Pixels, DecodeError> {
    let (width, height) = page.render_dimensions();
    let longest = width.max(height);
    if !(1.0..=1e6).contains(&longest) || width.min(height) < 0.01 {
        return Err(DecodeError::Damaged("the page has no size that can be drawn".to_owned()));
    }
    let scale = edge.min(u32::from(u16::MAX)) as f32 / longest;
    // Rounded to whole pixels, of which there is one at least.
    let fit = |side: f32| ((side * scale).round().max(1.0) + 0.01) / side;
    let settings = PixmapSettings {
        x_scale: fit(width),
        y_scale: fit(height),
        bg_color: vello_cpu::color::palette::css::WHITE,
    };
    let cache = RenderCache::new();
    let pixmap = render(page, &cache, &InterpreterSettings::default(), &RenderSettings::default(), &settings);
    let (width, height) = (u32::from(pixmap.width()), u32::from(pixmap.height()));
    // On a ground that is opaque, colours are the same multiplied or not.
    let bytes: Vec<u8> = pixmap.data().iter().flat_map(|it| [it.r, it.g, it.b, it.a]).collect();
    Pixels::new(width, height, bytes)
}

/// The words of a page, in the order in which they are drawn.
fn words(page: &Page<'_>) -> String {
    let cache = InterpreterCache::new();
    let (width, height) = page.render_dimensions();
    let target = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
    let transform = page.initial_transform(true).to_kurbo();
    let settings = InterpreterSettings::default();
    let mut context = Context::new(transform, target, &cache, page.xref(), settings);
    let mut reader = WordReader { text: String::new(), last: None };
    interpret_page(page, &mut context, &mut reader);
    reader.text
}

/// Puts characters together: a new line where the next one stands on another, a blank where it stands
/// farther off than the width of the last.
struct WordReader {
    text: String,
    last: Option<Standing>,
}

/// Where the last character ended.
struct Standing {
    end: Point,
    size: f64,
}

impl WordReader {
    fn character(&mut self, glyph: &Glyph<'_>, place: Affine) {
        let Some(unicode) = glyph.as_unicode() else { return };
        let [a, b, c, d, ..] = place.as_coeffs();
        let (run, size) = (a.hypot(b), c.hypot(d) * 1000.0);
        let start = place * Point::ORIGIN;
        let width = match glyph {
            Glyph::Outline(outline) => outline.advance_width(),
            Glyph::Type3(glyph) => glyph.advance_width(),
        };
        let end = place * Point::new(f64::from(width.unwrap_or(500.0)), 0.0);
        if let Some(last) = &self.last {
            // Measured along the line on which characters run, and across it.
            let (along, across) = match run {
                0.0 => (0.0, 0.0),
                run => {
                    let step = start - last.end;
                    ((step.x * a + step.y * b) / run, (step.y * a - step.x * b) / run)
                }
            };
            let size = last.size.max(size).max(0.01);
            if across.abs() > 0.5 * size || along < -size {
                if !self.text.ends_with('\n') {
                    self.text.push('\n');
                }
            } else if along > 0.18 * size && !self.text.ends_with([' ', '\n']) {
                self.text.push(' ');
            }
        }
        match unicode {
            BfString::Char(one) => self.text.push(one),
            BfString::String(several) => self.text.push_str(&several),
        }
        self.last = Some(Standing { end, size });
    }
}

impl<'a> Device<'a> for WordReader {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        for glyph in run.glyphs() {
            self.character(glyph, props.transform * glyph.transform());
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}

/// Fonts by name, without the six letters that stand before the name of a part of one.
fn fonts(pdf: &Pdf) -> Vec<FontUse> {
    let mut found: BTreeMap<String, bool> = BTreeMap::new();
    for object in pdf.objects() {
        let Some(font) = object.into_dict() else { continue };
        let is_font = font.get::<Name<'_>>("Type").is_some_and(|kind| kind.as_str() == "Font");
        let Some(name) = font.get::<Name<'_>>("BaseFont").filter(|_| is_font) else { continue };
        let name = match name.as_str().split_once('+') {
            Some((part, name)) if part.len() == 6 => name,
            _ => name.as_str(),
        };
        let descriptor = font.get::<Dict<'_>>("FontDescriptor");
        let embedded = descriptor.is_some_and(|descriptor| {
            ["FontFile", "FontFile2", "FontFile3"].iter().any(|key| descriptor.contains_key(key))
        });
        if found.len() < LIST_MAX {
            *found.entry(cut(name)).or_default() |= embedded;
        }
    }
    found.into_iter().map(|(name, embedded)| FontUse { name, embedded }).collect()
}

/// The document's XMP packet.
fn packets(pdf: &Pdf) -> Packets {
    let mut packets = Packets::default();
    packets.xmp.extend(packet(pdf));
    packets
}

fn packet(pdf: &Pdf) -> Option<Vec<u8>> {
    let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id())?;
    let stream = catalog.get::<Stream<'_>>("Metadata")?;
    stream.decoded().ok().map(std::borrow::Cow::into_owned)
}

/// The XMP packet of a document.
pub fn xmp_packet(input: &mut Input<'_>) -> Result<Option<Vec<u8>>, DecodeError> {
    Ok(packet(&open(input)?))
}

/// The object that leads to all others of a document.
pub struct Catalog {
    /// Its number.
    pub number: u64,
    /// Its generation.
    pub generation: u64,
    /// What it says, as written.
    pub dictionary: Vec<u8>,
    /// Number and generation of the object that its XMP packet is.
    pub metadata: Option<(u64, u64)>,
}

/// Finds it.
pub fn catalog(input: &mut Input<'_>) -> Result<Catalog, DecodeError> {
    let pdf = open(input)?;
    let id = pdf.xref().root_id();
    let found = pdf.xref().get::<Dict<'_>>(id);
    let found = found.ok_or_else(|| DecodeError::Damaged("it has no catalog".to_owned()))?;
    let generation = |value: i32| u64::try_from(value).unwrap_or(0);
    let metadata = found.get_ref("Metadata");
    let metadata = metadata.map(|it| (u64::from(it.obj_number), generation(it.gen_number)));
    Ok(Catalog {
        number: u64::from(id.obj_number),
        generation: generation(id.gen_number),
        dictionary: found.data().to_vec(),
        metadata,
    })
}

/// The document's own fields.
fn information(pdf: &Pdf) -> Vec<Field> {
    let written = pdf.metadata();
    let texts = [
        ("Title", &written.title),
        ("Author", &written.author),
        ("Subject", &written.subject),
        ("Keywords", &written.keywords),
        ("Creator", &written.creator),
        ("Producer", &written.producer),
    ];
    let mut fields: Vec<Field> = texts
        .into_iter()
        .filter_map(|(name, bytes)| Some(Field::text("pdf", name, text(bytes.as_deref()?).trim())))
        .filter(|field| !field.value.is_empty())
        .collect();
    let dates = [("CreationDate", written.creation_date), ("ModDate", written.modification_date)];
    fields.extend(dates.into_iter().filter_map(|(name, at)| Some(Field::text("pdf", name, &date(at?)))));
    let version = format!("{:?}", pdf.version());
    let digits: Vec<String> =
        version.chars().filter(char::is_ascii_digit).map(|digit| digit.to_string()).collect();
    fields.push(Field::text("pdf", "PDFVersion", &digits.join(".")));
    fields
}

fn date(at: DateTime) -> String {
    let zone = match (at.utc_offset_hour, at.utc_offset_minute) {
        (0, 0) => "Z".to_owned(),
        (hours, minutes) => format!("{}{:02}:{minutes:02}", if hours < 0 { '-' } else { '+' }, hours.abs()),
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{zone}",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    )
}

/// A text string: in UTF-16 or UTF-8 with a mark, else one byte a character, of which those that
/// matter are the same as in Windows' Latin (PDF 2.0, annex D.3).
fn text(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0xef, 0xbb, 0xbf, ..] => {
            encoding_rs::UTF_8.decode(bytes).0.into_owned()
        }
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        },
    }
}

fn has(bytes: &[u8], wanted: &[u8]) -> bool {
    memchr::memmem::find(bytes, wanted).is_some()
}
