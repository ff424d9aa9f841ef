//! `backup` and `mirror`: a second copy of everything at another place, which is read back, and from which
//! `clone` makes a repository with nothing else. Only what is new is sent.

use crate::app::common::logs_out::{Compared, Comparing};
use crate::app::common::remotes::{Reach, insist_on_ours, new_token, open_address, open_remote, remote_dir};
use crate::app::common::rules::Rules;
use crate::app::error::AppError;
use crate::app::remote_care::read_back;
use crate::app::{fetch, remote};
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::repo::refs::{RefKind, RefName, RefTarget};
use crate::repo::{Repository, View};
use crate::sync::SyncError;
use crate::sync::address::Address;
use crate::sync::bucket::{Reading, Verified};
use crate::sync::fetch::RefusedName;
use crate::sync::push::{Moved, Push};
use crate::sync::remote::{Description, RefChange};
use crate::sync::tracking::remote_record;
use crate::trust::chain::VerifiedLog;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How to back up.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// Where to.
    pub address: Address,
    /// Remove names there that are gone here, so that the copy has exactly what is here.
    pub exact: bool,
    /// How much of what was there before is read back, in percent; what is new is in any case.
    pub percent: f64,
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

/// How to mirror.
#[derive(Debug, Clone)]
pub struct MirrorOptions {
    /// The remote that is mirrored; the one that is meant when `None`.
    pub from: Option<String>,
    /// Where to.
    pub address: Address,
    /// How much of what was there before is read back, in percent; what is new is in any case.
    pub percent: f64,
}

/// What a mirror moved, and that it is sound.
#[derive(Debug, Clone, Serialize)]
pub struct MirrorReport {
    /// The remote that was mirrored.
    pub remote: String,
    /// Where the mirror is.
    pub address: Address,
    /// Whether it was begun now.
    pub begun: bool,
    /// Branches, drafts and tags that it has as the remote does.
    pub names: u64,
    /// Those that went, since the remote does not have them any more.
    pub removed: u64,
    /// Those that stayed as they were, since the rules do not allow what the remote says of them, and why.
    pub refused: Vec<RefusedName>,
    /// Why the remote's shared log was not taken over, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What was moved.
    pub moved: Moved,
    /// What reading it back found.
    pub verified: Verified,
}

