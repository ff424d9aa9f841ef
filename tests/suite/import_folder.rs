//! Versions kept by name become commits in the right order, by a plan that is shown first.

use crate::git_support::{Here, Stands, clock, on_disk};
use crate::support::World;
use pentimento::app::import_folder::{self, Options};
use pentimento::base::id::PersonId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::import::folder::plan::{Action, Plan};
use pentimento::object::source::ObjectSource;
use pentimento::repo::people::{Identity, Person};
use pentimento::repo::refs::RefName;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Writes a file that was last changed on a day of 2024.
fn write(folder: &Path, name: &str, bytes: &[u8], day: u64) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(&path, bytes).expect("a file");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_704_067_200 + day * 86_400);
    let file = File::options().write(true).open(&path).expect("a file");
    file.set_times(FileTimes::new().set_modified(time)).expect("a time");
}

fn zip(path: &Path, files: &[(&str, &[u8])]) {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(File::create(path).expect("a file"));
    for (name, bytes) in files {
        let options =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        archive.start_file(*name, options).expect("an entry");
        archive.write_all(bytes).expect("content");
    }
    archive.finish().expect("an archive");
}

fn run(here: &Here, folder: &Path, plan: Plan, branch: Option<&str>) -> import_folder::Report {
    let person = Person { name: "Ana".into(), email: String::new() };
    let identity = Some(Identity { id: PersonId::from_bytes([3; 16]), person });
    let options = Options { folder: folder.to_owned(), plan, branch: branch.map(str::to_owned), identity };
    import_folder::run(&here.repository, &options, &clock(), &SilentMonitor).expect("an import")
}

/// The subjects of a branch, oldest first, with what stands at a path.
fn story(here: &Here, branch: &str, path: &str) -> Vec<(String, Option<Vec<u8>>)> {
    let view = here.view();
    let mut next =
        view.reference(&RefName::branch(branch).expect("a name")).expect("names").map(|target| target.commit);
    let mut story = Vec::new();
    while let Some(id) = next {
        let commit = view.commit(id).expect("a commit");
        let bytes = match here.state(id).get(path.as_bytes()) {
            Some(Stands::File { bytes, .. }) => Some(bytes.clone()),
            _ => None,
        };
        story.push((commit.message.clone(), bytes));
        next = commit.parents.first().copied();
    }
    story.reverse();
    story
}

#[test]
fn the_usual_names_become_versions_of_one_file_in_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The times lie: all files were copied on one day.
    for (name, text) in [
        ("logo_v2_FINAL.psd", "two"),
        ("logo_v1.psd", "one"),
        ("logo_final_final.psd", "three"),
        ("notes.txt", "only one"),
        (".DS_Store", "noise"),
    ] {
        write(folder.path(), name, text.as_bytes(), 5);
    }
    let plan = import_folder::plan(folder.path(), None, &SilentMonitor).expect("a plan");
    let here = Here::new();
    let report = run(&here, folder.path(), plan, None);
    assert_eq!((report.commits, report.problems.len()), (4, 0));
    let logo: Vec<_> = story(&here, "main", "logo.psd").into_iter().filter_map(|(_, bytes)| bytes).collect();
    let mut versions = logo.clone();
    versions.dedup();
    assert_eq!(versions, [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
    let written = on_disk(here.folder.path());
    assert_eq!(written.keys().map(Vec::as_slice).collect::<Vec<_>>(), [b"logo.psd".as_slice(), b"notes.txt"]);
    let view = here.view();
    let head = view.head().expect("a head").expect("a commit");
    let commit = view.commit(head).expect("a commit");
    assert_eq!(commit.author.time.rfc3339(), "2024-01-06T00:00:00+00:00");
}

#[test]
fn a_pattern_says_what_numbers_mean_and_the_rest_is_left_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, day) in [("poster-10.ai", 1), ("poster-9.ai", 2), ("brand/poster-1.ai", 3), ("readme.md", 4)] {
        write(folder.path(), name, name.as_bytes(), day);
    }
    let plan = import_folder::plan(folder.path(), Some("{name}-{n}.ai"), &SilentMonitor).expect("a plan");
    let left: Vec<_> = plan.left_out.iter().map(|left| left.path.to_string()).collect();
    assert_eq!(left, ["readme.md"]);
    let here = Here::new();
    run(&here, folder.path(), plan, None);
    let story = story(&here, "main", "poster.ai");
    assert_eq!(
        story[0].1.as_deref(),
        Some(b"poster-9.ai".as_slice()),
        "9 comes before 10 whatever the times say"
    );
    assert_eq!(story[1].1.as_deref(), Some(b"poster-10.ai".as_slice()));
}

