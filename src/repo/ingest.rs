//! Takes the content of files in: reads, cuts, hashes, and stores what is new.
//!
//! ```text
//! Read -> windows of 4 MiB -> cuts and chaining values -> chunk ids -> ChunkWriter -> manifest
//! ```
//!
//! A file that fits into one window is dealt with on the calling thread, so many of them can be
//! taken in side by side. A larger one has several threads to itself (`ingest_large`), and waits
//! until no other has. Memory is bounded by the windows, whatever the length of the file.

use crate::base::id::{ChunkId, FileId};
use crate::base::monitor::{Advance, Monitor};
use crate::object::chunker::{Chunker, ChunkerId, ChunkerParameters};
use crate::object::file_hash::{ChainingValue, FileHasher, PIECE_BYTES};
use crate::object::manifest::{ChunkEntry, verified_key};
use crate::object::manifest_build::ManifestBuilder;
use crate::repo::content::ContentError;
use crate::repo::ingest_large::ingest_large;
use crate::repo::view::View;
use crate::store::{ChunkWriter, GroupHint, Put, Snapshot, Space, StoreError};
use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

/// How much of a file is read at once, in bytes: a whole number of MiB.
pub(crate) const WINDOW_BYTES: usize = 4 * PIECE_BYTES;
/// Windows that are kept for the next file.
const WINDOWS_KEPT: usize = 16;
/// How many chunks a measurement remembers, so as to count what repeats once: some 40 MB of memory,
/// enough for 150 GB of new content. What repeats after that counts again.
const MEASURED_CHUNKS_MAX: usize = 2 << 20;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingested {
    /// Its id.
    pub file: FileId,
    /// How many bytes were read: the length of the file as far as anyone can tell.
    pub size: u64,
    /// Bytes of it in chunks that were not in the repository; zero when only hashing.
    pub new_bytes: u64,
    /// Bytes that these took in packs; zero unless storing.
    pub stored_bytes: u64,
}

/// What is done with chunks.
pub(crate) enum Sink<'a> {
    Store(&'a ChunkWriter<'a>),
    Measure { view: &'a View, seen: Mutex<HashSet<u64>> },
    Hash,
}

/// Takes files in. Callable from several threads.
///
/// Whether a file changed while it was read is for the caller to find out, by looking at its size
/// and times before and after.
pub struct Ingester<'a> {
    pub(crate) sink: Sink<'a>,
    pub(crate) parameters: ChunkerParameters,
    pub(crate) monitor: &'a dyn Monitor,
    windows: Mutex<Vec<Vec<u8>>>,
    /// Held by whoever takes a large file in.
    large: Mutex<()>,
}

impl std::fmt::Debug for Ingester<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingester").field("parameters", &self.parameters).finish_non_exhaustive()
    }
}

impl<'a> Ingester<'a> {
    /// Stores content and manifests with `writer`.
    pub fn storing(
        writer: &'a ChunkWriter<'a>,
        parameters: &ChunkerParameters,
        monitor: &'a dyn Monitor,
    ) -> Self {
        Self::new(Sink::Store(writer), parameters, monitor)
    }

    /// Stores nothing and counts what would be new; what repeats within all files taken counts once.
    pub fn measuring(view: &'a View, parameters: &ChunkerParameters, monitor: &'a dyn Monitor) -> Self {
        Self::new(Sink::Measure { view, seen: Mutex::default() }, parameters, monitor)
    }

    /// Finds file ids and nothing else, at twice the speed.
    pub fn hashing(monitor: &'a dyn Monitor) -> Self {
        Self::new(Sink::Hash, &ChunkerParameters::default(), monitor)
    }

    fn new(sink: Sink<'a>, parameters: &ChunkerParameters, monitor: &'a dyn Monitor) -> Self {
        Self { sink, parameters: *parameters, monitor, windows: Mutex::default(), large: Mutex::default() }
    }

    /// Reads a file to its end. `hint` says which other small files it is like.
    pub fn ingest_file(&self, input: &mut dyn Read, hint: GroupHint) -> Result<Ingested, ContentError> {
        if self.monitor.is_cancelled() {
            return Err(ContentError::Cancelled);
        }
        let mut window = self.take_window();
        let length = fill(input, &mut window)?;
        if length < window.len() {
            let ingested = self.ingest_small(&window[..length], hint);
            self.keep_window(window);
            return ingested;
        }
        let _alone = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        ingest_large(self, window, input, hint)
    }

    /// Takes in a file that is all in memory.
    fn ingest_small(&self, bytes: &[u8], hint: GroupHint) -> Result<Ingested, ContentError> {
        let size = bytes.len() as u64;
        let mut totals = Totals::default();
        let mut file = None;
        if !matches!(self.sink, Sink::Hash) && size > 0 {
            let mut ends = Chunker::new(&self.parameters).cut_all(bytes);
            if ends.last() != Some(&bytes.len()) {
                ends.push(bytes.len());
            }
            if let [_] = ends[..] {
                let entry = self.sink.take(bytes, hint, &mut totals)?;
                file = Some(FileId::from(entry.id));
            } else {
                file = Some(self.ingest_chunks(bytes, &ends, hint, &mut totals)?);
            }
        }
        let file = file.unwrap_or_else(|| hash(bytes));
        self.advance(size, totals.new_bytes);
        Ok(Ingested { file, size, new_bytes: totals.new_bytes, stored_bytes: totals.stored_bytes })
    }

