//! Typefaces: OpenType, TrueType, collections of them, and both forms for the web.
//!
//! For a comparison, glyphs stand in the list of layers: a glyph that is new, gone or redrawn is told by
//! its name.

mod draw;
mod shaping;

use skrifa::instance::{LocationRef, Size};
use skrifa::raw::{FileRef, TableProvider as _};
use skrifa::string::StringId;
use skrifa::{FontRef, GlyphId, MetadataProvider as _};
use std::collections::{BTreeMap, BTreeSet};

use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::facts::{Axis, Face, Facts, Field, LIST_MAX, Layer, LayerKind, Print, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;

/// Longest file of typefaces, unpacked, in bytes: the largest collections for Chinese, Japanese and
/// Korean are half as long.
const BYTES_MAX: u64 = 256 << 20;
/// How much longer than packed a typeface may be, unpacked.
const UNPACKED_FACTOR: u64 = 200;
/// Most typefaces of one collection that are told.
const FACES_MAX: usize = 64;

/// Names that say who made a typeface and what may be done with it.
const NAMES: &[(StringId, &str)] = &[
    (StringId::COPYRIGHT_NOTICE, "Copyright"),
    (StringId::TRADEMARK, "Trademark"),
    (StringId::MANUFACTURER, "Manufacturer"),
    (StringId::DESIGNER, "Designer"),
    (StringId::DESCRIPTION, "Description"),
    (StringId::VENDOR_URL, "VendorURL"),
    (StringId::DESIGNER_URL, "DesignerURL"),
    (StringId::LICENSE_DESCRIPTION, "License"),
    (StringId::LICENSE_URL, "LicenseURL"),
    (StringId::POSTSCRIPT_NAME, "PostScriptName"),
    (StringId::SAMPLE_TEXT, "SampleText"),
];

/// Typefaces.
pub struct Typeface;

impl Decoder for Typeface {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::TTF, &format::OTF, &format::TTC, &format::WOFF, &format::WOFF2]
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let bytes = read(input)?;
        let fonts = fonts(&bytes)?;
        facts.faces = fonts.iter().take(FACES_MAX).map(face).collect();
        if fonts.len() > FACES_MAX {
            facts.note(format!("it holds {} typefaces, of which {FACES_MAX} are told", fonts.len()));
        }
        if let Some(first) = fonts.first() {
            facts.add_fields(fields(first));
        }
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, _: &'static Format, wanted: Wanted) -> Shown {
        let bytes = read(input)?;
        fonts(&bytes)?
            .first()
            .map(|font| draw::specimen(font, wanted.edge.min(draw::SPECIMEN_EDGE)))
            .transpose()
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("glyphs and features")
    }

    fn prints(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let bytes = read(input)?;
        let fonts = fonts(&bytes)?;
        let Some(font) = fonts.first() else { return Ok(()) };
        facts.layers = glyphs(font).into_iter().map(|(glyph, name)| layer(font, glyph, name)).collect();
        if font.glyph_names().num_glyphs() as usize > LIST_MAX {
            facts.note(format!("of its glyphs the first {LIST_MAX} were compared"));
        }
        if let Some(face) = facts.faces.first_mut() {
            (face.effects, face.kerning) = shaping::effects(&bytes, font, &face.features);
        }
        if fonts.len() > 1 {
            facts.note("of its typefaces the glyphs of the first were compared");
        }
        Ok(())
    }

    fn layer(&self, input: &mut Input<'_>, _: &'static Format, layer: usize, wanted: Wanted) -> Shown {
        let bytes = read(input)?;
        let fonts = fonts(&bytes)?;
        let Some(font) = fonts.first() else { return Ok(None) };
        let glyph = glyphs(font).get(layer).map(|(glyph, _)| *glyph);
        glyph.map(|glyph| draw::glyph(font, glyph, wanted.edge.min(draw::GLYPH_EDGE))).transpose()
    }
}

/// The file's bytes as a typeface that programs on a desktop read.
fn read(input: &mut Input<'_>) -> Result<Vec<u8>, DecodeError> {
    if input.len() > BYTES_MAX {
        return Err(too_large());
    }
    plain(input.read_at(0, BYTES_MAX as usize)?)
}

fn too_large() -> DecodeError {
    DecodeError::TooLarge("the typeface is longer than a typeface may be".to_owned())
}

/// A typeface without the packing that it has for the web (W3C WOFF 1.0 and 2.0).
pub fn plain(bytes: Vec<u8>) -> Result<Vec<u8>, DecodeError> {
    let is_second = match bytes.get(..4) {
        Some(b"wOFF") => false,
        Some(b"wOF2") => true,
        _ => return Ok(bytes),
    };
    // What it says that it will be, unpacked.
    let claimed =
        bytes.get(16..20).and_then(|size| size.first_chunk()).map_or(0, |size| u32::from_be_bytes(*size));
    if u64::from(claimed) > BYTES_MAX.min(UNPACKED_FACTOR * bytes.len() as u64) {
        return Err(too_large());
    }
    let unpacked = if is_second { wuff::decompress_woff2(&bytes) } else { wuff::decompress_woff1(&bytes) };
    unpacked.map_err(|error| DecodeError::Damaged(format!("it cannot be unpacked: {error:?}")))
}