#[test]
fn dated_folders_and_archives_are_states_of_everything() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "2024-02-01/a.txt", b"a1", 200);
    write(folder.path(), "2024-02-01/gone.txt", b"gone", 200);
    write(folder.path(), "2024-03-01/a.txt", b"a2", 100);
    write(folder.path(), "2024-03-01/sub/new.txt", b"new", 100);
    let plan = import_folder::plan(folder.path(), None, &SilentMonitor).expect("a plan");
    let here = Here::new();
    run(&here, folder.path(), plan, None);
    let versions: Vec<_> = story(&here, "main", "a.txt").into_iter().filter_map(|(_, bytes)| bytes).collect();
    assert_eq!(versions, [b"a1".to_vec(), b"a2".to_vec()]);
    let names: Vec<_> = on_disk(here.folder.path()).into_keys().collect();
    assert_eq!(names, [b"a.txt".to_vec(), b"sub/new.txt".to_vec()]);

    let archives = tempfile::tempdir().expect("a temporary folder");
    zip(&archives.path().join("site_v2.zip"), &[("site/a.txt", b"a2"), ("site/b.txt", b"b")]);
    zip(
        &archives.path().join("site_v1.zip"),
        &[("a.txt", b"a1"), ("__MACOSX/._a.txt", b"noise"), ("old.txt", b"old")],
    );
    let plan = import_folder::plan(archives.path(), Some("site_v{n}.zip"), &SilentMonitor).expect("a plan");
    let here = Here::new();
    run(&here, archives.path(), plan, None);
    let versions: Vec<_> = story(&here, "main", "a.txt").into_iter().filter_map(|(_, bytes)| bytes).collect();
    assert_eq!(versions, [b"a1".to_vec(), b"a2".to_vec()]);
    let names: Vec<_> = on_disk(here.folder.path()).into_keys().collect();
    assert_eq!(names, [b"a.txt".to_vec(), b"b.txt".to_vec()]);
}

#[test]
fn hostile_archives_write_nothing_outside_and_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    zip(
        &folder.path().join("x_v1.zip"),
        &[("../evil", b"evil"), ("/evil", b"evil"), (".pent/evil", b"evil"), ("good", b"good")],
    );
    fs::write(folder.path().join("x_v2.zip"), b"PK no archive").expect("a file");
    let plan = import_folder::plan(folder.path(), Some("x_v{n}.zip"), &SilentMonitor).expect("a plan");
    let here = Here::new();
    let report = run(&here, folder.path(), plan, None);
    assert_eq!((report.commits, report.problems.len()), (1, 4), "{:?}", report.problems);
    let names: Vec<_> = on_disk(here.folder.path()).into_keys().collect();
    assert_eq!(names, [b"good".to_vec()]);
    assert!(!here.folder.path().join(".pent/evil").exists());
}

