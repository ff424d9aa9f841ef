//! Records against their ids, and names, journal and the rest against their forms.

use crate::base::codec::DecodeError;
use crate::base::id::{FileId, MetadataId, PersonId};
use crate::base::monitor::{Advance, Monitor, Phase};
use crate::care::error::CareError;
use crate::care::fsck::Outcome;
use crate::care::fsck::findings::{Finding, FindingKind};
use crate::object::commit::Commit;
use crate::object::manifest::{Manifest, ManifestNode};
use crate::object::manifest_read::{ChunkCursor, ManifestError, check as check_manifest};
use crate::object::metadata::Metadata;
use crate::object::tree::TreeNode;
use crate::object::{ObjectKind, hash_object};
use crate::repo::commit_signatures;
use crate::repo::journal::JournalEntry;
use crate::repo::people::Person;
use crate::repo::refs::{RefName, RefTarget};
use crate::repo::state_rows;
use crate::repo::tombstone::{Tombstone, TombstoneRow};
use crate::repo::{RepoError, View};
use crate::store::{Space, StoreError};

/// Checks all records.
pub(super) fn check(view: &View, outcome: &mut Outcome, monitor: &dyn Monitor) -> Result<(), CareError> {
    let kinds = [
        (Space::Commits, ObjectKind::Commit, "commit"),
        (Space::Trees, ObjectKind::Tree, "tree"),
        (Space::Metadata, ObjectKind::Metadata, "metadata"),
        (Space::ManifestNodes, ObjectKind::ManifestNode, "manifest node"),
    ];
    let total = kinds
        .iter()
        .try_fold(0, |sum, (space, ..)| Ok::<_, StoreError>(sum + view.snapshot().count(*space)?))?;
    monitor.phase(Phase { name: "Checking records", files_total: Some(total), bytes_total: None });
    for (space, kind, name) in kinds {
        for row in view.snapshot().scan_prefix(space, b"")? {
            let (key, bytes) = row?;
            step(outcome, monitor)?;
            if let Some(message) = object_fault(kind, name, &key, &bytes) {
                match MetadataId::from_slice(&key).filter(|_| kind == ObjectKind::Metadata) {
                    Some(id) => outcome.findings.add_damaged_metadata(id, message),
                    None => outcome.findings.add(Finding::of(FindingKind::Object, message)),
                }
            }
        }
    }
    check_manifests(view, outcome, monitor)?;
    check_names(view, outcome)?;
    check_records(view, outcome)
}

