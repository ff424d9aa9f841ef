//! A bucket in a folder, which may lie on a shared disk.
//!
//! Blobs are files. They are written under a name of their own in `tmp`, synced, and renamed. Long ones have a
//! name there that follows from their own: whoever is killed meanwhile goes on with what is written.
//!
//! A cell is a row of files `<key>.<number>`, one for each version; the highest number holds the
//! present bytes. A new version comes about by a hard link to the next number, which a file system
//! grants to one caller only, NFS included. No lock is held, so none can be left behind, and a
//! process that stops in the middle stops nobody.
//!
//! Old versions are removed, oldest first, but never the last [`VERSIONS_KEPT`]. A writer that slept
//! through that many could link a number that was there before and is gone; it therefore looks
//! afterwards whether the version that it had seen is still there. If so, the next one cannot have
//! been removed before, and the link was the first. If not, it says that it does not know.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::memory::too_long;
use super::{Bucket, BucketError, BucketResult, Listed, Version, Write, check_key};
use crate::store::direct::write_direct;
use crate::store::disk::start_writeback;

/// Versions of a cell that are never removed.
const VERSIONS_KEPT: u64 = 32;
/// Folder of files on their way to their names.
const TEMPORARY: &str = "tmp";
/// Bytes after which the disk begins to write while the rest of a file is still on its way there.
const WRITEBACK_BYTES: usize = 4 << 20;
/// Bytes of a file that was cut off which are compared at a time with what it is to have.
const COMPARED_BYTES: usize = 1 << 20;
/// Length from which on a file counts as long, in bytes: it goes past the cache, and is gone on with when it was cut off.
const GO_ON_BYTES: u64 = 1 << 20;
/// Digits of a version's number.
const DIGITS: usize = 20;

/// A folder used as a bucket.
#[derive(Debug)]
pub struct FolderBucket {
    root: PathBuf,
}