#[test]
fn the_plan_is_shown_saved_edited_and_carried_out_on_the_command_line() {
    let world = World::new();
    let folder = world.studio().join("old");
    write(&folder, "logo_v1.psd", b"one", 1);
    write(&folder, "logo_v2.psd", b"two", 2);
    fs::create_dir(world.studio().join("work")).expect("a folder");
    world.ok(&["init", "work"]);
    world.ok(&["config", "user.name", "Ana"]);
    let here = ["-C", "work", "import", "folder", "../old"];
    let with = |more: &[&'static str]| -> Vec<&'static str> { here.iter().chain(more).copied().collect() };
    let shown = world.ok(&with(&["--dry-run"]));
    assert!(shown.contains("logo.psd  from logo_v1.psd"), "{shown}");
    assert!(world.ok(&["import", "folder", "--help"]).contains("{name}, {number}, {date}, {word}"));
    fs::create_dir(world.studio().join("nothing")).expect("a folder");
    let nothing = world.pent(&["-C", "work", "import", "folder", "../nothing", "--dry-run"]);
    assert_ne!(nothing.code, 0, "there is nothing to show: {}", nothing.stdout);
    let refused = world.pent(&here);
    assert_ne!(refused.code, 0, "without a yes nothing is written");
    assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
    world.ok(&with(&["--save-plan", "../plan.txt"]));
    let plan = world.studio().join("plan.txt");
    let text = fs::read_to_string(&plan).expect("a plan");
    fs::write(&plan, text.replace("from logo_v2.psd", "from logo_v3.psd")).expect("a file");
    let wrong = world.pent(&with(&["--plan", "../plan.txt", "--dry-run"]));
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("the plan names logo_v3.psd: it is not there"), "{}", wrong.stderr);
    fs::write(&plan, text.replace("logo.psd: logo_v1.psd", "The very first logo")).expect("a file");
    world.ok(&with(&["--plan", "../plan.txt", "--yes"]));
    let log = world.ok(&["-C", "work", "log"]);
    assert!(log.contains("The very first logo"), "{log}");
    assert_eq!(fs::read(world.studio().join("work/logo.psd")).expect("a file"), b"two");
}

/// A studio's folder as people leave it: names, and the days of 2024 on which the files were last changed.
const MESSY: &[(&str, u64)] = &[
    ("Logo.ai", 60),
    ("Logo copy.ai", 12),
    ("logo_v1.ai", 5),
    ("logo_v2.ai", 9),
    ("logo_v2b.ai", 10),
    ("logo_v3_FINAL.ai", 20),
    ("logo_v3_FINAL_final.ai", 22),
    ("LOGO-final-USE-THIS-ONE.ai", 30),
    ("logo (Ana's conflicted copy 2024-01-16).ai", 19),
    ("old/logo_v0.ai", 2),
    ("old/logo sketch.ai", 1),
    ("brochure_draft.indd", 30),
    ("brochure_2024-02-10.indd", 90),
    ("brochure_2024-02-24_JK.indd", 90),
    ("Brochure FINAL (1).indd", 70),
    ("Brochure FINAL (2).indd", 72),
    ("business card v1.ai", 3),
    ("business card v1.1.ai", 4),
    ("business card v2.ai", 8),
    ("poster A3 v1.psd", 40),
    ("poster A3 v2.psd", 44),
    ("poster A4 v1.psd", 41),
    ("poster_1920x1080.png", 45),
    ("poster_1080x1080.png", 45),
    ("hero.png", 45),
    ("hero@2x.png", 45),
    ("icons/icon-01.svg", 33),
    ("icons/icon-02.svg", 33),
    ("icons/icon-03.svg", 34),
    ("IMG_2034.JPG", 11),
    ("IMG_2035.JPG", 11),
    ("Präsentation_alte.key", 20),
    ("Präsentation_neu.key", 25),
    ("Präsentation_neu_neu.key", 33),
    ("drawing_revA.pdf", 15),
    ("drawing_revB.pdf", 16),
    ("letter (final).docx", 17),
    ("styleguide_final2.pdf", 50),
    ("styleguide_final3.pdf", 51),
    ("layout Version 3.indd", 50),
    ("layout Version 10.indd", 52),
    ("240115_menu.indd", 80),
    ("240220_menu_print.indd", 80),
    ("240301_menu.indd", 80),
    ("Client 1/brief.docx", 40),
    ("Client 2/brief.docx", 41),
    (".DS_Store", 1),
    ("Thumbs.db", 1),
    ("~$letter.docx", 1),
];

