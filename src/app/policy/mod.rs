//! The policy: giving a repository its first one, showing it, changing it together, and asking what
//! another one would have meant for the past.

pub mod change;
pub mod check;
pub mod history;
pub mod init;
pub mod keys;
pub mod links;
pub mod preview;
pub mod show;

use crate::app::common::guard::{remember, verified_log};
use crate::app::error::AppError;
use crate::base::id::PolicyId;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::object::policy_link::LinkError;
use crate::repo::{Repository, View};
use crate::rules::approval::listed;
use crate::rules::policy::PolicyError;
use crate::trust::chain::{ChainError, InForce, VerifiedLog};
use crate::trust::log_writer::LogWriter;

/// What can be wrong with a change of the policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFailure {
    /// The text is no policy.
    #[error("{0}")]
    Text(#[from] PolicyError),
    /// A link cannot be written or read.
    #[error("the policy link cannot be used: {0}")]
    Link(#[from] LinkError),
    /// There is none yet.
    #[error("this repository has no policy")]
    None,
    /// There is one already.
    #[error("this repository has a policy already")]
    Exists,
    /// The text is that of the policy in force.
    #[error("this is the policy in force already")]
    Same,
    /// No proposal is called so, or none waits.
    #[error("{}", no_proposal(name))]
    NoProposal { name: String },
    /// No policy has that number or id.
    #[error("no policy has the number or id {name:?}")]
    NoPolicy { name: String },
    /// Several policies are meant.
    #[error("several policies fit: {}", listed(ids))]
    Ambiguous { ids: Vec<String> },
    /// It was announced by the recovery rule, and its time has not come.
    #[error("that policy was announced, and may take effect from {from} on")]
    TooSoon { from: String },
    /// The proposal follows a policy that is no longer in force.
    #[error("policy {number} was proposed before another one took effect")]
    Outdated { number: u64 },
    /// Whoever signs cannot count here.
    #[error("{reason}")]
    Signer { reason: String },
    /// The policy in force has no recovery rule.
    #[error("the policy in force has no recovery rule")]
    NoRecovery,
    /// The policy does not permit what was about to be written into the shared log.
    #[error("{reason}")]
    NotPermitted { reason: String },
    /// There is no key of that name or fingerprint.
    #[error("the policy has no key {name:?}")]
    NoKey { name: String },
    /// The text is no fingerprint of a policy.
    #[error("{text:?} is no fingerprint: these are 64 letters and digits, 0 to 9 and a to f")]
    Fingerprint { text: String },
}

/// Why an entry of one's own may not be written: what the log had before it verified, so nothing is damaged.
pub(crate) fn not_permitted(error: ChainError) -> AppError {
    match error {
        ChainError::Broken { fault, .. } => PolicyFailure::NotPermitted { reason: fault.to_string() }.into(),
        error => error.into(),
    }
}

fn no_proposal(name: &str) -> String {
    if name.is_empty() {
        "no proposed policy waits for signatures".to_owned()
    } else {
        format!("no proposed policy is called {name:?}")
    }
}

/// Whoever acts on a policy.
#[derive(Clone, Copy)]
pub struct Acting<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// Who, and with what key.
    pub writer: LogWriter<'a>,
    /// The clock to go by.
    pub clock: &'a dyn Clock,
    /// Where long work reports to.
    pub monitor: &'a dyn Monitor,
}

impl Acting<'_> {
    fn log(&self, view: &View) -> Result<VerifiedLog, AppError> {
        verified_log(self.repository, view, self.clock.now(), self.monitor)
    }
}

/// The policy in force, if there is one.
pub fn in_force(log: &VerifiedLog) -> Result<&InForce, AppError> {
    log.in_force().ok_or_else(|| PolicyFailure::None.into())
}

/// Verifies the shared log and keeps the result where the repository can be written.
pub fn verified(
    repository: &Repository,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<(View, VerifiedLog), AppError> {
    let view = repository.view()?;
    let log = verified_log(repository, &view, clock.now(), monitor)?;
    // Only a result that is worth the write is kept; without the right to write it is just not kept.
    let known = view.log_checkpoint()?.is_some();
    let is_new =
        log.head().is_some() && (!known || log.checkpoint()? != view.log_checkpoint()?.unwrap_or_default());
    if is_new && let Ok(mut edit) = repository.edit() {
        remember(&mut edit, &log)?;
        edit.commit()?;
    }
    Ok((view, log))
}

/// The fingerprint of a policy link in groups of eight, as people compare it.
pub fn fingerprint(id: PolicyId) -> String {
    let text = id.to_string();
    let groups: Vec<&str> = (0..text.len()).step_by(8).map(|start| &text[start..start + 8]).collect();
    groups.join(" ")
}

/// Takes a fingerprint as people write it: with or without blanks.
pub fn parse_fingerprint(text: &str) -> Option<PolicyId> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    plain.to_ascii_lowercase().parse().ok()
}

/// A first policy that this clone takes over from elsewhere, when it comes.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TrustReport {
    /// Its link.
    pub root: PolicyId,
    /// The same as people compare it.
    pub fingerprint: String,
}

/// Lets this clone take a first policy over from elsewhere: with the next fetch.
pub fn trust(repository: &Repository, text: &str, clock: &dyn Clock) -> Result<TrustReport, AppError> {
    let root = parse_fingerprint(text).ok_or_else(|| PolicyFailure::Fingerprint { text: text.to_owned() })?;
    if repository.view()?.pinned_root()?.is_some_and(|pinned| pinned != root) {
        return Err(crate::repo::RepoError::OtherRoot.into());
    }
    let mut edit = repository.edit()?;
    edit.expect_root(root)?;
    let fingerprint = fingerprint(root);
    let summary = format!("trusts the first policy {}", root.short());
    let note = crate::repo::edit::JournalNote { verb: "policy trust", summary, ..Default::default() };
    edit.record(note, clock.now())?;
    edit.commit()?;
    Ok(TrustReport { root, fingerprint })
}

/// Insists that a repository's first policy is the one with this fingerprint, and pins it.
///
/// For whoever takes a repository over from elsewhere (`--expect`). Without a fingerprint the first
/// policy that is seen is pinned.
pub fn pin(
    repository: &Repository,
    log: &VerifiedLog,
    expected: Option<PolicyId>,
) -> Result<Option<PolicyId>, AppError> {
    let root = log.root();
    if let Some(pinned) = expected.filter(|expected| root != Some(*expected)) {
        let found = root.map_or_else(|| "missing".to_owned(), |root| root.to_string());
        return Err(crate::trust::chain::ChainError::OtherRoot { pinned, found }.into());
    }
    if let Some(root) = root {
        let mut edit = repository.edit()?;
        edit.pin_root(root)?;
        edit.commit()?;
    }
    Ok(root)
}
