//! Image resources: what the document says of the picture as a whole.

use super::PsdError;
use super::reader::Reader;

/// Longest resource that is kept, in bytes: profiles and embedded metadata can be large.
const KEPT_MAX: u64 = 32 << 20;

/// The resources that mean something here.
#[derive(Debug, Default, Clone)]
pub struct Resources {
    /// Dots per inch, across and down.
    pub resolution: Option<(f64, f64)>,
    /// The ICC profile.
    pub profile: Option<Vec<u8>>,
    /// IPTC records.
    pub iptc: Option<Vec<u8>>,
    /// EXIF, as a TIFF structure.
    pub exif: Option<Vec<u8>>,
    /// XMP packet.
    pub xmp: Option<Vec<u8>>,
    /// A small JPEG picture of the document.
    pub thumbnail: Option<Vec<u8>>,
    /// Whether the document says that the picture stored in it is none: it was saved without one, and white stands
    /// in its place.
    pub unmerged: bool,
    /// How many resources there are in all.
    pub count: u64,
}

/// Reads resources up to `end`. One that is cut short ends the list: what follows in the document
/// has a length of its own.
pub(super) fn read(reader: &mut Reader<'_, '_>, end: u64) -> Result<Resources, PsdError> {
    let mut found = Resources::default();
    while reader.at() + 12 <= end {
        let signature: [u8; 4] = reader.array()?;
        if !matches!(&signature, b"8BIM" | b"MeSa" | b"AgHg" | b"PHUT" | b"DCSR") {
            break;
        }
        let id = reader.u16()?;
        reader.pascal(2)?;
        let size = u64::from(reader.u32()?);
        let next = reader.at() + size + (size & 1);
        if reader.at() + size > end {
            break;
        }
        found.count += 1;
        if size <= KEPT_MAX {
            keep(&mut found, id, size, reader)?;
        }
        reader.go_to(next.min(end))?;
    }
    Ok(found)
}

fn keep(found: &mut Resources, id: u16, size: u64, reader: &mut Reader<'_, '_>) -> Result<(), PsdError> {
    let mut take = || reader.bytes(size, KEPT_MAX as usize);
    match id {
        1005 if size >= 16 => found.resolution = resolution(&take()?),
        1028 => found.iptc = Some(take()?),
        // Format, width, height, bytes per row, sizes, depth, planes: 28 bytes before the JPEG.
        1036 if size > 28 => found.thumbnail = Some(take()?.split_off(28)),
        1039 => found.profile = Some(take()?),
        // A version of four bytes, and whether there is a merged picture.
        1057 if size >= 5 => found.unmerged = take()?.get(4) == Some(&0),
        1058 => found.exif = Some(take()?),
        1060 => found.xmp = Some(take()?),
        _ => {}
    }
    Ok(())
}

/// Numbers with 16 bits before and after the point, each with a unit for display only: the values
/// are always per inch.
fn resolution(bytes: &[u8]) -> Option<(f64, f64)> {
    let fixed = |at: usize| -> Option<f64> {
        let raw: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(f64::from(u32::from_be_bytes(raw)) / 65536.0)
    };
    Some((fixed(0)?, fixed(8)?))
}