/// What became of each thing with more than one version, oldest first.
fn lines_of(plan: &Plan) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut lines = std::collections::BTreeMap::<String, Vec<String>>::new();
    for action in plan.steps.iter().flat_map(|step| &step.actions) {
        match action {
            Action::Put { path, from } => lines.entry(path.to_string()).or_default().push(from.to_string()),
            Action::All { into, from } => lines.entry(format!("{into}/")).or_default().push(from.to_string()),
        }
    }
    lines
}

#[test]
fn a_messy_folder_comes_out_as_a_person_would_sort_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, day) in MESSY {
        write(folder.path(), name, name.as_bytes(), *day);
    }
    zip(&folder.path().join("Backup 2024-02-01.zip"), &[("notes.txt", b"1"), ("fonts/a.otf", b"a")]);
    zip(&folder.path().join("Backup 2024-03-01.zip"), &[("notes.txt", b"2"), ("fonts/a.otf", b"a")]);
    let plan = import_folder::plan(folder.path(), None, &SilentMonitor).expect("a plan");
    assert_eq!(plan.left_out, []);
    let mut lines = lines_of(&plan);
    let versions: Vec<(&str, &[&str])> = vec![
        ("Backup/", &["Backup 2024-02-01.zip", "Backup 2024-03-01.zip"]),
        (
            "Brochure.indd",
            &[
                "brochure_draft.indd",
                "brochure_2024-02-10.indd",
                "brochure_2024-02-24_JK.indd",
                "Brochure FINAL (1).indd",
                "Brochure FINAL (2).indd",
            ],
        ),
        ("Präsentation.key", &["Präsentation_alte.key", "Präsentation_neu.key", "Präsentation_neu_neu.key"]),
        ("business card.ai", &["business card v1.ai", "business card v1.1.ai", "business card v2.ai"]),
        ("drawing.pdf", &["drawing_revA.pdf", "drawing_revB.pdf"]),
        ("layout.indd", &["layout Version 3.indd", "layout Version 10.indd"]),
        (
            "logo.ai",
            &[
                "old/logo sketch.ai",
                "old/logo_v0.ai",
                "logo_v1.ai",
                "logo_v2.ai",
                "logo_v2b.ai",
                "Logo copy.ai",
                "logo (Ana's conflicted copy 2024-01-16).ai",
                "logo_v3_FINAL.ai",
                "logo_v3_FINAL_final.ai",
                "LOGO-final-USE-THIS-ONE.ai",
                "Logo.ai",
            ],
        ),
        ("menu.indd", &["240115_menu.indd", "240301_menu.indd"]),
        ("poster A3.psd", &["poster A3 v1.psd", "poster A3 v2.psd"]),
        ("styleguide.pdf", &["styleguide_final2.pdf", "styleguide_final3.pdf"]),
    ];
    for (target, wanted) in versions {
        let found =
            lines.iter().find(|(name, _)| name.eq_ignore_ascii_case(target)).map(|(name, _)| name.clone());
        let found =
            found.and_then(|name| lines.remove(&name)).unwrap_or_else(|| panic!("{target} in {lines:?}"));
        assert_eq!(found, wanted, "{target}");
    }
    for (target, sources) in lines {
        assert_eq!(sources, std::slice::from_ref(&target), "what stands alone keeps its name");
    }
    assert!(plan.notes[0].starts_with("icon-01.svg to icon-03.svg"), "{:?}", plan.notes);
    let here = Here::new();
    let report = run(&here, folder.path(), plan, None);
    assert_eq!(report.problems.len(), 0, "{:?}", report.problems);
    let logos = story(&here, "main", "logo.ai");
    assert_eq!(logos.last().expect("a commit").1.as_deref(), Some(b"Logo.ai".as_slice()));
}