impl FolderBucket {
    /// Uses a folder that is there.
    pub fn open(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Makes the folder when it is missing.
    pub fn create(root: &Path) -> BucketResult<Self> {
        let failed = |error| BucketError::io("making", &root.display().to_string(), error);
        fs::create_dir_all(root).map_err(failed)?;
        sync_dir(root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(root))
            .map_err(failed)?;
        Ok(Self { root: root.to_owned() })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, key: &str) -> BucketResult<PathBuf> {
        check_key(key)?;
        Ok(self.root.join(key))
    }

    /// Writes a synced file under a name that nobody else uses.
    fn write_temporary(&self, bytes: &[u8]) -> io::Result<PathBuf> {
        let folder = self.root.join(TEMPORARY);
        make_folder(&self.root, &folder)?;
        let mut name = [0u8; 16];
        getrandom::fill(&mut name).map_err(|error| io::Error::other(error.to_string()))?;
        let path = folder.join(crate::base::id::PackId::from_bytes(name).to_string());
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        share_file(&self.root, &file);
        let written = write_synced(&mut file, 0, bytes);
        if written.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&path);
        }
        written.map(|()| path)
    }

    fn put_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = match self.go_on(path, bytes)? {
            Some(temporary) => temporary,
            None => self.write_temporary(bytes)?,
        };
        let folder = path.parent().unwrap_or(&self.root);
        let named = make_folder(&self.root, folder).and_then(|()| fs::rename(&temporary, path));
        match named {
            // Somebody who writes the same was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound && has_length(path, bytes.len()) => {}
            Err(error) => {
                let _ = fs::remove_file(&temporary);
                return Err(error);
            }
            Ok(()) => {}
        }
        sync_dir(folder)
    }

    /// Writes what is missing of a long file under a name that follows from its own, so that whoever was killed
    /// while it was written need not write it all again. `None` where that cannot be.
    fn go_on(&self, path: &Path, bytes: &[u8]) -> io::Result<Option<PathBuf>> {
        let Some(name) = path.file_name().filter(|_| self.goes_on(bytes.len() as u64)) else {
            return Ok(None);
        };
        let folder = self.root.join(TEMPORARY);
        make_folder(&self.root, &folder)?;
        let temporary = folder.join(name);
        let Some(mut file) = open_own(&temporary) else { return Ok(None) };
        share_file(&self.root, &file);
        let mut write = || {
            let there = common_bytes(&mut file, bytes)?;
            write_synced(&mut file, there, bytes)
        };
        write().inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        Ok(Some(temporary))
    }

    fn link_version(&self, path: &Path, bytes: &[u8], seen: u64) -> io::Result<Write> {
        let temporary = self.write_temporary(bytes)?;
        let folder = path.parent().unwrap_or(&self.root);
        let next = version_path(path, seen + 1);
        let linked = make_folder(&self.root, folder).and_then(|()| fs::hard_link(&temporary, &next));
        let linked = linked.map_err(|error| match error.kind() {
            // Some file systems say so of hard links, and mean all of them.
            io::ErrorKind::PermissionDenied if !has_hard_links(&temporary) => {
                io::Error::from(io::ErrorKind::Unsupported)
            }
            _ => error,
        });
        let _ = fs::remove_file(&temporary);
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Write::Conflict),
            other => other?,
        }
        sync_dir(folder)?;
        if seen > 0 && open_version(path, seen)?.is_none() {
            return Ok(Write::Unknown);
        }
        remove_old(path, seen + 1);
        Ok(Write::Done(Version((seen + 1).to_string())))
    }

    fn list_folder(&self, folder: &Path, prefix: &str, each: &mut dyn FnMut(Listed)) -> io::Result<()> {
        // Others go on writing and removing meanwhile: what is gone when it is looked at is not there.
        let Some(entries) = found(fs::read_dir(folder))? else { return Ok(()) };
        for entry in entries {
            let Some(entry) = found(entry)? else { continue };
            let path = entry.path();
            let Some(key) = path.strip_prefix(&self.root).ok().and_then(Path::to_str) else { continue };
            let Some(meta) = found(path.symlink_metadata())? else { continue };
            if meta.is_dir() && (key.starts_with(prefix) || prefix.starts_with(key)) {
                self.list_folder(&path, prefix, each)?;
            } else if meta.is_file() && key.starts_with(prefix) {
                let age = meta.modified()?.elapsed().unwrap_or(Duration::ZERO);
                each(Listed { key: key.to_owned(), length: meta.len(), age });
            }
        }
        Ok(())
    }
}

/// Makes a folder below `root` and its name durable, folder by folder.
fn make_folder(root: &Path, folder: &Path) -> io::Result<()> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(root);
    make_folder(root, parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
        Ok(()) => share_folder(root, folder),
    }
    sync_dir(parent)
}

/// Whether a file can have two names where it lies.
fn has_hard_links(path: &Path) -> bool {
    let other = path.with_extension("link");
    let linked = fs::hard_link(path, &other).is_ok();
    // It is a temporary name beside a temporary file.
    let _ = fs::remove_file(&other);
    linked
}

/// Gives a folder that was made the rights of the topmost one: whoever may write there may write here,
/// whatever the person's own habit is. Where rights cannot be set, those of the file system hold.
#[cfg(unix)]
fn share_folder(root: &Path, folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if let Ok(meta) = fs::metadata(root) {
        let mode = meta.permissions().mode() & 0o7777;
        let _ = fs::set_permissions(folder, fs::Permissions::from_mode(mode));
    }
}

#[cfg(not(unix))]
fn share_folder(_: &Path, _: &Path) {}

/// Lets those read a file who may read the topmost folder.
#[cfg(unix)]
fn share_file(root: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt as _;
    if let Ok(meta) = fs::metadata(root) {
        let mode = 0o600 | meta.permissions().mode() & 0o444;
        let _ = file.set_permissions(fs::Permissions::from_mode(mode));
    }
}

#[cfg(not(unix))]
fn share_file(_: &Path, _: &File) {}

