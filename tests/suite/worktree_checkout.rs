//! Files are brought to another state, and nothing that could be missed is lost.

use crate::worktree_support::{Studio, path, want, want_gone};
use pentimento::base::time::Timestamp;
use pentimento::object::tree::{Content, ForeignAlgorithm};
use pentimento::worktree::checkout::{Failure, LinkPolicy, Replaces};
use pentimento::worktree::displaced::{self, Displacer};
use pentimento::worktree::error::WorktreeError;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn studio() -> Studio {
    let mut studio = Studio::new();
    studio.write("a.txt", "alpha");
    studio.write("brand/logo.svg", "<svg/>");
    studio.write("brand/old/logo.svg", "<old/>");
    studio.commit();
    studio
}

fn names(studio: &Studio, folder: &str) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(studio.at(folder))
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn unchanged_tracked_files_are_replaced_and_nothing_is_kept() {
    let mut studio = studio();
    let new = studio.file("beta");
    let plan = studio.plan(&[want("a.txt", new.clone())]);
    assert!(matches!(plan.steps[0].replaces, Replaces::Committed(_)));
    let report = studio.execute(&plan);
    assert_eq!(studio.read("a.txt"), Some(b"beta".to_vec()));
    assert_eq!(report.displaced, None);
    assert!(!studio.pent().join("displaced").exists());
    assert_eq!(names(&studio, "."), [".pent", "a.txt", "brand"]);
    assert_eq!(report.written[0].stat.inode, fs::metadata(studio.at("a.txt")).expect("there").ino());
}

#[test]
fn modified_untracked_and_ignored_files_are_put_aside_and_come_back() {
    let mut studio = studio();
    studio.write("a.txt", "alpha, edited");
    studio.write("new.psd", "never committed");
    studio.write(".DS_Store", "ignored");
    let new = studio.file("beta");
    let wanted = [want("a.txt", new.clone()), want("new.psd", new.clone()), want(".DS_Store", new)];
    assert_eq!(studio.plan(&wanted).kept().count(), 3);
    let report = studio.checkout(&wanted);
    let expected = [(".DS_Store", "ignored"), ("a.txt", "alpha, edited"), ("new.psd", "never committed")];
    assert_eq!(
        studio.displaced(),
        expected.map(|(path, bytes)| (path.to_owned(), bytes.as_bytes().to_vec()))
    );
    let id = report.displaced.expect("a set");
    let set = displaced::find(&studio.pent(), &id).expect("found");
    assert_eq!((set.reason.as_str(), set.items.len()), ("restore", 3));
    let number = set.items.iter().find(|item| item.path == Some(path("a.txt"))).expect("there").number;
    let worktree = studio.worktree();
    let back = displaced::restore(&studio.pent(), &id, number, &worktree, &path("a.txt"));
    assert!(matches!(back, Err(WorktreeError::Occupied { .. })));
    displaced::restore(&studio.pent(), &id, number, &worktree, &path("rescued/deep/a.txt"))
        .expect("restored");
    assert_eq!(studio.read("rescued/deep/a.txt"), Some(b"alpha, edited".to_vec()));
    assert_eq!(studio.displaced().len(), 2);
    let back = displaced::restore(&studio.pent(), &id, 99, &worktree, &path("x"));
    assert!(matches!(back, Err(WorktreeError::DisplacedUnknown { .. })));
    let back = displaced::restore(&studio.pent(), &id, set.items[0].number, &worktree, &path(".PENT/x"));
    assert!(matches!(back, Err(WorktreeError::Refused { .. })));
}

#[test]
fn a_set_from_which_all_came_back_is_gone() {
    let mut studio = studio();
    studio.write("a.txt", "edited");
    let new = studio.file("beta");
    let id = studio.checkout(&[want("a.txt", new)]).displaced.expect("a set");
    displaced::restore(&studio.pent(), &id, 1, &studio.worktree(), &path("b.txt")).expect("restored");
    assert!(displaced::list(&studio.pent()).expect("a list").is_empty());
    assert!(names(&studio, ".pent/displaced").is_empty());
}

