//! The `format` file and the database: what keeps a repository from being opened at all.

use crate::base::id::CommitId;
use crate::base::monitor::Monitor;
use crate::care::error::CareError;
use crate::care::repair::rows::{self, LooseRows};
use crate::care::repair::{Options, Steps};
use crate::care::repair_marker;
use crate::object::source::ObjectSource;
use crate::repo::journal::JournalEntry;
use crate::repo::refs::{DEFAULT_BRANCH, RefName, RefTarget};
use crate::repo::state::WorktreeState;
use crate::repo::{PENT_DIR, RepoError, Repository};
use crate::store::disk::RealDisk;
use crate::store::{Access, Space, Store, StoreError, StoreOptions, StoreSettings};
use std::path::Path;
use std::sync::Arc;

/// Opens the repository, after making it one that can be opened.
pub(super) fn open(
    root: &Path,
    options: &Options,
    steps: &mut Steps,
    unfinished: bool,
    monitor: &dyn Monitor,
) -> Result<Repository, CareError> {
    let pent_dir = root.join(PENT_DIR);
    match Store::open(&pent_dir, Access::ReadWrite) {
        Err(StoreError::NotARepository { .. } | StoreError::FormatFile { .. }) => {
            write_format(&pent_dir, steps)?;
        }
        // Not a number: no program ever wrote such a version.
        Err(StoreError::UnknownFormat { found, .. }) if found.parse::<u32>().is_err() => {
            write_format(&pent_dir, steps)?;
        }
        _ => {}
    }
    match open_sound(root, monitor) {
        Ok(repository) if !(unfinished && is_unborn(&repository)) => return Ok(repository),
        Ok(_) => {}
        Err(error) if is_damage(&error) => {}
        Err(error) => return Err(error),
    }
    repair_marker::set(&pent_dir)?;
    rebuild(root, options, steps)?;
    Ok(Repository::open(root, Access::ReadWrite)?)
}

fn write_format(pent_dir: &Path, steps: &mut Steps) -> Result<(), CareError> {
    let has_packs = std::fs::read_dir(pent_dir.join("packs")).is_ok_and(|mut packs| packs.next().is_some());
    if !pent_dir.join("db.redb").exists() && !has_packs {
        return Err(CareError::BeyondRepair { path: pent_dir.to_owned() });
    }
    let kept = Store::rewrite_format(&RealDisk, pent_dir)?;
    steps.add("format", "the file that says what this folder is was written anew", kept);
    Ok(())
}

fn open_sound(root: &Path, monitor: &dyn Monitor) -> Result<Repository, CareError> {
    let repository = Repository::open(root, Access::ReadWrite)?;
    repository.store().verify_database(monitor)?;
    Ok(repository)
}

/// Whether an earlier repair was cut off between making a new database and filling it.
fn is_unborn(repository: &Repository) -> bool {
    matches!(repository.view().map(|view| view.state()), Ok(Err(RepoError::Missing { .. })) | Err(_))
}

