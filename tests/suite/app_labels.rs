//! Labels and other fields, which stay with an asset wherever it goes and are not those of what takes its place.

use crate::app_flow::{Lab, lines, noise, path};
use crate::app_moves::assets;
use pentimento::app::{merge, meta};
use pentimento::base::monitor::SilentMonitor;
use pentimento::object::source::ObjectSource as _;
use pentimento::object::tree_walk::entry_at;
use std::fs;

#[test]
fn labels_cost_bytes_survive_moves_and_are_merged_as_sets() {
    let lab = Lab::new();
    lab.write("big.mov", noise(1, 500_000));
    lab.commit("Base");
    lab.new_draft("x");
    lab.switch("x");
    lab.label("big.mov", "approved");
    assert_eq!(lab.changes(), ["metadata big.mov"]);
    let report = lab.commit("Label in the draft");
    assert_eq!((report.bytes, report.counts.described), (0, 1));
    lab.switch("main");
    lab.label("big.mov", "spring");
    lab.commit("Label on main");
    assert_eq!(lab.merge("x").outcome, merge::Outcome::Merged);
    assert_eq!(lab.labels("big.mov"), "approved, spring");
}

#[test]
fn labels_of_a_moved_asset_are_seen_and_added_to_at_its_new_place() {
    let lab = Lab::new();
    lab.write("a.psd", "1");
    lab.commit("Base");
    lab.label("a.psd", "approved");
    lab.commit("Approved");
    lab.mv("a.psd", "b.psd");
    lab.label("b.psd", "spring");
    assert_eq!(lab.labels("b.psd"), "approved, spring");
    lab.commit("Moved");
    assert_eq!(lab.labels("b.psd"), "approved, spring");
}

#[test]
fn a_moved_asset_that_is_restored_to_its_old_place_is_at_home_there_with_its_labels() {
    let lab = Lab::new();
    lab.write("a.psd", "1");
    lab.commit("Base");
    lab.label("a.psd", "approved");
    lab.commit("Approved");
    let asset_at = |at: &str| {
        let view = lab.repository.view().expect("a view");
        let tree = view.commit(view.head().expect("a head").expect("a commit")).expect("a commit").tree;
        entry_at(&view, tree, &path(at)).expect("an entry").expect("an entry").asset.expect("an asset")
    };
    let asset = asset_at("a.psd");
    lab.mv("a.psd", "b.psd");
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
    lab.label("a.psd", "approved");
    fs::rename(lab.at("a.psd"), lab.at("b.psd")).expect("a moved file");
    lab.commit("Moved");
    assert_eq!(lab.labels("b.psd"), "approved");
    assert!(lab.changes().is_empty(), "{:?}", lab.changes());
}

#[test]
fn an_asset_moved_over_a_removed_one_brings_its_own_metadata() {
    let lab = Lab::new();
    lab.write("a.psd", "1");
    lab.write("b.psd", "2");
    lab.commit("Base");
    lab.label("b.psd", "old");
    lab.commit("Labelled");
    let asset = |at: &str| meta::get(&lab.repository, &[path(at)]).expect("metadata").assets[0].asset;
    let moved = asset("a.psd");
    fs::remove_file(lab.at("b.psd")).expect("a removed file");
    lab.mv("a.psd", "b.psd");
    lab.commit("Moved over");
    let line = meta::get(&lab.repository, &[path("b.psd")]).expect("metadata");
    assert_eq!(asset("b.psd"), moved);
    assert!(line.assets[0].fields.is_empty(), "{:?}", line.assets[0].fields);
}

#[test]
fn labels_of_a_file_that_was_moved_by_hand_join_those_of_its_new_place() {
    let lab = Lab::new();
    let rename = |from: &str, to: &str| fs::rename(lab.at(from), lab.at(to)).expect("moved by hand");
    let labels = |name: &str| -> Vec<String> {
        let report = meta::get(&lab.repository, &[path(name)]).expect("metadata");
        report.assets.iter().flat_map(|line| line.fields.values()).map(|field| field.text.clone()).collect()
    };
    lab.write("a.psd", noise(1, 5_000));
    lab.commit("One");
    lab.label("a.psd", "approved");
    lab.commit("Approved");
    rename("a.psd", "b.psd");
    lab.label("b.psd", "spring");
    lab.commit("What is committed of it");
    assert_eq!(labels("b.psd"), ["approved, spring"]);
    lab.label("b.psd", "web");
    rename("b.psd", "c.psd");
    lab.label("c.psd", "print");
    lab.commit("What waits to be committed of it");
    assert_eq!(labels("c.psd"), ["approved, print, spring, web"]);
}

#[test]
fn what_is_said_of_a_file_in_the_old_place_of_a_moved_asset_is_not_said_of_that_asset() {
    let lab = Lab::new();
    lab.write("logo.psd", noise(1, 5_000));
    lab.commit("One");
    lab.mv("logo.psd", "mark.psd");
    lab.write("logo.psd", noise(2, 5_000));
    lab.label("logo.psd", "sketch");
    fs::rename(lab.at("logo.psd"), lab.at("sketch.psd")).expect("moved by hand");
    lab.commit("Moved");
    assert_eq!(lab.labels("mark.psd"), "");
}

