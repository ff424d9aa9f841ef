//! Reads a transaction log: to know what is in it, and to have it all again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::Transaction;
use crate::store::disk::{Disk, DiskFile, read_around};
use crate::store::error::{IoContext, Result, StoreError};
use crate::store::settings::StoreSettings;
use crate::store::space::Space;
use crate::store::txlog::format::{
    Change, HEADER_BYTES, Header, LogFault, PIECE_HEADER_BYTES, PIECE_MAGIC, PieceHeader, each_change,
    is_whole,
};
use crate::store::txlog::{Recorded, log_files, log_path};

/// Bytes in which the next piece is looked for at a time.
const WINDOW_BYTES: u64 = 1 << 20;

/// A piece whose checksum is right.
#[derive(Debug)]
pub(super) struct Piece {
    pub header: PieceHeader,
    payload: Vec<u8>,
}

impl Piece {
    /// Shows every change in it.
    pub(super) fn each(self, each: &mut dyn FnMut(Change<'_>)) -> Result<(), LogFault> {
        let (count, raw) = (self.header.changes, self.header.unpack(self.payload)?);
        each_change(&raw, count, each).map_err(|_| LogFault::Change)
    }
}

/// What stands at a place of a log.
#[derive(Debug)]
pub(super) enum Step {
    Piece(Piece),
    End,
    Fault(LogFault),
}

/// Goes from piece to piece.
pub(super) struct Pieces<'a> {
    file: &'a dyn DiskFile,
    path: &'a Path,
    generation: u64,
    /// Where the next piece begins, or the one that is at fault.
    pub position: u64,
    end: u64,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(file: &'a dyn DiskFile, path: &'a Path, generation: u64, from: u64, end: u64) -> Self {
        Self { file, path, generation, position: from, end }
    }

    /// The next piece. After a fault the position stays.
    pub(super) fn next(&mut self) -> Result<Step> {
        let rest = self.end.saturating_sub(self.position);
        if rest == 0 {
            return Ok(Step::End);
        }
        if rest < PIECE_HEADER_BYTES as u64 {
            return Ok(Step::Fault(LogFault::Ends));
        }
        let mut bytes = [0; PIECE_HEADER_BYTES];
        read_around(self.file, &mut bytes, self.position).during("reading", self.path)?;
        let header = match PieceHeader::decode(&bytes) {
            Ok(header) => header,
            Err(fault) => return Ok(Step::Fault(fault)),
        };
        let start = self.position + PIECE_HEADER_BYTES as u64;
        if u64::from(header.stored_length) > self.end - start {
            return Ok(Step::Fault(LogFault::Ends));
        }
        let mut payload = vec![0; header.stored_length as usize];
        read_around(self.file, &mut payload, start).during("reading", self.path)?;
        if !is_whole(self.generation, &bytes, &payload) {
            return Ok(Step::Fault(LogFault::Checksum));
        }
        self.position = start + payload.len() as u64;
        Ok(Step::Piece(Piece { header, payload }))
    }

    /// After a fault: goes to the next place where a piece may begin; tells whether there is one.
    pub(super) fn skip(&mut self) -> Result<bool> {
        self.position += 1;
        while self.position + PIECE_HEADER_BYTES as u64 <= self.end {
            let mut window = vec![0; WINDOW_BYTES.min(self.end - self.position) as usize];
            read_around(self.file, &mut window, self.position).during("reading", self.path)?;
            let found = window.windows(PIECE_MAGIC.len()).position(|bytes| bytes == PIECE_MAGIC);
            if let Some(found) = found {
                self.position += found as u64;
                return Ok(true);
            }
            // The mark may begin in the last bytes of the window.
            self.position += (window.len() - (PIECE_MAGIC.len() - 1)).max(1) as u64;
        }
        Ok(false)
    }
}

/// How far a log holds together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// Transactions that are there from their first piece to their last.
    pub transactions: u64,
    /// Number of the last of these.
    pub last: u64,
    /// Where it ends.
    pub end: u64,
    /// Whether the first one is the base of the file.
    pub has_base: bool,
    /// What is wrong at the end of what could be read, and where.
    pub fault: Option<(u64, LogFault)>,
}

