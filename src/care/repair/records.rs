//! Records in a database that is otherwise sound: objects that are missing or altered, names that
//! point nowhere, lines of the journal that cannot be read.

use crate::base::id::FileId;
use crate::base::monitor::Monitor;
use crate::base::size::count;
use crate::care::error::CareError;
use crate::care::fsck::{FindingKind, Findings};
use crate::care::repair::Steps;
use crate::care::repair::rows::{self, Logged, StateTold, proven_space};
use crate::object::source::ObjectSource;
use crate::repo::commit_signatures;
use crate::repo::journal::JournalEntry;
use crate::repo::people::Person;
use crate::repo::refs::{DEFAULT_BRANCH, RefName, RefTarget};
use crate::repo::state::WorktreeState;
use crate::repo::state_rows::{self, ROW_PREFIX};
use crate::repo::{RepoError, Repository, View};
use crate::store::Space;
use std::path::PathBuf;

fn database(repository: &Repository) -> PathBuf {
    repository.pent_dir().join("db.redb")
}

/// Mends the records without which nothing works: journal, names, state, people.
pub(super) fn mend(repository: &Repository, steps: &mut Steps, _: &dyn Monitor) -> Result<(), CareError> {
    let bad = unreadable(repository)?;
    let lost_names = lost_names(repository)?;
    let no_state = matches!(repository.view()?.branch(), Err(RepoError::Missing { .. }));
    if bad.is_empty() && lost_names.is_empty() && !no_state {
        return Ok(());
    }
    let kept = repository.store().set_file_aside(&database(repository))?;
    let mut edit = repository.edit()?;
    for (space, key) in &bad {
        edit.transaction().delete(*space, key)?;
    }
    edit.commit()?;
    if !bad.is_empty() {
        let message = format!(
            "taken out, since it could not be read: {}",
            count(bad.len() as u64, "record", "records")
        );
        steps.add("record", message, Some(kept.clone()));
    }
    // Without what could not be read, the journal can be asked.
    for name in lost_names {
        point_again(repository, &name, steps)?;
    }
    if matches!(repository.view()?.branch(), Err(RepoError::Missing { .. })) {
        new_state(repository)?;
        steps.add("record", "what your folder stands on was found again", Some(kept));
    }
    Ok(())
}

/// Spaces whose rows have no id to be compared with and stand each for itself.
const UNPROVEN: [Space; 4] = [Space::Journal, Space::People, Space::Refs, Space::CommitSignatures];

/// Rows that are not what they are said to be.
fn unreadable(repository: &Repository) -> Result<Vec<(Space, Vec<u8>)>, CareError> {
    let view = repository.view()?;
    let mut bad = Vec::new();
    let rows = view.snapshot().scan_prefix(Space::WorktreeState, b"")?;
    bad.extend(state_rows::faults(rows)?.into_iter().map(|(key, _)| (Space::WorktreeState, key)));
    for space in UNPROVEN {
        for row in view.snapshot().scan_prefix(space, b"")? {
            let (key, value) = row?;
            let sound = match space {
                Space::CommitSignatures => commit_signatures::fault(&key, &value).is_none(),
                Space::Journal => JournalEntry::decode(&value).is_ok(),
                Space::People => serde_json::from_slice::<Person>(&value).is_ok(),
                _ => {
                    let name = std::str::from_utf8(&key).ok().and_then(|text| RefName::parse(text).ok());
                    name.is_some() && RefTarget::decode(&value).is_ok()
                }
            };
            if !sound {
                bad.push((space, key));
            }
        }
    }
    Ok(bad)
}

/// Names whose target is unreadable or not here.
fn lost_names(repository: &Repository) -> Result<Vec<RefName>, CareError> {
    let view = repository.view()?;
    let mut lost = Vec::new();
    for row in view.snapshot().scan_prefix(Space::Refs, b"")? {
        let (key, value) = row?;
        let Some(name) = std::str::from_utf8(&key).ok().and_then(|text| RefName::parse(text).ok()) else {
            continue;
        };
        let commit = RefTarget::decode(&value).ok().map(|target| target.commit);
        if commit
            .is_none_or(|commit| !view.snapshot().contains(Space::Commits, commit.as_bytes()).unwrap_or(true))
        {
            lost.push(name);
        }
    }
    Ok(lost)
}

