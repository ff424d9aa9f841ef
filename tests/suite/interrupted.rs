//! Changes of files that are stopped on the way: nothing is lost, the next command goes on where they
//! stopped, and `undo` brings back what was there before.

use crate::app_flow::{Lab, lines, noise, path};
use crate::model::things::read_folder;
use pentimento::app::undo::{self, Direction};
use pentimento::app::{mv, restore, sparse, switch};
use pentimento::base::monitor::{Advance, Monitor, Phase, Problem, SilentMonitor};
use pentimento::base::path::AssetPath;
use pentimento::object::tree_walk::entry_at;
use pentimento::repo::journal::FilesChange;
use pentimento::repo::state::{PendingEdits, Renaming, Underway};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

/// Asks to stop after so many files were dealt with.
pub struct StopAfter {
    files: AtomicU64,
    limit: u64,
    phase: &'static str,
    is_on: std::sync::atomic::AtomicBool,
}

impl StopAfter {
    pub fn writing(limit: u64) -> Self {
        Self { files: AtomicU64::new(0), limit, phase: "Writing", is_on: false.into() }
    }
}

impl Monitor for StopAfter {
    fn phase(&self, phase: Phase) {
        self.is_on.store(phase.name == self.phase, Ordering::Relaxed);
    }
    fn advance(&self, advance: Advance) {
        if self.is_on.load(Ordering::Relaxed) {
            self.files.fetch_add(advance.files, Ordering::Relaxed);
        }
    }
    fn problem(&self, _: Problem) {}
    fn is_cancelled(&self) -> bool {
        self.is_on.load(Ordering::Relaxed) && self.files.load(Ordering::Relaxed) >= self.limit
    }
}

fn everything_of(revision: &str) -> restore::Options {
    let revision = Some(revision.to_owned());
    restore::Options { revision, paths: vec![AssetPath::root()], ..restore::Options::default() }
}

/// Two commits of many files, and edits that nobody committed.
fn studio() -> Lab {
    let lab = Lab::new();
    for number in 0..30 {
        lab.write(&format!("set {}/{number}.raw", number % 3), noise(number, 3000));
    }
    lab.commit("First");
    for number in 0..30 {
        lab.write(&format!("set {}/{number}.raw", number % 3), noise(number + 100, 3000));
    }
    lab.commit("Second");
    for number in 0..10 {
        lab.write(&format!("set {}/{number}.raw", number % 3), format!("never committed {number}"));
    }
    lab.write("new.txt", "never committed either");
    lab
}

#[test]
fn a_restore_that_is_stopped_is_told_by_status_and_finished_by_the_next_command() {
    let lab = studio();
    let before = read_folder(lab.folder.path());
    let stop = StopAfter::writing(7);
    let report = restore::run(&lab.repository, &everything_of("@~1"), &lab.clock, &stop).expect("a report");
    assert!(report.files.left > 0 && report.files.left < 30, "{:?}", report.files);
    assert_eq!(lab.status().unfinished.as_deref(), Some("restore"));
    // A commit would take half of it; it finishes what was begun first.
    lab.commit("Third");
    assert_eq!(lab.status().unfinished, None);
    for number in 0..30 {
        assert_eq!(lab.read(&format!("set {}/{number}.raw", number % 3)), Some(noise(number, 3000)));
    }
    lab.undo();
    lab.undo();
    assert_eq!(read_folder(lab.folder.path()), before);
}

#[test]
fn the_name_of_what_is_set_aside_is_in_the_journal_before_a_file_changes() {
    let lab = studio();
    let before = read_folder(lab.folder.path());
    let stop = StopAfter::writing(0);
    let report = restore::run(&lab.repository, &everything_of("@~1"), &lab.clock, &stop).expect("a report");
    assert_eq!(report.files.written, 0, "{:?}", report.files);
    assert_eq!(read_folder(lab.folder.path()), before);
    let journal = lab.repository.view().expect("a view").journal().expect("a journal");
    let entry = journal.last().expect("an entry");
    assert_eq!(entry.verb, "restore");
    assert!(entry.displaced.is_some());
}

