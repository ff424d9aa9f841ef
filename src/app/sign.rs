//! `sign`: puts a signature under commits that exist already.

use crate::app::common::describe::{CommitLine, Describer};
use crate::app::common::signing::SigningAs;
use crate::app::error::AppError;
use crate::base::time::Clock;
use crate::object::signature::Fingerprint;
use crate::object::source::ObjectSource;
use crate::repo::Repository;
use crate::repo::edit::JournalNote;
use serde::Serialize;

/// What to sign.
#[derive(Debug)]
pub struct Options {
    /// Which commits; the newest of the current branch when empty.
    pub revisions: Vec<String>,
    /// Who signs.
    pub signing: SigningAs,
}

/// What was signed.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The key.
    pub key: Fingerprint,
    /// The commits.
    pub commits: Vec<CommitLine>,
}

/// Signs. All signatures are made before any is stored, and they are stored together.
pub fn run(repository: &Repository, options: &Options, clock: &dyn Clock) -> Result<Report, AppError> {
    let view = repository.view()?;
    let now = clock.now();
    let current = ["@".to_owned()];
    let revisions = if options.revisions.is_empty() { &current[..] } else { &options.revisions };
    let mut describer = Describer::new(&view)?;
    let (mut commits, mut signatures) = (Vec::new(), Vec::new());
    for revision in revisions {
        let id = view.resolve(revision, now)?.commit;
        signatures.push((id, options.signing.sign_commit(repository.id(), id, now)?));
        commits.push(describer.commit(id, &view.commit(id)?)?);
    }
    let mut edit = repository.edit()?;
    for (id, signature) in &signatures {
        edit.put_commit_signature(repository.id(), *id, signature)?;
    }
    let names: Vec<String> = signatures.iter().map(|(id, _)| id.short()).collect();
    let summary = format!("signed {}", names.join(", "));
    edit.record(JournalNote { verb: "sign", summary, ..JournalNote::default() }, now)?;
    edit.commit()?;
    Ok(Report { key: options.signing.signer.public_key().fingerprint(), commits })
}
