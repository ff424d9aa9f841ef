//! What is told about the files in a folder, against what was really done to them.

use crate::worktree_support::{Studio, path};
use pentimento::base::monitor::SilentMonitor;
use pentimento::rules::ignore::IgnoreStack;
use pentimento::worktree::index::{IndexBuild, build_index};
use pentimento::worktree::scan::{ScanInput, scan};
use pentimento::worktree::status::{Measure, What};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

fn studio() -> Studio {
    let mut studio = Studio::new();
    for (name, bytes) in [
        ("a.txt", "alpha"),
        ("brand/logo.svg", "<svg/>"),
        ("brand/old/logo.svg", "<old/>"),
        ("z.bin", "zzzz"),
    ] {
        studio.write(name, bytes);
    }
    studio.commit();
    studio
}

#[test]
fn nothing_changed_is_nothing_told_and_nothing_read() {
    let studio = studio();
    let status = studio.status();
    assert!(status.changes.is_empty(), "{:?}", status.changes);
    assert!(status.refreshed.is_empty());
    assert_eq!((status.tallies.unchanged_files, status.tallies.unchanged_bytes), (4, 21));
}

#[test]
fn every_kind_of_change_is_told_in_tree_order() {
    let studio = studio();
    studio.write("a.txt", "alpha and more");
    studio.write("brand/new.svg", "new");
    fs::remove_file(studio.at("brand/old/logo.svg")).expect("removed");
    fs::set_permissions(studio.at("z.bin"), fs::Permissions::from_mode(0o755)).expect("set");
    std::os::unix::fs::symlink("a.txt", studio.at("link")).expect("linked");
    assert_eq!(
        studio.changes(),
        ["a.txt changed", "brand/new.svg new", "brand/old/logo.svg removed", "link new", "z.bin modechanged"]
    );
}

#[test]
fn an_edit_that_keeps_size_and_times_is_noticed() {
    let studio = studio();
    let before = fs::metadata(studio.at("a.txt")).expect("there").modified().expect("a time");
    studio.write("a.txt", "ALPHA");
    let file = fs::File::options().write(true).open(studio.at("a.txt")).expect("opened");
    file.set_modified(before).expect("set");
    assert_eq!(studio.changes(), ["a.txt changed"]);
}

#[test]
fn a_file_replaced_by_one_of_the_same_size_and_time_is_noticed() {
    let studio = studio();
    let before = fs::metadata(studio.at("a.txt")).expect("there").modified().expect("a time");
    studio.write("other.tmpname", "OMEGA");
    let file = fs::File::options().write(true).open(studio.at("other.tmpname")).expect("opened");
    file.set_modified(before).expect("set");
    fs::rename(studio.at("other.tmpname"), studio.at("a.txt")).expect("renamed");
    assert_eq!(studio.changes(), ["a.txt changed"]);
}

#[test]
fn a_touched_file_is_read_once_and_then_remembered() {
    let studio = studio();
    let file = fs::File::options().write(true).open(studio.at("a.txt")).expect("opened");
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).expect("set");
    let first = studio.status();
    assert!(first.changes.is_empty());
    assert_eq!(first.refreshed.len(), 1);
    assert!(first.refreshed[0].settled);
    assert!(studio.state().join("seen").exists());
    let index = studio.index.as_ref().expect("an index");
    let renewed = studio.build_index(index.base(), Some(index), &first.refreshed);
    let record = renewed.find(&path("a.txt")).expect("readable").expect("there");
    assert_eq!(record.stat(), Some(first.refreshed[0].stat));
}

#[test]
fn times_in_the_future_and_before_1970_are_compared_like_any_other() {
    let mut studio = Studio::new();
    studio.write("old", "1");
    studio.write("new", "2");
    for (name, time) in [
        ("old", SystemTime::UNIX_EPOCH - Duration::from_secs(86_400 * 365)),
        ("new", SystemTime::now() + Duration::from_secs(86_400 * 365)),
    ] {
        let file = fs::File::options().write(true).open(studio.at(name)).expect("opened");
        file.set_modified(time).expect("set");
    }
    studio.commit();
    let status = studio.status();
    assert!(status.changes.is_empty() && status.refreshed.is_empty(), "{:?}", status.refreshed);
    studio.write("new", "3");
    assert_eq!(studio.changes(), ["new changed"]);
}

