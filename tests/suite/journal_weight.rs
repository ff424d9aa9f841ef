//! What a change writes down is what it changed: however many edits wait beside it, one more costs bytes.
//! Records of before, which hold whole states, read on.

use crate::app_flow::{Lab, path};
use crate::support::memory::Watch;
use pentimento::app::{fsck, gc, journal, meta, repair, undo};
use pentimento::base::id::{AssetId, CommitId, MetadataId, RepositoryId, TreeId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::{FixedClock, Timestamp};
use pentimento::object::metadata::Metadata;
use pentimento::repo::Repository;
use pentimento::repo::edit::JournalNote;
use pentimento::repo::journal::{JournalEntry, StateChange};
use pentimento::repo::state::{MergeState, PendingConflict, WorktreeState};
use pentimento::store::{Access, Space};
use serde_json::json;
use std::fs;

const NOW: Timestamp = Timestamp::utc(1_772_400_000_000);
const FILES: usize = 20_000;

fn label(lab: &Lab, names: &[String], add: &str) {
    let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
    let changes = [meta::Change::Labels { add: vec![add.to_owned()], remove: Vec::new() }];
    meta::change(&lab.repository, &paths, &changes, &|_| true, &lab.clock, &SilentMonitor).expect("labels");
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("shoot/IMG_{number:05}.raw")).collect()
}

/// Bytes of all values in a space.
fn weight(repository: &Repository, space: Space) -> usize {
    let view = repository.view().expect("a view");
    let rows = view.snapshot().scan_prefix(space, b"").expect("rows");
    rows.map(|row| row.expect("a row").1.len()).sum()
}

/// Bytes of the journal, of the state, of the transaction log.
fn weights(lab: &Lab) -> [usize; 3] {
    let logs = fs::read_dir(lab.repository.pent_dir().join("transactions")).expect("logs");
    let logged: u64 = logs.map(|log| log.expect("a log").metadata().expect("its length").len()).sum();
    let [journal, state] = [Space::Journal, Space::WorktreeState].map(|space| weight(&lab.repository, space));
    [journal, state, logged as usize]
}

fn state(repository: &Repository) -> WorktreeState {
    repository.view().expect("a view").state().expect("a state")
}

fn is_sound(lab: &Lab) {
    let options = fsck::Options { sample_percent: None, since_last: false };
    let report = fsck::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a check");
    assert!(report.sound, "{report:?}");
}

#[test]
fn a_label_more_costs_bytes_however_many_wait_to_be_committed() {
    let lab = Lab::new();
    let all = names(FILES);
    label(&lab, &all, "spring");
    let labelled = state(&lab.repository);
    assert_eq!(labelled.pending.metadata.len(), FILES);
    let before = weights(&lab);
    label(&lab, &all[7..8], "cover");
    let after = weights(&lab);
    let [journal, state_row, logged] = [0, 1, 2].map(|which| after[which] - before[which]);
    assert!(journal < 1000, "{journal} bytes of journal for one label");
    assert_eq!(state_row, 0, "an id is as long as another");
    assert!(logged < 4000, "{logged} bytes of transaction log for one label");
    let covered = state(&lab.repository);
    assert_ne!(covered, labelled);
    undo::run(&lab.repository, undo::Direction::Undo, &lab.clock, &SilentMonitor).expect("an undo");
    assert_eq!(state(&lab.repository), labelled);
    undo::run(&lab.repository, undo::Direction::Redo, &lab.clock, &SilentMonitor).expect("a redo");
    assert_eq!(state(&lab.repository), covered);
    let reversed = weights(&lab)[0] - after[0];
    assert!(reversed < 1000, "{reversed} bytes of journal for undo and redo");
    is_sound(&lab);
}

fn conflict(name: &str) -> PendingConflict {
    PendingConflict {
        path: path(name),
        kind: "content".to_owned(),
        base: None,
        ours: None,
        theirs: None,
        placed: None,
        fields: Vec::new(),
    }
}