/// Reads on from `from`, where transaction `after` ended, or from the beginning of a file.
pub(super) fn survey(pieces: &mut Pieces<'_>, after: Option<u64>) -> Result<Survey> {
    let mut found = Survey { end: pieces.position, last: after.unwrap_or(0), ..Survey::default() };
    let mut next = (after.map(|last| last + 1), 0);
    loop {
        let at = pieces.position;
        let header = match pieces.next()? {
            Step::Piece(piece) => piece.header,
            Step::End => return Ok(found),
            Step::Fault(fault) => {
                found.fault = Some((at, fault));
                return Ok(found);
            }
        };
        let transaction = next.0.unwrap_or(header.transaction);
        // Only the first transaction of a file is a base.
        let is_first = after.is_none() && found.transactions == 0;
        if (header.transaction, header.number) != (transaction, next.1) || header.is_base != is_first {
            found.fault = Some((at, LogFault::Order));
            return Ok(found);
        }
        if header.is_last {
            found.transactions += 1;
            found.last = transaction;
            found.end = pieces.position;
            found.has_base |= header.is_base;
            next = (Some(transaction + 1), 0);
        } else {
            next = (Some(transaction), header.number + 1);
        }
    }
}

/// How many transactions a log has that the database does not know. One may have been cut off by a
/// crash; more mean that the database is older than its log.
pub(crate) fn unknown_transactions(disk: &dyn Disk, dir: &Path, recorded: Option<&Recorded>) -> Result<u64> {
    let mut unknown = 0;
    for (generation, path) in log_files(disk, dir)? {
        let file = disk.open(&path, false).during("opening", &path)?;
        let length = file.len().during("reading", &path)?;
        let (from, after) = match recorded {
            Some(recorded) if generation < recorded.generation => continue,
            Some(recorded) if generation == recorded.generation => {
                (recorded.length, Some(recorded.transaction))
            }
            _ => (HEADER_BYTES as u64, None),
        };
        let mut pieces = Pieces::new(&*file, &path, generation, from, length);
        unknown += survey(&mut pieces, after)?.transactions;
    }
    Ok(unknown)
}

/// Whether the database is older than its log.
pub(crate) fn is_ahead(disk: &dyn Disk, dir: &Path, recorded: Option<&Recorded>) -> Result<bool> {
    let unknown = unknown_transactions(disk, dir, recorded)?;
    // Where the log that the database knows is gone, another one has taken its place.
    let is_superseded = match recorded {
        Some(recorded) => {
            let path = log_path(dir, recorded.generation);
            unknown > 0 && !disk.exists(&path).during("looking for", &path)?
        }
        None => false,
    };
    Ok(unknown > 1 || is_superseded)
}

/// A log that is there although the database may not be.
#[derive(Debug)]
pub struct SurvivingLog {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    generation: u64,
    length: u64,
    settings: Option<StoreSettings>,
    survey: Survey,
}

