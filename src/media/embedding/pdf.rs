//! A packet in a PDF document (ISO 32000-1, 7.5.6 and 14.3.2): an update behind its end with the packet as a stream,
//! and where there was none, with a catalog that leads to it. Nothing that stood in the file moves.

use memchr::memmem;

use super::Edit;
use crate::media::decoder::DecodeError;
use crate::media::input::Input;
use crate::media::pdf::{Catalog, catalog};

/// How much of a file's end is searched for where its table of objects stands.
const TAIL: u64 = 2048;
/// Most of the last table of objects that is looked at, in bytes.
const TABLE_MAX: usize = 8 << 20;
/// Greatest number that objects may have.
const NUMBER_MAX: u64 = 8_388_607;

/// What the end of the file says.
struct End {
    /// Where the last table of objects stands.
    table: u64,
    /// Whether that is a stream of its own.
    is_stream: bool,
    /// One more than the greatest number of an object.
    size: u64,
    /// What has to be said again: the document's own fields, and its ids.
    said: Vec<u8>,
}

/// Objects of an update: number, generation, and what it is.
type Objects = Vec<(u64, u64, Vec<u8>)>;

pub(super) fn edits(input: &mut Input<'_>, packet: &[u8]) -> Result<Vec<Edit>, DecodeError> {
    let Catalog { number, generation, dictionary, metadata } = catalog(input)?;
    let end = ending(input)?;
    let stream = |extra: &str| {
        let head = format!("<</Type/Metadata/Subtype/XML/Length {}{extra}>>stream\n", packet.len());
        [head.as_bytes(), packet, b"\nendstream"].concat()
    };
    let mut objects: Objects = Vec::new();
    let mut next = end.size;
    match metadata {
        // The packet that is there is replaced, and all that leads to it stays.
        Some((number, generation)) => objects.push((number, generation, stream(""))),
        None => {
            let inner = dictionary.trim_ascii();
            let inner = inner.strip_prefix(b"<<").unwrap_or(inner);
            let inner = inner.strip_suffix(b">>").unwrap_or(inner);
            let reference = format!("<</Metadata {next} 0 R ");
            objects.push((number, generation, [reference.as_bytes(), inner, b">>"].concat()));
            objects.push((next, 0, stream("")));
            next += 1;
        }
    }
    let root = format!("/Root {number} {generation} R");
    let len = input.len();
    let added = if end.is_stream {
        with_stream(len, objects, &end, (next, &root))
    } else {
        with_table(len, objects, &end, (next, &root))
    };
    Ok(vec![Edit::put_in(len, added)])
}

/// Objects one after the other, with the places at which they stand.
fn written(len: u64, objects: Objects) -> (Vec<u8>, Vec<(u64, u64, u64)>) {
    let (mut bytes, mut places) = (b"\n".to_vec(), Vec::new());
    for (number, generation, content) in objects {
        places.push((number, generation, len + bytes.len() as u64));
        bytes.extend(format!("{number} {generation} obj\n").as_bytes());
        bytes.extend(content);
        bytes.extend(b"\nendobj\n");
    }
    (bytes, places)
}

fn with_table(len: u64, objects: Objects, end: &End, (size, root): (u64, &str)) -> Vec<u8> {
    let (mut bytes, places) = written(len, objects);
    let table = len + bytes.len() as u64;
    bytes.extend(b"xref\n");
    for (number, generation, at) in places {
        bytes.extend(format!("{number} 1\n{at:010} {generation:05} n \n").as_bytes());
    }
    bytes.extend(format!("trailer\n<</Size {size}{root}/Prev {}", end.table).as_bytes());
    bytes.extend(&end.said);
    bytes.extend(format!(">>\nstartxref\n{table}\n%%EOF\n").as_bytes());
    bytes
}

