//! `lock`, `unlock`, `locks`: claims on assets that cannot be merged, kept in the shared log at its home.
//!
//! A lock is granted only to whoever has the newest version that is on any shared branch, and holds once
//! the log's home has it.

use crate::app::common::anew::{OpenSigning, write_anew};
use crate::app::common::evidence::RepositoryEvidence;
use crate::app::common::guard::{remember, trust, verified_log};
use crate::app::common::locks::{LockLine, lasts, lines};
use crate::app::common::remotes::{OpenRemote, Reach, default_remote, open_remote};
use crate::app::error::AppError;
use crate::app::{fetch, push};
use crate::base::id::{AssetId, CommitId, PersonId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::{Clock, Timestamp};
use crate::object::log_entry::{LockChanged, LockDeed, LogDeed};
use crate::object::source::ObjectSource;
use crate::object::tree::Content;
use crate::object::tree_walk::{TreeWalk, entry_at};
use crate::repo::edit::JournalNote;
use crate::repo::history::common_ancestors;
use crate::repo::refs::{RefKind, RefName};
use crate::repo::{RepoError, Repository, View};
use crate::sync::tracking::remote_records;
use crate::trust::chain::VerifiedLog;
use serde::Serialize;

/// Most assets that one command locks.
const ASSETS_MAX: usize = 1000;

/// Why nothing can be locked or unlocked.
#[derive(Debug, thiserror::Error)]
pub enum LockFailure {
    /// Locks live in the shared log, which begins with a policy.
    #[error("locks need a policy, and this repository has none")]
    NoPolicy,
    /// Something that is in no commit yet.
    #[error("{path} is in no commit yet")]
    NotCommitted { path: AssetPath },
    /// More assets than one command locks.
    #[error("{path} holds more than {ASSETS_MAX} assets")]
    TooMany { path: AssetPath },
}

/// What to lock or unlock.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Assets, or folders with all that is in them.
    pub paths: Vec<AssetPath>,
    /// Why, in words.
    pub reason: String,
    /// How long a lock lasts, in milliseconds; until it is given back when `None`.
    pub lease_ms: Option<i64>,
    /// End locks that others hold.
    pub break_others: bool,
}

/// What became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Locks that were granted, or that ended.
    pub locks: Vec<LockLine>,
    /// Assets of which nothing became, and why.
    pub refused: Vec<RefusedLine>,
    /// The remote that has it; `None` where there is no remote.
    pub remote: Option<String>,
}

/// An asset of which nothing became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedLine {
    /// Where it stands.
    pub path: AssetPath,
    /// Why, as a sentence without its full stop.
    pub why: String,
}

/// All locks.
#[derive(Debug, Clone, Serialize)]
pub struct ListReport {
    /// By path.
    pub locks: Vec<LockLine>,
}

/// Lists the locks that were not given back, as far as the log was fetched.
pub fn list(
    repository: &Repository,
    person: Option<PersonId>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<ListReport, AppError> {
    let log = verified_log(repository, &repository.view()?, clock.now(), monitor)?;
    Ok(ListReport { locks: lines(&log, person, clock.now()) })
}

/// Whoever locks, and how the outside is reached.
pub struct Locking<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// Makes the person's key ready.
    pub signing: &'a OpenSigning<'a>,
    /// How remotes are reached.
    pub reach: &'a Reach,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// Who is told.
    pub monitor: &'a dyn Monitor,
}

struct Target {
    path: AssetPath,
    asset: AssetId,
}

