//! Fields that cameras and programs write into files: EXIF, IPTC and XMP, wherever a format keeps them.
//!
//! A container is walked for its packets, and each packet read by its own standard. What is damaged is
//! left out with a note; the file is as good as it was.

mod containers;
mod exif;
mod iptc;
mod tiff;
pub mod xmp;

use std::collections::HashSet;
use std::io;

use crate::media::facts::{Facts, Field};
use crate::media::format::Format;
use crate::media::input::Input;

/// What was found in a file, before it is read.
#[derive(Debug, Default)]
pub struct Packets {
    /// EXIF, as a TIFF structure.
    pub exif: Option<Vec<u8>>,
    /// IPTC fields in their binary form.
    pub iptc: Option<Vec<u8>>,
    /// XMP packets; those that come later add to the first.
    pub xmp: Vec<Vec<u8>>,
    /// Fields that the format itself has.
    pub own: Vec<Field>,
    /// Dots per inch, across and down, as the format itself says.
    pub resolution: Option<(f64, f64)>,
    /// Whether there are content credentials (C2PA).
    pub credentials: bool,
    /// Texts that may be packets and were unpacked.
    pub unpacked: usize,
}

impl Packets {
    /// Takes EXIF that stands by itself.
    pub fn add_exif(&mut self, structure: &[u8]) -> io::Result<()> {
        containers::exif(structure, self)
    }
}

/// Finds the packets of a file.
pub fn find(input: &mut Input<'_>, format: &Format) -> io::Result<Packets> {
    let mut found = Packets::default();
    match format.id {
        "jpeg" => containers::jpeg(input, &mut found)?,
        "png" => containers::png(input, &mut found)?,
        "webp" | "wav" | "avi" => containers::riff(input, &mut found)?,
        "tiff" | "raw" => drop(tiff::gather(input, &mut found)?),
        "gif" | "pdf" | "eps" | "indd" | "jxl" => containers::search(input, &mut found)?,
        _ => {}
    }
    Ok(found)
}

/// Reads packets and adds their fields to what is known of the file.
pub fn add(packets: Packets, facts: &mut Facts) {
    let Packets { exif, iptc, xmp, own, mut resolution, credentials, .. } = packets;
    facts.content_credentials |= credentials;
    if let Some(structure) = exif {
        match exif::read(structure) {
            Some((fields, dots)) => {
                facts.add_fields(fields);
                resolution = resolution.or(dots);
            }
            None => facts.note("its EXIF fields are damaged and were left out"),
        }
    }
    if let Some(iptc) = iptc {
        facts.add_fields(iptc::read(&iptc));
    }
    let mut seen: Vec<Field> = Vec::new();
    let mut names: HashSet<String> = HashSet::new();
    for packet in xmp {
        match xmp::read(&packet) {
            Some(fields) => {
                let new: Vec<Field> =
                    fields.into_iter().filter(|field| !names.contains(&field.name)).collect();
                names.extend(new.iter().map(|field| field.name.clone()));
                facts.content_credentials |= new
                    .iter()
                    .any(|field| field.name == "dcterms:provenance" && field.value.contains("c2pa"));
                seen.extend(new);
            }
            None => facts.note("an XMP packet is damaged and was left out"),
        }
    }
    facts.add_fields(seen);
    facts.add_fields(own);
    if let Some(picture) = facts.picture.as_mut() {
        picture.resolution = picture.resolution.or(resolution);
    }
}

#[cfg(test)]
mod tests;
