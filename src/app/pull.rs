//! `pull`: fetches, and merges what others did on the branch that one is on.

use crate::app::common::anew::{Anew, OpenSigning, write_anew};
use crate::app::common::files_change::FilesLine;
use crate::app::common::forward::Forward;
use crate::app::common::remotes::Reach;
use crate::app::common::session::Session;
use crate::app::common::underway::finish_interrupted;
use crate::app::error::AppError;
use crate::app::{fetch, merge, restore};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::repo::Repository;
use crate::repo::people::Identity;
use crate::repo::refs::RefName;
use crate::repo::state::LeftBehind;
use serde::Serialize;

/// How to pull.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The remote; the one that is meant when `None`.
    pub remote: Option<String>,
    /// Who merges, should that be needed.
    pub identity: Option<Identity>,
}

/// What came and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was fetched.
    pub fetch: fetch::Report,
    /// What became of entries of the shared log that others were quicker than.
    pub anew: Anew,
    /// How the branch came together with the remote's; `None` when the remote has no such branch, or
    /// this clone had no commit yet.
    pub merge: Option<merge::Report>,
    /// What was done to the files of a clone that had no commit yet, and to files that were withheld before
    /// and are not any more.
    pub files: Option<FilesLine>,
}

/// A pull that went no further; what was fetched before is here, and is told.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Failed {
    /// As far as it came; `None` when nothing was fetched.
    pub report: Option<Box<Report>>,
    /// Why it went no further.
    #[source]
    pub error: AppError,
}

/// Pulls.
///
/// `signing` is asked for only when entries of the shared log have to be written anew. A fetch may have seen that a
/// remote went back or that names were not taken over: that is told even when nothing else can be done.
pub fn run(
    repository: &Repository,
    options: &Options,
    signing: &OpenSigning<'_>,
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, Failed> {
    let failed = |report: Option<Report>, error| Failed { report: report.map(Box::new), error };
    let fetch = fetch::run(repository, options.remote.as_deref(), reach, clock, monitor)
        .map_err(|error| failed(None, error))?;
    let mut report = Report { fetch, anew: Anew::default(), merge: None, files: None };
    match write_anew(repository, signing, clock, monitor) {
        Ok(anew) => report.anew = anew,
        Err(error) => return Err(failed(Some(report), error)),
    }
    match bring_together(repository, options, &report.fetch, clock, monitor) {
        Ok((merge, files)) => Ok(Report { merge, files, ..report }),
        Err(error) => Err(failed(Some(report), error)),
    }
}

/// Brings the branch together with the remote's.
fn bring_together(
    repository: &Repository,
    options: &Options,
    fetch: &fetch::Report,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<(Option<merge::Report>, Option<FilesLine>), AppError> {
    let view = repository.view()?;
    let branch = view.branch()?.clone();
    let upstream = RefName::remote(&fetch.remote, &branch)?;
    let Some(target) = view.reference(&upstream)? else { return Ok((None, None)) };
    if view.head()?.is_none() {
        let mut session = Session::begin(repository, monitor)?;
        finish_interrupted(&mut session, clock, monitor)?;
        let forward = Forward { to: target.commit, name: upstream.name(), verb: "pull", writer: None };
        return Ok((None, Some(forward.carry_out(&mut session, clock, monitor)?)));
    }
    let merging = merge::Options {
        name: upstream.name().to_owned(),
        identity: options.identity.clone(),
        message: None,
    };
    let merge = merge::run(repository, &merging, clock, monitor)?;
    let files =
        if fetch.fetched.released_paths > 0 { bring_released(repository, clock, monitor)? } else { None };
    Ok((Some(merge), files))
}

/// Brings the files that were withheld until now, where nothing stands in their place.
fn bring_released(
    repository: &Repository,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Option<FilesLine>, AppError> {
    let view = repository.view()?;
    let (state, withheld) = (view.state()?, view.withheld()?);
    // Decisions that wait come first; `restore` brings the files any time.
    if state.merge.is_some() {
        return Ok(None);
    }
    let nothing = state.unwritten.iter().filter(|(_, left)| **left == LeftBehind::Nothing);
    let paths: Vec<AssetPath> = nothing.map(|(path, _)| path.clone()).collect();
    let paths: Vec<AssetPath> = paths.into_iter().filter(|path| !withheld.covers(path)).collect();
    if paths.is_empty() {
        return Ok(None);
    }
    let options = restore::Options { paths, ..restore::Options::default() };
    Ok(Some(restore::run(repository, &options, clock, monitor)?.files))
}
