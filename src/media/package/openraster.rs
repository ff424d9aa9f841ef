//! OpenRaster documents (OpenRaster specification 0.0.6): a stack of layers, each a PNG file.

use roxmltree::Node;

use super::{MEMBER_MAX, Package, parse, picture, sized};
use crate::media::decoder::DecodeError;
use crate::media::facts::{Facts, LIST_MAX, Layer, LayerKind, cut};
use crate::media::layer_print::{Sheet, print};
use crate::media::pixels::Pixels;

/// How deep groups may lie in each other.
const DEPTH_MAX: u32 = 100;

/// What is drawn of one layer.
struct Drawn {
    layer: Layer,
    /// The member that has its pixels.
    source: Option<String>,
}

struct Stack {
    width: u64,
    height: u64,
    layers: Vec<Drawn>,
}

pub(super) fn facts(package: &mut Package<'_>, facts: &mut Facts) -> Result<(), DecodeError> {
    let stack = stack(package)?;
    facts.picture = Some(sized(stack.width, stack.height));
    facts.layers = stack.layers.into_iter().map(|drawn| drawn.layer).collect();
    Ok(())
}

pub(super) fn prints(package: &mut Package<'_>, facts: &mut Facts) -> Result<(), DecodeError> {
    let stack = stack(package)?;
    for (layer, drawn) in facts.layers.iter_mut().zip(&stack.layers) {
        if let Some(pixels) = pixels(package, drawn)? {
            let (left, top, ..) = drawn.layer.bounds;
            layer.print = Some(print((left, top), pixels.width, &pixels.bytes));
            (layer.bounds.2, layer.bounds.3) = (u64::from(pixels.width), u64::from(pixels.height));
        }
    }
    Ok(())
}

pub(super) fn layer(package: &mut Package<'_>, layer: usize) -> Result<Option<Pixels>, DecodeError> {
    let stack = stack(package)?;
    let Some(drawn) = stack.layers.get(layer) else { return Ok(None) };
    let Some(pixels) = pixels(package, drawn)? else { return Ok(None) };
    let (left, top, ..) = drawn.layer.bounds;
    Sheet { left, top, pixels: &pixels }.on_canvas(stack.width, stack.height).map(Some)
}

fn pixels(package: &mut Package<'_>, drawn: &Drawn) -> Result<Option<Pixels>, DecodeError> {
    let Some(source) = &drawn.source else { return Ok(None) };
    package.member(source, MEMBER_MAX)?.map(|bytes| picture(&bytes)).transpose()
}

fn stack(package: &mut Package<'_>) -> Result<Stack, DecodeError> {
    let text = package.markup("stack.xml")?;
    let text = text.ok_or_else(|| DecodeError::Damaged("its list of layers is missing".to_owned()))?;
    let document = parse(&text)?;
    let root = document.root_element();
    let side = |name| root.attribute(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut stack = Stack { width: side("w"), height: side("h"), layers: Vec::new() };
    if let Some(top) = root.children().find(|child| child.has_tag_name("stack")) {
        gather(top, 0, (0, 0), &mut stack.layers);
    }
    Ok(stack)
}

/// Adds what a group holds; places are counted from that of the group.
fn gather(group: Node<'_, '_>, depth: u32, (left, top): (i64, i64), layers: &mut Vec<Drawn>) {
    for node in group.children().filter(Node::is_element) {
        if layers.len() >= LIST_MAX {
            return;
        }
        let number = |name| node.attribute(name).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        let place = (left.saturating_add(number("x")), top.saturating_add(number("y")));
        let is_group = node.has_tag_name("stack");
        if !is_group && !node.has_tag_name("layer") {
            continue;
        }
        let blend = node.attribute("composite-op").unwrap_or("svg:src-over");
        layers.push(Drawn {
            layer: Layer {
                name: cut(node.attribute("name").unwrap_or("layer")),
                depth,
                kind: if is_group { LayerKind::Group } else { LayerKind::Pixels },
                visible: node.attribute("visibility") != Some("hidden"),
                opacity: node.attribute("opacity").and_then(|text| text.parse().ok()).unwrap_or(1.0),
                blend: match blend {
                    "svg:src-over" => "normal".to_owned(),
                    other => cut(other.trim_start_matches("svg:")),
                },
                bounds: (place.0, place.1, 0, 0),
                ..Layer::default()
            },
            source: node.attribute("src").filter(|_| !is_group).map(str::to_owned),
        });
        if is_group && depth < DEPTH_MAX {
            gather(node, depth + 1, place, layers);
        }
    }
}
