//! Damage of every kind to every file of a repository: it is found and named, by opening or by fsck,
//! or it is harmless; and it is mended where the information exists. Repair never makes it worse.

use crate::app_flow::{Lab, anna, noise, path};
use crate::gc::assert_all_reads;
use crate::support::{World, assert_snapshot};
use pentimento::app::{draft, erase, fsck, gc, repair, restore, switch, tag};
use pentimento::base::id::RepositoryId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::path::AssetPath;
use pentimento::base::time::{Clock, FixedClock, Timestamp};
use pentimento::object::source::ObjectSource;
use pentimento::object::tree_walk::TreeWalk;
use pentimento::repo::extract::Extractor;
use pentimento::repo::{RepoError, Repository};
use pentimento::store::{Access, Space};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a repository says in all: every name with every file of its commit.
type Said = BTreeMap<String, BTreeMap<String, [u8; 32]>>;

fn now() -> FixedClock {
    FixedClock(Timestamp::utc(1_772_500_000_000))
}

/// Small files, a file of many chunks in two versions, a draft, a tag, a journal, and something set aside.
fn studio() -> Lab {
    studio_with_id(1, &mut |_| {})
}

/// The same, of a repository of its own; shows itself after each commit.
fn studio_with_id(id: u8, after: &mut dyn FnMut(&Path)) -> Lab {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Lab::with_id(folder, RepositoryId::from_bytes([id; 16]));
    for number in 0..12u64 {
        lab.write(
            &format!("brand/{number}.svg"),
            format!("<svg>{number}</svg>").repeat(40 + number as usize),
        );
    }
    lab.write("photo/harbour.raw", noise(1, 1_500_000));
    lab.write("notes.txt", "first idea\n");
    lab.commit("First state");
    after(lab.folder.path());
    let mut edited = noise(1, 1_500_000);
    edited[700_000..700_100].fill(7);
    lab.write("photo/harbour.raw", edited);
    lab.write("notes.txt", "second idea\n");
    lab.commit("Softer shadow");
    after(lab.folder.path());
    let set =
        tag::Options::Set { name: "sent".into(), revision: None, message: None, identity: Some(anna()) };
    tag::run(&lab.repository, set, &lab.clock).expect("a tag");
    draft::create(&lab.repository, "night", None, &lab.clock).expect("a draft");
    switch::run(&lab.repository, "night", &lab.clock, &SilentMonitor).expect("a switch");
    lab.write("night.txt", "dark");
    lab.commit("Night");
    lab.write("notes.txt", "never committed\n");
    let paths = vec![path("notes.txt")];
    let options = restore::Options { paths, ..restore::Options::default() };
    restore::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a restore");
    fs::write(lab.at(".pent/config.toml"), "[ui]\ndates = \"exact\"\n").expect("settings");
    lab.write("untracked.txt", "seen");
    lab.status();
    lab
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

/// All files below a folder, relative to it.
fn files_below(top: &Path) -> Vec<PathBuf> {
    let mut waiting = vec![top.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let place = entry.expect("an entry").path();
            if place.is_dir() {
                waiting.push(place);
            } else {
                files.push(place.strip_prefix(top).expect("inside").to_owned());
            }
        }
    }
    files.sort();
    files
}

/// A closed repository that can be copied over and over.
struct Template {
    folder: tempfile::TempDir,
    said: Said,
}

impl Template {
    fn new() -> Self {
        Self::of(studio())
    }

    fn of(lab: Lab) -> Self {
        let Lab { folder, repository, .. } = lab;
        let said = everything(&repository).expect("a sound repository");
        assert!(said.len() >= 3);
        drop(repository);
        Self { folder, said }
    }

    /// Files inside `.pent`, relative to it.
    fn files(&self) -> Vec<PathBuf> {
        files_below(&self.folder.path().join(".pent"))
    }

    fn copy(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        copy_folder(self.folder.path(), folder.path());
        folder
    }
}

