//! One packet of XMP out of two: what is written now, and what else stood in the file.

use roxmltree::{Attribute, Document, Node};
use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::media::decoder::DecodeError;

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
/// Properties that only say how the packet was written.
const REWRITTEN: &[(&str, &str)] = &[("http://ns.adobe.com/xap/1.0/", "MetadataDate")];
/// The end of what has properties in a packet.
const END: &str = "</rdf:RDF>";

/// `packet` with the properties of earlier ones that it has not itself.
pub(super) fn merged(before: &[Vec<u8>], packet: &str) -> Result<String, DecodeError> {
    let new = parse(packet)?;
    let mut written: BTreeSet<(String, String)> = properties(&new);
    written.extend(REWRITTEN.iter().map(|(space, name)| ((*space).to_owned(), (*name).to_owned())));
    let mut kept = String::new();
    for old in before {
        // Programs leave room behind a packet, and some a zero.
        let text = String::from_utf8_lossy(old);
        let text = text.trim_matches(['\0', '\u{feff}', ' ', '\n', '\r', '\t']);
        let document = parse(text)?;
        for node in descriptions(&document) {
            keep(node, text, &written, &mut kept);
        }
        written.extend(properties(&document));
    }
    let Some(at) = packet.rfind(END) else {
        return Err(DecodeError::Damaged("the packet has no properties".to_owned()));
    };
    Ok(format!("{}{kept}{}", &packet[..at], &packet[at..]))
}

fn parse(text: &str) -> Result<Document<'_>, DecodeError> {
    Document::parse(text)
        .map_err(|error| DecodeError::Damaged(format!("its own XMP is not well-formed: {error}")))
}

fn descriptions<'d, 'i>(document: &'d Document<'i>) -> impl Iterator<Item = Node<'d, 'i>> {
    let root = document.descendants().find(|node| node.has_tag_name((RDF, "RDF")));
    root.into_iter().flat_map(|root| root.children()).filter(|node| node.has_tag_name((RDF, "Description")))
}

/// Names of all properties of a packet, with their schemas.
fn properties(document: &Document<'_>) -> BTreeSet<(String, String)> {
    let mut names = BTreeSet::new();
    for node in descriptions(document) {
        let attributes = node.attributes().map(|it| (it.namespace(), it.name()));
        let elements = node
            .children()
            .filter(Node::is_element)
            .map(|it| it.tag_name())
            .map(|it| (it.namespace(), it.name()));
        let all = attributes.chain(elements);
        names.extend(all.filter_map(|(space, name)| Some((space?.to_owned(), name.to_owned()))));
    }
    names
}

/// Adds a description with the properties that are not written anew.
fn keep(node: Node<'_, '_>, text: &str, written: &BTreeSet<(String, String)>, into: &mut String) {
    let is_new = |space: Option<&str>, name: &str| {
        space.is_none_or(|space| space == RDF || written.contains(&(space.to_owned(), name.to_owned())))
    };
    let prefix = |attribute: &Attribute<'_, '_>| {
        let space = attribute.namespace();
        node.namespaces()
            .find(|it| Some(it.uri()) == space && it.name().is_some())
            .and_then(roxmltree::Namespace::name)
    };
    let mut attributes = String::new();
    for attribute in node.attributes().filter(|it| !is_new(it.namespace(), it.name())) {
        if let Some(prefix) = prefix(&attribute) {
            let _ = write!(attributes, " {prefix}:{}=\"{}\"", attribute.name(), escaped(attribute.value()));
        }
    }
    let elements = node
        .children()
        .filter(|it| it.is_element() && !is_new(it.tag_name().namespace(), it.tag_name().name()));
    let elements: Vec<&str> = elements.filter_map(|it| text.get(it.range())).collect();
    if attributes.is_empty() && elements.is_empty() {
        return;
    }
    into.push_str("<rdf:Description rdf:about=\"\"");
    for space in node.namespaces() {
        match space.name() {
            Some("xml" | "rdf") => {}
            Some(name) => {
                let _ = write!(into, " xmlns:{name}=\"{}\"", escaped(space.uri()));
            }
            None => {
                let _ = write!(into, " xmlns=\"{}\"", escaped(space.uri()));
            }
        }
    }
    let _ = write!(into, "{attributes}>");
    elements.iter().for_each(|element| into.push_str(element));
    into.push_str("</rdf:Description>\n");
}

fn escaped(text: &str) -> String {
    let plain = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    plain.replace('\n', "&#10;").replace('\r', "&#13;").replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\
        <rdf:Description rdf:about='' xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>New</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>";

    #[test]
    fn what_is_written_replaces_and_the_rest_stays() {
        let old = "<?xpacket begin=''?><x:xmpmeta xmlns:x='adobe:ns:meta/' xmlns:cam='urn:c'><r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\
            <r:Description r:about='' xmlns:d='http://purl.org/dc/elements/1.1/' cam:lens='50 &lt;mm&gt;'><d:title>Old</d:title>\
            <d:subject><r:Bag><r:li>sea</r:li></r:Bag></d:subject></r:Description></r:RDF></x:xmpmeta>  \n<?xpacket end='w'?>\0";
        let merged = merged(&[old.as_bytes().to_vec()], NEW).expect("merged");
        let document = Document::parse(&merged).expect("well-formed");
        let dc = "http://purl.org/dc/elements/1.1/";
        let titles: Vec<_> = document.descendants().filter(|it| it.has_tag_name((dc, "title"))).collect();
        assert_eq!(titles.iter().map(roxmltree::Node::text).collect::<Vec<_>>(), [Some("New")]);
        let words = document.descendants().find(|it| it.has_tag_name((RDF, "li"))).and_then(|it| it.text());
        assert_eq!(words, Some("sea"));
        let lens = document.descendants().find_map(|it| it.attribute(("urn:c", "lens")));
        assert_eq!(lens, Some("50 <mm>"));
        assert!(super::merged(&[b"<broken".to_vec()], NEW).is_err());
        assert_eq!(super::merged(&[], NEW).expect("alone"), NEW);
    }
}
