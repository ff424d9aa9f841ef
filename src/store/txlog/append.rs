//! Writes the transaction log.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use redb::{ReadableTable, TableHandle, WriteTransaction};

use crate::base::codec::Encoder;
use crate::store::Store;
use crate::store::compress::{self, Effort};
use crate::store::disk::{Disk, DiskFile, read_around};
use crate::store::error::{DatabaseContext, IoContext, Result, StoreError};
use crate::store::guard::guarded;
use crate::store::pack::block::Codec;
use crate::store::space::{SETTINGS_KEY, STORE, Space};
use crate::store::txlog::format::{
    self, HEADER_BYTES, Header, PIECE_BYTES, PieceHeader, RECORD_BYTES_MAX, SETTINGS_TAG,
};
use crate::store::txlog::read::{is_ahead, unknown_transactions};
use crate::store::txlog::{LOG_DIR, LOG_KEY, REPAIR_MARKER, Recorded, log_files, log_path, recorded_in};
use crate::store::upkeep::free_name;

/// What a transaction has to do with the log.
pub(crate) enum LogState {
    /// Nothing was changed so far.
    Untouched,
    /// It adds to the file that there is.
    Appending(Append),
    /// It begins another file, with everything that the database then has.
    Anew(OldLogs),
    /// It leaves the log alone: a repair fills a new database.
    Silent,
}

/// What becomes of the files that another one takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OldLogs {
    /// They are removed.
    Remove,
    /// They are kept among what repairs put aside.
    Quarantine,
}

impl LogState {
    /// Finds out what a transaction that is about to change something has to do.
    pub(crate) fn begin(store: &Store, inner: &WriteTransaction) -> Result<Self> {
        match guarded(|| recorded_in(inner))?? {
            Some(recorded) => match open(store, &recorded)? {
                Some((file, path)) => Ok(Self::Appending(Append::new(file, path, &recorded))),
                None => Ok(Self::Anew(OldLogs::Quarantine)),
            },
            None => begin_first(store, inner).map(Self::Anew),
        }
    }

    /// Takes note that a key gets a value.
    pub(crate) fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<()> {
        match self {
            Self::Appending(append) => append.pieces.put(space.tag(), key, value),
            _ => Ok(()),
        }
    }

    /// Takes note that a key is taken away.
    pub(crate) fn delete(&mut self, space: Space, key: &[u8]) -> Result<()> {
        match self {
            Self::Appending(append) => append.pieces.delete(space.tag(), key),
            _ => Ok(()),
        }
    }
}

/// The first log of a repository: of a new one, or of one made by a program that kept none.
fn begin_first(store: &Store, inner: &WriteTransaction) -> Result<OldLogs> {
    refuse_behind(store, None)?;
    let marker = store.dir().join(REPAIR_MARKER);
    let is_half_repaired = store.disk().exists(&marker).during("looking for", &marker)?;
    if is_half_repaired && !log_files(store.disk(), store.dir())?.is_empty() {
        // A new database that was not filled from the log yet.
        let transactions = unknown_transactions(store.disk(), store.dir(), None)?;
        return Err(StoreError::DatabaseBehind { transactions });
    }
    let is_new = guarded(|| inner.list_tables().stored().map(|tables| tables.count() <= 1))??;
    Ok(if is_new { OldLogs::Remove } else { OldLogs::Quarantine })
}

/// What is left to be done when the transaction is durable.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    /// The file that is to be synced with the database.
    pub sync: Option<Arc<dyn DiskFile>>,
    /// Files whose place another one has taken.
    pub old: Vec<PathBuf>,
    /// What is to become of them.
    pub quarantine: bool,
}

impl Finished {
    /// Removes what is superseded. What stays here by a mistake is removed when the log is next opened.
    pub(crate) fn tidy(&self, disk: &dyn Disk, dir: &Path) {
        for path in &self.old {
            let moved = match self.quarantine.then(|| free_name(disk, dir, path)) {
                Some(Ok(to)) => disk.rename(path, &to),
                Some(Err(_)) => Ok(()),
                None => disk.remove(path),
            };
            if moved.is_err() {
                return;
            }
        }
    }
}

