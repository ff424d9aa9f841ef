//! Commands that change files and names: restore, switch, merge, resolve, mv, undo. What was not
//! committed must survive each of them.

use crate::app_flow::{Lab, anna, noise, path};
use pentimento::app::{draft, log, merge, meta, resolve, restore, switch, undo};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use std::fs;

impl Lab {
    pub fn restore(&self, revision: Option<&str>, paths: &[&str]) -> restore::Report {
        let options = restore::Options {
            revision: revision.map(str::to_owned),
            paths: paths
                .iter()
                .map(|text| if *text == "." { AssetPath::root() } else { path(text) })
                .collect(),
            ..restore::Options::default()
        };
        restore::run(&self.repository, &options, &self.clock, &SilentMonitor).expect("a restore")
    }

    pub fn undo(&self) -> undo::Report {
        undo::run(&self.repository, undo::Direction::Undo, &self.clock, &SilentMonitor).expect("an undo")
    }

    pub fn redo(&self) -> undo::Report {
        undo::run(&self.repository, undo::Direction::Redo, &self.clock, &SilentMonitor).expect("a redo")
    }

    pub fn switch(&self, name: &str) -> switch::Report {
        switch::run(&self.repository, name, &self.clock, &SilentMonitor).expect("a switch")
    }

    pub fn new_draft(&self, name: &str) {
        draft::create(&self.repository, name, None, &self.clock).expect("a draft");
    }

    pub fn merge(&self, name: &str) -> merge::Report {
        let options = merge::Options { name: name.into(), identity: Some(anna()), message: None };
        merge::run(&self.repository, &options, &self.clock, &SilentMonitor).expect("a merge")
    }

    pub fn resolve(&self, paths: &[&str], decision: resolve::Decision) -> resolve::Report {
        let paths: Vec<AssetPath> = paths.iter().map(|text| path(text)).collect();
        resolve::run(&self.repository, &paths, decision, &self.clock, &SilentMonitor).expect("a decision")
    }
}

#[test]
fn restore_brings_an_old_version_back_and_undo_brings_uncommitted_work_back() {
    let lab = Lab::new();
    lab.write("logo.svg", "version one");
    lab.commit("One");
    lab.write("logo.svg", "version two");
    lab.commit("Two");
    lab.write("logo.svg", "never committed");
    let report = lab.restore(None, &["logo.svg@1"]);
    assert_eq!(report.files.set_aside, [path("logo.svg")]);
    assert_eq!(lab.text("logo.svg").as_deref(), Some("version one"));
    let undone = lab.undo();
    assert!(undone.files.set_aside.is_empty(), "what the restore had written is in the repository");
    assert_eq!(undone.brought_back, [path("logo.svg")]);
    assert_eq!(lab.text("logo.svg").as_deref(), Some("never committed"));
    lab.redo();
    assert_eq!(lab.text("logo.svg").as_deref(), Some("version one"));
    lab.undo();
    assert_eq!(lab.text("logo.svg").as_deref(), Some("never committed"));
}

#[test]
fn a_removed_folder_comes_back_and_continues_its_assets() {
    let lab = Lab::new();
    lab.write("brand/a.svg", "a");
    lab.write("brand/b.svg", "b");
    lab.commit("Two files");
    fs::remove_dir_all(lab.at("brand")).expect("a removed folder");
    lab.commit("Gone");
    let report = lab.restore(Some("@~1"), &["brand"]);
    assert_eq!((report.files.written, report.files.removed), (2, 0));
    lab.commit("Back");
    let line = meta::get(&lab.repository, &[path("brand/a.svg")]).expect("metadata");
    let options = pentimento::app::log::Options { path: Some(path("brand/a.svg")), ..Default::default() };
    let log =
        pentimento::app::log::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a log");
    assert!(line.assets[0].asset.is_some());
    let versions: Vec<_> = log.commits.iter().filter_map(|entry| entry.change.as_ref()?.version).collect();
    assert_eq!(versions.first(), Some(&1), "the same content is the same version again");
}

