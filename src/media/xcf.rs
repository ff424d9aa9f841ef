//! GIMP documents (XCF): layers, groups, masks, and the picture that they make.
//!
//! Source: "Documentation of the XCF file format" in GIMP's own sources (`devel-docs/xcf.txt`), and the
//! files themselves. Blend modes of which there are few simple ones are drawn, the others as plain
//! cover, which a note says.

mod read;
mod tiles;

use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::facts::{Facts, LIST_MAX, Layer, LayerKind, Picture, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::layer_print::{Sheet, print};
use crate::media::pixels::{PIXELS_MAX, Pixels};
use read::{Image, Record};
use tiles::{mask, pixels};

/// GIMP documents.
pub struct Gimp;

impl Decoder for Gimp {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::XCF]
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let image = Image::read(input)?;
        facts.picture = Some(Picture {
            width: u64::from(image.width),
            height: u64::from(image.height),
            colour_space: Some(image.space().to_owned()),
            depth: Some(image.sample.bits()),
            alpha: Some(image.layers.first().is_some_and(|layer| layer.channels.is_multiple_of(2))),
            resolution: image.resolution,
            ..Picture::default()
        });
        facts.layers = image.layers.iter().map(layer).collect();
        let odd = image.layers.iter().filter(|layer| layer.visible && !is_drawn(layer.mode)).count();
        if odd > 0 {
            facts.note(format!("{odd} of its layers blend in a way that is drawn here as plain cover"));
        }
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, _: &'static Format, wanted: Wanted) -> Shown {
        let image = Image::read(input)?;
        composed(input, &image)?.within(wanted.edge).map(Some)
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("layers")
    }

    fn prints(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let image = Image::read(input)?;
        for (layer, record) in facts.layers.iter_mut().zip(&image.layers) {
            if record.group {
                continue;
            }
            let drawn = pixels(input, &image, record)?;
            let mut found = print(record.place, drawn.width, &drawn.bytes);
            found.mask = mask(input, &image, record)?.map(|mask| blake3::hash(&mask).to_hex().to_string());
            layer.print = Some(found);
        }
        Ok(())
    }

    fn layer(&self, input: &mut Input<'_>, _: &'static Format, layer: usize, wanted: Wanted) -> Shown {
        let image = Image::read(input)?;
        let Some(record) = image.layers.get(layer).filter(|record| !record.group) else { return Ok(None) };
        let drawn = pixels(input, &image, record)?;
        let sheet = Sheet { left: record.place.0, top: record.place.1, pixels: &drawn };
        sheet.on_canvas(u64::from(image.width), u64::from(image.height))?.within(wanted.edge).map(Some)
    }
}

fn layer(record: &Record) -> Layer {
    Layer {
        name: cut(&record.name),
        id: record.tattoo.map(|number| number.to_string()),
        depth: record.depth,
        kind: match record {
            _ if record.group => LayerKind::Group,
            _ if record.text.is_some() => LayerKind::Text,
            _ => LayerKind::Pixels,
        },
        visible: record.visible,
        opacity: record.opacity,
        blend: blend_name(record.mode).to_owned(),
        bounds: (record.place.0, record.place.1, u64::from(record.width), u64::from(record.height)),
        text: record.text.as_deref().map(cut),
        masked: record.mask.is_some(),
        ..Layer::default()
    }
}

/// Names of blend modes, of those before GIMP 2.10 and since.
fn blend_name(mode: u32) -> &'static str {
    match mode {
        0 | 28 => "normal",
        1 => "dissolve",
        2 | 29 => "behind",
        3 | 30 => "multiply",
        4 | 31 => "screen",
        5 | 23 => "overlay",
        6 | 32 => "difference",
        7 | 33 => "addition",
        8 | 34 => "subtract",
        9 | 35 => "darken",
        10 | 36 => "lighten",
        11 | 24 | 37 => "hue",
        12 | 25 | 38 => "saturation",
        13 | 26 | 39 => "color",
        14 | 27 | 40 => "value",
        15 | 41 => "divide",
        16 | 42 => "color-dodge",
        17 | 43 => "color-burn",
        18 | 44 => "hard-light",
        19 | 45 => "soft-light",
        20 | 46 => "grain-extract",
        21 | 47 => "grain-merge",
        48 => "vivid-light",
        49 => "pin-light",
        50 => "linear-light",
        51 => "hard-mix",
        52 => "exclusion",
        53 => "linear-burn",
        56 => "luminosity",
        57 => "color-erase",
        58 => "erase",
        61 => "pass through",
        62 => "replace",
        _ => "other",
    }
}

