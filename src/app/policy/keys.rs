//! Ends a key: from the entry on that says so, nothing counts that the log receives from it.

use crate::app::common::evidence::RepositoryEvidence;
use crate::app::common::guard::{remember, trust};
use crate::app::error::AppError;
use crate::app::policy::{Acting, PolicyFailure, in_force};
use crate::object::log_entry::{KeyRevoked, LogDeed};
use crate::object::signature::Fingerprint;
use crate::repo::edit::JournalNote;
use crate::rules::policy::Handle;
use serde::Serialize;

/// A key that was ended.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The key.
    pub key: Fingerprint,
    /// Whose it was.
    pub person: Handle,
    /// The entry of the shared log that ends it.
    pub entry: u64,
}

/// Revokes a key: by its fingerprint, or the only one of a person.
pub fn revoke(acting: &Acting<'_>, name: &str, reason: &str) -> Result<Report, AppError> {
    let view = acting.repository.view()?;
    let log = acting.log(&view)?;
    let policy = &in_force(&log)?.policy;
    let fitting = policy
        .people
        .iter()
        .flat_map(|(handle, member)| member.keys.iter().map(move |held| (handle, held.key.fingerprint())));
    let mut fitting = fitting.filter(|(handle, key)| handle.as_str() == name || key.to_string() == name);
    let (Some((person, key)), None) = (fitting.next(), fitting.next()) else {
        return Err(PolicyFailure::NoKey { name: name.to_owned() }.into());
    };
    let now = acting.clock.now();
    let deed = LogDeed::Revoke(KeyRevoked { key, reason: reason.to_owned() });
    let entry = acting.writer.entry(&log, deed, now.unix_ms)?;
    let evidence = RepositoryEvidence::new(&view, acting.repository.id());
    let after = log.clone().extended(&entry, &trust(acting.repository, &view, now)?, &evidence)?;
    let mut edit = acting.repository.edit()?;
    let head = edit.append_log(&entry)?;
    remember(&mut edit, &after)?;
    let summary = format!("revoked the key {key} of {person}");
    edit.record(JournalNote { verb: "policy revoke", summary, ..JournalNote::default() }, now)?;
    edit.commit()?;
    Ok(Report { key, person: person.clone(), entry: head.sequence })
}
