//! Compares the log with the database.

use std::collections::HashMap;

use crate::base::monitor::{Monitor, Phase};
use crate::store::Store;
use crate::store::disk::read_around;
use crate::store::error::{IoContext, Result, StoreError};
use crate::store::snapshot::Snapshot;
use crate::store::space::Space;
use crate::store::txlog::format::{Change, HEADER_BYTES, Header, LogFault};
use crate::store::txlog::read::{Pieces, Step, survey, unknown_transactions};
use crate::store::txlog::{Recorded, is_ahead, log_path};

/// How often the log is looked at again that another process replaces meanwhile.
const TRIES: usize = 3;

/// What was found.
#[derive(Debug, Default)]
pub struct LogCheck {
    /// Bytes of the log.
    pub bytes: u64,
    /// Transactions in it.
    pub transactions: u64,
    /// What is wrong with the log, as sentences without their full stops.
    pub faults: Vec<String>,
    /// How many transactions the log has that the database lacks; 0 unless the database is older.
    pub missing: u64,
}

/// Digests of keys, each with one of its value.
type Digests = HashMap<[u8; 16], u64>;

impl Store {
    /// Reads the log, and compares it with the records of the database.
    pub fn check_log(&self, monitor: &dyn Monitor) -> Result<LogCheck> {
        monitor.phase(Phase { name: "Checking the transaction log", files_total: None, bytes_total: None });
        for _ in 0..TRIES {
            let snapshot = self.snapshot()?;
            let recorded = snapshot.log_recorded()?;
            let check = self.check_log_of(&snapshot, recorded.as_ref(), monitor)?;
            // A collection may have put another file in its place.
            if check.faults.is_empty() && check.missing == 0
                || self.snapshot()?.log_recorded()?.map(|now| now.generation)
                    == recorded.map(|then| then.generation)
            {
                return Ok(check);
            }
        }
        Ok(LogCheck::default())
    }

    /// Whether the log knows more than the database: then the database is an old copy.
    pub fn is_behind_log(&self) -> Result<bool> {
        let recorded = self.snapshot()?.log_recorded()?;
        is_ahead(self.disk(), self.dir(), recorded.as_ref())
    }

    fn check_log_of(
        &self,
        snapshot: &Snapshot,
        recorded: Option<&Recorded>,
        monitor: &dyn Monitor,
    ) -> Result<LogCheck> {
        let mut check = LogCheck::default();
        if is_ahead(self.disk(), self.dir(), recorded)? {
            check.missing = unknown_transactions(self.disk(), self.dir(), recorded)?;
        }
        // A repository of a program that kept no log gets one with its next change.
        let Some(recorded) = recorded else { return Ok(check) };
        let path = log_path(self.dir(), recorded.generation);
        check.bytes = recorded.length;
        let file = match self.disk().open(&path, false) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                check.faults.push("it is missing".to_owned());
                return Ok(check);
            }
            opened => opened.during("opening", &path)?,
        };
        let length = file.len().during("reading", &path)?;
        if length < recorded.length {
            check.faults.push(format!("it is cut short: {length} bytes of {}", recorded.length));
        }
        let mut bytes = vec![0; HEADER_BYTES.min(length as usize)];
        read_around(&*file, &mut bytes, 0).during("reading", &path)?;
        let wanted = Header { generation: recorded.generation, settings: self.settings().clone() };
        match Header::decode(&bytes) {
            Ok(header) if header == wanted => {}
            Ok(_) => check.faults.push("it is that of another repository".to_owned()),
            Err(fault) => check.faults.push(fault.to_string()),
        }
        let end = recorded.length.min(length);
        let pieces = |from: u64| Pieces::new(&*file, &path, recorded.generation, from, end);
        let found = survey(&mut pieces(HEADER_BYTES as u64), None)?;
        check.transactions = found.transactions;
        if let Some((at, fault)) = found.fault {
            check.faults.push(format!("{fault}, at byte {at}"));
        } else if (found.end, found.last) != (end, recorded.transaction) {
            check.faults.push("it does not end with the last transaction of the database".to_owned());
        }
        if check.faults.is_empty() {
            match digests(&mut pieces(HEADER_BYTES as u64), monitor)? {
                Some(digests) => check.faults.extend(compare(snapshot, digests, monitor)?),
                None => check.faults.push(LogFault::Change.to_string()),
            }
        }
        Ok(check)
    }
}

fn key_digest(space: Space, key: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[space.tag()]).update(key);
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    digest
}

fn value_digest(value: &[u8]) -> u64 {
    let mut digest = [0; 8];
    digest.copy_from_slice(&blake3::hash(value).as_bytes()[..8]);
    u64::from_le_bytes(digest)
}

/// What the log says of every record; `None` when some changes cannot be read.
fn digests(pieces: &mut Pieces<'_>, monitor: &dyn Monitor) -> Result<Option<Digests>> {
    let mut digests = Digests::new();
    loop {
        if monitor.is_cancelled() {
            return Err(StoreError::Cancelled);
        }
        match pieces.next()? {
            Step::Piece(piece) => {
                let read = piece.each(&mut |change| match change {
                    Change::Settings(_) => {}
                    Change::Put { space, key, value } => {
                        digests.insert(key_digest(space, key), value_digest(value));
                    }
                    Change::Delete { space, key } => {
                        digests.remove(&key_digest(space, key));
                    }
                });
                if read.is_err() {
                    return Ok(None);
                }
            }
            Step::End | Step::Fault(_) => return Ok(Some(digests)),
        }
    }
}

/// What the database has otherwise.
fn compare(snapshot: &Snapshot, mut digests: Digests, monitor: &dyn Monitor) -> Result<Option<String>> {
    let (mut different, mut example) = (0u64, None);
    for space in Space::ALL.into_iter().filter(|space| space.is_logged()) {
        for row in snapshot.scan_prefix(space, b"")? {
            let (key, value) = row?;
            if monitor.is_cancelled() {
                return Err(StoreError::Cancelled);
            }
            if digests.remove(&key_digest(space, &key)) != Some(value_digest(&value)) {
                different += 1;
                example.get_or_insert(space.table_name());
            }
        }
    }
    let missing = digests.len() as u64;
    if different + missing == 0 {
        return Ok(None);
    }
    let example = example.map(|name| format!(", one of the table {name:?} among them")).unwrap_or_default();
    Ok(Some(format!(
        "records that the database has otherwise: {different}, that it does not have: {missing}{example}"
    )))
}