    fn ingest_chunks(
        &self,
        bytes: &[u8],
        ends: &[usize],
        hint: GroupHint,
        totals: &mut Totals,
    ) -> Result<FileId, ContentError> {
        let mut record = Record::new(&self.sink);
        let mut start = 0;
        for end in ends {
            let entry = self.sink.take(&bytes[start..*end], hint, totals)?;
            record.push_chunk(entry)?;
            start = *end;
        }
        let mut hasher = FileHasher::new();
        let mut values = Vec::new();
        hasher.update(bytes, |value| values.push(value));
        let file = hasher.finish(|value| values.push(value));
        for value in values {
            record.push_value(value)?;
        }
        record.finish(file, self.parameters.id())?;
        Ok(file)
    }

    pub(crate) fn advance(&self, bytes: u64, new_bytes: u64) {
        let bytes_shared = if matches!(self.sink, Sink::Hash) { 0 } else { bytes - new_bytes };
        self.monitor.advance(Advance { files: 0, bytes, bytes_shared });
    }

    pub(crate) fn take_window(&self) -> Vec<u8> {
        let kept = self.windows.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // The system hands out zeroed pages, and only as they are touched.
        kept.unwrap_or_else(|| vec![0; WINDOW_BYTES])
    }

    pub(crate) fn keep_window(&self, window: Vec<u8>) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() < WINDOWS_KEPT {
            windows.push(window);
        }
    }
}

fn hash(bytes: &[u8]) -> FileId {
    FileId::from(ChunkId::of(bytes))
}

/// Reads until `window` is full or the input ends; returns how much was read.
pub(crate) fn fill(input: &mut dyn Read, window: &mut [u8]) -> Result<usize, ContentError> {
    let mut filled = 0;
    while filled < window.len() {
        match input.read(&mut window[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(ContentError::Read { source }),
        }
    }
    Ok(filled)
}

/// Sums over the chunks of a file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub new_bytes: u64,
    pub stored_bytes: u64,
}

impl Sink<'_> {
    /// Hashes a chunk and does with it what this is for.
    pub(crate) fn take(
        &self,
        bytes: &[u8],
        hint: GroupHint,
        totals: &mut Totals,
    ) -> Result<ChunkEntry, StoreError> {
        let id = ChunkId::of(bytes);
        let put = match self {
            Self::Store(writer) => writer.put(id, bytes, hint)?,
            Self::Measure { view, seen } => measure(view.snapshot(), seen, id)?,
            Self::Hash => Put::Known,
        };
        if let Put::New { stored_bytes } = put {
            totals.new_bytes += bytes.len() as u64;
            totals.stored_bytes += stored_bytes;
        }
        // No chunk is longer than `CHUNK_BYTES_MAX`.
        Ok(ChunkEntry { id, length: bytes.len() as u32 })
    }
}

/// Counts a chunk as new when it is neither in the store nor among those seen.
fn measure(snapshot: &Snapshot, seen: &Mutex<HashSet<u64>>, id: ChunkId) -> Result<Put, StoreError> {
    if snapshot.has_chunk(id)? {
        return Ok(Put::Known);
    }
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    // Eight bytes of a hash tell a few million chunks apart.
    let first = id.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let new = if seen.len() < MEASURED_CHUNKS_MAX { seen.insert(first) } else { !seen.contains(&first) };
    Ok(if new { Put::New { stored_bytes: 0 } } else { Put::Known })
}

/// The manifest of a file that is being taken in; stored as it grows, when anything is.
pub(crate) struct Record<'a> {
    writer: Option<&'a ChunkWriter<'a>>,
    builder: ManifestBuilder,
}

impl<'a> Record<'a> {
    pub(crate) fn new(sink: &'a Sink<'a>) -> Self {
        let writer = match sink {
            Sink::Store(writer) => Some(*writer),
            Sink::Measure { .. } | Sink::Hash => None,
        };
        Self { writer, builder: ManifestBuilder::new() }
    }

    pub(crate) fn push_chunk(&mut self, entry: ChunkEntry) -> Result<(), StoreError> {
        let Some(writer) = self.writer else { return Ok(()) };
        self.builder.push_chunk(entry, &mut |id, bytes| {
            put_unless_stored(writer, Space::ManifestNodes, id.as_bytes(), &bytes)
        })
    }

    pub(crate) fn push_value(&mut self, value: ChainingValue) -> Result<(), StoreError> {
        let Some(writer) = self.writer else { return Ok(()) };
        self.builder.push_value(value, &mut |id, bytes| {
            put_unless_stored(writer, Space::ManifestNodes, id.as_bytes(), &bytes)
        })
    }

    pub(crate) fn finish(self, file: FileId, chunker: ChunkerId) -> Result<(), StoreError> {
        let Some(writer) = self.writer else { return Ok(()) };
        let manifest = self.builder.finish(file, chunker, &mut |id, bytes| {
            put_unless_stored(writer, Space::ManifestNodes, id.as_bytes(), &bytes)
        })?;
        match manifest {
            Some(manifest) => {
                put_unless_stored(writer, Space::Manifests, &verified_key(file), &manifest.encode())
            }
            None => Ok(()),
        }
    }
}

/// Stores an object unless the very same is there: most of a new version's manifest is.
fn put_unless_stored(
    writer: &ChunkWriter<'_>,
    space: Space,
    key: &[u8],
    value: &[u8],
) -> Result<(), StoreError> {
    if writer.stored_object(space, key)?.as_deref() == Some(value) {
        return Ok(());
    }
    writer.put_object(space, key, value)
}
