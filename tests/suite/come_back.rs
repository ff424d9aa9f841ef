//! Coming back to a branch with uncommitted work: when the branch has moved on, the work is carried over
//! to what the branch has become, and nothing that was committed in the meantime is taken back.

use crate::app_flow::{Lab, lines, noise, path};
use pentimento::app::meta::{self, Change};
use pentimento::app::resolve::{self, Decision};
use pentimento::app::{merge, mv, switch};
use pentimento::base::id::CommitId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::object::source::ObjectSource as _;
use pentimento::repo::refs::{RefName, RefTarget};
use std::fs;

impl Lab {
    /// Lets a branch that nobody is on go to where another stands, as a landing or a push does.
    pub fn advance(&self, branch: &str, to: &str) {
        let name = |text: &str| RefName::branch(text).expect("a name");
        let mut edit = self.repository.edit().expect("an edit");
        let at = |name: &RefName| edit.reference(name).expect("a look").map(|target| target.commit);
        let (before, after) = (at(&name(branch)), at(&name(to)).expect("a commit"));
        edit.set_reference(&name(branch), before, Some(RefTarget::plain(after))).expect("a move");
        edit.commit().expect("a change");
    }

    pub fn head(&self) -> CommitId {
        self.repository.view().expect("a view").head().expect("a head").expect("a commit")
    }

    pub fn parents(&self) -> Vec<CommitId> {
        self.repository.view().expect("a view").commit(self.head()).expect("a commit").parents
    }

    pub fn label(&self, at: &str, label: &str) {
        let change = Change::Labels { add: vec![label.to_owned()], remove: Vec::new() };
        meta::change(&self.repository, &[path(at)], &[change], &|_| true, &self.clock, &SilentMonitor)
            .expect("a label");
    }

    /// The labels of a path as the worktree has them.
    pub fn labels(&self, at: &str) -> String {
        let report = meta::get(&self.repository, &[path(at)]).expect("metadata");
        let mut fields = report.assets[0].fields.iter();
        fields.next().map(|(_, field)| field.text.clone()).unwrap_or_default()
    }
}

/// Work on `a.psd` waits with main, the worktree is on a draft that begins there.
fn studio() -> Lab {
    let lab = Lab::new();
    lab.write("a.psd", noise(1, 20_000));
    lab.write("b.psd", noise(2, 20_000));
    lab.write("brief.md", "one\ntwo\nthree\nfour\nfive\n");
    lab.commit("Base");
    lab.new_draft("x");
    lab
}

#[test]
fn what_landed_in_the_meantime_stays_beside_the_work_that_waited() {
    let lab = studio();
    lab.write("a.psd", noise(11, 20_000));
    lab.write("new.txt", "never committed");
    lab.write("brief.md", "one\ntwo\nthree\nfour\nFIVE\n");
    lab.switch("x");
    lab.write("b.psd", noise(12, 20_000));
    lab.write("landed.png", noise(13, 900));
    lab.write("brief.md", "ONE\ntwo\nthree\nfour\nfive\n");
    lab.commit("Landed");
    lab.advance("main", "draft/x");
    let report = lab.switch("main");
    assert_eq!((report.taken_up_paths, report.conflicts.len()), (3, 0));
    assert_eq!(report.texts_merged, [path("brief.md")]);
    assert_eq!(lab.changes(), ["changed a.psd", "changed brief.md", "new new.txt"]);
    assert_eq!(lab.read("b.psd"), Some(noise(12, 20_000)), "landed work is not taken back");
    assert_eq!(lab.read("landed.png"), Some(noise(13, 900)));
    assert_eq!(lab.text("brief.md").as_deref(), Some("ONE\ntwo\nthree\nfour\nFIVE\n"));
    let commit = lab.commit("My work");
    assert_eq!(lines(&commit.changes), ["changed a.psd", "changed brief.md", "new new.txt"]);
    assert!(lab.changes().is_empty());
    lab.undo();
    lab.undo();
    assert_eq!(lab.status().branch, "draft/x");
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    assert!(lab.text("new.txt").is_none());
    lab.redo();
    assert_eq!(lab.changes(), ["changed a.psd", "changed brief.md", "new new.txt"]);
}