/// Every name with the hash of every file of its commit, read in full.
fn everything(repository: &Repository) -> Result<Said, Box<dyn std::error::Error>> {
    let view = repository.view()?;
    let reader = repository.store().chunk_reader()?;
    let extractor = Extractor::new(&reader, &view, &SilentMonitor);
    let mut said = Said::new();
    for (name, target) in view.references()? {
        let mut files = BTreeMap::new();
        let tree = view.commit(target.commit)?.tree;
        for item in TreeWalk::new(&view, tree, AssetPath::root()) {
            let (path, entry) = item.map_err(RepoError::from)?;
            if let (Some(id), Some(size)) = (entry.content.file_id(), entry.content.size()) {
                let mut bytes = Vec::new();
                extractor.write_file(id, size, &mut bytes)?;
                files.insert(path.to_string(), *blake3::hash(&bytes).as_bytes());
            }
        }
        said.insert(name.as_str().to_owned(), files);
    }
    view.state()?;
    Ok(said)
}

fn check(root: &Path) -> Result<fsck::Report, String> {
    let repository = Repository::open(root, Access::ReadWrite).map_err(|error| error.to_string())?;
    let report = fsck::run(&repository, &fsck::Options::default(), &now(), &SilentMonitor);
    report.map_err(|error| error.to_string())
}

fn mend(root: &Path, search: &[PathBuf]) -> Result<repair::Report, String> {
    let new_id = RepositoryId::from_bytes([9; 16]);
    let options = repair::Options { root: root.to_owned(), search: search.to_vec(), new_id };
    repair::run(&options, &now(), &SilentMonitor).map_err(|error| error.to_string())
}

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    /// One bit at a place, in thousandths of the length.
    Flip(usize),
    /// Cut to so many thousandths.
    Truncate(usize),
    Delete,
    /// Replaced by noise of the same length.
    Noise,
}

const HARMS: &[Harm] = &[
    Harm::Flip(0),
    Harm::Flip(1),
    Harm::Flip(130),
    Harm::Flip(333),
    Harm::Flip(500),
    Harm::Flip(777),
    Harm::Flip(999),
    Harm::Truncate(0),
    Harm::Truncate(500),
    Harm::Truncate(990),
    Harm::Delete,
    Harm::Noise,
];

fn harm(place: &Path, harm: Harm) {
    let mut bytes = fs::read(place).expect("a file");
    let length = bytes.len();
    match harm {
        Harm::Flip(at) if length > 0 => bytes[(length * at / 1000).min(length - 1)] ^= 0x10,
        Harm::Flip(_) => bytes.push(1),
        Harm::Truncate(at) => bytes.truncate(length * at / 1000),
        Harm::Delete => return fs::remove_file(place).expect("a removal"),
        Harm::Noise => bytes = noise(99, length),
    }
    fs::write(place, bytes).expect("a write");
}

/// What is true of any damage: found, or harmless; after a repair nothing is worse, and whatever is not
/// named as lost reads as before. Gives whether everything came back.
fn assert_found_and_mended(template: &Template, root: &Path, context: &str) -> bool {
    let before = check(root);
    let repository = Repository::open(root, Access::ReadWrite);
    let read = repository.as_ref().ok().and_then(|repository| everything(repository).ok());
    drop(repository);
    if let Ok(report) = &before
        && report.sound
    {
        assert_eq!(read.as_ref(), Some(&template.said), "{context}: not found");
        return true;
    }
    let mended = mend(root, &[]).unwrap_or_else(|error| panic!("{context}: no repair: {error}"));
    let again = check(root).unwrap_or_else(|error| panic!("{context}: does not open after repair: {error}"));
    let repository = Repository::open(root, Access::ReadWrite).expect("a repository");
    let read = everything(&repository).ok();
    if again.sound {
        assert!(mended.sound, "{context}");
        return read.as_ref() == Some(&template.said);
    }
    // Not everything could be mended: then what is lost is named by path.
    assert!(!again.affected.is_empty() || read.as_ref() == Some(&template.said), "{context}: {again:?}");
    false
}

