//! Facts and pictures of Photoshop documents.

use crate::media::decoder::{DecodeError, Decoder, Wanted};
use crate::media::facts::{Facts, LIST_MAX, Layer, LayerKind, Picture, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::pixels::Pixels;
use crate::media::psd::{self, Document, LayerRecord, PsdError, Section};

/// Photoshop documents.
pub struct Photoshop;

impl Decoder for Photoshop {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::PSD]
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Result<(), DecodeError> {
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
            ..Picture::default()
        });
        facts.layers = layers(&document);
        Ok(())
    }

    fn picture(
        &self,
        input: &mut Input<'_>,
        _: &'static Format,
        wanted: Wanted,
    ) -> Result<Option<Pixels>, DecodeError> {
        let document = Document::read(input)?;
        // Twice the size, so that the last step down is a good one.
        let canvas = psd::merged(input, &document, wanted.edge.saturating_mul(2))?;
        Ok(Some(Pixels::new(canvas.width, canvas.height, canvas.pixels)?.within(wanted.edge)?))
    }
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
fn layers(document: &Document) -> Vec<Layer> {
    let mut depth = 0u32;
    let mut layers = Vec::new();
    for record in document.layers.iter().rev() {
        if record.section == Section::End {
            depth = depth.saturating_sub(1);
            continue;
        }
        if layers.len() < LIST_MAX {
            layers.push(layer(record, depth));
        }
        if matches!(record.section, Section::Group { .. }) {
            depth += 1;
        }
    }
    layers
}

fn layer(record: &LayerRecord, depth: u32) -> Layer {
    let kind = match record {
        _ if record.section != Section::Layer => LayerKind::Group,
        _ if record.text.is_some() => LayerKind::Text,
        _ if record.placed => LayerKind::Placed,
        _ if record.shape => LayerKind::Shape,
        _ if record.adjustment.is_some() => LayerKind::Adjustment,
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
    }
}