#[test]
fn two_kinds_of_states_do_not_take_away_what_the_other_brought() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "site/index.html", b"now", 90);
    zip(&folder.path().join("site_v1.zip"), &[("index.html", b"1"), ("gone.html", b"gone")]);
    zip(&folder.path().join("site_v2.zip"), &[("index.html", b"2")]);
    write(folder.path(), "Shoot 2024-01-05/IMG_1.jpg", b"a", 5);
    write(folder.path(), "Shoot 2024-02-05/IMG_9.jpg", b"b", 36);
    write(folder.path(), "brand v1/logo.svg", b"1", 20);
    write(folder.path(), "brand v2/logo.svg", b"2", 30);
    for name in ["site_v1.zip", "site_v2.zip"] {
        let day = if name == "site_v1.zip" { 10 } else { 20 };
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_704_067_200 + day * 86_400);
        let file = File::options().write(true).open(folder.path().join(name)).expect("a file");
        file.set_times(FileTimes::new().set_modified(time)).expect("a time");
    }
    let plan = import_folder::plan(folder.path(), None, &SilentMonitor).expect("a plan");
    let here = Here::new();
    run(&here, folder.path(), plan, None);
    let sites: Vec<_> =
        story(&here, "main", "site/index.html").into_iter().filter_map(|(_, bytes)| bytes).collect();
    let mut versions = sites.clone();
    versions.dedup();
    assert_eq!(versions, [b"1".to_vec(), b"2".to_vec(), b"now".to_vec()]);
    let names: Vec<_> = on_disk(here.folder.path()).into_keys().collect();
    assert_eq!(
        names,
        [
            b"Shoot 2024-01-05/IMG_1.jpg".to_vec(),
            b"Shoot 2024-02-05/IMG_9.jpg".to_vec(),
            b"brand/logo.svg".to_vec(),
            b"site/index.html".to_vec(),
        ],
        "two shoots are no states of one thing"
    );
}

/// What stands at a path after each commit, oldest first.
fn standing(here: &Here, path: &str) -> Vec<Option<Vec<u8>>> {
    story(here, "main", path).into_iter().map(|(_, bytes)| bytes).collect()
}

#[test]
fn what_cannot_be_read_is_told_and_stays_as_it_was() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "state_v1/a.txt", b"a1", 1);
    write(folder.path(), "state_v1/pipe.txt", b"kept", 1);
    write(folder.path(), "state_v1/gone.txt", b"gone", 1);
    write(folder.path(), "state_v2/a.txt", b"a2", 2);
    // A pipe can be read no more than a file without permission, whoever runs the tests.
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("state_v2/pipe.txt")).status();
    assert!(made.expect("mkfifo is installed").success());
    let plan = import_folder::plan(folder.path(), Some("state_v{n}/"), &SilentMonitor).expect("a plan");
    let here = Here::new();
    let report = run(&here, folder.path(), plan, None);
    assert_eq!((report.commits, report.problems.len()), (2, 1), "{:?}", report.problems);
    assert_eq!(standing(&here, "pipe.txt"), [Some(b"kept".to_vec()), Some(b"kept".to_vec())]);
    assert_eq!(standing(&here, "a.txt"), [Some(b"a1".to_vec()), Some(b"a2".to_vec())]);
    assert_eq!(standing(&here, "gone.txt"), [Some(b"gone".to_vec()), None], "what is gone is gone");
}

#[test]
fn what_cannot_be_unpacked_stays_as_it_was() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    zip(&folder.path().join("x_v1.zip"), &[("a.txt", b"first"), ("b.txt", b"b1")]);
    let second = folder.path().join("x_v2.zip");
    zip(&second, &[("a.txt", &[7; 4000]), ("b.txt", b"b2")]);
    let mut bytes = fs::read(&second).expect("an archive");
    // The first entry's data begin behind its header of 30 bytes and its name.
    bytes[37] ^= 0xff;
    fs::write(&second, bytes).expect("a file");
    let plan = import_folder::plan(folder.path(), Some("x_v{n}.zip"), &SilentMonitor).expect("a plan");
    let here = Here::new();
    let report = run(&here, folder.path(), plan, None);
    assert_eq!((report.commits, report.problems.len()), (2, 1), "{:?}", report.problems);
    assert_eq!(standing(&here, "a.txt"), [Some(b"first".to_vec()), Some(b"first".to_vec())]);
    assert_eq!(standing(&here, "b.txt"), [Some(b"b1".to_vec()), Some(b"b2".to_vec())]);
}

