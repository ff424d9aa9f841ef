//! Takes one large file in with several threads.
//!
//! The calling thread reads windows and hands them to a crew, which finds the chaining values and
//! guesses the cuts of each. In the order of the file, the calling thread joins the guesses to true
//! cuts and hands out the chunks, which the crew hashes and stores. A window is used again when the
//! last of its chunks is done, so memory is what the windows take.

use crate::object::chunker::{Chunker, CutGuess};
use crate::object::file_hash::{ChainingValue, PIECE_BYTES, ValueMerger, piece_value};
use crate::object::manifest::ChunkEntry;
use crate::repo::content::ContentError;
use crate::repo::crew::{Crew, crew_buffers, crew_threads, with_crew};
use crate::repo::ingest::{Ingested, Ingester, Record, Sink, Totals, WINDOW_BYTES, fill};
use crate::store::{GroupHint, StoreError};
use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of chunks that make one job.
const JOB_BYTES: usize = 512 << 10;

/// A stretch of the file: a whole number of MiB from its start, [`WINDOW_BYTES`] long or the last.
struct Window {
    bytes: Vec<u8>,
    length: usize,
}

impl Window {
    fn content(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// One chunk's bytes.
enum ChunkBytes {
    /// It lies in the window of its job.
    Within(Range<usize>),
    /// It began in an earlier window.
    Joined(Vec<u8>),
}

enum Job {
    Look { index: u64, window: Arc<Window> },
    Take { index: u64, window: Arc<Window>, chunks: Vec<ChunkBytes> },
}

enum Done {
    Looked { index: u64, window: Arc<Window>, guess: Option<CutGuess>, values: Vec<ChainingValue> },
    Taken { index: u64, window: Arc<Window>, taken: Result<(Vec<ChunkEntry>, Totals), StoreError> },
}

/// Takes in a file of which `first` holds the first [`WINDOW_BYTES`] and `input` the rest.
pub(crate) fn ingest_large(
    ingester: &Ingester<'_>,
    first: Vec<u8>,
    input: &mut dyn Read,
    hint: GroupHint,
) -> Result<Ingested, ContentError> {
    let threads = crew_threads();
    let work = |job| work(ingester, hint, job);
    with_crew(threads, work, |crew| {
        let mut lead = Lead {
            ingester,
            input,
            crew,
            windows_left: crew_buffers(threads) - 1,
            windows_free: Vec::new(),
            windows_read: 0,
            size: 0,
            ended: false,
            chunker: Chunker::new(&ingester.parameters),
            carried: Vec::new(),
            looked: Queue::default(),
            jobs_sent: 0,
            taken: Queue::default(),
            record: Record::new(&ingester.sink),
            values: ValueMerger::default(),
            totals: Totals::default(),
        };
        lead.send_window(Window { length: first.len(), bytes: first });
        let ran = lead.run();
        lead.windows_free.drain(..).for_each(|window| ingester.keep_window(window));
        ran.and_then(|()| lead.finish())
    })
}

/// What a thread of the crew does.
fn work(ingester: &Ingester<'_>, hint: GroupHint, job: Job) -> Done {
    match job {
        Job::Look { index, window } => {
            let first = index * (WINDOW_BYTES / PIECE_BYTES) as u64;
            let pieces = window.content().chunks(PIECE_BYTES).zip(first..);
            let values = pieces.map(|(piece, index)| piece_value(index, piece)).collect();
            let guess = (!matches!(ingester.sink, Sink::Hash))
                .then(|| CutGuess::new(&ingester.parameters, window.content()));
            Done::Looked { index, window, guess, values }
        }
        Job::Take { index, window, chunks } => {
            let mut totals = Totals::default();
            let taken = chunks.iter().map(|chunk| {
                let bytes = match chunk {
                    ChunkBytes::Within(range) => &window.content()[range.clone()],
                    ChunkBytes::Joined(bytes) => bytes,
                };
                ingester.sink.take(bytes, hint, &mut totals)
            });
            let taken = taken.collect::<Result<Vec<_>, _>>().map(|entries| (entries, totals));
            Done::Taken { index, window, taken }
        }
    }
}

/// Results that came before their turn.
struct Queue<T> {
    next: u64,
    waiting: BTreeMap<u64, T>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { next: 0, waiting: BTreeMap::new() }
    }
}

impl<T> Queue<T> {
    fn put(&mut self, index: u64, value: T) {
        self.waiting.insert(index, value);
    }