#[test]
fn a_decision_of_thousands_costs_bytes_too() {
    let lab = Lab::new();
    let mut edit = lab.repository.edit().expect("an edit");
    let merge = MergeState {
        theirs: Some(CommitId::from_bytes([1; 32])),
        merged: Some(TreeId::from_bytes([2; 32])),
        name: "draft/night".to_owned(),
        message: "Merge draft/night".to_owned(),
        conflicts: names(3000).iter().map(|name| conflict(name)).collect(),
        aliases: (0..1000).map(|_| (AssetId::from_bytes([3; 16]), AssetId::from_bytes([4; 16]))).collect(),
    };
    let before = WorktreeState { merge: Some(merge.clone()), ..edit.state().expect("a state") };
    edit.put_state(&before).expect("a stored state");
    edit.commit().expect("a commit");
    assert_eq!(state(&lab.repository), before);
    let weight_before = weights(&lab);
    let mut decided = merge;
    decided.conflicts.remove(1234);
    decided.merged = Some(TreeId::from_bytes([5; 32]));
    let after = WorktreeState { merge: Some(decided), ..before.clone() };
    let mut edit = lab.repository.edit().expect("an edit");
    edit.put_state(&after).expect("a stored state");
    let state_change = Some(StateChange { before: before.clone(), after: after.clone() });
    let note = JournalNote { verb: "resolve", state: state_change, ..JournalNote::default() };
    edit.record(note, NOW).expect("an entry");
    edit.commit().expect("a commit");
    assert_eq!(state(&lab.repository), after);
    let weight_after = weights(&lab);
    assert!(weight_after[0] - weight_before[0] < 1500, "{weight_before:?} {weight_after:?}");
    assert!(weight_after[1] < weight_before[1], "a decision less waits");
    assert!(weight_after[2] - weight_before[2] < 6000, "{weight_before:?} {weight_after:?}");
    let mut edit = lab.repository.edit().expect("an edit");
    edit.put_state(&WorktreeState { merge: None, ..after }).expect("a stored state");
    edit.commit().expect("a commit");
    let view = lab.repository.view().expect("a view");
    let rows = view.snapshot().scan_prefix(Space::WorktreeState, b"").expect("rows");
    assert_eq!(rows.count(), 1, "nothing of a merge that is over stays");
}

fn labelled_with(label: &str) -> Metadata {
    let mut metadata = Metadata::default();
    metadata.set_labels([label.to_owned()].into());
    metadata
}

fn red() -> Metadata {
    labelled_with("red")
}

fn blue() -> Metadata {
    labelled_with("blue")
}

/// A state in one record, as it was written before there were rows.
fn whole_state(labelled: &[(String, MetadataId)]) -> serde_json::Value {
    let metadata: serde_json::Map<_, _> =
        labelled.iter().map(|(name, id)| (name.clone(), json!(id.to_string()))).collect();
    json!({"branch": "branch/main", "pending": {"metadata": metadata, "assets": {}, "moves": {}}})
}

/// Writes entries of before, each with two whole states, the later with one path labelled anew; and the
/// state in one record. Gives what waits in the end.
fn write_records_of_before(lab: &Lab, paths: usize, entries: u64) -> Vec<(String, MetadataId)> {
    let mut edit = lab.repository.edit().expect("an edit");
    let [first, second] = [red(), blue()].map(|metadata| edit.put_metadata(&metadata).expect("an id"));
    let mut labelled: Vec<(String, MetadataId)> =
        names(paths).into_iter().map(|name| (name, first)).collect();
    for sequence in 1..=entries {
        let before = whole_state(&labelled);
        labelled[sequence as usize].1 = second;
        let after = whole_state(&labelled);
        let entry = json!({
            "sequence": sequence, "time": NOW, "verb": "meta", "summary": "changed labels", "refs": [],
            "state": {"before": before, "after": after},
        });
        let transaction = edit.transaction();
        transaction
            .put(Space::Journal, &sequence.to_be_bytes(), entry.to_string().as_bytes())
            .expect("a row");
    }
    let last = whole_state(&labelled).to_string();
    edit.transaction().put(Space::WorktreeState, b"state", last.as_bytes()).expect("a row");
    edit.commit().expect("a commit");
    labelled
}

