//! `erase --everywhere`: permits the removal of a file's bytes for all, as an entry of the shared log that is signed
//! as the policy asks; and `erase --permitted`, which does here what such entries permit.

use crate::app::common::evidence::RepositoryEvidence;
use crate::app::common::guard::{remember, trust, verified_log};
use crate::app::common::signing::SigningAs;
use crate::app::erase::{self, Which};
use crate::app::error::AppError;
use crate::app::policy::{PolicyFailure, in_force, not_permitted};
use crate::base::id::FileId;
use crate::base::local_path::LocalPath;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::care::error::CareError;
use crate::object::erasure::Erasure;
use crate::object::log_entry::{ErasePermitted, LogDeed, LogEntry};
use crate::object::policy_link::Signed;
use crate::object::signature::Namespace;
use crate::repo::edit::JournalNote;
use crate::repo::people::Identity;
use crate::repo::{RepoError, Repository, View};
use crate::rules::approval::check_quorum;
use crate::trust::chain::VerifiedLog;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file with a permission that waits for signatures, in bytes.
const PERMISSION_BYTES_MAX: u64 = 1 << 20;

/// Which file, and why.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which file.
    pub which: Which,
    /// Why; it stands in the shared log.
    pub reason: String,
    /// A file that collects signatures while there are not enough.
    pub permission: Option<PathBuf>,
}

/// What became of the permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The file whose bytes may go.
    pub file: FileId,
    /// Its length in bytes.
    pub size: u64,
    /// The entry of the shared log that permits it; `None` while signatures are missing.
    pub entry: Option<u64>,
    /// Whether it was permitted before.
    pub already: bool,
    /// What is missing yet.
    pub missing: Vec<String>,
    /// Where the signatures are collected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<LocalPath>,
}

/// What was removed here because the shared log permits it.
#[derive(Debug, Clone, Serialize)]
pub struct CarriedOut {
    /// Files whose bytes went.
    pub files: Vec<FileId>,
    /// Bytes that went.
    pub bytes_erased: u64,
}

/// Signs the permission, and writes the entry when enough people did.
///
/// # Errors
/// [`PolicyFailure::None`] without a policy: then nobody has to be asked, and `remote gc --erased` is enough.
pub fn permit(
    repository: &Repository,
    options: &Options,
    signing: &dyn Fn() -> Result<SigningAs, AppError>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let plan = erase::Options {
        which: options.which.clone(),
        identity: None,
        reason: options.reason.clone(),
        dry_run: true,
    };
    let planned = erase::run(repository, &plan, clock, monitor)?.erasure;
    let (view, now) = (repository.view()?, clock.now());
    let log = verified_log(repository, &view, now, monitor)?;
    let policy = &in_force(&log)?.policy;
    let (file, size) = (planned.file, planned.size);
    let report = Report { file, size, entry: None, already: false, missing: Vec::new(), permission: None };
    if log.may_erase(file) {
        return Ok(Report { already: true, ..report });
    }
    let statement = Erasure {
        repository: repository.id(),
        file,
        size,
        made_ms: now.unix_ms,
        reason: options.reason.clone(),
    };
    let mut signed = match options.permission.as_deref().filter(|path| path.exists()) {
        Some(path) => collected(path, &statement)?,
        None => Signed::unsigned(statement.encode().map_err(refused)?),
    };
    let signing = signing()?;
    signing.writer().sign_erasure(&mut signed)?;
    let sealed = signed.verified(Namespace::Erase).map_err(refused)?;
    let keys: Vec<_> = sealed.iter().map(|sealed| sealed.key().clone()).collect();
    if let Err(missing) = check_quorum(policy, &policy.erase, &keys, now.unix_ms, log.revoked()) {
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let Some(path) = &options.permission else {
            return Err(PolicyFailure::Signer { reason: missing.join("; ") }.into());
        };
        let text = serde_json::to_vec_pretty(&signed).map_err(refused)?;
        fs::write(path, text).map_err(AppError::io("writing", path))?;
        return Ok(Report { missing, permission: Some(path.as_path().into()), ..report });
    }
    let deed = LogDeed::Erase(ErasePermitted { erasure: signed });
    let entry = signing.writer().entry(&log, deed, now.unix_ms)?;
    let evidence = RepositoryEvidence::new(&view, repository.id());
    let after =
        log.clone().extended(&entry, &trust(repository, &view, now)?, &evidence).map_err(not_permitted)?;
    let mut edit = repository.edit()?;
    let head = edit.append_log(&entry)?;
    remember(&mut edit, &after)?;
    let summary = format!("permitted to erase file {file} everywhere");
    edit.record(JournalNote { verb: "erase", summary, ..JournalNote::default() }, now)?;
    edit.commit()?;
    Ok(Report { entry: Some(head.sequence), ..report })
}

fn refused(error: impl std::fmt::Display) -> AppError {
    PolicyFailure::Signer { reason: format!("the permission cannot be used: {error}") }.into()
}

/// What others signed already, if it is about this file here.
fn collected(path: &Path, ours: &Erasure) -> Result<Signed, AppError> {
    let length = fs::metadata(path).map_err(AppError::io("reading", path))?.len();
    if length > PERMISSION_BYTES_MAX {
        return Err(refused(format!("it has more than {PERMISSION_BYTES_MAX} bytes")));
    }
    let bytes = fs::read(path).map_err(AppError::io("reading", path))?;
    let signed: Signed = serde_json::from_slice(&bytes).map_err(refused)?;
    let theirs = Erasure::decode(&signed.statement).map_err(refused)?;
    if (theirs.repository, theirs.file, theirs.size) != (ours.repository, ours.file, ours.size) {
        return Err(refused("it is about another file"));
    }
    Ok(signed)
}

/// Removes here what the shared log permits to remove and what is still here.
pub fn carry_out(
    repository: &Repository,
    identity: &Identity,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<CarriedOut, AppError> {
    let view = repository.view()?;
    let log = verified_log(repository, &view, clock.now(), monitor)?;
    let mut done = CarriedOut { files: Vec::new(), bytes_erased: 0 };
    for (file, sequence) in log.erasures() {
        if view.is_erased(*file)? {
            continue;
        }
        let options = erase::Options {
            which: Which::File(*file),
            identity: Some(identity.clone()),
            reason: reason_of(&view, &log, *sequence)?,
            dry_run: false,
        };
        match erase::run(repository, &options, clock, monitor) {
            Ok(report) => {
                done.files.push(*file);
                done.bytes_erased += report.erasure.bytes_erased;
            }
            // It never came here.
            Err(AppError::Care(CareError::NothingToErase { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Why an entry permits it, in the words of whoever wrote it.
fn reason_of(view: &View, log: &VerifiedLog, sequence: u64) -> Result<String, AppError> {
    debug_assert!(log.head().is_some_and(|head| head.sequence >= sequence), "it is of this log");
    let entry = view.log_entry(sequence)?;
    let entry = entry.map(|entry| LogEntry::decode(&entry.statement)).transpose();
    let entry = entry.map_err(|source| RepoError::LogEntry { sequence, source })?;
    let said = match entry.map(|entry| entry.deed) {
        Some(LogDeed::Erase(permitted)) => Erasure::decode(&permitted.erasure.statement).ok(),
        _ => None,
    };
    let words = said.map_or_else(String::new, |said| said.reason);
    Ok(format!("{words} (entry {sequence} of the shared log)").trim().to_owned())
}
