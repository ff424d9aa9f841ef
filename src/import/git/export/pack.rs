//! Writes Git objects into one pack, and its index. A pack says first how many objects there are, so
//! that is filled in at the end; no object is held in memory for longer than it takes to write it.

use crate::base::id::GitId;
use crate::import::error::{ImportError, io};
use crate::import::git::export::index::{self, Entry};
use crate::import::git::objects::{Kind, git_id};
use flate2::Crc;
use gix::hash::Kind as HashKind;
use gix::zlib::Compression;
use gix::zlib::stream::deflate;
use gix_pack::data::entry::Header;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How much is read and written at once, in bytes.
const STEP_BYTES: usize = 256 << 10;
/// The start of every pack of version 2; the number of objects follows.
const PACK_START: [u8; 8] = *b"PACK\0\0\0\x02";

/// A pack on its way.
pub struct PackSpool {
    path: PathBuf,
    out: PackFile,
    /// What is in it: CRC-32 and place of each object.
    written: HashMap<GitId, (u32, u64)>,
}

/// The file of a pack, with what is known of the object that is being written.
struct PackFile {
    out: BufWriter<File>,
    position: u64,
    crc: Crc,
}

impl Write for PackFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = self.out.write(bytes)?;
        self.position += length as u64;
        self.crc.update(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
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
        let mut out = PackFile { out: BufWriter::with_capacity(1 << 20, file), position: 0, crc: Crc::new() };
        out.write_all(&[&PACK_START[..], &[0; 4]].concat()).map_err(io("writing", &path))?;
        Ok(Self { path, out, written: HashMap::new() })
    }

    /// How many objects are in it.
    pub fn count(&self) -> usize {
        self.written.len()
    }

    /// Whether an object is in it.
    pub fn has(&self, id: GitId) -> bool {
        self.written.contains_key(&id)
    }

    /// Puts an object in, once, and says its id.
    pub fn put(&mut self, kind: Kind, bytes: &[u8]) -> Result<GitId, ImportError> {
        let id = super::hash_of(kind, bytes)?;
        if !self.written.contains_key(&id) {
            let place = self.entry(kind, bytes.len() as u64, |out| out.write_all(bytes))?;
            self.written.insert(id, place);
        }
        Ok(id)
    }

    /// Puts an object in that was packed elsewhere, once.
    pub fn put_packed(&mut self, packed: Packed) -> Result<(), ImportError> {
        if self.written.contains_key(&packed.id) {
            return Ok(());
        }
        let offset = self.out.position;
        self.out.crc.reset();
        self.out.write_all(&packed.bytes).map_err(io("writing", &self.path))?;
        self.written.insert(packed.id, (self.out.crc.sum(), offset));
        Ok(())
    }

    /// Reads an object that was put in.
    pub fn read(&mut self, id: GitId) -> Result<Vec<u8>, ImportError> {
        let missing = ImportError::Missing { id };
        let (_, offset) = *self.written.get(&id).ok_or(missing)?;
        self.out.out.flush().map_err(io("writing", &self.path))?;
        let file = self.out.out.get_ref();
        let mut input = BufReader::new(Placed { file, position: offset });
        let entry = gix_pack::data::Entry::from_read(&mut input, offset, HashKind::Sha1.len_in_bytes());
        let entry = entry.map_err(io("reading", &self.path))?;
        let mut bytes = Vec::new();
        flate2::bufread::ZlibDecoder::new(input)
            .take(entry.decompressed_size)
            .read_to_end(&mut bytes)
            .map_err(io("reading", &self.path))?;
        Ok(bytes)
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
        let entry = self.entry(Kind::Blob, size, |out| {
            let mut both = Tee { out, hasher: &mut hasher };
            write(&mut both).map_err(|error| {
                failed = Some(error);
                std::io::Error::other("the content could not be had")
            })
        });
        let place = entry.map_err(|error| failed.take().unwrap_or_else(|| error.into()))?;
        let id = hasher.try_finalize().ok().and_then(|id| git_id(&id));
        let id = id.ok_or_else(|| super::unhashed(size))?;
        self.written.insert(id, place);
        Ok(id)
    }

    /// Writes one object and says its checksum and place.
    fn entry(
        &mut self,
        kind: Kind,
        size: u64,
        fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(u32, u64), ImportError> {
        let header = header_of(kind);
        let offset = self.out.position;
        self.out.crc.reset();
        header.write_to(size, &mut self.out).map_err(io("writing", &self.path))?;
        let mut packed = deflate::Write::new(&mut self.out, Compression::BEST_SPEED);
        fill(&mut packed).and_then(|()| packed.flush()).map_err(io("writing", &self.path))?;
        Ok((self.out.crc.sum(), offset))
    }

    /// Makes a pack with its index out of what was gathered, both durable. The folder then has them.
    pub fn finish(self) -> Result<(), ImportError> {
        let Self { path, out, written } = self;
        let failed = |action| io(action, &path);
        let mut file = out.out.into_inner().map_err(|error| failed("writing")(error.into_error()))?;
        if written.is_empty() {
            return fs::remove_file(&path).map_err(failed("removing"));
        }
        let count = u32::try_from(written.len()).map_err(|_| ImportError::Argument {
            text: path.display().to_string(),
            reason: "one pack cannot hold so many objects; export fewer branches at a time".to_owned(),
        })?;
        let trailer = seal(&mut file, count).map_err(failed("writing"))?;
        let mut entries: Vec<Entry> =
            written.into_iter().map(|(id, (crc, offset))| Entry { id, crc, offset }).collect();
        entries.sort_unstable();
        let folder = path.parent().unwrap_or(Path::new("."));
        let name = crate::import::git::lfs::Hex(&trailer).to_string();
        let (pack, index) =
            (folder.join(format!("pack-{name}.pack")), folder.join(format!("pack-{name}.idx")));
        fs::rename(&path, &pack).map_err(failed("moving"))?;
        // Git takes a pack for there when its index is, so that comes last.
        write_index(&index, &entries, &trailer).map_err(io("writing", &index))
    }
}