#[test]
fn undo_of_a_restore_leaves_a_removed_file_removed() {
    let lab = Lab::new();
    lab.commit("Nothing yet");
    lab.write("keep.txt", "1");
    lab.commit("One");
    lab.write("a.txt", "1");
    lab.commit("Two");
    fs::remove_file(lab.at("a.txt")).expect("a removed file");
    let options = restore::Options {
        revision: Some("@~1".into()),
        paths: vec![AssetPath::root()],
        exact: true,
        ..restore::Options::default()
    };
    restore::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a restore");
    lab.undo();
    assert_eq!(lab.text("a.txt"), None, "it was removed by hand, before the restore");
}

#[test]
fn a_restore_to_the_committed_state_can_be_done_again() {
    let lab = Lab::new();
    lab.write("a.txt", "committed");
    lab.commit("One");
    lab.write("a.txt", "work");
    lab.restore(None, &["a.txt"]);
    lab.undo();
    assert_eq!(lab.text("a.txt").as_deref(), Some("work"));
    lab.redo();
    assert_eq!(lab.text("a.txt").as_deref(), Some("committed"));
    lab.undo();
    assert_eq!(lab.text("a.txt").as_deref(), Some("work"));
}

#[test]
fn a_folder_is_restored_where_the_commit_has_a_file() {
    let lab = Lab::new();
    lab.write("a/x.txt", "in a folder");
    lab.commit("A folder");
    fs::remove_dir_all(lab.at("a")).expect("a removed folder");
    lab.write("a", "a file");
    lab.commit("A file");
    lab.restore(Some("@~1"), &["a/x.txt"]);
    assert_eq!(lab.text("a/x.txt").as_deref(), Some("in a folder"));
    lab.undo();
    assert_eq!(lab.text("a").as_deref(), Some("a file"));
}

#[test]
fn a_folder_set_aside_by_a_restore_comes_back_whole() {
    let lab = Lab::new();
    lab.write("a", "a file");
    lab.commit("A file");
    fs::remove_file(lab.at("a")).expect("a removed file");
    lab.write("a/x.txt", "in a folder");
    lab.commit("A folder");
    lab.write("a/x.txt", "edited");
    lab.write("a/y.txt", "never committed");
    let options = restore::Options {
        revision: Some("@~1".into()),
        paths: vec![AssetPath::root()],
        exact: true,
        ..restore::Options::default()
    };
    restore::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a restore");
    lab.undo();
    assert_eq!(lab.text("a/x.txt").as_deref(), Some("edited"));
    lab.restore(Some("@~1"), &["a"]);
    assert_eq!(lab.text("a").as_deref(), Some("a file"));
    lab.undo();
    assert_eq!(lab.text("a/x.txt").as_deref(), Some("edited"));
    assert_eq!(lab.text("a/y.txt").as_deref(), Some("never committed"));
}

#[test]
fn what_cannot_come_back_because_its_place_is_taken_stays_set_aside_and_is_told() {
    let lab = Lab::new();
    lab.write("a/x.txt", "committed");
    lab.commit("A folder");
    fs::remove_dir_all(lab.at("a")).expect("a removed folder");
    lab.write("a", "a file, never committed");
    lab.restore(None, &["a/x.txt"]);
    lab.write("a/new.txt", "made since");
    let undone = lab.undo();
    assert_eq!(undone.files.problems.len(), 1, "{:?}", undone.files.problems);
    assert_eq!(lab.text("a/new.txt").as_deref(), Some("made since"));
    fs::rename(lab.at("a"), lab.at("b")).expect("a folder out of the way");
    lab.redo();
    lab.undo();
    assert!(lab.text("a/x.txt").is_none());
}

