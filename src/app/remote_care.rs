//! `remote gc`, `remote verify` and `remote repair`: care of a remote, of which most is for places that have no
//! program of their own.

use crate::app::common::guard::verified_log;
use crate::app::common::remotes::{
    Reach, insist_on_ours, new_token, open_address, open_bucket, open_remote, remote_dir,
};
use crate::app::error::AppError;
use crate::app::fetch;
use crate::base::id::{CommitId, FileId};
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::repo::Repository;
use crate::store::Space;
use crate::sync::SyncError;
use crate::sync::address::Address;
use crate::sync::bucket::{BucketRemote, Collected, Reading, Verified};
use crate::sync::read_back::ReadBack;
use crate::sync::remote::{Kind, ObjectKey, Remote as _};
use serde::Serialize;
use std::collections::HashSet;
use std::time::Duration;

/// How long blobs stay after nothing needs them any more: longer than anybody remembers what was sent.
const GRACE: Duration = Duration::from_secs(14 * 24 * 3600);
/// How often a collection is begun anew because others pushed meanwhile.
const ROUNDS: u32 = 10;
/// Keys that a bucket is asked about at a time.
const KEYS_AT_A_TIME: usize = 1 << 14;

/// What a collection did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct GcReport {
    /// The remote.
    pub remote: String,
    /// Whether it only looked.
    pub dry_run: bool,
    /// Files that were erased in this clone and whose bytes go there too.
    pub erased: u64,
    /// Files that were erased in this clone and whose bytes stay there, because the shared log does not permit
    /// their removal for all.
    pub erased_here_only: u64,
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

fn bucket_of(
    repository: &Repository,
    name: Option<&str>,
    reach: &Reach,
) -> Result<(String, BucketRemote), AppError> {
    let opened = open_remote(repository, name, reach)?;
    let cache = remote_dir(repository.pent_dir(), &opened.name).join("indexes");
    let bucket = open_bucket(&opened.record.address, Some(cache), reach)?;
    Ok((opened.name, bucket.expected()))
}

/// What to collect.
#[derive(Debug, Clone, Default)]
pub struct GcOptions {
    /// The remote; the one that is meant when `None`.
    pub remote: Option<String>,
    /// Only say what would go.
    pub dry_run: bool,
    /// Also remove, for everybody, the bytes of files that were erased in this clone. Under a policy those
    /// go whose removal the shared log permits.
    pub erased: bool,
}

/// The files that were erased here: those whose bytes may go for everybody, and how many others there are.
fn erased_files(
    repository: &Repository,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<(HashSet<FileId>, u64), AppError> {
    let view = repository.view()?;
    let mut files = HashSet::new();
    for row in view.snapshot().scan_prefix(Space::Tombstones, b"")? {
        let (key, _) = row?;
        if key.len() == FileId::SIZE {
            files.extend(FileId::from_slice(&key));
        }
    }
    let log = verified_log(repository, &view, clock.now(), monitor)?;
    let all = files.len() as u64;
    if log.in_force().is_some() {
        files.retain(|file| log.may_erase(*file));
    }
    let others = all - files.len() as u64;
    Ok((files, others))
}

/// Gives back what nothing on a remote needs any more. Takes in first what others pushed, since only
/// who has everything knows what is needed.
pub fn gc(
    repository: &Repository,
    options: &GcOptions,
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<GcReport, AppError> {
    if repository.view()?.is_partial()? {
        return Err(AppError::Partial { verb: "gc of a remote" });
    }
    let (remote, bucket) = bucket_of(repository, options.remote.as_deref(), reach)?;
    let dry_run = options.dry_run;
    for _ in 0..ROUNDS {
        // What others rely on has to be here too, or what it reaches would not be known.
        fetch::run_with(repository, Some(&remote), &there(&bucket)?, reach, clock, monitor)?;
        let how = crate::sync::bucket::Collect {
            grace: GRACE,
            now_ms: clock.now().unix_ms,
            token: new_token()?,
            dry_run,
        };
        let (erased, erased_here_only) =
            if options.erased { erased_files(repository, clock, monitor)? } else { (HashSet::new(), 0) };
        match bucket.collect_erased(&repository.view()?, &how, &erased, monitor) {
            Err(SyncError::Outdated) => {}
            collected => {
                let (collected, erased) = (collected?, erased.len() as u64);
                return Ok(GcReport { remote, dry_run, erased, erased_here_only, collected });
            }
        }
    }
    Err(SyncError::Busy { attempts: ROUNDS }.into())
}

/// The commits that clones rely on and that the bucket has.
fn there(bucket: &BucketRemote) -> Result<Vec<CommitId>, AppError> {
    let kept = bucket.kept_commits()?;
    bucket.describe()?;
    let mut found = Vec::new();
    for group in kept.chunks(KEYS_AT_A_TIME) {
        let keys: Vec<ObjectKey> =
            group.iter().map(|id| ObjectKey::new(Kind::Commit, *id.as_bytes())).collect();
        let had = bucket.have(&keys)?;
        found.extend(group.iter().zip(had).filter_map(|(id, had)| had.then_some(*id)));
    }
    Ok(found)
}

/// Reads so much of what a remote has, in percent, and compares all hashes.
pub fn verify(
    repository: &Repository,
    name: Option<&str>,
    percent: f64,
    reach: &Reach,
    monitor: &dyn Monitor,
) -> Result<VerifyReport, AppError> {
    let opened = open_remote(repository, name, reach)?;
    let reading = Reading { percent, since: u64::MAX, nonce: new_token()? };
    let verified = read_back(repository, &opened.record.address, &reading, reach, monitor)?;
    Ok(VerifyReport { remote: opened.name, verified })
}

/// Reads what is at an address: packs and bundles where they lie open, and where a program keeps them, what it
/// hands out. Without the copies of index files that lie here: they would hide what is lost there.
pub(in crate::app) fn read_back(
    repository: &Repository,
    address: &Address,
    reading: &Reading,
    reach: &Reach,
    monitor: &dyn Monitor,
) -> Result<Verified, AppError> {
    match open_bucket(address, None, reach) {
        Ok(bucket) => Ok(bucket.expected().verify(Some(&repository.view()?), reading, monitor)?),
        Err(AppError::CaresForItself { .. }) => {
            let remote = open_address(address, None, reach)?;
            let description = remote.describe()?;
            insist_on_ours(repository, description.repository)?;
            let remote = &*remote;
            Ok(ReadBack { repository, remote, description: &description, monitor }.verify(reading)?)
        }
        Err(error) => Err(error),
    }
}

/// Verifies a remote and gives back what it lost, as far as this clone has it.
pub fn repair(
    repository: &Repository,
    name: Option<&str>,
    reach: &Reach,
    monitor: &dyn Monitor,
) -> Result<VerifyReport, AppError> {
    let opened = open_remote(repository, name, reach)?;
    let (remote, token) = (opened.name, new_token()?);
    // Without the copies of index files that lie here: they would hide what is lost there.
    let verified = match open_bucket(&opened.record.address, None, reach) {
        Ok(bucket) => bucket.expected().repair(repository, &remote, token, monitor)?,
        Err(AppError::CaresForItself { .. }) => {
            let description = opened.remote.describe()?;
            insist_on_ours(repository, description.repository)?;
            let (remote, description) = (&*opened.remote, &description);
            ReadBack { repository, remote, description, monitor }.repair(token)?
        }
        Err(error) => return Err(error),
    };
    Ok(VerifyReport { remote, verified })
}