#[test]
fn an_undo_that_is_stopped_again_and_again_brings_everything_back() {
    let lab = studio();
    let before = read_folder(lab.folder.path());
    restore::run(&lab.repository, &everything_of("@~1"), &lab.clock, &SilentMonitor).expect("a restore");
    let stop = StopAfter::writing(3);
    let report = undo::run(&lab.repository, Direction::Undo, &lab.clock, &stop).expect("an undo");
    assert!(report.files.left > 0 && report.brought_back.is_empty(), "{report:?}");
    for limit in [2, 5] {
        let refused = undo::run(&lab.repository, Direction::Redo, &lab.clock, &StopAfter::writing(limit));
        assert!(refused.is_err(), "it was stopped once more");
    }
    // Whatever comes next finishes it; there was only this one to take back beside the commits.
    lab.commit_paths("Nothing of this", &["no such folder"]);
    assert_eq!(read_folder(lab.folder.path()), before);
}

#[test]
fn a_switch_that_is_stopped_goes_on_with_the_work_of_both_branches() {
    let lab = studio();
    let on_main = read_folder(lab.folder.path());
    switch::begin_draft(&lab.repository, "bold", &lab.clock, &SilentMonitor).expect("a draft");
    lab.commit("Bold");
    let bold = read_folder(lab.folder.path());
    fs::remove_file(lab.at("new.txt")).expect("a removed file");
    lab.write("set 0/0.raw", "bolder, not committed");
    let bolder = read_folder(lab.folder.path());
    assert_ne!(bold, bolder);
    let stop = StopAfter::writing(4);
    let report = switch::run(&lab.repository, "main", &lab.clock, &stop).expect("a switch");
    assert!(report.files.left > 0, "{:?}", report.files);
    switch::run(&lab.repository, "bold", &lab.clock, &SilentMonitor).expect("a switch back");
    assert_eq!(read_folder(lab.folder.path()), bolder);
    switch::run(&lab.repository, "main", &lab.clock, &SilentMonitor).expect("a switch");
    let main = read_folder(lab.folder.path());
    assert_eq!(
        main["set 0/0.raw"].bytes(),
        noise(100, 3000),
        "work that is in a commit of the draft is there"
    );
    assert!(!main.contains_key("new.txt") && main.len() + 1 == on_main.len());
}

#[test]
fn what_is_shown_can_be_changed_stopped_and_taken_back() {
    let lab = studio();
    lab.commit("All of it");
    let all = read_folder(lab.folder.path());
    let run = |options: sparse::Options, monitor: &dyn Monitor| {
        sparse::run(&lab.repository, &options, &lab.clock, monitor).expect("a change of what is shown")
    };
    let report = run(sparse::Options::Remove(vec![path("set 1")]), &StopAfter::writing(2));
    assert!(report.files.left > 0, "{:?}", report.files);
    lab.commit_paths("Nothing of this", &["no such folder"]);
    assert!(!lab.at("set 1").exists());
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    lab.undo();
    assert_eq!(read_folder(lab.folder.path()), all);
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    lab.redo();
    assert!(!lab.at("set 1").exists());
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    let report = run(sparse::Options::All, &StopAfter::writing(2));
    assert!(report.files.left > 0, "{:?}", report.files);
    // Files that are still to come are not files that somebody removed.
    let commit = lab.commit("Nothing is gone");
    assert!(commit.commit.is_none(), "{:?}", lines(&commit.changes));
    assert_eq!(read_folder(lab.folder.path()), all);
    lab.undo();
    assert!(!lab.at("set 1").exists());
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

#[test]
fn what_was_set_aside_too_long_ago_does_not_stop_an_undo() {
    let lab = studio();
    restore::run(&lab.repository, &everything_of("@~1"), &lab.clock, &SilentMonitor).expect("a restore");
    fs::remove_dir_all(lab.at(".pent/displaced")).expect("removed");
    for _ in 0..40 * 24 * 60 {
        pentimento::base::time::Clock::now(&lab.clock);
    }
    let report = lab.undo();
    let told: Vec<&str> = report.files.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("kept for 30 days"), "{told:?}");
    assert_eq!(lab.read("set 2/29.raw"), Some(noise(129, 3000)), "what was committed is back");
    assert_eq!(lab.status().unfinished, None);
}

