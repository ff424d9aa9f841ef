//! Formats that live in a container which many share: ZIP, RIFF, IFF, ISO base media.

use super::Sample;
use super::signature::find;
use crate::media::format::{self, Format};

/// The format that the container holds.
pub(super) fn tell(sample: &Sample<'_>) -> Option<&'static Format> {
    if sample.starts(b"PK\x03\x04") || sample.starts(b"PK\x05\x06") {
        return Some(zip(sample));
    }
    if sample.starts(b"RIFF") || sample.starts(b"RF64") || sample.starts(b"RIFX") {
        return riff(sample);
    }
    if sample.starts(b"FORM") && (sample.has_at(8, b"AIFF") || sample.has_at(8, b"AIFC")) {
        return Some(&format::AIFF);
    }
    iso_media(sample)
}

fn riff(sample: &Sample<'_>) -> Option<&'static Format> {
    let kinds: [(&[u8], &Format); 3] =
        [(b"WAVE", &format::WAV), (b"WEBP", &format::WEBP), (b"AVI ", &format::AVI)];
    kinds.into_iter().find(|(kind, _)| sample.has_at(8, kind)).map(|row| row.1)
}

/// ISO/IEC 14496-12: a file type box with a major brand and the brands it is compatible with.
/// QuickTime films from before that standard begin with one of a few other boxes.
fn iso_media(sample: &Sample<'_>) -> Option<&'static Format> {
    if [&b"moov"[..], b"mdat", b"wide", b"pnot"].iter().any(|kind| sample.has_at(4, kind)) {
        return Some(&format::MOV);
    }
    if !sample.has_at(4, b"ftyp") {
        return None;
    }
    let size = sample.head.get(..4)?;
    let size = u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize;
    let brands = sample.head.get(8..size.clamp(16, 256).min(sample.head.len()))?;
    let mut brands = brands.chunks_exact(4).enumerate().filter(|(at, _)| *at != 1).map(|(_, brand)| brand);
    let major = brands.next()?;
    brand(major).or_else(|| brands.find_map(brand)).or(Some(&format::MP4))
}

fn brand(brand: &[u8]) -> Option<&'static Format> {
    Some(match brand {
        b"avif" | b"avis" => &format::AVIF,
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => &format::HEIC,
        b"crx " => &format::RAW,
        b"qt  " => &format::MOV,
        b"M4A " | b"M4B " | b"M4P " => &format::M4A,
        b"mp41" | b"mp42" | b"isom" | b"iso2" | b"iso4" | b"iso5" | b"iso6" | b"avc1" | b"M4V " | b"dash" => {
            &format::MP4
        }
        _ => return None,
    })
}

/// ZIP files say what they are by the names of their members; some put a member `mimetype`,
/// uncompressed, at the very beginning for just that.
fn zip(sample: &Sample<'_>) -> &'static Format {
    if let Some(found) = mimetype_member(sample.head) {
        return found;
    }
    let mut names = member_names(sample.head).chain(member_names(sample.tail));
    let telling = |name: &[u8]| -> Option<&'static Format> {
        Some(match name {
            _ if name.starts_with(b"word/") => &format::DOCX,
            _ if name.starts_with(b"xl/") => &format::XLSX,
            _ if name.starts_with(b"ppt/") => &format::PPTX,
            b"document.json" => &format::SKETCH,
            b"canvas.fig" => &format::FIG,
            b"maindoc.xml" => &format::KRA,
            _ if has_end(name, b".usdc") || has_end(name, b".usda") || has_end(name, b".usd") => {
                &format::USDZ
            }
            _ => return None,
        })
    };
    names.find_map(telling).unwrap_or(&format::ZIP)
}

fn has_end(name: &[u8], end: &[u8]) -> bool {
    // Only members at the top: a scene that is packed for delivery has its root there.
    name.ends_with(end) && !name.contains(&b'/')
}

fn mimetype_member(head: &[u8]) -> Option<&'static Format> {
    if member_names(head).next()? != b"mimetype" {
        return None;
    }
    let extra = u16::from_le_bytes([*head.get(28)?, *head.get(29)?]) as usize;
    let content = head.get(38 + extra..)?;
    let kinds: [(&[u8], &Format); 5] = [
        (b"application/x-krita", &format::KRA),
        (b"application/x-kra", &format::KRA),
        (b"image/openraster", &format::ORA),
        (b"application/vnd.oasis.opendocument", &format::ODF),
        (b"application/epub+zip", &format::EPUB),
    ];
    kinds.into_iter().find(|(kind, _)| content.starts_with(kind)).map(|row| row.1)
}

/// The names of members whose local header, or entry in the table of contents, lies in `bytes`.
fn member_names(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        loop {
            let at = find(rest, b"PK")?;
            let header = &rest[at..];
            rest = &rest[at + 2..];
            let (length_at, name_at) = match header.get(2..4) {
                Some(b"\x03\x04") => (26, 30),
                Some(b"\x01\x02") => (28, 46),
                Some(_) => continue,
                None => return None,
            };
            let length = header.get(length_at..length_at + 2)?;
            let length = u16::from_le_bytes([length[0], length[1]]) as usize;
            if let Some(name) = header.get(name_at..name_at + length) {
                return Some(name);
            }
        }
    })
}