#[test]
fn sets_are_kept_thirty_days_whatever_the_clock_says() {
    let studio = studio();
    let day = 24 * 3600 * 1000;
    for (name, created) in [("old", 0), ("young", 20 * day), ("future", 900 * day)] {
        studio.write(name, name);
        let displacer = Displacer::new(&studio.pent(), "restore", Timestamp::utc(created));
        let slots = displacer.announce(&[path(name)]).expect("announced");
        let folder = studio.worktree().open_dir(b"").expect("opened");
        displacer.take(slots[0], &folder, name.as_bytes()).expect("taken");
    }
    assert!(displaced::old(&studio.pent(), Timestamp::utc(30 * day)).expect("a list").is_empty());
    let old = displaced::old(&studio.pent(), Timestamp::utc(30 * day + 1)).expect("a list");
    assert_eq!(old.len(), 1);
    displaced::remove(&studio.pent(), &old[0]).expect("removed");
    let left: Vec<_> = studio.displaced().into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, ["future", "young"]);
}

#[test]
fn what_is_as_wanted_is_left_alone() {
    let mut studio = studio();
    let same = studio.file("alpha");
    let before = fs::metadata(studio.at("a.txt")).expect("there").ino();
    let plan = studio.plan(&[want("a.txt", same), want_gone("nowhere")]);
    assert!(plan.is_empty());
    assert_eq!(plan.unchanged, 2);
    assert_eq!(fs::metadata(studio.at("a.txt")).expect("there").ino(), before);
}

#[test]
fn only_the_executable_bit_changes_where_only_it_differs() {
    let mut studio = studio();
    let Content::File { id, size, .. } = studio.file("alpha") else { unreachable!("it is a file") };
    studio.checkout(&[want("a.txt", Content::File { id, size, executable: true })]);
    let mode = fs::metadata(studio.at("a.txt")).expect("there").permissions().mode();
    assert_eq!(mode & 0o111, (mode & 0o444) >> 2);
    assert_eq!(studio.read("a.txt"), Some(b"alpha".to_vec()));
}

#[test]
fn removed_files_take_their_empty_folders_with_them_and_no_others() {
    let studio = studio();
    studio.write("brand/untracked", "x");
    studio.checkout(&[want_gone("brand/old/logo.svg"), want_gone("brand/logo.svg")]);
    assert_eq!(names(&studio, "brand"), ["untracked"]);
    assert!(studio.displaced().is_empty());
    studio.checkout(&[want_gone("brand/untracked")]);
    assert_eq!(names(&studio, "."), [".pent", "a.txt"]);
    assert_eq!(studio.displaced(), [("brand/untracked".to_owned(), b"x".to_vec())]);
}

#[test]
fn a_file_takes_the_place_of_a_folder_whose_untracked_rest_is_kept() {
    let mut studio = studio();
    studio.write("brand/notes/idea.txt", "untracked");
    let new = studio.file("a file now");
    studio.checkout(&[want_gone("brand/logo.svg"), want_gone("brand/old/logo.svg"), want("brand", new)]);
    assert_eq!(studio.read("brand"), Some(b"a file now".to_vec()));
    assert_eq!(studio.displaced(), [("brand".to_owned(), b"folder".to_vec())]);
    let set = &displaced::list(&studio.pent()).expect("a list")[0];
    let kept = studio.pent().join("displaced").join(&set.id).join("1/notes/idea.txt");
    assert_eq!(fs::read(kept).expect("kept"), b"untracked");
}

