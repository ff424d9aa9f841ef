//! A database file that may only be read, although it has to be put in order first: what is written
//! stays in memory.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// Granularity of what is kept in memory, in bytes.
const PAGE_BYTES: u64 = 4096;

/// Reads through to a file and keeps writes to itself.
///
/// Shared locks are taken on the file, so that a process that begins to write it leaves alone what is
/// being read here. Exclusive ones are only played: nobody else sees what they would guard.
#[derive(Debug)]
pub(crate) struct Overlay {
    base: Box<dyn StorageBackend>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    length: u64,
    /// End of the bytes of the file that still show through.
    base_length: u64,
    pages: BTreeMap<u64, Box<[u8]>>,
    /// Exclusive locks that are only played.
    played: Vec<(Bound<u64>, Bound<u64>)>,
}

impl Overlay {
    pub(crate) fn new(base: Box<dyn StorageBackend>) -> io::Result<Self> {
        let length = base.len()?;
        let state = State { length, base_length: length, pages: BTreeMap::new(), played: Vec::new() };
        Ok(Self { base, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of one page as they are now.
    fn page(&self, state: &State, number: u64) -> io::Result<Box<[u8]>> {
        if let Some(page) = state.pages.get(&number) {
            return Ok(page.clone());
        }
        let mut page = vec![0; PAGE_BYTES as usize].into_boxed_slice();
        let start = number * PAGE_BYTES;
        let length = state.base_length.saturating_sub(start).min(PAGE_BYTES);
        if length > 0 {
            self.base.read(start, &mut page[..length as usize])?;
        }
        Ok(page)
    }
}

/// Pages that a range touches: number, start within the page, and range within the buffer.
fn spans(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0usize;
    std::iter::from_fn(move || {
        (done < length).then(|| {
            let at = offset + done as u64;
            let within = (at % PAGE_BYTES) as usize;
            let size = (length - done).min(PAGE_BYTES as usize - within);
            done += size;
            (at / PAGE_BYTES, within, done - size..done)
        })
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if offset + out.len() as u64 > state.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (number, within, range) in spans(offset, out.len()) {
            let page = self.page(&state, number)?;
            let size = range.len();
            out[range].copy_from_slice(&page[within..within + size]);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.state();
        state.length = length;
        state.base_length = state.base_length.min(length);
        let kept = length.div_ceil(PAGE_BYTES);
        state.pages.retain(|number, _| *number < kept);
        if let Some(page) = state.pages.get_mut(&(length / PAGE_BYTES)) {
            page[(length % PAGE_BYTES) as usize..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        for (number, within, range) in spans(offset, data.len()) {
            let mut page = self.page(&state, number)?;
            page[within..within + range.len()].copy_from_slice(&data[range]);
            state.pages.insert(number, page);
        }
        state.length = state.length.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.base.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.state().played.push((start, end));
        Ok(true)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.base.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.try_lock_range(start, end).map(|_| ())
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.base.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        let mut state = self.state();
        if let Some(position) = state.played.iter().position(|range| *range == (start, end)) {
            state.played.swap_remove(position);
            return Ok(());
        }
        drop(state);
        self.base.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.base.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;

    proptest! {
        #[test]
        fn an_overlay_reads_like_a_file_and_leaves_the_base_alone(
            base in proptest::collection::vec(any::<u8>(), 1..20_000),
            steps in proptest::collection::vec((0usize..30_000, proptest::collection::vec(any::<u8>(), 0..9000), any::<bool>()), 0..12),
        ) {
            let file = InMemoryBackend::new();
            file.set_len(base.len() as u64).unwrap();
            file.write(0, &base).unwrap();
            let overlay = Overlay::new(Box::new(file)).unwrap();
            let mut model = base.clone();
            for (at, bytes, cut) in steps {
                if cut {
                    overlay.set_len(at as u64).unwrap();
                    model.resize(at, 0);
                } else {
                    // Like a database, which lengthens its file before it writes there.
                    if model.len() < at + bytes.len() {
                        overlay.set_len((at + bytes.len()) as u64).unwrap();
                        model.resize(at + bytes.len(), 0);
                    }
                    overlay.write(at as u64, &bytes).unwrap();
                    model[at..at + bytes.len()].copy_from_slice(&bytes);
                }
                let mut read = vec![0; model.len()];
                overlay.read(0, &mut read).unwrap();
                prop_assert_eq!(&read, &model);
            }
            let mut untouched = vec![0; base.len()];
            overlay.base.read(0, &mut untouched).unwrap();
            prop_assert_eq!(untouched, base);
        }
    }
}