const fn header_of(kind: Kind) -> Header {
    match kind {
        Kind::Commit => Header::Commit,
        Kind::Tree => Header::Tree,
        Kind::Blob => Header::Blob,
        Kind::Tag => Header::Tag,
    }
}

/// An object as it stands in a pack.
pub struct Packed {
    /// Its id.
    pub id: GitId,
    bytes: Vec<u8>,
}

impl Packed {
    /// Packs an object.
    pub fn new(kind: Kind, bytes: &[u8]) -> Result<Self, ImportError> {
        let id = super::hash_of(kind, bytes)?;
        let mut packed = Vec::with_capacity(bytes.len() / 2 + 32);
        let failed = io("packing", Path::new("an object"));
        let written = header_of(kind).write_to(bytes.len() as u64, &mut packed).and_then(|_| {
            let mut out = deflate::Write::new(&mut packed, Compression::BEST_SPEED);
            out.write_all(bytes).and_then(|()| out.flush())
        });
        written.map_err(failed)?;
        Ok(Self { id, bytes: packed })
    }
}

/// Reads a file from a place on, without moving where it is written.
struct Placed<'a> {
    file: &'a File,
    position: u64,
}

impl Read for Placed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        use std::os::unix::fs::FileExt as _;
        let length = self.file.read_at(buffer, self.position)?;
        self.position += length as u64;
        Ok(length)
    }
}

/// Says in a pack how many objects it has, ends it with its checksum, and makes it durable.
fn seal(file: &mut File, count: u32) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(PACK_START.len() as u64))?;
    file.write_all(&count.to_be_bytes())?;
    let trailer = checksum(file)?;
    file.write_all(&trailer)?;
    file.sync_all()?;
    Ok(trailer)
}

fn write_index(path: &Path, entries: &[Entry], trailer: &[u8]) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(STEP_BYTES, File::create_new(path)?);
    index::write(entries, trailer, &mut out)?;
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
}

/// The SHA-1 with which a pack ends; the file then stands at its end.
fn checksum(file: &mut File) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = gix::hash::hasher(HashKind::Sha1);
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