/// Whether an error says that the database itself is the trouble.
fn is_damage(error: &CareError) -> bool {
    match error {
        CareError::Repo(RepoError::Store(
            StoreError::DatabaseDamaged { .. } | StoreError::Settings { .. } | StoreError::Database { .. },
        )) => true,
        CareError::Repo(RepoError::Store(StoreError::Io { source, .. })) => {
            matches!(source.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}

/// Makes a new database from what the pages of the old one say.
///
/// Pages of databases that earlier repairs kept aside count too: one of these may have been cut off.
fn rebuild(root: &Path, options: &Options, steps: &mut Steps) -> Result<(), CareError> {
    let pent_dir = root.join(PENT_DIR);
    let old = pent_dir.join("db.redb");
    let mut settings = if old.exists() { rows::look(&old)?.settings } else { None };
    let earlier = kept_databases(&pent_dir);
    for file in &earlier {
        if settings.is_none() {
            settings = rows::look(file)?.settings;
        }
    }
    let known = settings.is_some();
    let settings = settings.unwrap_or_else(|| StoreSettings::new(options.new_id));
    let (store, kept) =
        Store::replace_database(Arc::new(RealDisk), &pent_dir, &settings, StoreOptions::default())?;
    let mut brought = 0;
    let mut loose = LooseRows::default();
    // The newest word first.
    for file in kept.iter().chain(earlier.iter().rev()) {
        let (rows, found) = rows::bring_back(&store, file)?;
        brought += rows;
        loose = join(loose, found);
    }
    drop(store);
    let repository = Repository::open(root, Access::ReadWrite)?;
    put_loose(&repository, &loose)?;
    let what = if known { "" } else { "; nothing said which repository this was, so it has a new id" };
    let message = format!("a new database has {brought} records of the damaged one{what}");
    steps.add("database", message, kept);
    Ok(())
}

fn kept_databases(pent_dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(pent_dir.join("quarantine")).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "redb"))
        .collect();
    files.sort_by_key(|path| std::fs::metadata(path).and_then(|found| found.modified()).ok());
    files
}

/// Adds what an older file says where the newer one says nothing.
fn join(mut newer: LooseRows, older: LooseRows) -> LooseRows {
    for (sequence, entry) in older.journal {
        newer.journal.entry(sequence).or_insert(entry);
    }
    for (name, targets) in older.names {
        newer.names.entry(name).or_insert(targets);
    }
    for (key, value) in older.shelves {
        newer.shelves.entry(key).or_insert(value);
    }
    for (id, value) in older.people {
        newer.people.entry(id).or_insert(value);
    }
    if newer.states.is_empty() {
        newer.states = older.states;
    }
    newer
}

/// Writes the rows that prove nothing, each as new as can be told.
fn put_loose(repository: &Repository, loose: &LooseRows) -> Result<(), CareError> {
    let view = repository.view()?;
    let is_here = |id: CommitId| view.commit(id).is_ok();
    let mut names: Vec<(RefName, RefTarget)> = Vec::new();
    let told = loose.journal.values().flat_map(|entry| entry.refs.iter().map(|moved| &moved.name));
    let mut all: Vec<&RefName> = loose.names.keys().chain(told).collect();
    all.sort();
    all.dedup();
    for name in all {
        names.extend(newest(&view, loose, name, &is_here).map(|target| (name.clone(), target)));
    }
    let state = newest_state(loose, &names)?;
    let mut edit = repository.edit()?;
    for (name, target) in names {
        edit.mend_reference(&name, None, Some(target))?;
    }
    edit.put_state(&state)?;
    let transaction = edit.transaction();
    for (sequence, entry) in &loose.journal {
        if let Ok(bytes) = serde_json::to_vec(entry) {
            transaction.put(Space::Journal, &JournalEntry::key(*sequence), &bytes)?;
        }
    }
    for (key, value) in &loose.shelves {
        transaction.put(Space::WorktreeState, key, value)?;
    }
    for (id, value) in &loose.people {
        transaction.put(Space::People, id.as_bytes(), value)?;
    }
    Ok(edit.commit()?)
}

/// Where a name points: by the journal if that commit is here, else the youngest of what pages say.
fn newest(
    view: &crate::repo::View,
    loose: &LooseRows,
    name: &RefName,
    is_here: &dyn Fn(CommitId) -> bool,
) -> Option<RefTarget> {
    let targets = loose.names.get(name).map(Vec::as_slice).unwrap_or_default();
    match loose.by_journal(name) {
        Some(None) => return None,
        Some(Some(commit)) if is_here(commit) => {
            let annotated = targets.iter().find(|target| target.commit == commit);
            return Some(annotated.cloned().unwrap_or_else(|| RefTarget::plain(commit)));
        }
        _ => {}
    }
    let moment = |target: &&RefTarget| view.commit(target.commit).ok().map(|commit| commit.committer.time);
    targets.iter().filter(|target| is_here(target.commit)).max_by_key(moment).cloned()
}

/// What the worktree stands on: by the last entry that says so, else by what pages say.
fn newest_state(loose: &LooseRows, names: &[(RefName, RefTarget)]) -> Result<WorktreeState, CareError> {
    let told = loose.journal.values().rev().find_map(|entry| entry.state.as_ref());
    let is_name = |branch: &RefName| names.iter().any(|(name, _)| name == branch);
    // With one state there is no doubt; what the journal says may leave out later edits.
    let state = match (&loose.states[..], told) {
        ([only], _) => Some(only.clone()),
        (several, Some(change)) => {
            let agreeing = several.iter().find(|state| state.branch == change.after.branch);
            Some(agreeing.unwrap_or(&change.after).clone())
        }
        (several, None) => {
            several.iter().find(|state| is_name(&state.branch)).or_else(|| several.first()).cloned()
        }
    };
    match state {
        Some(state) => Ok(state),
        None => Ok(WorktreeState::on_branch(RefName::branch(DEFAULT_BRANCH).map_err(RepoError::from)?)),
    }
}