#[test]
fn the_new_place_of_a_moved_file_committed_alone_keeps_the_asset() {
    let lab = Lab::new();
    lab.write("sketch.kra", noise(1, 5000));
    lab.write("empty", "");
    lab.write("other.txt", "1");
    lab.commit("Base");
    let asset = |name: &str| {
        let view = lab.repository.view().expect("a view");
        let head = view.head().expect("a head").expect("a commit");
        let tree = pentimento::object::source::ObjectSource::commit(&view, head).expect("a commit").tree;
        entry_at(&view, tree, &path(name)).expect("a tree").and_then(|entry| entry.asset)
    };
    let before = asset("sketch.kra").expect("an asset");
    fs::create_dir(lab.at("final")).expect("a folder");
    fs::rename(lab.at("sketch.kra"), lab.at("final/poster.kra")).expect("moved");
    fs::rename(lab.at("empty"), lab.at("final/nothing")).expect("moved");
    lab.write("final/copy.txt", "1");
    lab.write("other.txt", "2");
    let report = lab.commit_paths("Only the new place", &["final"]);
    assert_eq!(
        lines(&report.changes),
        ["new final/copy.txt", "new final/nothing", "moved sketch.kra -> final/poster.kra"]
    );
    assert_eq!(asset("final/poster.kra"), Some(before));
    assert_eq!(asset("sketch.kra"), None);
    assert_eq!(lab.changes(), ["removed empty", "changed other.txt"]);
}

#[test]
fn a_move_that_was_taken_back_by_hand_can_be_undone() {
    let lab = Lab::new();
    lab.write("a.txt", "1");
    lab.commit("Base");
    let mv = |from: &str, to: &str| {
        let (from, to) = (path(from), path(to));
        pentimento::app::mv::run(&lab.repository, &from, &to, &lab.clock, &SilentMonitor).expect("a move")
    };
    mv("a.txt", "b/c.txt");
    fs::rename(lab.at("b/c.txt"), lab.at("a.txt")).expect("moved back");
    lab.undo();
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    assert_eq!(lab.text("a.txt").as_deref(), Some("1"));
}

/// A branch that has a file whose content is nowhere, in the place of one that main has.
fn with_lost_content() -> Lab {
    let lab = Lab::new();
    lab.write("shot.mov", noise(1, 5000));
    lab.write("other.txt", "1");
    lab.commit("Base");
    lab.new_draft("x");
    let lost = |byte| {
        let id = pentimento::base::id::FileId::from_bytes([byte; 32]);
        pentimento::object::tree::Content::File { id, size: 70_000, executable: false }
    };
    lab.commit_entry("draft/x", "shot.mov", lost(7));
    lab.commit_entry("draft/x", "new.mov", lost(8));
    lab
}

fn committed_id(lab: &Lab, at: &str) -> Option<[u8; 32]> {
    use pentimento::object::source::ObjectSource as _;
    let view = lab.repository.view().expect("a view");
    let tree = view.commit(lab.head()).expect("a commit").tree;
    let entry = entry_at(&view, tree, &path(at)).expect("a tree")?;
    entry.content.file_id().map(|id| *id.as_bytes())
}

