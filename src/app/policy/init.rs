//! Gives a repository its first policy: the root of trust.

use crate::app::common::evidence::RepositoryEvidence;
use crate::app::common::guard::{remember, trust};
use crate::app::error::AppError;
use crate::app::policy::{Acting, PolicyFailure, fingerprint};
use crate::base::id::{CommitId, PolicyId};
use crate::object::log_entry::{LogDeed, PolicyTaken};
use crate::object::policy_link::{PolicyLink, Signed};
use crate::repo::View;
use crate::repo::edit::JournalNote;
use crate::repo::protected::ProtectedNames;
use crate::repo::refs::RefName;
use crate::rules::policy::{Founder, Handle, Policy, first_policy};
use serde::Serialize;
use std::collections::BTreeMap;

/// What the first policy is to say.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the policy calls whoever makes it; used only without a text.
    pub handle: Handle,
    /// Their name, for readers.
    pub name: String,
    /// The policy; a proposal to go on from when `None`.
    pub text: Option<String>,
}

/// The first policy.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Its link.
    pub id: PolicyId,
    /// The id as people compare it.
    pub fingerprint: String,
    /// Branches and tags that are protected from here on, and where they stand.
    pub protects: BTreeMap<String, CommitId>,
    /// Its text.
    pub policy: String,
}

/// Makes the first policy.
pub fn run(acting: &Acting<'_>, options: &Options) -> Result<Report, AppError> {
    let Acting { repository, writer, clock, monitor } = *acting;
    let view = repository.view()?;
    if view.log_head()?.is_some() {
        return Err(PolicyFailure::Exists.into());
    }
    let founder = Founder {
        handle: &options.handle,
        id: writer.person,
        name: &options.name,
        key: writer.signer.public_key(),
    };
    let text = options.text.clone().unwrap_or_else(|| first_policy(&founder));
    let policy = Policy::parse(&text).map_err(PolicyFailure::from)?;
    let starts = starts(&view, &policy)?;
    let now = clock.now();
    let link = PolicyLink {
        repository: repository.id(),
        number: 1,
        parents: Vec::new(),
        starts: starts.clone(),
        made_ms: now.unix_ms,
        reason: String::new(),
        policy: text.clone(),
    };
    let mut signed = Signed::unsigned(link.encode().map_err(PolicyFailure::from)?);
    writer.sign_link(&mut signed)?;
    let id = PolicyLink::id_of(&signed.statement);
    // The first entry is verified like any other: what nobody would accept is not made.
    let log = acting.log(&view)?;
    let deed = LogDeed::Policy(PolicyTaken { link: signed, recovery: false });
    let entry = writer.entry(&log, deed, now.unix_ms)?;
    let evidence = RepositoryEvidence::new(&view, repository.id());
    let log = log.extended(&entry, &trust(repository, &view, now)?, &evidence)?;
    if monitor.is_cancelled() {
        return Err(AppError::Cancelled);
    }
    let mut edit = repository.edit()?;
    edit.append_log(&entry)?;
    remember(&mut edit, &log)?;
    let summary = format!("gave the repository its first policy, {}", id.short());
    edit.record(JournalNote { verb: "policy init", summary, ..JournalNote::default() }, now)?;
    edit.commit()?;
    Ok(Report { id, fingerprint: fingerprint(id), protects: starts, policy: text })
}

/// Where the names stand that a policy protects.
pub(super) fn starts(view: &View, policy: &Policy) -> Result<BTreeMap<String, CommitId>, AppError> {
    let protected = ProtectedNames::of(policy);
    let named = |name: &RefName| protected.covers(name);
    let all = view.references()?.into_iter().filter(|(name, _)| named(name));
    Ok(all.map(|(name, target)| (name.as_str().to_owned(), target.commit)).collect())
}