fn harm_each(select: impl Fn(&Path) -> bool, harms: &[Harm], must_come_back: bool) {
    let template = Template::new();
    let files: Vec<PathBuf> = template.files().into_iter().filter(|file| select(file)).collect();
    assert!(!files.is_empty());
    for file in files {
        for kind in harms {
            let copy = template.copy();
            harm(&copy.path().join(".pent").join(&file), *kind);
            let context = format!("{} {kind:?}", file.display());
            let whole = assert_found_and_mended(&template, copy.path(), &context);
            assert!(whole || !must_come_back, "{context}: not all came back");
        }
    }
}

#[test]
fn damage_to_small_files_of_a_repository_is_mended_without_loss() {
    let is_small = |file: &Path| !file.starts_with("packs") && !file.starts_with("db.redb");
    harm_each(is_small, HARMS, true);
}

/// The worktree has every file of the newest state but not the first version of two of them.
#[test]
fn damage_to_a_pack_is_named_and_what_the_files_still_have_comes_back() {
    harm_each(|file| file.starts_with("packs"), HARMS, false);
}

#[test]
fn a_database_that_is_flipped_cut_gone_or_noise_comes_back_whole_from_the_transaction_log() {
    harm_each(|file| file.starts_with("db.redb"), HARMS, true);
}

/// Replaces one file and says whether all came back.
fn replaced(template: &Template, file: &Path, bytes: &[u8], context: &str) -> bool {
    let copy = template.copy();
    fs::write(copy.path().join(".pent").join(file), bytes).expect("a write");
    assert_found_and_mended(template, copy.path(), &format!("{} {context}", file.display()))
}

#[test]
fn every_file_that_is_an_old_copy_of_itself_is_found_and_mended() {
    let mut old: Vec<BTreeMap<PathBuf, Vec<u8>>> = Vec::new();
    let template = Template::of(studio_with_id(1, &mut |root| {
        let files = files_below(&root.join(".pent"));
        old.push(
            files
                .into_iter()
                .map(|file| (file.clone(), fs::read(root.join(".pent").join(&file)).expect("a file")))
                .collect(),
        );
    }));
    let mut tried = 0;
    for (age, files) in old.iter().enumerate() {
        for (file, bytes) in files {
            // Content that came later is lost with a pack, unless files have it.
            let is_pack = file.starts_with("packs");
            let whole = replaced(&template, file, bytes, &format!("of commit {age}"));
            assert!(whole || is_pack, "{} of commit {age}: not all came back", file.display());
            tried += 1;
        }
    }
    assert!(tried >= 10, "{tried}");
}

#[test]
fn every_file_that_is_that_of_another_repository_is_found_and_mended() {
    let template = Template::new();
    let other = studio_with_id(2, &mut |_| {});
    // A clone has the same id.
    let twin = studio_with_id(1, &mut |_| {});
    for (lab, context) in [(other, "of another"), (twin, "of a twin")] {
        let Lab { folder, repository, .. } = lab;
        drop(repository);
        let dir = folder.path().join(".pent");
        let pack = |files: &[PathBuf]| files.iter().find(|file| file.starts_with("packs")).cloned();
        for file in template.files() {
            let theirs =
                if file.starts_with("packs") { pack(&files_below(&dir)) } else { Some(file.clone()) };
            let Some(bytes) = theirs.and_then(|theirs| fs::read(dir.join(theirs)).ok()) else { continue };
            let whole = replaced(&template, &file, &bytes, context);
            assert!(whole || file.starts_with("packs"), "{} {context}: not all came back", file.display());
        }
    }
}

