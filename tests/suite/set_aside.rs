//! What commands replace or leave out of sight can be had again, and is told as it is.

use crate::support::World;
use std::fs;
use std::path::PathBuf;

fn studio() -> World {
    let world = World::new();
    world.ok(&["config", "user.name", "Anna Lind"]);
    world.ok(&["init"]);
    world
}

fn write(world: &World, name: &str, bytes: impl AsRef<[u8]>) {
    let path = world.studio().join(name);
    fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
    fs::write(path, bytes).expect("a written file");
}

fn read(world: &World, name: &str) -> String {
    fs::read_to_string(world.studio().join(name)).unwrap_or_default()
}

fn commit(world: &World, message: &str) {
    world.ok(&["commit", "-m", message]);
}

/// A draft in which `a` is another than on main, which the worktree is on.
fn two_branches() -> World {
    let world = studio();
    write(&world, "a", "1");
    commit(&world, "One");
    world.ok(&["draft", "new", "x"]);
    write(&world, "a", "2");
    commit(&world, "Two");
    world
}

#[test]
fn redo_brings_back_what_undo_set_aside() {
    let world = two_branches();
    world.ok(&["switch", "main"]);
    write(&world, "a", "my work");
    let told = world.ok(&["undo"]);
    assert!(told.contains("(`pent redo` brings it back):\n  a\n"), "{told}");
    assert_eq!(read(&world, "a"), "2");
    let told = world.ok(&["redo"]);
    assert!(told.contains("In their places again:\n  a\n"), "{told}");
    assert_eq!(read(&world, "a"), "my work");
    // As often as one likes, and nothing is left behind.
    world.ok(&["undo"]);
    assert_eq!(read(&world, "a"), "2");
    world.ok(&["redo"]);
    assert_eq!(read(&world, "a"), "my work");
    assert_eq!(world.ok(&["restore", "--set-aside"]), "Nothing is set aside.\n");
}

#[test]
fn redo_sets_the_folder_aside_again_that_undo_brought_back() {
    let world = studio();
    write(&world, "a", "1");
    commit(&world, "A file");
    fs::remove_file(world.studio().join("a")).expect("removed");
    commit(&world, "None");
    write(&world, "a/new.txt", "new");
    world.ok(&["restore", "a", "-r", "@~1"]);
    write(&world, "a", "edited since");
    for _ in 0..2 {
        world.ok(&["undo"]);
        assert_eq!([read(&world, "a"), read(&world, "a/new.txt")], ["", "new"]);
        world.ok(&["redo"]);
        assert_eq!([read(&world, "a"), read(&world, "a/new.txt")], ["edited since", ""]);
    }
}

#[test]
fn undo_brings_back_over_a_folder_without_files_and_not_over_one_with_files() {
    for has_file in [false, true] {
        let world = studio();
        write(&world, "a", "1");
        commit(&world, "One");
        write(&world, "a", "my work");
        world.ok(&["restore", "a"]);
        fs::remove_file(world.studio().join("a")).expect("removed");
        fs::create_dir_all(world.studio().join("a/old/older")).expect("folders");
        if has_file {
            write(&world, "a/old/new.txt", "new");
        }
        let run = world.pent(&["undo"]);
        assert_eq!(run.code, i32::from(has_file), "{}{}", run.stdout, run.stderr);
        let expected = if has_file { ["", "new"] } else { ["my work", ""] };
        assert_eq!([read(&world, "a"), read(&world, "a/old/new.txt")], expected);
    }
}

#[test]
fn whatever_is_set_aside_is_listed_and_comes_back() {
    let world = two_branches();
    world.ok(&["switch", "main"]);
    write(&world, "a", "my work");
    world.ok(&["undo"]);
    let sets = world.json(&["restore", "--set-aside"]);
    let id = sets["sets"][0]["id"].as_str().expect("a name").to_owned();
    assert_eq!(sets["sets"][0]["reason"], "undo");
    assert_eq!(sets["sets"][0]["items"][0]["path"], "a");
    // Its place is taken: nothing is replaced, and it stays where it is.
    let run = world.pent(&["restore", "--set-aside", &id]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("Still set aside; `--to FOLDER`"), "{}", run.stdout);
    assert_eq!(read(&world, "a"), "2");
    let there = world.home().join("found");
    let there = there.to_str().expect("text");
    assert_eq!(world.pent(&["restore", "--set-aside", &id, "b", "--to", there]).code, 3);
    world.ok(&["restore", "--set-aside", &id, "--to", there]);
    assert_eq!(fs::read_to_string(PathBuf::from(there).join("a")).expect("a file"), "my work");
    assert_eq!(world.pent(&["restore", "--set-aside", &id]).code, 3);
}

#[test]
fn what_a_restore_elsewhere_replaces_is_named_with_its_way_back() {
    let world = studio();
    write(&world, "a", "1");
    commit(&world, "One");
    let there = world.home().join("there");
    fs::create_dir(&there).expect("a folder");
    fs::write(there.join("a"), "precious").expect("a file");
    let told = world.ok(&["restore", "a", "--to", there.to_str().expect("text")]);
    let id = world.json(&["restore", "--set-aside"])["sets"][0]["id"].as_str().expect("a name").to_owned();
    assert!(
        told.contains(&format!("(`pent restore --set-aside {id} --to FOLDER` brings it back)")),
        "{told}"
    );
    assert!(!told.contains("pent undo"), "{told}");
    let back = world.home().join("back");
    world.ok(&["restore", "--set-aside", &id, "--to", back.to_str().expect("text")]);
    assert_eq!(fs::read_to_string(back.join("a")).expect("a file"), "precious");
}