/// Writes what is left of a transaction's part of the log, and records how long the log is now.
pub(crate) fn finish(store: &Store, inner: &WriteTransaction, state: LogState) -> Result<Finished> {
    match state {
        LogState::Untouched | LogState::Silent => Ok(Finished::default()),
        LogState::Appending(append) => {
            let (recorded, file) = append.finish()?;
            record(inner, &recorded)?;
            Ok(Finished { sync: Some(file), ..Finished::default() })
        }
        LogState::Anew(old_logs) => {
            let old = log_files(store.disk(), store.dir())?.into_iter().map(|(_, path)| path).collect();
            let before = guarded(|| recorded_in(inner))??;
            let recorded = write_base(store, inner, before.as_ref())?;
            record(inner, &recorded)?;
            Ok(Finished { sync: None, old, quarantine: old_logs == OldLogs::Quarantine })
        }
    }
}

fn record(inner: &WriteTransaction, recorded: &Recorded) -> Result<()> {
    guarded(|| {
        let mut table = inner.open_table(STORE).stored()?;
        table.insert(LOG_KEY, recorded.encode().as_slice()).stored()?;
        Ok(())
    })?
}

/// The part of a transaction.
pub(crate) struct Append {
    recorded: Recorded,
    pieces: PieceWriter,
}

impl Append {
    fn new(file: Arc<dyn DiskFile>, path: PathBuf, recorded: &Recorded) -> Self {
        let pieces =
            PieceWriter::new(file, path, recorded.generation, recorded.transaction + 1, recorded.length);
        Self { recorded: *recorded, pieces }
    }

    fn finish(self) -> Result<(Recorded, Arc<dyn DiskFile>)> {
        let transaction = self.recorded.transaction + 1;
        let (length, file) = self.pieces.end()?;
        Ok((Recorded { transaction, length, ..self.recorded }, file))
    }
}

/// Gathers changes into pieces and writes them.
struct PieceWriter {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    generation: u64,
    transaction: u64,
    is_base: bool,
    position: u64,
    number: u32,
    changes: u32,
    gathered: Encoder,
}

impl PieceWriter {
    fn new(file: Arc<dyn DiskFile>, path: PathBuf, generation: u64, transaction: u64, position: u64) -> Self {
        Self {
            file,
            path,
            generation,
            transaction,
            is_base: false,
            position,
            number: 0,
            changes: 0,
            gathered: Encoder::default(),
        }
    }

    fn put(&mut self, tag: u8, key: &[u8], value: &[u8]) -> Result<()> {
        let length = key.len() + value.len();
        if length > RECORD_BYTES_MAX {
            return Err(StoreError::RecordTooLarge { length, limit: RECORD_BYTES_MAX });
        }
        format::put(&mut self.gathered, tag, key, value);
        self.changed()
    }

    fn delete(&mut self, tag: u8, key: &[u8]) -> Result<()> {
        format::delete(&mut self.gathered, tag, key);
        self.changed()
    }

    fn changed(&mut self) -> Result<()> {
        self.changes += 1;
        if self.gathered.len() >= PIECE_BYTES { self.write(false) } else { Ok(()) }
    }

    fn write(&mut self, is_last: bool) -> Result<()> {
        let raw = std::mem::take(&mut self.gathered).finish();
        let mut packed = Vec::new();
        let codec = compress::pack(&raw, Effort::Full, &mut packed);
        let payload = if codec == Codec::Raw { &raw } else { &packed };
        let header = PieceHeader {
            codec,
            is_last,
            is_base: self.is_base,
            transaction: self.transaction,
            number: self.number,
            raw_length: raw.len() as u32,
            stored_length: payload.len() as u32,
            changes: self.changes,
        };
        let head = header.encode(self.generation, payload);
        self.file.write_all_at(&[&head, payload], self.position).during("writing", &self.path)?;
        self.file.start_writeback(self.position, (head.len() + payload.len()) as u64);
        self.position += (head.len() + payload.len()) as u64;
        self.number += 1;
        self.changes = 0;
        Ok(())
    }

    /// Writes the last piece; gives where it ends.
    fn end(mut self) -> Result<(u64, Arc<dyn DiskFile>)> {
        self.write(true)?;
        Ok((self.position, self.file))
    }
}

/// Opens the file that the database records, cut to its recorded length; `None` when it is not what
/// was recorded, so that another has to be begun.
fn open(store: &Store, recorded: &Recorded) -> Result<Option<(Arc<dyn DiskFile>, PathBuf)>> {
    let path = log_path(store.dir(), recorded.generation);
    let mut slot = store.open_log().lock().unwrap_or_else(PoisonError::into_inner);
    let known = slot.as_ref().filter(|(generation, _)| *generation == recorded.generation);
    let file = match known {
        Some((_, file)) => file.clone(),
        None => match open_first(store, recorded, &path)? {
            Some(file) => file,
            None => return Ok(None),
        },
    };
    let length = file.len().during("reading", &path)?;
    if length < recorded.length {
        return Ok(None);
    }
    if length > recorded.length {
        refuse_behind(store, Some(recorded))?;
        file.set_len(recorded.length).during("cutting", &path)?;
    }
    *slot = Some((recorded.generation, file.clone()));
    Ok(Some((file, path)))
}