#[test]
fn folders_take_the_place_of_files_and_links() {
    let mut studio = studio();
    studio.write("untracked", "mine");
    std::os::unix::fs::symlink("/tmp", studio.at("link")).expect("linked");
    let new = studio.file("inner");
    studio.checkout(&[
        want_gone("a.txt"),
        want("a.txt/deep/inner", new.clone()),
        want("untracked/inner", new.clone()),
        want("untracked/inner2", new.clone()),
        want("link/inner", new),
    ]);
    for name in ["a.txt/deep/inner", "untracked/inner", "untracked/inner2", "link/inner"] {
        assert_eq!(studio.read(name), Some(b"inner".to_vec()), "{name}");
    }
    let kept: Vec<_> = studio.displaced().into_iter().map(|(path, _)| path).collect();
    assert_eq!(kept, ["link", "untracked"]);
    assert!(fs::symlink_metadata(studio.at("link")).expect("there").is_dir());
}

#[test]
fn removing_below_a_file_that_is_in_the_way_of_nothing_leaves_it() {
    let studio = studio();
    studio.write("other", "mine");
    studio.checkout(&[want_gone("other/inner")]);
    assert_eq!(studio.read("other"), Some(b"mine".to_vec()));
}

#[test]
fn a_touched_file_whose_content_is_known_to_be_committed_is_not_kept() {
    let mut studio = studio();
    studio.write("a.txt", "alpha");
    assert!(studio.changes().is_empty());
    let new = studio.file("beta");
    let report = studio.checkout(&[want("a.txt", new)]);
    assert_eq!(report.displaced, None);
}

#[test]
fn a_file_known_to_be_in_the_repository_is_not_kept_and_one_that_changed_since_is() {
    let mut studio = studio();
    studio.write("a.txt", "taken in, not committed");
    studio.write("untracked", "taken in as well");
    for name in ["a.txt", "untracked"] {
        let node = studio.worktree().look(&path(name)).expect("looked").expect("there");
        let id = crate::worktree_support::file_id(&studio.read(name).expect("read"));
        studio.stored.insert(path(name), (node.stat, id));
    }
    let new = studio.file("beta");
    let same = studio.file("taken in as well");
    let plan = studio.plan(&[want("a.txt", new.clone()), want("untracked", same)]);
    assert_eq!((plan.unchanged, plan.kept().count()), (1, 0));
    assert_eq!(studio.execute(&plan).displaced, None);
    assert_eq!(studio.read("a.txt"), Some(b"beta".to_vec()));
    studio.write("untracked", "edited after it was taken in");
    studio.checkout(&[want("untracked", new)]);
    assert_eq!(studio.displaced(), [("untracked".to_owned(), b"edited after it was taken in".to_vec())]);
}

#[test]
fn a_tree_with_a_link_and_a_file_below_it_writes_nothing_outside() {
    let mut studio = studio();
    let outside = tempfile::tempdir().expect("a folder");
    let target = outside.path().as_os_str().as_encoded_bytes().to_vec();
    let link = studio.store(pentimento::worktree::stat::NodeKind::Symlink, target);
    let new = studio.file("evil");
    let plan = studio.plan(&[want("x", link), want("x/evil.txt", new)]);
    assert_eq!(plan.unreadable, [(path("x/evil.txt"), std::io::ErrorKind::NotADirectory)]);
    assert_eq!(plan.problems().len(), 1);
    let report = studio.execute(&plan);
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    assert!(studio.displaced().is_empty());
    assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 0);
}

#[test]
fn a_link_takes_the_place_of_a_folder_whose_files_go() {
    let mut studio = studio();
    let link = studio.store(pentimento::worktree::stat::NodeKind::Symlink, b"a.txt".to_vec());
    studio.checkout(&[want("brand", link), want_gone("brand/logo.svg"), want_gone("brand/old/logo.svg")]);
    assert_eq!(fs::read_link(studio.at("brand")).expect("a link").to_str(), Some("a.txt"));
    assert!(studio.displaced().is_empty());
}

