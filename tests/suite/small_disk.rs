//! Disks with too little room: what is needed and what is there is said before long work, nothing is
//! lost, and with room again everything goes on.
//!
//! The disks are real where this user may mount one: as the superuser, or in a namespace of its own.
//! Where neither is allowed the test says so on standard error and tries a limit on the length of
//! files instead, which the system keeps as strictly.

use crate::app_flow::{Lab, noise};
use crate::support::World;
use pentimento::app::error::AppError;
use pentimento::app::restore;
use pentimento::app::undo::{self, Direction};
use pentimento::base::id::{ChunkId, RepositoryId};
use pentimento::base::monitor::{Advance, Monitor, Phase, Problem, SilentMonitor};
use pentimento::base::path::AssetPath;
use pentimento::store::fault::FaultDisk;
use pentimento::store::{GroupHint, Store, StoreError, StoreOptions, StoreSettings};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set for the child process that has a namespace of its own.
const IN_NAMESPACE: &str = "PENTIMENTO_TEST_NAMESPACE";

/// A small file system of its own.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one, as far as this user may.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        let option = format!("size={size}");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(at).output();
        done.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    pub fn resize(&self, size: &str) {
        let option = format!("remount,size={size}");
        let done = Command::new("mount").args(["-o", &option]).arg(&self.0).status().expect("mount");
        assert!(done.success());
    }

    pub fn free_bytes(&self) -> usize {
        let free = rustix::fs::statvfs(&self.0).expect("a disk");
        (free.f_bavail * free.f_frsize) as usize
    }

    /// Leaves so many bytes free.
    pub fn fill(&self, left: usize) {
        let most = self.free_bytes().saturating_sub(left);
        let mut file = fs::File::create(self.0.join("filler.tmp")).expect("a file");
        // The last of it may not fit any more.
        let _ = file.write_all(&vec![1; most]);
    }

    pub fn empty(&self) {
        fs::remove_file(self.0.join("filler.tmp")).expect("a removed file");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Runs a test on a small disk, itself or in a namespace of its own.
pub fn on_small_disk(test: &str, size: &str, body: fn(&World, &SmallDisk)) {
    let world = World::new();
    if let Some(disk) = SmallDisk::mount(&world.studio(), size) {
        return body(&world, &disk);
    }
    assert!(std::env::var_os(IN_NAMESPACE).is_none(), "nothing can be mounted in a namespace either");
    let output = Command::new("unshare")
        .args(["-rm", "--"])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .env(IN_NAMESPACE, "1")
        .output();
    match output {
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("1 passed") => {}
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("running 1 test") => {
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(text.contains("nothing can be mounted"), "{text}");
            without_small_disk(test);
        }
        _ => without_small_disk(test),
    }
}

fn without_small_disk(test: &str) {
    eprintln!("{test}: NO DISK COULD BE MOUNTED HERE; a limit on the length of files is tried instead");
    a_limit_on_the_length_of_files_is_told_and_loses_nothing();
}

fn studio(world: &World) {
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    fs::write(world.studio().join(".pentignore"), "*.tmp\n").expect("a written file");
}

#[test]
fn a_first_commit_without_room_says_what_is_needed_and_loses_nothing() {
    let name = "small_disk::a_first_commit_without_room_says_what_is_needed_and_loses_nothing";
    on_small_disk(name, "24m", |world, disk| {
        let large = noise(1, 13_000_000);
        fs::write(world.studio().join("large.psd"), &large).expect("a written file");
        studio(world);
        let before = disk.free_bytes();
        let run = world.pent(&["commit", "-m", "Large"]);
        assert_eq!(run.code, 6, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("MB are needed and"), "{}", run.stderr);
        assert!(run.stderr.contains("are free") && run.stderr.contains("try:"), "{}", run.stderr);
        assert!(before - disk.free_bytes() < 1_000_000, "it was said before anything was written");
        assert!(fs::read(world.studio().join("large.psd")).expect("a file") == large);
        world.ok(&["fsck"]);
        // What is here already needs no room, however large it is.
        disk.resize("60m");
        world.ok(&["commit", "-m", "Large"]);
        fs::copy(world.studio().join("large.psd"), world.studio().join("copy.psd")).expect("a copy");
        disk.fill(6_000_000);
        world.ok(&["commit", "-m", "A copy"]);
        disk.empty();
        world.ok(&["fsck"]);
        assert!(world.json(&["status"])["changes"].as_array().expect("changes").is_empty());
    });
}

#[test]
fn a_full_disk_can_be_looked_at_and_restores_nothing_by_half() {
    on_small_disk(
        "small_disk::a_full_disk_can_be_looked_at_and_restores_nothing_by_half",
        "60m",
        |world, disk| {
            studio(world);
            let large = noise(1, 13_000_000);
            let place = world.studio().join("large.psd");
            fs::write(&place, &large).expect("a written file");
            world.ok(&["commit", "-m", "Large"]);
            disk.fill(0);
            for looking in ["status", "log", "show", "diff", "journal"] {
                world.ok(&[looking]);
            }
            fs::write(world.studio().join(".pentignore"), "*.tmp\n*.bak\n").ok();
            let run = world.pent(&["commit", "-m", "No room at all"]);
            assert!(run.code == 6 && !run.stderr.contains("panicked"), "{}{}", run.stdout, run.stderr);
            disk.empty();
            fs::remove_file(&place).expect("a removed file");
            disk.fill(4_000_000);
            let run = world.pent(&["restore", "large.psd"]);
            assert_eq!(run.code, 6, "{}{}", run.stdout, run.stderr);
            assert!(run.stderr.contains("are needed and"), "{}", run.stderr);
            assert!(!place.exists());
            disk.empty();
            world.ok(&["restore", "large.psd"]);
            assert!(fs::read(&place).expect("a file") == large);
            world.ok(&["fsck"]);
        },
    );
}

/// Fills the disk as soon as the first file was written.
struct Filling<'a> {
    disk: &'a SmallDisk,
    done: AtomicBool,
}