#[test]
fn nothing_is_written_where_a_repository_keeps_itself() {
    let world = studio();
    write(&world, "db.redb", "no database");
    commit(&world, "One");
    let before = fs::read(world.studio().join(".pent/db.redb")).expect("a database");
    for line in [
        &["restore", ".", "--to", ".pent"][..],
        &["restore", ".", "--to", ".pent/new"],
        &["export", "@", ".pent/x"],
        &["export", "@", ".pent/x.tar"],
    ] {
        let run = world.pent(line);
        assert_eq!(run.code, 4, "{line:?}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("is where a repository keeps itself"), "{}", run.stderr);
    }
    assert_eq!(fs::read(world.studio().join(".pent/db.redb")).expect("a database"), before);
}

#[test]
fn a_tag_keeps_its_words_through_undo_and_redo() {
    let world = studio();
    write(&world, "a", "1");
    commit(&world, "One");
    world.ok(&["tag", "v1", "-m", "Sent to the printer"]);
    let words = |world: &World| world.json(&["show", "v1"])["tag"].clone();
    let said = words(&world);
    assert_eq!(said["message"], "Sent to the printer");
    world.ok(&["undo"]);
    assert_eq!(world.pent(&["show", "v1"]).code, 3);
    world.ok(&["redo"]);
    assert_eq!(words(&world), said);
    world.ok(&["tag", "v1", "--delete"]);
    world.ok(&["undo"]);
    assert_eq!(words(&world), said);
}

#[test]
fn a_restore_says_which_labels_it_takes_back() {
    let world = studio();
    write(&world, "a", "1");
    commit(&world, "One");
    world.ok(&["label", "a", "--add", "important"]);
    let told = world.ok(&["restore", "a", "-n"]);
    assert!(told.contains("Said anew, since what is said is not committed"), "{told}");
    let told = world.ok(&["restore", "a"]);
    assert!(told.contains("(`pent undo` brings it back):\n  a\n"), "{told}");
    assert!(!told.contains("Everything is so already"), "{told}");
    world.ok(&["undo"]);
    assert!(world.ok(&["label", "a"]).contains("important"));
}

#[test]
fn a_commit_counts_what_changed_and_not_what_was_read() {
    let world = studio();
    write(&world, "big.bin", vec![7; 500_000]);
    write(&world, "a.txt", "1\n");
    commit(&world, "One");
    let big = fs::File::options().write(true).open(world.studio().join("big.bin")).expect("a file");
    big.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("another time");
    write(&world, "a.txt", "22\n");
    let report = world.json(&["commit", "-m", "Two"]);
    assert_eq!((&report["bytes"], &report["bytes_new"]), (&3.into(), &3.into()));
    fs::remove_file(world.studio().join("big.bin")).expect("a removed file");
    let report = world.json(&["commit", "-m", "Three"]);
    assert_eq!((&report["bytes"], &report["bytes_new"]), (&0.into(), &0.into()));
}

#[test]
fn the_log_of_an_old_path_says_where_it_moved() {
    let world = studio();
    write(&world, "a", "some words that stay");
    write(&world, "d/one", "other words");
    commit(&world, "One");
    for (from, to) in [("a", "b"), ("d", "e")] {
        fs::rename(world.studio().join(from), world.studio().join(to)).expect("a moved file");
    }
    commit(&world, "Two");
    let log = world.json(&["log", "a"]);
    assert_eq!(log["commits"][0]["change"]["what"], "moved");
    assert_eq!(log["commits"][0]["change"]["after"]["path"], "b");
    assert_eq!(log["commits"][1]["change"]["what"], "added");
    assert_eq!(world.json(&["log", "d/one"])["commits"][0]["change"]["after"]["path"], "e/one");
    fs::remove_file(world.studio().join("b")).expect("a removed file");
    commit(&world, "Three");
    assert_eq!(world.json(&["log", "b"])["commits"][0]["change"]["what"], "removed");
}

#[test]
fn an_asset_goes_on_at_one_place_that_exists() {
    let world = studio();
    write(&world, "a", "1");
    commit(&world, "One");
    write(&world, "c", "another");
    assert_eq!(world.pent(&["meta", "adopt", "nosuch", "a"]).code, 3);
    let run = world.pent(&["meta", "adopt", "c", "a"]);
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("a is there still"), "{}", run.stderr);
    fs::remove_file(world.studio().join("a")).expect("a removed file");
    world.ok(&["meta", "adopt", "c", "a"]);
    commit(&world, "Two");
    assert_eq!(world.json(&["log", "c"])["commits"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_branch_is_no_draft() {
    let world = two_branches();
    for line in [&["draft", "rename", "main", "other"][..], &["draft", "delete", "main"]] {
        let run = world.pent(line);
        assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("main is no draft"), "{}", run.stderr);
    }
    // A draft that is called as a branch is meant where drafts are spoken of.
    world.ok(&["draft", "new", "main", "--stay"]);
    world.ok(&["draft", "rename", "main", "second"]);
    world.ok(&["switch", "main"]);
    world.ok(&["draft", "delete", "second", "--force"]);
}

#[test]
fn a_mistyped_path_is_told_where_something_is_asked_about_it() {
    let world = studio();
    write(&world, "a", "1");
    for line in [&["label", "nosuch"][..], &["meta", "get", "nosuch"]] {
        assert_eq!(world.pent(line).code, 3, "{line:?}");
    }
    let run = world.pent(&["label", "a", "red"]);
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("pent label a --add red"), "{}", run.stderr);
    world.ok(&["label", "a"]);
}