#[test]
fn everything_put_aside_comes_back_at_once_except_where_a_place_is_taken() {
    let mut studio = studio();
    let new = studio.file("beta");
    for name in ["deep/er/one", "two", "three"] {
        studio.write(name, name);
    }
    let id = studio
        .checkout(&[want_gone("deep/er/one"), want("two", new), want_gone("three")])
        .displaced
        .expect("a set");
    let set = displaced::find(&studio.pent(), &id).expect("found");
    let back = displaced::restore_all(&studio.pent(), &set, &studio.worktree()).expect("brought back");
    assert_eq!(back.paths.len(), 2);
    assert!(matches!(back.failed[..], [(ref at, WorktreeError::Occupied { .. })] if *at == path("two")));
    assert_eq!(studio.read("deep/er/one"), Some(b"deep/er/one".to_vec()));
    assert_eq!(studio.read("two"), Some(b"beta".to_vec()));
    assert_eq!(studio.displaced(), [("two".to_owned(), b"two".to_vec())]);
    fs::remove_file(studio.at("two")).expect("removed");
    let set = displaced::find(&studio.pent(), &id).expect("found");
    displaced::restore_all(&studio.pent(), &set, &studio.worktree()).expect("brought back");
    assert_eq!(studio.read("two"), Some(b"two".to_vec()));
    let gone = displaced::find(&studio.pent(), &id);
    assert!(matches!(gone, Err(WorktreeError::DisplacedUnknown { .. })));
    let outside = displaced::find(&studio.pent(), "../worktree");
    assert!(matches!(outside, Err(WorktreeError::DisplacedUnknown { .. })));
}

#[test]
fn links_are_written_as_links_and_those_that_lead_outside_only_when_allowed() {
    let mut studio = studio();
    let link = |studio: &mut Studio, target: &str| {
        let kind = pentimento::worktree::stat::NodeKind::Symlink;
        studio.store(kind, target.as_bytes().to_vec())
    };
    let (inside, outside) = (link(&mut studio, "brand/logo.svg"), link(&mut studio, "/etc/passwd"));
    let plan = studio.plan(&[want("in", inside), want("out", outside)]);
    let report = studio.execute_with(&plan, LinkPolicy::InsideOnly);
    assert!(matches!(report.failed[..], [ref failed] if matches!(failed.failure, Failure::LinkOutside)));
    assert_eq!(fs::read_link(studio.at("in")).expect("a link").to_str(), Some("brand/logo.svg"));
    assert!(fs::symlink_metadata(studio.at("out")).is_err());
    studio.execute(&plan);
    assert_eq!(fs::read_link(studio.at("out")).expect("a link").to_str(), Some("/etc/passwd"));
}

#[test]
fn content_that_is_missing_or_of_another_size_fails_alone_and_replaces_nothing() {
    let mut studio = studio();
    let good = studio.file("good");
    let Content::File { id, .. } = studio.file("short") else { unreachable!("it is a file") };
    let missing = Content::File { id: crate::worktree_support::file_id(b"?"), size: 1, executable: false };
    let report = studio.execute(&studio.plan(&[
        want("a.txt", Content::File { id, size: 999, executable: false }),
        want("brand/logo.svg", missing),
        want("brand/new.svg", good),
    ]));
    assert_eq!(report.failed.len(), 2);
    assert!(matches!(report.failed[0].failure, Failure::Size { expected: 999, actual: 5 }));
    assert_eq!(studio.read("a.txt"), Some(b"alpha".to_vec()));
    assert_eq!(studio.read("brand/logo.svg"), Some(b"<svg/>".to_vec()));
    assert_eq!(names(&studio, "brand"), ["logo.svg", "new.svg", "old"]);
}

#[test]
fn foreign_content_is_told_and_not_written() {
    let studio = studio();
    let foreign = Content::Foreign {
        algorithm: ForeignAlgorithm::Sha256,
        digest: vec![1; 32],
        size: 9,
        executable: false,
    };
    let plan = studio.plan(&[want("a.txt", foreign)]);
    assert_eq!((plan.unavailable, plan.steps.len()), (vec![path("a.txt")], 0));
}

