//! Commands that change files and names: restore, switch, merge, resolve, mv, undo. What was not
//! committed must survive each of them.

use crate::app_flow::{Lab, anna, lines, noise, path};
use pentimento::app::{draft, log, merge, meta, mv, resolve, restore, switch, undo};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::object::source::ObjectSource as _;
use pentimento::object::tree_walk::entry_at;
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
fn a_rename_and_an_edit_at_once_stay_one_asset_when_pent_moves_it() {
    let lab = Lab::new();
    lab.write("logo.svg", "one");
    lab.commit("One");
    mv::run(&lab.repository, &path("logo.svg"), &path("brand/mark.svg"), &lab.clock, &SilentMonitor)
        .expect("a move");
    lab.write("brand/mark.svg", "quite another content");
    assert_eq!(lab.changes(), ["moved-and-changed logo.svg -> brand/mark.svg"]);
    lab.commit("Moved and edited");
    let options = pentimento::app::log::Options { path: Some(path("brand/mark.svg")), ..Default::default() };
    let log =
        pentimento::app::log::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a log");
    let versions: Vec<_> = log.commits.iter().filter_map(|entry| entry.change.as_ref()?.version).collect();
    assert_eq!(versions, [2, 1]);
}

#[test]
fn moving_a_folder_moves_everything_in_it_and_undo_moves_it_back() {
    let lab = Lab::new();
    lab.write("a/one.txt", "1");
    lab.write("a/deep/two.txt", "2");
    lab.commit("Base");
    lab.write("a/one.txt", "edited and not committed");
    let report =
        mv::run(&lab.repository, &path("a"), &path("b"), &lab.clock, &SilentMonitor).expect("a move");
    assert_eq!(report.assets, 2);
    assert_eq!(
        lab.changes(),
        ["moved a/deep/two.txt -> b/deep/two.txt", "moved-and-changed a/one.txt -> b/one.txt"]
    );
    lab.undo();
    assert_eq!(lab.text("a/one.txt").as_deref(), Some("edited and not committed"));
    assert_eq!(lab.changes(), ["changed a/one.txt"]);
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
fn labels_cost_bytes_survive_moves_and_are_merged_as_sets() {
    let lab = Lab::new();
    lab.write("big.mov", noise(1, 500_000));
    lab.commit("Base");
    let label = |word: &str| meta::Change::Labels { add: vec![word.to_owned()], remove: vec![] };
    let set = |word: &str| {
        meta::change(
            &lab.repository,
            &[path("big.mov")],
            &[label(word)],
            &|_| true,
            &lab.clock,
            &SilentMonitor,
        )
        .expect("a label")
    };
    lab.new_draft("x");
    lab.switch("x");
    set("approved");
    assert_eq!(lab.changes(), ["metadata big.mov"]);
    let report = lab.commit("Label in the draft");
    assert_eq!((report.bytes, report.counts.described), (0, 1));
    lab.switch("main");
    set("spring");
    lab.commit("Label on main");
    assert_eq!(lab.merge("x").outcome, merge::Outcome::Merged);
    let line = meta::get(&lab.repository, &[path("big.mov")]).expect("metadata");
    let labels = line.assets[0].fields.values().next().expect("labels").text.clone();
    assert_eq!(labels, "approved, spring");
}

#[test]
fn labels_of_a_moved_asset_are_seen_and_added_to_at_its_new_place() {
    let lab = Lab::new();
    lab.write("a.psd", "1");
    lab.commit("Base");
    let label = |at: &str, word: &str| {
        let change = meta::Change::Labels { add: vec![word.to_owned()], remove: vec![] };
        let report =
            meta::change(&lab.repository, &[path(at)], &[change], &|_| true, &lab.clock, &SilentMonitor);
        report.expect("a label").assets[0].fields.values().next().expect("labels").text.clone()
    };
    label("a.psd", "approved");
    lab.commit("Approved");
    mv::run(&lab.repository, &path("a.psd"), &path("b.psd"), &lab.clock, &SilentMonitor).expect("a move");
    assert_eq!(label("b.psd", "spring"), "approved, spring");
    lab.commit("Moved");
    let line = meta::get(&lab.repository, &[path("b.psd")]).expect("metadata");
    assert_eq!(line.assets[0].fields.values().next().expect("labels").text, "approved, spring");
}

#[test]
fn a_moved_asset_that_is_restored_to_its_old_place_is_at_home_there_with_its_labels() {
    let lab = Lab::new();
    lab.write("a.psd", "1");
    lab.commit("Base");
    let change = meta::Change::Labels { add: vec!["approved".into()], remove: vec![] };
    meta::change(&lab.repository, &[path("a.psd")], &[change], &|_| true, &lab.clock, &SilentMonitor)
        .expect("a label");
    lab.commit("Approved");
    let asset_at = |at: &str| {
        let view = lab.repository.view().expect("a view");
        let tree = view.commit(view.head().expect("a head").expect("a commit")).expect("a commit").tree;
        entry_at(&view, tree, &path(at)).expect("an entry").expect("an entry").asset.expect("an asset")
    };
    let asset = asset_at("a.psd");
    mv::run(&lab.repository, &path("a.psd"), &path("b.psd"), &lab.clock, &SilentMonitor).expect("a move");
    lab.restore(Some("@"), &["a.psd"]);
    let labels = |at: &str| {
        let line = meta::get(&lab.repository, &[path(at)]).expect("metadata");
        line.assets[0].fields.values().next().map(|labels| labels.text.clone())
    };
    for at in ["a.psd", "b.psd"] {
        assert_eq!(labels(at).as_deref(), Some("approved"), "{at} as it waits");
    }
    assert_eq!(lab.changes(), ["new b.psd"]);
    lab.commit("Both");
    for at in ["a.psd", "b.psd"] {
        assert_eq!(labels(at).as_deref(), Some("approved"), "{at} as it is committed");
    }
    assert_eq!(asset_at("a.psd"), asset, "the asset is where it was brought back to");
    assert_ne!(asset_at("b.psd"), asset);
}

#[test]
fn a_label_that_waits_goes_with_an_asset_that_is_moved_by_hand() {
    let lab = Lab::new();
    lab.write("a.psd", "1");
    lab.commit("Base");
    let change = meta::Change::Labels { add: vec!["approved".into()], remove: vec![] };
    meta::change(&lab.repository, &[path("a.psd")], &[change], &|_| true, &lab.clock, &SilentMonitor)
        .expect("a label");
    fs::rename(lab.at("a.psd"), lab.at("b.psd")).expect("a moved file");
    lab.commit("Moved");
    let line = meta::get(&lab.repository, &[path("b.psd")]).expect("metadata");
    assert_eq!(line.assets[0].fields.values().next().expect("labels").text, "approved");
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

/// Which assets stand at which paths of the newest commit.
fn assets(lab: &Lab, paths: &[&str]) -> Vec<Option<pentimento::base::id::AssetId>> {
    let paths: Vec<AssetPath> = paths.iter().map(|text| path(text)).collect();
    let report = meta::get(&lab.repository, &paths).expect("metadata");
    report.assets.into_iter().map(|line| line.asset).collect()
}

#[test]
fn a_restored_file_whose_asset_lives_on_elsewhere_begins_an_asset_of_its_own() {
    let lab = Lab::new();
    lab.write("a.psd", "1");
    lab.commit("Base");
    mv::run(&lab.repository, &path("a.psd"), &path("b.psd"), &lab.clock, &SilentMonitor).expect("a move");
    lab.commit("Moved");
    lab.restore(Some("@~1"), &["a.psd"]);
    lab.commit("Both");
    let assets = assets(&lab, &["a.psd", "b.psd"]);
    assert!(assets[0].is_some() && assets[1].is_some() && assets[0] != assets[1], "{assets:?}");
}

#[test]
fn a_move_of_which_one_end_is_named_is_committed_whole() {
    let lab = Lab::new();
    lab.write("a.psd", "1");
    lab.write("other.txt", "1");
    lab.commit("Base");
    let before = assets(&lab, &["a.psd"]);
    mv::run(&lab.repository, &path("a.psd"), &path("b.psd"), &lab.clock, &SilentMonitor).expect("a move");
    lab.write("other.txt", "2");
    lab.commit_paths("Moved", &["b.psd"]);
    assert_eq!(lab.changes(), ["changed other.txt"]);
    assert_eq!(assets(&lab, &["b.psd"]), before);
}

#[test]
fn a_move_by_hand_of_which_only_the_old_place_is_named_is_committed_whole() {
    let lab = Lab::new();
    lab.write("shots/a.psd", "the first picture");
    lab.write("shots/b.psd", "the second picture");
    lab.write("gone.txt", "it goes for good");
    lab.write("other.txt", "1");
    lab.commit("Base");
    let before = assets(&lab, &["shots/a.psd", "shots/b.psd"]);
    fs::create_dir(lab.at("final")).expect("a folder");
    fs::rename(lab.at("shots/a.psd"), lab.at("final/cover.psd")).expect("a moved file");
    lab.write("other.txt", "2");
    // Just as status shows it.
    assert_eq!(lab.changes(), ["moved shots/a.psd -> final/cover.psd", "changed other.txt"]);
    let report = lab.commit_paths("By its old name", &["shots/a.psd"]);
    assert_eq!(lines(&report.changes), ["moved shots/a.psd -> final/cover.psd"]);
    assert_eq!(lab.changes(), ["changed other.txt"]);
    assert_eq!(assets(&lab, &["final/cover.psd"]), before[..1]);
    // A folder that was named has one that went elsewhere, and one that is gone is only gone.
    fs::rename(lab.at("shots/b.psd"), lab.at("final/back.psd")).expect("a moved file");
    let report = lab.commit_paths("By its old folder", &["shots"]);
    assert_eq!(lines(&report.changes), ["moved shots/b.psd -> final/back.psd"]);
    assert_eq!(assets(&lab, &["final/back.psd"]), before[1..]);
    fs::remove_file(lab.at("gone.txt")).expect("a removed file");
    let report = lab.commit_paths("Gone", &["gone.txt"]);
    assert_eq!(lines(&report.changes), ["removed gone.txt"]);
    assert_eq!(lab.changes(), ["changed other.txt"]);
}

#[test]
fn only_what_stands_there_moves() {
    let lab = Lab::new();
    lab.write("a/x.txt", "1");
    lab.commit("A folder");
    fs::remove_dir_all(lab.at("a")).expect("a removed folder");
    lab.write("a", "a file in its place");
    mv::run(&lab.repository, &path("a"), &path("b"), &lab.clock, &SilentMonitor).expect("a move");
    lab.commit_paths("The file", &["b"]);
    assert_eq!(lab.changes(), ["removed a/x.txt"]);
}

#[test]
fn an_asset_moved_over_a_removed_one_brings_its_own_metadata() {
    let lab = Lab::new();
    lab.write("a.psd", "1");
    lab.write("b.psd", "2");
    lab.commit("Base");
    let change = meta::Change::Labels { add: vec!["old".into()], remove: vec![] };
    meta::change(&lab.repository, &[path("b.psd")], &[change], &|_| true, &lab.clock, &SilentMonitor)
        .expect("a label");
    lab.commit("Labelled");
    let asset = |at: &str| meta::get(&lab.repository, &[path(at)]).expect("metadata").assets[0].asset;
    let moved = asset("a.psd");
    fs::remove_file(lab.at("b.psd")).expect("a removed file");
    mv::run(&lab.repository, &path("a.psd"), &path("b.psd"), &lab.clock, &SilentMonitor).expect("a move");
    lab.commit("Moved over");
    let line = meta::get(&lab.repository, &[path("b.psd")]).expect("metadata");
    assert_eq!(asset("b.psd"), moved);
    assert!(line.assets[0].fields.is_empty(), "{:?}", line.assets[0].fields);
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
fn the_repository_itself_is_never_moved_and_a_name_may_change_its_case() {
    let lab = Lab::new();
    lab.write("a.txt", "1");
    lab.commit("Base");
    let mv = |from: &str, to: &str| {
        mv::run(&lab.repository, &path(from), &path(to), &lab.clock, &SilentMonitor).map(|report| report.to)
    };
    for from in [".pent", ".pent/config.toml", ".PENT"] {
        mv(from, "elsewhere").expect_err("a refusal");
    }
    assert!(lab.at(".pent").is_dir() && !lab.at("elsewhere").exists());
    assert_eq!(mv("a.txt", "A.txt").expect("a move"), path("A.txt"));
    assert_eq!(lab.text("A.txt").as_deref(), Some("1"));
    assert_eq!(lab.changes(), ["moved a.txt -> A.txt"]);
    // Where case counts, the other name is another file, and is not replaced.
    lab.write("a.txt", "another");
    if lab.text("A.txt").as_deref() == Some("1") {
        mv("A.txt", "a.txt").expect_err("a refusal");
        assert_eq!(lab.text("A.txt").as_deref(), Some("1"));
        assert_eq!(lab.text("a.txt").as_deref(), Some("another"));
    }
}

#[test]
fn what_was_moved_by_command_is_the_asset_whatever_takes_its_old_place() {
    let lab = Lab::new();
    lab.write("logo.psd", noise(1, 5_000));
    lab.commit("One");
    let label = |name: &str, word: &str| {
        let change = meta::Change::Labels { add: vec![word.to_owned()], remove: vec![] };
        meta::change(&lab.repository, &[path(name)], &[change], &|_| true, &lab.clock, &SilentMonitor)
            .expect("a label");
    };
    label("logo.psd", "approved");
    lab.commit("Labelled");
    mv::run(&lab.repository, &path("logo.psd"), &path("old/logo.psd"), &lab.clock, &SilentMonitor)
        .expect("a move");
    lab.write("logo.psd", noise(2, 5_000));
    assert_eq!(lab.changes(), ["new logo.psd", "moved logo.psd -> old/logo.psd"]);
    label("logo.psd", "draft");
    lab.commit("A new one in its place");
    assert!(lab.changes().is_empty());
    let report = meta::get(&lab.repository, &[path("logo.psd"), path("old/logo.psd")]).expect("metadata");
    let fields = report.assets.iter().flat_map(|line| line.fields.values());
    let labels: Vec<&str> = fields.map(|field| field.text.as_str()).collect();
    assert_eq!(labels, ["draft", "approved"]);
    lab.undo();
    assert_eq!(lab.changes(), ["new logo.psd", "moved logo.psd -> old/logo.psd"]);
}

#[test]
fn what_was_moved_by_command_is_the_asset_also_when_a_copy_takes_its_old_place() {
    let lab = Lab::new();
    let bytes = noise(1, 5_000);
    lab.write("logo.psd", &bytes);
    lab.commit("One");
    let change = meta::Change::Labels { add: vec!["approved".to_owned()], remove: vec![] };
    meta::change(&lab.repository, &[path("logo.psd")], &[change], &|_| true, &lab.clock, &SilentMonitor)
        .expect("a label");
    lab.commit("Labelled");
    let moved = |from: &str, to: &str| {
        mv::run(&lab.repository, &path(from), &path(to), &lab.clock, &SilentMonitor).expect("a move");
    };
    moved("logo.psd", "old/logo.psd");
    // The same file under both names: nothing about it has changed since the commit.
    std::fs::hard_link(lab.folder.path().join("old/logo.psd"), lab.folder.path().join("logo.psd"))
        .expect("a link");
    let told = ["new logo.psd", "moved logo.psd -> old/logo.psd"];
    assert_eq!(lab.changes(), told);
    std::fs::remove_file(lab.folder.path().join("logo.psd")).expect("removed");
    lab.write("logo.psd", &bytes);
    assert_eq!(lab.changes(), told);
    lab.commit("A copy in its place");
    assert!(lab.changes().is_empty());
    let report = meta::get(&lab.repository, &[path("logo.psd"), path("old/logo.psd")]).expect("metadata");
    let labels: Vec<usize> = report.assets.iter().map(|line| line.fields.len()).collect();
    assert_eq!(labels, [0, 1], "the copy is an asset of its own");
    lab.undo();
    assert_eq!(lab.changes(), told);
    // Without the moved file, what stands in its old place is the asset that it was.
    std::fs::remove_file(lab.folder.path().join("old/logo.psd")).expect("removed");
    assert!(lab.changes().is_empty());
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

#[test]
fn labels_of_a_file_that_was_moved_by_hand_join_those_of_its_new_place() {
    let lab = Lab::new();
    let label = |name: &str, word: &str| {
        let change = meta::Change::Labels { add: vec![word.to_owned()], remove: vec![] };
        meta::change(&lab.repository, &[path(name)], &[change], &|_| true, &lab.clock, &SilentMonitor)
            .expect("a label");
    };
    let rename = |from: &str, to: &str| fs::rename(lab.at(from), lab.at(to)).expect("moved by hand");
    let labels = |name: &str| -> Vec<String> {
        let report = meta::get(&lab.repository, &[path(name)]).expect("metadata");
        report.assets.iter().flat_map(|line| line.fields.values()).map(|field| field.text.clone()).collect()
    };
    lab.write("a.psd", noise(1, 5_000));
    lab.commit("One");
    label("a.psd", "approved");
    lab.commit("Approved");
    rename("a.psd", "b.psd");
    label("b.psd", "spring");
    lab.commit("What is committed of it");
    assert_eq!(labels("b.psd"), ["approved, spring"]);
    label("b.psd", "web");
    rename("b.psd", "c.psd");
    label("c.psd", "print");
    lab.commit("What waits to be committed of it");
    assert_eq!(labels("c.psd"), ["approved, print, spring, web"]);
}

#[test]
fn what_was_moved_by_command_may_be_moved_on_by_hand() {
    let lab = Lab::new();
    lab.write("logo.psd", noise(1, 5_000));
    lab.commit("One");
    mv::run(&lab.repository, &path("logo.psd"), &path("brand/logo.psd"), &lab.clock, &SilentMonitor)
        .expect("a move");
    let change = meta::Change::Labels { add: vec!["approved".to_owned()], remove: vec![] };
    meta::change(
        &lab.repository,
        &[path("brand/logo.psd")],
        &[change],
        &|_| true,
        &lab.clock,
        &SilentMonitor,
    )
    .expect("a label");
    let at = |name: &str| lab.folder.path().join(name);
    std::fs::rename(at("brand/logo.psd"), at("brand/mark.psd")).expect("moved by hand");
    assert_eq!(lab.changes(), ["moved logo.psd -> brand/mark.psd"]);
    lab.commit("Where it is now");
    assert!(lab.changes().is_empty());
    let report = meta::get(&lab.repository, &[path("brand/mark.psd")]).expect("metadata");
    let labels: Vec<&str> =
        report.assets.iter().flat_map(|line| line.fields.values()).map(|field| field.text.as_str()).collect();
    assert_eq!(labels, ["approved"], "what was said of it on the way is said of it still");
}

#[test]
fn what_was_moved_by_command_is_kept_whatever_rules_say_of_its_new_name() {
    let lab = Lab::new();
    lab.write(".pentignore", "*.tmp\ncache/\n");
    lab.write("a.psd", "one");
    lab.write("b.psd", "two");
    lab.write("cache/other", "never asked for");
    lab.commit("One");
    for (from, to) in [("a.psd", "a.tmp"), ("b.psd", "cache/b.psd")] {
        mv::run(&lab.repository, &path(from), &path(to), &lab.clock, &SilentMonitor).expect("a move");
    }
    let moved = ["moved a.psd -> a.tmp", "moved b.psd -> cache/b.psd"];
    assert_eq!(lab.changes(), moved);
    lab.commit("Two");
    assert!(lab.changes().is_empty());
    lab.undo();
    assert_eq!(lab.changes(), moved);
}