#[test]
fn any_two_files_that_changed_places_are_found_and_mended() {
    let template = Template::new();
    let files = template.files();
    for (index, one) in files.iter().enumerate() {
        for other in &files[index + 1..] {
            let copy = template.copy();
            let dir = copy.path().join(".pent");
            let (first, second) =
                (fs::read(dir.join(one)).expect("a file"), fs::read(dir.join(other)).expect("a file"));
            fs::write(dir.join(one), second).expect("a write");
            fs::write(dir.join(other), first).expect("a write");
            let context = format!("{} and {}", one.display(), other.display());
            let whole = assert_found_and_mended(&template, copy.path(), &context);
            // Where the work itself and what the database says both went, the files have most of it.
            let has_pack = one.starts_with("packs") || other.starts_with("packs");
            let is_log = |file: &Path| file.starts_with("transactions") || file.starts_with("db.redb");
            assert!(whole || has_pack || (is_log(one) && is_log(other)), "{context}: not all came back");
        }
    }
}

/// Both copies of the records are damaged at once: what one lost the other may have, and the rest is said.
#[test]
fn a_database_and_a_log_that_are_both_damaged_give_what_either_has() {
    let template = Template::new();
    let log = template.files().into_iter().find(|file| file.starts_with("transactions")).expect("a log");
    let both = [
        (Harm::Truncate(500), Harm::Truncate(500)),
        (Harm::Truncate(500), Harm::Delete),
        (Harm::Delete, Harm::Truncate(700)),
        (Harm::Delete, Harm::Flip(600)),
        (Harm::Flip(0), Harm::Flip(300)),
        (Harm::Noise, Harm::Flip(900)),
        (Harm::Delete, Harm::Delete),
    ];
    for (database_harm, log_harm) in both {
        let copy = template.copy();
        harm(&copy.path().join(".pent/db.redb"), database_harm);
        harm(&copy.path().join(".pent").join(&log), log_harm);
        let context = format!("{database_harm:?} and {log_harm:?}");
        assert!(check(copy.path()).map_or(true, |report| !report.sound), "{context}: not found");
        let report = mend(copy.path(), &[]).unwrap_or_else(|error| panic!("{context}: no repair: {error}"));
        let repository = Repository::open(copy.path(), Access::ReadWrite).expect("a repository");
        let read = everything(&repository).ok();
        let step = report.steps.iter().find(|step| step.what == "database").expect("a step");
        let whole = read.as_ref() == Some(&template.said);
        assert!(whole || step.message.contains("may be missing"), "{context}: {step:?}");
        // What is there but not in full is named by path and commit.
        assert!(read.is_some() || report.lost.iter().any(|line| line.commits > 0), "{context}: {report:?}");
        if log_harm == Harm::Flip(300) || log_harm == Harm::Flip(600) {
            assert_eq!(repository.id(), RepositoryId::from_bytes([1; 16]), "{context}");
        }
    }
}

#[test]
fn the_loss_of_the_database_loses_neither_identity_nor_anything_that_was_saved() {
    let template = Template::new();
    let copy = template.copy();
    let rows_of = |root: &Path| {
        let repository = Repository::open(root, Access::ReadOnly).expect("a repository");
        let snapshot = repository.store().snapshot().expect("a snapshot");
        let mut rows = BTreeMap::new();
        for space in Space::ALL.into_iter().filter(|space| *space != Space::Condemned) {
            for row in snapshot.scan_prefix(space, b"").expect("rows") {
                let (key, value) = row.expect("a row");
                rows.insert((space.table_name(), key), value);
            }
        }
        (repository.store().settings().clone(), rows)
    };
    let before = rows_of(copy.path());
    fs::remove_file(copy.path().join(".pent/db.redb")).expect("a removal");
    let report = mend(copy.path(), &[]).expect("a repair");
    assert!(report.sound && report.lost.is_empty(), "{report:?}");
    let after = rows_of(copy.path());
    assert_eq!(after.0, before.0, "the id and how content is cut");
    for (key, value) in &before.1 {
        // When what was checked is noted by the repair itself.
        if key.0 != "settings" {
            assert_eq!(after.1.get(key), Some(value), "{key:?}");
        }
    }
    assert!(check(copy.path()).expect("a report").sound);
}

