//! The `format` file and the database: what keeps a repository from being opened at all.

use crate::base::id::CommitId;
use crate::base::monitor::Monitor;
use crate::base::size::count;
use crate::base::time::Timestamp;
use crate::care::error::CareError;
use crate::care::repair::rows::{self, Logged, LooseRows, StateTold};
use crate::care::repair::{Options, Steps};
use crate::care::repair_marker;
use crate::object::commit::Commit;
use crate::repo::journal::JournalEntry;
use crate::repo::refs::{DEFAULT_BRANCH, RefName, RefTarget};
use crate::repo::state::WorktreeState;
use crate::repo::state_rows::{self, MergeHead};
use crate::repo::{Edit, PENT_DIR, RepoError, Repository};
use crate::store::disk::RealDisk;
use crate::store::{Access, Space, Store, StoreError, StoreOptions, StoreSettings, SurvivingLog};
use std::path::Path;
use std::sync::Arc;

/// Opens the repository, after making it one that can be opened; tells whether its database is new.
pub(super) fn open(
    root: &Path,
    options: &Options,
    steps: &mut Steps,
    unfinished: bool,
    monitor: &dyn Monitor,
) -> Result<(Repository, bool), CareError> {
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
    let pages = match examine(root, monitor)? {
        Found::Sound(repository) if !(unfinished && is_unborn(&repository)) => {
            return Ok((*repository, false));
        }
        Found::Sound(_) | Found::Damaged => Pages::Own,
        Found::Foreign => Pages::Foreign,
    };
    repair_marker::set(&pent_dir)?;
    rebuild(root, options, pages, steps)?;
    Ok((Repository::open(root, Access::ReadWrite)?, true))
}

fn write_format(pent_dir: &Path, steps: &mut Steps) -> Result<(), CareError> {
    let has_packs = std::fs::read_dir(pent_dir.join("packs")).is_ok_and(|mut packs| packs.next().is_some());
    let has_log = !SurvivingLog::all(&RealDisk, pent_dir)?.is_empty();
    if !pent_dir.join("db.redb").exists() && !has_packs && !has_log {
        return Err(CareError::BeyondRepair { path: pent_dir.to_owned() });
    }
    let kept = Store::rewrite_format(&RealDisk, pent_dir)?;
    steps.add("format", "the file that says what this folder is was written anew", kept);
    Ok(())
}

/// What is in the place of the database.
enum Found {
    /// One that holds together.
    Sound(Box<Repository>),
    /// One that does not, an old copy, or none.
    Damaged,
    /// One of another repository.
    Foreign,
}

/// Whether what pages of a replaced database say is believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pages {
    Own,
    Foreign,
}

fn examine(root: &Path, monitor: &dyn Monitor) -> Result<Found, CareError> {
    match open_sound(root, monitor) {
        Ok(repository) if is_foreign(&repository, monitor)? => Ok(Found::Foreign),
        Ok(repository) => Ok(Found::Sound(Box::new(repository))),
        Err(error) if is_damage(&error) => Ok(Found::Damaged),
        Err(error) => Err(error),
    }
}

fn open_sound(root: &Path, monitor: &dyn Monitor) -> Result<Repository, CareError> {
    let repository = Repository::open(root, Access::ReadWrite)?;
    repository.store().verify_database(monitor)?;
    if repository.store().is_behind_log()? {
        // The number is for people who are told; here it is mended.
        return Err(StoreError::DatabaseBehind { transactions: 0 }.into());
    }
    Ok(repository)
}

/// Whether the database is that of another repository: not one of its packs is here, and the log, whole
/// in itself, says something else.
fn is_foreign(repository: &Repository, monitor: &dyn Monitor) -> Result<bool, CareError> {
    let store = repository.store();
    let packs = store.snapshot()?.packs()?;
    if packs.is_empty() || packs.iter().any(|(_, record)| store.has_pack_file(record.id)) {
        return Ok(false);
    }
    let logs = SurvivingLog::all(&RealDisk, store.dir())?;
    let is_whole = logs.first().is_some_and(|log| log.is_whole(None));
    Ok(is_whole && !store.check_log(monitor)?.faults.is_empty())
}

/// Whether an earlier repair was cut off between making a new database and filling it.
fn is_unborn(repository: &Repository) -> bool {
    matches!(repository.view().map(|view| view.state()), Ok(Err(RepoError::Missing { .. })) | Err(_))
}

