//! Krita documents: a list of layers, and for each paint layer its pixels in tiles.
//!
//! Source: the files themselves, and Krita's own reader and writer of tiles
//! (`libs/image/tiles3/swap/kis_legacy_tile_compressor.cpp`); LZF by Marc Lehmann.

use roxmltree::Node;

use super::{MEMBER_MAX, Package, parse, sized};
use crate::media::decoder::DecodeError;
use crate::media::facts::{Facts, LIST_MAX, Layer, LayerKind, cut};
use crate::media::layer_print::{Sheet, print};
use crate::media::pixels::{PIXELS_MAX, Pixels};

/// How deep groups may lie in each other.
const DEPTH_MAX: u32 = 100;
/// Longest side of a tile, in pixels; Krita's have 64.
const TILE_MAX: u32 = 1024;
/// How far from the document's corner a tile may lie, in pixels.
const FAR: i64 = 1 << 20;

/// A layer and the member that has its pixels.
struct Drawn {
    layer: Layer,
    place: (i64, i64),
    /// Size of the document.
    document: (u64, u64),
    colours: String,
    member: Option<String>,
}

struct Stack {
    width: u64,
    height: u64,
    colours: String,
    profile: Option<String>,
    resolution: Option<f64>,
    layers: Vec<Drawn>,
}

pub(super) fn facts(package: &mut Package<'_>, facts: &mut Facts) -> Result<(), DecodeError> {
    let stack = stack(package)?;
    let (space, depth) = colours(&stack.colours);
    let mut picture = sized(stack.width, stack.height);
    picture.colour_space = Some(space.to_owned());
    picture.depth = Some(depth);
    picture.profile = stack.profile;
    picture.resolution = stack.resolution.map(|dots| (dots, dots));
    facts.picture = Some(picture);
    facts.layers = stack.layers.into_iter().map(|drawn| drawn.layer).collect();
    if let Some(text) = package.markup("documentinfo.xml")? {
        let document = parse(&text)?;
        for (element, name) in [
            ("title", "Title"),
            ("subject", "Subject"),
            ("abstract", "Description"),
            ("keyword", "Keywords"),
            ("full-name", "Author"),
            ("license", "License"),
        ] {
            let node = document.descendants().find(|node| node.tag_name().name() == element);
            if let Some(text) = node.and_then(|node| node.text()).map(str::trim).filter(|it| !it.is_empty()) {
                facts.add_field("office", name, text);
            }
        }
    }
    Ok(())
}

pub(super) fn prints(package: &mut Package<'_>, facts: &mut Facts) -> Result<(), DecodeError> {
    let stack = stack(package)?;
    for (layer, drawn) in facts.layers.iter_mut().zip(&stack.layers) {
        if let Some(tiles) = tiles(package, drawn)? {
            layer.bounds =
                (tiles.left, tiles.top, u64::from(tiles.pixels.width), u64::from(tiles.pixels.height));
            layer.print = Some(print((tiles.left, tiles.top), tiles.pixels.width, &tiles.pixels.bytes));
        }
    }
    Ok(())
}

pub(super) fn layer(package: &mut Package<'_>, layer: usize) -> Result<Option<Pixels>, DecodeError> {
    let stack = stack(package)?;
    let Some(drawn) = stack.layers.get(layer) else { return Ok(None) };
    let Some(tiles) = tiles(package, drawn)? else { return Ok(None) };
    Sheet { left: tiles.left, top: tiles.top, pixels: &tiles.pixels }
        .on_canvas(stack.width, stack.height)
        .map(Some)
}

/// The name of a space and bits per channel, of Krita's own name.
fn colours(name: &str) -> (&'static str, u32) {
    let depth = match name {
        _ if name.ends_with("F32") => 32,
        _ if name.ends_with("16") || name.ends_with("F16") => 16,
        _ => 8,
    };
    let space = match name {
        _ if name.starts_with("GRAY") => "gray",
        _ if name.starts_with("CMYK") => "CMYK",
        _ if name.starts_with("LAB") => "Lab",
        _ if name.starts_with("XYZ") => "XYZ",
        _ if name.starts_with("YCbCr") => "YCbCr",
        _ => "RGB",
    };
    (space, depth)
}

