//! The small pictures that Adobe's programs keep in XMP packets (`xmp:Thumbnails`): JPEG in Base64.

use base64ct::{Base64, Encoding as _};
use memchr::memmem;

use crate::media::decoder::DecodeError;
use crate::media::embedded::Packets;
use crate::media::jpeg_inside;
use crate::media::pixels::Pixels;

/// Longest picture, in characters.
const TEXT_MAX: usize = 32 << 20;

/// The picture of the first packet that has one.
pub fn find(packets: &Packets, edge: u32) -> Result<Option<Pixels>, DecodeError> {
    for packet in &packets.xmp {
        for prefix in [&b"xmpGImg:image>"[..], b"xapGImg:image>"] {
            let Some(start) = memmem::find(packet, prefix) else { continue };
            let rest = &packet[start + prefix.len()..];
            let end = memchr::memchr(b'<', rest).unwrap_or(rest.len()).min(TEXT_MAX);
            // Lines end in character references.
            let text: String = String::from_utf8_lossy(&rest[..end])
                .replace("&#xA;", "")
                .replace("&#10;", "")
                .replace("&#xD;", "")
                .split_whitespace()
                .collect();
            if let Ok(jpeg) = Base64::decode_vec(&text) {
                return jpeg_inside::decode(&jpeg, edge, None).map(Some);
            }
        }
    }
    Ok(None)
}