#[test]
fn an_old_copy_of_the_database_stops_every_change_until_it_is_repaired() {
    let lab = studio();
    let place = lab.at(".pent/db.redb");
    let old = fs::read(&place).expect("a database");
    lab.write("notes.txt", "one");
    lab.commit("One");
    lab.write("notes.txt", "two");
    lab.commit("Two");
    let said = everything(&lab.repository).expect("all");
    let Lab { folder, repository, clock } = lab;
    drop(repository);
    fs::write(&place, old).expect("a write");
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a repository");
    let refused = draft::create(&repository, "late", None, &clock).expect_err("refused");
    assert!(format!("{refused:?}").contains("DatabaseBehind"), "{refused:?}");
    drop(repository);
    let report = mend(folder.path(), &[]).expect("a repair");
    assert!(report.sound, "{report:?}");
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a repository");
    assert_eq!(everything(&repository).expect("all"), said);
}

#[test]
fn one_flipped_bit_anywhere_in_the_database_loses_nothing_or_names_what() {
    let template = Template::new();
    let length =
        fs::metadata(template.folder.path().join(".pent/db.redb")).expect("a database").len() as usize;
    let mut whole = 0;
    let mut total = 0;
    for at in (0..length).step_by(length / 60) {
        let copy = template.copy();
        let place = copy.path().join(".pent/db.redb");
        let mut bytes = fs::read(&place).expect("a database");
        bytes[at + (at * 7919) % 4000 % (length - at)] ^= 0x04;
        fs::write(&place, bytes).expect("a write");
        total += 1;
        whole += u32::from(assert_found_and_mended(&template, copy.path(), &format!("bit at {at}")));
    }
    assert!(whole * 10 >= total * 9, "only {whole} of {total} came back whole");
}

#[test]
fn a_backup_gives_back_what_is_lost_everywhere_else() {
    let template = Template::new();
    let copy = template.copy();
    let backup = template.copy();
    for file in template.files().into_iter().filter(|file| file.starts_with("packs")) {
        fs::remove_file(copy.path().join(".pent").join(file)).expect("a removal");
    }
    // All the user's own files are gone too.
    for entry in fs::read_dir(copy.path()).expect("a folder") {
        let place = entry.expect("an entry").path();
        if place.is_dir() && place.file_name().is_some_and(|name| name != ".pent") {
            fs::remove_dir_all(place).expect("a removal");
        } else if place.is_file() {
            fs::remove_file(place).expect("a removal");
        }
    }
    let found = check(copy.path()).expect("a report");
    let lost: Vec<String> = found.affected.iter().map(|line| line.path.to_string()).collect();
    assert!(lost.contains(&"photo/harbour.raw".to_owned()), "{lost:?}");
    let line = found.affected.iter().find(|line| line.path.to_string() == "night.txt").expect("a line");
    assert_eq!((line.what, line.commits), ("content", 1));
    let report = mend(copy.path(), &[backup.path().to_owned()]).expect("a repair");
    assert!(!report.found_in.is_empty());
    // The first versions of two files are in no folder; the rest is back.
    let lost: Vec<String> = report.lost.iter().map(|line| line.path.to_string()).collect();
    assert!(lost.iter().all(|path| path == "notes.txt" || path == "photo/harbour.raw"), "{lost:?}");
    assert!(report.lost.iter().all(|line| line.commits == 1), "{:?}", report.lost);
}

#[test]
fn a_check_since_the_last_one_reads_only_what_is_new_and_a_sample_reads_some() {
    let lab = studio();
    let run = |options: fsck::Options| {
        let report = fsck::run(&lab.repository, &options, &now(), &SilentMonitor).expect("a report");
        assert!(report.sound, "{:?}", report.findings);
        report
    };
    let all = run(fsck::Options::default());
    assert_eq!((all.checked.chunks_left_out, all.last_sound_ms), (0, None));
    assert!(all.checked.chunks > 20);
    lab.write("later.bin", noise(5, 200_000));
    lab.commit("Later");
    let since = run(fsck::Options { since_last: true, ..fsck::Options::default() });
    assert!(since.checked.chunks < 10 && since.checked.chunks_left_out >= all.checked.chunks);
    assert_eq!(since.last_sound_ms, Some(now().now().unix_ms));
    let sample = run(fsck::Options { sample_percent: Some(30.0), ..fsck::Options::default() });
    assert!(sample.checked.chunks > 0 && sample.checked.chunks_left_out > 0, "{:?}", sample.checked);
}

