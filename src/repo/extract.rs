//! Gives the content of files out: whole, as a range, or as a stream, and verified.
//!
//! Every chunk is hashed when it is read. A whole file is hashed once more as it is written, so a
//! manifest that lists sound chunks of another file is found out too. A file of more than a few
//! MiB is put together by several threads, stretch by stretch, and written in order by the caller's.
//! Such a file has the chaining value of each MiB in its manifest, and these merge to its id: a
//! stretch that has them needs no second hash, and one that has not is read again chunk by chunk.

use crate::base::id::FileId;
use crate::base::monitor::{Advance, Monitor};
use crate::object::file_hash::{ChainingValue, FileHasher, PIECE_BYTES, ValueMerger, piece_value};
use crate::object::manifest_read::{ChunkCursor, ChunkSpan};
use crate::object::manifest_values::ValueCursor;
use crate::repo::content::{ContentError, file_chunks};
use crate::repo::crew::{Crew, crew_buffers, crew_threads, with_crew};
use crate::repo::view::View;
use crate::store::ChunkReader;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// How much of a large file one thread puts together at a time, in bytes: a whole number of MiB.
const STRETCH_BYTES: usize = 4 * PIECE_BYTES;
/// How much is written at once, in bytes. Linux 6.18 on ext4 spends two to three times as long on
/// writes of 4 MiB as on writes of 64 KiB to 1 MiB.
const WRITE_BYTES: usize = 256 << 10;

/// Gives files out as of one moment. Callable from several threads.
pub struct Extractor<'a> {
    reader: &'a ChunkReader,
    view: &'a View,
    monitor: &'a dyn Monitor,
    /// Held by whoever writes a large file.
    large: Mutex<()>,
}

impl std::fmt::Debug for Extractor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extractor").finish_non_exhaustive()
    }
}

impl<'a> Extractor<'a> {
    /// Reads chunks with `reader` and manifests from `view`.
    pub fn new(reader: &'a ChunkReader, view: &'a View, monitor: &'a dyn Monitor) -> Self {
        Self { reader, view, monitor, large: Mutex::default() }
    }

    /// Writes a whole file.
    ///
    /// After an error, `out` may have got a part of it. That part is sound chunk by chunk, but
    /// only success says that the whole is the file.
    pub fn write_file(&self, file: FileId, size: u64, out: &mut dyn Write) -> Result<(), ContentError> {
        let spans = file_chunks(self.view, file, size)?;
        let found = if size > STRETCH_BYTES as u64 {
            let _alone = self.large.lock().unwrap_or_else(PoisonError::into_inner);
            self.write_large(file, size, spans, out)?
        } else {
            self.write_small(file, spans, out)?
        };
        if found == file { Ok(()) } else { Err(ContentError::Content { file, found }) }
    }

    /// Puts bytes `range` of a file into `into`, replacing what it held; the part of the range that
    /// lies past the end is left out.
    pub fn read_range(
        &self,
        file: FileId,
        size: u64,
        range: Range<u64>,
        into: &mut Vec<u8>,
    ) -> Result<(), ContentError> {
        into.clear();
        let mut spans = file_chunks(self.view, file, size)?;
        spans.seek(range.start)?;
        for span in spans {
            let span = span?;
            if span.offset >= range.end {
                break;
            }
            self.check_cancelled()?;
            self.with_chunk(file, &span, |bytes| into.extend_from_slice(part_within(&span, &range, bytes)))?;
        }
        Ok(())
    }

    /// A stream of a file's bytes from the first to the last, or an error in their place.
    pub fn open_file(&self, file: FileId, size: u64) -> Result<FileStream<'_, 'a>, ContentError> {
        let spans = file_chunks(self.view, file, size)?;
        Ok(FileStream {
            extractor: self,
            file,
            spans,
            hasher: Some(FileHasher::new()),
            chunk: Vec::new(),
            at: 0,
        })
    }

    fn check_cancelled(&self) -> Result<(), ContentError> {
        if self.monitor.is_cancelled() { Err(ContentError::Cancelled) } else { Ok(()) }
    }

    fn advance(&self, bytes: u64) {
        self.monitor.advance(Advance { files: 0, bytes, bytes_shared: 0 });
    }