impl Monitor for Filling<'_> {
    fn phase(&self, _: Phase) {}
    fn advance(&self, advance: Advance) {
        if advance.files > 0 && !self.done.swap(true, Ordering::Relaxed) {
            self.disk.fill(0);
        }
    }
    fn problem(&self, _: Problem) {}
    fn is_cancelled(&self) -> bool {
        false
    }
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_restore_leaves_it_to_the_next_command() {
    let name = "small_disk::a_disk_that_fills_up_in_the_middle_of_a_restore_leaves_it_to_the_next_command";
    on_small_disk(name, "100m", |world, disk| {
        let lab = Lab::in_folder(tempfile::tempdir_in(world.studio()).expect("a folder"));
        lab.write(".pentignore", "*.tmp\n");
        for number in 0..40 {
            lab.write(&format!("{number}.raw"), noise(number, 500_000));
        }
        lab.commit("Large");
        for number in 0..40 {
            lab.write(&format!("{number}.raw"), format!("edited {number}"));
        }
        let everything = restore::Options { paths: vec![AssetPath::root()], ..restore::Options::default() };
        let filling = Filling { disk, done: AtomicBool::new(false) };
        let report = restore::run(&lab.repository, &everything, &lab.clock, &filling).expect("a report");
        assert!(report.files.left > 0, "{:?}", report.files);
        let status = lab.status();
        assert_eq!(status.unfinished.as_deref(), Some("restore"));
        // Without room it cannot go on, and says so.
        let again = undo::run(&lab.repository, Direction::Undo, &lab.clock, &SilentMonitor);
        assert!(
            matches!(
                &again,
                Err(AppError::NoRoomToFinish { .. } | AppError::Unfinished { .. } | AppError::Repo(_))
            ),
            "{again:?}"
        );
        disk.empty();
        lab.undo();
        for number in 0..40 {
            assert_eq!(lab.text(&format!("{number}.raw")), Some(format!("edited {number}")));
        }
        assert_eq!(lab.status().unfinished, None);
    });
}

#[test]
fn a_move_on_a_full_disk_is_made_and_recorded_or_neither() {
    let name = "small_disk::a_move_on_a_full_disk_is_made_and_recorded_or_neither";
    on_small_disk(name, "24m", |world, disk| {
        studio(world);
        let (from, to) = (world.studio().join("a.psd"), world.studio().join("c.psd"));
        fs::write(&from, noise(1, 30_000)).expect("a written file");
        let labelled: Vec<String> = (0..150).map(|number| format!("labelled {number}.txt")).collect();
        labelled.iter().for_each(|name| fs::write(world.studio().join(name), name).expect("a written file"));
        world.ok(&["commit", "-m", "One"]);
        // With much that waits to be committed a move costs no more: it may find room for its few rows.
        let mut label = vec!["label", "--add", "night"];
        label.extend(labelled.iter().map(String::as_str));
        world.ok(&label);
        for left in [0, 4096, 16_384, 65_536, 262_144] {
            disk.fill(left);
            let run = world.pent(&["mv", "a.psd", "c.psd"]);
            assert!(run.code == 0 || run.code == 6, "{left}: {}{}", run.stdout, run.stderr);
            disk.empty();
            assert_eq!(
                (from.exists(), to.exists()),
                (run.code != 0, run.code == 0),
                "{left}: {}",
                run.stderr
            );
            let told = world.json(&["status"])["changes"].as_array().expect("changes").clone();
            let moved = told.iter().filter(|line| line["what"] == "moved").count();
            assert_eq!((moved, told.len()), (usize::from(run.code == 0), 150 + moved), "{left}: {told:?}");
            if run.code == 0 {
                world.ok(&["undo"]);
            }
            assert!(from.exists() && !to.exists(), "{left}");
        }
        world.ok(&["mv", "a.psd", "c.psd"]);
        world.ok(&["undo"]);
        world.ok(&["fsck"]);
    });
}

