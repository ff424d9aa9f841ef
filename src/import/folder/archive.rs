//! Zip archives of old states, read as hostile: names are checked, links are kept as links, sizes are
//! counted while unpacking and not believed.

use crate::base::path::AssetPath;
use crate::import::error::{ImportError, io};
use crate::import::folder::habits::usual;
use crate::rules::ignore::IgnoreStack;
use crate::rules::portable::check_entry_name;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use zip::ZipArchive;

/// Most entries of one archive.
pub const ENTRIES_MAX: usize = 1_000_000;
/// Most bytes that one archive may unpack to.
pub const BYTES_MAX: u64 = 1 << 40;
/// An archive may not unpack to more than this many times its own length, a little aside.
const RATIO_MAX: u64 = 200;
const RATIO_FREE_BYTES: u64 = 1 << 30;

/// What is in an archive.
pub struct Archive<R = BufReader<File>> {
    zip: ZipArchive<R>,
    bytes_left: u64,
    /// What it is called, without its extension.
    stem: String,
}

/// One file of an archive.
pub struct ArchiveEntry {
    /// Its position.
    pub index: usize,
    /// Its path.
    pub path: AssetPath,
    /// Whether it is a link whose target is its content.
    pub link: bool,
    /// Whether it can be run.
    pub executable: bool,
}

impl Archive {
    /// Opens an archive.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        Self::of(File::open(path).map_err(io("opening", path))?, path)
    }

    /// Reads an archive that was opened and lies at `path`.
    pub fn of(file: File, path: &Path) -> Result<Self, ImportError> {
        let length = file.metadata().map_err(io("reading", path))?.len();
        let mut archive = Self::read_from(BufReader::new(file), length)
            .map_err(|reason| ImportError::Archive { path: path.to_owned(), reason })?;
        archive.stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(archive)
    }
}

impl<R: Read + Seek> Archive<R> {
    /// Reads what an archive of `length` bytes says is in it, or says why it cannot be read.
    pub fn read_from(input: R, length: u64) -> Result<Self, String> {
        let zip = ZipArchive::new(input).map_err(|error| error.to_string())?;
        if zip.len() > ENTRIES_MAX {
            return Err(format!("it has more than {ENTRIES_MAX} entries"));
        }
        let bytes_left = BYTES_MAX.min(length.saturating_mul(RATIO_MAX).max(RATIO_FREE_BYTES));
        Ok(Self { zip, bytes_left, stem: String::new() })
    }

    /// Its files, without those that systems leave behind. A folder that holds everything and is called like the
    /// archive, or like a version, is left off the paths. Names that no file may have come back apart, as text.
    pub fn entries(&mut self) -> (Vec<ArchiveEntry>, Vec<String>) {
        let (mut entries, mut refused) = (Vec::new(), Vec::new());
        for index in 0..self.zip.len() {
            let Ok(entry) = self.zip.by_index_raw(index) else {
                refused.push(format!("entry {index}"));
                continue;
            };
            let name = name_of(&entry);
            if entry.is_dir() || name.ends_with(b"/") {
                continue;
            }
            let mode = entry.unix_mode().unwrap_or(0);
            let link = mode & 0o170_000 == 0o120_000;
            let executable = mode & 0o100 != 0;
            match checked(name.clone()) {
                Some(path) if !entry.encrypted() => {
                    entries.push(ArchiveEntry { index, path, link, executable });
                }
                _ => refused.push(crate::base::escape::percent_encode(&name)),
            }
        }
        let ignore = IgnoreStack::new(b"");
        entries.retain(|entry| !is_ignored(&ignore, &entry.path));
        strip_common_folder(&mut entries, &self.stem);
        (entries, refused)
    }

    /// Hands the content of an entry to `take`, as a stream that ends in an error where the archive
    /// unpacks to more than can be meant.
    pub fn read<T>(&mut self, index: usize, take: impl FnOnce(&mut dyn Read) -> T) -> Result<T, String> {
        let entry = self.zip.by_index(index).map_err(|error| error.to_string())?;
        let mut counted = Counted { inner: entry, left: &mut self.bytes_left };
        Ok(take(&mut counted))
    }
}