    /// Shows a chunk's bytes after insisting on their length.
    fn with_chunk<R>(
        &self,
        file: FileId,
        span: &ChunkSpan,
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, ContentError> {
        let looked = self.reader.with(span.id, |bytes| {
            if bytes.len() == span.length as usize { Ok(look(bytes)) } else { Err(bytes.len() as u64) }
        });
        let looked = looked.map_err(|source| ContentError::Chunk {
            file,
            chunk: span.id,
            offset: span.offset,
            source: Box::new(source),
        })?;
        looked.map_err(|found| ContentError::Size { file, expected: u64::from(span.length), found })
    }

    /// Writes a file chunk by chunk; returns the id of what was written.
    fn write_small(
        &self,
        file: FileId,
        spans: ChunkCursor<'_, View>,
        out: &mut dyn Write,
    ) -> Result<FileId, ContentError> {
        self.check_cancelled()?;
        let mut hasher = FileHasher::new();
        let mut only = None;
        for span in spans {
            let span = span?;
            let is_whole = FileId::from(span.id) == file;
            let written = self.with_chunk(file, &span, |bytes| {
                // A chunk that is the file was hashed when it was read.
                if !is_whole {
                    hasher.update(bytes, |_| {});
                }
                out.write_all(bytes)
            })?;
            written.map_err(|source| ContentError::Write { source })?;
            only = is_whole.then_some(file);
            self.advance(u64::from(span.length));
        }
        Ok(only.unwrap_or_else(|| hasher.finish(|_| {})))
    }

    /// Writes a file of several MiB with several threads; returns the id of what was written.
    fn write_large(
        &self,
        file: FileId,
        size: u64,
        spans: ChunkCursor<'_, View>,
        out: &mut dyn Write,
    ) -> Result<FileId, ContentError> {
        let threads = crew_threads();
        let work = |job: Stretch| (job.index, self.put_together(file, job));
        with_crew(threads, work, |crew| {
            let manifest = self.view.manifest(file).ok().flatten();
            let values = manifest.map(|manifest| ValueCursor::new(&manifest, self.view, 0));
            let stretches = Stretches { spans, values, size, next: 0, over: VecDeque::new() };
            let buffers = vec![Vec::new(); crew_buffers(threads)];
            self.write_in_order(stretches, buffers, crew, out)
        })
    }

    #[expect(clippy::expect_used, reason = "a large file has two values at least")]
    fn write_in_order(
        &self,
        mut stretches: Stretches<'_>,
        mut buffers: Vec<Vec<u8>>,
        crew: &mut Crew<Stretch, (u64, Result<Done, ContentError>)>,
        out: &mut dyn Write,
    ) -> Result<FileId, ContentError> {
        let mut merger = ValueMerger::default();
        let mut waiting = BTreeMap::new();
        let mut written = 0;
        loop {
            self.check_cancelled()?;
            while let Some(buffer) = buffers.pop() {
                let Some(stretch) = stretches.next(buffer)? else { break };
                crew.send(stretch);
            }
            let Some((index, done)) = crew.next() else { break };
            waiting.insert(index, done?);
            while let Some(done) = waiting.remove(&written) {
                for part in done.bytes.chunks(WRITE_BYTES) {
                    out.write_all(part).map_err(|source| ContentError::Write { source })?;
                }
                done.values.into_iter().for_each(|value| merger.push(value));
                self.advance(done.bytes.len() as u64);
                buffers.push(done.bytes);
                written += 1;
            }
        }
        // A large file has more than one stretch, so there are two values at least.
        Ok(merger.finish_file().expect("two values at least"))
    }

    /// What a thread of the crew does.
    fn put_together(&self, file: FileId, stretch: Stretch) -> Result<Done, ContentError> {
        let Stretch { index, range, spans, values, mut buffer } = stretch;
        buffer.clear();
        buffer.reserve_exact((range.end - range.start) as usize);
        if let Some(expected) = values
            && self.gather_unverified(&spans, &range, &mut buffer)
            && values_of(index, &buffer) == expected
        {
            return Ok(Done { bytes: buffer, values: expected });
        }
        // Something is wrong, or nothing was there to compare with: chunk by chunk it has a name.
        buffer.clear();
        for span in &spans {
            self.with_chunk(file, span, |bytes| {
                buffer.extend_from_slice(part_within(span, &range, bytes));
            })?;
        }
        let values = values_of(index, &buffer);
        Ok(Done { bytes: buffer, values })
    }

    /// Fills a buffer with what stands in the places of chunks; `false` when that cannot be them.
    fn gather_unverified(&self, spans: &[ChunkSpan], range: &Range<u64>, buffer: &mut Vec<u8>) -> bool {
        spans.iter().all(|span| {
            let shown = self.reader.with_unverified(span.id, |bytes| {
                let fits = bytes.len() == span.length as usize;
                if fits {
                    buffer.extend_from_slice(part_within(span, range, bytes));
                }
                fits
            });
            shown.unwrap_or(false)
        })
    }
}

/// The chaining values of the pieces of a stretch.
fn values_of(stretch: u64, bytes: &[u8]) -> Vec<ChainingValue> {
    let first = stretch * (STRETCH_BYTES / PIECE_BYTES) as u64;
    bytes.chunks(PIECE_BYTES).zip(first..).map(|(piece, index)| piece_value(index, piece)).collect()
}

/// The bytes of a chunk that lie within a range of the file.
fn part_within<'b>(span: &ChunkSpan, range: &Range<u64>, bytes: &'b [u8]) -> &'b [u8] {
    let place = |offset: u64| offset.clamp(span.offset, span.end()) - span.offset;
    bytes.get(place(range.start) as usize..place(range.end) as usize).unwrap_or_default()
}