#[test]
fn altered_records_are_found_and_named_whatever_the_database_says() {
    let lab = studio();
    let view = lab.repository.view().expect("a view");
    let head = view.head().expect("a head").expect("a commit");
    let tree = view.commit(head).expect("a commit").tree;
    drop(view);
    for (space, key) in [(Space::Trees, *tree.as_bytes()), (Space::Commits, *head.as_bytes())] {
        let mut edit = lab.repository.edit().expect("an edit");
        let before = edit.transaction().get(space, &key).expect("a value").expect("a value");
        let mut bytes = before.clone();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        edit.transaction().put(space, &key, &bytes).expect("a write");
        edit.commit().expect("a change");
        let report = check(lab.folder.path()).expect("a report");
        assert!(!report.sound && report.findings.iter().any(|line| line.message.contains("altered")));
        // An older page of the database still has it, or it is named as lost.
        let report = mend(lab.folder.path(), &[]).expect("a repair");
        assert!(report.sound || !report.lost.is_empty(), "{report:?}");
        let mut edit = lab.repository.edit().expect("an edit");
        edit.transaction().put(space, &key, &before).expect("a write");
        edit.commit().expect("a change");
    }
}

pub fn erase_file(lab: &Lab, name: &str) -> erase::Report {
    let which = erase::Which::Path { path: path(name), revision: None };
    let options =
        erase::Options { which, identity: Some(anna()), reason: "court order".into(), dry_run: false };
    erase::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("an erasure")
}

/// Whether any file below `.pent` holds these bytes.
pub fn holds(lab: &Lab, needle: &[u8]) -> bool {
    let mut waiting = vec![lab.at(".pent")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let place = entry.expect("an entry").path();
            if place.is_dir() {
                waiting.push(place);
            } else {
                let bytes = fs::read(place).expect("a file");
                if bytes.windows(needle.len()).any(|window| window == needle) {
                    return true;
                }
            }
        }
    }
    false
}

#[test]
fn erased_bytes_are_gone_everywhere_and_nothing_brings_them_back() {
    let lab = Lab::new();
    let portrait = noise(42, 600_000);
    lab.write("portrait.raw", &portrait);
    lab.write("kept.raw", noise(43, 400_000));
    lab.commit("Portrait");
    let mut second = portrait.clone();
    second[500_000..].fill(1);
    lab.write("portrait.raw", &second);
    lab.commit("Retouched");
    // A copy among what commands set aside.
    lab.write("kept.raw", &portrait);
    let options = restore::Options { paths: vec![path("kept.raw")], ..restore::Options::default() };
    restore::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a restore");
    let heads = everything(&lab.repository).expect("all");
    let report = erase_file(&lab, "portrait.raw@1");
    let erasure = &report.erasure;
    assert_eq!(erasure.bytes_erased + erasure.bytes_shared, 600_000);
    assert!(erasure.bytes_erased > 0 && erasure.bytes_shared > 200_000, "{erasure:?}");
    assert_eq!(report.set_aside, 1);
    assert_eq!(erasure.paths.len(), 1);
    assert!(!holds(&lab, &portrait[590_000..590_064]), "the bytes are still there");
    // What later versions share is theirs.
    assert_eq!(everything(&lab.repository).expect("all"), heads);
    let cat = |name: &str| {
        let options = pentimento::app::cat::Options { path: path(name), revision: None, side: None };
        let mut out = Vec::new();
        pentimento::app::cat::run(&lab.repository, &options, &mut out, &lab.clock, &SilentMonitor)
            .map(|()| out)
    };
    assert_eq!(cat("portrait.raw").expect("bytes"), second);
    let said = cat("portrait.raw@1").expect_err("erased").to_string();
    assert!(said.contains("by Anna Lind: court order"), "{said}");
    let sound = || check(lab.folder.path()).expect("a report");
    assert!(sound().sound, "{:?}", sound().findings);
    assert_all_reads_but_erased(&lab);
    // A damaged index is rebuilt without them, although a copy of an old pack turns up.
    let again = erase_file(&lab, "portrait.raw@1");
    assert!(again.erasure.already);
    let options = gc::Options { grace_days: 0, ..gc::Options::default() };
    gc::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("a collection");
    assert!(sound().sound);
}

