//! The transaction log: a second copy of everything in the database but the chunk index, as a file
//! to which every transaction adds what it changes.
//!
//! ```text
//! Transaction::put, delete -> pieces, written as they fill up
//! Transaction::commit      -> last piece -> the first sync of the database's commit takes the log along
//!                             -> the database records how long the log is
//! ```
//!
//! So whatever the database has is in the log and durable there before it counts, and no commit waits
//! for a sync of its own. What the log has beyond the recorded length is not there, as with packs: one
//! transaction that a crash cut off. Two or more mean that the database is older than its log, which
//! is damage: then nothing is written before `pent repair` has put it right.
//!
//! The database stays the authority. The log is read by fsck, which compares the two, and by repair,
//! which makes a new database of it. Exact bytes: `docs/format/store.md`.

mod append;
mod check;
pub(crate) mod format;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use append::{LogState, OldLogs, finish};
pub use check::LogCheck;
pub use format::LogFault;
pub use read::SurvivingLog;
pub(crate) use read::is_ahead;
#[cfg(any(test, fuzzing))]
pub(crate) use read::read_all;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::ReadableTable;

use crate::store::disk::{Disk, DiskFile};
use crate::store::error::{DatabaseContext, IoContext, Result};
use crate::store::space::STORE;

/// Folder of the log in the store.
pub(crate) const LOG_DIR: &str = "transactions";
/// Key of what the database records of the log in [`STORE`].
pub(crate) const LOG_KEY: &str = "log";
const EXTENSION: &str = "log";
/// Name of the file that says, in the store's folder, that a repair was begun and not finished.
pub const REPAIR_MARKER: &str = "repairing";

/// What the database records of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recorded {
    /// Number of the file.
    pub generation: u64,
    /// Number of the last transaction in it.
    pub transaction: u64,
    /// Bytes of it that count.
    pub length: u64,
    /// Of these, bytes of the header and of the first transaction, which holds the state at its time.
    pub base_length: u64,
}

impl Recorded {
    pub(crate) fn encode(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let fields = [self.generation, self.transaction, self.length, self.base_length];
        for (slot, field) in bytes.chunks_exact_mut(8).zip(fields) {
            slot.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    /// Reads a row; `None` when it is none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (fields, []) = bytes.as_chunks::<8>() else { return None };
        let [generation, transaction, length, base_length] = *fields else { return None };
        Some(Self {
            generation: u64::from_le_bytes(generation),
            transaction: u64::from_le_bytes(transaction),
            length: u64::from_le_bytes(length),
            base_length: u64::from_le_bytes(base_length),
        })
    }
}

/// What a transaction, or a reader, finds recorded.
pub(crate) fn recorded(table: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Option<Recorded>> {
    Ok(table.get(LOG_KEY).stored()?.and_then(|value| Recorded::decode(value.value())))
}

/// The same in a write transaction.
pub(crate) fn recorded_in(transaction: &redb::WriteTransaction) -> Result<Option<Recorded>> {
    recorded(&transaction.open_table(STORE).stored()?)
}

pub(crate) fn log_path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(LOG_DIR).join(format!("{generation:016x}.{EXTENSION}"))
}

/// The files of a log with their numbers, the highest first.
pub(crate) fn log_files(disk: &dyn Disk, dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let folder = dir.join(LOG_DIR);
    if !disk.exists(&folder).during("looking for", &folder)? {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (path, _) in disk.list(&folder).during("listing", &folder)? {
        let is_log = path.extension().is_some_and(|end| end == EXTENSION);
        let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| is_log && stem.len() == 16);
        if let Some(generation) = stem.and_then(|stem| u64::from_str_radix(stem, 16).ok()) {
            found.push((generation, path));
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

/// The file that the last transaction of this process wrote to, with its number.
pub(crate) type OpenLog = Option<(u64, Arc<dyn DiskFile>)>;