/// A part of a file to be put together.
struct Stretch {
    index: u64,
    range: Range<u64>,
    /// Every chunk that has bytes in it.
    spans: Vec<ChunkSpan>,
    /// The chaining values that its pieces must have, where the manifest could be believed.
    values: Option<Vec<ChainingValue>>,
    buffer: Vec<u8>,
}

/// A part of a file that has been put together.
struct Done {
    bytes: Vec<u8>,
    values: Vec<ChainingValue>,
}

/// Divides a file into stretches.
struct Stretches<'a> {
    spans: ChunkCursor<'a, View>,
    /// `None` once they could not be read or do not merge to the file's id.
    values: Option<ValueCursor<'a, View>>,
    size: u64,
    next: u64,
    /// The chunk at the end of the stretch before, when it goes on.
    over: VecDeque<ChunkSpan>,
}

impl Stretches<'_> {
    fn next(&mut self, buffer: Vec<u8>) -> Result<Option<Stretch>, ContentError> {
        let start = self.next * STRETCH_BYTES as u64;
        if start >= self.size {
            return Ok(None);
        }
        let range = start..self.size.min(start + STRETCH_BYTES as u64);
        let mut spans: Vec<ChunkSpan> = self.over.drain(..).collect();
        while spans.last().is_none_or(|last| last.end() < range.end) {
            let Some(span) = self.spans.next().transpose()? else { break };
            spans.push(span);
        }
        self.over.extend(spans.last().filter(|last| last.end() > range.end));
        let index = self.next;
        self.next += 1;
        let values = self.next_values((range.end - range.start) as usize);
        Ok(Some(Stretch { index, range, spans, values, buffer }))
    }

    fn next_values(&mut self, bytes: usize) -> Option<Vec<ChainingValue>> {
        let values = self.values.as_mut()?.take(bytes.div_ceil(PIECE_BYTES)).collect::<Result<_, _>>().ok();
        if values.is_none() {
            self.values = None;
        }
        values
    }
}

/// Reads a file from its first byte to its last.
///
/// The end of the stream is reached only when what came out is the file; otherwise the last read
/// is an error.
pub struct FileStream<'e, 'a> {
    extractor: &'e Extractor<'a>,
    file: FileId,
    spans: ChunkCursor<'e, View>,
    hasher: Option<FileHasher>,
    chunk: Vec<u8>,
    at: usize,
}

impl FileStream<'_, '_> {
    /// Loads the next chunk; leaves none when the file has ended and is what it should be.
    fn load(&mut self) -> Result<(), ContentError> {
        self.chunk.clear();
        self.at = 0;
        let Some(span) = self.spans.next().transpose()? else {
            let found = self.hasher.take().map_or(self.file, |hasher| hasher.finish(|_| {}));
            let same = found == self.file;
            return if same { Ok(()) } else { Err(ContentError::Content { file: self.file, found }) };
        };
        let (chunk, hasher) = (&mut self.chunk, &mut self.hasher);
        self.extractor.with_chunk(self.file, &span, |bytes| {
            chunk.extend_from_slice(bytes);
            if let Some(hasher) = hasher {
                hasher.update(bytes, |_| {});
            }
        })
    }
}

impl Read for FileStream<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() && !into.is_empty() {
            self.load().map_err(io::Error::other)?;
        }
        let length = into.len().min(self.chunk.len() - self.at);
        into[..length].copy_from_slice(&self.chunk[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}
