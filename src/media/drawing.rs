//! Drawings (SVG, and SVG packed with gzip): as pixels, and element by element.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::roxmltree::{Document, Node, ParsingOptions};
use resvg::usvg::{self, ImageHrefResolver, fontdb};
use std::collections::HashMap;
use std::io::Read as _;
use std::sync::Arc;

use crate::media::decoder::{DecodeError, Decoder, Done, Shown, Wanted};
use crate::media::embedded;
use crate::media::facts::{Facts, FontUse, LIST_MAX, Layer, LayerKind, Picture, Print, cut};
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::pixels::Pixels;
use crate::media::{stand_in_fonts, typeface};

/// Longest drawing, unpacked, in bytes.
const BYTES_MAX: usize = 64 << 20;
/// Most elements of one drawing.
const NODES_MAX: u32 = 1_000_000;
/// How deep elements may lie in each other.
const DEPTH_MAX: u32 = 200;
/// Namespaces in which editors keep their own notes, rewritten on every save.
const NOTES: &[&str] =
    &["http://www.inkscape.org/namespaces/inkscape", "http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd"];
const SVG: &str = "http://www.w3.org/2000/svg";

/// Drawings.
pub struct Drawing;

impl Decoder for Drawing {
    fn formats(&self) -> &'static [&'static Format] {
        &[&format::SVG]
    }

    fn facts(&self, input: &mut Input<'_>, _: &'static Format, facts: &mut Facts) -> Done {
        let text = text_of(input)?;
        let document = parse(&text)?;
        let size = tree_of(&document)?.size();
        facts.picture = Some(Picture {
            width: size.width().ceil() as u64,
            height: size.height().ceil() as u64,
            ..Picture::default()
        });
        facts.layers = elements(&document);
        tell(&document, facts);
        Ok(())
    }

    fn picture(&self, input: &mut Input<'_>, _: &'static Format, wanted: Wanted) -> Shown {
        let text = text_of(input)?;
        let document = parse(&text)?;
        draw(&document, wanted.edge).map(Some)
    }

    fn compares(&self, _: &'static Format) -> Option<&'static str> {
        Some("elements")
    }

    fn layer(&self, input: &mut Input<'_>, _: &'static Format, layer: usize, wanted: Wanted) -> Shown {
        let text = text_of(input)?;
        let document = parse(&text)?;
        let Some(alone) = alone(&document, &text, layer) else { return Ok(None) };
        draw(&parse(&alone)?, wanted.edge).map(Some)
    }
}

/// Draws markup that was made here, with its longest side of exactly `edge` pixels.
pub fn drawn(markup: &str, edge: u32) -> Result<Pixels, DecodeError> {
    draw(&parse(markup)?, edge)
}

/// Draws a document with its longest side of exactly `edge` pixels.
fn draw(document: &Document<'_>, edge: u32) -> Result<Pixels, DecodeError> {
    let tree = tree_of(document)?;
    let size = tree.size();
    let scale = edge as f32 / size.width().max(size.height());
    let side = |length: f32| ((length * scale).round() as u32).clamp(1, edge);
    let (width, height) = (side(size.width()), side(size.height()));
    let mut pixmap = Pixmap::new(width, height)
        .ok_or_else(|| DecodeError::TooLarge("the drawing is too large".to_owned()))?;
    let (across, down) = (width as f32 / size.width(), height as f32 / size.height());
    resvg::render(&tree, Transform::from_scale(across, down), &mut pixmap.as_mut());
    Pixels::new(width, height, pixmap.take_demultiplied())
}

