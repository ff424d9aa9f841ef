//! Clones that do not hold everything: what is here works without a network, what is not is brought when it
//! is asked for, and when that cannot be, the command says so before it changes anything.

use crate::app_flow::noise;
use crate::support::World;
use std::fs;
use std::path::{Path, PathBuf};

/// Files of the remote, with their bytes.
const PHOTO: (&str, u64, usize) = ("photos/one.raw", 11, 400_000);
const OTHER: (&str, u64, usize) = ("photos/two.raw", 12, 300_000);
const FILM: (&str, u64, usize) = ("film/cut.mov", 13, 5_000_000);
const LINES: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

fn bytes((_, seed, length): (&str, u64, usize)) -> Vec<u8> {
    noise(seed, length)
}

fn write(world: &World, name: &str, text: impl AsRef<[u8]>) {
    let path = world.studio().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, text).expect("a written file");
}

fn read(world: &World, name: &str) -> Vec<u8> {
    fs::read(world.studio().join(name)).expect("a file")
}

fn remote_folder(world: &World) -> PathBuf {
    world.studio().join("../nas")
}

/// A studio that has pushed its work to a folder.
fn studio() -> World {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    for file in [PHOTO, OTHER, FILM] {
        write(&world, file.0, bytes(file));
    }
    write(&world, "notes.txt", LINES);
    world.ok(&["commit", "-m", "Begin"]);
    world.ok(&["remote", "add", "origin", "../nas"]);
    world.ok(&["push"]);
    world
}

/// The same, with a lazy clone beside it.
fn with_lazy_clone() -> World {
    let world = studio();
    world.ok(&["clone", "--lazy", "../nas", "../lazy"]);
    world
}

/// Does something while the remote cannot be reached.
fn offline<R>(world: &World, what: impl FnOnce() -> R) -> R {
    let (place, away) = (remote_folder(world), world.studio().join("../away"));
    fs::rename(&place, &away).expect("a remote that goes");
    let done = what();
    fs::rename(&away, &place).expect("a remote that comes back");
    done
}

/// A command in the lazy clone.
fn lazy<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    ["-C", "../lazy"].iter().chain(arguments).copied().collect()
}