fn stack(package: &mut Package<'_>) -> Result<Stack, DecodeError> {
    let text = package.markup("maindoc.xml")?;
    let text = text.ok_or_else(|| DecodeError::Damaged("its list of layers is missing".to_owned()))?;
    let document = parse(&text)?;
    let image = document.descendants().find(|node| node.tag_name().name() == "IMAGE");
    let image = image.ok_or_else(|| DecodeError::Damaged("there is no picture in it".to_owned()))?;
    let side = |name| image.attribute(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut stack = Stack {
        width: side("width"),
        height: side("height"),
        colours: cut(image.attribute("colorspacename").unwrap_or_default()),
        profile: image.attribute("profile").filter(|name| !name.is_empty()).map(cut),
        resolution: image.attribute("x-res").and_then(|text| text.parse().ok()).filter(|dots| *dots > 1.0),
        layers: Vec::new(),
    };
    let name = image.attribute("name").unwrap_or_default();
    gather(image, 0, name, &mut stack.layers);
    let size = (stack.width, stack.height);
    stack.layers.iter_mut().for_each(|drawn| drawn.document = size);
    Ok(stack)
}

fn gather(parent: Node<'_, '_>, depth: u32, document: &str, layers: &mut Vec<Drawn>) {
    let lists = parent.children().filter(|node| matches!(node.tag_name().name(), "layers" | "LAYERS"));
    for node in lists.flat_map(|list| list.children()).filter(Node::is_element) {
        if layers.len() >= LIST_MAX {
            return;
        }
        let text = |name: &str| node.attribute(name).unwrap_or_default();
        let kind = match text("nodetype") {
            "grouplayer" => LayerKind::Group,
            "shapelayer" => LayerKind::Shape,
            "filelayer" | "clonelayer" => LayerKind::Placed,
            "adjustmentlayer" | "generatorlayer" => LayerKind::Adjustment,
            _ => LayerKind::Pixels,
        };
        let has_mask = node.descendants().any(|it| it.tag_name().name() == "mask");
        let member = format!("{document}/layers/{}", text("filename"));
        layers.push(Drawn {
            layer: Layer {
                name: cut(text("name")),
                id: node.attribute("uuid").map(cut),
                depth,
                kind,
                visible: text("visible") != "0",
                opacity: text("opacity").parse::<f64>().map_or(1.0, |opacity| opacity / 255.0),
                blend: cut(text("compositeop")),
                masked: has_mask && kind != LayerKind::Group,
                ..Layer::default()
            },
            document: (0, 0),
            place: (text("x").parse().unwrap_or(0), text("y").parse().unwrap_or(0)),
            colours: cut(text("colorspacename")),
            member: (text("nodetype") == "paintlayer").then_some(member),
        });
        if depth < DEPTH_MAX {
            gather(node, depth + 1, document, layers);
        }
    }
}

/// Pixels put together from tiles.
struct Tiled {
    left: i64,
    top: i64,
    pixels: Pixels,
}

/// One tile: its place and its bytes, a plane for each byte of a pixel.
type Tile<'b> = ((i64, i64), &'b [u8]);

fn tiles(package: &mut Package<'_>, drawn: &Drawn) -> Result<Option<Tiled>, DecodeError> {
    let Some(member) = &drawn.member else { return Ok(None) };
    let Some(bytes) = package.member(member, MEMBER_MAX)? else { return Ok(None) };
    let ground = package.member(&format!("{member}.defaultpixel"), 64)?.unwrap_or_default();
    put_together(&bytes, drawn, &ground)
}

fn put_together(bytes: &[u8], drawn: &Drawn, ground: &[u8]) -> Result<Option<Tiled>, DecodeError> {
    let damaged = || DecodeError::Damaged("pixels of a layer are damaged".to_owned());
    let mut rest = bytes;
    let mut line = || -> Option<&str> {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(&rest[..end]).ok()?;
        rest = &rest[end + 1..];
        Some(line)
    };
    let mut number = |name: &str| -> Option<u32> { line()?.strip_prefix(name)?.trim().parse().ok() };
    let head =
        (number("VERSION"), number("TILEWIDTH"), number("TILEHEIGHT"), number("PIXELSIZE"), number("DATA"));
    let (Some(2), Some(wide), Some(high), Some(size), Some(count)) = head else { return Err(damaged()) };
    if wide == 0 || high == 0 || wide > TILE_MAX || high > TILE_MAX || size == 0 || size > 64 {
        return Err(damaged());
    }
    let mut found: Vec<Tile<'_>> = Vec::new();
    for _ in 0..count {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
        let (place, length) = place(&rest[..end]).ok_or_else(damaged)?;
        let (data, after) = rest[end + 1..].split_at_checked(length).ok_or_else(damaged)?;
        // What lies far outside of the document is seen by nobody.
        let near = |at: i64, size: u64| at.unsigned_abs() <= size.saturating_mul(2);
        if near(place.0, drawn.document.0) && near(place.1, drawn.document.1) {
            found.push((place, data));
        }
        rest = after;
    }
    let Some(Bounds { left, top, width, height }) = bounds(&found, (wide, high)) else { return Ok(None) };
    if width.saturating_mul(height) > PIXELS_MAX {
        return Err(DecodeError::TooLarge("a layer is too large for a preview".to_owned()));
    }
    let painter = Painter::of(&drawn.colours, size as usize);
    let mut canvas = painter.pixel(ground).repeat((width * height) as usize);
    let mut planes = Vec::new();
    for (place, data) in found {
        let length = (wide * high * size) as usize;
        let raw = match data.split_first() {
            Some((1, packed)) => unpack(packed, length, &mut planes).ok_or_else(damaged)?,
            Some((0, raw)) if raw.len() == length => raw,
            _ => return Err(damaged()),
        };
        let at = ((place.0 - left) as u64, (place.1 - top) as u64);
        for y in 0..u64::from(high) {
            for x in 0..u64::from(wide) {
                let number = (y * u64::from(wide) + x) as usize;
                let pixel = painter.plane_pixel(raw, number, data[0] == 1, (wide * high) as usize);
                let to = (((at.1 + y) * width + at.0 + x) * 4) as usize;
                canvas[to..to + 4].copy_from_slice(&pixel);
            }
        }
    }
    let pixels = Pixels::new(width as u32, height as u32, canvas)?;
    Ok(Some(Tiled { left: left + drawn.place.0, top: top + drawn.place.1, pixels }))
}

