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
/// Parts the members of a set where a property has room for one value.
const BESIDE: &str = "; ";
/// Longest line of our own property, in bytes: readers cut longer ones.
const LINE_BYTES_MAX: usize = 3000;
/// A value of so many characters was cut by the reader, and says less than the file.
const VALUE_CHARS_MAX: usize = 4096;
/// A list of so many characters may have lost members.
const LIST_CHARS_MAX: usize = 3 * VALUE_CHARS_MAX;
/// What people read as a list of terms.
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

/// The fields that have a place in a standard schema.
pub fn standard_fields() -> impl Iterator<Item = &'static str> {
    MAPPING.iter().map(|(field, ..)| *field)
}

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
            put(&mut properties, property, *shape, &members(value, *shape, words));
        }
    }
    let terms = fields.values().filter_map(|value| match value {
        FieldValue::Terms(terms) => Some(terms),
        _ => None,
    });
    let paths: Vec<String> = terms.flatten().filter_map(|term| words.term_path(*term)).collect();
    let paths: Vec<String> = paths.iter().map(|path| path.replace('/', &BELOW.to_string())).collect();
    put(&mut properties, TERMS_PROPERTY, Shape::Bag, &paths);
    let mut own: Vec<String> =
        fields.iter().flat_map(|(name, value)| own_lines(name, value, words)).collect();
    // What a reader has no more room for should be the longest.
    own.sort_by_key(String::len);
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

/// A value as a property of that shape has it: one that holds a single value has all members in it.
fn members(value: &FieldValue, shape: Shape, words: &dyn Words) -> Vec<String> {
    match (value, shape) {
        (FieldValue::Set(members), Shape::Bag | Shape::Sequence) => members.iter().cloned().collect(),
        (FieldValue::Set(members), Shape::Plain | Shape::Alternative) => {
            vec![members.iter().cloned().collect::<Vec<_>>().join(BESIDE)]
        }
        (other, _) => vec![words.show(other)],
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
            other if !is_kept(other) => {}
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
    let own = own_values(properties.get(OWN_FIELDS).map_or(&[], Vec::as_slice), words);
    fields.extend(own.clone());
    for (field, property, shape) in MAPPING {
        let Some(values) = properties.get(*property).filter(|values| !values.is_empty()) else { continue };
        let Ok(name) = FieldName::new(field) else { continue };
        let before = own.get(&name);
        let long = values.iter().map(|value| value.chars().count());
        let is_cut =
            long.clone().any(|long| long >= VALUE_CHARS_MAX) || long.sum::<usize>() >= LIST_CHARS_MAX;
        if is_cut || before.is_some_and(|own| same(&members(own, *shape, words), values)) {
            continue;
        }
        let kind = words.wanted(&name).or(before.map(|own| words.kind(own))).unwrap_or(match *shape {
            Shape::Bag => "set",
            Shape::Sequence if values.len() > 1 => "set",
            _ => "text",
        });
        let text = values.join(BESIDE);
        let value = match (kind, shape) {
            ("set", Shape::Bag | Shape::Sequence) => Some(FieldValue::Set(values.iter().cloned().collect())),
            ("set", _) => Some(FieldValue::Set(text.split(BESIDE).map(str::to_owned).collect())),
            (kind, _) => words.parse(kind, &text).or_else(|| words.parse("text", &text)),
        };
        fields.extend(value.map(|value| (name, value)));
    }
    if let Some(paths) = properties.get(TERMS_PROPERTY) {
        let paths: Vec<String> = paths.iter().map(|path| path.replace(BELOW, "/")).collect();
        take_terms(&mut fields, &own, &paths, words);
    }
    fields
}

/// Takes over the terms of a list: what was taken out of it goes from every field that had it, and what was
/// added comes to the field that its vocabulary is of. What stands as it was written stays where it was.
fn take_terms(
    fields: &mut BTreeMap<FieldName, FieldValue>,
    own: &BTreeMap<FieldName, FieldValue>,
    paths: &[String],
    words: &dyn Words,
) {
    let mut written = BTreeSet::new();
    for (name, value) in own {
        let FieldValue::Terms(terms) = value else { continue };
        let mut left = terms.clone();
        for term in terms {
            if let Some(path) = words.term_path(*term) {
                if !paths.contains(&path) {
                    left.remove(term);
                }
                written.insert(path);
            }
        }
        if left.is_empty() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), FieldValue::Terms(left));
        }
    }
    for path in paths.iter().filter(|path| !written.contains(*path)) {
        if let Some((field, term)) = words.find_term(path) {
            match fields.get_mut(&field) {
                Some(FieldValue::Terms(terms)) => {
                    terms.insert(term);
                }
                _ => {
                    fields.insert(field, FieldValue::Terms(BTreeSet::from([term])));
                }
            }
        }
    }
}