#[test]
fn a_mode_comes_back_although_the_bytes_never_changed() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new();
    lab.write("run.sh", "exit 0\n");
    lab.commit("A file");
    let is_executable = || lab.at("run.sh").metadata().expect("a file").permissions().mode() & 0o100 != 0;
    fs::set_permissions(lab.at("run.sh"), fs::Permissions::from_mode(0o755)).expect("a mode");
    lab.commit("A program");
    lab.undo();
    assert_eq!(lab.changes(), ["mode run.sh"]);
    lab.restore(None, &["run.sh"]);
    assert!(!is_executable(), "the commit that the worktree stands on has no such mode");
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

#[test]
fn restoring_everything_leaves_untracked_files_alone() {
    let lab = Lab::new();
    lab.write("a.txt", "1");
    lab.commit("One");
    lab.write("a.txt", "2");
    lab.write("new.txt", "untracked");
    lab.restore(None, &["."]);
    assert_eq!(lab.text("a.txt").as_deref(), Some("1"));
    assert_eq!(lab.text("new.txt").as_deref(), Some("untracked"));
    assert_eq!(lab.changes(), ["new new.txt"]);
}

#[test]
fn uncommitted_work_stays_with_its_branch_and_is_taken_up_again() {
    let lab = Lab::new();
    lab.write("poster.psd", noise(1, 200_000));
    lab.write("old.txt", "old");
    lab.commit("Base");
    lab.new_draft("bold");
    let edited = noise(2, 200_000);
    lab.write("poster.psd", &edited);
    lab.write("notes.txt", "not committed");
    fs::remove_file(lab.at("old.txt")).expect("a removed file");
    let report = lab.switch("bold");
    assert_eq!(report.shelved_paths, 3);
    assert_eq!(lab.read("poster.psd"), Some(noise(1, 200_000)));
    assert!(lab.read("notes.txt").is_none() && lab.read("old.txt").is_some());
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    let report = lab.switch("main");
    assert_eq!(report.taken_up_paths, 3);
    assert_eq!(lab.read("poster.psd"), Some(edited));
    assert_eq!(lab.text("notes.txt").as_deref(), Some("not committed"));
    assert_eq!(lab.changes(), ["new notes.txt", "removed old.txt", "changed poster.psd"]);
}

#[test]
fn a_switch_can_be_undone_with_everything_that_was_uncommitted() {
    let lab = Lab::new();
    lab.write("a.txt", "1");
    lab.commit("Base");
    lab.new_draft("x");
    lab.write("a.txt", "work");
    lab.switch("x");
    assert_eq!(lab.text("a.txt").as_deref(), Some("1"));
    lab.undo();
    assert_eq!(lab.text("a.txt").as_deref(), Some("work"));
    assert_eq!(lab.status().branch, "main");
    lab.redo();
    assert_eq!(lab.text("a.txt").as_deref(), Some("1"));
    assert_eq!(lab.status().branch, "draft/x");
    lab.switch("main");
    assert_eq!(lab.text("a.txt").as_deref(), Some("work"));
}

#[test]
fn removing_a_draft_removes_the_work_that_waits_with_it_and_undo_brings_it_back() {
    let lab = Lab::new();
    lab.write("a.txt", "1");
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write("a.txt", "work");
    lab.switch("main");
    draft::delete(&lab.repository, "x", true, &lab.clock, &SilentMonitor).expect("a removed draft");
    lab.new_draft("x");
    lab.switch("x");
    assert_eq!(lab.text("a.txt").as_deref(), Some("1"), "a new draft begins without old work");
    for _ in 0..3 {
        lab.undo();
    }
    lab.switch("x");
    assert_eq!(lab.text("a.txt").as_deref(), Some("work"));
}

#[test]
fn a_renamed_draft_and_its_work_go_back_together() {
    let lab = Lab::new();
    lab.write("a.txt", "1");
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write("a.txt", "work");
    lab.switch("main");
    draft::rename(&lab.repository, "x", "y", &lab.clock, &SilentMonitor).expect("a renamed draft");
    lab.undo();
    lab.switch("x");
    assert_eq!(lab.text("a.txt").as_deref(), Some("work"));
}

