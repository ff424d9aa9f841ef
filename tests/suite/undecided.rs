//! Merges that wait for a decision: their commit has all of both sides, also what the worktree cannot
//! show, and a decision changes what was undecided and nothing else.

use crate::app_flow::{Lab, lines, noise, path};
use crate::interrupted::StopAfter;
use pentimento::app::resolve::{self, Decision};
use pentimento::app::{commit, merge, mv, sparse};
use pentimento::base::id::{AssetId, FileId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::object::commit::Commit;
use pentimento::object::source::ObjectSource as _;
use pentimento::object::tree::{Content, ForeignAlgorithm};
use pentimento::object::tree_edit::{EntryValue, TreeEdit, edit_tree};
use pentimento::object::tree_walk::entry_at;
use pentimento::repo::Repository;
use pentimento::repo::refs::{RefName, RefTarget};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

impl Lab {
    /// What the newest commit has at a path.
    fn committed(&self, at: &str) -> Option<Content> {
        let view = self.repository.view().expect("a view");
        let tree = view.commit(self.head()).expect("a commit").tree;
        entry_at(&view, tree, &path(at)).expect("a tree").map(|entry| entry.content)
    }

    fn committed_bytes(&self, at: &str, bytes: &[u8]) -> bool {
        let wanted = FileId::from_bytes(*blake3::hash(bytes).as_bytes());
        self.committed(at).and_then(|content| content.file_id()) == Some(wanted)
    }

    pub fn commit_entry(&self, branch: &str, at: &str, content: Content) {
        commit_entry(&self.repository, branch, at, content);
    }
}

/// Adds a commit to a branch that has something no worktree could have given it.
pub fn commit_entry(repository: &Repository, branch: &str, at: &str, content: Content) {
    let view = repository.view().expect("a view");
    let branch = RefName::branch(branch).expect("a name");
    let head = view.reference(&branch).expect("a look").expect("a branch").commit;
    let before = view.commit(head).expect("a commit");
    let mut asset = [0; 16];
    asset.copy_from_slice(&blake3::hash(at.as_bytes()).as_bytes()[..16]);
    let value = EntryValue { asset: Some(AssetId::from_bytes(asset)), metadata: None, content };
    let put = [TreeEdit { path: path(at), value: Some(value) }];
    let mut edit = repository.edit().expect("an edit");
    let tree = edit_tree(&view, before.tree, put, &mut |id, bytes| edit.put_tree_node(id, &bytes));
    let commit = Commit { tree: tree.expect("a tree"), parents: vec![head], ..before };
    let id = edit.put_commit(&commit).expect("a commit");
    edit.set_reference(&branch, Some(head), Some(RefTarget::plain(id))).expect("a move");
    edit.commit().expect("a change");
}

/// A draft and main that disagree about `brand/x.psd`; `also` is what else happens on the draft.
fn disagreeing(also: impl Fn(&Lab)) -> Lab {
    let lab = Lab::new();
    lab.write("brand/x.psd", noise(1, 9000));
    lab.write("video/a.mov", noise(2, 9000));
    lab.write("video/gone.mov", noise(3, 9000));
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write("brand/x.psd", noise(11, 9000));
    also(&lab);
    lab.commit("Theirs");
    lab.switch("main");
    lab.write("brand/x.psd", noise(21, 9000));
    lab.commit("Ours");
    lab
}

fn finish(lab: &Lab) -> commit::Report {
    lab.resolve(&["brand/x.psd"], Decision::Ours);
    let report = lab.commit("Together");
    assert_eq!(lab.parents().len(), 2);
    assert!(lab.committed_bytes("brand/x.psd", &noise(21, 9000)));
    report
}

#[test]
fn what_is_hidden_is_in_the_merge_commit_too() {
    let lab = disagreeing(|lab| {
        lab.write("video/a.mov", noise(12, 9000));
        fs::remove_file(lab.at("video/gone.mov")).expect("a removed file");
        lab.write("video/new.mov", noise(13, 9000));
    });
    let shown = sparse::Options::Add(vec![path("brand")]);
    sparse::run(&lab.repository, &shown, &lab.clock, &SilentMonitor).expect("a part");
    assert_eq!(lab.merge("x").outcome, merge::Outcome::Undecided);
    let brought = ["changed video/a.mov", "removed video/gone.mov", "new video/new.mov"];
    assert_eq!(lab.changes(), brought);
    let report = finish(&lab);
    assert_eq!(lines(&report.changes), brought);
    assert!(lab.committed_bytes("video/a.mov", &noise(12, 9000)));
    assert!(lab.committed_bytes("video/new.mov", &noise(13, 9000)));
    assert_eq!(lab.committed("video/gone.mov"), None);
    sparse::run(&lab.repository, &sparse::Options::All, &lab.clock, &SilentMonitor).expect("all");
    assert_eq!(lab.read("video/a.mov"), Some(noise(12, 9000)));
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

#[test]
fn what_rules_leave_out_here_and_theirs_committed_is_in_the_merge_commit() {
    let lab = disagreeing(|lab| lab.write("cache.bin", "theirs"));
    lab.write(".pentignore", "cache.bin\n");
    lab.commit("Rules");
    lab.merge("x");
    assert_eq!(lab.text("cache.bin").as_deref(), Some("theirs"));
    finish(&lab);
    assert!(lab.committed_bytes("cache.bin", b"theirs"));
}

#[test]
fn foreign_content_is_in_the_merge_commit() {
    let lab = disagreeing(|_| {});
    let digest = vec![7; 20];
    let foreign =
        Content::Foreign { algorithm: ForeignAlgorithm::GitBlobSha1, digest, size: 9, executable: false };
    lab.commit_entry("draft/x", "foreign.bin", foreign);
    assert_eq!(lab.merge("x").outcome, merge::Outcome::Undecided);
    finish(&lab);
    assert!(matches!(lab.committed("foreign.bin"), Some(Content::Foreign { .. })));
}

#[test]
fn edits_during_a_merge_are_committed_with_it_and_told_as_what_they_are() {
    let lab = disagreeing(|lab| {
        lab.write("video/a.mov", noise(12, 9000));
        lab.write("video/new.mov", noise(13, 9000));
        lab.label("video/gone.mov", "web");
    });
    lab.merge("x");
    assert_eq!(lab.changes(), ["changed video/a.mov", "metadata video/gone.mov", "new video/new.mov"]);
    lab.write("video/a.mov", noise(2, 9000));
    fs::remove_file(lab.at("video/new.mov")).expect("a removed file");
    lab.write("notes.txt", "mine");
    lab.label("video/gone.mov", "spring");
    assert_eq!(lab.changes(), ["new notes.txt", "metadata video/gone.mov"]);
    let report = finish(&lab);
    assert_eq!(lines(&report.changes), ["new notes.txt", "metadata video/gone.mov"]);
    assert_eq!(lab.committed("video/new.mov"), None);
    assert_eq!(lab.labels("video/gone.mov"), "spring, web");
}

#[test]
fn a_merge_that_waits_goes_with_its_branch_and_comes_back() {
    let lab = disagreeing(|lab| lab.write("video/new.mov", noise(13, 9000)));
    lab.merge("x");
    lab.write("notes.txt", "mine");
    lab.switch("x");
    assert!(lab.status().merge.is_none());
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    lab.switch("main");
    assert_eq!(lab.changes(), ["new notes.txt", "new video/new.mov"]);
    finish(&lab);
    assert!(lab.committed_bytes("video/new.mov", &noise(13, 9000)));
}

#[test]
fn taking_their_bytes_keeps_the_labels_of_both() {
    let lab = disagreeing(|lab| lab.label("brand/x.psd", "theirs"));
    lab.label("brand/x.psd", "ours");
    lab.commit("A label");
    lab.merge("x");
    lab.label("brand/x.psd", "since");
    lab.resolve(&[], Decision::Theirs);
    assert_eq!(lab.read("brand/x.psd"), Some(noise(11, 9000)));
    lab.commit("Together");
    assert_eq!(lab.labels("brand/x.psd"), "ours, since, theirs");
}

/// Both move `video/a.mov`, ours with new bytes.
fn moved_apart(also: impl Fn(&Lab)) -> Lab {
    let lab = Lab::new();
    lab.write("video/a.mov", noise(1, 9000));
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    let mv = |to: &str| {
        let to = path(to);
        mv::run(&lab.repository, &path("video/a.mov"), &to, &lab.clock, &SilentMonitor).expect("a move")
    };
    mv("theirs/a.mov");
    lab.commit("Theirs");
    lab.switch("main");
    mv("ours/a.mov");
    lab.write("ours/a.mov", noise(21, 9000));
    also(&lab);
    lab.commit("Ours");
    assert_eq!(lab.merge("x").outcome, merge::Outcome::Undecided);
    lab
}

#[test]
fn taking_their_place_keeps_our_bytes() {
    let lab = moved_apart(|_| {});
    lab.resolve(&[], Decision::Theirs);
    assert_eq!(lab.read("theirs/a.mov"), Some(noise(21, 9000)));
    assert!(!lab.at("ours/a.mov").exists());
    lab.undo();
    assert_eq!(lab.read("ours/a.mov"), Some(noise(21, 9000)));
    lab.redo();
    lab.commit("Together");
    assert!(lab.committed_bytes("theirs/a.mov", &noise(21, 9000)));
    assert_eq!(lab.committed("ours/a.mov"), None);
}

#[test]
fn taking_their_place_replaces_no_other_asset() {
    let lab = moved_apart(|lab| lab.write("theirs/a.mov", noise(31, 9000)));
    let report = lab.resolve(&[], Decision::Theirs);
    assert_eq!(report.decided[0].beside, Some(path("theirs/a (draft-x).mov")));
    assert_eq!(lab.read("theirs/a.mov"), Some(noise(31, 9000)), "it is ours and was in no conflict");
    assert_eq!(lab.read("theirs/a (draft-x).mov"), Some(noise(21, 9000)));
    lab.commit("Together");
    assert!(lab.committed_bytes("theirs/a.mov", &noise(31, 9000)));
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

/// Theirs adds, by a move of an asset that ours edited, what ours has as another asset.
fn path_taken() -> Lab {
    let lab = Lab::new();
    lab.write("a.psd", noise(1, 9000));
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    mv::run(&lab.repository, &path("a.psd"), &path("logo.psd"), &lab.clock, &SilentMonitor).expect("a move");
    lab.commit("Theirs");
    lab.switch("main");
    lab.write("a.psd", noise(21, 9000));
    lab.write("logo.psd", noise(31, 9000));
    lab.commit("Ours");
    let report = lab.merge("x");
    assert_eq!(report.conflicts[0].kind, "path-taken");
    assert_eq!(lab.read("logo (theirs).psd"), Some(noise(21, 9000)));
    lab
}

#[test]
fn a_taken_path_that_stays_ours_sends_the_other_asset_home_with_our_edits() {
    let lab = path_taken();
    lab.resolve(&[], Decision::Ours);
    assert_eq!(lab.read("logo.psd"), Some(noise(31, 9000)));
    assert_eq!(lab.read("a.psd"), Some(noise(21, 9000)), "nobody wanted this edit to go");
    assert!(!lab.at("logo (theirs).psd").exists());
    lab.commit("Together");
    assert!(lab.committed_bytes("a.psd", &noise(21, 9000)));
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

#[test]
fn a_taken_path_that_becomes_theirs_has_what_the_merge_made_of_the_asset() {
    let lab = path_taken();
    lab.resolve(&[], Decision::Theirs);
    assert_eq!(lab.read("logo.psd"), Some(noise(21, 9000)));
    assert!(!lab.at("logo (theirs).psd").exists());
    lab.undo();
    assert_eq!(lab.read("logo.psd"), Some(noise(31, 9000)));
    lab.redo();
    lab.commit("Together");
    assert!(lab.committed_bytes("logo.psd", &noise(21, 9000)));
}

#[test]
fn a_decision_that_is_cut_off_is_carried_out_by_the_next_command() {
    let lab = path_taken();
    let stop = StopAfter::writing(0);
    let report = resolve::run(&lab.repository, &[], Decision::Ours, &lab.clock, &stop).expect("a decision");
    assert!(report.files.left > 0, "{:?}", report.files);
    assert!(lab.at("logo (theirs).psd").exists());
    lab.commit("Together");
    assert!(!lab.at("logo (theirs).psd").exists());
    assert_eq!(lab.committed("logo (theirs).psd"), None);
    assert!(lab.committed_bytes("a.psd", &noise(21, 9000)));
}

#[test]
fn a_removal_that_was_decided_is_taken_back_and_done_again() {
    let lab = disagreeing(|lab| lab.write("video/a.mov", noise(12, 9000)));
    fs::remove_file(lab.at("video/a.mov")).expect("a removed file");
    lab.commit("Without it");
    lab.merge("x");
    assert_eq!(lab.read("video/a.mov"), Some(noise(12, 9000)));
    lab.resolve(&["video/a.mov"], Decision::Ours);
    assert!(!lab.at("video/a.mov").exists());
    lab.undo();
    assert_eq!(lab.read("video/a.mov"), Some(noise(12, 9000)));
    lab.redo();
    assert!(!lab.at("video/a.mov").exists(), "it was decided to be gone");
    finish(&lab);
    assert_eq!(lab.committed("video/a.mov"), None);
}

#[test]
fn what_a_merge_could_not_write_is_in_its_commit_and_is_told_until_it_is_brought() {
    let lab = disagreeing(|_| {});
    let id = FileId::from_bytes([77; 32]);
    lab.commit_entry("draft/x", "nowhere.bin", Content::File { id, size: 100_000, executable: false });
    let report = lab.merge("x");
    assert_eq!(report.files.problems.len(), 1, "{:?}", report.files.problems);
    let status = lab.status();
    assert!(status.problems[0].message.contains("could not be written"), "{:?}", status.problems);
    assert_eq!(lines(&status.changes), ["new nowhere.bin"], "the merge brings it, in hand or not");
    finish(&lab);
    assert_eq!(lab.committed("nowhere.bin").and_then(|content| content.file_id()), Some(id));
}

#[test]
fn undo_of_a_decision_brings_no_file_back_in_whose_place_somebody_had_put_a_folder() {
    let lab = Lab::new();
    lab.write("base.txt", "1");
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write("shots/a.psd", noise(1, 9000));
    lab.commit("Theirs");
    lab.switch("main");
    lab.write("shots", noise(2, 9000));
    lab.commit("Ours");
    assert_eq!(lab.merge("x").conflicts.len(), 1);
    fs::remove_file(lab.at("shots")).expect("removed");
    lab.write("shots/a.psd", noise(3, 9000));
    lab.resolve(&[], Decision::Theirs);
    assert_eq!(lab.read("shots/a.psd"), Some(noise(1, 9000)));
    let undone = lab.undo();
    assert!(undone.files.problems.is_empty(), "{:?}", undone.files.problems);
    assert_eq!(lab.read("shots/a.psd"), Some(noise(3, 9000)));
}

#[test]
fn undo_of_a_decision_leaves_what_the_merge_had_brought_also_when_it_was_touched() {
    let lab = Lab::new();
    lab.write("logo.psd", noise(1, 9000));
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write("logo.psd", noise(2, 9000));
    lab.commit("Theirs");
    lab.switch("main");
    fs::remove_file(lab.at("logo.psd")).expect("removed");
    lab.commit("Ours");
    assert_eq!(lab.merge("x").conflicts.len(), 1);
    // Touched as a copy of a folder touches files: other times and the same bytes.
    let touched = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    fs::File::open(lab.at("logo.psd")).and_then(|file| file.set_modified(touched)).expect("touched");
    lab.resolve(&[], Decision::Theirs);
    assert_eq!(lab.read("logo.psd"), Some(noise(2, 9000)));
    lab.undo();
    assert_eq!(lab.read("logo.psd"), Some(noise(2, 9000)));
    assert_eq!(lab.status().merge.map(|merge| merge.undecided.len()), Some(1));
}

#[test]
fn undo_of_a_decision_leaves_a_file_of_which_only_the_mode_was_changed() {
    let lab = Lab::new();
    lab.write("render.sh", "one");
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write("render.sh", "two");
    lab.commit("Theirs");
    lab.switch("main");
    fs::remove_file(lab.at("render.sh")).expect("removed");
    lab.commit("Ours");
    assert_eq!(lab.merge("x").conflicts.len(), 1);
    let mode = || lab.at("render.sh").metadata().expect("a file").permissions().mode() & 0o777;
    fs::set_permissions(lab.at("render.sh"), fs::Permissions::from_mode(0o755)).expect("a mode");
    for decision in [Decision::Ours, Decision::Theirs, Decision::Ours] {
        lab.resolve(&[], decision);
        lab.undo();
        assert_eq!((lab.text("render.sh").as_deref(), mode()), (Some("two"), 0o755), "{decision:?}");
    }
}

#[test]
fn a_label_that_a_merge_brought_and_a_restore_took_away_is_no_change_of_the_branch() {
    let lab = Lab::new();
    lab.write("base.txt", "1");
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write("logo.psd", noise(1, 9000));
    lab.label("logo.psd", "approved");
    lab.commit("Theirs");
    lab.switch("main");
    lab.write("logo.psd", noise(2, 9000));
    lab.commit("Ours");
    assert_eq!(lab.merge("x").conflicts.len(), 1);
    assert_eq!(
        (lab.labels("logo.psd"), lab.changes()),
        ("approved".into(), vec!["metadata logo.psd".into()])
    );
    lab.restore(Some("main"), &["logo.psd"]);
    assert_eq!((lab.labels("logo.psd"), lab.changes()), (String::new(), vec![]));
    lab.resolve(&["logo.psd"], Decision::AsIs);
    lab.commit("As main had it");
    assert_eq!((lab.labels("logo.psd"), lab.changes()), (String::new(), vec![]));
}
