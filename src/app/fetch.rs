//! `fetch`: takes in what others have pushed, and changes nothing that one works on; or brings content that
//! this clone does not have yet.

use crate::app::common::keep;
use crate::app::common::locks::moment_at;
use crate::app::common::on_demand::{WantedFile, files_below, files_of_history};
use crate::app::common::read_only;
use crate::app::common::remotes::{Reach, open_remote};
use crate::app::common::rules::Rules;
use crate::app::error::AppError;
use crate::base::id::CommitId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::source::ObjectSource as _;
use crate::repo::refs::RefName;
use crate::repo::{RepoError, Repository, View};
use crate::sync::fetch::{Fetch, Fetched, fetch_content};
use crate::sync::walk::NewFile;
use serde::Serialize;

/// How often a clone that relies on a remote looks again, because names there moved while it said so.
const ROUNDS: u32 = 5;

/// What came.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The remote.
    pub remote: String,
    /// What came from it.
    #[serde(flatten)]
    pub fetched: Fetched,
}

/// Fetches from the remote of that name, or from the one that is meant when none is given. A clone that does
/// not have everything leaves content where it is.
pub fn run(
    repository: &Repository,
    remote: Option<&str>,
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    run_with(repository, remote, &[], reach, clock, monitor)
}

/// The same, and commits with it to which no name may lead.
pub fn run_with(
    repository: &Repository,
    remote: Option<&str>,
    also: &[CommitId],
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let opened = open_remote(repository, remote, reach)?;
    let now = clock.now();
    let moment = moment_at(&*opened.remote, &repository.view()?, now)?;
    let rules = Rules::of(repository, now).judging_locks_at(moment);
    let fetch = Fetch {
        repository,
        remote: &*opened.remote,
        name: &opened.name,
        content: !repository.view()?.is_lazy()?,
        judge: &rules,
        also: also.to_vec(),
        now: clock.now(),
    };
    let mut fetched = fetch.run(monitor)?;
    for _ in 0..ROUNDS {
        if keep::renew(repository, &opened)? {
            break;
        }
        fetched.add(fetch.run(monitor)?);
    }
    read_only::follow(repository, monitor)?;
    Ok(Report { remote: opened.name, fetched })
}

/// Which content to bring.
#[derive(Debug, Clone, Default)]
pub struct ContentOptions {
    /// The remote; the one that is meant when `None`.
    pub remote: Option<String>,
    /// Files and folders; everything of every version when empty, after which the clone has everything.
    pub paths: Vec<AssetPath>,
    /// As of which revision; the newest commit of the current branch when `None`.
    pub revision: Option<String>,
}

/// What content came.
#[derive(Debug, Clone, Serialize)]
pub struct ContentReport {
    /// The remote.
    pub remote: String,
    /// Files whose content came.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of blocks that came.
    pub bytes_received: u64,
    /// Files among those asked for that were here already.
    pub files_here: u64,
    /// Whether this clone has everything now.
    pub complete: bool,
}

/// Brings content.
pub fn content(
    repository: &Repository,
    options: &ContentOptions,
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<ContentReport, AppError> {
    let opened = open_remote(repository, options.remote.as_deref(), reach)?;
    let view = repository.view()?;
    let wants_everything = options.paths.is_empty() && options.revision.is_none();
    let wanted: Vec<WantedFile> = if wants_everything {
        let tips: Vec<CommitId> = view.references()?.into_iter().map(|(_, target)| target.commit).collect();
        files_of_history(&view, tips, &[], monitor)?.into_iter().collect()
    } else {
        let commit = newest(&view, &opened.name, options.revision.as_deref(), clock)?;
        let mut files = files_below(&view, view.commit(commit)?.tree, &options.paths)?;
        files.sort_unstable();
        files.dedup();
        files
    };
    let mut absent = Vec::new();
    for (id, size) in &wanted {
        if !view.has_content(*id, *size)? {
            absent.push(NewFile { id: *id, size: *size, before: None });
        }
    }
    let mut report = ContentReport {
        remote: opened.name.clone(),
        files: absent.len() as u64,
        bytes: absent.iter().map(|file| file.size).sum(),
        bytes_received: 0,
        files_here: (wanted.len() - absent.len()) as u64,
        complete: !view.is_partial()?,
    };
    if !absent.is_empty() {
        let (taken, lacking) = fetch_content(repository, &*opened.remote, &absent, monitor)?;
        report.bytes_received = taken.bytes_received;
        if !lacking.is_empty() {
            let bytes = lacking.iter().map(|file| file.size).sum();
            let (files, is_withheld) = (lacking.len() as u64, !repository.view()?.withheld()?.is_empty());
            return Err(AppError::NotHere { files, bytes, is_withheld, source: None });
        }
    }
    keep::renew(repository, &opened)?;
    if wants_everything && !report.complete {
        let mut edit = repository.edit()?;
        edit.set_partial(false)?;
        edit.commit()?;
        report.complete = true;
    }
    Ok(report)
}

/// The commit whose files are meant.
fn newest(
    view: &View,
    remote: &str,
    revision: Option<&str>,
    clock: &dyn Clock,
) -> Result<CommitId, AppError> {
    if let Some(revision) = revision {
        return Ok(view.resolve(revision, clock.now())?.commit);
    }
    if let Some(head) = view.head()? {
        return Ok(head);
    }
    let upstream = view.reference(&RefName::remote(remote, view.branch()?)?)?;
    Ok(upstream.ok_or(RepoError::NoCommits)?.commit)
}
