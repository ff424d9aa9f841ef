//! Verifies a shared log, entry by entry and policy link by policy link.
//!
//! Every entry must be the next, name the one before it by its hash, and be signed by somebody whom
//! the policy in force at that entry lets write. A policy link must be signed by those whom the
//! policy before it names; a move of a protected name is judged under the policy in force at that
//! entry, never under an earlier or later one. What comes out is a [`VerifiedLog`].
//!
//! An earlier result is taken up again, so that a history is verified once and its growth only
//! later. A log that ends before it, or differs from it, was rolled back or rewritten.
//!
//! Two links that follow the same one, both rightly signed, stop everything: nobody can tell which
//! of them holds. Only a link that names them both, signed by those whom the policy before them
//! names, settles it.

mod apply;
mod error;
mod link;
mod meet;
mod past;
mod source;
mod state;

pub use error::{ChainError, Fault};
pub use meet::{Meeting, meet};
pub use source::{Entries, LogSource};
pub use state::{Announced, Dispute, InForce, Lock, Reception, VerifiedLog};

use crate::base::id::{LogEntryId, PolicyId, RepositoryId};
use crate::base::monitor::Monitor;
use crate::object::log_entry::{EntryError, LogEntry, RefMoved, SignedEntry};
use crate::object::signature::Verified;
use crate::rules::approval::Received;
use crate::trust::judge::MoveEvidence;
use rayon::prelude::*;

/// How far ahead of this computer's clock an entry may have been received, in milliseconds.
pub const CLOCK_SKEW_MS_MAX: i64 = 86_400_000;
/// Entries whose signatures are checked side by side at a time.
const BATCH: usize = 1024;

/// What a verification starts from.
#[derive(Debug, Clone, Copy)]
pub struct Trust {
    /// The repository whose log it is.
    pub repository: RepositoryId,
    /// The first policy, when this clone knows it already.
    pub pinned: Option<PolicyId>,
    /// This computer's clock, in milliseconds since 1970.
    pub now_ms: i64,
}

/// Finds what speaks for a move that the log records.
pub trait Evidence: Sync {
    /// Everything that differs between the two commits of a move, the verdicts on it that the log
    /// had received by then, and who made it. Fails when it is not all at hand.
    fn of_move(
        &self,
        log: &VerifiedLog,
        received: Received,
        moved: &RefMoved,
    ) -> Result<MoveEvidence, Box<dyn std::error::Error + Send + Sync>>;
}

/// An entry whose signature holds, and its id.
struct Checked {
    id: LogEntryId,
    entry: Result<Verified<LogEntry>, EntryError>,
}

/// Verifies a log, going on from an earlier result when there is one.
pub fn verify<S: LogSource + ?Sized>(
    source: &S,
    trust: &Trust,
    earlier: Option<VerifiedLog>,
    evidence: &dyn Evidence,
    monitor: &dyn Monitor,
) -> Result<VerifiedLog, ChainError> {
    let said = source.head()?;
    let mut log = match earlier {
        Some(earlier) => {
            check_earlier(source, &earlier, said.map_or(0, |head| head.sequence))?;
            earlier
        }
        None => VerifiedLog::empty(trust.repository),
    };
    let mut entries = source.entries(next(&log))?;
    loop {
        if monitor.is_cancelled() {
            return Err(ChainError::Cancelled);
        }
        let batch: Vec<SignedEntry> = entries.by_ref().take(BATCH).collect::<Result<_, _>>()?;
        if batch.is_empty() {
            break;
        }
        let checked: Vec<Checked> =
            batch.par_iter().map(|signed| Checked { id: signed.id(), entry: signed.verified() }).collect();
        for Checked { id, entry } in checked {
            let sequence = next(&log);
            let entry = entry.map_err(|error| Fault::from(error).at(sequence))?;
            log.apply(id, &entry, trust, evidence).map_err(|fault| fault.at(sequence))?;
            check_root(&log, trust)?;
        }
    }
    if let Some(head) = said.filter(|head| log.head != Some(*head)) {
        return Err(Fault::Tail { head: head.sequence }.at(log.head.map_or(0, |head| head.sequence)));
    }
    match (trust.pinned, log.root) {
        (Some(pinned), None) => Err(ChainError::OtherRoot { pinned, found: "missing".into() }),
        _ => Ok(log),
    }
}

impl VerifiedLog {
    /// Goes on by one entry, which is verified like any other.
    pub fn extended(
        mut self,
        signed: &SignedEntry,
        trust: &Trust,
        evidence: &dyn Evidence,
    ) -> Result<Self, ChainError> {
        let sequence = next(&self);
        let entry = signed.verified().map_err(|error| Fault::from(error).at(sequence))?;
        self.apply(signed.id(), &entry, trust, evidence).map_err(|fault| fault.at(sequence))?;
        check_root(&self, trust)?;
        Ok(self)
    }
}

fn next(log: &VerifiedLog) -> u64 {
    log.head.map_or(1, |head| head.sequence + 1)
}

/// What was seen once must still be there.
fn check_earlier<S: LogSource + ?Sized>(
    source: &S,
    earlier: &VerifiedLog,
    found: u64,
) -> Result<(), ChainError> {
    let Some(head) = earlier.head else { return Ok(()) };
    if found < head.sequence {
        return Err(ChainError::RolledBack { seen: head.sequence, found });
    }
    if source.id_at(head.sequence)? == Some(head.id) {
        Ok(())
    } else {
        Err(ChainError::Rewritten { sequence: head.sequence })
    }
}

fn check_root(log: &VerifiedLog, trust: &Trust) -> Result<(), ChainError> {
    match (trust.pinned, log.root) {
        (Some(pinned), Some(found)) if pinned != found => {
            Err(ChainError::OtherRoot { pinned, found: found.to_string() })
        }
        _ => Ok(()),
    }
}