#[test]
fn an_ignored_file_in_the_way_of_a_switch_is_kept() {
    let lab = Lab::new();
    lab.write(".pentignore", "cache.bin\n");
    lab.write("a.txt", "1");
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write(".pentignore", "nothing\n");
    lab.write("cache.bin", "from the draft");
    lab.commit("Adds it");
    lab.switch("main");
    lab.write("cache.bin", "ignored and precious");
    let report = lab.switch("x");
    assert_eq!(report.files.set_aside, [path("cache.bin")]);
    assert_eq!(lab.text("cache.bin").as_deref(), Some("from the draft"));
}

#[test]
fn undo_takes_a_commit_back_without_touching_the_files() {
    let lab = Lab::new();
    lab.write("a.txt", "1");
    lab.commit("One");
    lab.write("a.txt", "2");
    lab.commit("Two");
    lab.undo();
    assert_eq!(lab.text("a.txt").as_deref(), Some("2"));
    assert_eq!(lab.changes(), ["changed a.txt"]);
    lab.redo();
    assert!(lab.changes().is_empty());
}

#[test]
fn work_on_different_assets_merges_and_both_histories_stay() {
    let lab = Lab::new();
    lab.write("a.psd", noise(1, 50_000));
    lab.write("b.psd", noise(2, 50_000));
    lab.write("brief.md", "one\ntwo\nthree\nfour\nfive\n");
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write("a.psd", noise(3, 50_000));
    lab.write("brief.md", "ONE\ntwo\nthree\nfour\nfive\n");
    lab.commit("In the draft");
    lab.switch("main");
    lab.write("b.psd", noise(4, 50_000));
    lab.write("brief.md", "one\ntwo\nthree\nfour\nFIVE\n");
    lab.commit("On main");
    let report = lab.merge("x");
    assert_eq!(report.outcome, merge::Outcome::Merged);
    assert_eq!(report.texts_merged, [path("brief.md")]);
    assert_eq!(lab.read("a.psd"), Some(noise(3, 50_000)));
    assert_eq!(lab.text("brief.md").as_deref(), Some("ONE\ntwo\nthree\nfour\nFIVE\n"));
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    lab.undo();
    assert_eq!(lab.read("a.psd"), Some(noise(1, 50_000)));
}

#[test]
fn a_branch_without_work_of_its_own_goes_forward() {
    let lab = Lab::new();
    lab.write("a.txt", "1");
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write("a.txt", "2");
    lab.commit("Draft");
    lab.switch("main");
    assert_eq!(lab.merge("x").outcome, merge::Outcome::Forward);
    assert_eq!(lab.text("a.txt").as_deref(), Some("2"));
    assert_eq!(lab.merge("x").outcome, merge::Outcome::UpToDate);
}

/// Two versions of one binary, and something else that merges.
fn conflicting() -> Lab {
    let lab = Lab::new();
    lab.write("logo.psd", noise(1, 30_000));
    lab.write("other.txt", "1");
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write("logo.psd", noise(2, 30_000));
    lab.write("extra.png", noise(9, 1000));
    lab.commit("Theirs");
    lab.switch("main");
    lab.write("logo.psd", noise(3, 30_000));
    lab.commit("Ours");
    lab
}

#[test]
fn two_versions_of_one_binary_stop_nothing_and_both_stay_at_hand() {
    let lab = conflicting();
    let report = lab.merge("x");
    assert_eq!(report.outcome, merge::Outcome::Undecided);
    assert_eq!(report.conflicts.len(), 1);
    assert_eq!(lab.read("extra.png"), Some(noise(9, 1000)), "the rest is merged already");
    assert_eq!(lab.read("logo.psd"), Some(noise(3, 30_000)), "ours stays in the files");
    let mut theirs = Vec::new();
    let options = pentimento::app::cat::Options {
        path: path("logo.psd"),
        revision: None,
        side: Some(pentimento::app::cat::Side::Theirs),
    };
    pentimento::app::cat::run(&lab.repository, &options, &mut theirs, &lab.clock, &SilentMonitor)
        .expect("theirs");
    assert_eq!(theirs, noise(2, 30_000));
}

