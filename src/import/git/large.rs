//! Blobs that are too large to be held in memory, read as a stream from where they lie: as a file of
//! their own, or in a pack as they are. Git keeps large files so (`core.bigFileThreshold`); one that is
//! stored as a difference to another is put together in a file first.
//!
//! The formats are those of gitformat-pack(5) and of `Documentation/user-manual` (loose objects):
//! `blob <length>`, a NUL, the content, all of it deflated.

use crate::base::id::GitId;
use crate::import::error::{ImportError, io};
use crate::import::git::delta::{apply, check_room, nameless_file};
use crate::import::git::objects::{Kind, git_id, object_id};
use flate2::bufread::ZlibDecoder;
use gix::hash::Kind as HashKind;
use gix_pack::data::entry::Header;
use std::fs::{self, File};
use std::io::{self as std_io, BufRead, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// How much of a file is read at once, in bytes.
const STEP_BYTES: usize = 256 << 10;
/// Longest header of an object in a file of its own, in bytes: a kind, a number, a NUL.
const HEADER_BYTES_MAX: usize = 32;
/// Most differences in a row; Git itself makes at most 4,095.
const CHAIN_MAX: usize = 4_096;

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

    /// Opens a blob as a stream; `None` when it does not lie anywhere, or is damaged. One that is a
    /// difference to another is put together in the folder `scratch`.
    pub fn open(&self, id: GitId, scratch: &Path) -> Result<Option<BlobStream>, ImportError> {
        if let Some(stream) = self.open_loose(id)? {
            return Ok(Some(stream));
        }
        for (pack, offset) in self.places(id) {
            let Some(found) = open_entry(pack, offset)? else { continue };
            if found.entry.header.as_kind() == Some(Kind::Blob) {
                return Ok(Some(found.stream(id)));
            }
            if found.entry.header.is_delta()
                && let Some((file, size)) = self.put_together(pack, found, scratch)?
            {
                return Ok(Some(BlobStream::new(Box::new(file), id, size)));
            }
        }
        Ok(None)
    }

    fn open_loose(&self, id: GitId) -> Result<Option<BlobStream>, ImportError> {
        for folder in &self.folders {
            if let Some(stream) = open_loose(folder, id)? {
                return Ok(Some(stream));
            }
        }
        Ok(None)
    }

    /// The packs that have an object, and where in them it lies.
    fn places(&self, id: GitId) -> impl Iterator<Item = (&Path, u64)> {
        let packs =
            self.packs.get_or_init(|| self.folders.iter().flat_map(|folder| packs_of(folder)).collect());
        packs.iter().filter_map(move |Indexed { index, pack }| {
            let position = index.lookup(object_id(id))?;
            Some((pack.as_path(), index.pack_offset_at_index(position)))
        })
    }

    /// Puts a difference together with what it is one to: `None` for what cannot be. Gives a file that
    /// stands at its beginning, and its length.
    fn put_together(
        &self,
        pack: &Path,
        delta: Found,
        scratch: &Path,
    ) -> Result<Option<(File, u64)>, ImportError> {
        let mut deltas: Vec<(PathBuf, u64)> = Vec::new();
        let (mut pack, mut found) = (pack.to_owned(), delta);
        let (base, size): (Box<dyn Read + Send>, u64) = loop {
            let offset = found.entry.pack_offset();
            let next = match found.entry.header {
                Header::OfsDelta { base_distance } => {
                    let base = found.entry.checked_base_pack_offset(base_distance);
                    base.map(|base| (pack.clone(), base))
                }
                Header::RefDelta { base_id } => {
                    let Some(base_id) = git_id(&base_id) else { return Ok(None) };
                    let place = self.places(base_id).next().map(|(pack, at)| (pack.to_owned(), at));
                    if place.is_none()
                        && let Some(stream) = self.open_loose(base_id)?
                    {
                        deltas.push((pack.clone(), offset));
                        let size = stream.left;
                        break (Box::new(stream), size);
                    }
                    place
                }
                _ => {
                    let size = found.entry.decompressed_size;
                    break (Box::new(ZlibDecoder::new(found.file).take(size)), size);
                }
            };
            deltas.push((pack.clone(), offset));
            let Some((next, at)) = next.filter(|_| deltas.len() <= CHAIN_MAX) else { return Ok(None) };
            let Some(entry) = open_entry(&next, at)? else { return Ok(None) };
            (pack, found) = (next, entry);
        };
        match unfold(base, size, deltas, scratch) {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_content(&error) => Ok(None),
            Err(error) => Err(io("unpacking into", scratch)(error)),
        }
    }
}

/// Whether an error says something of what was read, and not of where it was written.
fn is_content(error: &std_io::Error) -> bool {
    use std_io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof | Other)
}

/// Applies differences, the last of them first, to what they are differences to.
fn unfold(
    mut base: Box<dyn Read + Send>,
    size: u64,
    mut deltas: Vec<(PathBuf, u64)>,
    scratch: &Path,
) -> std_io::Result<(File, u64)> {
    let mut present = nameless_file(scratch)?;
    check_room(&present, size)?;
    let mut length = std_io::copy(&mut base, &mut present)?;
    while let Some((pack, offset)) = deltas.pop() {
        let gone = || std_io::Error::other("a pack has gone");
        let delta = open_entry(&pack, offset).map_err(|_| gone())?.ok_or_else(gone)?;
        let mut delta = BufReader::new(ZlibDecoder::new(delta.file));
        let next = nameless_file(scratch)?;
        length = apply(&present, &mut delta, &next)?;
        present = next;
    }
    present.seek(SeekFrom::Start(0))?;
    Ok((present, length))
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

/// An entry of a pack, with the file behind its header.
struct Found {
    entry: gix_pack::data::Entry,
    file: BufReader<File>,
}

impl Found {
    fn stream(self, id: GitId) -> BlobStream {
        BlobStream::new(Box::new(ZlibDecoder::new(self.file)), id, self.entry.decompressed_size)
    }
}

/// Opens an entry of a pack; `None` where there is none.
fn open_entry(pack: &Path, offset: u64) -> Result<Option<Found>, ImportError> {
    let Some(file) = open_file(pack)? else { return Ok(None) };
    let mut file = BufReader::with_capacity(STEP_BYTES, file);
    file.seek(SeekFrom::Start(offset)).map_err(io("reading", pack))?;
    let entry = gix_pack::data::Entry::from_read(&mut file, offset, HashKind::Sha1.len_in_bytes());
    Ok(entry.ok().map(|entry| Found { entry, file }))
}

/// A blob that lies in a pack as it is, from where its entry begins.
#[cfg(any(test, fuzzing))]
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

    /// Its length as it says, in bytes: before anything was read.
    pub fn size(&self) -> u64 {
        self.left
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