fn with_stream(len: u64, objects: Objects, end: &End, (number, root): (u64, &str)) -> Vec<u8> {
    let (mut bytes, mut places) = written(len, objects);
    let table = len + bytes.len() as u64;
    // The table is an object, too.
    places.push((number, 0, table));
    let mut rows = Vec::new();
    let mut index = String::new();
    for (number, generation, at) in places {
        index.push_str(&format!("{number} 1 "));
        rows.push(1);
        rows.extend(at.to_be_bytes());
        rows.extend((generation as u16).to_be_bytes());
    }
    let size = number + 1;
    let head = format!(
        "{number} 0 obj\n<</Type/XRef/Size {size}{root}/Prev {}/W[1 8 2]/Index[{}]/Length {}",
        end.table,
        index.trim_end(),
        rows.len()
    );
    bytes.extend(head.as_bytes());
    bytes.extend(&end.said);
    bytes.extend(b">>stream\n");
    bytes.extend(rows);
    bytes.extend(format!("\nendstream\nendobj\nstartxref\n{table}\n%%EOF\n").as_bytes());
    bytes
}

fn ending(input: &mut Input<'_>) -> Result<End, DecodeError> {
    let damaged = || DecodeError::Damaged("its table of objects is not as it should be".to_owned());
    let from = input.len().saturating_sub(TAIL);
    let tail = input.read_at(from, TAIL as usize)?;
    let at = memmem::rfind(&tail, b"startxref").ok_or_else(damaged)?;
    let table = number(&tail[at + b"startxref".len()..]).ok_or_else(damaged)?.0;
    let bytes = input.read_at(table, TABLE_MAX)?;
    let is_stream = !bytes.trim_ascii_start().starts_with(b"xref");
    let dictionary = if is_stream {
        let end = memmem::find(&bytes, b"stream").ok_or_else(damaged)?;
        let start = memmem::find(&bytes[..end], b"<<").ok_or_else(damaged)?;
        &bytes[start..end]
    } else {
        let start = memmem::find(&bytes, b"trailer").ok_or_else(damaged)?;
        let end = memmem::find(&bytes[start..], b"startxref").ok_or_else(damaged)?;
        &bytes[start..start + end]
    };
    if value(dictionary, b"/Encrypt").is_some() {
        return Err(DecodeError::Unsupported("it is encrypted".to_owned()));
    }
    let size = value(dictionary, b"/Size").and_then(number).ok_or_else(damaged)?.0;
    if !(1..NUMBER_MAX).contains(&size) {
        return Err(damaged());
    }
    let mut said = Vec::new();
    if let Some((info, generation)) = value(dictionary, b"/Info").and_then(reference) {
        said.extend(format!("/Info {info} {generation} R").as_bytes());
    }
    if let Some(ids) = value(dictionary, b"/ID").and_then(list) {
        said.extend([&b"/ID"[..], ids].concat());
    }
    Ok(End { table, is_stream, size, said })
}

/// What follows a name in a dictionary.
fn value<'d>(dictionary: &'d [u8], name: &[u8]) -> Option<&'d [u8]> {
    memmem::find_iter(dictionary, name).find_map(|at| {
        let rest = &dictionary[at + name.len()..];
        // Another name may begin with this one.
        let is_whole = rest.first().is_none_or(|byte| !byte.is_ascii_alphanumeric());
        is_whole.then_some(rest)
    })
}

/// A number, and what comes behind it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let bytes = bytes.trim_ascii_start();
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = std::str::from_utf8(&bytes[..digits]).ok()?.parse().ok()?;
    Some((value, &bytes[digits..]))
}

fn reference(bytes: &[u8]) -> Option<(u64, u64)> {
    let (one, rest) = number(bytes)?;
    let (other, rest) = number(rest)?;
    rest.trim_ascii_start().starts_with(b"R").then_some((one, other))
}

/// Two strings of digits in brackets; ids that are written otherwise are left out.
fn list(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = bytes.trim_ascii_start();
    let end = bytes.iter().take(400).position(|byte| *byte == b']')?;
    let all = &bytes[..=end];
    let is_plain =
        |byte: &u8| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace() || b"[]<>".contains(byte);
    (all.starts_with(b"[") && all.iter().all(is_plain)).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_trailer_says_is_found() {
        let dictionary = b"<</Size 12/Root 1 0 R/Info 9 0 R /ID[<0aF1> <b2>]/InfoX 3>>";
        assert_eq!(value(dictionary, b"/Size").and_then(number).map(|it| it.0), Some(12));
        assert_eq!(value(dictionary, b"/Info").and_then(reference), Some((9, 0)));
        assert_eq!(value(dictionary, b"/ID").and_then(list), Some(&b"[<0aF1> <b2>]"[..]));
        assert!(value(dictionary, b"/Encrypt").is_none());
    }
}