#[test]
fn records_of_before_read_on_and_the_next_change_writes_what_it_changes() {
    let lab = Lab::new();
    let labelled = write_records_of_before(&lab, 300, 20);
    let found = state(&lab.repository);
    let told: Vec<(String, MetadataId)> =
        found.pending.metadata.iter().map(|(path, id)| (path.to_string(), id.expect("an id"))).collect();
    assert_eq!(told, labelled);
    let view = lab.repository.view().expect("a view");
    assert_eq!(view.branch().expect("a branch").as_str(), "branch/main");
    let entry = view.journal_entry(20).expect("an entry").expect("an entry");
    let changed = entry.state.expect("a change");
    assert_eq!(
        changed.metadata.keys().map(ToString::to_string).collect::<Vec<_>>(),
        [labelled[20].0.clone()]
    );
    is_sound(&lab);
    let report = journal::run(&lab.repository, journal::Options { limit: Some(3) }).expect("a journal");
    assert_eq!(report.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [20, 19, 18]);
    assert_eq!((report.undo, report.redo, report.more), (Some(20), None, true));
    // Back and forth over what was written before.
    undo::run(&lab.repository, undo::Direction::Undo, &lab.clock, &SilentMonitor).expect("an undo");
    let undone = state(&lab.repository);
    let ids = |state: &WorktreeState| state.pending.metadata.values().flatten().copied().collect::<Vec<_>>();
    assert_eq!(ids(&undone)[20], red().id());
    let (mut others, expected) = (ids(&undone), ids(&found));
    others[20] = expected[20];
    assert_eq!(others, expected, "nothing else was taken back");
    undo::run(&lab.repository, undo::Direction::Redo, &lab.clock, &SilentMonitor).expect("a redo");
    assert_eq!(state(&lab.repository), found);
    let head = lab.repository.view().expect("a view").snapshot().get(Space::WorktreeState, b"state");
    let head = head.expect("a row").expect("a row");
    assert_eq!((head[0], head.len() < 100), (2, true), "the state was taken apart into rows");
    is_sound(&lab);
}

#[test]
fn a_journal_of_whole_states_is_gone_through_without_holding_it() {
    let lab = Lab::new();
    write_records_of_before(&lab, 5000, 60);
    let whole = weight(&lab.repository, Space::Journal) >> 20;
    assert!(whole >= 45, "{whole} MiB of journal");
    let Lab { folder, repository, .. } = lab;
    drop(repository);
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a repository");
    // Of the pages that are read the database keeps 32 MiB; the entries as values would take more than 100.
    let watch = Watch::start();
    let idle = watch.take_peak();
    let journal = journal::run(&repository, journal::Options { limit: Some(30) }).expect("a journal");
    assert_eq!(journal.entries.len(), 30);
    let listing = watch.take_peak();
    let options = gc::Options { dry_run: true, accept_losses: true, ..gc::Options::default() };
    gc::run(&repository, &options, &FixedClock(NOW), &SilentMonitor).expect("a collection");
    let collecting = watch.take_peak();
    eprintln!("{whole} MiB of journal: {idle} MiB before, {listing} listing, {collecting} collecting");
    assert!(listing < idle + 56, "{idle} MiB before, {listing} in listing");
    assert!(collecting < idle + 56, "{idle} MiB before, {collecting} in collecting");
}

#[test]
fn entries_have_the_bytes_that_the_page_of_formats_says() {
    let lab = Lab::new();
    label(&lab, &["a".to_owned()], "red");
    let view = lab.repository.view().expect("a view");
    let entry = view.journal_entry(1).expect("an entry").expect("an entry");
    let bytes = view.snapshot().get(Space::Journal, &1u64.to_be_bytes()).expect("a row").expect("a row");
    let id = state(&lab.repository).pending.metadata[&path("a")].expect("an id");
    assert_eq!(bytes[0], 2);
    let told: serde_json::Value = serde_json::from_slice(&bytes[1..]).expect("JSON");
    assert_eq!(told["state"], json!({"metadata": {"a": [[], [id.to_string()]]}}));
    assert_eq!(JournalEntry::decode(&bytes).expect("an entry"), entry);
    let mut later = bytes;
    later[0] = 3;
    assert!(JournalEntry::decode(&later).is_err(), "what a later version writes is not guessed at");
}

#[test]
fn pages_and_journal_together_tell_what_waited_when_database_and_log_are_gone() {
    let lab = Lab::new();
    lab.write("a", "one");
    lab.commit("First state");
    for name in ["a", "b", "c"] {
        label(&lab, &[name.to_owned()], "red");
    }
    // The label of `c` waits no more: old pages still have its row.
    undo::run(&lab.repository, undo::Direction::Undo, &lab.clock, &SilentMonitor).expect("an undo");
    let before = state(&lab.repository);
    assert_eq!(before.pending.metadata.len(), 2);
    let Lab { folder, repository, clock } = lab;
    drop(repository);
    let pent = folder.path().join(".pent");
    fs::remove_dir_all(pent.join("transactions")).expect("a removal");
    let mut bytes = fs::read(pent.join("db.redb")).expect("the database");
    bytes[..512].fill(0xaa);
    fs::write(pent.join("db.redb"), bytes).expect("a written file");
    let options = repair::Options {
        root: folder.path().to_owned(),
        search: Vec::new(),
        new_id: RepositoryId::from_bytes([9; 16]),
    };
    repair::run(&options, &clock, &SilentMonitor).expect("a repair");
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a repository");
    assert_eq!(state(&repository).pending, before.pending);
    assert_eq!(state(&repository).branch, before.branch);
}