/// Where a tile lies and how many bytes it has, of a line as `64,192,LZF,1264`.
fn place(line: &[u8]) -> Option<((i64, i64), usize)> {
    let mut parts = std::str::from_utf8(line).ok()?.split(',');
    let (x, y) = (parts.next()?.parse::<i64>().ok()?, parts.next()?.parse::<i64>().ok()?);
    if parts.next()? != "LZF" || x.abs() > FAR || y.abs() > FAR {
        return None;
    }
    Some(((x, y), parts.next()?.parse().ok()?))
}

struct Bounds {
    left: i64,
    top: i64,
    width: u64,
    height: u64,
}

fn bounds(tiles: &[Tile<'_>], (wide, high): (u32, u32)) -> Option<Bounds> {
    let left = tiles.iter().map(|tile| tile.0.0).min()?;
    let top = tiles.iter().map(|tile| tile.0.1).min()?;
    let right = tiles.iter().map(|tile| tile.0.0).max()? + i64::from(wide);
    let bottom = tiles.iter().map(|tile| tile.0.1).max()? + i64::from(high);
    Some(Bounds { left, top, width: (right - left) as u64, height: (bottom - top) as u64 })
}

/// How the bytes of a pixel become red, green, blue and opacity.
struct Painter {
    size: usize,
    /// Places of the most significant byte of red, green, blue and opacity.
    places: [usize; 4],
}

impl Painter {
    /// Krita writes blue before green and red, and grey before opacity; of deeper channels the lower byte first.
    fn of(colours: &str, size: usize) -> Self {
        let (space, depth) = self::colours(colours);
        let step = (depth / 8) as usize;
        let high = |channel: usize| (channel * step + step - 1).min(size - 1);
        let places = match space {
            "gray" => [high(0), high(0), high(0), high(1)],
            _ => [high(2), high(1), high(0), high(3)],
        };
        Self { size, places }
    }

    fn pixel(&self, bytes: &[u8]) -> [u8; 4] {
        if bytes.len() < self.size { [0; 4] } else { self.places.map(|place| bytes[place]) }
    }

    /// A pixel of a tile, whose bytes stand together or, when it was packed, in planes.
    fn plane_pixel(&self, raw: &[u8], number: usize, planes: bool, count: usize) -> [u8; 4] {
        self.places
            .map(|place| if planes { raw[place * count + number] } else { raw[number * self.size + place] })
    }
}

/// Unpacks LZF: runs of bytes as they are, and references to what was written.
fn unpack<'o>(packed: &[u8], length: usize, out: &'o mut Vec<u8>) -> Option<&'o [u8]> {
    out.clear();
    let mut rest = packed;
    while let Some((control, after)) = rest.split_first() {
        if *control < 32 {
            let (run, after) = after.split_at_checked(usize::from(*control) + 1)?;
            out.extend_from_slice(run);
            rest = after;
        } else {
            let mut count = usize::from(control >> 5);
            let mut after = after;
            if count == 7 {
                let (more, next) = after.split_first()?;
                count += usize::from(*more);
                after = next;
            }
            let (low, next) = after.split_first()?;
            let back = (usize::from(control & 31) << 8) + usize::from(*low) + 1;
            let from = out.len().checked_sub(back)?;
            for at in from..from + count + 2 {
                out.push(out[at]);
            }
            rest = next;
        }
        if out.len() > length {
            return None;
        }
    }
    (out.len() == length).then_some(out.as_slice())
}
