//! Writes Git objects into one pack. They are gathered in a file beside it, since a pack says first how
//! many there are; at the end the pack is read once more, checked and indexed by gix.

use crate::base::id::GitId;
use crate::import::error::{ImportError, io};
use crate::import::git::objects::{Kind, git_id};
use gix::hash::Kind as HashKind;
use gix::zlib::Compression;
use gix::zlib::stream::deflate;
use gix_pack::data::entry::Header;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// How much is read and written at once, in bytes.
const STEP_BYTES: usize = 256 << 10;
/// The start of every pack of version 2; the number of objects follows.
const PACK_START: [u8; 8] = *b"PACK\0\0\0\x02";

/// A pack on its way.
pub struct PackSpool {
    path: PathBuf,
    out: BufWriter<File>,
    written: HashSet<GitId>,
}

impl PackSpool {
    /// Begins a pack for the folder of packs `folder`.
    pub fn begin(folder: &Path) -> Result<Self, ImportError> {
        let path = folder.join("objects.part");
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(io("making", &path))?;
        Ok(Self { path, out: BufWriter::with_capacity(1 << 20, file), written: HashSet::new() })
    }

    /// How many objects are in it.
    pub fn count(&self) -> usize {
        self.written.len()
    }

    /// Puts an object in, once, and says its id.
    pub fn put(&mut self, kind: Kind, bytes: &[u8]) -> Result<GitId, ImportError> {
        let id = super::hash_of(kind, bytes)?;
        if self.written.insert(id) {
            self.entry(kind, bytes.len() as u64, |out| out.write_all(bytes))?;
        }
        Ok(id)
    }

    /// Puts a blob in that is written by `write`, which must write exactly `size` bytes.
    pub fn put_stream<E: From<ImportError>>(
        &mut self,
        size: u64,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<GitId, E> {
        let mut hasher = gix::hash::hasher(HashKind::Sha1);
        hasher.update(format!("blob {size}\0").as_bytes());
        let mut failed = None;
        self.entry(Kind::Blob, size, |out| {
            let mut both = Tee { out, hasher: &mut hasher };
            write(&mut both).map_err(|error| {
                failed = Some(error);
                std::io::Error::other("the content could not be had")
            })
        })
        .map_err(|error| failed.take().unwrap_or_else(|| error.into()))?;
        let id = hasher.try_finalize().ok().and_then(|id| git_id(&id));
        let id = id.ok_or_else(|| super::unhashed(size))?;
        self.written.insert(id);
        Ok(id)
    }

    fn entry(
        &mut self,
        kind: Kind,
        size: u64,
        fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), ImportError> {
        let header = match kind {
            Kind::Commit => Header::Commit,
            Kind::Tree => Header::Tree,
            Kind::Blob => Header::Blob,
            Kind::Tag => Header::Tag,
        };
        let writing = io("writing", &self.path);
        let mut done = || -> std::io::Result<()> {
            header.write_to(size, &mut self.out)?;
            Ok(())
        };
        done().map_err(writing)?;
        let mut packed = deflate::Write::new(&mut self.out, Compression::BEST_SPEED);
        fill(&mut packed).and_then(|()| packed.flush()).map_err(io("writing", &self.path))
    }

    /// Makes a pack with its index out of what was gathered. The folder then has both.
    pub fn finish(self) -> Result<(), ImportError> {
        let Self { path, out, written } = self;
        let failed = |action| io(action, &path);
        let mut file = out.into_inner().map_err(|error| failed("writing")(error.into_error()))?;
        let count = u32::try_from(written.len()).map_err(|_| ImportError::Argument {
            text: path.display().to_string(),
            reason: "one pack cannot hold so many objects; export fewer branches at a time".to_owned(),
        })?;
        drop(written);
        let mut start = PACK_START.to_vec();
        start.extend_from_slice(&count.to_be_bytes());
        let trailer = checksum(&start, &mut file).map_err(failed("reading"))?;
        file.seek(SeekFrom::Start(0)).map_err(failed("reading"))?;
        if count > 0 {
            let folder = path.parent().unwrap_or(Path::new("."));
            let pack = start.as_slice().chain(&file).chain(trailer.as_slice());
            index(folder, pack).map_err(|source| ImportError::Open { path: folder.to_owned(), source })?;
        }
        fs::remove_file(&path).map_err(failed("removing"))
    }
}

/// The SHA-1 with which a pack ends.
fn checksum(start: &[u8], file: &mut File) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = gix::hash::hasher(HashKind::Sha1);
    hasher.update(start);
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        hasher.update(&buffer[..length]);
    }
    let id = hasher.try_finalize().map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(id.as_bytes().to_vec())
}

fn index(folder: &Path, pack: impl Read) -> Result<(), crate::import::error::Cause> {
    let written = gix_pack::Bundle::write_to_directory(
        &mut BufReader::with_capacity(STEP_BYTES, pack),
        Some(folder),
        &mut gix::utils::progress::Discard,
        &AtomicBool::new(false),
        None::<gix::objs::find::Never>,
        HashKind::Sha1,
        gix_pack::bundle::write::Options::default(),
    )?;
    if let Some(keep) = written.keep_path {
        // The mark keeps a pack while nothing names its objects: they are named at once.
        fs::remove_file(keep)?;
    }
    Ok(())
}

/// Writes and hashes.
struct Tee<'a> {
    out: &'a mut dyn Write,
    hasher: &'a mut gix::hash::Hasher,
}

impl Write for Tee<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = self.out.write(bytes)?;
        self.hasher.update(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
