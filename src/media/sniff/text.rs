//! Formats that are text: told by how they begin, and where that is not enough, by their name.

use super::Sample;
use super::signature::find;
use crate::media::format::{self, Format};

/// The format of a text.
pub(super) fn tell(sample: &Sample<'_>) -> Option<&'static Format> {
    if sample.len == 0 || !is_text(sample.head) {
        return None;
    }
    let text = sample.head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sample.head);
    let start = text.trim_ascii_start();
    Some(if start.starts_with(b"<") {
        markup(start, sample.extension)
    } else if start.starts_with(b"{") || start.starts_with(b"[") {
        data(start, sample.extension)
    } else if start.starts_with(b"solid") && find(start, b"facet normal").is_some() {
        &format::STL
    } else if sample.extension == "obj" && looks_like_object(start) {
        &format::OBJ
    } else {
        &format::TEXT
    })
}

/// The first element says which drawing or data it is.
fn markup(start: &[u8], extension: &str) -> &'static Format {
    let mut rest = start;
    loop {
        rest = rest.trim_ascii_start();
        // Declarations, comments and instructions before the first element.
        let end: &[u8] = match rest {
            _ if rest.starts_with(b"<?") => b"?>",
            _ if rest.starts_with(b"<!--") => b"-->",
            _ if rest.starts_with(b"<!") => {
                return if find(rest, b"<svg").is_some() {
                    &format::SVG
                } else {
                    named_markup(rest, extension)
                };
            }
            _ => return named_markup(rest, extension),
        };
        match find(rest, end) {
            Some(at) => rest = &rest[at + end.len()..],
            None => return named_markup(rest, extension),
        }
    }
}

fn named_markup(rest: &[u8], extension: &str) -> &'static Format {
    let name: Vec<u8> = rest
        .iter()
        .skip(1)
        .take_while(|byte| !byte.is_ascii_whitespace() && !b">/".contains(byte))
        .copied()
        .collect();
    match name.as_slice() {
        b"svg" => &format::SVG,
        _ if name.ends_with(b":svg") => &format::SVG,
        b"x:xmpmeta" | b"rdf:RDF" if find(rest, b"22-rdf-syntax-ns#").is_some() => &format::XMP,
        _ if extension == "xml" => &format::XML,
        _ if format::TEXT.extensions.contains(&extension) => &format::TEXT,
        _ => &format::XML,
    }
}

fn data(start: &[u8], extension: &str) -> &'static Format {
    if start.starts_with(b"{")
        && find(start, b"\"asset\"").is_some()
        && (extension == "gltf" || find(start, b"\"accessors\"").is_some())
    {
        return &format::GLTF;
    }
    let next = start.get(1..).unwrap_or_default().trim_ascii_start().first();
    let json =
        matches!(next, Some(b'"' | b'{' | b'[' | b'}' | b']' | b'-' | b't' | b'f' | b'n' | b'0'..=b'9'));
    if extension == "json" || (json && extension.is_empty()) { &format::JSON } else { &format::TEXT }
}

fn looks_like_object(start: &[u8]) -> bool {
    let mut lines = start.split(|byte| *byte == b'\n').take(2000);
    lines.any(|line| line.starts_with(b"v ") || line.starts_with(b"mtllib "))
}

/// UTF-8, or UTF-16 with a mark, without characters that texts do not have. A character that is cut
/// by the end of the sample is no fault.
fn is_text(head: &[u8]) -> bool {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return true;
    }
    let valid = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    valid && !head.iter().any(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127))
}