/// Whether an error says that the database itself is the trouble.
fn is_damage(error: &CareError) -> bool {
    match error {
        CareError::Repo(RepoError::Store(
            StoreError::DatabaseDamaged { .. }
            | StoreError::DatabaseBehind { .. }
            | StoreError::Settings { .. }
            | StoreError::Database { .. },
        )) => true,
        CareError::Repo(RepoError::Store(StoreError::Io { source, .. })) => {
            matches!(source.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}

/// Makes a new database: from the transaction log, and where that has gaps or is gone, from the pages
/// of the old database too.
///
/// Pages of databases that earlier repairs kept aside count as well: one of these may have been cut
/// off. The new database is complete, and has a log of its own, with the last transaction; before that
/// it has no state, by which an interrupted repair knows that it has to begin again.
fn rebuild(root: &Path, options: &Options, pages: Pages, steps: &mut Steps) -> Result<(), CareError> {
    let pent_dir = root.join(PENT_DIR);
    let logs = SurvivingLog::all(&RealDisk, &pent_dir)?;
    let log = logs.first();
    let earlier = kept_databases(&pent_dir);
    let told = match pages {
        Pages::Own => look_around(&pent_dir.join("db.redb"), &earlier)?,
        Pages::Foreign => LooseRows::default(),
    };
    let known = log.and_then(|log| log.settings().cloned()).or(told.settings);
    let is_whole = log.is_some_and(|log| log.is_whole(told.log.as_ref()));
    let settings = known.clone().unwrap_or_else(|| StoreSettings::new(options.new_id));
    let (store, kept) =
        Store::replace_database(Arc::new(RealDisk), &pent_dir, &settings, StoreOptions::default())?;
    let mut paged = 0;
    let mut loose = LooseRows::default();
    if !is_whole {
        // The newest word first.
        for file in kept.iter().chain(earlier.iter().rev()) {
            let (rows, found) = rows::bring_back(&store, file, Logged::NotYet)?;
            paged += rows;
            loose = join(loose, found);
        }
    }
    drop(store);
    let repository = Repository::open(root, Access::ReadWrite)?;
    let mut edit = repository.edit()?;
    edit.transaction().replace_log();
    let logged = log.map_or(Ok(0), |log| log.replay(edit.transaction(), !is_whole))?;
    if !is_whole || edit.state().is_err() {
        put_loose(&mut edit, loose)?;
    }
    edit.commit()?;
    let message = describe(log.filter(|_| is_whole), log.map(|_| logged), paged, known.is_some());
    steps.add("database", message, kept);
    Ok(())
}

/// What was done, and how far it can be relied on.
fn describe(whole: Option<&SurvivingLog>, logged: Option<u64>, paged: u64, is_known: bool) -> String {
    let paged = count(paged, "record", "records");
    let id = if is_known { "" } else { "; nothing said which repository this was, so it has a new id" };
    match (whole, logged) {
        (Some(log), _) => {
            let transactions = count(log.transactions(), "transaction", "transactions");
            format!("a new database was made from the transaction log, with all of its {transactions}")
        }
        (None, Some(logged)) => format!(
            "a new database has {} of the transaction log, which is damaged too, and {paged} of the old database; what was saved last may be missing{id}",
            count(logged, "change", "changes")
        ),
        (None, None) => format!(
            "a new database has {paged} of the damaged one; there is no transaction log, so what was saved last may be missing{id}"
        ),
    }
}

/// What the pages of the database say of the store itself, or of those that were kept aside, the last
/// of which is the one that a repair began with that was cut off.
fn look_around(old: &Path, earlier: &[std::path::PathBuf]) -> Result<LooseRows, CareError> {
    let mut told = if old.exists() { rows::look(old)? } else { LooseRows::default() };
    for file in earlier.iter().rev() {
        let found = rows::look(file)?;
        told.settings = told.settings.or(found.settings);
        told.log = told.log.or(found.log);
    }
    Ok(told)
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
    for (key, value) in older.state_rows {
        newer.state_rows.entry(key).or_insert(value);
    }
    newer
}

/// What the transaction log brought back of the rows that pages have too.
fn logged_rows(edit: &mut Edit) -> Result<LooseRows, CareError> {
    let mut logged = LooseRows::default();
    for space in [Space::Journal, Space::Refs, Space::WorktreeState, Space::People] {
        for (key, value) in edit.transaction().scan_prefix(space, b"")? {
            logged.take(&key, &value);
        }
    }
    Ok(logged)
}

/// Writes the rows that prove nothing, each as new as can be told.
fn put_loose(edit: &mut Edit, paged: LooseRows) -> Result<(), CareError> {
    let logged = logged_rows(edit)?;
    let mut loose = paged;
    for (name, targets) in &logged.names {
        loose.names.entry(name.clone()).or_default().extend(targets.iter().cloned());
    }
    let loose = join(loose, logged);
    let mut names: Vec<(RefName, RefTarget)> = Vec::new();
    let told = loose.journal.values().flat_map(|entry| entry.refs.iter().map(|moved| &moved.name));
    let mut all: Vec<&RefName> = loose.names.keys().chain(told).collect();
    all.sort();
    all.dedup();
    for name in all {
        let (target, current) = (newest(edit, &loose, name)?, edit.reference(name)?);
        let expected = current.as_ref().map(|target| target.commit);
        if target != current {
            edit.mend_reference(name, expected, target.clone())?;
        }
        names.extend(target.map(|target| (name.clone(), target)));
    }
    let state = newest_state(&loose, &names)?;
    edit.put_state(&state)?;
    let transaction = edit.transaction();
    for (sequence, entry) in &loose.journal {
        transaction.put(Space::Journal, &JournalEntry::key(*sequence), &entry.encode()?)?;
    }
    for (key, value) in &loose.shelves {
        transaction.put(Space::WorktreeState, key, value)?;
    }
    for (id, value) in &loose.people {
        transaction.put(Space::People, id.as_bytes(), value)?;
    }
    Ok(())
}

/// Where a name points: by the journal if that commit is here, else the youngest of what else says so.
fn newest(edit: &mut Edit, loose: &LooseRows, name: &RefName) -> Result<Option<RefTarget>, CareError> {
    let targets = loose.names.get(name).map(Vec::as_slice).unwrap_or_default();
    match loose.by_journal(name) {
        Some(None) => return Ok(None),
        Some(Some(commit)) if moment(edit, commit)?.is_some() => {
            let annotated = targets.iter().find(|target| target.commit == commit);
            return Ok(Some(annotated.cloned().unwrap_or_else(|| RefTarget::plain(commit))));
        }
        _ => {}
    }
    let mut found = None;
    for target in targets {
        let time = moment(edit, target.commit)?;
        if time.is_some() && found.as_ref().is_none_or(|(newest, _)| *newest < time) {
            found = Some((time, target.clone()));
        }
    }
    Ok(found.map(|(_, target)| target))
}

/// When a commit was made, if it is here.
fn moment(edit: &mut Edit, commit: CommitId) -> Result<Option<Timestamp>, CareError> {
    let bytes: Option<Vec<u8>> = edit.transaction().get(Space::Commits, commit.as_bytes())?;
    let commit = bytes.and_then(|bytes| Commit::decode(&bytes).ok());
    Ok(commit.map(|commit| commit.committer.time))
}

/// What the worktree stands on: what pages say, and of whatever an entry of the journal speaks, the last that
/// does. With one state without its rows there is no doubt of the branch and of a merge: what the journal says
/// may leave out later edits.
fn newest_state(loose: &LooseRows, names: &[(RefName, RefTarget)]) -> Result<WorktreeState, CareError> {
    let mut told = loose.journal.values().rev().filter_map(|entry| entry.state.as_ref());
    let told = told.find_map(|changed| changed.branch.as_ref()?.after.as_ref());
    let is_name = |branch: &RefName| names.iter().any(|(name, _)| name == branch);
    let several = &loose.states;
    let agreeing = several.iter().find(|state| Some(&state.branch) == told);
    let named = several.iter().find(|state| is_name(&state.branch));
    let head = agreeing.or(named).or_else(|| several.first());
    let mut state = match head {
        Some(head) => head.clone(),
        None => WorktreeState::on_branch(RefName::branch(DEFAULT_BRANCH).map_err(RepoError::from)?),
    };
    let rows = loose.state_rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
    state_rows::salvage(&mut state, rows);
    let mut story = StateTold::default();
    let mut followed = state.clone();
    for entry in loose.journal.values() {
        story.follow(entry, &mut followed);
    }
    match (several.as_slice(), followed.merge.take()) {
        ([only], merge) => {
            let alike =
                merge.filter(|merge| Some(MergeHead::of(merge)) == only.merge.as_ref().map(MergeHead::of));
            Ok(WorktreeState { branch: only.branch.clone(), merge: alike.or(state.merge), ..followed })
        }
        (_, merge) => Ok(WorktreeState { merge, ..followed }),
    }
}