/// Opens the file for the first time in this process: looks whether it is the one, and removes what
/// lies beside it.
fn open_first(store: &Store, recorded: &Recorded, path: &Path) -> Result<Option<Arc<dyn DiskFile>>> {
    let disk = store.disk();
    let others: Vec<_> = log_files(disk, store.dir())?
        .into_iter()
        .filter(|(generation, _)| *generation != recorded.generation)
        .collect();
    let file = match disk.open(path, true) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            refuse_behind(store, Some(recorded))?;
            return Ok(None);
        }
        opened => opened.during("opening", path)?,
    };
    let mut header = vec![0; HEADER_BYTES.min(file.len().during("reading", path)? as usize)];
    read_around(&*file, &mut header, 0).during("reading", path)?;
    let wanted = Header { generation: recorded.generation, settings: store.settings().clone() };
    if Header::decode(&header).as_ref() != Ok(&wanted) {
        return Ok(None);
    }
    if !others.is_empty() {
        refuse_behind(store, Some(recorded))?;
        for (_, other) in others {
            disk.remove(&other).during("removing", &other)?;
        }
    }
    Ok(Some(file))
}

/// Refuses to go on where the log knows more than the database.
fn refuse_behind(store: &Store, recorded: Option<&Recorded>) -> Result<()> {
    if is_ahead(store.disk(), store.dir(), recorded)? {
        let transactions = unknown_transactions(store.disk(), store.dir(), recorded)?;
        return Err(StoreError::DatabaseBehind { transactions });
    }
    Ok(())
}

/// Writes a file that begins with everything that the database has, durably.
fn write_base(store: &Store, inner: &WriteTransaction, before: Option<&Recorded>) -> Result<Recorded> {
    let (disk, folder) = (store.disk(), store.dir().join(LOG_DIR));
    disk.create_dir_all(&folder).during("creating", &folder)?;
    let highest = log_files(disk, store.dir())?.first().map_or(0, |(generation, _)| *generation);
    let generation = highest.max(before.map_or(0, |recorded| recorded.generation)) + 1;
    let transaction = before.map_or(0, |recorded| recorded.transaction) + 1;
    let path = log_path(store.dir(), generation);
    let file = disk.create(&path).during("creating", &path)?;
    let written = write_rows(store, inner, &file, &path, (generation, transaction));
    let synced = written.and_then(|length| {
        file.sync().during("syncing", &path)?;
        disk.sync_dir(&folder).during("syncing", &folder)?;
        Ok(Recorded { generation, transaction, length, base_length: length })
    });
    if synced.is_err() {
        // Half a file is of no use; should it stay, it counts for nothing.
        let _ = disk.remove(&path);
    }
    synced
}

fn write_rows(
    store: &Store,
    inner: &WriteTransaction,
    file: &Arc<dyn DiskFile>,
    path: &Path,
    (generation, transaction): (u64, u64),
) -> Result<u64> {
    let settings = store.settings().clone();
    let encoded = settings.encode();
    let header = Header { generation, settings }.encode();
    file.write_all_at(&[&header], 0).during("writing", path)?;
    let start = HEADER_BYTES as u64;
    let mut pieces = PieceWriter::new(file.clone(), path.to_owned(), generation, transaction, start);
    pieces.is_base = true;
    pieces.put(SETTINGS_TAG, SETTINGS_KEY.as_bytes(), &encoded)?;
    guarded(|| -> Result<()> {
        let tables: Vec<_> = inner.list_tables().stored()?.map(|table| table.name().to_owned()).collect();
        let has_table = |space: &Space| tables.iter().any(|name| name == space.table_name());
        for space in Space::ALL.into_iter().filter(|space| space.is_logged() && has_table(space)) {
            let table = inner.open_table(space.table()).stored()?;
            for row in table.iter().stored()? {
                let (key, value) = row.stored()?;
                pieces.put(space.tag(), key.value(), value.value())?;
            }
        }
        Ok(())
    })??;
    Ok(pieces.end()?.0)
}