/// Insists that a command in the lazy clone says that content is not here.
fn says_not_here(world: &World, arguments: &[&str]) {
    let run = world.pent(&lazy(arguments));
    assert_eq!(run.code, 7, "{arguments:?}: {}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("not here"), "{arguments:?}: {}", run.stderr);
    assert!(run.stderr.contains("pent fetch --content"), "{arguments:?}: {}", run.stderr);
}

fn stored_bytes(folder: &Path) -> u64 {
    let packs = fs::read_dir(folder.join(".pent/packs")).expect("packs").flatten();
    packs.map(|entry| entry.metadata().expect("a pack").len()).sum()
}

fn cat(world: &World, arguments: &[&str]) -> Vec<u8> {
    let output = world.command(&lazy(arguments)).output().expect("a program that starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_lazy_clone_has_history_now_and_content_when_it_is_asked_for() {
    let world = with_lazy_clone();
    let folder = world.studio().join("../lazy");
    assert!(stored_bytes(&folder) < 100_000, "content came although nobody asked: {}", stored_bytes(&folder));
    assert!(!folder.join("notes.txt").exists());
    let status = world.json(&lazy(&["status"]));
    assert_eq!((&status["partial"], &status["sparse"]), (&true.into(), &serde_json::json!([])));
    let said = world.ok(&lazy(&["status"]));
    assert!(
        said.contains("The content of 4 files (5.70 MB) is not here: it comes from the remote"),
        "{said}"
    );
    assert_eq!(
        status["not_here"],
        serde_json::json!({"files": 4, "bytes": 5_700_000 + LINES.len(), "whole": true})
    );
    assert!(world.ok(&lazy(&["log"])).contains("Begin"));
    assert!(cat(&world, &["cat", PHOTO.0]) == bytes(PHOTO));
    offline(&world, || {
        assert!(cat(&world, &["cat", PHOTO.0]) == bytes(PHOTO), "what is here works without a network");
        says_not_here(&world, &["cat", FILM.0]);
        assert_eq!(world.json(&lazy(&["status"]))["partial"], true);
        world.ok(&lazy(&["gc"]));
        let checked = world.json(&lazy(&["fsck"]));
        assert_eq!((&checked["sound"], &checked["checked"]["files_elsewhere"]), (&true.into(), &3.into()));
    });
    assert!(cat(&world, &["cat", FILM.0]) == bytes(FILM));
}

#[test]
fn a_sparse_clone_shows_and_holds_the_folders_that_were_named() {
    let world = studio();
    let missing = world.pent(&["clone", "../nas", "../wrong", "--sparse", "no/such"]);
    assert_eq!(missing.code, 3, "{}", missing.stderr);
    world.ok(&["clone", "../nas", "../lazy", "--sparse", "photos", "notes.txt"]);
    assert!(read(&world, "../lazy/photos/one.raw") == bytes(PHOTO));
    assert_eq!(read(&world, "../lazy/notes.txt"), LINES.as_bytes());
    assert!(!world.studio().join("../lazy/film").exists());
    let folder = world.studio().join("../lazy");
    assert!(stored_bytes(&folder) < 1_000_000, "{}", stored_bytes(&folder));
    offline(&world, || {
        says_not_here(&world, &["sparse", "add", "film"]);
        assert!(!world.studio().join("../lazy/film").exists());
        assert_eq!(world.json(&lazy(&["status"]))["sparse"], serde_json::json!(["notes.txt", "photos"]));
    });
    world.ok(&lazy(&["sparse", "add", "film"]));
    assert!(read(&world, "../lazy/film/cut.mov") == bytes(FILM));
    assert_eq!(world.json(&lazy(&["status"]))["changes"].as_array().map(Vec::len), Some(0));
}

#[test]
fn content_of_paths_and_versions_is_fetched_ahead_and_all_of_it_makes_a_full_clone() {
    let world = with_lazy_clone();
    write(&world, FILM.0, noise(20, 2_000_000));
    world.ok(&["commit", "-m", "Another cut"]);
    world.ok(&["push"]);
    world.ok(&lazy(&["pull"]));
    let brought = world.json(&lazy(&["fetch", "--content", "photos"]));
    assert_eq!((&brought["files"], &brought["complete"]), (&2.into(), &false.into()));
    assert_eq!(world.json(&lazy(&["fetch", "--content", "photos"]))["files"], 0);
    world.ok(&lazy(&["fetch", "--content", "film", "--at", "main~1"]));
    offline(&world, || {
        assert!(cat(&world, &["cat", OTHER.0]) == bytes(OTHER));
        assert!(cat(&world, &["cat", FILM.0, "--revision", "main~1"]) == bytes(FILM));
        says_not_here(&world, &["cat", FILM.0]);
    });
    let all = world.json(&lazy(&["fetch", "--content"]));
    assert_eq!((&all["files"], &all["complete"]), (&2.into(), &true.into()), "{all}");
    offline(&world, || {
        assert!(cat(&world, &["cat", FILM.0]) == noise(20, 2_000_000));
        let checked = world.json(&lazy(&["fsck"]));
        assert_eq!((&checked["sound"], &checked["checked"]["files_elsewhere"]), (&true.into(), &0.into()));
        world.ok(&lazy(&["sparse", "all"]));
    });
    assert!(read(&world, "../lazy/photos/one.raw") == bytes(PHOTO));
}

#[test]
fn what_is_freed_was_read_on_the_remote_and_comes_back_when_it_is_asked_for() {
    let world = studio();
    write(&world, "film/new.mov", noise(30, 900_000));
    // The same bytes at a path that stays.
    write(&world, "keep/two.raw", bytes(OTHER));
    world.ok(&["commit", "-m", "Not pushed"]);
    let before = stored_bytes(&world.studio());
    let preview = world.json(&["free", "film", "photos", "--dry-run"]);
    assert_eq!((&preview["files"], &preview["not_pushed"]["files"]), (&2.into(), &1.into()), "{preview}");
    assert_eq!(stored_bytes(&world.studio()), before, "a preview drops nothing");
    let freed = world.json(&["free", "film", "photos"]);
    assert_eq!((&freed["files"], &freed["shared"]["files"]), (&2.into(), &1.into()), "{freed}");
    assert!(stored_bytes(&world.studio()) + 5_300_000 < before, "{freed}");
    assert!(read(&world, FILM.0) == bytes(FILM), "the folder is as it was");
    assert_eq!(world.json(&["status"])["changes"].as_array().map(Vec::len), Some(0));
    assert_eq!(world.json(&["fsck"])["sound"], true);
    world.ok(&["gc", "--grace", "0", "--yes"]);
    offline(&world, || {
        let run = world.command(&["cat", FILM.0]).output().expect("a program that starts");
        assert_eq!(run.status.code(), Some(7), "{}", String::from_utf8_lossy(&run.stderr));
        let kept = world.command(&["cat", "film/new.mov"]).output().expect("a run");
        assert!(kept.stdout == noise(30, 900_000), "what was not pushed stays");
    });
    fs::remove_file(world.studio().join(FILM.0)).expect("a file that goes");
    world.ok(&["restore", FILM.0]);
    assert!(read(&world, FILM.0) == bytes(FILM));
    world.ok(&["push"]);
    world.ok(&["clone", "../nas", "../full"]);
    assert_eq!(world.json(&["-C", "../full", "fsck"])["sound"], true);
    assert!(read(&world, "../full/film/cut.mov") == bytes(FILM));
}

#[test]
fn what_the_remote_lost_or_damaged_is_never_freed() {
    let world = studio();
    for entry in fs::read_dir(remote_folder(&world).join("packs")).expect("packs").flatten() {
        for pack in fs::read_dir(entry.path()).expect("a folder").flatten() {
            let mut bytes = fs::read(pack.path()).expect("a pack");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(pack.path(), bytes).expect("a damaged pack");
        }
    }
    let run = world.pent(&["free", "."]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("the remote could not give all of it"), "{}", run.stdout);
    world.ok(&["fsck"]);
    offline(&world, || {
        // Which of the files the damage hit is chance; whatever stays is whole.
        let mut here = 0;
        for file in [PHOTO, OTHER, FILM] {
            let output = world.command(&["cat", file.0]).output().expect("a program that starts");
            here += usize::from(output.status.success());
            assert!(!output.status.success() || output.stdout == bytes(file), "{}", file.0);
        }
        assert!(here > 0);
    });
    // A remote that cannot be reached frees nothing.
    offline(&world, || assert_ne!(world.pent(&["free", "."]).code, 0));
}

/// Asks to stop when a phase of this name begins.
struct StopsAt(&'static str, std::sync::atomic::AtomicBool);

impl pentimento::base::monitor::Monitor for StopsAt {
    fn phase(&self, phase: pentimento::base::monitor::Phase) {
        self.1.fetch_or(phase.name == self.0, std::sync::atomic::Ordering::Relaxed);
    }

    fn advance(&self, _: pentimento::base::monitor::Advance) {}

    fn problem(&self, _: pentimento::base::monitor::Problem) {}

    fn is_cancelled(&self) -> bool {
        self.1.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[test]
fn freeing_that_is_stopped_while_packs_are_rewritten_leaves_a_clone_that_knows_what_it_lacks() {
    use pentimento::app::common::remotes::Reach;
    use pentimento::app::free;
    let world = studio();
    {
        let root = world.studio();
        let repository = pentimento::repo::Repository::open(&root, pentimento::store::Access::ReadWrite);
        let repository = repository.expect("a repository");
        let film = pentimento::base::path::AssetPath::from_bytes("film").expect("a path");
        let options = free::Options { remote: None, paths: vec![film], dry_run: false };
        let monitor = StopsAt("Rewriting packs", std::sync::atomic::AtomicBool::new(false));
        let clock = crate::review_kit::Seconds::from(1_772_382_000_000);
        let stopped = free::run(&repository, &options, &Reach::default(), &clock, &monitor);
        assert!(stopped.is_err(), "{stopped:?}");
        assert!(repository.view().expect("a view").is_partial().expect("an answer"));
    }
    offline(&world, || {
        let run = world.command(&["cat", FILM.0]).output().expect("a program that starts");
        assert_eq!(run.status.code(), Some(7), "{}", String::from_utf8_lossy(&run.stderr));
    });
    let output = world.command(&["cat", FILM.0]).output().expect("a program that starts");
    assert!(output.stdout == bytes(FILM), "it comes back from the remote");
    world.ok(&["fetch", "--content"]);
    assert_eq!(world.json(&["fsck"])["sound"], true);
}

#[test]
fn work_goes_on_in_a_lazy_clone_and_comes_back_whole() {
    let world = with_lazy_clone();
    world.ok(&lazy(&["sparse", "add", "notes.txt"]));
    write(&world, "../lazy/notes.txt", LINES.replace("one", "ONE"));
    world.ok(&lazy(&["commit", "-m", "First line"]));
    write(&world, "notes.txt", LINES.replace("seven", "SEVEN"));
    write(&world, PHOTO.0, noise(40, 350_000));
    world.ok(&["commit", "-m", "Last line, and a photo"]);
    world.ok(&["push"]);
    let fetched = world.json(&lazy(&["fetch"]));
    assert!(fetched["bytes_left"].as_u64().is_some_and(|bytes| bytes > 350_000), "{fetched}");
    offline(&world, || {
        says_not_here(&world, &["merge", "origin/main"]);
        assert!(world.json(&lazy(&["status"]))["merge"].is_null(), "nothing was begun");
    });
    world.ok(&lazy(&["pull"]));
    let merged = LINES.replace("one", "ONE").replace("seven", "SEVEN");
    assert_eq!(read(&world, "../lazy/notes.txt"), merged.as_bytes());
    // The merge names a photo whose content never was in this clone.
    world.ok(&lazy(&["push"]));
    world.ok(&["pull"]);
    assert_eq!(read(&world, "notes.txt"), merged.as_bytes());
    assert!(read(&world, PHOTO.0) == noise(40, 350_000));
    assert_eq!(world.json(&["fsck"])["sound"], true);
    assert_eq!(world.json(&lazy(&["fsck"]))["sound"], true);
    let alone = world.pent(&lazy(&["remote", "gc"]));
    assert_eq!(alone.code, 4, "{}", alone.stderr);
    assert!(alone.stderr.contains("does not have everything"), "{}", alone.stderr);
}

#[test]
fn differences_exports_and_restores_bring_what_they_need() {
    let world = with_lazy_clone();
    write(&world, "notes.txt", LINES.replace("two", "TWO"));
    world.ok(&["commit", "-m", "Second line"]);
    world.ok(&["push"]);
    world.ok(&lazy(&["pull"]));
    offline(&world, || {
        let run = world.pent(&lazy(&["diff", "main~1", "main"]));
        assert!(run.stdout.contains("notes.txt"), "names are known: {}{}", run.stdout, run.stderr);
        assert!((run.stdout + &run.stderr).contains("is not here"));
        says_not_here(&world, &["export", "main", "../out"]);
        says_not_here(&world, &["restore", FILM.0, "--to", "../elsewhere"]);
        says_not_here(&world, &["export", "git", "../git"]);
    });
    assert!(world.ok(&lazy(&["diff", "main~1", "main"])).contains("TWO"));
    world.ok(&lazy(&["restore", OTHER.0, "--to", "../elsewhere"]));
    world.ok(&lazy(&["export", "main", "../out2"]));
    assert!(read(&world, "../out2/film/cut.mov") == bytes(FILM));
}

#[test]
fn content_that_was_never_pushed_and_is_lost_counts_as_damage_in_a_lazy_clone_too() {
    let world = with_lazy_clone();
    write(&world, "../lazy/mine.bin", noise(50, 600_000));
    world.ok(&lazy(&["commit", "-m", "Mine"]));
    let packs = world.studio().join("../lazy/.pent/packs");
    for entry in fs::read_dir(packs).expect("packs").flatten() {
        let bytes = fs::read(entry.path()).expect("a pack");
        fs::write(entry.path(), &bytes[..bytes.len().min(64)]).expect("a pack that is cut short");
    }
    let checked = world.pent(&lazy(&["fsck"]));
    assert_eq!(checked.code, 5, "{}{}", checked.stdout, checked.stderr);
}

#[test]
fn status_says_how_much_is_not_here_and_names_it_when_asked() {
    let world = with_lazy_clone();
    world.ok(&lazy(&["fetch", "--content", "photos"]));
    let status = world.json(&lazy(&["status", "--not-here"]));
    assert_eq!(status["not_here"]["paths"], serde_json::json!(["film/cut.mov", "notes.txt"]), "{status}");
    assert_eq!(status["not_here"]["files"], 2);
    assert!(world.ok(&lazy(&["status", "--not-here"])).contains("  film/cut.mov\n"));
    let photos = world.json(&lazy(&["status", "photos"]));
    assert_eq!((&photos["not_here"]["files"], &photos["not_here"]["bytes"]), (&0.into(), &0.into()));
    world.ok(&lazy(&["fetch", "--content", "film", "notes.txt"]));
    assert!(world.ok(&lazy(&["status"])).contains("Everything of this branch is here"));
    world.ok(&lazy(&["fetch", "--content"]));
    assert!(world.json(&lazy(&["status"]))["not_here"].is_null(), "a clone that has everything says nothing");
}

#[test]
fn a_remote_that_alone_holds_content_is_not_forgotten_unawares() {
    let world = studio();
    world.ok(&["mirror", "../second"]);
    assert_eq!(world.pent(&["free", "no/such"]).code, 3);
    assert_eq!(world.pent(&["free", "photos", "no/such", "--dry-run"]).code, 3);
    world.ok(&["free", "film/cut.mov"]);
    for arguments in [["remote", "remove", "origin"].as_slice(), &["remote", "set", "origin", "../empty"]] {
        let run = world.pent(arguments);
        assert_eq!(run.code, 4, "{arguments:?}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("1 file (5.00 MB)"), "{}", run.stderr);
        assert!(run.stderr.contains("pent fetch --content"), "{}", run.stderr);
    }
    assert!(read(&world, "film/cut.mov") == bytes(FILM), "the file that people work on stays");
    let film = |world: &World| world.command(&["cat", "film/cut.mov"]).output().expect("it starts").stdout;
    assert!(film(&world) == bytes(FILM), "it comes from where it is");
    // Another place that has all of it takes the first one's place, and is told what this clone relies on.
    world.ok(&["free", "film/cut.mov"]);
    world.ok(&["remote", "set", "origin", "../second"]);
    assert_eq!(fs::read_dir(world.studio().join("../second/keeps")).expect("keeps").count(), 1);
    fs::remove_dir_all(remote_folder(&world)).expect("the first goes");
    assert!(film(&world) == bytes(FILM));
    world.ok(&["free", "film/cut.mov"]);
    // With another that is known to hold it, one may go.
    world.ok(&["remote", "add", "third", "../second"]);
    assert_eq!(world.pent(&["remote", "remove", "origin"]).code, 4, "nobody asked the third yet");
    world.ok(&["fetch", "third"]);
    world.ok(&["remote", "remove", "origin"]);
    assert!(film(&world) == bytes(FILM));
    world.ok(&["free", "film/cut.mov"]);
    world.ok(&["remote", "remove", "third", "--force"]);
    assert_eq!(world.pent(&["cat", "film/cut.mov"]).code, 7);
}

#[test]
fn a_remote_that_is_called_otherwise_is_the_same_one() {
    let world = studio();
    world.ok(&["free", "film/cut.mov"]);
    assert_eq!(world.pent(&["remote", "rename", "origin", "-x"]).code, 2);
    assert_eq!(world.pent(&["remote", "rename", "nothing", "else"]).code, 3);
    world.ok(&["remote", "rename", "origin", "nas"]);
    let listed = world.json(&["remote"]);
    assert_eq!(listed["remotes"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["remotes"][0]["name"], "nas");
    assert_eq!(world.json(&["push"])["names"], serde_json::json!([]));
    world.ok(&["diff", "main", "nas/main"]);
    assert_eq!(world.pent(&["diff", "main", "origin/main"]).code, 3);
    // What it relies on there is told under the same name as before.
    world.ok(&["fetch"]);
    assert_eq!(fs::read_dir(remote_folder(&world).join("keeps")).expect("keeps").count(), 1);
    assert_eq!(world.pent(&["remote", "remove", "nas"]).code, 4);
    assert_eq!(world.command(&["cat", "film/cut.mov"]).output().expect("it starts").stdout, bytes(FILM));
}

#[test]
fn a_copy_of_a_lazy_clone_says_for_itself_what_it_relies_on() {
    let world = with_lazy_clone();
    let keeps = || fs::read_dir(remote_folder(&world).join("keeps")).expect("keeps").count();
    assert_eq!(keeps(), 1);
    world.ok(&lazy(&["fetch"]));
    assert_eq!(keeps(), 1, "the same clone speaks under the same name");
    let mut copy = std::process::Command::new("cp");
    copy.args(["-a", "lazy", "copy"]).current_dir(world.studio().join(".."));
    assert!(copy.status().expect("cp runs").success());
    world.ok(&["-C", "../copy", "fetch"]);
    assert_eq!(keeps(), 2);
    world.ok(&lazy(&["fetch"]));
    world.ok(&["-C", "../copy", "fetch"]);
    assert_eq!(keeps(), 2);
}
