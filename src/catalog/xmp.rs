//! Metadata as other programs write it: XMP (ISO 16684-1), in sidecars.
//!
//! What has a place in a standard schema goes there, so that every program shows it. All of it stands once more,
//! with its exact type, in a property of our own; when the two differ, somebody has changed the standard one,
//! and that one holds.

use crate::base::id::TermId;
use crate::object::metadata::{FieldName, FieldValue};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The namespace of our own property; its short name is the last part of it.
const OWN: &str = "http://ns.pentimento.invalid/pent/";
/// Our own property, as readers of XMP name it.
pub const OWN_FIELDS: &str = "pent:fields";
/// What the sidecar says it was written by.
pub const TOOLKIT: &str = "Pentimento";
/// Parts the names of a term and of those above it, as Lightroom does.
const BELOW: char = '|';
/// Parts what people read as a list of terms or members.
const TERMS_PROPERTY: &str = "lr:hierarchicalSubject";

/// How a property holds its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One value.
    Plain,
    /// One value in the default language.
    Alternative,
    /// Values without an order.
    Bag,
    /// Values in an order.
    Sequence,
}

/// Fields that have a place in a standard schema: the field, the property, how that holds its values.
const MAPPING: &[(&str, &str, Shape)] = &[
    ("title", "dc:title", Shape::Alternative),
    ("description", "dc:description", Shape::Alternative),
    ("rights", "dc:rights", Shape::Alternative),
    ("labels", "dc:subject", Shape::Bag),
    ("creator", "dc:creator", Shape::Sequence),
    ("headline", "photoshop:Headline", Shape::Plain),
    ("credit", "photoshop:Credit", Shape::Plain),
    ("source", "photoshop:Source", Shape::Plain),
    ("instructions", "photoshop:Instructions", Shape::Plain),
    ("city", "photoshop:City", Shape::Plain),
    ("country", "photoshop:Country", Shape::Plain),
    ("created", "photoshop:DateCreated", Shape::Plain),
    ("rating", "xmp:Rating", Shape::Plain),
    ("rights.terms", "xmpRights:UsageTerms", Shape::Alternative),
    ("rights.web", "xmpRights:WebStatement", Shape::Plain),
    ("rights.until", "plus:LicenseEndDate", Shape::Plain),
    ("alt", "Iptc4xmpCore:AltTextAccessibility", Shape::Alternative),
];

/// The short names that stand in [`MAPPING`] and the schemas that they mean.
const SCHEMAS: &[(&str, &str)] = &[
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("photoshop", "http://ns.adobe.com/photoshop/1.0/"),
    ("xmp", "http://ns.adobe.com/xap/1.0/"),
    ("xmpRights", "http://ns.adobe.com/xap/1.0/rights/"),
    ("plus", "http://ns.useplus.org/ldf/xmp/1.0/"),
    ("Iptc4xmpCore", "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"),
    ("lr", "http://ns.adobe.com/lightroom/1.0/"),
    ("pent", OWN),
];

/// What the words of the project are for values of fields: of `app`, where types are read and shown.
pub trait Words {
    /// A value as people write it.
    fn show(&self, value: &FieldValue) -> String;
    /// Reads a value of a named type.
    fn parse(&self, kind: &str, text: &str) -> Option<FieldValue>;
    /// The name of a value's type.
    fn kind(&self, value: &FieldValue) -> &'static str;
    /// The type that a field is to have, where a schema says it.
    fn wanted(&self, field: &FieldName) -> Option<&'static str>;
    /// A term's name behind those of the terms above, as `Places/Harbour`.
    fn term_path(&self, term: TermId) -> Option<String>;
    /// The field and the term that such a path means.
    fn find_term(&self, path: &str) -> Option<(FieldName, TermId)>;
}