#[test]
fn the_same_file_changed_on_both_sides_waits_for_a_decision_and_is_committed_as_work() {
    for (decision, wanted) in [(Decision::Ours, 12), (Decision::Theirs, 11)] {
        let lab = studio();
        lab.write("a.psd", noise(11, 20_000));
        lab.switch("x");
        lab.write("a.psd", noise(12, 20_000));
        lab.commit("Landed");
        lab.advance("main", "draft/x");
        let report = lab.switch("main");
        assert_eq!(report.conflicts.len(), 1, "{:?}", report.conflicts);
        assert_eq!(lab.read("a.psd"), Some(noise(12, 20_000)), "what is committed stays in the file");
        let status = lab.status();
        let waiting = status.merge.expect("something to decide");
        assert_eq!((waiting.commit, waiting.undecided), (None, vec![path("a.psd")]));
        assert!(lines(&status.changes).is_empty(), "{:?}", status.changes);
        lab.resolve(&["a.psd"], decision);
        assert_eq!(lab.read("a.psd"), Some(noise(wanted, 20_000)));
        assert!(lab.status().merge.is_none());
        let head = lab.head();
        lab.write("other.txt", "more");
        lab.commit("Decided");
        assert_eq!(lab.parents(), [head], "it is work of one branch, and no merge");
        assert_eq!(lab.read("a.psd"), Some(noise(wanted, 20_000)));
        assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    }
}

#[test]
fn moves_and_metadata_of_work_that_waited_meet_what_was_committed() {
    let lab = studio();
    mv::run(&lab.repository, &path("a.psd"), &path("final/poster.psd"), &lab.clock, &SilentMonitor)
        .expect("a move");
    lab.label("final/poster.psd", "approved");
    lab.label("b.psd", "spring");
    lab.switch("x");
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    lab.write("a.psd", noise(12, 20_000));
    lab.label("b.psd", "web");
    lab.commit("Landed");
    lab.advance("main", "draft/x");
    lab.switch("main");
    assert_eq!(lab.read("final/poster.psd"), Some(noise(12, 20_000)), "the new pixels at the new place");
    assert!(!lab.at("a.psd").exists());
    assert_eq!(lab.labels("final/poster.psd"), "approved");
    assert_eq!(lab.labels("b.psd"), "spring, web");
    assert_eq!(lab.changes(), ["metadata b.psd", "moved a.psd -> final/poster.psd"]);
    lab.commit("Moved");
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    assert_eq!(lab.labels("final/poster.psd"), "approved");
    assert_eq!(lab.labels("b.psd"), "spring, web");
}

#[test]
fn a_decision_about_work_that_waited_keeps_its_moves_and_metadata() {
    let lab = studio();
    lab.write("a.psd", noise(11, 20_000));
    lab.label("a.psd", "approved");
    fs::remove_file(lab.at("b.psd")).expect("a removed file");
    lab.switch("x");
    lab.write("a.psd", noise(12, 20_000));
    lab.write("b.psd", noise(22, 20_000));
    lab.commit("Landed");
    lab.advance("main", "draft/x");
    let report = lab.switch("main");
    assert_eq!(report.conflicts.len(), 2, "{:?}", report.conflicts);
    assert_eq!(lab.labels("a.psd"), "approved", "nobody disagrees about that");
    lab.resolve(&[], Decision::Theirs);
    assert_eq!(lab.read("a.psd"), Some(noise(11, 20_000)));
    assert!(!lab.at("b.psd").exists());
    assert_eq!(lab.labels("a.psd"), "approved");
    assert_eq!(lab.changes(), ["changed a.psd", "removed b.psd"]);
    lab.undo();
    assert_eq!(lab.read("b.psd"), Some(noise(22, 20_000)));
    assert_eq!(lab.status().merge.expect("something to decide").undecided.len(), 2);
    lab.redo();
    assert_eq!(lab.changes(), ["changed a.psd", "removed b.psd"]);
}

