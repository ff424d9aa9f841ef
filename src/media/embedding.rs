//! Writing what is said of a file into a copy of it, as an XMP packet: JPEG, PNG, WebP, TIFF and PDF.
//!
//! Nothing of the picture is written anew. The file is read in the closed process, which answers with a few
//! [`Edit`]s: places at which bytes are put in or left out. Whatever the file's own packet says beyond what is
//! written stays.

mod merge;
mod pdf;
mod pictures;
mod tiff;

use crate::media::decoder::DecodeError;
use crate::media::embedded;
use crate::media::format::{self, Format};
use crate::media::input::Input;
use crate::media::pdf as document;

/// Most bytes that are put into one file.
pub const PUT_IN_MAX: usize = 4 << 20;
/// Most places of one file that are edited.
pub const EDITS_MAX: usize = 1000;
/// Longest packet that is written, in bytes: what the smallest of all containers takes.
pub const PACKET_MAX: usize = 60_000;

/// A change of a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Where, in bytes from the beginning of the file as it is.
    pub at: u64,
    /// How many bytes are left out there.
    pub removed: u64,
    /// What is put in in their place.
    pub inserted: Vec<u8>,
}

impl Edit {
    fn put_in(at: u64, inserted: Vec<u8>) -> Self {
        Self { at, removed: 0, inserted }
    }

    fn leave_out(at: u64, removed: u64) -> Self {
        Self { at, removed, inserted: Vec::new() }
    }
}

/// Whether a format can take a packet in.
pub fn takes(format: &Format) -> bool {
    [format::JPEG, format::PNG, format::WEBP, format::TIFF, format::PDF].contains(format)
}

/// What has to be changed so that a file has `packet` in it, in the order in which it stands there. What the file
/// says of itself in XMP otherwise is kept; in EXIF and IPTC nothing is changed.
pub fn edits(input: &mut Input<'_>, format: &Format, packet: &str) -> Result<Vec<Edit>, DecodeError> {
    let before = match format.id {
        "pdf" => document::xmp_packet(input)?.into_iter().collect(),
        _ => embedded::find(input, format)?.xmp,
    };
    let packet = merge::merged(&before, packet)?;
    if packet.len() > PACKET_MAX {
        return Err(DecodeError::TooLarge(format!(
            "what it says comes to {} bytes, and a file takes {PACKET_MAX}",
            packet.len()
        )));
    }
    let mut edits = match format.id {
        "jpeg" => pictures::jpeg(input, packet.as_bytes())?,
        "png" => pictures::png(input, packet.as_bytes())?,
        "webp" => pictures::webp(input, packet.as_bytes())?,
        "tiff" => tiff::edits(input, packet.as_bytes())?,
        "pdf" => pdf::edits(input, packet.as_bytes())?,
        _ => return Err(DecodeError::Unsupported(format!("{} takes no fields in", format.name))),
    };
    edits.sort_by_key(|edit| edit.at);
    Ok(edits)
}

/// Whether edits are of a file of that length: in order, beside each other, and not too many.
pub fn are_sound(edits: &[Edit], len: u64) -> bool {
    let mut end = 0;
    let in_order = edits.iter().all(|edit| {
        let starts_after = edit.at >= end;
        end = edit.at.saturating_add(edit.removed);
        starts_after && end <= len
    });
    let bytes: usize = edits.iter().map(|edit| edit.inserted.len()).sum();
    in_order && edits.len() <= EDITS_MAX && bytes <= PUT_IN_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_that_lie_on_each_other_are_none() {
        let edit = |at, removed| Edit { at, removed, inserted: vec![1] };
        assert!(are_sound(&[edit(2, 3), edit(5, 0), edit(9, 1)], 10));
        assert!(!are_sound(&[edit(2, 3), edit(4, 0)], 10));
        assert!(!are_sound(&[edit(9, 2)], 10));
        assert!(!are_sound(&[edit(u64::MAX, u64::MAX)], 10));
        assert!(!are_sound(&[Edit { inserted: vec![0; PUT_IN_MAX + 1], ..edit(0, 0) }], 10));
    }
}