impl Locking<'_> {
    /// Locks assets.
    pub fn lock(&self, options: &Options) -> Result<Report, AppError> {
        self.change(options, |view, log, target, now, person| {
            let head = view.head()?.ok_or(RepoError::NoCommits)?;
            let held = log.locks().get(&target.asset).filter(|lock| lasts(lock, log, now));
            if let Some(held) = held.filter(|held| held.person != person) {
                return Ok(Err(format!("{} holds its lock", held.holder)));
            }
            if let Some(why) = newer_elsewhere(view, head, target)? {
                return Ok(Err(why));
            }
            Ok(Ok(LockChanged {
                asset: target.asset,
                path: Some(target.path.clone()),
                deed: LockDeed::Grant,
                commit: Some(head),
                until_ms: options.lease_ms.map(|lease| now.unix_ms.saturating_add(lease)),
                reason: options.reason.clone(),
            }))
        })
    }

    /// Gives locks back, or ends those of others.
    pub fn unlock(&self, options: &Options) -> Result<Report, AppError> {
        self.change(options, |_, log, target, _, person| {
            let Some(held) = log.locks().get(&target.asset) else {
                return Ok(Err("it is not locked".to_owned()));
            };
            let deed = match (held.person == person, options.break_others) {
                (true, _) => LockDeed::Release,
                (false, true) => LockDeed::Break,
                (false, false) => return Ok(Err(format!("{} holds its lock", held.holder))),
            };
            let reason = options.reason.clone();
            Ok(Ok(LockChanged {
                asset: target.asset,
                path: None,
                deed,
                commit: None,
                until_ms: None,
                reason,
            }))
        })
    }

    fn change(
        &self,
        options: &Options,
        deed: impl Fn(
            &View,
            &VerifiedLog,
            &Target,
            Timestamp,
            PersonId,
        ) -> Result<Result<LockChanged, String>, AppError>,
    ) -> Result<Report, AppError> {
        let (home, now) = self.at_home()?;
        let view = self.repository.view()?;
        let mut log = verified_log(self.repository, &view, now, self.monitor)?;
        if log.in_force().is_none() {
            return Err(LockFailure::NoPolicy.into());
        }
        let signing = (self.signing)()?;
        let before = log.head().map_or(0, |head| head.sequence);
        let mut report = Report {
            locks: Vec::new(),
            refused: Vec::new(),
            remote: home.as_ref().map(|home| home.name.clone()),
        };
        let mut done = Vec::new();
        let mut edit = self.repository.edit()?;
        for target in targets(&view, &log, &options.paths)? {
            let outcome = deed(&view, &log, &target, now, signing.person)?.and_then(|changed| {
                let entry = signing.writer().entry(&log, LogDeed::Lock(changed), now.unix_ms);
                entry.map_err(|error| error.to_string())
            });
            // A clock there that is far from ours is refused like any other.
            let trust = trust(self.repository, &view, self.clock.now())?;
            let evidence = RepositoryEvidence::new(&view, self.repository.id());
            let extended = outcome.and_then(|entry| {
                let after = log.clone().extended(&entry, &trust, &evidence);
                after.map(|after| (entry, after)).map_err(|error| error.to_string())
            });
            match extended {
                Err(why) => report.refused.push(RefusedLine { path: target.path, why }),
                Ok((entry, after)) => {
                    let is_release = after.locks().get(&target.asset).is_none();
                    let shown = if is_release { &log } else { &after };
                    let all = lines(shown, Some(signing.person), now);
                    done.extend(all.into_iter().filter(|line| line.asset == target.asset));
                    edit.append_log(&entry)?;
                    log = after;
                }
            }
        }
        remember(&mut edit, &log)?;
        let summary = format!("{} locks changed", done.len());
        edit.record(JournalNote { verb: "lock", summary, ..JournalNote::default() }, now)?;
        edit.commit()?;
        if let Some(home) = home.filter(|_| !done.is_empty()) {
            self.publish(&home, before, &mut done, &mut report)?;
        }
        report.locks = done;
        Ok(report)
    }

    /// Brings the log up to its home's, and says what time it is there.
    fn at_home(&self) -> Result<(Option<OpenRemote>, Timestamp), AppError> {
        let view = self.repository.view()?;
        if remote_records(&view)?.is_empty() {
            return Ok((None, self.clock.now()));
        }
        let name = match view.home_remote()? {
            Some(home) => home,
            None => default_remote(&view)?,
        };
        let report = fetch::run(self.repository, Some(&name), self.reach, self.clock, self.monitor)?;
        if let Some(problem) = report.fetched.logs.problem {
            return Err(crate::sync::SyncError::LogRefused(problem).into());
        }
        write_anew(self.repository, self.signing, self.clock, self.monitor)?;
        let opened = open_remote(self.repository, Some(&name), self.reach)?;
        let now = self.clock.now();
        let there = opened.remote.clock_ms()?;
        Ok((Some(opened), Timestamp { unix_ms: there.unwrap_or(now.unix_ms), ..now }))
    }

    /// Gives the log to its home. What others were quicker with is refused; what did not get there is
    /// taken back.
    fn publish(
        &self,
        home: &OpenRemote,
        before: u64,
        done: &mut Vec<LockLine>,
        report: &mut Report,
    ) -> Result<(), AppError> {
        let options =
            push::Options { remote: Some(home.name.clone()), only_logs: true, ..push::Options::default() };
        let pushed = push::run(self.repository, &options, self.signing, self.reach, self.clock, self.monitor);
        let pushed = match pushed {
            Ok(pushed) => pushed,
            Err(error) => {
                let mut edit = self.repository.edit()?;
                edit.take_back_log(before)?;
                edit.commit()?;
                return Err(error);
            }
        };
        if pushed.anew.given_up.is_empty() {
            return Ok(());
        }
        let log = verified_log(self.repository, &self.repository.view()?, self.clock.now(), self.monitor)?;
        done.retain(|line| {
            let held = log.locks().get(&line.asset);
            let stands = held.is_some_and(|held| held.holder == line.holder);
            if !stands {
                let why = held.map_or_else(
                    || "others were quicker".to_owned(),
                    |held| format!("{} was quicker and holds its lock", held.holder),
                );
                report.refused.push(RefusedLine { path: line.path.clone(), why });
            }
            stands
        });
        Ok(())
    }
}