fn step(outcome: &mut Outcome, monitor: &dyn Monitor) -> Result<(), CareError> {
    outcome.checked.objects += 1;
    monitor.advance(Advance { files: 1, ..Advance::default() });
    if monitor.is_cancelled() { Err(CareError::Cancelled) } else { Ok(()) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is wrong with an object, if anything.
fn object_fault(kind: ObjectKind, name: &str, key: &[u8], bytes: &[u8]) -> Option<String> {
    if hash_object(kind, bytes).as_slice() != key {
        return Some(format!("{name} {} was altered in storage", hex(key)));
    }
    let decoded: Result<(), DecodeError> = match kind {
        ObjectKind::Commit => Commit::decode(bytes).map(drop),
        ObjectKind::Tree => TreeNode::decode(bytes).map(drop),
        ObjectKind::Metadata => Metadata::decode(bytes).map(drop),
        ObjectKind::ManifestNode => ManifestNode::decode(bytes).map(drop),
        // These are in the review log and the shared log, which `logs` checks with their signatures.
        ObjectKind::Transition | ObjectKind::Action | ObjectKind::ActionBody => Ok(()),
        ObjectKind::PolicyLink | ObjectKind::LogEntry => Ok(()),
        ObjectKind::SetNode
        | ObjectKind::CommitSignature
        | ObjectKind::PolicyProposal
        | ObjectKind::WordsErasure => Ok(()),
    };
    decoded.err().map(|error| format!("{name} {} cannot be read: {error}", hex(key)))
}

/// Manifests must be those of their files, hold together, and have all their chunks.
fn check_manifests(view: &View, outcome: &mut Outcome, monitor: &dyn Monitor) -> Result<(), CareError> {
    for row in view.snapshot().scan_prefix(Space::Manifests, b"")? {
        let (key, bytes) = row?;
        step(outcome, monitor)?;
        let Some(file) = FileId::from_slice(&key) else {
            // A claim need not be true.
            continue;
        };
        let fault = match Manifest::decode(&bytes) {
            Ok(manifest) if manifest.file != file => Some("it is that of another file".to_owned()),
            Ok(manifest) => manifest_fault(view, &manifest, outcome)?,
            Err(error) => Some(error.to_string()),
        };
        if let Some(fault) = fault {
            let message = format!("the record of how file {file} is put together is damaged: {fault}");
            outcome.findings.add(Finding::of(FindingKind::Object, message));
        }
    }
    Ok(())
}

fn manifest_fault(
    view: &View,
    manifest: &Manifest,
    outcome: &mut Outcome,
) -> Result<Option<String>, CareError> {
    match check_manifest(manifest, view) {
        Ok(()) => {}
        Err(ManifestError::Source { source: RepoError::Store(error), .. }) => return Err(error.into()),
        Err(error) => return Ok(Some(error.to_string())),
    }
    for span in ChunkCursor::new(manifest, view) {
        let Ok(span) = span else { break };
        let found = view.snapshot().chunk_location(span.id)?;
        if found.is_none_or(|place| place.length != span.length) {
            let message = format!("chunk {} of file {} is missing", span.id, manifest.file);
            let finding = Finding::chunk(FindingKind::Missing, None, None, span.id, message);
            outcome.findings.add_chunk(finding);
        }
    }
    Ok(None)
}

fn check_names(view: &View, outcome: &mut Outcome) -> Result<(), CareError> {
    for row in view.snapshot().scan_prefix(Space::Refs, b"")? {
        let (key, bytes) = row?;
        let name = String::from_utf8_lossy(&key).into_owned();
        if let Err(error) = RefName::parse(&name) {
            outcome.findings.add(Finding::of(FindingKind::Name, error.to_string()));
        }
        if let Err(error) = RefTarget::decode(&bytes) {
            let message = format!("the name {name} cannot be read: {error}");
            outcome.findings.add(Finding::of(FindingKind::Name, message));
        }
    }
    Ok(())
}

/// Records that have no id to be compared with: at least they must be what they are said to be.
fn check_records(view: &View, outcome: &mut Outcome) -> Result<(), CareError> {
    let mut note = |what: &str, error: Option<String>| {
        if let Some(error) = error {
            let message = format!("a record of {what} cannot be read: {error}");
            outcome.findings.add(Finding::of(FindingKind::Record, message));
        }
    };
    for row in view.snapshot().scan_prefix(Space::Journal, b"")? {
        let (_, bytes) = row?;
        note("the journal", JournalEntry::decode(&bytes).err().map(|error| error.detail()));
    }
    for row in view.snapshot().scan_prefix(Space::People, b"")? {
        let (key, bytes) = row?;
        note("a person", serde_json::from_slice::<Person>(&bytes).err().map(|error| error.to_string()));
        note("a person", PersonId::from_slice(&key).is_none().then(|| "its key is no id".to_owned()));
    }
    for (_, fault) in state_rows::faults(view.snapshot().scan_prefix(Space::WorktreeState, b"")?)? {
        note("the worktree", Some(fault));
    }
    if let Err(RepoError::Missing { .. }) = view.branch() {
        note("the worktree", Some("it is missing".to_owned()));
    }
    for row in view.snapshot().scan_prefix(Space::Tombstones, b"")? {
        let (key, bytes) = row?;
        let error = match Tombstone::row_of(&key) {
            TombstoneRow::Tombstone | TombstoneRow::Excuse => Tombstone::decode(&bytes).err(),
            TombstoneRow::Page => Tombstone::decode_page(&bytes).err(),
        };
        note("an erased file", error.map(|error| error.to_string()));
    }
    for row in view.snapshot().scan_prefix(Space::CommitSignatures, b"")? {
        let (key, bytes) = row?;
        note("a commit's signature", commit_signatures::fault(&key, &bytes));
    }
    Ok(())
}