/// Brings a second copy of everything here up to date and reads it back.
pub fn backup(
    repository: &Repository,
    options: &BackupOptions,
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<BackupReport, AppError> {
    if repository.view()?.is_partial()? {
        return Err(AppError::Partial { verb: "a backup" });
    }
    let all = repository.view()?.references()?.into_iter();
    let names: BTreeMap<RefName, RefTarget> =
        all.filter(|(name, _)| name.kind() != RefKind::Remote).collect();
    let copying = Copying { repository, address: &options.address, names: &names, up_to: None };
    let goes = |name: &RefName| options.exact && !names.contains_key(name);
    let copied = copying.run(&goes, options.percent, reach, clock, monitor)?;
    let (address, names) = (options.address.clone(), names.len() as u64);
    let Copied { begun, moved, verified, .. } = copied;
    Ok(BackupReport { address, begun, names, moved, verified })
}

/// Makes another place have what a remote has, names that went included, and reads it back. What the rules do
/// not allow the remote is not copied: the mirror keeps what it had.
pub fn mirror(
    repository: &Repository,
    options: &MirrorOptions,
    reach: &Reach,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<MirrorReport, AppError> {
    if repository.view()?.is_partial()? {
        return Err(AppError::Partial { verb: "a mirror" });
    }
    let fetched = fetch::run(repository, options.from.as_deref(), reach, clock, monitor)?;
    let opened = open_remote(repository, Some(&fetched.remote), reach)?;
    if opened.record.address == options.address {
        return Err(AppError::MirrorOfItself { name: opened.name });
    }
    let description = opened.remote.describe()?;
    let view = repository.view()?;
    let was_put_back =
        remote_record(&view, &opened.name)?.is_some_and(|record| record.was_put_back(&description));
    let refused = fetched.fetched.refused;
    let stay: BTreeSet<&RefName> = refused.iter().map(|refused| &refused.name).collect();
    let mut names = as_fetched(&view, &opened.name, &description)?;
    names.retain(|name, _| !stay.contains(name));
    let up_to = confirmed(&view)?;
    let copying = Copying { repository, address: &options.address, names: &names, up_to };
    // A remote that was put back or begun anew says nothing about what went.
    let goes = |name: &RefName| !was_put_back && !description.refs.contains_key(name) && !stay.contains(name);
    let copied = copying.run(&goes, options.percent, reach, clock, monitor)?;
    Ok(MirrorReport {
        remote: opened.name,
        address: options.address.clone(),
        begun: copied.begun,
        names: names.len() as u64,
        removed: copied.removed,
        refused,
        problem: fetched.fetched.logs.problem,
        moved: copied.moved,
        verified: copied.verified,
    })
}

/// The names of a remote as they were seen last: that which came with all that it reaches, and was judged.
fn as_fetched(
    view: &View,
    remote: &str,
    description: &Description,
) -> Result<BTreeMap<RefName, RefTarget>, AppError> {
    let mut names = BTreeMap::new();
    for (name, target) in &description.refs {
        let here = match name.kind() {
            RefKind::Branch => view.reference(&RefName::remote(remote, name)?)?,
            RefKind::Tag => view.reference(name)?.filter(|here| here.commit == target.commit),
            RefKind::Remote => None,
        };
        names.extend(here.map(|here| (name.clone(), here)));
    }
    Ok(names)
}

/// The newest entry of the shared log that its home has; `None` where it is at home here.
fn confirmed(view: &View) -> Result<Option<u64>, AppError> {
    if view.home_remote()?.is_none() {
        return Ok(None);
    }
    let log = view.confirmed_log()?.map(|bytes| VerifiedLog::restore(&bytes)).transpose()?.flatten();
    Ok(Some(log.and_then(|log| log.head()).map_or(0, |head| head.sequence)))
}

/// A copy of names, of all that they reach, and of the logs.
struct Copying<'a> {
    repository: &'a Repository,
    address: &'a Address,
    names: &'a BTreeMap<RefName, RefTarget>,
    /// The newest entry of the shared log that goes along: all when `None`.
    up_to: Option<u64>,
}

/// What was copied.
struct Copied {
    begun: bool,
    removed: u64,
    moved: Moved,
    verified: Verified,
}

impl Copying<'_> {
    /// Copies, removes the names there that `goes` says, and reads back so much, in percent, of what was there
    /// before.
    fn run(
        &self,
        goes: &dyn Fn(&RefName) -> bool,
        percent: f64,
        reach: &Reach,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<Copied, AppError> {
        let (repository, address) = (self.repository, self.address);
        let begun = remote::connect(repository, address, reach)?;
        let there = open_address(address, None, reach)?;
        let description = there.describe()?;
        insist_on_ours(repository, description.repository)?;
        let (changes, removed) = self.changes(&description, goes);
        let since = description.mark;
        let (remote, up_to) = (&*there, self.up_to);
        let comparing = Comparing { repository, remote, description: &description, name: None, up_to };
        let Compared::Ready(logs) = comparing.run(&Rules::of(repository, clock.now()), monitor)? else {
            let problem = "the copy has more of the shared log than this clone: fetch first".to_owned();
            return Err(SyncError::LogRefused(problem).into());
        };
        let place = blake3::hash(address.to_string().as_bytes()).to_hex();
        let push = Push {
            repository,
            remote,
            known: Vec::new(),
            changes,
            also: logs.commits,
            logs: logs.changes,
            log_objects: logs.objects,
            notes: remote_dir(repository.pent_dir(), "backup").join(&place[..16]),
            token: new_token()?,
        };
        let moved = if push.is_empty() { Moved::default() } else { push.run(description, monitor)?.0 };
        let reading = Reading { percent, since, nonce: new_token()? };
        let verified = read_back(repository, address, &reading, reach, monitor)?;
        Ok(Copied { begun, removed, moved, verified })
    }

    /// The names that have to move there, and how many of them go.
    fn changes(&self, description: &Description, goes: &dyn Fn(&RefName) -> bool) -> (Vec<RefChange>, u64) {
        let mut changes = Vec::new();
        for (name, target) in self.names {
            let there = description.refs.get(name);
            if there != Some(target) {
                let expected = there.map(|target| target.commit);
                changes.push(RefChange { name: name.clone(), expected, target: Some(target.clone()) });
            }
        }
        let before = changes.len();
        let gone = description.refs.iter().filter(|(name, _)| goes(name));
        changes.extend(gone.map(|(name, target)| RefChange {
            name: name.clone(),
            expected: Some(target.commit),
            target: None,
        }));
        let removed = (changes.len() - before) as u64;
        (changes, removed)
    }
}