fn fonts(bytes: &[u8]) -> Result<Vec<FontRef<'_>>, DecodeError> {
    let damaged = |error: skrifa::raw::ReadError| DecodeError::Damaged(error.to_string());
    let file = FileRef::new(bytes).map_err(damaged)?;
    let fonts: Vec<FontRef<'_>> = file.fonts().take(LIST_MAX).filter_map(Result::ok).collect();
    if fonts.is_empty() {
        return Err(DecodeError::Damaged("there is no typeface in it".to_owned()));
    }
    Ok(fonts)
}

fn named(font: &FontRef<'_>, id: StringId) -> Option<String> {
    let name = font.localized_strings(id).english_or_first()?;
    let text: String = name.chars().take(crate::media::facts::TEXT_CHARS_MAX).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn face(font: &FontRef<'_>) -> Face {
    let first = |ids: [StringId; 2]| ids.into_iter().find_map(|id| named(font, id)).unwrap_or_default();
    let metrics = font.metrics(Size::unscaled(), LocationRef::default());
    let features = font.gsub().ok().and_then(|table| table.feature_list().ok());
    let placing = font.gpos().ok().and_then(|table| table.feature_list().ok());
    let tags: BTreeSet<String> = [features, placing]
        .into_iter()
        .flatten()
        .flat_map(|list| list.feature_records().iter().map(|record| record.feature_tag().to_string()))
        .collect();
    let axes = font.axes();
    Face {
        family: first([StringId::TYPOGRAPHIC_FAMILY_NAME, StringId::FAMILY_NAME]),
        style: first([StringId::TYPOGRAPHIC_SUBFAMILY_NAME, StringId::SUBFAMILY_NAME]),
        version: named(font, StringId::VERSION_STRING).unwrap_or_default(),
        glyphs: u64::from(metrics.glyph_count),
        characters: font.charmap().mappings().count() as u64,
        units_per_em: u32::from(metrics.units_per_em),
        axes: axes
            .iter()
            .take(FACES_MAX)
            .map(|axis| Axis {
                tag: axis.tag().to_string(),
                least: f64::from(axis.min_value()),
                default: f64::from(axis.default_value()),
                greatest: f64::from(axis.max_value()),
            })
            .collect(),
        features: tags.into_iter().collect(),
        effects: Vec::new(),
        kerning: Vec::new(),
        ascent: f64::from(metrics.ascent),
        descent: f64::from(metrics.descent),
        line_gap: f64::from(metrics.leading),
        cap_height: metrics.cap_height.map(f64::from),
        x_height: metrics.x_height.map(f64::from),
        italic_angle: f64::from(metrics.italic_angle),
        weight: font.os2().ok().map(|table| u32::from(table.us_weight_class())),
    }
}

fn fields(font: &FontRef<'_>) -> Vec<Field> {
    let mut fields: Vec<Field> =
        NAMES.iter().filter_map(|(id, name)| Some(Field::text("font", name, &named(font, *id)?))).collect();
    if let Ok(table) = font.os2() {
        // OpenType, table OS/2, fsType: the lowest four bits exclude each other, the least strict counts.
        let permission = match table.fs_type() {
            bits if bits.trailing_zeros() >= 4 => "installable",
            bits if bits & 0x0008 != 0 => "editable",
            bits if bits & 0x0004 != 0 => "preview and print",
            bits if bits & 0x0002 != 0 => "restricted",
            _ => "unknown",
        };
        fields.push(Field::text("font", "EmbeddingPermission", permission));
        fields.push(Field::text("font", "VendorID", table.ach_vend_id().to_string().trim()));
    }
    fields
}

/// Glyphs by their places, each with its character when it has one.
fn glyphs(font: &FontRef<'_>) -> Vec<(GlyphId, String)> {
    let mut characters: BTreeMap<GlyphId, u32> = BTreeMap::new();
    for (character, glyph) in font.charmap().mappings() {
        let first = characters.entry(glyph).or_insert(character);
        *first = (*first).min(character);
    }
    let names = font.glyph_names();
    let count = font.maxp().map_or(0, |table| table.num_glyphs());
    (0..count)
        .take(LIST_MAX)
        .map(|number| {
            let glyph = GlyphId::from(number);
            let own = names.get(glyph).filter(|name| !name.is_synthesized());
            let own = own.map(|name| name.as_str().to_owned()).filter(|name| !name.is_empty());
            let name = match (characters.get(&glyph), own) {
                (Some(character), own) => match char::from_u32(*character).filter(|it| !it.is_control()) {
                    Some(letter) if !letter.is_whitespace() => format!("{letter} (U+{character:04X})"),
                    _ => own.map_or_else(
                        || format!("U+{character:04X}"),
                        |own| format!("{own} (U+{character:04X})"),
                    ),
                },
                (None, Some(own)) => own,
                (None, None) => format!("glyph {number}"),
            };
            (glyph, cut(&name))
        })
        .collect()
}

fn layer(font: &FontRef<'_>, glyph: GlyphId, name: String) -> Layer {
    Layer {
        name,
        kind: LayerKind::Glyph,
        visible: true,
        opacity: 1.0,
        blend: "normal".to_owned(),
        print: Some(Print { hash: draw::hash(font, glyph), bounds: (0, 0, 1, 1), mask: None }),
        ..Layer::default()
    }
}