/// A name as a path, when a file may have it. Archives made on Windows part names by backslashes.
pub(in crate::import) fn checked(name: Vec<u8>) -> Option<AssetPath> {
    let name: Vec<u8> = if name.contains(&b'/') {
        name
    } else {
        name.iter().map(|b| if *b == b'\\' { b'/' } else { *b }).collect()
    };
    let path = AssetPath::from_bytes(name).ok().filter(|path| !path.is_root())?;
    let sound = path.names().all(|name| check_entry_name(name).is_ok());
    sound.then_some(path)
}

/// The name of an entry as UTF-8: as it stands there when it is, else as the old code page that the format
/// prescribes for it.
fn name_of<R: Read>(entry: &zip::read::ZipFile<'_, R>) -> Vec<u8> {
    match std::str::from_utf8(entry.name_raw()) {
        Ok(_) => entry.name_raw().to_vec(),
        Err(_) => entry.name().as_bytes().to_vec(),
    }
}

/// Whether a path or a folder above it is left out by the usual rules.
fn is_ignored(ignore: &IgnoreStack, path: &AssetPath) -> bool {
    let mut above =
        std::iter::successors(path.parent(), AssetPath::parent).filter(|folder| !folder.is_root());
    ignore.is_ignored(path.as_bytes(), false)
        || above.any(|folder| ignore.is_ignored(folder.as_bytes(), true))
}

/// Whether a folder that holds all of an archive says no more than the archive's own name: it is called alike,
/// or like a version of something.
fn says_nothing(folder: &str, stem: &str) -> bool {
    let (inner, outer) = (usual(folder), usual(stem));
    let is_version = !inner.number.is_empty()
        || inner.date_ms.is_some()
        || inner.copy.is_some()
        || !inner.words.is_empty();
    is_version || folder.eq_ignore_ascii_case(stem) || inner.name.to_lowercase() == outer.name.to_lowercase()
}

fn strip_common_folder(entries: &mut [ArchiveEntry], stem: &str) {
    let first = |path: &AssetPath| path.names().next().map(<[u8]>::to_vec);
    let Some(common) = entries.first().and_then(|entry| first(&entry.path)) else { return };
    let is_common = |entry: &ArchiveEntry| {
        let mut names = entry.path.names();
        names.next() == Some(common.as_slice()) && names.next().is_some()
    };
    let says_nothing = std::str::from_utf8(&common).is_ok_and(|folder| says_nothing(folder, stem));
    if says_nothing && entries.iter().all(is_common) {
        for entry in entries {
            let rest = entry.path.as_bytes()[common.len() + 1..].to_vec();
            if let Ok(path) = AssetPath::from_bytes(rest) {
                entry.path = path;
            }
        }
    }
}

struct Counted<'a, R> {
    inner: R,
    left: &'a mut u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.inner.read(buffer)?;
        match self.left.checked_sub(length as u64) {
            Some(left) => *self.left = left,
            None => return Err(std::io::Error::other("the archive unpacks to more than can be meant")),
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write as _};

    #[test]
    fn an_archive_that_unpacks_to_more_than_can_be_meant_is_cut_off() {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        for name in ["one", "two"] {
            writer.start_file(name, options).expect("an entry");
            writer.write_all(&[0; 800]).expect("content");
        }
        let bytes = writer.finish().expect("an archive").into_inner();
        let mut archive = Archive::read_from(Cursor::new(&bytes), bytes.len() as u64).expect("an archive");
        assert_eq!(archive.bytes_left, RATIO_FREE_BYTES, "small archives may unpack to a gigabyte");
        archive.bytes_left = 1000;
        let mut read = |index| {
            archive.read(index, |input| std::io::copy(input, &mut std::io::sink())).expect("an entry")
        };
        assert_eq!(read(0).expect("within the limit"), 800);
        let error = read(1).expect_err("800 more are too many");
        assert!(error.to_string().contains("more than can be meant"), "{error}");
        let large = Archive::read_from(Cursor::new(&bytes), 1 << 60).expect("an archive");
        assert_eq!(large.bytes_left, BYTES_MAX);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["../a", "/a", "a/../../b", "a//b", ".pent/x", "a/.PENT/x", "", "C:\\..\\x"] {
            assert!(checked(name.as_bytes().to_vec()).is_none(), "{name}");
        }
        let path = checked(b"a\\b.txt".to_vec()).expect("a path");
        assert_eq!(path.as_bytes(), b"a/b.txt");
    }
}
