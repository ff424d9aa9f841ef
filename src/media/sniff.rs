//! Tells the format of a file by its bytes.
//!
//! A name is only asked where bytes cannot tell: formats without any signature (Targa before its
//! second version, Wavefront objects), and texts that are data for one program.

mod container;
mod signature;
mod text;

use std::io;

use crate::media::format::{self, Format};
use crate::media::input::Input;

/// How much of a file's beginning, and of its end, is looked at, in bytes.
const LOOK: usize = 64 * 1024;

/// What is looked at.
struct Sample<'a> {
    head: &'a [u8],
    tail: &'a [u8],
    len: u64,
    /// The end of the file's name after the last dot, in lower case.
    extension: &'a str,
}

impl Sample<'_> {
    fn starts(&self, prefix: &[u8]) -> bool {
        self.head.starts_with(prefix)
    }

    fn has_at(&self, offset: usize, bytes: &[u8]) -> bool {
        self.head.get(offset..offset + bytes.len()) == Some(bytes)
    }
}

/// The format of `input`, which is called `name` (its last component is enough).
///
/// Reads at most 128 KiB, whatever the size. What nothing is known of is [`format::OPAQUE`].
pub fn sniff(input: &mut Input<'_>, name: &[u8]) -> io::Result<&'static Format> {
    let len = input.len();
    sniff_by(len, name, |offset, most| input.read_at(offset, most))
}

/// The same of `len` bytes that `read` gives: at most so many from a place on.
pub fn sniff_by(
    len: u64,
    name: &[u8],
    mut read: impl FnMut(u64, usize) -> io::Result<Vec<u8>>,
) -> io::Result<&'static Format> {
    let head = read(0, LOOK)?;
    let tail = read(len.saturating_sub(LOOK as u64).max(head.len() as u64), LOOK)?;
    let extension = extension(name);
    let sample = Sample { head: &head, tail: &tail, len, extension: &extension };
    Ok(container::tell(&sample)
        .or_else(|| signature::tell(&sample))
        .or_else(|| text::tell(&sample))
        .unwrap_or(&format::OPAQUE))
}

/// What of a name the format of its bytes can hang on: bytes are of one format under all names with the same
/// hint. Nothing for most.
pub fn hint(name: &[u8]) -> &'static str {
    const ASKED: [&Format; 7] = [
        &format::TEXT,
        &format::JSON,
        &format::OBJ,
        &format::GLTF,
        &format::BLEND,
        &format::RAW,
        &format::TGA,
    ];
    let extension = extension(name);
    match extension.as_str() {
        "" => "none",
        "svgz" => "svgz",
        other => {
            ASKED.iter().find(|format| format.extensions.contains(&other)).map_or("", |format| format.id)
        }
    }
}

fn extension(name: &[u8]) -> String {
    let name = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    match name.iter().rposition(|byte| *byte == b'.') {
        Some(dot) => String::from_utf8_lossy(&name[dot + 1..]).to_lowercase(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
