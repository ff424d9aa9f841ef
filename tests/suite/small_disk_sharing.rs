//! Disks with too little room while work is shared: at the other end behind ssh, at this one while something comes, and
//! where a push notes what it has sent.

use crate::app_flow::noise;
use crate::small_disk::{SmallDisk, on_small_disk};
use crate::support::{Run, World};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Something in place of `ssh` that runs on this machine what it is to run at the other end, after some lines of its own.
pub fn stand_in(world: &World, before: &str) -> String {
    let path = world.home().join("stand-in");
    let program = Path::new(env!("CARGO_BIN_EXE_pent")).parent().expect("a folder").display();
    let text = format!(
        "#!/bin/sh\n{before}for last; do :; done\nPATH='{program}':\"$PATH\" exec sh -c \"exec $last\"\n"
    );
    fs::write(&path, text).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
    path.display().to_string()
}

/// Runs the program in a folder, with what stands in for ssh.
fn run_in(world: &World, folder: &Path, ssh: &str, arguments: &[&str]) -> Run {
    let folder = folder.display().to_string();
    let all: Vec<&str> = ["-C", &folder].into_iter().chain(arguments.iter().copied()).collect();
    let output = world.command(&all).env("PENT_SSH", ssh).env("PATH", "/usr/bin:/bin").output();
    let output = output.expect("a program that starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

fn ok_in(world: &World, folder: &Path, ssh: &str, arguments: &[&str]) -> String {
    let run = run_in(world, folder, ssh, arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
    run.stdout
}

fn assert_sound(world: &World, folder: &Path) {
    assert_eq!(world.json(&["-C", &folder.display().to_string(), "fsck"])["sound"], true);
}

/// A repository on a disk with room.
fn begun(world: &World, folder: &str, ssh: &str) -> PathBuf {
    let work = world.home().join(folder);
    fs::create_dir(&work).expect("a folder");
    ok_in(world, &work, ssh, &["init"]);
    ok_in(world, &work, ssh, &["config", "user.name", "Anna Lind"]);
    fs::write(work.join("a.raw"), noise(1, 5_000_000)).expect("a file");
    ok_in(world, &work, ssh, &["commit", "-m", "Begin"]);
    work
}

fn refused_for_room(run: &Run) {
    assert!(matches!(run.code, 6 | 7), "{}: {}", run.code, run.stderr);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    let told = ["room", "are free", "full", "No space"];
    assert!(told.iter().any(|word| run.stderr.contains(word)), "{}", run.stderr);
}

#[test]
fn a_push_over_ssh_to_a_full_disk_is_refused_and_goes_through_with_room() {
    let name = "small_disk_sharing::a_push_over_ssh_to_a_full_disk_is_refused_and_goes_through_with_room";
    on_small_disk(name, "200m", |world, disk| {
        let ssh = stand_in(world, "");
        let work = begun(world, "work", &ssh);
        let there = world.studio().join("brand");
        let address = format!("ssh://nas{}", there.display());
        ok_in(world, &work, &ssh, &["remote", "add", "origin", &address]);
        ok_in(world, &work, &ssh, &["push"]);
        fs::write(work.join("b.raw"), noise(2, 40_000_000)).expect("a file");
        ok_in(world, &work, &ssh, &["commit", "-m", "More"]);
        // Little is left, then next to nothing, then nothing at all.
        for left in [70_000_000, 900_000, 0] {
            disk.fill(left);
            refused_for_room(&run_in(world, &work, &ssh, &["push"]));
            disk.empty();
            assert_sound(world, &there);
        }
        ok_in(world, &work, &ssh, &["push"]);
        assert_sound(world, &there);
        let copy = world.home().join("copy").display().to_string();
        ok_in(world, &work, &ssh, &["clone", &address, &copy]);
        assert!(fs::read(Path::new(&copy).join("b.raw")).expect("a file") == noise(2, 40_000_000));
    });
}

#[test]
fn a_folder_on_a_full_disk_takes_no_half_of_a_push() {
    let name = "small_disk_sharing::a_folder_on_a_full_disk_takes_no_half_of_a_push";
    on_small_disk(name, "80m", |world, disk| {
        let work = begun(world, "work", "ssh");
        let there = world.studio().join("nas").display().to_string();
        ok_in(world, &work, "ssh", &["remote", "add", "origin", &there]);
        ok_in(world, &work, "ssh", &["push"]);
        fs::write(work.join("b.raw"), noise(2, 40_000_000)).expect("a file");
        ok_in(world, &work, "ssh", &["commit", "-m", "More"]);
        for left in [20_000_000, 0] {
            disk.fill(left);
            refused_for_room(&run_in(world, &work, "ssh", &["push"]));
            disk.empty();
            ok_in(world, &work, "ssh", &["remote", "verify"]);
        }
        ok_in(world, &work, "ssh", &["push"]);
        ok_in(world, &work, "ssh", &["remote", "verify"]);
    });
}

#[test]
fn what_does_not_fit_when_it_is_fetched_loses_nothing_and_comes_with_room() {
    let name = "small_disk_sharing::what_does_not_fit_when_it_is_fetched_loses_nothing_and_comes_with_room";
    on_small_disk(name, "260m", |world, disk| {
        let work = begun(world, "work", "ssh");
        let nas = world.home().join("nas").display().to_string();
        ok_in(world, &work, "ssh", &["remote", "add", "origin", &nas]);
        ok_in(world, &work, "ssh", &["push"]);
        let copy = world.studio().join("copy");
        world.ok(&["clone", &nas, &copy.display().to_string()]);
        fs::write(copy.join("mine.txt"), "not committed").expect("a file");
        for number in 0..6 {
            fs::write(work.join(format!("{number}.raw")), noise(10 + number, 10_000_000)).expect("a file");
        }
        ok_in(world, &work, "ssh", &["commit", "-m", "More"]);
        ok_in(world, &work, "ssh", &["push"]);
        for left in [30_000_000, 300_000, 0] {
            let before = ok_in(world, &copy, "ssh", &["log", "--revision", "origin/main"]);
            disk.fill(left);
            let full = run_in(world, &copy, "ssh", &["fetch"]);
            refused_for_room(&full);
            disk.empty();
            assert_sound(world, &copy);
            let after = ok_in(world, &copy, "ssh", &["log", "--revision", "origin/main"]);
            assert!(after == before, "a name moved, and what it leads to did not come");
            assert_eq!(fs::read_to_string(copy.join("mine.txt")).expect("a file"), "not committed");
        }
        ok_in(world, &copy, "ssh", &["pull"]);
        assert!(fs::read(copy.join("5.raw")).expect("a file") == noise(15, 10_000_000));
        assert_sound(world, &copy);
    });
}

fn pushes_from_a_full_disk(world: &World, disk: &SmallDisk) {
    let work = world.studio().join("work");
    fs::create_dir(&work).expect("a folder");
    ok_in(world, &work, "ssh", &["init"]);
    ok_in(world, &work, "ssh", &["config", "user.name", "Anna Lind"]);
    fs::write(work.join("a.raw"), noise(1, 9_000_000)).expect("a file");
    ok_in(world, &work, "ssh", &["commit", "-m", "Begin"]);
    let nas = world.home().join("nas").display().to_string();
    ok_in(world, &work, "ssh", &["remote", "add", "origin", &nas]);
    disk.fill(0);
    let full = run_in(world, &work, "ssh", &["push"]);
    assert!(matches!(full.code, 0 | 6), "{}: {}", full.code, full.stderr);
    assert!(!full.stderr.contains("panicked"), "{}", full.stderr);
    disk.empty();
    assert_sound(world, &work);
    ok_in(world, &work, "ssh", &["push"]);
    ok_in(world, &work, "ssh", &["remote", "verify"]);
    let copy = world.home().join("copy").display().to_string();
    world.ok(&["clone", &nas, &copy]);
    assert!(fs::read(Path::new(&copy).join("a.raw")).expect("a file") == noise(1, 9_000_000));
}

#[test]
fn a_push_from_a_full_disk_is_done_or_done_again() {
    let name = "small_disk_sharing::a_push_from_a_full_disk_is_done_or_done_again";
    on_small_disk(name, "60m", pushes_from_a_full_disk);
}
