//! `remote gc`, `remote verify`, `remote repair` and `backup`: care of a remote that has no program of
//! its own.

use crate::app::common::logs_out::{Compared, Comparing};
use crate::app::common::remotes::{Reach, new_token, open_bucket, open_remote, remote_dir};
use crate::app::common::rules::Rules;
use crate::app::error::AppError;
use crate::app::{fetch, remote};
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::repo::Repository;
use crate::repo::refs::{RefKind, RefTarget};
use crate::sync::SyncError;
use crate::sync::address::Address;
use crate::sync::bucket::{BucketRemote, Collected, Verified};
use crate::sync::push::{Moved, Push};
use crate::sync::remote::{RefChange, Remote as _};
use serde::Serialize;
use std::time::Duration;

/// How long blobs stay after nothing needs them any more: longer than anybody remembers what was sent.
const GRACE: Duration = Duration::from_secs(14 * 24 * 3600);
/// How often a collection is begun anew because others pushed meanwhile.
const ROUNDS: u32 = 10;

/// What a collection did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct GcReport {
    /// The remote.
    pub remote: String,
    /// Whether it only looked.
    pub dry_run: bool,
    /// What was found and done.
    #[serde(flatten)]
    pub collected: Collected,
}

/// What was verified, and given back.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// The remote.
    pub remote: String,
    /// What was found and done.
    #[serde(flatten)]
    pub verified: Verified,
}

/// What a backup moved, and that it is sound.
#[derive(Debug, Clone, Serialize)]
pub struct BackupReport {
    /// Where it is.
    pub address: Address,
    /// Whether it was begun now.
    pub begun: bool,
    /// Branches, drafts and tags in it.
    pub names: u64,
    /// What was moved.
    pub moved: Moved,
    /// What reading it all back found.
    pub verified: Verified,
}

fn bucket_of(
    repository: &Repository,
    name: Option<&str>,
    reach: &Reach,
) -> Result<(String, BucketRemote), AppError> {
    let opened = open_remote(repository, name, reach)?;
    let cache = remote_dir(repository.pent_dir(), &opened.name).join("indexes");
    let bucket = open_bucket(&opened.record.address, Some(cache), reach)?;
    Ok((opened.name, bucket))
}

/// Gives back what nothing on a remote needs any more. Takes in first what others pushed, since only
/// who has everything knows what is needed.
pub fn gc(
    repository: &Repository,
    name: Option<&str>,
    dry_run: bool,
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<GcReport, AppError> {
    let (remote, bucket) = bucket_of(repository, name, reach)?;
    for _ in 0..ROUNDS {
        fetch::run(repository, Some(&remote), reach, clock, monitor)?;
        let how = crate::sync::bucket::Collect {
            grace: GRACE,
            now_ms: clock.now().unix_ms,
            token: new_token()?,
            dry_run,
        };
        match bucket.collect(&repository.view()?, &how, monitor) {
            Err(SyncError::Outdated) => {}
            collected => return Ok(GcReport { remote, dry_run, collected: collected? }),
        }
    }
    Err(SyncError::Busy { attempts: ROUNDS }.into())
}

/// Reads everything that a remote has and compares all hashes.
pub fn verify(
    repository: &Repository,
    name: Option<&str>,
    reach: &Reach,
    monitor: &dyn Monitor,
) -> Result<VerifyReport, AppError> {
    let (remote, bucket) = bucket_of(repository, name, reach)?;
    Ok(VerifyReport { remote, verified: bucket.verify(monitor)? })
}

/// Verifies a remote and gives back what it lost, as far as this clone has it.
pub fn repair(
    repository: &Repository,
    name: Option<&str>,
    reach: &Reach,
    monitor: &dyn Monitor,
) -> Result<VerifyReport, AppError> {
    let (remote, bucket) = bucket_of(repository, name, reach)?;
    Ok(VerifyReport { remote, verified: bucket.repair(repository, new_token()?, monitor)? })
}

/// Brings a second copy of everything up to date and reads it back. Only what is new is sent; `clone`
/// makes a repository of it with nothing else.
pub fn backup(
    repository: &Repository,
    address: &Address,
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<BackupReport, AppError> {
    let begun = remote::connect(repository, address, reach)?;
    let bucket = open_bucket(address, None, reach)?;
    let description = bucket.describe()?;
    let view = repository.view()?;
    let mut changes = Vec::new();
    let mut names = 0;
    for (name, target) in view.references()?.into_iter().filter(|(name, _)| name.kind() != RefKind::Remote) {
        names += 1;
        let there: Option<&RefTarget> = description.refs.get(&name);
        if there != Some(&target) {
            let expected = there.map(|target| target.commit);
            changes.push(RefChange { name, expected, target: Some(target) });
        }
    }
    let comparing =
        Comparing { repository, remote: &bucket, description: &description, name: None, up_to: None };
    let Compared::Ready(logs) = comparing.run(&Rules::of(repository, clock.now()), monitor)? else {
        let problem = "the copy has more of the shared log than this clone: fetch first".to_owned();
        return Err(SyncError::LogRefused(problem).into());
    };
    let place = blake3::hash(address.to_string().as_bytes()).to_hex();
    let push = Push {
        repository,
        remote: &bucket,
        known: Vec::new(),
        changes,
        logs: logs.changes,
        log_objects: logs.objects,
        notes: remote_dir(repository.pent_dir(), "backup").join(&place[..16]),
        token: new_token()?,
    };
    let moved = if push.is_empty() { Moved::default() } else { push.run(description, monitor)?.0 };
    let verified = bucket.verify(monitor)?;
    Ok(BackupReport { address: address.clone(), begun, names, moved, verified })
}
