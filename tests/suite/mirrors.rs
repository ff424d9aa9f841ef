//! Second copies of a remote: exactly like the first, read back, and enough to begin again from.

use crate::app_flow::noise;
use crate::sharing_network::Serving;
use crate::support::World;
use std::fs;
use std::path::Path;

fn write(world: &World, name: &str, bytes: impl AsRef<[u8]>) {
    let path = world.studio().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, bytes).expect("a written file");
}

/// A repository with one commit at a remote, and somebody else's clone of it.
fn studio() -> World {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    write(&world, "film.bin", noise(1, 2_000_000));
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["remote", "add", "origin", "../nas"]);
    world.ok(&["push"]);
    world.ok(&["clone", "../nas", "../ben"]);
    world
}

/// The names of a remote, with what they point to.
fn names_at(world: &World, address: &str) -> Vec<String> {
    let copy = format!("../look-{}", fs::read_dir(world.studio().join("..")).expect("a folder").count());
    world.ok(&["clone", "--lazy", address, &copy]);
    let report = world.json(&["-C", &copy, "remote", "check"]);
    let mut names: Vec<String> =
        report["names"].as_array().expect("names").iter().map(|name| name.to_string()).collect();
    names.sort();
    names
}

#[test]
fn a_mirror_is_exactly_like_the_first_remote_and_enough_to_begin_again() {
    let world = studio();
    // What Ben pushes is in the mirror that Anna keeps; what Anna has for herself is not.
    world.ok(&["-C", "../ben", "draft", "new", "cut"]);
    write(&world, "../ben/film.bin", noise(2, 2_000_000));
    world.ok(&["-C", "../ben", "commit", "-m", "A cut"]);
    world.ok(&["-C", "../ben", "tag", "sent"]);
    world.ok(&["-C", "../ben", "push", "cut", "sent"]);
    world.ok(&["tag", "mine"]);
    let first = world.json(&["mirror", "../second"]);
    assert_eq!((&first["remote"], &first["begun"]), (&"origin".into(), &true.into()));
    assert_eq!((&first["names"], &first["verified"]["complete"]), (&3.into(), &true.into()));
    assert_eq!(names_at(&world, "../second"), names_at(&world, "../nas"));
    // Nothing new moves nothing; something new moves that.
    assert_eq!(world.json(&["mirror", "../second"])["moved"]["bytes_sent"], 0);
    write(&world, "notes.txt", "short");
    world.ok(&["commit", "-m", "Notes"]);
    world.ok(&["push"]);
    let second = world.json(&["mirror", "../second", "--sample", "10%"]);
    assert!(second["moved"]["bytes_sent"].as_u64().is_some_and(|bytes| bytes < 5_000), "{second}");
    // What goes there goes here.
    world.ok(&["-C", "../ben", "push", "--delete", "cut", "sent"]);
    let third = world.json(&["mirror", "../second"]);
    assert_eq!((&third["removed"], &third["names"]), (&2.into(), &1.into()), "{third}");
    assert_eq!(names_at(&world, "../second"), names_at(&world, "../nas"));
    // The first site burns down.
    fs::remove_dir_all(world.studio().join("../nas")).expect("removed");
    world.ok(&["clone", "../second", "../again"]);
    assert_eq!(world.json(&["-C", "../again", "fsck"])["sound"], true);
    assert!(fs::read(world.studio().join("../again/film.bin")).expect("a file") == noise(1, 2_000_000));
    let itself = world.pent(&["mirror", "../second", "--from", "nowhere"]);
    assert_eq!(itself.code, 3, "{}", itself.stderr);
}