/// Points a name at the last commit that the journal has for it and that is here; first looks for the
/// commit itself in the pages of the database.
fn point_again(repository: &Repository, name: &RefName, steps: &mut Steps) -> Result<(), CareError> {
    rows::bring_back_logged(repository.store())?;
    rows::bring_back(repository.store(), &database(repository), Logged::Yes)?;
    let view = repository.view()?;
    let found = view.reference(name)?.map(|target| target.commit);
    if found.is_some_and(|commit| view.commit(commit).is_ok()) {
        return Ok(());
    }
    let mut target = None;
    for head in view.journal_heads()?.rev() {
        let moves = head?.refs.into_iter().filter(|moved| moved.name == *name);
        let mut commits = moves.flat_map(|moved| [moved.after, moved.before]).flatten();
        target = commits.find(|commit| view.commit(*commit).is_ok());
        if target.is_some() {
            break;
        }
    }
    let mut edit = repository.edit()?;
    edit.mend_reference(name, found, target.map(RefTarget::plain))?;
    edit.commit()?;
    let message = match target {
        Some(commit) => {
            format!("{name} points to {} again, the last of its commits that is here", commit.short())
        }
        None => format!("{name} pointed to a commit that is lost, and is gone with it"),
    };
    steps.add("name", message, None);
    Ok(())
}

fn new_state(repository: &Repository) -> Result<(), CareError> {
    let view = repository.view()?;
    let mut edit = repository.edit()?;
    let survived = edit.transaction().scan_prefix(Space::WorktreeState, ROW_PREFIX)?;
    let mut state = match rows::look(&database(repository))?.states.pop() {
        Some(paged) => paged,
        None => told_state(&view)?,
    };
    state_rows::salvage(&mut state, survived.iter().map(|(key, value)| (key.as_slice(), value.as_slice())));
    edit.put_state(&state)?;
    Ok(edit.commit()?)
}

/// The state as the journal tells it.
fn told_state(view: &View) -> Result<WorktreeState, CareError> {
    let mut state = WorktreeState::on_branch(RefName::branch(DEFAULT_BRANCH).map_err(RepoError::from)?);
    let mut told = StateTold::default();
    for entry in view.journal_entries()? {
        told.follow(&entry?, &mut state);
    }
    Ok(state)
}

/// Takes out objects that were altered and looks for them, and for missing ones, in the transaction
/// log, in the pages that the database has given up but not overwritten, and in databases that were
/// kept aside.
pub(super) fn replace_damaged_objects(
    repository: &Repository,
    findings: &Findings,
    steps: &mut Steps,
) -> Result<(), CareError> {
    let concerned =
        findings.lines().iter().any(|line| matches!(line.kind, FindingKind::Object | FindingKind::Missing));
    if !concerned {
        return Ok(());
    }
    let store = repository.store();
    let kept = store.set_file_aside(&database(repository))?;
    let dropped = drop_altered(repository)?;
    let folder = repository.pent_dir().join("quarantine");
    let mut brought = rows::bring_back_logged(store)?;
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "redb") {
            brought += rows::bring_back(store, &entry.path(), Logged::Yes)?.0;
        }
    }
    if dropped + brought > 0 {
        let message = format!("{dropped} altered records were taken out, {brought} were found again");
        steps.add("record", message, Some(kept));
    }
    Ok(())
}

fn drop_altered(repository: &Repository) -> Result<u64, CareError> {
    let view = repository.view()?;
    let spaces = [Space::Commits, Space::Trees, Space::Metadata, Space::ManifestNodes, Space::Manifests];
    let mut dropped = 0;
    for space in spaces {
        let mut keys = Vec::new();
        for row in view.snapshot().scan_prefix(space, b"")? {
            let (key, value) = row?;
            // Claims need not be true.
            if key.len() <= FileId::SIZE && proven_space(&key, &value) != Some(space) {
                keys.push(key);
            }
        }
        if !keys.is_empty() {
            let mut transaction = repository.store().begin()?;
            dropped += transaction.delete_all(space, keys.iter().map(Vec::as_slice))?;
            transaction.commit()?;
        }
    }
    Ok(dropped)
}
