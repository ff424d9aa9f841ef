//! `fetch`: takes in what others have pushed, and changes nothing that one works on.

use crate::app::common::remotes::{Reach, open_remote};
use crate::app::common::rules::Rules;
use crate::app::error::AppError;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::repo::Repository;
use crate::sync::fetch::{Fetch, Fetched};
use serde::Serialize;

/// What came.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The remote.
    pub remote: String,
    /// What came from it.
    #[serde(flatten)]
    pub fetched: Fetched,
}

/// Fetches from the remote of that name, or from the one that is meant when none is given.
pub fn run(
    repository: &Repository,
    remote: Option<&str>,
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let opened = open_remote(repository, remote, reach)?;
    let rules = Rules::of(repository, clock.now());
    let fetch =
        Fetch { repository, remote: &*opened.remote, name: &opened.name, content: true, judge: &rules };
    let fetched = fetch.run(monitor)?;
    Ok(Report { remote: opened.name, fetched })
}
