//! Blobs that are too large to be held in memory, read as a stream from where they lie: as a file of
//! their own, or in a pack as they are. Git keeps large files so (`core.bigFileThreshold`); one that is
//! stored as a difference to another cannot be streamed.
//!
//! The formats are those of gitformat-pack(5) and of `Documentation/user-manual` (loose objects):
//! `blob <length>`, a NUL, the content, all of it deflated.

use crate::base::id::GitId;
use crate::import::error::{ImportError, io};
use crate::import::git::objects::{Kind, git_id, object_id};
use flate2::bufread::ZlibDecoder;
use gix::hash::Kind as HashKind;
use std::fs::{self, File};
use std::io::{self as std_io, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// How much of a file is read at once, in bytes.
const STEP_BYTES: usize = 256 << 10;
/// Longest header of an object in a file of its own, in bytes: a kind, a number, a NUL.
const HEADER_BYTES_MAX: usize = 32;

/// Where large blobs may lie.
#[derive(Default)]
pub(super) struct LargeObjects {
    /// Folders of objects, those that are borrowed from included.
    folders: Vec<PathBuf>,
    packs: OnceLock<Vec<Indexed>>,
}

/// A pack and its index.
struct Indexed {
    index: gix_pack::index::File,
    pack: PathBuf,
}

impl LargeObjects {
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, packs: OnceLock::new() }
    }

    /// Opens a blob as a stream; `None` when it does not lie anywhere as it is.
    pub fn open(&self, id: GitId) -> Result<Option<BlobStream>, ImportError> {
        for folder in &self.folders {
            if let Some(stream) = open_loose(folder, id)? {
                return Ok(Some(stream));
            }
        }
        let packs =
            self.packs.get_or_init(|| self.folders.iter().flat_map(|folder| packs_of(folder)).collect());
        for Indexed { index, pack } in packs {
            if let Some(position) = index.lookup(object_id(id))
                && let Some(stream) = open_packed(pack, index.pack_offset_at_index(position), id)?
            {
                return Ok(Some(stream));
            }
        }
        Ok(None)
    }
}

/// The packs of a folder of objects. What cannot be read has none: the library has read the same, and told.
fn packs_of(folder: &Path) -> Vec<Indexed> {
    let Ok(entries) = fs::read_dir(folder.join("pack")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "idx") && path.is_file());
    paths.sort();
    let open = |path: PathBuf| {
        let index = gix_pack::index::File::at(&path, HashKind::Sha1).ok()?;
        Some(Indexed { index, pack: path.with_extension("pack") })
    };
    paths.into_iter().filter_map(open).collect()
}

/// Opens a file if it is there and an ordinary one: anything else might never come to an end.
fn open_file(path: &Path) -> Result<Option<File>, ImportError> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => File::open(path).map(Some).map_err(io("opening", path)),
        _ => Ok(None),
    }
}

fn open_loose(folder: &Path, id: GitId) -> Result<Option<BlobStream>, ImportError> {
    let name = id.to_string();
    let path = folder.join(&name[..2]).join(&name[2..]);
    let Some(file) = open_file(&path)? else { return Ok(None) };
    Ok(loose(BufReader::with_capacity(STEP_BYTES, file), id))
}

/// A blob in a file of its own. What cannot be read here cannot be read by the library either, which
/// says why.
pub(in crate::import) fn loose(file: impl BufRead + Send + 'static, id: GitId) -> Option<BlobStream> {
    let mut content = BufReader::new(ZlibDecoder::new(file));
    let mut header = Vec::new();
    let read = (&mut content).take(HEADER_BYTES_MAX as u64).read_until(0, &mut header);
    if read.is_err() || header.pop() != Some(0) {
        return None;
    }
    let size = std::str::from_utf8(&header).ok().and_then(|text| text.strip_prefix("blob ")?.parse().ok())?;
    Some(BlobStream::new(Box::new(content), id, size))
}

fn open_packed(pack: &Path, offset: u64, id: GitId) -> Result<Option<BlobStream>, ImportError> {
    let Some(file) = open_file(pack)? else { return Ok(None) };
    let mut file = BufReader::with_capacity(STEP_BYTES, file);
    file.seek(SeekFrom::Start(offset)).map_err(io("reading", pack))?;
    Ok(packed(file, offset, id))
}

/// A blob that lies in a pack as it is, from where its entry begins.
pub(in crate::import) fn packed(
    mut file: impl BufRead + Send + 'static,
    offset: u64,
    id: GitId,
) -> Option<BlobStream> {
    let entry = gix_pack::data::Entry::from_read(&mut file, offset, HashKind::Sha1.len_in_bytes()).ok()?;
    if entry.header.as_kind() != Some(Kind::Blob) {
        return None;
    }
    Some(BlobStream::new(Box::new(ZlibDecoder::new(file)), id, entry.decompressed_size))
}

/// The content of a blob. Its end is an error when the content is another than its id says, so nobody
/// who reads it to its end takes it for sound.
pub struct BlobStream {
    content: Box<dyn Read + Send>,
    id: GitId,
    left: u64,
    hasher: Option<gix::hash::Hasher>,
}

impl BlobStream {
    fn new(content: Box<dyn Read + Send>, id: GitId, size: u64) -> Self {
        let mut hasher = gix::hash::hasher(HashKind::Sha1);
        hasher.update(format!("blob {size}\0").as_bytes());
        Self { content, id, left: size, hasher: Some(hasher) }
    }

    fn check_end(&mut self) -> std_io::Result<usize> {
        let mut beyond = [0];
        let found = self.hasher.take().map(|hasher| hasher.try_finalize().ok().and_then(|id| git_id(&id)));
        let is_whole = self.left == 0 && self.content.read(&mut beyond)? == 0;
        match found {
            None => Ok(0),
            Some(found) if is_whole && found == Some(self.id) => Ok(0),
            Some(_) => Err(std_io::Error::new(std_io::ErrorKind::InvalidData, "its content has another id")),
        }
    }
}

impl Read for BlobStream {
    fn read(&mut self, buffer: &mut [u8]) -> std_io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if buffer.is_empty() {
            return Ok(0);
        }
        let length = self.content.read(&mut buffer[..room])?;
        if length == 0 {
            return self.check_end();
        }
        self.left -= length as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..length]);
        }
        Ok(length)
    }
}