#[test]
fn labels_that_are_joined_on_a_full_disk_are_joined_or_wait_on() {
    let name = "small_disk::labels_that_are_joined_on_a_full_disk_are_joined_or_wait_on";
    on_small_disk(name, "24m", |world, disk| {
        studio(world);
        let at = |number: usize| (format!("day/{number}.txt"), format!("night/{number}.txt"));
        fs::create_dir(world.studio().join("day")).expect("a folder");
        (0..40).for_each(|number| {
            fs::write(world.studio().join(at(number).0), at(number).0).expect("a written file");
        });
        world.ok(&["commit", "-m", "One"]);
        let by_day: Vec<String> = (0..40).map(|number| at(number).0).collect();
        let label = ["label", "--add", "day"].into_iter().chain(by_day.iter().map(String::as_str));
        world.ok(&label.collect::<Vec<_>>());
        world.ok(&["commit", "-m", "Day"]);
        // Moved by hand and labelled there: the commit joins both, which is to be stored before what is committed.
        fs::rename(world.studio().join("day"), world.studio().join("night")).expect("moved by hand");
        let names: Vec<String> = (0..40).map(|number| at(number).1).collect();
        for (number, name) in names.iter().enumerate() {
            world.ok(&["label", "--add", &format!("night {number}"), name]);
        }
        let mut was_refused = false;
        for left in [0, 4096, 16_384, 65_536, 262_144, 4 << 20] {
            disk.fill(left);
            let run = world.pent(&["commit", "-m", "Night"]);
            disk.empty();
            assert!(run.code == 0 || run.code == 6, "{left}: {}{}", run.stdout, run.stderr);
            was_refused = was_refused || run.code != 0;
            world.ok(&["fsck"]);
            let told = world.json(&["status"])["changes"].as_array().expect("changes").len();
            assert_eq!(told, if run.code == 0 { 0 } else { 40 }, "{left}");
            if run.code == 0 {
                break;
            }
        }
        assert!(was_refused, "the disk was full");
        let told = world.json(&["status"])["changes"].as_array().expect("changes").len();
        if told > 0 {
            world.ok(&["commit", "-m", "Night"]);
        }
        for (number, name) in names.iter().enumerate() {
            let told = world.ok(&["meta", "get", name]);
            assert!(told.contains(&format!("day, night {number}")), "{told}");
        }
    });
}

/// A limit that the system keeps on the length of every file, the packs and the database among them.
#[test]
fn a_limit_on_the_length_of_files_is_told_and_loses_nothing() {
    let world = World::new();
    studio(&world);
    fs::write(world.studio().join("small.txt"), "1").expect("a written file");
    world.ok(&["commit", "-m", "Small"]);
    let large = noise(1, 20_000_000);
    fs::write(world.studio().join("large.psd"), &large).expect("a written file");
    // Blocks of 1024 bytes; the signal would end the program where the error is to be told.
    let script = "trap '' XFSZ; ulimit -f 8000; exec \"$@\"";
    let plain = world.command(&["commit", "-m", "Large"]);
    let mut limited = Command::new("bash");
    limited.args(["-c", script, "limited"]).arg(plain.get_program()).args(plain.get_args());
    limited.current_dir(world.studio()).env_clear();
    limited.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = limited.output().expect("a program that starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{text}");
    assert!(text.contains("What was saved before is safe") && !text.contains("panicked"), "{text}");
    world.ok(&["fsck"]);
    assert_eq!(world.json(&["log"])["commits"].as_array().expect("commits").len(), 1);
    assert!(fs::read(world.studio().join("large.psd")).expect("a file") == large);
    world.ok(&["commit", "-m", "Large"]);
    world.ok(&["fsck"]);
}

