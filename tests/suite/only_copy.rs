//! Files that may be the only ones to have their bytes: content that was erased does not come in again by
//! an ordinary commit, and a file whose content the repository has lost is never given up.

use crate::app_flow::{Lab, lines, noise, path};
use crate::damage::{erase_file, holds};
use crate::support::World;
use pentimento::app::{cat, export, mv, sparse};
use pentimento::base::id::FileId;
use pentimento::base::monitor::{CollectingMonitor, SilentMonitor};
use pentimento::base::path::AssetPath;
use pentimento::repo::Repository;
use pentimento::store::Access;
use std::fs;
use std::io::Read as _;

/// A change of a repository's packs.
type Loss = fn(&Lab);

fn packs(lab: &Lab) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(lab.at(".pent/packs")).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn lose_packs(lab: &Lab) {
    packs(lab).iter().for_each(|pack| fs::remove_file(pack).expect("a removed pack"));
}

fn cut_packs(lab: &Lab) {
    for pack in packs(lab) {
        let file = fs::OpenOptions::new().write(true).open(pack).expect("a pack");
        file.set_len(1000).expect("a shorter pack");
    }
}

/// What a repository loses behind its back. It is opened again, as another command would.
fn after(lab: Lab, loss: Loss) -> Lab {
    let Lab { folder, repository, clock } = lab;
    drop(repository);
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a repository");
    let lab = Lab { folder, repository, clock };
    loss(&lab);
    lab
}

fn bytes_of(lab: &Lab, name: &str) -> Vec<u8> {
    let options = cat::Options { path: path(name), revision: None, side: None };
    let mut out = Vec::new();
    cat::run(&lab.repository, &options, &mut out, &lab.clock, &SilentMonitor).expect("bytes");
    out
}

#[test]
fn a_commit_does_not_take_erased_bytes_in_again() {
    // One chunk; several; more than is read at once.
    for (round, size) in [3000, 700_000, 6_000_000].into_iter().enumerate() {
        let lab = Lab::new();
        let bytes = noise(round as u64 + 5, size);
        lab.write("s.raw", &bytes);
        lab.commit("One");
        fs::rename(lab.at("s.raw"), lab.at("t.raw")).expect("a renamed file");
        lab.write(".pentignore", "*.tmp\n");
        lab.write("deep/copy.tmp", &bytes);
        let report = erase_file(&lab, "s.raw");
        assert_eq!(report.in_worktree, [path("deep/copy.tmp"), path("t.raw")], "wherever it stands");
        lab.write("u.raw", &bytes);
        lab.write("as-long.raw", noise(99, size));
        let problems = lab.status().problems;
        assert_eq!(problems.iter().map(|line| &line.path).collect::<Vec<_>>(), [&path("u.raw")]);
        let report = lab.commit("Two");
        assert_eq!(report.problems, problems);
        assert!(problems[0].message.contains("by Anna Lind: court order"), "{problems:?}");
        let committed = lines(&report.changes);
        assert_eq!(committed, ["new .pentignore", "new as-long.raw", "moved s.raw -> t.raw"], "{size}");
        assert!(!holds(&lab, &bytes[size - 64..]), "{size}: the bytes are in the repository again");
        assert_eq!(bytes_of(&lab, "as-long.raw"), noise(99, size));
        assert_eq!(lab.read("u.raw"), Some(bytes));
    }
}

#[test]
fn work_that_holds_erased_bytes_stays_where_it_is() {
    let lab = Lab::new();
    let bytes = noise(5, 3000);
    lab.write("s.raw", &bytes);
    lab.write("v.raw", "as committed");
    lab.commit("One");
    lab.new_draft("other");
    erase_file(&lab, "s.raw");
    lab.write("u.raw", &bytes);
    lab.write("v.raw", &bytes);
    let report = lab.switch("draft/other");
    let told: Vec<&AssetPath> = report.files.problems.iter().map(|line| &line.path).collect();
    assert_eq!(told, [&path("u.raw"), &path("v.raw")]);
    assert!(!holds(&lab, &bytes[2900..]), "the bytes are in the repository again");
    for name in ["s.raw", "u.raw", "v.raw"] {
        assert_eq!(lab.read(name).as_ref(), Some(&bytes), "{name}");
    }
}