impl SurvivingLog {
    /// The logs of a store that have anything in them, the one to be believed first.
    pub fn all(disk: &dyn Disk, dir: &Path) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for (generation, path) in log_files(disk, dir)? {
            found.extend(Self::open(disk, path, generation)?);
        }
        // A file without a whole base may be one that was only begun.
        found.sort_by_key(|log| (!log.survey.has_base, std::cmp::Reverse(log.generation)));
        Ok(found)
    }

    fn open(disk: &dyn Disk, path: PathBuf, generation: u64) -> Result<Option<Self>> {
        let file = disk.open(&path, false).during("opening", &path)?;
        Self::over(file, path, generation)
    }

    fn over(file: Arc<dyn DiskFile>, path: PathBuf, generation: u64) -> Result<Option<Self>> {
        let length = file.len().during("reading", &path)?;
        let mut bytes = vec![0; HEADER_BYTES.min(length as usize)];
        read_around(&*file, &mut bytes, 0).during("reading", &path)?;
        let header = Header::decode(&bytes).ok().filter(|header| header.generation == generation);
        let mut pieces = Pieces::new(&*file, &path, generation, HEADER_BYTES as u64, length);
        let survey = survey(&mut pieces, None)?;
        let mut log = Self { path, file, generation, length, settings: None, survey };
        let mut settings = header.map(|header| header.settings);
        let mut is_empty = true;
        if settings.is_none() || log.survey.transactions == 0 {
            log.each_change(true, &mut |change| {
                is_empty = false;
                if let Change::Settings(bytes) = change {
                    settings = settings.take().or_else(|| StoreSettings::decode(bytes).ok());
                }
            })?;
        } else {
            is_empty = false;
        }
        log.settings = settings;
        Ok((!is_empty).then_some(log))
    }

    /// What the repository was born with, if the log still says so.
    pub fn settings(&self) -> Option<&StoreSettings> {
        self.settings.as_ref()
    }

    /// How many transactions it has from the first on.
    pub fn transactions(&self) -> u64 {
        self.survey.transactions
    }

    /// Whether it has everything, as far as can be told: from its base to its end, and no less than a
    /// page of the database says.
    pub fn is_whole(&self, recorded: Option<&Recorded>) -> bool {
        let reaches = |recorded: &Recorded| {
            (recorded.generation, recorded.transaction) <= (self.generation, self.survey.last)
        };
        self.survey.has_base
            && match recorded {
                Some(recorded) => reaches(recorded),
                None => self.survey.end == self.length,
            }
    }

    /// Shows all changes in the order in which they were made: of the transactions that are whole, or,
    /// to save what can be saved, of all pieces that are.
    fn each_change(&self, whatever: bool, each: &mut dyn FnMut(Change<'_>)) -> Result<()> {
        let end = if whatever { self.length } else { self.survey.end };
        let mut pieces = Pieces::new(&*self.file, &self.path, self.generation, HEADER_BYTES as u64, end);
        loop {
            let fault = match pieces.next()? {
                Step::Piece(piece) => piece.each(each).err(),
                Step::End => return Ok(()),
                Step::Fault(fault) => {
                    if !pieces.skip()? {
                        return Ok(());
                    }
                    Some(fault)
                }
            };
            if let Some(fault) = fault.filter(|_| !whatever) {
                return Err(StoreError::LogDamaged { path: self.path.clone(), fault });
            }
        }
    }

    /// Shows every record that ever got a value and can still be read, the oldest first.
    pub fn each_record(&self, mut each: impl FnMut(Space, &[u8], &[u8])) -> Result<()> {
        self.each_change(true, &mut |change| {
            if let Change::Put { space, key, value } = change {
                each(space, key, value);
            }
        })
    }

    /// Makes all changes again, in a database that is new. With `whatever`, those of every piece that
    /// can be read. Gives their number.
    pub fn replay(&self, transaction: &mut Transaction, whatever: bool) -> Result<u64> {
        let (mut made, mut failed) = (0, None);
        self.each_change(whatever, &mut |change| {
            if failed.is_some() {
                return;
            }
            let done = match change {
                Change::Settings(_) => Ok(()),
                Change::Put { space, key, value } => transaction.put(space, key, value),
                Change::Delete { space, key } => transaction.delete(space, key).map(|_| ()),
            };
            made += 1;
            failed = done.err();
        })?;
        failed.map_or(Ok(made), Err)
    }
}

/// Reads a file that lies anywhere in all ways; gives the number of changes in whole transactions and in
/// all pieces, or `None` when there is nothing in it.
#[cfg(any(test, fuzzing))]
pub(crate) fn read_all(file: Arc<dyn DiskFile>, generation: u64) -> Result<Option<(u64, u64)>> {
    let Some(log) = SurvivingLog::over(file, PathBuf::from("log"), generation)? else { return Ok(None) };
    let (mut whole, mut whatever) = (0, 0);
    let read = log.each_change(false, &mut |_| whole += 1);
    log.each_change(true, &mut |_| whatever += 1)?;
    // Changes that cannot be read end the one and not the other.
    Ok(Some(if read.is_ok() { (whole, whatever) } else { (0, whatever) }))
}
