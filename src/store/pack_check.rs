//! Which packs have their bytes: their files are there and at least as long as the database records.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::store::Store;
use crate::store::error::Result;
use crate::store::snapshot::Snapshot;
use crate::store::space::PackRecord;

/// Asks the disk once for each pack, and remembers. Callable from several threads.
///
/// It tells what a look at the length tells: damage inside of a pack is found by reading it.
#[derive(Debug)]
pub struct PackCheck {
    store: Store,
    asked: RwLock<HashMap<u32, bool>>,
}

impl PackCheck {
    /// Nothing is asked yet.
    pub fn of(store: &Store) -> Self {
        Self { store: store.clone(), asked: RwLock::default() }
    }

    /// Whether the file of the pack with this number is there and as long as `snapshot` records.
    ///
    /// # Errors
    /// When the record of the pack cannot be read.
    pub fn is_whole(&self, snapshot: &Snapshot, number: u32) -> Result<bool> {
        if let Some(known) = self.asked.read().unwrap_or_else(PoisonError::into_inner).get(&number) {
            return Ok(*known);
        }
        let is_whole = snapshot.pack(number)?.is_some_and(|record| self.has_bytes(&record));
        self.asked.write().unwrap_or_else(PoisonError::into_inner).insert(number, is_whole);
        Ok(is_whole)
    }

    /// A file that cannot be opened or measured has nothing to give.
    fn has_bytes(&self, record: &PackRecord) -> bool {
        let opened = self.store.disk().open(&self.store.pack_path(record.id), false);
        opened.and_then(|file| file.len()).is_ok_and(|length| length >= record.length)
    }

    /// Numbers of the packs that were asked about and are not whole, in order.
    pub fn lost(&self) -> Vec<u32> {
        let asked = self.asked.read().unwrap_or_else(PoisonError::into_inner);
        let mut lost: Vec<u32> =
            asked.iter().filter(|(_, is_whole)| !**is_whole).map(|(number, _)| *number).collect();
        lost.sort_unstable();
        lost
    }
}