#[test]
fn what_is_said_of_a_file_that_is_not_taken_waits_on_and_the_command_says_so() {
    let world = World::new();
    let studio = world.studio();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    fs::write(studio.join("s.raw"), noise(5, 3000)).expect("a file");
    world.ok(&["commit", "-m", "One"]);
    world.ok(&["erase", "s.raw", "--yes", "--reason", "court order"]);
    fs::copy(studio.join("s.raw"), studio.join("u.raw")).expect("a copy");
    world.ok(&["label", "u.raw", "--add", "night"]);
    fs::write(studio.join("note.txt"), "a note").expect("a file");
    let run = world.pent(&["commit", "-m", "Two"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("1 new"), "{}", run.stdout);
    assert!(run.stdout.contains("u.raw: it is not kept: the content was erased on"), "{}", run.stdout);
    fs::write(studio.join("u.raw"), "other bytes").expect("a file");
    world.ok(&["commit", "-m", "Three"]);
    assert!(world.ok(&["label", "u.raw"]).contains("night"));
}

/// A draft without `keep.bin`, and `main` with it, unchanged in the folder.
fn studio() -> (Lab, Vec<u8>) {
    let lab = Lab::new();
    lab.write("base.txt", "base");
    lab.commit("Base");
    lab.new_draft("old");
    let bytes = noise(8, 300_000);
    lab.write("keep.bin", &bytes);
    lab.write("shown/deep.bin", &bytes[..200_000]);
    lab.commit("Keep");
    (lab, bytes)
}

fn erase_both(lab: &Lab) {
    erase_file(lab, "keep.bin");
    erase_file(lab, "shown/deep.bin");
}

#[test]
fn a_file_whose_content_is_gone_is_set_aside_and_comes_back() {
    for loss in [erase_both as Loss, lose_packs, cut_packs] {
        let (lab, bytes) = studio();
        let lab = after(lab, loss);
        let gone = lab.switch("draft/old");
        assert_eq!(gone.files.set_aside, [path("keep.bin"), path("shown/deep.bin")]);
        assert_eq!(lab.read("keep.bin"), None);
        let back = lab.undo();
        assert_eq!(back.brought_back, [path("keep.bin"), path("shown/deep.bin")]);
        assert_eq!(lab.read("keep.bin"), Some(bytes.clone()));
        // Out of sight is not away.
        let options = sparse::Options::Remove(vec![path("shown")]);
        let hidden = sparse::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("less shown");
        assert_eq!(hidden.files.set_aside, [path("shown/deep.bin")]);
        lab.undo();
        assert_eq!(lab.read("shown/deep.bin").as_deref(), Some(&bytes[..200_000]));
    }
}

#[test]
fn a_restore_over_a_file_whose_content_is_gone_keeps_it() {
    let lab = Lab::new();
    lab.write("keep.bin", noise(1, 100_000));
    lab.commit("One");
    let bytes = noise(2, 100_000);
    lab.write("keep.bin", &bytes);
    lab.commit("Two");
    erase_file(&lab, "keep.bin");
    let report = lab.restore(None, &["keep.bin@1"]);
    assert_eq!(report.files.set_aside, [path("keep.bin")]);
    assert_eq!(lab.read("keep.bin"), Some(noise(1, 100_000)));
    lab.undo();
    assert_eq!(lab.read("keep.bin"), Some(bytes));
}

#[test]
fn what_the_repository_has_is_not_set_aside() {
    let (lab, bytes) = studio();
    let gone = lab.switch("draft/old");
    assert!(gone.files.set_aside.is_empty() && gone.files.removed == 2, "{:?}", gone.files);
    lab.switch("main");
    assert_eq!(lab.read("keep.bin"), Some(bytes));
}

#[test]
fn a_commit_stores_anew_what_lies_in_a_lost_pack() {
    for loss in [lose_packs as Loss, cut_packs] {
        let (lab, bytes) = studio();
        let lab = after(lab, loss);
        lab.write("keep2.bin", &bytes);
        let report = lab.commit("A copy");
        assert_eq!((report.bytes_new, report.lost_packs), (300_000, 1));
        let lab = after(lab, |_| {});
        assert_eq!(bytes_of(&lab, "keep2.bin"), bytes);
        assert_eq!(bytes_of(&lab, "keep.bin"), bytes, "the same content is whole again");
        // Once is enough.
        lab.write("keep3.bin", &bytes);
        let report = lab.commit("Another copy");
        assert_eq!((report.bytes_new, report.lost_packs), (0, 0));
    }
}

#[test]
fn a_commit_over_a_lost_pack_says_who_tells_more() {
    let world = World::new();
    let studio = world.studio();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    fs::write(studio.join("keep.bin"), noise(5, 300_000)).expect("a file");
    world.ok(&["commit", "-m", "One"]);
    for pack in fs::read_dir(studio.join(".pent/packs")).expect("packs") {
        fs::remove_file(pack.expect("a pack").path()).expect("a removed pack");
    }
    fs::copy(studio.join("keep.bin"), studio.join("keep2.bin")).expect("a copy");
    let said = world.ok(&["commit", "-m", "Two"]);
    assert!(said.contains("1 pack of this repository is missing or cut short"), "{said}");
    assert!(said.contains("`pent fsck`"), "{said}");
    assert_eq!(world.json(&["commit", "-m", "Three"])["lost_packs"], serde_json::Value::Null);
}

#[test]
fn an_archive_goes_on_past_what_cannot_be_had() {
    for loss in [(|lab: &Lab| drop(erase_file(lab, "gone.raw"))) as Loss, |lab: &Lab| {
        // Of a large file the last part lies in a pack of its own.
        packs(lab).iter().for_each(|pack| fs::remove_file(pack).expect("a removed pack"));
        lab.write("again/a.txt", "alpha");
        lab.write("again/z.txt", "omega");
        lab.commit("Stored anew");
    }] {
        let lab = Lab::new();
        lab.write("a.txt", "alpha");
        lab.write("gone.raw", noise(4, 5_000_000));
        lab.write("z.txt", "omega");
        lab.commit("One");
        let lab = after(lab, loss);
        let place = tempfile::tempdir().expect("a folder");
        for name in ["x.tar", "x.tar.zst"] {
            let options = export::Options {
                revision: "@".into(),
                target: place.path().join(name),
                paths: ["a.txt", "gone.raw", "z.txt"].map(path).to_vec(),
                sidecars: false,
                embed: None,
            };
            let monitor = CollectingMonitor::default();
            let report = export::run(&lab.repository, &options, &lab.clock, &monitor).expect("an archive");
            let told: Vec<&AssetPath> = report.problems.iter().map(|line| &line.path).collect();
            assert_eq!((report.files, told), (2, vec![&path("gone.raw")]), "{:?}", report.problems);
        }
        let file = fs::File::open(place.path().join("x.tar")).expect("an archive");
        let mut archive = tar::Archive::new(file);
        let entries = archive.entries().expect("entries").map(|entry| {
            let mut entry = entry.expect("an entry");
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            (entry.path().expect("a path").display().to_string(), text)
        });
        let entries: Vec<_> = entries.collect();
        let expected = [("a.txt", "alpha"), ("z.txt", "omega")].map(|(n, t)| (n.to_owned(), t.to_owned()));
        assert_eq!(entries, expected);
    }
}

#[test]
fn a_move_of_a_file_whose_bytes_were_erased_is_committed() {
    let lab = Lab::new();
    let bytes = noise(5, 3000);
    lab.write("s.raw", &bytes);
    lab.commit("One");
    erase_file(&lab, "s.raw");
    mv::run(&lab.repository, &path("s.raw"), &path("t.raw"), &lab.clock, &SilentMonitor).expect("a move");
    let report = lab.commit("Moved");
    assert_eq!(lines(&report.changes), ["moved s.raw -> t.raw"]);
    assert!(report.problems.is_empty() && !holds(&lab, &bytes[2900..]));
    let view = lab.repository.view().expect("a view");
    assert!(view.is_erased(FileId::from_bytes(*blake3::hash(&bytes).as_bytes())).expect("an answer"));
}
