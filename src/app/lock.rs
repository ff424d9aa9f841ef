//! `lock`, `unlock`, `locks`: claims on assets that cannot be merged, kept in the shared log at its home.
//!
//! A lock is granted only to whoever has the newest version that is on any shared branch, and holds once
//! the log's home has it.

use crate::app::common::anew::{OpenSigning, write_anew};
use crate::app::common::evidence::RepositoryEvidence;
use crate::app::common::guard::{remember, trust, verified_log};
use crate::app::common::locks::{LockLine, lasts, lines, take_back, there};
use crate::app::common::read_only;
use crate::app::common::remotes::{OpenRemote, Reach, default_remote, open_remote};
use crate::app::error::AppError;
use crate::app::{fetch, push};
use crate::base::id::{AssetId, CommitId, PersonId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::{Clock, Timestamp};
use crate::object::log_entry::{LOCK_COMMITS_MAX, LockChanged, LockDeed, LogDeed, SignedEntry};
use crate::object::source::ObjectSource;
use crate::object::tree::Content;
use crate::object::tree_walk::{TreeWalk, entry_at};
use crate::repo::edit::JournalNote;
use crate::repo::history::common_ancestors;
use crate::repo::refs::RefKind;
use crate::repo::{RepoError, Repository, View};
use crate::sync::tracking::remote_records;
use crate::sync::walk::commits_between;
use crate::trust::chain::{Lock, VerifiedLog};
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};

/// Most assets that one command locks.
const ASSETS_MAX: usize = 1000;
/// How long a lock lasts when nobody says, in milliseconds: a week.
pub const LEASE_MS: i64 = 7 * 86_400_000;

/// Why nothing can be locked or unlocked.
#[derive(Debug, thiserror::Error)]
pub enum LockFailure {
    /// Locks live in the shared log, which begins with a policy.
    #[error("locks need a policy, and this repository has none")]
    NoPolicy,
    /// Something that is in no commit yet.
    #[error("{path} is in no commit yet")]
    NotCommitted { path: AssetPath },
    /// A commit that others' locks keep from being of use.
    #[error("{path} cannot be locked: {why}")]
    Held { path: AssetPath, why: String },
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
    pub force: bool,
}

/// What became of it.
#[derive(Debug, Clone, Default, Serialize)]
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

/// What is known when a change of a lock is decided.
struct Case<'a> {
    view: &'a View,
    log: &'a VerifiedLog,
    now: Timestamp,
    person: PersonId,
}

/// The change that is wanted of a lock, or why there is none.
type Decided = Result<Result<LockChanged, String>, AppError>;

/// Changes that were signed and are not kept yet.
struct Signed {
    entries: Vec<SignedEntry>,
    log: VerifiedLog,
    done: Vec<LockLine>,
    refused: Vec<RefusedLine>,
    person: PersonId,
}

