//! `backup` and `mirror`: a second copy of everything at another place, which is read back, and from which
//! `clone` makes a repository with nothing else. Only what is new is sent, and what somebody else put there
//! stays.

mod names;

pub use names::{Kept, WhyKept};

use crate::app::common::guard::verified_log;
use crate::app::common::logs_out::{Compared, Comparing};
use crate::app::common::remotes::{
    Reach, default_remote, insist_on_ours, new_token, open_address, open_bucket, open_remote, remote_dir,
};
use crate::app::common::rules::Rules;
use crate::app::error::AppError;
use crate::app::remote_care::read_back;
use crate::app::{fetch, remote};
use crate::base::id::CommitId;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::repo::refs::{RefKind, RefName, RefTarget};
use crate::repo::{Repository, View};
use crate::sync::SyncError;
use crate::sync::address::Address;
use crate::sync::bucket::{Reading, Verified};
use crate::sync::fetch::RefusedName;
use crate::sync::push::{Moved, Push};
use crate::sync::remote::{Description, Remote as _};
use crate::sync::tracking::remote_record;
use crate::trust::chain::VerifiedLog;
use names::{Left, Moves, Wanted};
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
    /// Branches, drafts and tags in it as they are here.
    pub names: u64,
    /// Those that stay there as they were, since something would be lost.
    pub kept: Vec<Kept>,
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
    /// Those that stay there as they were, since something would be lost.
    pub kept: Vec<Kept>,
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
    let goes = |name: &RefName| options.exact && !names.contains_key(name);
    let copying = Copying {
        repository,
        address: &options.address,
        names: &names,
        goes: &goes,
        removes_others: true,
        before: Vec::new(),
        up_to: None,
    };
    let copied = copying.run(options.percent, reach, clock, monitor)?;
    let Copied { begun, names, kept, moved, verified, .. } = copied;
    Ok(BackupReport { address: options.address.clone(), begun, names, kept, moved, verified })
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
    let seen_before = tracked(&repository.view()?, options.from.as_deref())?;
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
    // A remote that was put back or begun anew says nothing about what went.
    let goes = |name: &RefName| !was_put_back && !description.refs.contains_key(name) && !stay.contains(name);
    let copying = Copying {
        repository,
        address: &options.address,
        names: &names,
        goes: &goes,
        removes_others: false,
        before: seen_before,
        up_to,
    };
    let copied = copying.run(options.percent, reach, clock, monitor)?;
    Ok(MirrorReport {
        remote: opened.name,
        address: options.address.clone(),
        begun: copied.begun,
        names: copied.names,
        removed: copied.removed,
        kept: copied.kept,
        refused,
        problem: fetched.fetched.logs.problem,
        moved: copied.moved,
        verified: copied.verified,
    })
}

/// Where the branches of the remote that is meant were when it was looked at last: at a mirror they stand there
/// because of this remote.
fn tracked(view: &View, from: Option<&str>) -> Result<Vec<(RefName, CommitId)>, AppError> {
    let from = match from {
        Some(from) => from.to_owned(),
        None => default_remote(view)?,
    };
    let mut tracked = Vec::new();
    for (name, target) in view.references()? {
        if let Some((remote, branch)) = name.remote_parts()
            && remote == from
        {
            tracked.push((RefName::branch(branch)?, target.commit));
        }
    }
    Ok(tracked)
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
    /// Whether a name that is there only is to go.
    goes: &'a dyn Fn(&RefName) -> bool,
    /// Whether names go that this clone did not put there, as long as it knows what they lead to.
    removes_others: bool,
    /// Where names may have stood before without that being anybody else's work.
    before: Vec<(RefName, CommitId)>,
    /// The newest entry of the shared log that goes along: all when `None`.
    up_to: Option<u64>,
}

/// What was copied.
struct Copied {
    begun: bool,
    names: u64,
    removed: u64,
    kept: Vec<Kept>,
    moved: Moved,
    verified: Verified,
}

impl Copying<'_> {
    /// Copies, removes the names there that are to go, and reads back so much, in percent, of what was there
    /// before.
    fn run(
        &self,
        percent: f64,
        reach: &Reach,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<Copied, AppError> {
        let (repository, address) = (self.repository, self.address);
        let place = blake3::hash(address.to_string().as_bytes()).to_hex();
        let notes = remote_dir(repository.pent_dir(), "backup").join(&place[..16]);
        let mut left = Left::read(&notes);
        if left.is_known() && matches!(address, Address::Folder { .. }) {
            // It was there before: an unmounted disk is no reason to fill the one below it.
            open_bucket(address, None, reach)?.expected().describe()?;
        }
        let begun = remote::connect(repository, address, reach)?;
        let there = open_address(address, Some(notes.join("indexes")), reach)?;
        let description = there.describe()?;
        insist_on_ours(repository, description.repository)?;
        let since = description.mark;
        let (remote, up_to) = (&*there, self.up_to);
        let comparing = Comparing { repository, remote, description: &description, name: None, up_to };
        let Compared::Ready(logs) = comparing.run(&Rules::of(repository, clock.now()), monitor)? else {
            let problem = "the copy has more of the shared log than this clone: fetch first".to_owned();
            return Err(SyncError::LogRefused(problem).into());
        };
        let moves = self.moves(&description, &left, clock, monitor)?;
        let push = Push {
            repository,
            remote,
            known: Vec::new(),
            changes: moves.changes,
            also: logs.commits,
            logs: logs.changes,
            log_objects: logs.objects,
            notes,
            token: new_token()?,
        };
        left.announce(&push.changes)?;
        let moved = if push.is_empty() { Moved::default() } else { push.run(description, monitor)?.0 };
        left.settle(self.names, &moves.kept)?;
        let reading = Reading { percent, since, nonce: new_token()? };
        let verified = read_back(repository, address, &reading, reach, monitor)?;
        let stays = |kept: &&Kept| self.names.keys().any(|name| name.as_str() == kept.name);
        let names = (self.names.len() - moves.kept.iter().filter(stays).count()) as u64;
        Ok(Copied { begun, names, removed: moves.removed, kept: moves.kept, moved, verified })
    }

    /// The names that have to move there, how many of them go, and those that stay.
    fn moves(
        &self,
        description: &Description,
        left: &Left,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<Moves, AppError> {
        let view = self.repository.view()?;
        let recorded = match view.log_head()? {
            Some(_) => verified_log(self.repository, &view, clock.now(), monitor)?.references().clone(),
            None => BTreeMap::new(),
        };
        let wanted = Wanted {
            names: self.names,
            goes: self.goes,
            removes_others: self.removes_others,
            before: &self.before,
            recorded,
        };
        wanted.moves(&view, description, left)
    }
}
