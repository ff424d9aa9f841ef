//! `certificate`: a page for people and a bundle for programs that say who approved exactly which
//! bytes, when and under which policy, and how anybody checks that with `b3sum` and `ssh-keygen`.

mod bundle;
mod chain;
mod find;
mod page;
mod pictures;

use crate::app::error::AppError;
use crate::app::review::keys::ReviewKeys;
use crate::app::review::log::Reading;
use crate::base::id::{ActionId, AssetId, CommitId, FileId, PolicyId};
use crate::base::local_path::LocalPath;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::media::worker::Workers;
use crate::repo::Repository;
use serde::Serialize;
use std::path::PathBuf;

/// What to certify.
#[derive(Debug, Clone)]
pub enum Subject {
    /// An asset as it stands in the newest commit, or a version of it (`logo.svg@3`).
    Asset(AssetPath),
    /// Everything that the landing behind a revision changed.
    Revision(String),
}

/// What to certify, and where to write it.
#[derive(Debug, Clone)]
pub struct Options {
    /// What.
    pub subject: Subject,
    /// The folder for the bundle, which must be new or empty; or an archive, if its name ends in `.tar`.
    pub folder: PathBuf,
    /// Whether the certified files go into the bundle as well.
    pub files: bool,
}

/// What was certified: also the bundle's `certificate.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Certificate {
    /// The repository.
    pub repository: String,
    /// The submission that was approved.
    pub submission: ActionId,
    /// The branch that it landed on.
    pub branch: String,
    /// The commit by which the branch has it.
    pub commit: CommitId,
    /// Who landed it.
    pub landed_by: String,
    /// When, as RFC 3339: by the shared log where there is one, else by whoever landed it.
    pub landed: String,
    /// The policy in force then.
    pub policy: Option<PolicyLine>,
    /// The policies up to that one, the first first: each signed by people of the one before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<ChainLine>,
    /// What was approved.
    pub assets: Vec<AssetLine>,
    /// What landed with it and no approval speaks for, because no rule asked for one: not certified.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unapproved: Vec<AssetPath>,
    /// Who approved.
    pub approvals: Vec<ApprovalLine>,
    /// The commands that check it.
    pub commands: Vec<Command>,
}

/// The policy under which it was approved.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyLine {
    /// Its id.
    pub id: PolicyId,
    /// Which link of the chain it is, from 1.
    pub number: u64,
}

/// One policy on the way from the first to the one in force.
#[derive(Debug, Clone, Serialize)]
pub struct ChainLine {
    /// Its id; of the first one this is the fingerprint that people compare.
    pub id: PolicyId,
    /// Its number.
    pub number: u64,
    /// The file with the signed bytes; the signatures are beside it, with `.1.sig` and so on.
    pub file: String,
    /// Who signed it, as the policy before it calls them.
    pub signed_by: Vec<String>,
}

/// One certified asset.
#[derive(Debug, Clone, Serialize)]
pub struct AssetLine {
    /// Where it stands.
    pub path: AssetPath,
    /// Which asset.
    pub asset: Option<AssetId>,
    /// What was done to it, as far as it was approved.
    pub kinds: Vec<&'static str>,
    /// Whether somebody approved its labels and fields as they landed. Else these changed after the approval, as the
    /// policy permits, and are not certified.
    pub metadata_approved: bool,
    /// Its file id: what `b3sum` prints. `None` for what was removed.
    pub file: Option<FileId>,
    /// Its length in bytes.
    pub bytes: Option<u64>,
    /// Who approved it, by handle.
    pub approved_by: Vec<String>,
}

/// One approval.
#[derive(Debug, Clone, Serialize)]
pub struct ApprovalLine {
    /// The signed action.
    pub action: ActionId,
    /// What `allowed_signers` calls the person.
    pub handle: String,
    /// The person's name, as the policy or the list of identities has it.
    pub name: Option<String>,
    /// The fingerprint of the key.
    pub key: String,
    /// Where the key is kept: `file`, `hardware`, `browser`.
    pub class: &'static str,
    /// When it was signed, by the signer's clock.
    pub signed: String,
    /// When the shared log had received it, by its own clock.
    pub received: Option<String>,
    /// How many assets it approves.
    pub assets: u64,
    /// The file with the signed bytes; the signature is beside it, with `.sig`.
    pub statement: String,
    /// The file with the transitions that were approved.
    pub transitions: String,
    /// The files after them, as `b3sum --check` reads them.
    pub files: String,
}

/// A command that a stranger types in the folder.
#[derive(Debug, Clone, Serialize)]
pub struct Command {
    /// What it shows.
    pub shows: String,
    /// The line.
    pub line: String,
}

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The folder, or the archive.
    pub folder: LocalPath,
    /// The page in it.
    pub page: LocalPath,
    /// What it says.
    pub certificate: Certificate,
}

/// Certifies, without pictures.
pub fn run(
    repository: &Repository,
    options: &Options,
    keys: &ReviewKeys,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    run_with(repository, options, keys, None, clock, monitor)
}

/// Certifies. `workers` draw small pictures of what was approved, for whoever looks at the page.
pub fn run_with(
    repository: &Repository,
    options: &Options,
    keys: &ReviewKeys,
    workers: Option<&Workers>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let reading = Reading::of(repository, keys, monitor)?;
    let place = find::Place { repository, reading: &reading, keys, now: clock.now(), monitor };
    let found = find::find(&place, &options.subject)?;
    let drawn = workers.map(|workers| pictures::draw(repository, &found, workers, clock, monitor));
    let drawn = drawn.unwrap_or_default();
    let write =
        |options: &Options| bundle::write(repository, &reading.view, &found, options, &drawn, clock, monitor);
    let target = &options.folder;
    if target.extension().is_none_or(|end| end != "tar") {
        let certificate = write(options)?;
        let page = target.join(bundle::PAGE_FILE);
        return Ok(Report { folder: target.as_path().into(), page: page.into(), certificate });
    }
    if target.symlink_metadata().is_ok() {
        return Err(AppError::TargetTaken { path: target.clone() });
    }
    let folder = target.with_extension("part");
    let packed = write(&Options { folder: folder.clone(), ..options.clone() })
        .and_then(|certificate| bundle::pack(&folder, target).map(|()| certificate));
    if !matches!(packed, Err(AppError::TargetTaken { .. })) {
        // What is left of it is in the archive, or of no use.
        let _ = std::fs::remove_dir_all(&folder);
    }
    let page = target.with_extension("").join(bundle::PAGE_FILE);
    Ok(Report { folder: target.as_path().into(), page: page.into(), certificate: packed? })
}
