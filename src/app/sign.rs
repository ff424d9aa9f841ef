//! `sign`: puts a signature under commits that exist already.

use crate::app::common::describe::{CommitLine, Describer};
use crate::app::common::signing::SigningAs;
use crate::app::error::AppError;
use crate::base::id::{CommitId, RepositoryId};
use crate::base::time::{Clock, Timestamp};
use crate::object::signature::Fingerprint;
use crate::object::source::ObjectSource;
use crate::repo::edit::JournalNote;
use crate::repo::history::only_in;
use crate::repo::{Repository, View};
use serde::Serialize;
use std::collections::HashSet;

/// What to sign.
#[derive(Debug)]
pub struct Options {
    /// Which commits; the newest of the current branch when empty. `a..b` stands for what `b` has and `a` has not,
    /// as far as this key did not sign it before.
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
    for id in named(&view, repository.id(), revisions, &options.signing, now)? {
        signatures.push((id, options.signing.sign_commit(repository.id(), id, now)?));
        commits.push(describer.commit(id, &view.commit(id)?)?);
    }
    let key = options.signing.signer.public_key().fingerprint();
    if signatures.is_empty() {
        return Ok(Report { key, commits });
    }
    let mut edit = repository.edit()?;
    for (id, signature) in &signatures {
        edit.put_commit_signature(repository.id(), *id, signature)?;
    }
    let names: Vec<String> = signatures.iter().map(|(id, _)| id.short()).collect();
    let summary = format!("signed {}", names.join(", "));
    edit.record(JournalNote { verb: "sign", summary, ..JournalNote::default() }, now)?;
    edit.commit()?;
    Ok(Report { key, commits })
}

/// The commits that revisions and ranges name, each once, those of a range oldest first.
fn named(
    view: &View,
    repository: RepositoryId,
    revisions: &[String],
    signing: &SigningAs,
    now: Timestamp,
) -> Result<Vec<CommitId>, AppError> {
    let key = signing.signer.public_key().fingerprint();
    let is_signed = |commit: CommitId| -> Result<bool, AppError> {
        let mut records = view.commit_signatures(commit)?.into_iter();
        Ok(records.any(|record| record.fingerprint() == key && record.verify(repository, commit).is_ok()))
    };
    let mut found = Vec::new();
    for revision in revisions {
        let Some((except, until)) = revision.split_once("..").filter(|(except, _)| !except.is_empty()) else {
            found.push(view.resolve(revision, now)?.commit);
            continue;
        };
        let until = view.resolve(if until.is_empty() { "@" } else { until }, now)?.commit;
        let except = view.resolve(except, now)?.commit;
        for (commit, _) in only_in(view, [until], Some(except))?.into_iter().rev() {
            if !is_signed(commit)? {
                found.push(commit);
            }
        }
    }
    let mut seen = HashSet::new();
    found.retain(|commit| seen.insert(*commit));
    Ok(found)
}