#[test]
fn theirs_takes_the_place_of_ours_when_decided_so() {
    let lab = conflicting();
    lab.merge("x");
    let report = lab.resolve(&["logo.psd"], resolve::Decision::Theirs);
    assert!(report.undecided.is_empty());
    assert_eq!(lab.read("logo.psd"), Some(noise(2, 30_000)));
    let commit = lab.commit("Merged").commit.expect("a merge commit");
    assert_eq!(commit.parents.len(), 2);
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

#[test]
fn both_stand_side_by_side_when_decided_so() {
    let lab = conflicting();
    lab.merge("x");
    let report = lab.resolve(&[], resolve::Decision::Both);
    assert_eq!(report.decided[0].beside, Some(path("logo (draft-x).psd")));
    assert_eq!(lab.read("logo.psd"), Some(noise(3, 30_000)));
    assert_eq!(lab.read("logo (draft-x).psd"), Some(noise(2, 30_000)));
    lab.commit("Both");
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

/// Two branches added the same paths; merged, each is one asset, and its numbers are those of the
/// branch that was merged into, whichever of the two ids it keeps.
#[test]
fn an_asset_that_two_branches_added_keeps_the_numbers_of_the_branch_it_lands_on() {
    let lab = Lab::new();
    lab.write("first.txt", "1");
    lab.commit("Base");
    let names = ["a.psd", "b.psd", "c.psd", "d.psd", "e.psd", "f.psd"];
    let write =
        |seed: u64| names.iter().zip(seed..).for_each(|(name, seed)| lab.write(name, noise(seed, 5_000)));
    lab.new_draft("x");
    lab.switch("x");
    write(100);
    lab.commit("Theirs");
    lab.switch("main");
    for version in 1..=3 {
        write(version * 10);
        lab.commit("Ours");
    }
    lab.merge("x");
    lab.resolve(&names, resolve::Decision::Theirs);
    lab.commit("Merged");
    for name in names {
        let options = log::Options { path: Some(path(name)), ..log::Options::default() };
        let report = log::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a log");
        let numbers: Vec<_> =
            report.commits.iter().map(|line| line.change.as_ref().map(|change| change.version)).collect();
        assert_eq!(numbers, [4, 3, 2, 1].map(|number| Some(Some(number))), "{name}");
    }
}

#[test]
fn a_merge_with_open_decisions_cannot_be_committed_and_can_be_undone() {
    let lab = conflicting();
    lab.merge("x");
    let options = pentimento::app::commit::Options {
        message: None,
        paths: vec![],
        identity: Some(anna()),
        author: None,
        date: None,
        signing: None,
    };
    let refused = pentimento::app::commit::run(&lab.repository, &options, &lab.clock, &SilentMonitor);
    assert!(matches!(refused, Err(pentimento::app::error::AppError::Unresolved { .. })));
    lab.undo();
    assert!(lab.status().merge.is_none());
    assert!(lab.read("extra.png").is_none());
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

#[test]
fn uncommitted_work_is_not_merged_over() {
    let lab = conflicting();
    lab.write("extra.png", "mine, and not committed");
    let options = merge::Options { name: "x".into(), identity: Some(anna()), message: None };
    let refused = merge::run(&lab.repository, &options, &lab.clock, &SilentMonitor);
    assert!(matches!(refused, Err(pentimento::app::error::AppError::Uncommitted { .. })));
    assert_eq!(lab.text("extra.png").as_deref(), Some("mine, and not committed"));
}

#[test]
fn a_part_can_be_shown_and_uncommitted_work_is_never_hidden() {
    use pentimento::app::sparse;
    let lab = Lab::new();
    lab.write("brand/logo.svg", "logo");
    lab.write("video/a.mov", "a");
    lab.write("video/b.mov", "b");
    lab.commit("Base");
    lab.write("video/b.mov", "uncommitted");
    let run = |options: sparse::Options| {
        sparse::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a change of what is shown")
    };
    let report = run(sparse::Options::Add(vec![path("brand")]));
    assert_eq!(report.still_here, [path("video/b.mov")]);
    assert!(lab.read("video/a.mov").is_none());
    assert_eq!(lab.text("video/b.mov").as_deref(), Some("uncommitted"));
    assert_eq!(lab.changes(), ["changed video/b.mov"], "what is not shown is not missing");
    lab.commit("With a part shown");
    run(sparse::Options::All);
    assert_eq!(lab.text("video/a.mov").as_deref(), Some("a"));
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    let report = run(sparse::Options::Remove(vec![path("video/a.mov")]));
    assert_eq!(report.shown, Some(vec![path("brand"), path("video/b.mov")]));
    assert!(lab.read("video/a.mov").is_none());
}

/// Shows `brand` only; main and a draft differ in what is hidden.
fn partly_shown() -> Lab {
    let lab = Lab::new();
    lab.write("brand/logo.svg", "logo");
    lab.write("video/a.mov", "main's");
    lab.write("video/only.mov", "on main");
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.write("video/a.mov", "the draft's");
    fs::remove_file(lab.at("video/only.mov")).expect("a removed file");
    lab.commit("Draft");
    lab.switch("main");
    let shown = pentimento::app::sparse::Options::Add(vec![path("brand")]);
    pentimento::app::sparse::run(&lab.repository, &shown, &lab.clock, &SilentMonitor).expect("a part");
    lab
}

#[test]
fn a_hidden_file_that_was_brought_back_goes_along_to_other_branches() {
    let lab = partly_shown();
    lab.restore(None, &["video/a.mov", "video/only.mov"]);
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    lab.switch("x");
    assert_eq!(lab.text("video/a.mov").as_deref(), Some("the draft's"));
    assert!(!lab.at("video/only.mov").exists());
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    lab.switch("main");
    assert_eq!(lab.text("video/a.mov").as_deref(), Some("main's"));
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    for _ in 0..3 {
        lab.undo();
    }
    assert!(!lab.at("video").exists(), "it is hidden again");
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

#[test]
fn work_on_hidden_files_stays_with_its_branch_and_comes_back() {
    let lab = partly_shown();
    lab.restore(None, &["video/a.mov", "video/only.mov"]);
    lab.write("video/a.mov", "work on main");
    lab.write("video/only.mov", "more work on main");
    assert_eq!(lab.changes(), ["changed video/a.mov", "changed video/only.mov"]);
    lab.switch("x");
    assert_eq!(lab.text("video/a.mov").as_deref(), Some("the draft's"));
    assert!(!lab.at("video/only.mov").exists());
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
    lab.switch("main");
    assert_eq!(lab.text("video/a.mov").as_deref(), Some("work on main"));
    assert_eq!(lab.text("video/only.mov").as_deref(), Some("more work on main"));
    lab.switch("x");
    lab.undo();
    assert_eq!(lab.changes(), ["changed video/a.mov", "changed video/only.mov"]);
    lab.redo();
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

#[test]
fn undo_of_a_restore_over_an_emptied_folder_leaves_its_files_removed() {
    let lab = Lab::new();
    lab.write("set", "a file");
    lab.commit("One");
    fs::remove_file(lab.at("set")).expect("removed");
    lab.write("set/a.txt", "1");
    lab.write("set/b.txt", "2");
    lab.write("set/c/d.txt", "3");
    lab.commit("Two");
    fs::remove_file(lab.at("set/a.txt")).expect("removed");
    fs::remove_dir_all(lab.at("set/c")).expect("removed");
    let options = restore::Options {
        revision: Some("@~1".into()),
        paths: vec![AssetPath::root()],
        exact: true,
        ..restore::Options::default()
    };
    restore::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a restore");
    assert_eq!(lab.text("set").as_deref(), Some("a file"));
    lab.undo();
    assert_eq!(lab.changes(), ["removed set/a.txt", "removed set/c/d.txt"]);
    assert_eq!(lab.text("set/b.txt").as_deref(), Some("2"));
}
