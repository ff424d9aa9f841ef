//! Files that one person at a time should change are read-only in the worktree until somebody locks them
//! here, so that nobody begins by accident what could not be merged.
//!
//! Which files these are the policy says (`access.lockable`), and the repository's own `lock.patterns`.
//! Where nothing can be locked because there is no policy, and under `lock.auto`, none are.

use crate::app::common::locks::LockNotes;
use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::base::id::{AssetId, PersonId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::import::git::settings::patterns_of;
use crate::object::tree_walk::entry_at;
use crate::repo::config::{Scope, SettingsFile, find_key};
use crate::repo::{RepoError, Repository, View};
use crate::rules::lockable::Lockable;
use crate::worktree::clock::FsClock;
use crate::worktree::index::{Folder, Fresh, Index, Record};
use crate::worktree::writable::{Made, set_writable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The settings that are read.
pub const PATTERNS_KEY: &str = "lock.patterns";
pub const AUTO_KEY: &str = "lock.auto";

/// What the files' modes follow from. Remembered as it was applied last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Ground {
    /// Patterns of the policy.
    policy: Vec<String>,
    /// Patterns of this repository's settings.
    own: Vec<String>,
    /// Assets that whoever works here has locked, and where they stood.
    mine: BTreeMap<AssetId, AssetPath>,
}

impl Ground {
    /// As it is now.
    fn of(repository: &Repository, view: &View) -> Result<Self, AppError> {
        if view.log_head()?.is_none() {
            return Ok(Self::default());
        }
        let notes = LockNotes::read(view)?;
        let mine = match view.lock_person()? {
            Some(person) => held_by(&notes, person),
            None => BTreeMap::new(),
        };
        let (own, auto) = own_settings(repository)?;
        Ok(if auto { Self::default() } else { Self { policy: notes.lockable, own, mine } })
    }

    fn lockable(&self) -> Lockable {
        Lockable::new(&self.policy, &self.own)
    }
}

fn held_by(notes: &LockNotes, person: PersonId) -> BTreeMap<AssetId, AssetPath> {
    let mine = notes.locks.iter().filter(|(_, lock)| lock.person == person);
    mine.map(|(asset, lock)| (*asset, lock.path.clone().unwrap_or_default())).collect()
}

/// The patterns that this repository's settings have, and whether locks are taken by commits.
fn own_settings(repository: &Repository) -> Result<(Vec<String>, bool), AppError> {
    let file = SettingsFile::read(&repository.pent_dir().join("config.toml"), Scope::Repository)?;
    let get = |name| find_key(name).map_or(Ok(None), |key| file.get(key));
    let patterns = get(PATTERNS_KEY)?.map(|line| patterns_of(&line)).unwrap_or_default();
    Ok((patterns, get(AUTO_KEY)?.is_some_and(|text| text == "true")))
}

/// Which files should be locked before they are changed, whether locks are taken by commits or not.
pub fn lockable(repository: &Repository, view: &View) -> Result<Lockable, AppError> {
    if view.log_head()?.is_none() {
        return Ok(Lockable::new(&[], &[]));
    }
    Ok(Lockable::new(&LockNotes::read(view)?.lockable, &own_settings(repository)?.0))
}

/// Makes files read-only that were just written or committed and that nobody has locked here. Says of each
/// what its file system says of it now.
pub fn hold_back(session: &Session<'_>, fresh: &mut [Fresh]) -> Result<(), AppError> {
    let view = session.repository.view()?;
    let ground = Ground::of(session.repository, &view)?;
    let lockable = ground.lockable();
    if lockable.is_empty() {
        return Ok(());
    }
    let tree = view.ground(&view.state()?)?;
    let mut made = Vec::new();
    for seen in fresh.iter_mut().filter(|seen| lockable.covers(&seen.path)) {
        let entry = entry_at(&view, tree, &seen.path).map_err(RepoError::from)?;
        let is_mine = entry.and_then(|entry| entry.asset).is_some_and(|id| ground.mine.contains_key(&id));
        // Whoever does not own a file cannot be kept from it by its mode.
        if let Ok(Some(Made { before, after })) = set_writable(&session.worktree, &seen.path, is_mine) {
            // Of a file that changed meanwhile nothing is known.
            seen.settled &= before == seen.stat;
            seen.stat = after;
            made.push(seen);
        }
    }
    settle(session, &mut made);
    if view.lock_ground()?.is_none() {
        // From here on it can be told what another rule would change.
        keep(session.repository, &ground)?;
    }
    Ok(())
}

fn keep(repository: &Repository, ground: &Ground) -> Result<(), AppError> {
    let bytes =
        serde_json::to_vec(ground).map_err(|source| RepoError::Record { what: "locks here", source })?;
    let mut edit = repository.edit()?;
    edit.put_lock_ground(&bytes)?;
    Ok(edit.commit()?)
}

/// Finds out which files can still be told from changed ones by their times, now that these are new.
fn settle(session: &Session<'_>, made: &mut [&mut Fresh]) {
    let latest = made.iter().map(|fresh| fresh.stat).max_by_key(|stat| stat.ctime_ns);
    let Some(latest) = latest else { return };
    let clock = FsClock::new(&session.state_dir());
    clock.settle(&latest);
    for fresh in made {
        fresh.settled &= fresh.stat.is_settled(clock.latest());
    }
}

/// Makes files writable that were locked here, and read-only what was given back or lost; everywhere, when
/// it was said anew which files that concerns.
pub fn follow(repository: &Repository, monitor: &dyn Monitor) -> Result<(), AppError> {
    let view = repository.view()?;
    let now = Ground::of(repository, &view)?;
    let before = applied(&view)?;
    if now == before {
        return Ok(());
    }
    drop(view);
    let mut session = Session::begin(repository, monitor)?;
    let (now, before) = (Ground::of(repository, &session.view)?, applied(&session.view)?);
    let paths = if (&now.policy, &now.own) == (&before.policy, &before.own) {
        let given = before.mine.iter().filter(|(asset, _)| !now.mine.contains_key(asset));
        let taken = now.mine.iter().filter(|(asset, _)| !before.mine.contains_key(asset));
        given.chain(taken).map(|(_, path)| path.clone()).collect()
    } else {
        let (lockable, earlier) = (now.lockable(), before.lockable());
        files_where(session.index.as_ref(), &|path| lockable.covers(path) || earlier.covers(path))?
    };
    let mut fresh = set_modes(&session, &now, &paths)?;
    settle(&session, &mut fresh.iter_mut().collect::<Vec<_>>());
    if !fresh.is_empty() {
        session.remember(fresh, monitor)?;
    }
    keep(repository, &now)
}

fn applied(view: &View) -> Result<Ground, AppError> {
    // What cannot be read is applied anew.
    Ok(view.lock_ground()?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

/// Sets the modes of files. Gives those that are still known to be as committed.
fn set_modes(session: &Session<'_>, ground: &Ground, paths: &[AssetPath]) -> Result<Vec<Fresh>, AppError> {
    let lockable = ground.lockable();
    let Some(index) = &session.index else { return Ok(Vec::new()) };
    let mut fresh = Vec::new();
    for path in paths {
        let Some(record) = index.find(path)? else { continue };
        let is_mine = record.asset().is_some_and(|asset| ground.mine.contains_key(&asset));
        let writable = is_mine || !lockable.covers(path);
        // Whoever does not own a file cannot be kept from it by its mode.
        let Ok(Some(made)) = set_writable(&session.worktree, path, writable) else { continue };
        if record.stat() == Some(made.before)
            && let Some(id) = record.file_id()
        {
            fresh.push(Fresh { path: path.clone(), id, stat: made.after, settled: true });
        }
    }
    Ok(fresh)
}

/// The files of the index at paths that are wanted.
fn files_where(
    index: Option<&Index>,
    wanted: &dyn Fn(&AssetPath) -> bool,
) -> Result<Vec<AssetPath>, AppError> {
    let mut found = Vec::new();
    if let Some(index) = index {
        below(&index.root()?, &AssetPath::root(), wanted, &mut found)?;
    }
    Ok(found)
}

fn below(
    folder: &Folder<'_>,
    at: &AssetPath,
    wanted: &dyn Fn(&AssetPath) -> bool,
    found: &mut Vec<AssetPath>,
) -> Result<(), AppError> {
    for record in (0..folder.len()).filter_map(|position| folder.record(position)) {
        let Ok(path) = at.join(record.name()) else { continue };
        if record.is_directory() {
            below(&folder.child(&record)?, &path, wanted, found)?;
        } else if Record::is_file(&record) && wanted(&path) {
            found.push(path);
        }
    }
    Ok(())
}