impl Locking<'_> {
    /// Locks assets; a lock of one's own begins anew.
    pub fn lock(&self, options: &Options) -> Result<Report, AppError> {
        let mut shared = None;
        self.change(options, &mut |case, target| {
            let head = case.view.head()?.ok_or(RepoError::NoCommits)?;
            let held = held_by_another(case, target.asset);
            if let Some(held) = held.filter(|held| lasts(held, case.log.received_ms(), case.now)) {
                return Ok(Err(holds(held)));
            }
            if let Some(why) = newer_elsewhere(case.view, head, target)? {
                return Ok(Err(why));
            }
            let commits = match &shared {
                Some(commits) => Vec::clone(commits),
                None => shared.insert(shared_commits(case.view, head)?).clone(),
            };
            Ok(Ok(LockChanged {
                asset: target.asset,
                path: Some(target.path.clone()),
                deed: LockDeed::Grant,
                commits,
                until_ms: options.lease_ms.map(|lease| case.now.unix_ms.saturating_add(lease)),
                reason: options.reason.clone(),
            }))
        })
    }

    /// Gives locks back, or ends those of others.
    pub fn unlock(&self, options: &Options) -> Result<Report, AppError> {
        self.change(options, &mut |case, target| {
            if !case.log.locks().contains_key(&target.asset) {
                return Ok(Err("it is not locked".to_owned()));
            }
            let deed = match (held_by_another(case, target.asset), options.force) {
                (None, _) => LockDeed::Release,
                (Some(_), true) => LockDeed::Break,
                (Some(held), false) => return Ok(Err(holds(held))),
            };
            Ok(Ok(LockChanged::ended(target.asset, deed, options.reason.clone())))
        })
    }

    fn change(
        &self,
        options: &Options,
        decide: &mut dyn FnMut(&Case<'_>, &Target) -> Decided,
    ) -> Result<Report, AppError> {
        let (home, now) = self.at_home()?;
        let view = self.repository.view()?;
        let before = verified_log(self.repository, &view, now, self.monitor)?;
        if before.in_force().is_none() {
            return Err(LockFailure::NoPolicy.into());
        }
        let Signed { entries, log, done, refused, person } =
            self.sign(&view, &before, now, options, decide)?;
        let remote = home.as_ref().map(|home| home.name.clone());
        let mut report = Report { locks: done, refused, remote };
        if entries.is_empty() {
            return Ok(report);
        }
        let mut edit = self.repository.edit()?;
        for entry in &entries {
            edit.append_log(entry)?;
        }
        remember(&mut edit, &log)?;
        edit.put_lock_person(person)?;
        let summary = format!("changed {} locks", entries.len());
        edit.record(JournalNote { verb: "lock", summary, ..JournalNote::default() }, now)?;
        edit.commit()?;
        if let Some(home) = home {
            self.publish(&home, &before, &mut report)?;
        }
        read_only::follow(self.repository, self.monitor)?;
        Ok(report)
    }

    /// Decides about each asset and signs what becomes of it. May wait for a person to type or touch.
    fn sign(
        &self,
        view: &View,
        before: &VerifiedLog,
        now: Timestamp,
        options: &Options,
        decide: &mut dyn FnMut(&Case<'_>, &Target) -> Decided,
    ) -> Result<Signed, AppError> {
        let signing = (self.signing)()?;
        // A clock there that is far from ours is refused like any other.
        let trust = trust(self.repository, view, self.clock.now())?;
        let evidence = RepositoryEvidence::new(view, self.repository.id());
        let person = signing.person;
        let (entries, log) = (Vec::new(), before.clone());
        let mut signed = Signed { entries, log, done: Vec::new(), refused: Vec::new(), person };
        for target in targets(view, before, &options.paths)? {
            let case = Case { view, log: &signed.log, now, person: signing.person };
            let outcome = match decide(&case, &target)? {
                Err(why) => Err(why),
                Ok(changed) => {
                    let entry = signing.writer().entry(&signed.log, LogDeed::Lock(changed), now.unix_ms)?;
                    let after = signed.log.clone().extended(&entry, &trust, &evidence);
                    after.map(|after| (entry, after)).map_err(|error| error.to_string())
                }
            };
            match outcome {
                Err(why) => signed.refused.push(RefusedLine { path: target.path, why }),
                Ok((entry, after)) => {
                    let ended = !after.locks().contains_key(&target.asset);
                    let shown = if ended { &signed.log } else { &after };
                    let all = lines(shown, Some(signing.person), now).into_iter();
                    signed.done.extend(all.filter(|line| line.asset == target.asset));
                    signed.entries.push(entry);
                    signed.log = after;
                }
            }
        }
        Ok(signed)
    }

    /// Brings the log up to its home's, and says what time it is there.
    fn at_home(&self) -> Result<(Option<OpenRemote>, Timestamp), AppError> {
        let view = self.repository.view()?;
        let now = self.clock.now();
        if remote_records(&view)?.is_empty() {
            return Ok((None, now));
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
        let now = there(&*opened.remote, now);
        Ok((Some(opened), now))
    }

    /// Gives the log to its home. What others were quicker with is refused; what did not get there is
    /// taken back.
    fn publish(&self, home: &OpenRemote, before: &VerifiedLog, report: &mut Report) -> Result<(), AppError> {
        let options =
            push::Options { remote: Some(home.name.clone()), only_logs: true, ..push::Options::default() };
        let pushed = push::run(
            self.repository,
            &options,
            self.signing,
            self.reach,
            &mut |_| {},
            self.clock,
            self.monitor,
        );
        let pushed = match pushed {
            Ok(pushed) => pushed,
            Err(error) => {
                take_back(self.repository, before, self.clock.now(), self.monitor)?;
                return Err(error);
            }
        };
        if pushed.anew.given_up.is_empty() {
            return Ok(());
        }
        let log = verified_log(self.repository, &self.repository.view()?, self.clock.now(), self.monitor)?;
        report.locks.retain(|line| {
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

fn held_by_another<'a>(case: &Case<'a>, asset: AssetId) -> Option<&'a Lock> {
    case.log.locks().get(&asset).filter(|held| held.person != case.person)
}

fn holds(held: &Lock) -> String {
    let until = held.until_ms.map(|until| format!(" until {}", Timestamp::utc(until).rfc3339()));
    let reason = if held.reason.is_empty() { String::new() } else { format!(" ({})", held.reason) };
    format!("{} holds its lock{reason}{}", held.holder, until.unwrap_or_default())
}

/// The newest commits of shared branches that a commit has in its history; itself where nothing is shared.
fn shared_commits(view: &View, head: CommitId) -> Result<Vec<CommitId>, AppError> {
    let all = view.references()?.into_iter();
    let tips: Vec<CommitId> =
        all.filter(|(name, _)| name.kind() == RefKind::Remote).map(|(_, target)| target.commit).collect();
    let (own, _) = commits_between(view, &[head], &tips)?;
    let own_set: HashSet<CommitId> = own.iter().copied().collect();
    let mut shared = BTreeSet::new();
    for id in &own {
        shared.extend(view.commit(*id)?.parents.into_iter().filter(|parent| !own_set.contains(parent)));
    }
    if shared.is_empty() {
        shared.insert(head);
    }
    let mut dated = Vec::new();
    for id in shared {
        dated.push((std::cmp::Reverse(view.commit(id)?.committer.time), id));
    }
    dated.sort_unstable();
    dated.truncate(LOCK_COMMITS_MAX);
    let mut newest: Vec<CommitId> = dated.into_iter().map(|(_, id)| id).collect();
    newest.sort_unstable();
    Ok(newest)
}

/// The assets at some paths, folders opened.
fn targets(view: &View, log: &VerifiedLog, paths: &[AssetPath]) -> Result<Vec<Target>, AppError> {
    let head = view.head()?.ok_or(RepoError::NoCommits)?;
    let tree = view.commit(head)?.tree;
    let mut found: Vec<Target> = Vec::new();
    for path in paths {
        let locked = || log.locks().iter().find(|(_, lock)| lock.path.as_ref() == Some(path));
        let entry = entry_at(view, tree, path).map_err(RepoError::from)?;
        // The topmost folder has no entry anywhere.
        let top = path.is_root().then_some((None, Content::Directory { id: tree }));
        match entry.map(|entry| (entry.asset, entry.content)).or(top) {
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
    let mut seen = HashSet::new();
    found.retain(|target| seen.insert(target.asset));
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
            let name = name.name();
            return Ok(Some(format!("{name} has a newer version: pent pull, or merge it, first")));
        }
    }
    Ok(None)
}