#[test]
fn what_is_written_is_unchanged_in_the_next_status() {
    let mut studio = studio();
    let mut wanted = Vec::new();
    for number in 0..300 {
        let content = studio.file(format!("content {number}"));
        wanted.push(want(format!("many/{}/{number}", number % 7), content));
    }
    let report = studio.checkout(&wanted);
    assert_eq!(report.written.len(), 300);
    assert!(report.written.iter().all(|fresh| fresh.settled));
    let tree = studio.commit();
    let index = studio.build_index(tree, None, &report.written);
    studio.index = Some(index);
    let status = studio.status();
    assert!(status.changes.is_empty());
    // The three files that were there before are not among those written.
    assert_eq!((status.refreshed.len(), status.tallies.unchanged_files), (3, 303));
}

#[test]
fn too_little_space_is_said_before_anything_is_touched() {
    let studio = studio();
    let huge = Content::File { id: crate::worktree_support::file_id(b"?"), size: 1 << 60, executable: false };
    let plan = studio.plan(&[want("huge", huge)]);
    let outcome = plan.check_space(&studio.worktree());
    assert!(matches!(outcome, Err(WorktreeError::DiskFull { needed, .. }) if needed > 1 << 60));
}

#[test]
fn half_written_files_of_a_cut_off_checkout_are_found_and_put_aside() {
    let studio = studio();
    studio.write("brand/.pent-tmp-0123456789abcdef", "half");
    let status = studio.status();
    assert!(status.changes.is_empty());
    assert_eq!(status.leftovers, [path("brand/.pent-tmp-0123456789abcdef")]);
    let displacer = Displacer::new(&studio.pent(), "clean", Timestamp::utc(0));
    let swept = displaced::sweep_leftovers(&studio.worktree(), &status.leftovers, &displacer);
    assert_eq!(swept.expect("swept"), 1);
    assert!(studio.status().leftovers.is_empty());
    assert_eq!(studio.displaced()[0].1, b"half");
}

/// Writes other bytes of the same length into a file and gives it back its time, as tools do that keep it.
fn edit_quietly(studio: &Studio, name: &str, bytes: &str) {
    let modified = fs::metadata(studio.at(name)).expect("there").modified().expect("a time");
    studio.write(name, bytes);
    let file = fs::File::options().write(true).open(studio.at(name)).expect("opened");
    file.set_modified(modified).expect("an old time");
}

#[test]
fn an_edit_since_the_plan_that_kept_size_and_time_is_put_aside() {
    let mut studio = studio();
    let new = studio.file("beta");
    let plan = studio.plan(&[want("a.txt", new), want_gone("brand/logo.svg")]);
    edit_quietly(&studio, "a.txt", "ALPHA");
    edit_quietly(&studio, "brand/logo.svg", "<SVG/>");
    let report = studio.execute(&plan);
    assert!(report.failed.is_empty(), "{:?}", report.failed);
    let expected = [("a.txt", "ALPHA"), ("brand/logo.svg", "<SVG/>")];
    assert_eq!(
        studio.displaced(),
        expected.map(|(path, bytes)| (path.to_owned(), bytes.as_bytes().to_vec()))
    );
}

#[test]
fn a_file_that_can_neither_go_nor_be_put_aside_keeps_its_name() {
    let mut studio = studio();
    let new = studio.file("beta");
    let plan = studio.plan(&[want("a.txt", new), want_gone("brand/logo.svg")]);
    studio.write("a.txt", "saved meanwhile");
    studio.write("brand/logo.svg", "this too");
    // Nothing can be put aside: its folder cannot be made.
    fs::write(studio.pent().join("displaced"), "in the way").expect("written");
    let report = studio.execute(&plan);
    assert_eq!(report.failed.len(), 2, "{:?}", report.failed);
    assert_eq!(studio.read("a.txt"), Some(b"saved meanwhile".to_vec()));
    assert_eq!(studio.read("brand/logo.svg"), Some(b"this too".to_vec()));
    assert_eq!(names(&studio, "brand"), ["logo.svg", "old"]);
    assert_eq!(names(&studio, "."), [".pent", "a.txt", "brand"]);
}
