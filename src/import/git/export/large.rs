//! The content behind Git LFS pointers: written on all cores, under the SHA-256 by which Git LFS names it.

use crate::base::id::FileId;
use crate::import::error::{ImportError, io};
use crate::import::git::export::Exporter;
use crate::import::git::lfs::object_path;
use crate::repo::extract::Extractor;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Content that is known by its SHA-256 waits until there is so much of it, in bytes or files.
const WAITING_BYTES_MAX: u64 = 256 << 20;
const WAITING_MAX: usize = 1_024;

/// Content that is still to be written.
#[derive(Default)]
pub(super) struct Waiting {
    files: Vec<(FileId, u64, [u8; 32])>,
    bytes: u64,
}

impl Exporter<'_> {
    /// Sees to it that content lies in the Git LFS folder of the new repository in the end, once, and says its
    /// SHA-256.
    pub(super) fn lfs_object(&mut self, file: FileId, size: u64) -> Result<[u8; 32], ImportError> {
        if let Some(digest) = self.lfs_objects.get(&file) {
            return Ok(*digest);
        }
        let Some(digest) = self.view.lfs_digest(file)? else {
            self.write_unnamed(&[(file, size)])?;
            return self.lfs_objects.get(&file).copied().ok_or(ImportError::Cancelled);
        };
        if self.view.is_erased(file)? {
            self.report.missing_lfs += u64::from(self.missing_lfs.insert(digest));
            return Ok(digest);
        }
        self.lfs_objects.insert(file, digest);
        if self.is_ground {
            return Ok(digest);
        }
        self.lfs_waiting.files.push((file, size, digest));
        self.lfs_waiting.bytes += size;
        if self.lfs_waiting.bytes >= WAITING_BYTES_MAX || self.lfs_waiting.files.len() >= WAITING_MAX {
            self.write_waiting()?;
        }
        Ok(digest)
    }

    /// Writes the content whose SHA-256 is known from an import.
    pub(super) fn write_waiting(&mut self) -> Result<(), ImportError> {
        self.check_cancelled()?;
        let waiting = std::mem::take(&mut self.lfs_waiting).files;
        let (folder, extractor) = (self.lfs_folder(waiting.is_empty())?, &self.extractor);
        waiting.par_iter().try_for_each(|(file, size, expected)| {
            let digest = write_object(extractor, &folder, *file, *size)?;
            if digest == *expected { Ok(()) } else { Err(ImportError::LfsDigest { file: *file }) }
        })?;
        for (_, size, _) in waiting {
            self.count_lfs(size);
        }
        Ok(())
    }

    /// Writes content whose SHA-256 is found out by that.
    pub(super) fn write_unnamed(&mut self, files: &[(FileId, u64)]) -> Result<(), ImportError> {
        self.check_cancelled()?;
        let (folder, extractor) = (self.lfs_folder(files.is_empty())?, &self.extractor);
        let write = |(file, size): &(FileId, u64)| write_object(extractor, &folder, *file, *size);
        let digests: Vec<[u8; 32]> = files.par_iter().map(write).collect::<Result<_, _>>()?;
        for ((file, size), digest) in files.iter().zip(digests) {
            self.lfs_objects.insert(*file, digest);
            self.count_lfs(*size);
        }
        Ok(())
    }

    fn count_lfs(&mut self, size: u64) {
        self.report.lfs_files += 1;
        self.report.lfs_bytes += size;
    }

    fn lfs_folder(&self, is_unneeded: bool) -> Result<std::path::PathBuf, ImportError> {
        let folder = self.git_dir.join("lfs/objects");
        if !is_unneeded {
            fs::create_dir_all(&folder).map_err(io("making", &folder))?;
        }
        Ok(folder)
    }
}

/// Writes content into a folder of Git LFS objects and says its SHA-256.
fn write_object(
    extractor: &Extractor<'_>,
    folder: &Path,
    file: FileId,
    size: u64,
) -> Result<[u8; 32], ImportError> {
    let partial = folder.join(format!("{file}.part"));
    let out = File::create(&partial).map_err(io("making", &partial))?;
    let mut out = Sha256Writer { out, hasher: Sha256::new() };
    extractor.write_file(file, size, &mut out)?;
    let digest: [u8; 32] = out.hasher.finalize().into();
    let path = object_path(folder, &digest);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io("making", parent))?;
    }
    fs::rename(&partial, &path).map_err(io("writing", &path))?;
    Ok(digest)
}

/// Writes and hashes.
struct Sha256Writer {
    out: File,
    hasher: Sha256,
}

impl Write for Sha256Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = self.out.write(bytes)?;
        self.hasher.update(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