    /// The value whose turn it is, if it has come.
    fn pop(&mut self) -> Option<T> {
        let value = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(value)
    }
}

/// The calling thread's side.
struct Lead<'l, 'i> {
    ingester: &'l Ingester<'i>,
    input: &'l mut dyn Read,
    crew: &'l mut Crew<Job, Done>,
    /// Windows that may still be made.
    windows_left: usize,
    windows_free: Vec<Vec<u8>>,
    windows_read: u64,
    size: u64,
    ended: bool,
    chunker: Chunker,
    /// What the chunk that is being cut has in windows that are behind.
    carried: Vec<u8>,
    looked: Queue<(Arc<Window>, Option<CutGuess>, Vec<ChainingValue>)>,
    jobs_sent: u64,
    taken: Queue<Vec<ChunkEntry>>,
    record: Record<'l>,
    values: ValueMerger,
    totals: Totals,
}

impl Lead<'_, '_> {
    /// Goes on until everything is read and every result is there.
    fn run(&mut self) -> Result<(), ContentError> {
        loop {
            while let Some(done) = self.crew.try_next() {
                self.take(done)?;
            }
            if !self.ended && (self.windows_left > 0 || !self.windows_free.is_empty()) {
                self.read_window()?;
            } else if let Some(done) = self.crew.next() {
                self.take(done)?;
            } else if !self.carried.is_empty() {
                self.send_last_chunk();
            } else {
                return Ok(());
            }
        }
    }

    fn read_window(&mut self) -> Result<(), ContentError> {
        if self.ingester.monitor.is_cancelled() {
            return Err(ContentError::Cancelled);
        }
        let mut bytes = self.windows_free.pop().unwrap_or_else(|| {
            self.windows_left -= 1;
            self.ingester.take_window()
        });
        let length = fill(self.input, &mut bytes)?;
        self.ended = length < bytes.len();
        if length == 0 {
            self.windows_free.push(bytes);
        } else {
            self.send_window(Window { bytes, length });
        }
        Ok(())
    }

    fn send_window(&mut self, window: Window) {
        self.size += window.length as u64;
        self.crew.send(Job::Look { index: self.windows_read, window: Arc::new(window) });
        self.windows_read += 1;
    }

    fn take(&mut self, done: Done) -> Result<(), ContentError> {
        match done {
            Done::Looked { index, window, guess, values } => {
                self.looked.put(index, (window, guess, values));
                while let Some((window, guess, values)) = self.looked.pop() {
                    self.take_window(window, guess, values)?;
                }
            }
            Done::Taken { index, window, taken } => {
                self.let_go(window);
                let (entries, totals) = taken?;
                self.totals.new_bytes += totals.new_bytes;
                self.totals.stored_bytes += totals.stored_bytes;
                let bytes = entries.iter().map(|entry| u64::from(entry.length)).sum();
                self.ingester.advance(bytes, totals.new_bytes);
                self.taken.put(index, entries);
                while let Some(entries) = self.taken.pop() {
                    entries.into_iter().try_for_each(|entry| self.record.push_chunk(entry))?;
                }
            }
        }
        Ok(())
    }

    /// Takes the next window in the order of the file: its values, and its chunks as jobs.
    fn take_window(
        &mut self,
        window: Arc<Window>,
        guess: Option<CutGuess>,
        values: Vec<ChainingValue>,
    ) -> Result<(), ContentError> {
        for value in values {
            self.values.push(value);
            self.record.push_value(value)?;
        }
        match guess {
            Some(guess) => self.send_chunks(&window, guess),
            None => self.ingester.advance(window.length as u64, 0),
        }
        self.let_go(window);
        Ok(())
    }

    fn send_chunks(&mut self, window: &Arc<Window>, guess: CutGuess) {
        let mut chunks = Vec::new();
        let (mut start, mut first) = (0, 0);
        for end in self.chunker.cut_all_with(window.content(), guess) {
            if self.carried.is_empty() {
                chunks.push(ChunkBytes::Within(start..end));
            } else {
                self.carried.extend_from_slice(&window.content()[start..end]);
                chunks.push(ChunkBytes::Joined(std::mem::take(&mut self.carried)));
            }
            start = end;
            if end - first >= JOB_BYTES {
                self.send_job(window, std::mem::take(&mut chunks));
                first = end;
            }
        }
        if !chunks.is_empty() {
            self.send_job(window, chunks);
        }
        self.carried.extend_from_slice(&window.content()[start..]);
    }

    fn send_job(&mut self, window: &Arc<Window>, chunks: Vec<ChunkBytes>) {
        self.crew.send(Job::Take { index: self.jobs_sent, window: window.clone(), chunks });
        self.jobs_sent += 1;
    }

    /// The end of the file ends its last chunk.
    fn send_last_chunk(&mut self) {
        let chunks = vec![ChunkBytes::Joined(std::mem::take(&mut self.carried))];
        self.send_job(&Arc::new(Window { bytes: Vec::new(), length: 0 }), chunks);
    }

    /// Keeps a window for reading once nobody else uses it.
    fn let_go(&mut self, window: Arc<Window>) {
        if let Some(window) = Arc::into_inner(window).filter(|window| !window.bytes.is_empty()) {
            self.windows_free.push(window.bytes);
        }
    }

    #[expect(clippy::expect_used, reason = "a full window is more than one MiB")]
    fn finish(self) -> Result<Ingested, ContentError> {
        // A full window is more than one MiB, so there are two values at least.
        let file = self.values.finish_file().expect("two values at least");
        self.record.finish(file, self.ingester.parameters.id())?;
        let Totals { new_bytes, stored_bytes } = self.totals;
        Ok(Ingested { file, size: self.size, new_bytes, stored_bytes })
    }
}
