//! Facts and pictures of Photoshop documents.

use crate::media::colour::Profile;
use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::embedded::{self, Packets};
use crate::media::facts::{Facts, LIST_MAX, Layer, LayerKind, Picture, Print, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::layer_print;
use crate::media::pixels::Pixels;
use crate::media::psd::{self, Canvas, Document, LayerRecord, PsdError, Section};

/// What is said of a document that was saved without its picture.
const UNMERGED: &str = "the document was saved without its merged picture; the picture shown is put together from its \
    layers, without adjustments, effects and fills that have no pixels";

/// Photoshop documents.
pub struct Photoshop;

impl Decoder for Photoshop {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::PSD]
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let document = Document::read(input)?;
        let header = &document.header;
        if header.large {
            "large Photoshop document".clone_into(&mut facts.format_name);
        }
        facts.picture = Some(Picture {
            width: u64::from(header.width),
            height: u64::from(header.height),
            colour_space: Some(header.mode.name().to_owned()),
            depth: Some(u32::from(header.depth)),
            alpha: Some(document.merged_alpha),
            resolution: document.resources.resolution,
            profile: document.resources.profile.as_deref().and_then(profile_name).as_deref().map(cut),
            ..Picture::default()
        });
        facts.layers = layers(&document);
        if document.is_unmerged() {
            facts.note(UNMERGED);
        }
        let resources = document.resources;
        let mut packets = Packets { iptc: resources.iptc, ..Packets::default() };
        packets.xmp.extend(resources.xmp);
        packets.add_exif(resources.exif.as_deref().unwrap_or_default())?;
        embedded::add(packets, facts);
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, _: &'static Format, wanted: Wanted) -> Shown {
        let mut document = Document::read(input)?;
        document.manage_inks();
        let canvas = if document.is_unmerged() {
            psd::compose(input, &document)?.canvas
        } else {
            // Twice the size, so that the last step down is a good one.
            psd::merged(input, &document, wanted.edge.saturating_mul(2))?
        };
        pixels_of(canvas, &document, wanted).map(Some)
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("layers")
    }

    fn prints(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let document = Document::read(input)?;
        let Facts { layers, .. } = facts;
        for (layer, record) in layers.iter_mut().zip(shown(&document)) {
            if record.section == Section::Layer {
                let mut print = print(&psd::render_layer(input, &document, record)?);
                print.mask = psd::mask_hash(input, &document, record)?;
                layer.print = Some(print);
            }
        }
        Ok(())
    }

    fn layer(&self, input: &mut Input<'_>, _: &'static Format, layer: usize, wanted: Wanted) -> Shown {
        let mut document = Document::read(input)?;
        document.manage_inks();
        let Some(record) = shown(&document).nth(layer).filter(|record| record.section == Section::Layer)
        else {
            return Ok(None);
        };
        let drawn = psd::render_layer(input, &document, record)?;
        if drawn.pixels.is_empty() {
            return Ok(None);
        }
        let mut canvas = Canvas::new(0, 0, document.header.width, document.header.height)?;
        canvas.put(&drawn);
        pixels_of(canvas, &document, wanted).map(Some)
    }
}

/// Pixels in the colours of sRGB, no larger than wanted.
fn pixels_of(canvas: Canvas, document: &Document, wanted: Wanted) -> Result<Pixels, DecodeError> {
    let mut pixels = Pixels::new(canvas.width, canvas.height, canvas.pixels)?.within(wanted.edge)?;
    if let Some(profile) = profile(document) {
        profile.apply(&mut pixels.bytes);
    }
    Ok(pixels)
}

/// What a profile is called.
fn profile_name(bytes: &[u8]) -> Option<String> {
    Profile::read(bytes)?.name
}

/// The document's profile, when its pixels are written in it.
fn profile(document: &Document) -> Option<Profile> {
    use psd::Mode;
    let light = matches!(document.header.mode, Mode::Rgb | Mode::Gray | Mode::Duotone | Mode::Indexed);
    // Deep documents are linear, whatever their profile's curve: they were given sRGB's when read.
    let applies = light && document.header.depth <= 16;
    Profile::read(document.resources.profile.as_deref().filter(|_| applies)?)
}

/// A fingerprint of a layer's pixels.
fn print(canvas: &Canvas) -> Print {
    layer_print::print((canvas.left, canvas.top), canvas.width, &canvas.pixels)
}

impl From<PsdError> for DecodeError {
    fn from(error: PsdError) -> Self {
        match error {
            PsdError::Io(error) => Self::Io(error),
            PsdError::TooLarge => Self::TooLarge(error.to_string()),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// Layers as people see them: the topmost first, groups before what they hold.
fn shown(document: &Document) -> impl Iterator<Item = &LayerRecord> {
    document.layers.iter().rev().filter(|record| record.section != Section::End).take(LIST_MAX)
}

fn layers(document: &Document) -> Vec<Layer> {
    let mut depth = 0u32;
    let mut depths = Vec::new();
    for record in document.layers.iter().rev() {
        if record.section == Section::End {
            depth = depth.saturating_sub(1);
            continue;
        }
        depths.push(depth);
        if matches!(record.section, Section::Group { .. }) {
            depth += 1;
        }
    }
    shown(document).zip(depths).map(|(record, depth)| layer(record, depth)).collect()
}

fn layer(record: &LayerRecord, depth: u32) -> Layer {
    let kind = match record {
        _ if record.section != Section::Layer => LayerKind::Group,
        _ if record.text.is_some() => LayerKind::Text,
        _ if record.placed => LayerKind::Placed,
        _ if record.shape => LayerKind::Shape,
        _ if record.adjustment.is_some() || record.fill_of.is_some() => LayerKind::Adjustment,
        _ => LayerKind::Pixels,
    };
    let bounds = &record.bounds;
    Layer {
        name: cut(&record.name),
        id: record.id.map(|id| id.to_string()),
        depth,
        kind,
        visible: record.visible,
        opacity: f64::from(record.opacity) / 255.0,
        blend: psd::blend_name(record.blend),
        bounds: (
            i64::from(bounds.left),
            i64::from(bounds.top),
            u64::from(bounds.width()),
            u64::from(bounds.height()),
        ),
        text: record.text.as_deref().map(cut),
        effects: if record.effects { vec!["effects".to_owned()] } else { Vec::new() },
        clipped: record.clipped,
        masked: record.mask.is_some(),
        print: None,
    }
}