/// Removes versions that nobody needs. What cannot be removed now is removed by the next writer.
fn remove_old(path: &Path, newest: u64) {
    let Ok(mut numbers) = versions(path) else { return };
    numbers.retain(|number| number + VERSIONS_KEPT < newest);
    numbers.sort_unstable();
    for number in numbers {
        if fs::remove_file(version_path(path, number)).is_err() {
            break;
        }
    }
}

/// The newest version with its file. A folder that another machine changed may be listed as it
/// was a while ago, so later numbers are tried by name.
fn newest(path: &Path) -> io::Result<Option<(u64, File)>> {
    loop {
        let Some(mut number) = versions(path)?.into_iter().max() else {
            let first = open_version(path, 1)?;
            let Some(file) = first else { return Ok(None) };
            return Ok(Some((1, file)));
        };
        let Some(mut file) = open_version(path, number)? else { continue };
        while let Some(next) = open_version(path, number + 1)? {
            (number, file) = (number + 1, next);
        }
        return Ok(Some((number, file)));
    }
}

/// Numbers of the versions of a cell, in no order.
fn versions(path: &Path) -> io::Result<Vec<u64>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?.file_name();
        let number = entry.to_str().and_then(|entry| entry.strip_prefix(name)?.strip_prefix('.'));
        let digits = number.filter(|digits| digits.len() == DIGITS);
        found.extend(digits.and_then(|digits| digits.parse::<u64>().ok()));
    }
    Ok(found)
}

fn version_path(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number:0DIGITS$}"));
    PathBuf::from(name)
}

fn open_version(path: &Path, number: u64) -> io::Result<Option<File>> {
    found(File::open(version_path(path, number)))
}

/// Turns "not there" into `None`.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Opens, or makes, a file for going on with it: one that has no other name. Others may write in the folder of
/// temporary files, and a link of theirs could lead anywhere.
#[cfg(unix)]
fn open_own(path: &Path) -> Option<File> {
    use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(path).ok()?;
    let meta = file.metadata().ok()?;
    (meta.is_file() && meta.nlink() <= 1).then_some(file)
}

#[cfg(not(unix))]
fn open_own(_: &Path) -> Option<File> {
    None
}

/// How many bytes of a file are those that it is to have: its beginning, in whole pieces. What is longer than it
/// is to be is cut.
fn common_bytes(file: &mut File, bytes: &[u8]) -> io::Result<usize> {
    if file.metadata()?.len() > bytes.len() as u64 {
        file.set_len(bytes.len() as u64)?;
    }
    let (mut there, mut piece) = (0, Vec::new());
    for wanted in bytes.chunks(COMPARED_BYTES) {
        piece.clear();
        std::io::Read::by_ref(file).take(wanted.len() as u64).read_to_end(&mut piece)?;
        if piece != wanted {
            break;
        }
        there += wanted.len();
    }
    Ok(there)
}

fn has_length(path: &Path, length: usize) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == length as u64)
}

/// Writes what stands from `start` on, and syncs; what is long reaches the disk while the rest is still being
/// written.
fn write_synced(file: &mut File, start: usize, bytes: &[u8]) -> io::Result<()> {
    let is_long = bytes.len() as u64 >= GO_ON_BYTES;
    let past_cache = if is_long { write_direct(file, start as u64, &bytes[start..])? } else { 0 };
    let mut offset = (start + past_cache) as u64;
    file.seek(SeekFrom::Start(offset))?;
    for piece in bytes[start + past_cache..].chunks(WRITEBACK_BYTES) {
        file.write_all(piece)?;
        start_writeback(file, offset, piece.len() as u64);
        offset += piece.len() as u64;
    }
    file.sync_all()
}

fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Reads a whole file of at most `limit` bytes; `None` when it is longer.
fn read_limited(file: File, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::with_capacity(file.metadata()?.len().min(limit) as usize);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

impl Bucket for FolderBucket {
    fn put(&self, key: &str, bytes: &[u8]) -> BucketResult<()> {
        let path = self.path(key)?;
        self.put_file(&path, bytes).map_err(|error| BucketError::io("writing", key, error))
    }

    fn goes_on(&self, length: u64) -> bool {
        cfg!(unix) && length >= GO_ON_BYTES
    }

    fn get(&self, key: &str, limit: u64) -> BucketResult<Option<Vec<u8>>> {
        let failed = |error| BucketError::io("reading", key, error);
        let Some(file) = found(File::open(self.path(key)?)).map_err(failed)? else { return Ok(None) };
        let bytes = read_limited(file, limit).map_err(failed)?;
        bytes.map(Some).ok_or_else(|| too_long("reading", key))
    }

    fn get_range(&self, key: &str, range: Range<u64>) -> BucketResult<Option<Vec<u8>>> {
        let failed = |error| BucketError::io("reading", key, error);
        let Some(mut file) = found(File::open(self.path(key)?)).map_err(failed)? else { return Ok(None) };
        // What is asked for may be what a hostile index says: nothing is set aside for bytes that are not there.
        if file.metadata().map_err(failed)?.len() < range.end {
            return Err(BucketError::CutShort { key: key.to_owned() });
        }
        file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
        let length = range.end - range.start;
        let mut bytes = Vec::with_capacity(length as usize);
        file.take(length).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 == length {
            Ok(Some(bytes))
        } else {
            Err(BucketError::CutShort { key: key.to_owned() })
        }
    }

    fn length(&self, key: &str) -> BucketResult<Option<u64>> {
        let meta = found(fs::metadata(self.path(key)?));
        let meta = meta.map_err(|error| BucketError::io("looking at", key, error))?;
        Ok(meta.filter(fs::Metadata::is_file).map(|meta| meta.len()))
    }

    fn delete(&self, key: &str) -> BucketResult<()> {
        let path = self.path(key)?;
        let remove = || -> io::Result<()> {
            if found(fs::remove_file(&path))?.is_some() {
                return Ok(());
            }
            let mut numbers = versions(&path)?;
            numbers.sort_unstable();
            numbers.into_iter().try_for_each(|number| fs::remove_file(version_path(&path, number)))
        };
        remove().map_err(|error| BucketError::io("removing", key, error))
    }

    fn read_cell(&self, key: &str, limit: u64) -> BucketResult<Option<(Vec<u8>, Version)>> {
        let failed = |error| BucketError::io("reading", key, error);
        let Some((number, file)) = newest(&self.path(key)?).map_err(failed)? else { return Ok(None) };
        let bytes = read_limited(file, limit).map_err(failed)?;
        let bytes = bytes.ok_or_else(|| too_long("reading", key))?;
        Ok(Some((bytes, Version(number.to_string()))))
    }

    fn earlier_cells(&self, key: &str, limit: u64) -> BucketResult<Vec<Vec<u8>>> {
        let failed = |error| BucketError::io("reading", key, error);
        let path = self.path(key)?;
        let mut numbers = versions(&path).map_err(failed)?;
        numbers.sort_unstable();
        let mut found = Vec::new();
        for number in numbers.into_iter().rev().skip(1) {
            let Some(file) = open_version(&path, number).map_err(failed)? else { continue };
            found.extend(read_limited(file, limit).map_err(failed)?);
        }
        Ok(found)
    }

    fn write_cell(&self, key: &str, bytes: &[u8], seen: Option<&Version>) -> BucketResult<Write> {
        let path = self.path(key)?;
        let seen = seen.map_or(Some(0), |version| version.0.parse::<u64>().ok());
        let seen = seen.ok_or_else(|| BucketError::Key { key: key.to_owned() })?;
        self.link_version(&path, bytes, seen).map_err(|error| match error.kind() {
            io::ErrorKind::Unsupported => {
                BucketError::Unconditional { reason: "its file system has no hard links" }
            }
            _ => BucketError::io("writing", key, error),
        })
    }

    /// What the disk writes down as the moment at which a file was written: a shared disk's own clock.
    fn clock_ms(&self) -> BucketResult<Option<i64>> {
        let read = || -> io::Result<i64> {
            let path = self.write_temporary(b"what time is it?")?;
            let modified = fs::metadata(&path).and_then(|found| found.modified());
            let _ = fs::remove_file(&path);
            let since = modified?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
        };
        read().map(Some).map_err(|error| BucketError::io("writing", "tmp", error))
    }

    fn list(&self, prefix: &str, each: &mut dyn FnMut(Listed)) -> BucketResult<()> {
        let listed = self.list_folder(&self.root, prefix, each);
        listed.map_err(|error| BucketError::io("listing", prefix, error))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("something there").permissions().mode() & 0o7777
    }

    /// A bucket with a half-written file where one of these bytes would be written first.
    fn half_written(begun: &[u8]) -> (tempfile::TempDir, FolderBucket, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bucket = FolderBucket::open(folder.path());
        let temporary = folder.path().join("tmp/0a.pack");
        fs::create_dir(folder.path().join("tmp")).expect("a folder");
        fs::write(&temporary, begun).expect("a file that was cut off");
        (folder, bucket, temporary)
    }

    #[test]
    fn a_file_that_was_cut_off_is_gone_on_with_and_another_one_is_written_anew() {
        use std::os::unix::fs::MetadataExt as _;
        let whole: Vec<u8> = (0..5_000_000u32).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
        let mut other = whole.clone();
        other[1_500_000] ^= 1;
        let longer = [&whole[..], b"more"].concat();
        for begun in [&whole[..0], &whole[..3_333_333], &whole, &other, &longer] {
            let (folder, bucket, temporary) = half_written(begun);
            let inode = fs::metadata(&temporary).expect("a file").ino();
            bucket.put("packs/0a/0a.pack", &whole).expect("a blob");
            let path = folder.path().join("packs/0a/0a.pack");
            assert!(fs::read(&path).expect("a blob") == whole, "after {} bytes", begun.len());
            assert_eq!(fs::metadata(&path).expect("a blob").ino(), inode, "it is the file that was begun");
            assert!(!temporary.exists());
        }
        let (_folder, _, temporary) = half_written(&other);
        let mut file = File::options().read(true).write(true).open(temporary).expect("a file");
        let there = common_bytes(&mut file, &whole).expect("readable");
        assert_eq!(there, COMPARED_BYTES, "what is the same stays");
    }

    #[test]
    fn a_link_in_place_of_a_file_that_was_cut_off_leads_nowhere() {
        let whole = vec![7u8; 2_000_000];
        for hard in [false, true] {
            let (folder, bucket, temporary) = half_written(b"");
            let precious = folder.path().join("precious");
            fs::write(&precious, b"precious").expect("a file");
            fs::remove_file(&temporary).expect("removed");
            let linked = if hard {
                fs::hard_link(&precious, &temporary)
            } else {
                std::os::unix::fs::symlink(&precious, &temporary)
            };
            linked.expect("a link");
            bucket.put("packs/0a/0a.pack", &whole).expect("a blob");
            assert_eq!(fs::read(&precious).expect("a file"), b"precious");
            assert!(fs::read(folder.path().join("packs/0a/0a.pack")).expect("a blob") == whole);
        }
    }

    #[test]
    fn what_one_person_makes_others_of_the_folder_can_use() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (rights, of_files) in [(0o2775, 0o644), (0o770, 0o640), (0o700, 0o600)] {
            let root = folder.path().join(format!("nas{rights:o}"));
            fs::create_dir(&root).expect("a folder");
            fs::set_permissions(&root, fs::Permissions::from_mode(rights)).expect("rights");
            let bucket = FolderBucket::open(&root);
            bucket.put("packs/0a/0a.pack", b"pack").expect("a blob");
            bucket.put("keeps/one.keep", b"keep").expect("a blob");
            bucket.write_cell("head", b"head", None).expect("a cell");
            for made in ["packs", "packs/0a", "keeps", "tmp"] {
                assert_eq!(mode(&root.join(made)), rights, "{made} below {rights:o}");
            }
            for made in ["packs/0a/0a.pack", "keeps/one.keep", "head.00000000000000000001"] {
                assert_eq!(mode(&root.join(made)), of_files, "{made} below {rights:o}");
            }
        }
    }
}