#[test]
fn a_clone_that_does_not_fit_leaves_room_and_goes_on_when_there_is_more() {
    let name = "small_disk::a_clone_that_does_not_fit_leaves_room_and_goes_on_when_there_is_more";
    on_small_disk(name, "120m", |world, disk| {
        let big = world.home().join("big");
        fs::create_dir(&big).expect("a folder");
        let there = big.display().to_string();
        let at = |arguments: &[&'static str]| {
            let all: Vec<&str> = ["-C", &there].into_iter().chain(arguments.iter().copied()).collect();
            world.ok(&all)
        };
        at(&["init"]);
        at(&["config", "user.name", "Anna Lind"]);
        for number in 0..14 {
            fs::write(big.join(format!("{number}.raw")), noise(number, 10_000_000)).expect("a file");
        }
        at(&["commit", "-m", "Begin"]);
        at(&["remote", "add", "origin", "../nas"]);
        at(&["push"]);
        let nas = world.home().join("nas").display().to_string();
        let full = world.pent(&["clone", &nas, "copy"]);
        assert_eq!(full.code, 6, "{}", full.stderr);
        assert!(full.stderr.contains("too little room on this disk"), "{}", full.stderr);
        assert!(disk.free_bytes() > 500_000, "{} are left", disk.free_bytes());
        disk.resize("400m");
        let whole = world.json(&["clone", &nas, "copy"]);
        let received = whole["fetched"]["bytes_received"].as_u64().expect("a number");
        assert!(received < 100_000_000, "what came before came again: {received}");
        assert!(fs::read(world.studio().join("copy/13.raw")).expect("a file") == noise(13, 10_000_000));
    });
}

#[test]
fn a_server_on_a_full_disk_refuses_keeps_what_it_has_and_goes_on_with_room() {
    let name = "small_disk::a_server_on_a_full_disk_refuses_keeps_what_it_has_and_goes_on_with_room";
    on_small_disk(name, "200m", |world, disk| {
        let work = world.home().join("work");
        fs::create_dir(&work).expect("a folder");
        let here = work.display().to_string();
        let at = |arguments: &[&'static str]| {
            let all: Vec<&str> = ["-C", &here].into_iter().chain(arguments.iter().copied()).collect();
            world.pent(&all)
        };
        let ok = |arguments: &[&'static str]| {
            let run = at(arguments);
            assert_eq!(run.code, 0, "{}", run.stderr);
            run.stdout
        };
        ok(&["init"]);
        ok(&["config", "user.name", "Anna Lind"]);
        ok(&["identity", "new", "anna", "--no-passphrase"]);
        let key = ok(&["identity", "export"]);
        let key = &key[key.find("ssh-ed25519").expect("a key")..];
        let own = world.studio().join("srv/.pent-server");
        fs::create_dir_all(&own).expect("a folder");
        fs::write(own.join("people"), key).expect("written");
        let serving =
            crate::sharing_network::Serving::start(world, &["--listen", "127.0.0.1:0", "--repos", "srv"]);
        let address: &'static str = format!("http://{}/brand", serving.address).leak();
        fs::write(work.join("a.raw"), noise(1, 5_000_000)).expect("a file");
        ok(&["commit", "-m", "Begin"]);
        ok(&["remote", "add", "origin", address]);
        ok(&["push"]);
        fs::write(work.join("b.raw"), noise(2, 40_000_000)).expect("a file");
        ok(&["commit", "-m", "More"]);
        // Little is left, then next to nothing: the one is refused beforehand, the other fails on the way.
        for left in [70_000_000, 900_000] {
            disk.fill(left);
            let refused = at(&["push"]);
            assert!(matches!(refused.code, 6 | 7), "{}: {}", refused.code, refused.stderr);
            disk.empty();
            assert_eq!(world.json(&["-C", "srv/brand", "fsck"])["sound"], true);
        }
        ok(&["push"]);
        ok(&["clone", address, "../copy"]);
        assert!(fs::read(world.home().join("copy/b.raw")).expect("a file") == noise(2, 40_000_000));
        assert_eq!(world.json(&["-C", "srv/brand", "fsck"])["sound"], true);
    });
}

/// The same at the store's seam, on a disk in memory.
#[test]
fn a_store_on_a_full_disk_keeps_what_it_has_and_goes_on_with_room() {
    let disk = FaultDisk::new();
    let settings = StoreSettings::new(RepositoryId::from_bytes([1; 16]));
    let options = StoreOptions::default();
    let store = Store::create_on(Arc::new(disk.clone()), Path::new("/studio/.pent"), &settings, options)
        .expect("a store");
    disk.set_capacity(Some(disk.used_bytes() + 50_000));
    let bytes = noise(1, 200_000);
    let put = || -> Result<(), StoreError> {
        let writer = store.chunk_writer(&SilentMonitor)?;
        writer.put(ChunkId::of(&bytes), &bytes, GroupHint::NONE)?;
        let staged = writer.finish()?;
        let mut transaction = store.begin()?;
        transaction.publish(staged)?;
        transaction.commit()
    };
    assert!(matches!(put(), Err(StoreError::DiskFull { .. })));
    disk.set_capacity(None);
    put().expect("room again");
    let mut back = Vec::new();
    store.chunk_reader().expect("a reader").read(ChunkId::of(&bytes), &mut back).expect("a chunk");
    assert!(back == bytes);
}