#[test]
fn a_restored_asset_takes_neither_the_labels_of_its_place_nor_the_name_of_another() {
    let lab = Lab::new();
    lab.write("poster.psd", noise(1, 5_000));
    lab.commit("One");
    fs::remove_file(lab.at("poster.psd")).expect("removed");
    lab.write("logo.psd", noise(2, 5_000));
    lab.label("logo.psd", "approved");
    lab.commit("Two");
    let before = assets(&lab, &["logo.psd"]);
    // The logo is elsewhere, and the poster takes its place.
    fs::rename(lab.at("logo.psd"), lab.at("mark.psd")).expect("moved by hand");
    lab.restore(Some("@~1"), &["poster.psd"]);
    lab.mv("poster.psd", "logo.psd");
    assert_eq!(lab.labels("logo.psd"), "");
    // And is gone again: the logo is still the logo.
    fs::remove_file(lab.at("logo.psd")).expect("removed");
    assert_eq!(lab.changes(), ["moved logo.psd -> mark.psd"]);
    lab.commit("Three");
    assert_eq!((assets(&lab, &["mark.psd"]), lab.labels("mark.psd")), (before, "approved".to_owned()));
}

#[test]
fn what_was_moved_by_command_and_back_by_hand_has_its_labels() {
    let lab = Lab::new();
    lab.write("logo.psd", noise(1, 9000));
    lab.label("logo.psd", "approved");
    lab.commit("Labelled");
    lab.mv("logo.psd", "sign.psd");
    fs::rename(lab.at("sign.psd"), lab.at("logo.psd")).expect("moved back");
    assert_eq!(lab.labels("logo.psd"), "approved");
    lab.label("logo.psd", "final");
    lab.commit("Labelled again");
    assert_eq!(lab.labels("logo.psd"), "approved, final");
}

#[test]
fn a_restored_version_has_the_labels_that_it_had_also_when_its_asset_has_others_elsewhere() {
    let lab = Lab::new();
    lab.write("logo.psd", noise(1, 5_000));
    lab.commit("One");
    lab.mv("logo.psd", "mark.psd");
    lab.label("mark.psd", "approved");
    lab.commit("Two");
    let before = assets(&lab, &["mark.psd"]);
    fs::remove_file(lab.at("mark.psd")).expect("removed");
    lab.restore(Some("@~1"), &["logo.psd"]);
    assert_eq!(lab.labels("logo.psd"), "");
    lab.label("logo.psd", "draft");
    let remove = meta::Change::Labels { add: vec![], remove: vec!["draft".to_owned()] };
    meta::change(&lab.repository, &[path("logo.psd")], &[remove], &|_| true, &lab.clock, &SilentMonitor)
        .expect("no label");
    lab.commit("Three");
    assert_eq!((assets(&lab, &["logo.psd"]), lab.labels("logo.psd")), (before, String::new()));
}

#[test]
fn what_was_said_of_a_file_in_the_place_of_a_folder_is_not_said_of_the_folder() {
    let lab = Lab::new();
    lab.write("logo/wide.svg", "wide");
    lab.write("mark.svg", "the mark");
    lab.commit("One");
    let before = assets(&lab, &["mark.svg"]);
    fs::remove_dir_all(lab.at("logo")).expect("removed");
    lab.mv("mark.svg", "logo");
    lab.label("logo", "approved");
    fs::remove_file(lab.at("logo")).expect("removed");
    lab.commit("Neither");
    let view = lab.repository.view().expect("a view");
    let tree = view.commit(lab.head()).expect("a commit").tree;
    assert!(
        entry_at(&view, tree, &path("logo")).expect("a tree").is_none(),
        "a folder without files has no labels"
    );
    lab.restore(Some("@~1"), &["logo"]);
    lab.label("logo/wide.svg", "spring");
    // A file that comes back in the place of a committed folder goes on as what it was.
    lab.commit("The folder");
    lab.restore(Some("@~2"), &["mark.svg"]);
    fs::remove_dir_all(lab.at("logo")).expect("removed");
    lab.mv("mark.svg", "logo");
    lab.commit("The file");
    assert_eq!((assets(&lab, &["logo"]), lab.labels("logo")), (before, String::new()));
}

#[test]
fn what_waits_to_be_said_goes_with_a_file_of_which_only_the_new_place_is_committed() {
    let lab = Lab::new();
    lab.write("logo.psd", "the mark");
    lab.commit("Base");
    lab.label("logo.psd", "approved");
    fs::rename(lab.at("logo.psd"), lab.at("mark.psd")).expect("moved by hand");
    lab.commit_paths("By its new name", &["mark.psd"]);
    assert_eq!((lab.labels("mark.psd"), lab.changes()), ("approved".to_owned(), vec![]));
    // Who asks for what is not there, in a folder that is none, asks for nothing of the file in its place.
    fs::rename(lab.at("mark.psd"), lab.at("logo.psd")).expect("moved by hand");
    let report = lab.commit_paths("Nothing", &["mark.psd/wide.svg"]);
    assert_eq!(
        (lines(&report.changes), lab.changes()),
        (vec![], vec!["moved mark.psd -> logo.psd".to_owned()])
    );
}

#[test]
fn what_was_said_of_a_new_file_is_forgotten_with_it_when_a_folder_takes_its_place() {
    let lab = Lab::new();
    lab.write("base.txt", "1");
    lab.commit("Base");
    lab.write("logo", "not committed yet");
    lab.label("logo", "sketch");
    fs::rename(lab.at("logo"), lab.at("sketch")).expect("moved by hand");
    lab.write("logo/wide.svg", "wide");
    lab.commit_paths("The folder", &["logo/wide.svg"]);
    let pending = lab.repository.view().expect("a view").state().expect("a state").pending;
    assert!(pending.is_empty(), "{pending:?}");
}