#[test]
fn moved_files_are_recognised_by_content_name_first() {
    let studio = studio();
    fs::create_dir(studio.at("archive")).expect("made");
    fs::rename(studio.at("brand/old/logo.svg"), studio.at("archive/logo.svg")).expect("moved");
    fs::rename(studio.at("z.bin"), studio.at("zz.bin")).expect("moved");
    assert_eq!(
        studio.changes(),
        [
            "archive/logo.svg moved from brand/old/logo.svg edited false",
            "zz.bin moved from z.bin edited false"
        ]
    );
}

#[test]
fn a_copy_is_new_and_no_move() {
    let studio = studio();
    fs::copy(studio.at("z.bin"), studio.at("copy.bin")).expect("copied");
    assert_eq!(studio.changes(), ["copy.bin new"]);
}

#[test]
fn among_equal_files_the_one_with_the_same_name_is_the_one_that_moved() {
    let mut studio = Studio::new();
    studio.write("a/x", "same");
    studio.write("b/y", "same");
    studio.commit();
    fs::create_dir(studio.at("c")).expect("made");
    fs::rename(studio.at("a/x"), studio.at("c/x")).expect("moved");
    fs::rename(studio.at("b/y"), studio.at("c/y")).expect("moved");
    assert_eq!(studio.changes(), ["c/x moved from a/x edited false", "c/y moved from b/y edited false"]);
}

#[test]
fn a_move_by_command_holds_although_the_content_changed() {
    let mut studio = studio();
    fs::rename(studio.at("a.txt"), studio.at("b.txt")).expect("moved");
    studio.write("b.txt", "quite another text");
    studio.moves.push((path("a.txt"), path("b.txt")));
    assert_eq!(studio.changes(), ["b.txt moved from a.txt edited true"]);
}

#[test]
fn files_folders_and_links_that_take_each_others_place() {
    let studio = studio();
    fs::remove_file(studio.at("a.txt")).expect("removed");
    studio.write("a.txt/inner", "now a folder");
    fs::remove_dir_all(studio.at("brand/old")).expect("removed");
    studio.write("brand/old", "now a file");
    fs::remove_file(studio.at("z.bin")).expect("removed");
    std::os::unix::fs::symlink("a.txt", studio.at("z.bin")).expect("linked");
    assert_eq!(
        studio.changes(),
        [
            "a.txt removed",
            "a.txt/inner new",
            "brand/old new",
            "brand/old/logo.svg removed",
            "z.bin kindchanged"
        ]
    );
}

#[test]
fn a_file_that_rules_leave_out_is_left_out_also_in_the_place_of_a_tracked_folder() {
    let mut studio = studio();
    studio.write("shot.tmp/frame.png", "tracked");
    studio.commit();
    studio.write(".pentignore", "*.tmp\n");
    fs::remove_dir_all(studio.at("shot.tmp")).expect("a removed folder");
    studio.write("shot.tmp", "left out");
    let status = studio.status();
    let told: Vec<_> = status.changes.iter().map(|change| (change.path.to_string(), &change.what)).collect();
    assert_eq!(
        told,
        [(".pentignore".to_owned(), &What::New), ("shot.tmp/frame.png".to_owned(), &What::Removed)]
    );
    assert_eq!(status.tallies.ignored, 1);
}

#[test]
fn ignored_files_are_counted_and_tracked_ones_are_never_ignored() {
    let mut studio = studio();
    studio.write("render/tracked.png", "tracked");
    studio.commit();
    studio.write(".pentignore", "render/\n*.tmp\n!keep.tmp\n");
    studio.write("render/frame1.png", "frame");
    studio.write("render/tracked.png", "tracked and changed");
    studio.write("x.tmp", "x");
    studio.write("keep.tmp", "x");
    studio.write("brand/.DS_Store", "x");
    let status = studio.status();
    let told: Vec<_> = status.changes.iter().map(|change| change.path.to_string()).collect();
    assert_eq!(told, [".pentignore", "keep.tmp", "render/tracked.png"]);
    assert_eq!(status.tallies.ignored, 3);
}