/// The assets at some paths, folders opened.
fn targets(view: &View, log: &VerifiedLog, paths: &[AssetPath]) -> Result<Vec<Target>, AppError> {
    let head = view.head()?.ok_or(RepoError::NoCommits)?;
    let tree = view.commit(head)?.tree;
    let mut found = Vec::new();
    for path in paths {
        let locked = || log.locks().iter().find(|(_, lock)| lock.path.as_ref() == Some(path));
        let entry = entry_at(view, tree, path).map_err(RepoError::from)?;
        match entry.map(|entry| (entry.asset, entry.content)) {
            Some((Some(asset), _)) => found.push(Target { path: path.clone(), asset }),
            Some((None, Content::Directory { id })) => {
                for item in TreeWalk::new(view, id, path.clone()) {
                    let (below, entry) = item.map_err(RepoError::from)?;
                    if let Some(asset) = entry.asset {
                        found.push(Target { path: below, asset });
                    }
                    if found.len() > ASSETS_MAX {
                        return Err(LockFailure::TooMany { path: path.clone() }.into());
                    }
                }
            }
            _ => match locked() {
                Some((asset, _)) => found.push(Target { path: path.clone(), asset: *asset }),
                None => return Err(LockFailure::NotCommitted { path: path.clone() }.into()),
            },
        }
    }
    Ok(found)
}

/// Which shared branch has a newer version of an asset than a commit; `None` when none has.
fn newer_elsewhere(view: &View, ours: CommitId, target: &Target) -> Result<Option<String>, AppError> {
    let content = |commit: CommitId| -> Result<_, AppError> {
        let entry = entry_at(view, view.commit(commit)?.tree, &target.path).map_err(RepoError::from)?;
        Ok(entry.filter(|entry| entry.asset == Some(target.asset)).map(|entry| entry.content))
    };
    let here = content(ours)?;
    let shared = view.references()?.into_iter().filter(|(name, _)| name.kind() == RefKind::Remote);
    for (name, at) in shared {
        let there = content(at.commit)?;
        if there == here || there.is_none() {
            continue;
        }
        let base = common_ancestors(view, ours, at.commit)?;
        let known = match base.first() {
            Some(base) => content(*base)?,
            None => None,
        };
        if there != known {
            return Ok(Some(format!("{} has a newer version: pent pull, or merge it, first", shown(&name))));
        }
    }
    Ok(None)
}

fn shown(name: &RefName) -> String {
    name.name().to_owned()
}
