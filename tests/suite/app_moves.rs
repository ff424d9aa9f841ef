//! Moves by command and by hand: which asset stands where afterwards.

use crate::app_flow::{Lab, lines, noise, path};
use pentimento::app::{meta, mv};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use std::fs;

impl Lab {
    pub fn mv(&self, from: &str, to: &str) -> mv::Report {
        mv::run(&self.repository, &path(from), &path(to), &self.clock, &SilentMonitor).expect("a move")
    }
}

#[test]
fn a_rename_and_an_edit_at_once_stay_one_asset_when_pent_moves_it() {
    let lab = Lab::new();
    lab.write("logo.svg", "one");
    lab.commit("One");
    lab.mv("logo.svg", "brand/mark.svg");
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
    let report = lab.mv("a", "b");
    assert_eq!(report.assets, 2);
    assert_eq!(
        lab.changes(),
        ["moved a/deep/two.txt -> b/deep/two.txt", "moved-and-changed a/one.txt -> b/one.txt"]
    );
    lab.undo();
    assert_eq!(lab.text("a/one.txt").as_deref(), Some("edited and not committed"));
    assert_eq!(lab.changes(), ["changed a/one.txt"]);
}

/// Which assets stand at which paths of the newest commit.
pub fn assets(lab: &Lab, paths: &[&str]) -> Vec<Option<pentimento::base::id::AssetId>> {
    let paths: Vec<AssetPath> = paths.iter().map(|text| path(text)).collect();
    let report = meta::get(&lab.repository, &paths).expect("metadata");
    report.assets.into_iter().map(|line| line.asset).collect()
}