#[test]
fn a_merge_that_waited_on_a_branch_that_moved_on_still_has_both_sides() {
    let lab = studio();
    lab.switch("x");
    lab.write("a.psd", noise(12, 20_000));
    lab.write("extra.png", noise(13, 900));
    lab.commit("In the draft");
    lab.switch("main");
    lab.write("a.psd", noise(22, 20_000));
    lab.commit("On main");
    lab.new_draft("ahead");
    assert_eq!(lab.merge("x").outcome, merge::Outcome::Undecided);
    lab.write("extra.png", noise(14, 900));
    lab.switch("ahead");
    lab.write("b.psd", noise(32, 20_000));
    lab.commit("Ahead");
    lab.advance("main", "draft/ahead");
    let report = switch::run(&lab.repository, "main", &lab.clock, &SilentMonitor).expect("a switch");
    assert!(report.conflicts.is_empty(), "nothing new is in conflict");
    assert_eq!(lab.read("b.psd"), Some(noise(32, 20_000)));
    assert_eq!(lab.read("extra.png"), Some(noise(14, 900)));
    lab.resolve(&[], Decision::Theirs);
    let head = lab.head();
    lab.commit("Both");
    assert_eq!(lab.parents().len(), 2);
    assert_eq!(lab.parents()[0], head);
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    assert_eq!(lab.read("a.psd"), Some(noise(12, 20_000)));
    assert_eq!(lab.read("b.psd"), Some(noise(32, 20_000)));
}

#[test]
fn both_are_kept_also_where_a_file_has_landed_in_the_place_of_the_folder() {
    let lab = Lab::new();
    lab.write("shots/day/a.psd", noise(1, 20_000));
    lab.commit("Base");
    lab.new_draft("x");
    lab.write("shots/day/a.psd", noise(2, 20_000));
    lab.switch("x");
    fs::remove_dir_all(lab.at("shots")).expect("a removed folder");
    lab.write("shots", noise(3, 900));
    lab.commit("One file");
    lab.advance("main", "draft/x");
    assert!(!lab.switch("main").conflicts.is_empty());
    let report = resolve::run(&lab.repository, &[], Decision::Both, &lab.clock, &SilentMonitor);
    let report = report.expect("a decision");
    let beside: Vec<&AssetPath> = report.decided.iter().filter_map(|line| line.beside.as_ref()).collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
    let kept = beside[0].to_string();
    assert!(kept.starts_with("shots (") && kept.ends_with(")/day/a.psd"), "{kept}");
    assert_eq!(lab.read(&kept), Some(noise(2, 20_000)));
    assert_eq!(lab.read("shots"), Some(noise(3, 900)));
}

#[test]
fn theirs_comes_also_when_a_file_has_come_to_the_place_of_its_folder_since() {
    let lab = Lab::new();
    lab.write("shots/a.psd", noise(1, 9000));
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write("shots/a.psd", noise(2, 9000));
    lab.switch("main");
    fs::remove_dir_all(lab.at("shots")).expect("removed");
    lab.commit("Removed");
    lab.advance("draft/x", "main");
    assert_eq!(lab.switch("x").conflicts.len(), 1, "it was edited here and removed there");
    // While that waits a file comes to the place of the folder, and the work is carried over once more.
    fs::remove_dir_all(lab.at("shots")).expect("removed");
    lab.write("shots", noise(3, 9000));
    lab.switch("main");
    lab.write("more.txt", "2");
    lab.commit("More");
    lab.advance("draft/x", "main");
    lab.switch("x");
    let report = lab.resolve(&[], Decision::Theirs);
    let beside = report.decided[0].beside.as_ref().expect("a place beside").to_string();
    assert_eq!(
        (lab.read("shots"), lab.read(&beside)),
        (Some(noise(3, 9000)), Some(noise(2, 9000))),
        "{beside}"
    );
    lab.commit("Both");
    assert!(lab.changes().is_empty());
}