#[test]
fn files_without_versions_share_a_commit_and_states_without_a_change_make_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for number in 0..40 {
        write(folder.path(), &format!("notes/page {number} of the town.txt"), &[number], u64::from(number));
    }
    write(folder.path(), "logo_v1.psd", b"one", 10);
    write(folder.path(), "logo_v2.psd", b"two", 30);
    let plan = import_folder::plan(folder.path(), None, &SilentMonitor).expect("a plan");
    assert_eq!(plan.steps.len(), 5, "before, between and behind the two versions");
    assert_eq!(plan.steps[0].message, "page 0 of the town.txt and 9 more files");
    let here = Here::new();
    let report = run(&here, folder.path(), plan, None);
    assert_eq!((report.commits, report.files), (5, 42));
    let states = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in [("2024-01-01", "a"), ("2024-01-02", "a"), ("2024-01-03", "b"), ("2024-01-04", "b")] {
        write(states.path(), &format!("{name}/a.txt"), text.as_bytes(), 1);
        write(states.path(), &format!("{name}/same.txt"), b"same", 1);
    }
    let plan = import_folder::plan(states.path(), None, &SilentMonitor).expect("a plan");
    let here = Here::new();
    assert_eq!(run(&here, states.path(), plan, None).commits, 2);
}

#[test]
fn a_folder_that_holds_all_of_an_archive_is_left_off_where_it_says_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    zip(
        &folder.path().join("state_v1.zip"),
        &[("state_v1/a.txt", b"1"), ("__MACOSX/state_v1/._a.txt", b"noise")],
    );
    zip(&folder.path().join("state_v2.zip"), &[("state_v2/a.txt", b"2"), (".DS_Store", b"noise")]);
    zip(&folder.path().join("state_v3.zip"), &[("State/a.txt", b"3")]);
    // A folder with a name of its own is part of the work.
    zip(&folder.path().join("state_v4.zip"), &[("public/a.txt", b"4")]);
    let plan = import_folder::plan(folder.path(), Some("state_v{n}.zip"), &SilentMonitor).expect("a plan");
    let here = Here::new();
    run(&here, folder.path(), plan, None);
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(standing(&here, "a.txt"), [bytes("1"), bytes("2"), bytes("3"), None]);
    assert_eq!(standing(&here, "public/a.txt"), [None, None, None, bytes("4")]);
}

#[test]
fn days_with_the_month_first_are_read_so_where_one_says_it() {
    let order = |names: &[&str]| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in names {
            write(folder.path(), name, name.as_bytes(), 5);
        }
        let plan = import_folder::plan(folder.path(), None, &SilentMonitor).expect("a plan");
        let lines = lines_of(&plan);
        (lines.into_values().next().expect("one thing"), plan.notes)
    };
    let (names, notes) = order(&["a_03-05-2024.txt", "a_04-01-2024.txt", "a_12-31-2024.txt"]);
    assert_eq!(names, ["a_03-05-2024.txt", "a_04-01-2024.txt", "a_12-31-2024.txt"]);
    assert!(notes[0].contains("month first"), "{notes:?}");
    let (names, notes) = order(&["a_03-05-2024.txt", "a_04-01-2024.txt", "a_31-12-2024.txt"]);
    assert_eq!(names, ["a_04-01-2024.txt", "a_03-05-2024.txt", "a_31-12-2024.txt"]);
    assert!(notes.is_empty(), "{notes:?}");
    let (names, notes) = order(&["a_03-05-2024.txt", "a_04-01-2024.txt"]);
    assert_eq!(names, ["a_04-01-2024.txt", "a_03-05-2024.txt"]);
    assert!(notes[0].contains("day first"), "{notes:?}");
}

