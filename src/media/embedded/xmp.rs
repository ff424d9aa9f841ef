//! XMP packets (ISO 16684-1): fields in RDF, from many schemas.

use roxmltree::{Document, Node, ParsingOptions};

use crate::media::facts::Field;

/// Longest packet that is read, in bytes.
pub const PACKET_MAX: usize = 16 << 20;
/// Most nodes of one packet.
const NODES_MAX: u32 = 200_000;
/// How deep values may lie in each other.
const DEPTH_MAX: usize = 12;
/// Most fields of one packet.
const FIELDS_MAX: usize = 4000;

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// The usual short names of schemas, by which their fields are known whatever a packet calls them.
const SCHEMAS: &[(&str, &str)] = &[
    ("http://purl.org/dc/elements/1.1/", "dc"),
    ("http://purl.org/dc/terms/", "dcterms"),
    ("http://ns.adobe.com/xap/1.0/", "xmp"),
    ("http://ns.adobe.com/xap/1.0/rights/", "xmpRights"),
    ("http://ns.adobe.com/xap/1.0/mm/", "xmpMM"),
    ("http://ns.adobe.com/xap/1.0/bj/", "xmpBJ"),
    ("http://ns.adobe.com/xap/1.0/t/pg/", "xmpTPg"),
    ("http://ns.adobe.com/xap/1.0/sType/ResourceEvent#", "stEvt"),
    ("http://ns.adobe.com/xap/1.0/sType/ResourceRef#", "stRef"),
    ("http://ns.adobe.com/xap/1.0/sType/Dimensions#", "stDim"),
    ("http://ns.adobe.com/xmp/sType/Area#", "stArea"),
    ("http://ns.adobe.com/xmp/1.0/DynamicMedia/", "xmpDM"),
    ("http://ns.adobe.com/photoshop/1.0/", "photoshop"),
    ("http://ns.adobe.com/camera-raw-settings/1.0/", "crs"),
    ("http://ns.adobe.com/lightroom/1.0/", "lr"),
    ("http://ns.adobe.com/pdf/1.3/", "pdf"),
    ("http://www.aiim.org/pdfa/ns/id/", "pdfaid"),
    ("http://ns.adobe.com/tiff/1.0/", "tiff"),
    ("http://ns.adobe.com/exif/1.0/", "exif"),
    ("http://cipa.jp/exif/1.0/", "exifEX"),
    ("http://ns.adobe.com/exif/1.0/aux/", "aux"),
    ("http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/", "Iptc4xmpCore"),
    ("http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "Iptc4xmpExt"),
    ("http://ns.useplus.org/ldf/xmp/1.0/", "plus"),
    ("http://creativecommons.org/ns#", "cc"),
    ("http://ns.microsoft.com/photo/1.0/", "MicrosoftPhoto"),
    ("http://www.metadataworkinggroup.com/schemas/regions/", "mwg-rs"),
    ("http://www.digikam.org/ns/1.0/", "digiKam"),
    ("http://ns.google.com/photos/1.0/container/", "Container"),
];

/// The fields of a packet; `None` when it is not well-formed.
pub fn read(packet: &[u8]) -> Option<Vec<Field>> {
    let text = text_of(packet)?;
    let options = ParsingOptions { nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&text, options).ok()?;
    Some(fields(&document))
}

/// The fields of every description in a document.
pub fn fields(document: &Document<'_>) -> Vec<Field> {
    let mut reading = Reading { fields: Vec::new() };
    let roots = document.descendants().filter(|node| node.has_tag_name((RDF, "RDF")));
    // A description may be called by what it describes; terms of licences stand beside those of works.
    let is_of_file = |node: &Node<'_, '_>| node.is_element() && node.tag_name().name() != "License";
    for description in roots.flat_map(|root| root.children()).filter(is_of_file) {
        reading.members(description, "", 0);
    }
    reading.fields
}

/// The text between the packet's wrapper, whatever its encoding.
fn text_of(packet: &[u8]) -> Option<String> {
    if packet.len() > PACKET_MAX {
        return None;
    }
    // A mark at the beginning says when it is in UTF-16.
    let (text, _, _) = encoding_rs::UTF_8.decode(packet);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0' || c == '\u{feff}');
    Some(text.to_owned())
}

struct Reading {
    fields: Vec<Field>,
}

impl Reading {
    /// The fields of a description or a structure: its attributes and its elements.
    fn members(&mut self, node: Node<'_, '_>, above: &str, depth: usize) {
        for attribute in node.attributes() {
            let space = attribute.namespace().unwrap_or("");
            if !space.is_empty() && space != RDF && space != XML {
                self.add(&join(above, &name(space, attribute.name())), attribute.value());
            }
        }
        for child in node.children().filter(Node::is_element) {
            let tag = child.tag_name();
            self.value(child, &join(above, &name(tag.namespace().unwrap_or(""), tag.name())), depth + 1);
        }
    }

    fn value(&mut self, node: Node<'_, '_>, path: &str, depth: usize) {
        if depth > DEPTH_MAX || self.fields.len() >= FIELDS_MAX {
            return;
        }
        if let Some(resource) = node.attribute((RDF, "resource")) {
            return self.add(path, resource);
        }
        let array = node
            .children()
            .find(|child| ["Seq", "Bag", "Alt"].iter().any(|kind| child.has_tag_name((RDF, *kind))));
        if let Some(array) = array {
            return self.array(array, path, depth);
        }
        let described = node.children().find(|child| child.has_tag_name((RDF, "Description")));
        let structure = described.or_else(|| {
            let own = |it: roxmltree::Attribute<'_, '_>| {
                it.namespace().is_some_and(|space| space != RDF && space != XML)
            };
            let is = node.attribute((RDF, "parseType")) == Some("Resource")
                || node.children().any(|child| child.is_element())
                || node.attributes().any(own);
            is.then_some(node)
        });
        match structure {
            // A value with qualifiers stands as a member of its own.
            Some(structure) => match structure.children().find(|it| it.has_tag_name((RDF, "value"))) {
                Some(value) => self.add(path, value.text().unwrap_or_default()),
                None => self.members(structure, path, depth),
            },
            None => self.add(path, node.text().unwrap_or_default()),
        }
    }

    fn array(&mut self, array: Node<'_, '_>, path: &str, depth: usize) {
        let is_choice = array.has_tag_name((RDF, "Alt"));
        let members = array.children().filter(|child| child.has_tag_name((RDF, "li")));
        for (number, member) in members.enumerate() {
            let language = member.attribute((XML, "lang"));
            let plain = !member.children().any(|child| child.is_element())
                && member.attributes().all(|it| it.namespace() == Some(XML));
            match language {
                Some(language) if is_choice && language != "x-default" => {
                    self.value(member, &format!("{path}[{language}]"), depth + 1);
                }
                _ if plain => self.push(path, member.text().unwrap_or_default()),
                _ => self.value(member, &format!("{path}[{}]", number + 1), depth + 1),
            }
        }
    }

    fn add(&mut self, path: &str, value: &str) {
        let value = value.trim();
        // Small pictures of the whole stand in some packets, as text.
        let told = !value.is_empty() && !path.starts_with("xmp:Thumbnails");
        if told && self.fields.len() < FIELDS_MAX {
            let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
            self.fields.push(Field { number, ..Field::text("xmp", path, value) });
        }
    }

    /// Adds a member of a list.
    fn push(&mut self, path: &str, value: &str) {
        let value = value.trim();
        match self.fields.last_mut().filter(|field| field.name == path) {
            _ if value.is_empty() => {}
            Some(field) => field.push(value),
            None => self.add(path, value),
        }
    }
}

fn name(space: &str, name: &str) -> String {
    match SCHEMAS.iter().find(|(address, _)| *address == space) {
        Some((_, prefix)) => format!("{prefix}:{name}"),
        // A schema that is not known is called by the end of its address.
        None => {
            let end = space.trim_end_matches(['/', '#']).rsplit(['/', '#']).next().unwrap_or_default();
            if end.is_empty() { name.to_owned() } else { format!("{end}:{name}") }
        }
    }
}

fn join(above: &str, name: &str) -> String {
    if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") }
}
