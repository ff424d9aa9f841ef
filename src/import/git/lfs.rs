//! Git LFS: pointers, and where the content lies that they stand for.
//!
//! A pointer is told by its text, not by `.gitattributes`: attributes change over the years, a text
//! that says hash and size of content that is at hand means that content. The format is that of
//! `docs/spec.md` of Git LFS.

use crate::base::id::write_hex;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A pointer is shorter than this, in bytes.
pub const POINTER_BYTES_MAX: usize = 1024;
/// Version lines that Git LFS knows; the first is what it writes.
const VERSIONS: [&str; 3] =
    ["https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1", "http://git-media.io/v/2"];

/// What a pointer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer {
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
    /// Its length in bytes.
    pub size: u64,
    /// Whether its text is exactly what [`pointer_text`] gives.
    pub plain: bool,
}

/// Reads a pointer. One that names extensions is none: its content is not what was checked out.
pub fn parse_pointer(bytes: &[u8]) -> Option<Pointer> {
    if bytes.len() >= POINTER_BYTES_MAX || !bytes.starts_with(b"version ") {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.lines();
    let version = lines.next()?.strip_prefix("version ")?;
    if !VERSIONS.contains(&version.trim()) {
        return None;
    }
    let (mut digest, mut size) = (None, None);
    for line in lines.filter(|line| !line.trim().is_empty()) {
        match line.split_once(' ')? {
            ("oid", value) => digest = Some(hex(value.trim().strip_prefix("sha256:")?)?),
            ("size", value) => size = Some(value.trim().parse().ok()?),
            _ => return None,
        }
    }
    let (sha256, size) = (digest?, size?);
    Some(Pointer { sha256, size, plain: pointer_text(&sha256, size) == bytes })
}

/// The pointer that Git LFS writes for content.
pub fn pointer_text(sha256: &[u8; 32], size: u64) -> Vec<u8> {
    format!("version {}\noid sha256:{}\nsize {size}\n", VERSIONS[0], Hex(sha256)).into_bytes()
}

/// Bytes as lower-case hexadecimal.
pub struct Hex<'a>(pub &'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write_hex(f, self.0)
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    text.parse::<crate::base::id::FileId>().ok().map(|id| *id.as_bytes())
}

/// Where an object lies below a folder of objects.
pub fn object_path(folder: &Path, sha256: &[u8; 32]) -> PathBuf {
    let name = Hex(sha256).to_string();
    folder.join(&name[..2]).join(&name[2..4]).join(name)
}

/// Opens a file if it is an ordinary one of the expected length; never follows a link at its end.
pub fn open_candidate(path: &Path, size: u64) -> Option<File> {
    let found = path.symlink_metadata().ok()?;
    if !found.is_file() || found.len() != size {
        return None;
    }
    File::open(path).ok()
}

/// Reads on and keeps the SHA-256 of what was read.
pub struct Hashing<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> Hashing<R> {
    /// Begins.
    pub fn new(inner: R) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    /// The hash of everything read.
    pub fn finish(self) -> [u8; 32] {
        self.hasher.finalize().into()
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_read_as_git_lfs_writes_them_and_as_it_once_did() {
        let text = pointer_text(&[0xab; 32], 12);
        let pointer = parse_pointer(&text).expect("a pointer");
        assert_eq!(pointer, Pointer { sha256: [0xab; 32], size: 12, plain: true });
        let old = String::from_utf8(text).expect("text").replace("git-lfs.github", "hawser.github");
        assert_eq!(parse_pointer(old.as_bytes()).map(|pointer| pointer.plain), Some(false));
        let crlf = old.replace('\n', "\r\n");
        assert_eq!(parse_pointer(crlf.as_bytes()).map(|pointer| pointer.size), Some(12));
    }

    #[test]
    fn what_only_looks_like_a_pointer_is_none() {
        let good = String::from_utf8(pointer_text(&[1; 32], 5)).expect("text");
        let extended = good.replace("oid", "ext-0-crypt sha256:00\noid");
        let short = good.replace("sha256:01", "sha256:");
        for text in [extended.as_str(), &short, "version 1\n", "", &good.replace("size 5", "size -5")] {
            assert_eq!(parse_pointer(text.as_bytes()), None, "{text}");
        }
    }
}