/// A value with its exact type, as lines of our own property: `name type= length text`, and what does not fit
/// into one line in others, `name + text`.
fn own_lines(name: &FieldName, value: &FieldValue, words: &dyn Words) -> Vec<String> {
    let written = |blanks: Blanks| match value {
        FieldValue::Set(members) => {
            members.iter().map(|member| coded(member, blanks)).collect::<Vec<_>>().join(",")
        }
        FieldValue::Moment(unix_ms) => unix_ms.to_string(),
        other => coded(&words.show(other), blanks),
    };
    if matches!(value, FieldValue::Set(members) if members.is_empty()) {
        return Vec::new();
    }
    let mut text = written(Blanks::AtEnds);
    if text.len() > LINE_BYTES_MAX {
        // A blank at the end of a part would be lost.
        text = written(Blanks::Everywhere);
    }
    let mut parts = Vec::new();
    let mut rest = text.as_str();
    while rest.len() > LINE_BYTES_MAX {
        let end = (0..=LINE_BYTES_MAX).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    let kind = words.kind(value);
    let lines = parts.iter().enumerate().map(|(number, part)| match number {
        0 => format!("{name} {kind}= {} {part}", text.len()),
        number => format!("{name} +{number} {part}"),
    });
    lines.collect()
}

/// The lines of our own property, for tests that take them back.
#[cfg(any(test, fuzzing))]
pub(crate) fn lines_for_fuzz(fields: &BTreeMap<FieldName, FieldValue>, words: &dyn Words) -> Vec<String> {
    fields.iter().flat_map(|(name, value)| own_lines(name, value, words)).collect()
}

/// The values that lines of our own property come to. A value of which a part is missing is none.
fn own_values(lines: &[String], words: &dyn Words) -> BTreeMap<FieldName, FieldValue> {
    let mut values = BTreeMap::new();
    let mut begun: BTreeMap<&str, (&str, usize, BTreeMap<usize, &str>)> = BTreeMap::new();
    let mut parts: BTreeMap<&str, BTreeMap<usize, &str>> = BTreeMap::new();
    for line in lines {
        let mut words_of = line.splitn(3, ' ');
        let (Some(name), Some(kind)) = (words_of.next(), words_of.next()) else { continue };
        let text = words_of.next().unwrap_or_default();
        if let Some(number) = kind.strip_prefix('+').and_then(|number| number.parse().ok()) {
            parts.entry(name).or_default().insert(number, text);
        } else if let Some(kind) = kind.strip_suffix('=') {
            let (length, text) = text.split_once(' ').unwrap_or((text, ""));
            if let Ok(length) = length.parse() {
                begun.insert(name, (kind, length, BTreeMap::from([(0, text)])));
            }
        } else if let (Ok(name), Some(value)) = (FieldName::new(name), words.parse(kind, text)) {
            values.insert(name, value);
        }
    }
    for (name, (kind, length, mut text)) in begun {
        text.extend(parts.remove(name).unwrap_or_default());
        let text: String = text.into_values().collect();
        let Some(name) = FieldName::new(name).ok().filter(|_| text.len() == length) else { continue };
        let value = match kind {
            "set" => text.split(',').map(decoded).collect::<Option<_>>().map(FieldValue::Set),
            "moment" => text.parse().ok().map(FieldValue::Moment),
            kind => decoded(&text).and_then(|text| words.parse(kind, &text)),
        };
        values.extend(value.map(|value| (name, value)));
    }
    values
}

/// Which blanks are written in digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blanks {
    AtEnds,
    Everywhere,
}

/// Text in which nothing is left that XML, its readers or our lists take for theirs: `%`, commas, characters
/// that cannot be seen, and blanks at both ends stand as bytes in hexadecimal digits behind `%`.
fn coded(text: &str, blanks: Blanks) -> String {
    let mut out = String::with_capacity(text.len());
    let inner = text.trim();
    let start = text.len() - text.trim_start().len();
    for (at, character) in text.char_indices() {
        let is_outside = at < start || at >= start + inner.len();
        let is_blank = is_outside || (blanks == Blanks::Everywhere && character.is_whitespace());
        if is_blank || character.is_control() || matches!(character, '%' | ',' | '\u{fffe}' | '\u{ffff}') {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(out, "%{byte:02X}");
            }
        } else {
            out.push(character);
        }
    }
    out
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Whether two lists have the same members; some programs put them in another order. Blanks at the ends and
/// characters that XML cannot have are lost on the way.
fn same(left: &[String], right: &[String]) -> bool {
    let plain = |text: &String| -> String {
        let kept = text.chars().filter(|character| is_kept(*character));
        kept.collect::<String>().trim().to_owned()
    };
    let sorted = |list: &[String]| {
        let mut list: Vec<String> = list.iter().map(plain).filter(|text| !text.is_empty()).collect();
        list.sort();
        list
    };
    sorted(left) == sorted(right)
}

/// Whether XML 1.0 can have a character.
const fn is_kept(character: char) -> bool {
    !matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}