#[test]
fn a_mirror_that_is_damaged_says_so_and_one_of_itself_is_refused() {
    let world = studio();
    world.ok(&["mirror", "../second"]);
    flip_a_byte(&world.studio().join("../second/packs"));
    let run = world.pent(&["mirror", "../second"]);
    assert_eq!(run.code, 5, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("damaged or lost"), "{}", run.stdout);
    let run = world.pent(&["mirror", "../nas"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    // A clone that has not everything cannot vouch for a copy.
    world.ok(&["clone", "--lazy", "../nas", "../lazy"]);
    let run = world.pent(&["-C", "../lazy", "mirror", "../third"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
}

/// Changes a byte in the first file below a folder.
fn flip_a_byte(folder: &Path) {
    let entry = fs::read_dir(folder).expect("a folder").flatten().next().expect("something in it");
    if entry.path().is_dir() {
        return flip_a_byte(&entry.path());
    }
    let mut bytes = fs::read(entry.path()).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(entry.path(), bytes).expect("written");
}

#[test]
fn a_remote_that_was_emptied_does_not_empty_its_mirror() {
    let world = studio();
    world.ok(&["-C", "../ben", "draft", "new", "cut"]);
    write(&world, "../ben/film.bin", noise(2, 2_000_000));
    world.ok(&["-C", "../ben", "commit", "-m", "A cut"]);
    world.ok(&["-C", "../ben", "push", "cut"]);
    let earlier = copy_of(&world.studio().join("../nas"));
    for round in 0..3 {
        write(&world, "notes.txt", format!("round {round}"));
        world.ok(&["commit", "-m", "On"]);
        world.ok(&["tag", &format!("t{round}")]);
        world.ok(&["push", "--all"]);
    }
    world.ok(&["mirror", "../second"]);
    let before = names_at(&world, "../second");
    // Somebody puts an old copy of the remote in its place.
    fs::remove_dir_all(world.studio().join("../nas")).expect("removed");
    copy_folder(earlier.path(), &world.studio().join("../nas"));
    let run = world.pent(&["mirror", "../second"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("was not copied"), "{}", run.stdout);
    assert_eq!(names_at(&world, "../second"), before);
}

#[test]
fn a_clone_that_lags_behind_takes_no_work_from_a_backup() {
    let world = studio();
    world.ok(&["backup", "../safe"]);
    write(&world, "notes.txt", "newer");
    world.ok(&["commit", "-m", "Newer"]);
    world.ok(&["tag", "sent"]);
    world.ok(&["backup", "../safe"]);
    let before = names_at(&world, "../safe");
    // Ben, who has seen nothing of it, backs up to the same place, and asks for it to be exactly like his.
    for arguments in
        [["-C", "../ben", "backup", "../safe"].as_slice(), &["-C", "../ben", "backup", "../safe", "--exact"]]
    {
        let run = world.pent(arguments);
        assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("main stays at"), "{}", run.stdout);
        assert!(run.stdout.contains("work there that is not in this clone"), "{}", run.stdout);
        assert_eq!(names_at(&world, "../safe"), before);
    }
    // What he has seen and does not build on stays as well; what he builds on moves.
    world.ok(&["push", "--all"]);
    world.ok(&["-C", "../ben", "fetch"]);
    let run = world.pent(&["-C", "../ben", "backup", "../safe"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("would take their place"), "{}", run.stdout);
    world.ok(&["-C", "../ben", "pull"]);
    write(&world, "../ben/notes.txt", "newest");
    world.ok(&["-C", "../ben", "commit", "-m", "Newest"]);
    world.ok(&["-C", "../ben", "backup", "../safe"]);
    // And now Anna's is behind.
    assert_eq!(world.pent(&["backup", "../safe"]).code, 1);
    world.ok(&["-C", "../ben", "fsck"]);
}

#[test]
fn a_backup_follows_its_own_repository_back() {
    let world = studio();
    write(&world, "notes.txt", "one");
    world.ok(&["commit", "-m", "One"]);
    world.ok(&["tag", "draft-cut"]);
    world.ok(&["backup", "../safe"]);
    world.ok(&["undo"]);
    world.ok(&["undo"]);
    write(&world, "notes.txt", "two");
    world.ok(&["commit", "-m", "Two"]);
    // Only this clone put anything there: nobody else's work is in the way.
    let report = world.json(&["backup", "../safe", "--exact"]);
    assert_eq!((&report["names"], &report["kept"]), (&1.into(), &serde_json::json!([])), "{report}");
    assert_eq!(names_at(&world, "../safe").len(), 1);
    world.ok(&["clone", "../safe", "../back"]);
    assert_eq!(fs::read_to_string(world.studio().join("../back/notes.txt")).expect("a file"), "two");
}

#[test]
fn what_others_put_into_a_mirror_stays_there_and_is_named() {
    let world = studio();
    world.ok(&["mirror", "../second"]);
    world.ok(&["-C", "../ben", "remote", "add", "second", "../second"]);
    world.ok(&["-C", "../ben", "switch", "-c", "own"]);
    write(&world, "../ben/own.txt", "Ben's");
    world.ok(&["-C", "../ben", "commit", "-m", "Ben's own"]);
    world.ok(&["-C", "../ben", "push", "--to", "second"]);
    world.ok(&["-C", "../ben", "switch", "main"]);
    write(&world, "../ben/notes.txt", "Ben's");
    world.ok(&["-C", "../ben", "commit", "-m", "Ben's notes"]);
    world.ok(&["-C", "../ben", "push", "--to", "second"]);
    let before = names_at(&world, "../second");
    write(&world, "other.txt", "Anna's");
    world.ok(&["commit", "-m", "Anna's"]);
    world.ok(&["push"]);
    let run = world.pent(&["--json", "mirror", "../second"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("a report");
    let kept: Vec<&str> =
        report["kept"].as_array().expect("names").iter().filter_map(|kept| kept["name"].as_str()).collect();
    assert_eq!((kept, &report["removed"]), (vec!["branch/main", "branch/draft/own"], &0.into()), "{report}");
    assert_eq!(names_at(&world, "../second"), before);
    // Once it is in the first remote it goes on as before.
    world.ok(&["-C", "../ben", "pull"]);
    world.ok(&["-C", "../ben", "push", "--all"]);
    world.ok(&["mirror", "../second"]);
    assert_eq!(names_at(&world, "../second"), names_at(&world, "../nas"));
}

#[test]
fn a_mirror_follows_what_its_first_remote_takes_back_from_whatever_clone() {
    let world = studio();
    world.ok(&["-C", "../ben", "draft", "new", "cut"]);
    write(&world, "../ben/cut.txt", "one");
    world.ok(&["-C", "../ben", "commit", "-m", "One"]);
    world.ok(&["-C", "../ben", "push", "cut"]);
    world.ok(&["clone", "../nas", "../carla"]);
    world.ok(&["mirror", "../second"]);
    let take_back = |text: &str| {
        world.ok(&["-C", "../ben", "undo"]);
        write(&world, "../ben/cut.txt", text);
        world.ok(&["-C", "../ben", "commit", "-m", text]);
        world.ok(&["-C", "../ben", "push", "--force", "cut"]);
    };
    take_back("two");
    world.ok(&["mirror", "../second"]);
    assert_eq!(names_at(&world, "../second"), names_at(&world, "../nas"));
    // Carla has never mirrored anything; she saw where the draft was before.
    world.ok(&["-C", "../carla", "fetch"]);
    take_back("three");
    world.ok(&["-C", "../carla", "mirror", "../second"]);
    assert_eq!(names_at(&world, "../second"), names_at(&world, "../nas"));
}

fn copy_of(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    copy_folder(folder, copy.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

#[test]
fn a_server_is_read_back_and_gets_back_what_it_lost() {
    let world = studio();
    world.ok(&["identity", "new", "anna", "--no-passphrase"]);
    let key = world.ok(&["identity", "export"]);
    let at = key.find("ssh-ed25519").expect("a key");
    write(&world, "../srv/.pent-server/people", key[at..].lines().next().expect("a line"));
    let serving = Serving::start(&world, &["--listen", "127.0.0.1:0", "--repos", "../srv"]);
    let address = format!("http://{}/second", serving.address);
    write(&world, "still.bin", noise(3, 900_000));
    world.ok(&["commit", "-m", "A still"]);
    world.ok(&["push"]);
    let first = world.json(&["mirror", &address]);
    assert_eq!((&first["begun"], &first["verified"]["complete"]), (&true.into(), &true.into()), "{first}");
    let read = first["verified"]["objects_read"].as_u64().expect("a number");
    let sampled = world.json(&["mirror", &address, "--sample", "20%"]);
    let left_out = sampled["verified"]["objects_left_out"].as_u64().expect("a number");
    assert!(left_out > 0 && left_out < read, "{sampled}");
    world.ok(&["remote", "add", "second", &address]);
    let packs = world.studio().join("../srv/second/.pent/packs");
    flip_a_byte(&packs);
    let verified = world.pent(&["remote", "verify", "second"]);
    assert_eq!(verified.code, 5, "{}{}", verified.stdout, verified.stderr);
    // Its own repair takes what is damaged for lost; then the clone gives it back.
    world.pent(&["-C", "../srv/second", "repair"]);
    let repaired = world.json(&["remote", "repair", "second"]);
    let given = repaired["verified"]["repaired"].as_u64().or(repaired["repaired"].as_u64());
    assert!(given.is_some_and(|given| given > 0), "{repaired}");
    world.ok(&["remote", "verify", "second"]);
    world.ok(&["clone", &address, "../whole"]);
    assert!(fs::read(world.studio().join("../whole/film.bin")).expect("a file") == noise(1, 2_000_000));
    assert_eq!(world.json(&["-C", "../whole", "fsck"])["sound"], true);
}