/// The document's text without every other element that draws something: those in front of it, and
/// those behind it. Gradients, styles and the groups that hold it stay.
fn alone(document: &Document<'_>, text: &str, layer: usize) -> Option<String> {
    let mut nodes = Vec::new();
    gather(document.root_element(), 0, &mut |node, _, _| nodes.push(node));
    let wanted = *nodes.get(layer)?;
    let around: Vec<_> = wanted.ancestors().collect();
    let within = |node: &Node<'_, '_>| node.ancestors().any(|it| it == wanted);
    let mut cut: Vec<std::ops::Range<usize>> =
        nodes.iter().filter(|node| !around.contains(node) && !within(node)).map(Node::range).collect();
    cut.sort_by_key(|range| range.start);
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for range in cut {
        // What lies within one that is left out is left out with it.
        if range.start >= at {
            out.push_str(text.get(at..range.start)?);
            at = range.end;
        }
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// What the drawing says in words, which typefaces it asks for and which files it would need.
fn tell(document: &Document<'_>, facts: &mut Facts) {
    let mut fonts: Vec<String> = Vec::new();
    let mut says = false;
    for node in document.descendants().filter(Node::is_element) {
        if let Some(families) = property(node, "font-family") {
            let first = families.split(',').next().unwrap_or_default();
            fonts.push(cut(first.trim().trim_matches(['"', '\''])));
        }
        let href = node.attributes().find(|it| it.name() == "href").map(|it| it.value());
        let outside = |href: &&str| !href.starts_with('#') && !href.starts_with("data:");
        // What a link leads to is not needed to draw it.
        if let Some(href) = href.filter(outside).filter(|_| !node.has_tag_name((SVG, "a"))) {
            facts.needs.push(cut(href));
        }
        if node.has_tag_name((SVG, "text")) {
            says = true;
            facts.add_text(&words(node));
        }
    }
    let root = document.root_element();
    for name in ["title", "desc"] {
        let own = root.children().find(|child| child.has_tag_name((SVG, name)));
        if let Some(text) = own.map(words).filter(|text| !text.is_empty()) {
            facts.add_field("svg", name, &text);
        }
    }
    facts.add_fields(embedded::xmp::fields(document));
    facts.content_credentials |=
        document.descendants().any(|node| node.tag_name().namespace() == Some("http://c2pa.org/manifest"));
    fonts.sort();
    fonts.dedup();
    let carried = typefaces(document);
    let embedded = |name: &String| carried.iter().any(|(carried, _)| carried == name);
    facts.fonts_used =
        fonts.into_iter().take(LIST_MAX).map(|name| FontUse { embedded: embedded(&name), name }).collect();
    facts.needs.sort();
    facts.needs.dedup();
    facts.needs.truncate(LIST_MAX);
    if !facts.needs.is_empty() {
        facts.note("it shows other files, which are not drawn: a decoder opens none");
    }
    if says && (facts.fonts_used.is_empty() || facts.fonts_used.iter().any(|font| !font.embedded)) {
        facts.note(match stand_in_fonts::taken()[0] {
            Some(_) => "text is drawn with a typeface of this machine where the drawing carries none",
            None => "text is not drawn where the drawing carries no typeface: this machine has none",
        });
    }
}

fn words(node: Node<'_, '_>) -> String {
    let all: String = node.descendants().filter(Node::is_text).filter_map(|it| it.text()).collect();
    cut(&all.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Typefaces that style sheets carry as data: the name by which they are asked for, and their bytes.
fn typefaces(document: &Document<'_>) -> Vec<(String, Vec<u8>)> {
    use base64ct::{Base64, Encoding as _};
    let mut found = Vec::new();
    let sheets = document.descendants().filter(|node| node.has_tag_name((SVG, "style")));
    for rule in sheets.filter_map(|sheet| sheet.text()).flat_map(|text| text.split("@font-face").skip(1)) {
        let body = rule.split('}').next().unwrap_or_default();
        let name = body.split("font-family").nth(1).and_then(|rest| rest.split(';').next());
        let name = name.map(|name| name.trim_start_matches([':', ' ']).trim().trim_matches(['"', '\'']));
        let data = body.split("url(").nth(1).and_then(|rest| rest.split(')').next());
        let data = data.and_then(|data| data.trim_matches(['"', '\'']).split_once(";base64,"));
        let (Some(name), Some((_, digits))) = (name, data) else { continue };
        let digits: String = digits.chars().filter(|c| !c.is_whitespace()).collect();
        if let Ok(bytes) = Base64::decode_vec(&digits)
            && let Ok(bytes) = typeface::plain(bytes)
        {
            found.push((cut(name), bytes));
        }
    }
    found
}

/// The drawing's text, unpacked when it is packed, and no more of it than a drawing may have.
fn text_of(input: &mut Input<'_>) -> Result<String, DecodeError> {
    let mut bytes = input.read_at(0, BYTES_MAX + 1)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        let stream = flate2::read::MultiGzDecoder::new(bytes.as_slice());
        let read = stream.take(BYTES_MAX as u64 + 1).read_to_end(&mut unpacked);
        read.map_err(|error| DecodeError::Damaged(error.to_string()))?;
        bytes = unpacked;
    }
    if bytes.len() > BYTES_MAX {
        return Err(DecodeError::TooLarge("the drawing is longer than a drawing may be".to_owned()));
    }
    // A mark at the beginning says when it is in UTF-16.
    let (text, _, damaged) = encoding_rs::UTF_8.decode(&bytes);
    if damaged {
        return Err(DecodeError::Damaged("the drawing is not UTF-8 text".to_owned()));
    }
    Ok(text.into_owned())
}

fn parse(text: &str) -> Result<Document<'_>, DecodeError> {
    let options = ParsingOptions { allow_dtd: true, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| DecodeError::Damaged(error.to_string()))?;
    // What walks it goes down into it by calls, of which there is a limit.
    let mut depths = HashMap::new();
    for node in document.descendants().filter(Node::is_element) {
        let depth: usize = node.parent().and_then(|parent| depths.get(&parent.id())).map_or(0, |it| it + 1);
        if depth > DEPTH_MAX as usize {
            return Err(DecodeError::Unsupported("its elements lie in each other without end".to_owned()));
        }
        depths.insert(node.id(), depth);
    }
    Ok(document)
}

fn tree_of(document: &Document<'_>) -> Result<usvg::Tree, DecodeError> {
    let mut fonts = fontdb::Database::new();
    let names: Vec<Option<String>> = stand_in_fonts::taken()
        .iter()
        .map(|font| {
            fonts.load_font_data((*font)?.to_vec());
            Some(fonts.faces().last()?.families.first()?.0.clone())
        })
        .collect();
    for (name, bytes) in typefaces(document) {
        for id in fonts.load_font_source(fontdb::Source::Binary(Arc::new(bytes))) {
            // It is asked for by the name that the style sheet gives it, whatever its own is.
            let Some(face) = fonts.face(id).cloned() else { continue };
            fonts.remove_face(id);
            let families = face.families.iter().map(|(_, language)| (name.clone(), *language)).collect();
            fonts.push_face_info(fontdb::FaceInfo { families, ..face });
        }
    }
    let name = |at: usize| names[at].clone().or_else(|| names[0].clone()).unwrap_or_default();
    fonts.set_sans_serif_family(name(0));
    fonts.set_cursive_family(name(0));
    fonts.set_fantasy_family(name(0));
    fonts.set_serif_family(name(1));
    fonts.set_monospace_family(name(2));
    let options = usvg::Options {
        font_family: name(0),
        fontdb: Arc::new(fonts),
        // Nothing outside of the drawing is looked at, whatever it names.
        image_href_resolver: ImageHrefResolver {
            resolve_data: ImageHrefResolver::default_data_resolver(),
            resolve_string: Box::new(|_, _| None),
        },
        ..usvg::Options::default()
    };
    usvg::Tree::from_xmltree(document, &options).map_err(|error| DecodeError::Damaged(error.to_string()))
}

/// Elements that are drawn, as layers: what is drawn last comes first.
fn elements(document: &Document<'_>) -> Vec<Layer> {
    let mut layers = Vec::new();
    gather(document.root_element(), 0, &mut |node, kind, depth| {
        if layers.len() < LIST_MAX {
            layers.push(layer(node, kind, depth));
        }
    });
    layers
}

/// Calls for every element that is drawn, with what it is and how deep it lies.
fn gather<'a, 'i>(parent: Node<'a, 'i>, depth: u32, found: &mut dyn FnMut(Node<'a, 'i>, LayerKind, u32)) {
    let children: Vec<Node<'_, '_>> = parent.children().filter(Node::is_element).collect();
    for node in children.into_iter().rev() {
        let Some(kind) = kind(node) else { continue };
        found(node, kind, depth);
        if kind == LayerKind::Group && depth < DEPTH_MAX {
            gather(node, depth + 1, found);
        }
    }
}

fn kind(node: Node<'_, '_>) -> Option<LayerKind> {
    if node.tag_name().namespace() != Some(SVG) {
        return None;
    }
    Some(match node.tag_name().name() {
        "g" | "a" | "svg" | "switch" => LayerKind::Group,
        "text" => LayerKind::Text,
        "image" | "use" => LayerKind::Placed,
        "path" | "rect" | "circle" | "ellipse" | "line" | "polyline" | "polygon" => LayerKind::Shape,
        _ => return None,
    })
}

fn layer(node: Node<'_, '_>, kind: LayerKind, depth: u32) -> Layer {
    let label = node.attributes().find(|it| it.name() == "label").map(|it| it.value());
    let id = node.attribute("id");
    let name = label.or(id).unwrap_or(node.tag_name().name());
    let text = (kind == LayerKind::Text).then(|| words(node));
    let print = Print {
        hash: hash(node, kind == LayerKind::Group),
        // An element has no pixels of its own: only that it is drawn anew is told.
        bounds: (0, 0, 1, 1),
        mask: None,
    };
    Layer {
        name: cut(name),
        id: id.map(cut),
        depth,
        kind,
        visible: property(node, "display").as_deref() != Some("none")
            && property(node, "visibility").as_deref() != Some("hidden"),
        opacity: property(node, "opacity").and_then(|text| text.parse().ok()).unwrap_or(1.0),
        blend: property(node, "mix-blend-mode").map_or_else(|| "normal".to_owned(), |text| cut(&text)),
        text,
        print: Some(print),
        ..Layer::default()
    }
}

/// A property, from the element's style or its attribute.
fn property(node: Node<'_, '_>, name: &str) -> Option<String> {
    let styled = node.attribute("style").and_then(|style| {
        let mut declarations = style.split(';').filter_map(|it| it.split_once(':'));
        declarations.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
    });
    styled.or_else(|| node.attribute(name).map(|value| value.trim().to_owned()))
}

/// What makes an element look as it does: its attributes without editors' notes and in no order, and
/// what it holds; of a group only the former. Nothing when there is nothing.
fn hash(node: Node<'_, '_>, alone: bool) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut told = false;
    for node in node.descendants().filter(|it| it.is_element() || it.is_text()) {
        if let Some(text) = node.text().filter(|_| node.is_text()) {
            hasher.update(text.trim().as_bytes()).update(&[0]);
            continue;
        }
        hasher.update(node.tag_name().name().as_bytes()).update(&[1]);
        for attribute in looks(node) {
            told = true;
            hasher.update(attribute.as_bytes()).update(&[2]);
        }
        if alone {
            break;
        }
    }
    if alone && !told { String::new() } else { hasher.finalize().to_hex().to_string() }
}

/// The attributes and declarations that make an element look as it does, but those that are told by
/// themselves.
fn looks(node: Node<'_, '_>) -> Vec<String> {
    let told = ["id", "display", "visibility", "opacity", "mix-blend-mode"];
    let mut looks: Vec<String> = Vec::new();
    for it in node.attributes().filter(|it| it.namespace().is_none_or(|space| !NOTES.contains(&space))) {
        if it.name() == "style" {
            let declarations = it.value().split(';').filter_map(|it| it.split_once(':'));
            let kept = declarations.filter(|(key, _)| !told.contains(&key.trim()));
            looks.extend(kept.map(|(key, value)| format!("{}={}", key.trim(), value.trim())));
        } else if !told.contains(&it.name()) {
            looks.push(format!("{}={}", it.name(), it.value().trim()));
        }
    }
    looks.sort_unstable();
    looks
}