fn assert_all_reads_but_erased(lab: &Lab) {
    let view = lab.repository.view().expect("a view");
    let commits = view.snapshot().count(Space::Commits).expect("a count");
    assert_eq!(commits, 2, "history stays");
}

#[test]
fn a_pack_from_a_backup_does_not_bring_erased_bytes_back() {
    let lab = Lab::new();
    let portrait = noise(42, 300_000);
    lab.write("portrait.raw", &portrait);
    lab.write("kept.raw", noise(43, 300_000));
    lab.commit("Portrait");
    let backup = tempfile::tempdir().expect("a folder");
    copy_folder(&lab.at(".pent/packs"), backup.path());
    erase_file(&lab, "portrait.raw");
    copy_folder(backup.path(), &lab.at(".pent/packs"));
    let Lab { folder, repository, .. } = lab;
    // Something else is damaged, so that repair rebuilds the index.
    let packs = repository.store().snapshot().expect("a snapshot").packs().expect("packs");
    let place = folder.path().join(format!(".pent/packs/{}.pack", packs[0].1.id));
    drop(repository);
    fs::remove_file(&place).expect("a removal");
    fs::remove_file(folder.path().join("portrait.raw")).expect("a removal");
    let report = mend(folder.path(), &[]).expect("a repair");
    assert!(report.sound, "{:?}", report.findings);
    let repository = Repository::open(folder.path(), Access::ReadWrite).expect("a repository");
    let view = repository.view().expect("a view");
    let id = pentimento::base::id::FileId::from_bytes(*blake3::hash(&portrait).as_bytes());
    assert!(view.is_erased(id).expect("an answer"));
    assert!(view.manifest(id).expect("an answer").is_none());
    assert_all_reads_of(&repository);
}

fn assert_all_reads_of(repository: &Repository) {
    let view = repository.view().expect("a view");
    let reader = repository.store().chunk_reader().expect("a reader");
    let extractor = Extractor::new(&reader, &view, &SilentMonitor);
    let kept = noise(43, 300_000);
    let id = pentimento::base::id::FileId::from_bytes(*blake3::hash(&kept).as_bytes());
    let mut bytes = Vec::new();
    extractor.write_file(id, kept.len() as u64, &mut bytes).expect("a file that reads");
    assert_eq!(bytes, kept);
}

#[test]
fn a_sound_repository_is_left_as_it_is() {
    let template = Template::new();
    let copy = template.copy();
    let report = mend(copy.path(), &[]).expect("a repair");
    assert!(report.sound && report.steps.is_empty(), "{report:?}");
    let repository = Repository::open(copy.path(), Access::ReadWrite).expect("a repository");
    assert_all_reads(&repository, now().now());
    assert!(!copy.path().join(".pent/quarantine").exists());
}

/// A studio with a version of a file to erase, made with the program itself.
fn studio_of_the_program() -> World {
    let world = World::new();
    let studio = world.studio();
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    for round in 0..3u64 {
        for number in 0..25u64 {
            let bytes = noise(round * 100 + number, 20_000 + number as usize * 3000);
            fs::write(studio.join(format!("{number}.raw")), bytes).expect("a file");
        }
        world.ok(&["commit", "-m", "A round"]);
    }
    world
}