#[test]
fn what_could_not_be_written_is_told_and_no_commit_takes_it_for_an_edit() {
    let lab = with_lost_content();
    let report = lab.switch("x");
    assert_eq!(report.files.problems.len(), 2, "{:?}", report.files.problems);
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    assert_eq!(lab.status().problems.len(), 2);
    lab.write("other.txt", "2");
    let commit = lab.commit("Mine");
    assert_eq!(lines(&commit.changes), ["changed other.txt"]);
    assert_eq!(commit.problems.len(), 2, "{:?}", commit.problems);
    assert_eq!(committed_id(&lab, "shot.mov"), Some([7; 32]));
    assert_eq!(committed_id(&lab, "new.mov"), Some([8; 32]));
    // It stays so on the way to other branches and back.
    lab.switch("main");
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    assert!(lab.status().problems.is_empty());
    assert_eq!(lab.read("shot.mov"), Some(noise(1, 5000)));
    lab.switch("x");
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    lab.undo();
    lab.redo();
    assert_eq!(lab.status().problems.len(), 2);
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

#[test]
fn what_somebody_does_to_it_ends_that_it_could_not_be_written() {
    let lab = with_lost_content();
    lab.switch("x");
    fs::remove_file(lab.at("shot.mov")).expect("a removed file");
    lab.write("new.mov", "made again");
    assert_eq!(lab.changes(), ["changed new.mov", "removed shot.mov"]);
    lab.commit("Mended by hand");
    assert!(lab.changes().is_empty());
    assert!(lab.status().problems.is_empty());
    fs::remove_file(lab.at("new.mov")).expect("a removed file");
    assert_eq!(lab.changes(), ["removed new.mov"], "it was brought, so this is a removal");
}

#[test]
fn a_change_that_was_finished_does_not_come_back_by_an_undo() {
    let lab = studio();
    lab.new_draft("bold");
    let stop = StopAfter::writing(2);
    restore::run(&lab.repository, &everything_of("@~1"), &lab.clock, &stop).expect("a restore");
    lab.label("set 0/0.raw", "spring");
    // Takes the label back, after it has finished the restore.
    lab.undo();
    assert_eq!(lab.status().unfinished, None);
    lab.write("set 0/0.raw", "worked on since");
    lab.commit_paths("Nothing of this", &["no such folder"]);
    assert_eq!(lab.text("set 0/0.raw").as_deref(), Some("worked on since"));
}

#[test]
fn what_is_set_aside_when_a_change_is_gone_on_with_late_is_not_old() {
    let lab = studio();
    let stop = StopAfter::writing(7);
    restore::run(&lab.repository, &everything_of("@~1"), &lab.clock, &stop).expect("a restore");
    let days = |count: u64| {
        for _ in 0..count * 24 * 60 {
            pentimento::base::time::Clock::now(&lab.clock);
        }
    };
    let collect = || {
        let options = pentimento::app::gc::Options::default();
        let report = pentimento::app::gc::run(&lab.repository, &options, &lab.clock, &SilentMonitor);
        report.expect("a collection").set_aside.sets
    };
    days(40);
    assert_eq!(collect(), 0, "it is still to be gone on with");
    for number in 0..30 {
        lab.write(&format!("set {}/{number}.raw", number % 3), format!("worked on since {number}"));
    }
    // Goes on with the restore, which sets this aside.
    lab.commit_paths("Nothing of this", &["no such folder"]);
    assert_eq!(lab.read("set 0/27.raw"), Some(noise(27, 3000)));
    assert_eq!(collect(), 0, "what was set aside a moment ago is not forty days old");
    lab.undo();
    assert_eq!(lab.text("set 0/27.raw").as_deref(), Some("worked on since 27"));
    lab.redo();
    days(40);
    assert!(collect() > 0, "a set goes in the end");
}

#[test]
fn what_did_not_reach_the_disk_before_the_system_went_down_is_written_again() {
    let lab = studio();
    restore::run(&lab.repository, &everything_of("@~1"), &lab.clock, &SilentMonitor).expect("a restore");
    let mut edit = lab.repository.edit().expect("an edit");
    let mut state = edit.state().expect("a state");
    state.unsynced.as_mut().expect("files that nobody synced").boot = "an earlier run".into();
    edit.put_state(&state).expect("a state");
    edit.commit().expect("a change");
    let kept_time = |name: &str, change: &dyn Fn()| {
        let modified = fs::metadata(lab.at(name)).expect("there").modified().expect("a time");
        change();
        fs::File::open(lab.at(name)).expect("opened").set_modified(modified).expect("an old time");
    };
    // Torn, and gone from a folder that nobody changed since.
    kept_time("set 0/0.raw", &|| lab.write("set 0/0.raw", ""));
    kept_time("set 1", &|| fs::remove_file(lab.at("set 1/1.raw")).expect("a removed file"));
    std::thread::sleep(std::time::Duration::from_millis(50));
    lab.write("set 2/2.raw", "edited since");
    fs::remove_file(lab.at("set 2/5.raw")).expect("a removed file");
    lab.commit_paths("Nothing of this", &["no such folder"]);
    assert_eq!(lab.read("set 0/0.raw"), Some(noise(0, 3000)));
    assert_eq!(lab.read("set 1/1.raw"), Some(noise(1, 3000)));
    assert_eq!(lab.text("set 2/2.raw").as_deref(), Some("edited since"));
    assert!(!lab.at("set 2/5.raw").exists(), "somebody removed it later");
    let state = lab.repository.view().expect("a view").state().expect("a state");
    assert_eq!(state.unsynced, None);
}

/// Puts the note of a move back that the last command had taken away: as if it had been killed before that.
fn note_renaming(lab: &Lab, (from, to): (&str, &str), before: &PendingEdits) {
    let view = lab.repository.view().expect("a view");
    let sequence = view.journal().expect("a journal").last().expect("an entry").sequence;
    let base = view.ground(&view.state().expect("a state")).expect("a tree");
    let mut edit = lab.repository.edit().expect("an edit");
    let mut state = edit.state().expect("a state");
    assert_eq!(state.underway, None, "the note goes when it is done");
    state.underway = Some(Underway {
        files: FilesChange::between(base, base),
        sequence,
        set_aside: None,
        brings_back: None,
        is_cleared: false,
        renaming: Some(Renaming { from: path(from), to: path(to), before: before.clone() }),
    });
    edit.put_state(&state).expect("a written state");
    edit.commit().expect("a change");
}

/// A studio in which `a.psd` was moved to `deep/b.psd` and edited, so that nothing but the record knows it.
fn moved() -> (Lab, PendingEdits) {
    let lab = Lab::new();
    lab.write("a.psd", noise(1, 3000));
    lab.commit("One");
    let before = lab.repository.view().expect("a view").state().expect("a state").pending;
    mv::run(&lab.repository, &path("a.psd"), &path("deep/b.psd"), &lab.clock, &SilentMonitor)
        .expect("a move");
    (lab, before)
}

#[test]
fn a_move_that_was_cut_off_is_finished_on_either_side_of_the_renaming() {
    for was_renamed in [false, true] {
        let (lab, before) = moved();
        note_renaming(&lab, ("a.psd", "deep/b.psd"), &before);
        if !was_renamed {
            fs::rename(lab.at("deep/b.psd"), lab.at("a.psd")).expect("as it was before");
        }
        assert_eq!(lab.status().unfinished.as_deref(), Some("mv"));
        let edited = if was_renamed { "deep/b.psd" } else { "a.psd" };
        lab.write(edited, "edited meanwhile");
        let report = lab.commit("Two");
        assert_eq!(lines(&report.changes), ["moved-and-changed a.psd -> deep/b.psd"], "{was_renamed}");
        assert_eq!(lab.status().unfinished, None);
        assert_eq!(lab.read("a.psd"), None);
    }
}

#[test]
fn taking_a_move_back_that_was_cut_off_is_finished_too() {
    for was_renamed in [false, true] {
        let (lab, _) = moved();
        let before = lab.repository.view().expect("a view").state().expect("a state").pending;
        lab.undo();
        assert!(lab.changes().is_empty() && lab.read("deep/b.psd").is_none());
        note_renaming(&lab, ("deep/b.psd", "a.psd"), &before);
        if !was_renamed {
            fs::create_dir_all(lab.at("deep")).expect("a folder");
            fs::rename(lab.at("a.psd"), lab.at("deep/b.psd")).expect("as it was before");
        }
        lab.redo();
        assert_eq!(lab.changes(), ["moved a.psd -> deep/b.psd"], "{was_renamed}");
        lab.undo();
        assert!(lab.changes().is_empty(), "{was_renamed}");
    }
}

#[test]
fn a_move_that_cannot_be_finished_any_more_leaves_nothing_in_the_records() {
    let (lab, before) = moved();
    note_renaming(&lab, ("a.psd", "deep/b.psd"), &before);
    fs::rename(lab.at("deep/b.psd"), lab.at("a.psd")).expect("as it was before");
    lab.write("deep/b.psd", "somebody else's");
    let report = lab.commit_paths("Only the other one", &["deep"]);
    assert_eq!(lines(&report.changes), ["new deep/b.psd"]);
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    let view = lab.repository.view().expect("a view");
    assert_eq!(view.state().expect("a state").pending, before);
    let verbs: Vec<String> = view.journal().expect("a journal").into_iter().map(|entry| entry.verb).collect();
    assert_eq!(verbs, ["commit", "commit"]);
}

#[test]
fn a_move_that_fails_leaves_nothing_in_the_records() {
    let lab = Lab::new();
    lab.write("a.psd", noise(1, 3000));
    lab.write("full", "a file where a folder would have to be");
    lab.commit("One");
    let moved = mv::run(&lab.repository, &path("a.psd"), &path("full/b.psd"), &lab.clock, &SilentMonitor);
    moved.expect_err("no folder can be made there");
    assert!(lab.changes().is_empty() && lab.status().unfinished.is_none());
    let journal = lab.repository.view().expect("a view").journal().expect("a journal");
    assert_eq!(journal.len(), 1);
    assert_eq!(lab.read("a.psd"), Some(noise(1, 3000)));
}