/// The sidecar of an asset.
pub fn write(fields: &BTreeMap<FieldName, FieldValue>, words: &dyn Words) -> String {
    let mut properties = String::new();
    for (field, property, shape) in MAPPING {
        let value = fields.iter().find(|(name, _)| name.as_str() == *field).map(|(_, value)| value);
        if let Some(value) = value {
            put(&mut properties, property, *shape, &members(value, words));
        }
    }
    let terms = fields.values().filter_map(|value| match value {
        FieldValue::Terms(terms) => Some(terms),
        _ => None,
    });
    let paths: Vec<String> = terms.flatten().filter_map(|term| words.term_path(*term)).collect();
    let paths: Vec<String> = paths.iter().map(|path| path.replace('/', &BELOW.to_string())).collect();
    put(&mut properties, TERMS_PROPERTY, Shape::Bag, &paths);
    let own: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name} {} {}", words.kind(value), words.show(value)))
        .collect();
    put(&mut properties, OWN_FIELDS, Shape::Bag, &own);
    let mut spaces = String::new();
    for (short, space) in SCHEMAS.iter().filter(|(short, _)| properties.contains(&format!("<{short}:"))) {
        // Writing to a String cannot fail.
        let _ = write!(spaces, "\n    xmlns:{short}=\"{space}\"");
    }
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:xmptk=\"{TOOLKIT}\">\n\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n  <rdf:Description rdf:about=\"\"{spaces}>\n\
         {properties}  </rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"w\"?>\n"
    )
}

/// Whether a sidecar was written here, so that writing it again loses nothing of anybody else's.
pub fn is_own(text: &str) -> bool {
    text.contains(&format!("x:xmptk=\"{TOOLKIT}\""))
}

fn members(value: &FieldValue, words: &dyn Words) -> Vec<String> {
    match value {
        FieldValue::Set(members) => members.iter().cloned().collect(),
        other => vec![words.show(other)],
    }
}

fn put(out: &mut String, property: &str, shape: Shape, values: &[String]) {
    let Some(first) = values.first() else { return };
    let list = |kind: &str| -> String {
        let items: String =
            values.iter().map(|value| format!("<rdf:li>{}</rdf:li>", escaped(value))).collect();
        format!("<rdf:{kind}>{items}</rdf:{kind}>")
    };
    let inner = match shape {
        Shape::Plain => escaped(first),
        Shape::Alternative => {
            format!("<rdf:Alt><rdf:li xml:lang=\"x-default\">{}</rdf:li></rdf:Alt>", escaped(first))
        }
        Shape::Bag => list("Bag"),
        Shape::Sequence => list("Seq"),
    };
    let _ = writeln!(out, "   <{property}>{inner}</{property}>");
}

/// Text as XML has it; characters that XML 1.0 cannot have are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\r' | '\t' => {
                let _ = write!(out, "&#{};", character as u32);
            }
            other if (other as u32) < 0x20 || matches!(other, '\u{fffe}' | '\u{ffff}') => {}
            other => out.push(other),
        }
    }
    out
}

/// The fields that properties come to; `properties` are names such as `dc:title` with their values.
pub fn read(
    properties: &BTreeMap<String, Vec<String>>,
    words: &dyn Words,
) -> BTreeMap<FieldName, FieldValue> {
    let mut fields = BTreeMap::new();
    for line in properties.get(OWN_FIELDS).into_iter().flatten() {
        let mut parts = line.splitn(3, ' ');
        let (Some(name), Some(kind), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        if let (Ok(name), Some(value)) = (FieldName::new(name), words.parse(kind, text)) {
            fields.insert(name, value);
        }
    }
    for (field, property, shape) in MAPPING {
        let Some(values) = properties.get(*property).filter(|values| !values.is_empty()) else { continue };
        let Ok(name) = FieldName::new(field) else { continue };
        if fields.get(&name).is_some_and(|own| same(&members(own, words), values)) {
            continue;
        }
        let kind = words.wanted(&name).unwrap_or(match *shape {
            Shape::Bag => "set",
            Shape::Sequence if values.len() > 1 => "set",
            _ => "text",
        });
        let value = match kind {
            "set" => Some(FieldValue::Set(values.iter().cloned().collect())),
            kind => words.parse(kind, &values.join("; ")).or_else(|| words.parse("text", &values.join("; "))),
        };
        fields.extend(value.map(|value| (name, value)));
    }
    let mut terms: BTreeMap<FieldName, BTreeSet<TermId>> = BTreeMap::new();
    for path in properties.get(TERMS_PROPERTY).into_iter().flatten() {
        if let Some((field, term)) = words.find_term(&path.replace(BELOW, "/")) {
            terms.entry(field).or_default().insert(term);
        }
    }
    fields.extend(terms.into_iter().map(|(name, terms)| (name, FieldValue::Terms(terms))));
    fields
}

/// Whether two lists have the same members; some programs put them in another order.
fn same(left: &[String], right: &[String]) -> bool {
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    sorted(left) == sorted(right)
}