/// Starts a command again and again and kills it later each time.
fn kill_again_and_again(world: &World, arguments: &[&str], mut after: impl FnMut()) {
    let mut delay = Duration::from_millis(1);
    for _ in 0..20 {
        let mut command = world.command(arguments);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("a program");
        std::thread::sleep(delay);
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().expect("an end");
        delay += Duration::from_millis(3);
        after();
    }
}

#[test]
fn a_repair_that_is_killed_again_and_again_ends_with_everything() {
    let world = studio_of_the_program();
    let place = world.studio().join(".pent/db.redb");
    let root = world.studio().canonicalize().expect("a folder");
    let said = {
        let repository = Repository::open(&root, Access::ReadWrite).expect("a repository");
        everything(&repository).expect("all")
    };
    let mut bytes = fs::read(&place).expect("a database");
    bytes[..64].fill(0x77);
    fs::write(&place, bytes).expect("a write");
    assert_eq!(world.pent(&["log"]).code, 5);
    kill_again_and_again(&world, &["repair"], || {});
    let mended = world.pent(&["repair"]);
    assert_eq!(mended.code, 0, "{}{}", mended.stdout, mended.stderr);
    let repository = Repository::open(&root, Access::ReadWrite).expect("a repository");
    assert_eq!(everything(&repository).expect("all"), said);
    assert_eq!(world.pent(&["fsck"]).code, 0);
}

#[test]
fn an_erasure_that_is_killed_again_and_again_loses_nothing_else_and_ends_at_last() {
    let world = studio_of_the_program();
    let root = world.studio().canonicalize().expect("a folder");
    let open = || Repository::open(&root, Access::ReadWrite).expect("a repository");
    let said = everything(&open()).expect("all");
    let erase = ["--yes", "erase", "7.raw@1", "--reason", "court order"];
    kill_again_and_again(&world, &erase, || {
        assert_eq!(everything(&open()).expect("all"), said);
    });
    world.ok(&erase);
    assert_eq!(everything(&open()).expect("all"), said);
    let needle = &noise(7, 20_000 + 7 * 3000)[9_000..9_064];
    for entry in fs::read_dir(root.join(".pent/packs")).expect("packs") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a pack");
        assert!(!bytes.windows(needle.len()).any(|window| window == needle));
    }
    let refused = world.pent(&["cat", "7.raw@1"]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("erased on 2026-03-03 by Anna Lind: court order"), "{}", refused.stderr);
    assert_eq!(world.pent(&["fsck"]).code, 0);
}

#[test]
fn what_the_program_says_of_care() {
    let world = World::new();
    let studio = world.studio();
    fs::write(studio.join("logo.svg"), "<svg>circle</svg>").expect("a file");
    fs::write(studio.join("portrait.raw"), noise(4, 90_000)).expect("a file");
    world.ok(&["init"]);
    world.ok(&["config", "user.name", "Anna Lind"]);
    world.ok(&["commit", "-m", "First"]);
    fs::write(studio.join("portrait.raw"), noise(5, 90_000)).expect("a file");
    world.ok(&["commit", "-m", "Second"]);
    let said = world.session(&[
        &["gc", "--dry-run"],
        &["gc"],
        &["gc", "--now"],
        &["fsck"],
        &["repair"],
        &["erase", "portrait.raw@1", "--reason", "Consent withdrawn"],
        &["erase", "portrait.raw@1", "--reason", "Consent withdrawn", "--yes"],
        &["cat", "portrait.raw@1"],
        &["erase", "portrait.raw@1", "--dry-run"],
        &["fsck", "--sample", "0"],
    ]);
    // Ids follow from a person's random id.
    let mut text = String::new();
    for word in said.split_inclusive([' ', '\n']) {
        let id = word.trim_end();
        let is_id = id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        text.push_str(&if is_id { word.replace(id, "(id)") } else { word.to_owned() });
    }
    assert_snapshot("care", &text);
}
