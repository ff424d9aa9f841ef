//! The shared log of a remote: from its head back to an entry that is here.

use crate::base::id::{LogEntryId, RepositoryId};
use crate::object::log_entry::{LogEntry, SignedEntry};
use crate::repo::View;
use crate::repo::shared_log::LogHead;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::logs::{Inbox, Objects};
use crate::sync::remote::{Kind, ObjectKey};

/// Bytes of entries that are taken over at once: some 700,000 moves.
const TAIL_BYTES_MAX: usize = 512 << 20;

/// What a remote's shared log has beyond the entries that are here. Nothing of it is verified but that
/// each entry names the one before it.
#[derive(Debug, Clone)]
pub struct LogArrival {
    /// Its newest entry.
    pub head: LogHead,
    /// The number of the last entry that both have; 0 for none.
    pub common: u64,
    /// The entries after that one, oldest first.
    pub entries: Vec<SignedEntry>,
}

/// What is known of a remote's shared log.
#[derive(Debug, Clone)]
pub enum LogFound {
    /// It has none.
    Nothing,
    /// It has one.
    Log(LogArrival),
    /// It has one and does not give it, or what it gives does not fit together.
    Broken(String),
}

/// Follows a log back from its head.
pub(in crate::sync) fn find(
    view: &View,
    repository: RepositoryId,
    head: &[u8],
    source: &dyn Objects,
    inbox: &mut Inbox,
) -> SyncResult<LogFound> {
    let Ok(head) = LogHead::decode(head) else {
        return Ok(LogFound::Broken("the head of the shared log cannot be read".to_owned()));
    };
    let ours = view.log_head()?.map_or(0, |head| head.sequence);
    let (mut entries, mut bytes_total) = (Vec::new(), 0);
    let (mut sequence, mut next) = (head.sequence, Some(head.id));
    while let Some(id) = next {
        if sequence == 0 {
            return Ok(broken(1, "it names one before it"));
        }
        if sequence <= ours && view.log_entry(sequence)?.is_some_and(|entry| entry.id() == id) {
            break;
        }
        let Some(bytes) = entry_bytes(id, source, inbox)? else {
            return Ok(LogFound::Broken(format!("the remote withholds entry {sequence} of the shared log")));
        };
        bytes_total += bytes.len();
        if bytes_total > TAIL_BYTES_MAX {
            return Err(SyncError::Invalid { what: "a log", detail: "it is longer than fits".to_owned() });
        }
        let Ok(signed) = SignedEntry::decode(&bytes) else { return Ok(broken(sequence, "it is none")) };
        let Ok(entry) = LogEntry::decode(&signed.statement) else {
            return Ok(broken(sequence, "it cannot be read"));
        };
        if entry.sequence != sequence || entry.repository != repository {
            return Ok(broken(sequence, "it has another number or is of another repository"));
        }
        next = entry.previous;
        sequence -= 1;
        entries.push(signed);
    }
    entries.reverse();
    Ok(LogFound::Log(LogArrival { head, common: sequence, entries }))
}

fn broken(sequence: u64, why: &str) -> LogFound {
    LogFound::Broken(format!("entry {sequence} of the remote's shared log does not fit: {why}"))
}

fn entry_bytes(id: LogEntryId, source: &dyn Objects, inbox: &mut Inbox) -> SyncResult<Option<Vec<u8>>> {
    let key = ObjectKey::new(Kind::LogEntry, *id.as_bytes());
    if !inbox.has(&key) {
        source.ask(&[key], inbox)?;
    }
    inbox.take(&key)
}