#[test]
fn another_repository_inside_is_left_alone_and_said_so() {
    let studio = studio();
    studio.write("client/.pent/format", "x");
    studio.write("client/work.psd", "x");
    studio.write("brand/.pent/format", "x");
    let status = studio.status();
    assert!(status.changes.is_empty(), "{:?}", status.changes);
    assert_eq!(status.nested, [path("brand"), path("client")]);
    assert_eq!(status.tallies.unchanged_files, 4);
}

#[test]
fn new_files_are_read_only_when_asked_or_when_they_may_have_moved() {
    let studio = studio();
    studio.write("new.psd", "0123456789");
    let needed = studio.status();
    assert_eq!(needed.changes[0].file_id, None);
    let all = studio.status_measured(Measure::All);
    assert_eq!(all.changes[0].file_id, Some(crate::worktree_support::file_id(b"0123456789")));
    // What was read once is known afterwards, whoever asks.
    assert!(studio.status().changes[0].file_id.is_some());
}

#[test]
fn what_is_outside_the_chosen_set_is_not_missed_but_seen_when_it_is_there() {
    let mut studio = studio();
    let tree = studio.commit();
    let build = IndexBuild {
        source: &studio.objects,
        tree,
        previous: studio.index.as_ref(),
        fresh: &[],
        path_set: [1; 16],
        is_expected: &|path| !path.starts_with(b"brand/"),
    };
    let index = build_index(&build, &studio.state().join("index"), &SilentMonitor).expect("built");
    studio.index = Some(index);
    fs::remove_dir_all(studio.at("brand")).expect("removed");
    assert!(studio.changes().is_empty());
    studio.write("brand/logo.svg", "other");
    assert_eq!(studio.changes(), ["brand/logo.svg changed"]);
}

#[test]
fn a_scan_of_some_paths_looks_at_nothing_else() {
    let studio = studio();
    studio.write("a.txt", "changed");
    studio.write("brand/new", "x");
    fs::remove_file(studio.at("brand/old/logo.svg")).expect("removed");
    fs::remove_file(studio.at("z.bin")).expect("removed");
    let worktree = studio.worktree();
    let within = [path("brand/old"), path("z.bin")];
    let ignore = IgnoreStack::new(b"");
    let input = ScanInput {
        worktree: &worktree,
        index: studio.index.as_ref(),
        ignore: &ignore,
        within: &within,
        moves: &[],
    };
    let scanned = scan(&input, &SilentMonitor).expect("scanned");
    let told: Vec<_> = scanned.items.iter().map(|item| item.path.to_string()).collect();
    assert_eq!(told, ["brand/old/logo.svg", "z.bin"]);
}

#[test]
fn a_large_folder_is_merged_in_pieces_without_missing_a_name() {
    let mut studio = Studio::new();
    for number in 0..10_000 {
        studio.write(format!("frames/{number:05}"), "");
    }
    studio.commit();
    for number in [0, 1, 4095, 4096, 4097, 8191, 8192, 9999] {
        fs::remove_file(studio.at(format!("frames/{number:05}"))).expect("removed");
        studio.write(format!("frames/{number:05}x"), "new");
    }
    let status = studio.status();
    let removed = status.changes.iter().filter(|change| change.what == What::Removed).count();
    let new = status.changes.iter().filter(|change| change.what == What::New).count();
    assert_eq!((removed, new, status.tallies.unchanged_files), (8, 8, 9992));
    fs::remove_dir_all(studio.at("frames")).expect("removed");
    fs::create_dir(studio.at("frames")).expect("made");
    assert_eq!(studio.status().changes.len(), 10_000);
}

#[test]
fn a_damaged_index_is_an_error_that_says_to_build_it_anew() {
    let mut studio = studio();
    let file = studio.state().join("index");
    studio.index = None;
    let mut bytes = fs::read(&file).expect("read");
    // A byte in the middle of the first block: the header and the table are whole.
    bytes[300] ^= 1;
    fs::write(&file, &bytes).expect("written");
    let index = pentimento::worktree::index::Index::open(&file).expect("opened");
    let worktree = studio.worktree();
    let ignore = IgnoreStack::new(b"");
    let input =
        ScanInput { worktree: &worktree, index: Some(&index), ignore: &ignore, within: &[], moves: &[] };
    let outcome = scan(&input, &SilentMonitor);
    assert!(matches!(outcome, Err(pentimento::worktree::error::WorktreeError::IndexDamaged)));
}