/// Whether a mode is drawn as it is meant.
fn is_drawn(mode: u32) -> bool {
    matches!(
        blend_name(mode),
        "normal"
            | "multiply"
            | "screen"
            | "difference"
            | "addition"
            | "subtract"
            | "darken"
            | "lighten"
            | "pass through"
    )
}

/// What a mode makes of two values from 0 to 1.
fn blend(mode: u32, under: f32, over: f32) -> f32 {
    match blend_name(mode) {
        "multiply" => under * over,
        "screen" => under + over - under * over,
        "difference" => (under - over).abs(),
        "addition" => (under + over).min(1.0),
        "subtract" => (under - over).max(0.0),
        "darken" => under.min(over),
        "lighten" => under.max(over),
        _ => over,
    }
}

/// All that is shown, the lowest layer first.
fn composed(input: &mut Input<'_>, image: &Image) -> Result<Pixels, DecodeError> {
    let (width, height) = (image.width, image.height);
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(DecodeError::TooLarge(format!("{width} x {height} pixels are too many for a preview")));
    }
    let mut canvas = Pixels::new(width, height, vec![0; width as usize * height as usize * 4])?;
    for (at, record) in image.layers.iter().enumerate().rev() {
        let (shown, opacity) = image.seen(at);
        if record.group || !shown || opacity <= 0.0 {
            continue;
        }
        let mut drawn = pixels(input, image, record)?;
        if let Some(mask) = mask(input, image, record)? {
            for (pixel, share) in drawn.bytes.chunks_exact_mut(4).zip(mask) {
                pixel[3] = ((u16::from(pixel[3]) * u16::from(share) + 127) / 255) as u8;
            }
        }
        lay(&mut canvas, &drawn, record, opacity as f32);
    }
    Ok(canvas)
}

fn lay(canvas: &mut Pixels, drawn: &Pixels, record: &Record, opacity: f32) {
    let (left, top) = record.place;
    for (row, line) in drawn.bytes.chunks_exact(drawn.width as usize * 4).enumerate() {
        let y = top.saturating_add(row as i64);
        if y < 0 || y >= i64::from(canvas.height) {
            continue;
        }
        for (column, over) in line.chunks_exact(4).enumerate().filter(|(_, pixel)| pixel[3] > 0) {
            let x = left.saturating_add(column as i64);
            if x < 0 || x >= i64::from(canvas.width) {
                continue;
            }
            let at = (y as usize * canvas.width as usize + x as usize) * 4;
            let under = &mut canvas.bytes[at..at + 4];
            let (cover, ground) = (f32::from(over[3]) / 255.0 * opacity, f32::from(under[3]) / 255.0);
            let rest = ground * (1.0 - cover);
            let whole = cover + rest;
            for channel in 0..3 {
                let (above, below) = (f32::from(over[channel]) / 255.0, f32::from(under[channel]) / 255.0);
                // Where nothing lies below there is nothing to blend with.
                let mixed = above * (1.0 - ground) + blend(record.mode, below, above) * ground;
                let value = (mixed * cover + below * rest) / whole.max(1e-6);
                under[channel] = (value * 255.0).round().clamp(0.0, 255.0) as u8;
            }
            under[3] = (whole * 255.0).round() as u8;
        }
    }
}

/// Most layers of one document.
const LAYERS_MAX: usize = LIST_MAX;