#[test]
fn a_restored_file_whose_asset_lives_on_elsewhere_begins_an_asset_of_its_own() {
    let lab = Lab::new();
    lab.write("a.psd", "1");
    lab.commit("Base");
    lab.mv("a.psd", "b.psd");
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
    lab.mv("a.psd", "b.psd");
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
fn a_file_that_made_room_for_a_folder_is_committed_whole_with_what_is_in_the_folder() {
    let lab = Lab::new();
    lab.write("logo", "the mark");
    lab.write("other.txt", "1");
    lab.commit("Base");
    lab.label("logo", "approved");
    lab.commit("Approved");
    let before = assets(&lab, &["logo"]);
    // By command, then by hand: it is one asset either way, and what else is in the folder was not asked for.
    for (to, by_command) in [("mark.svg", true), ("brand.svg", false)] {
        if by_command {
            lab.mv("logo", to);
        } else {
            fs::rename(lab.at("logo"), lab.at(to)).expect("moved by hand");
        }
        lab.write("logo/wide.svg", format!("wide, beside {to}"));
        lab.write("logo/small.svg", format!("small, beside {to}"));
        let report = lab.commit_paths("The folder", &["logo/wide.svg"]);
        let mut told = lines(&report.changes);
        told.sort();
        assert_eq!(told, [format!("moved logo -> {to}"), "new logo/wide.svg".to_owned()]);
        assert_eq!(lab.changes(), ["new logo/small.svg"]);
        assert_eq!((assets(&lab, &[to]), lab.labels(to)), (before.clone(), "approved".to_owned()));
        fs::remove_dir_all(lab.at("logo")).expect("a removed folder");
        lab.mv(to, "logo");
        lab.commit("Back");
    }
}

#[test]
fn only_what_stands_there_moves() {
    let lab = Lab::new();
    lab.write("a/x.txt", "1");
    lab.commit("A folder");
    fs::remove_dir_all(lab.at("a")).expect("a removed folder");
    lab.write("a", "a file in its place");
    lab.mv("a", "b");
    lab.commit_paths("The file", &["b"]);
    assert_eq!(lab.changes(), ["removed a/x.txt"]);
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
    lab.label("logo.psd", "approved");
    lab.commit("Labelled");
    lab.mv("logo.psd", "old/logo.psd");
    lab.write("logo.psd", noise(2, 5_000));
    assert_eq!(lab.changes(), ["new logo.psd", "moved logo.psd -> old/logo.psd"]);
    lab.label("logo.psd", "draft");
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
    lab.label("logo.psd", "approved");
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
fn what_was_moved_by_command_may_be_moved_on_by_hand() {
    let lab = Lab::new();
    lab.write("logo.psd", noise(1, 5_000));
    lab.commit("One");
    lab.mv("logo.psd", "brand/logo.psd");
    lab.label("brand/logo.psd", "approved");
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
    // A folder in the place of the moved file is not what was moved.
    fs::remove_file(lab.at("a.tmp")).expect("removed");
    lab.write("a.tmp/scratch", "never asked for");
    assert_eq!(lab.changes(), ["removed a.psd", moved[1]]);
}

#[test]
fn a_moved_asset_is_where_it_was_moved_also_when_an_older_place_of_it_is_restored() {
    let lab = Lab::new();
    lab.write("first.psd", noise(1, 5_000));
    lab.commit("One");
    lab.mv("first.psd", "second.psd");
    lab.label("second.psd", "approved");
    lab.commit("Two");
    let before = assets(&lab, &["second.psd"]);
    lab.mv("second.psd", "third.psd");
    lab.restore(Some("@~1"), &["first.psd"]);
    assert_eq!((lab.labels("first.psd"), lab.labels("third.psd")), (String::new(), "approved".to_owned()));
    lab.commit("Both");
    assert_eq!((lab.labels("first.psd"), lab.labels("third.psd")), (String::new(), "approved".to_owned()));
    let after = assets(&lab, &["third.psd", "first.psd"]);
    assert_eq!(after[..1], before);
    assert_ne!(after[1], before[0]);
}

#[test]
fn a_restored_file_is_itself_and_not_one_of_the_same_bytes_that_is_gone() {
    let lab = Lab::new();
    lab.write("final/a.psd", noise(1, 5_000));
    lab.commit("One");
    fs::remove_dir_all(lab.at("final")).expect("removed");
    lab.commit("Two");
    lab.write("copy.psd", noise(1, 5_000));
    lab.label("copy.psd", "approved");
    lab.commit("Three");
    fs::remove_file(lab.at("copy.psd")).expect("removed");
    lab.restore(Some("@~2"), &["final/a.psd"]);
    assert_eq!(lab.changes(), ["removed copy.psd", "new final/a.psd"]);
    lab.commit("Four");
    assert_eq!(lab.labels("final/a.psd"), "");
}

#[test]
fn a_restored_file_takes_no_move_from_another_file_of_the_same_bytes() {
    let lab = Lab::new();
    lab.write("one.psd", noise(1, 9000));
    lab.write("two.psd", noise(1, 9000));
    lab.commit("First");
    fs::rename(lab.at("one.psd"), lab.at("three.psd")).expect("moved");
    lab.commit("Moved");
    lab.restore(Some("@~1"), &["one.psd"]);
    fs::rename(lab.at("two.psd"), lab.at("zwei.psd")).expect("moved");
    assert_eq!(lab.changes(), ["new one.psd", "moved two.psd -> zwei.psd"]);
}

#[test]
fn what_came_to_the_place_of_another_file_is_itself_also_when_its_folder_moves() {
    let lab = Lab::new();
    lab.write("logo.psd", noise(1, 9000));
    lab.write("old/logo.psd", noise(2, 9000));
    lab.commit("Both");
    let before = assets(&lab, &["logo.psd"]);
    fs::remove_file(lab.at("old/logo.psd")).expect("removed");
    lab.mv("logo.psd", "old/logo.psd");
    lab.mv("old", "older");
    assert_eq!(lab.changes(), ["removed old/logo.psd", "moved logo.psd -> older/logo.psd"]);
    lab.commit("Moved");
    assert_eq!(assets(&lab, &["older/logo.psd"]), before);
}

#[test]
fn what_stands_in_the_old_place_of_a_moved_file_is_not_committed_with_the_move() {
    let lab = Lab::new();
    lab.write("shots", noise(1, 9000));
    lab.commit("A file");
    lab.mv("shots", "shot.psd");
    lab.write("shots/new.psd", noise(2, 9000));
    lab.label("shots/new.psd", "draft");
    let report = lab.commit_paths("Moved", &["shot.psd"]);
    assert_eq!(report.bytes_stored, 0, "nothing of it is stored either");
    assert_eq!(
        (lab.changes(), lab.labels("shots/new.psd")),
        (vec!["new shots/new.psd".into()], "draft".into())
    );
    lab.commit("New");
    assert_eq!(lab.labels("shots/new.psd"), "draft");
}

#[test]
fn what_is_moved_to_where_a_moved_asset_is_gone_from_is_not_that_asset() {
    let lab = Lab::new();
    lab.write("sketch.png", noise(1, 40_000));
    lab.commit("A sketch");
    let before = assets(&lab, &["sketch.png"]);
    lab.mv("sketch.png", "final.png");
    fs::remove_file(lab.at("final.png")).expect("a removed file");
    lab.write("other.png", noise(2, 50_000));
    lab.mv("other.png", "final.png");
    assert_eq!(lab.changes(), ["new final.png", "removed sketch.png"]);
    lab.commit("Another one");
    assert_ne!(assets(&lab, &["final.png"]), before, "they have nothing to do with each other");
}