#[test]
fn names_in_archives_are_read_in_the_code_page_that_they_are_in() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x_v1.zip");
    let mut archive = zip::ZipWriter::new(File::create(&path).expect("a file"));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("gr#n.txt", options).expect("an entry");
    archive.write_all(b"old").expect("content");
    archive.finish().expect("an archive");
    // As old programs wrote it: 0x81 is an u with two dots in code page 437.
    let bytes: Vec<u8> = fs::read(&path).expect("an archive");
    let bytes = bytes.iter().map(|byte| if *byte == b'#' { 0x81 } else { *byte }).collect::<Vec<u8>>();
    fs::write(&path, bytes).expect("a file");
    let plan = import_folder::plan(folder.path(), Some("x_v{n}.zip"), &SilentMonitor).expect("a plan");
    let here = Here::new();
    run(&here, folder.path(), plan, None);
    assert_eq!(standing(&here, "grün.txt"), [Some(b"old".to_vec())]);
}

#[test]
fn an_edited_plan_may_begin_with_a_mark_and_never_leads_into_the_repository() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = |bytes: &[u8]| {
        let file = folder.path().join("plan.txt");
        fs::write(&file, bytes).expect("a file");
        import_folder::read_plan(&file)
    };
    let text = "# pent plan 1\r\ncommit 2024-03-01T10:00:00+00:00 one\r\n  put a.psd from a_v1.psd\r\n";
    let marked = format!("\u{feff}{text}");
    assert_eq!(plan(marked.as_bytes()).expect("a plan").steps.len(), 1);
    let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(plan(&wide).expect("a plan").steps.len(), 1);
    for line in
        ["put .pent/config from a", "put a from .PENT/x", "all in .pent from a", "put a/.pent /b from c"]
    {
        let text = format!("# pent plan 1\ncommit 2024-03-01T10:00:00+00:00 one\n  {line}\n");
        let error = plan(text.as_bytes()).expect_err("no such path");
        assert!(crate::git_support::chain(&error).contains("line 3"), "{line}: {error}");
    }
}

#[test]
fn a_plan_that_names_what_is_not_there_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let outside = tempfile::tempdir().expect("a temporary folder");
    write(outside.path(), "secret.txt", b"outside", 1);
    write(folder.path(), "a_v1.txt", b"one", 1);
    write(folder.path(), "inner/b.txt", b"b", 1);
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).expect("a link");
    std::os::unix::fs::symlink(outside.path().join("secret.txt"), folder.path().join("file-link"))
        .expect("a link");
    let here = Here::new();
    let person = Person { name: "Ana".into(), email: String::new() };
    let identity = Some(Identity { id: PersonId::from_bytes([3; 16]), person });
    let refused = |line: &str| {
        let text = format!(
            "# pent plan 1\ncommit 2024-03-01T10:00:00Z one\n  put a.txt from a_v1.txt\n\
             commit 2024-03-02T10:00:00Z two\n  {line}\n"
        );
        let plan = Plan::parse(&text).expect("a plan");
        let options =
            Options { folder: folder.path().to_owned(), plan, branch: None, identity: identity.clone() };
        let error = import_folder::run(&here.repository, &options, &clock(), &SilentMonitor)
            .expect_err("what is not there cannot be imported");
        assert!(here.view().references().expect("names").is_empty(), "{line}");
        crate::git_support::chain(&error)
    };
    for (line, reason) in [
        ("put a.txt from a_v2x.txt", "the plan names a_v2x.txt: it is not there"),
        ("put a.txt from inner", "the plan names inner: it is a folder"),
        ("all from 2023-05-99", "it is not there"),
        ("put a.txt from file-link", "links are not followed"),
        ("put a.txt from link/secret.txt", "a link or a file stands where a folder above it should be"),
        ("put a.txt from a_v1.txt/x", "a link or a file stands where a folder above it should be"),
        ("all from link", "links are not followed"),
        ("all from link/deeper", "a link or a file stands"),
    ] {
        let said = refused(line);
        assert!(said.contains(reason), "{line}: {said}");
    }
    let plan = "# pent plan 1\ncommit 2024-03-01T10:00:00Z one\n  put b.txt from inner/b.txt\n";
    let report = run(&here, folder.path(), Plan::parse(plan).expect("a plan"), None);
    assert_eq!((report.commits, report.problems.len()), (1, 0));
}
