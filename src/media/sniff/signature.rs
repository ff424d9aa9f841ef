//! Formats that begin with bytes of their own.

use super::Sample;
use crate::media::format::{self, Format};

/// Bytes at a place, and the format that has them there.
const SIGNATURES: &[(usize, &[u8], &Format)] = &[
    (0, b"\xff\xd8\xff", &format::JPEG),
    (0, b"\x89PNG\r\n\x1a\n", &format::PNG),
    (0, b"GIF87a", &format::GIF),
    (0, b"GIF89a", &format::GIF),
    (0, b"8BPS", &format::PSD),
    (0, b"gimp xcf ", &format::XCF),
    (0, b"\xff\x0a", &format::JXL),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", &format::JXL),
    (0, b"v/1\x01", &format::EXR),
    (0, b"#?RADIANCE", &format::HDR),
    (0, b"#?RGBE", &format::HDR),
    (0, b"DDS ", &format::DDS),
    (0, b"\x06\x06\xed\xf5\xd8\x1d\x46\xe5\xbd\x31\xef\xe7\xfe\x74\xb7\x1d", &format::INDD),
    (0, b"\xc5\xd0\xd3\xc6", &format::EPS),
    (0, b"%!PS", &format::EPS),
    (0, b"\x1a\x45\xdf\xa3", &format::MKV),
    (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02", &format::MXF),
    (0, b"fLaC", &format::FLAC),
    (0, b"OggS", &format::OGG),
    (0, b"MThd", &format::MIDI),
    (0, b"ID3", &format::MP3),
    (0, b"wOFF", &format::WOFF),
    (0, b"wOF2", &format::WOFF2),
    (0, b"OTTO", &format::OTF),
    (0, b"ttcf", &format::TTC),
    (0, b"glTF", &format::GLB),
    (0, b"Kaydara FBX Binary  \0", &format::FBX),
    (0, b"; FBX ", &format::FBX),
    (0, b"PXR-USDC", &format::USD),
    (0, b"#usda 1.", &format::USD),
    (0, b"ply\n", &format::PLY),
    (0, b"ply\r\n", &format::PLY),
    (0, b"BLENDER", &format::BLEND),
    (0, b"{\\rtf", &format::RTF),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", &format::OLE),
    (0, b"fig-kiwi", &format::FIG),
    (0, b"FUJIFILMCCD-RAW ", &format::RAW),
    (0, b"IIRO", &format::RAW),
    (0, b"IIRS", &format::RAW),
    (0, b"IIU\0", &format::RAW),
    (0, b"\x1f\x8b", &format::GZIP),
    (0, b"\x28\xb5\x2f\xfd", &format::ZSTD),
    (257, b"ustar", &format::TAR),
];

/// The format whose signature the sample has.
pub(super) fn tell(sample: &Sample<'_>) -> Option<&'static Format> {
    special(sample)
        .or_else(|| {
            SIGNATURES
                .iter()
                .find(|(at, bytes, _)| sample.has_at(*at, bytes))
                .map(|row| refine(sample, row.2))
        })
        .or_else(|| weak(sample))
}

/// Signatures that more than one format shares.
fn special(sample: &Sample<'_>) -> Option<&'static Format> {
    let window = &sample.head[..sample.head.len().min(1024)];
    if find(window, b"%PDF-").is_some() {
        return Some(&format::PDF);
    }
    if sample.starts(b"II*\0")
        || sample.starts(b"MM\0*")
        || sample.starts(b"II+\0")
        || sample.starts(b"MM\0+")
    {
        // A camera's raw file is a TIFF file to its first bytes: a maker's mark or the name must tell.
        let raw = sample.has_at(8, b"CR\x02")
            || (format::RAW.extensions.contains(&sample.extension)
                && !matches!(sample.extension, "tif" | "tiff"));
        return Some(if raw { &format::RAW } else { &format::TIFF });
    }
    None
}

/// The format that is closer than the one of the signature.
fn refine(sample: &Sample<'_>, found: &'static Format) -> &'static Format {
    match found.id {
        "mkv" if find(&sample.head[..sample.head.len().min(4096)], b"webm").is_some() => &format::WEBM,
        "gzip" if sample.extension == "svgz" => &format::SVG,
        "gzip" | "zstd" if sample.extension == "blend" => &format::BLEND,
        _ => found,
    }
}

/// Signatures so short that more must agree.
fn weak(sample: &Sample<'_>) -> Option<&'static Format> {
    let head = sample.head;
    if sample.starts(b"BM") && head.len() >= 26 {
        let header = u32::from_le_bytes([head[14], head[15], head[16], head[17]]);
        if matches!(header, 12 | 16 | 40 | 52 | 56 | 64 | 108 | 124) {
            return Some(&format::BMP);
        }
    }
    if sample.starts(b"\0\0\x01\0") || sample.starts(b"\0\0\x02\0") {
        let count = head.get(4..6).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
        let directory = 6 + 16 * u64::from(count);
        // The reserved byte of the first entry is nought.
        if count > 0 && directory <= sample.len && head.get(9) == Some(&0) {
            return Some(&format::ICO);
        }
    }
    if head.first() == Some(&0x47) && sample.has_at(188, b"\x47") && sample.has_at(376, b"\x47") {
        return Some(&format::MPEG_TS);
    }
    if sample.starts(b"\0\x01\0\0") || sample.starts(b"true") {
        // The number of tables, which are few.
        let tables = head.get(4..6).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        if (1..=64).contains(&tables) && sample.len >= 12 + 16 * u64::from(tables) {
            return Some(&format::TTF);
        }
    }
    audio_frame(head).or_else(|| stl(sample)).or_else(|| targa(sample))
}

/// MPEG audio without a tag before it: two frame headers that agree would be better still, but the
/// first one must at least be a legal one.
fn audio_frame(head: &[u8]) -> Option<&'static Format> {
    let [first, second, third, ..] = *head else { return None };
    if first != 0xff || second & 0xe0 != 0xe0 {
        return None;
    }
    let (version, layer) = ((second >> 3) & 3, (second >> 1) & 3);
    if second & 0xf6 == 0xf0 {
        return Some(&format::AAC);
    }
    let legal = version != 1 && layer != 0 && third >> 4 != 15 && third >> 4 != 0 && (third >> 2) & 3 != 3;
    legal.then_some(&format::MP3)
}

/// A binary STL file tells how many triangles it has, and is exactly as long as these make it.
fn stl(sample: &Sample<'_>) -> Option<&'static Format> {
    let count = sample.head.get(80..84)?;
    let count = u32::from_le_bytes([count[0], count[1], count[2], count[3]]);
    (84 + 50 * u64::from(count) == sample.len).then_some(&format::STL)
}

/// Targa files of the second version end in a signature; those of the first have a header that can
/// only be believed when the name agrees.
fn targa(sample: &Sample<'_>) -> Option<&'static Format> {
    let end = if sample.tail.is_empty() { sample.head } else { sample.tail };
    if end.ends_with(b"TRUEVISION-XFILE.\0") {
        return Some(&format::TGA);
    }
    let head = sample.head.get(..18)?;
    let legal = head[1] <= 1
        && matches!(head[2], 1 | 2 | 3 | 9 | 10 | 11)
        && matches!(head[16], 8 | 15 | 16 | 24 | 32)
        && (head[12] | head[13]) != 0
        && (head[14] | head[15]) != 0;
    (legal && format::TGA.extensions.contains(&sample.extension)).then_some(&format::TGA)
}

/// Where `wanted` stands in `bytes` first.
pub(super) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
