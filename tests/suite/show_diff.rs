//! What differs between two states, and what one commit or asset is.

use crate::app_flow::{Lab, anna, noise, path};
use pentimento::app::diff::{self, Detail, FileDiff, Limit, Point, Summary};
use pentimento::app::error::AppError;
use pentimento::app::meta;
use pentimento::app::show::{self, Subject};
use pentimento::app::tag;
use pentimento::base::monitor::{CollectingMonitor, SilentMonitor};
use pentimento::diff::model::ContentDiff;
use pentimento::diff::text::LineKind;
use serde_json::json;
use std::fs;

fn revision(text: &str) -> Option<Point> {
    Some(Point::Revision(text.to_owned()))
}

fn version(at: &str, version: u64) -> Option<Point> {
    Some(Point::Version { path: path(at), version })
}

fn diff(lab: &Lab, options: &diff::Options) -> diff::Report {
    diff::run(&lab.repository, options, &lab.clock, &SilentMonitor).expect("a comparison")
}

fn between(lab: &Lab, before: Option<Point>, after: Option<Point>) -> diff::Report {
    diff(lab, &diff::Options { before, after, ..diff::Options::default() })
}

/// Each file as `kinds path`.
fn story(report: &diff::Report) -> Vec<String> {
    let line = |file: &FileDiff| {
        let kinds: Vec<_> = file.kinds.names().collect();
        match file.before.as_ref().filter(|before| before.path != file.path) {
            Some(before) => format!("{} {} -> {}", kinds.join("+"), before.path, file.path),
            None => format!("{} {}", kinds.join("+"), file.path),
        }
    };
    report.files.iter().map(line).collect()
}

/// The changed lines of a text as `diff` prints them.
fn changed_lines(file: &FileDiff) -> Vec<String> {
    let Some(ContentDiff::Text(text)) = &file.content else { panic!("no text: {file:?}") };
    let lines = text.hunks.iter().flat_map(|hunk| &hunk.lines);
    lines
        .filter_map(|line| match line.kind {
            LineKind::Context => None,
            LineKind::Removed => Some(format!("-{}", line.text)),
            LineKind::Added => Some(format!("+{}", line.text)),
        })
        .collect()
}

fn bytes_of(file: &FileDiff) -> (u64, u64, u64, u64) {
    match file.summary {
        Some(Summary::Bytes { bytes_shared, bytes_new, bytes_changed, ranges }) => {
            (bytes_shared, bytes_new, bytes_changed, ranges)
        }
        other => panic!("no bytes: {other:?}"),
    }
}

/// A poster of several chunks, with 100 bytes inserted.
fn poster() -> (Vec<u8>, Vec<u8>) {
    let before = noise(1, 1_000_000);
    let mut after = before.clone();
    after.splice(500_000..500_000, noise(2, 100));
    (before, after)
}

#[test]
fn without_revisions_the_worktree_is_compared_with_the_newest_commit() {
    let lab = Lab::new();
    let (before, after) = poster();
    lab.write("notes.txt", "one\ntwo\nthree\n");
    lab.write("poster.psd", before);
    lab.write("sketch.kra", noise(3, 40_000));
    lab.write("old.txt", "gone\n");
    lab.commit("First");
    assert!(between(&lab, None, None).files.is_empty());
    lab.write("notes.txt", "one\n2\nthree\n");
    lab.write("poster.psd", after);
    fs::create_dir(lab.at("final")).expect("a folder");
    fs::rename(lab.at("sketch.kra"), lab.at("final/sketch.kra")).expect("moved");
    fs::remove_file(lab.at("old.txt")).expect("removed");
    lab.write("new.txt", "here\n");
    let report = between(&lab, None, None);
    assert_eq!(
        story(&report),
        [
            "moved sketch.kra -> final/sketch.kra",
            "added new.txt",
            "content notes.txt",
            "removed old.txt",
            "content poster.psd"
        ]
    );
    assert_eq!(changed_lines(&report.files[1]), ["+here"]);
    assert_eq!(changed_lines(&report.files[2]), ["-two", "+2"]);
    assert_eq!(changed_lines(&report.files[3]), ["-gone"]);
    let (shared, new, changed, ranges) = bytes_of(&report.files[4]);
    assert_eq!((shared + new, changed, ranges), (1_000_100, 100, 1));
    assert!(new < 300_000, "{new} bytes are new");
    let totals = report.totals;
    assert_eq!((totals.added, totals.removed, totals.changed, totals.moved), (1, 1, 2, 1));
    assert_eq!((totals.lines_added, totals.lines_removed), (2, 2));
}

#[test]
fn disk_and_store_give_the_same_answer() {
    let lab = Lab::new();
    let before = noise(1, 12_000_000);
    let mut after = before.clone();
    after.splice(3_000_000..3_000_010, noise(2, 5000));
    after.truncate(11_500_000);
    lab.write("film.mov", before);
    lab.commit("First");
    lab.write("film.mov", &after);
    let on_disk = between(&lab, None, None);
    lab.commit("Second");
    let stored = between(&lab, revision("@~1"), revision("@"));
    assert_eq!(on_disk.files[0].content, stored.files[0].content);
    assert_eq!(on_disk.files[0].summary, stored.files[0].summary);
    assert_eq!(bytes_of(&stored.files[0]).3, 2, "a change in the middle and one at the end");
}

#[test]
fn the_worktree_is_compared_with_an_older_revision_through_what_lies_between() {
    let lab = Lab::new();
    lab.write("a.txt", "first\n");
    lab.write("b.txt", "b\n");
    lab.write("c.txt", "c c c\n");
    lab.commit("First");
    lab.write("a.txt", "second\n");
    fs::rename(lab.at("b.txt"), lab.at("moved.txt")).expect("moved");
    lab.commit("Second");
    lab.write("c.txt", "d d d\n");
    assert_eq!(
        story(&between(&lab, revision("@~1"), None)),
        ["content a.txt", "content c.txt", "moved b.txt -> moved.txt"]
    );
    // What was put back to how it was does not differ from then, though it differs from the newest.
    lab.write("a.txt", "first\n");
    fs::rename(lab.at("moved.txt"), lab.at("b.txt")).expect("moved back");
    assert_eq!(story(&between(&lab, revision("@~1"), None)), ["content c.txt"]);
    assert_eq!(
        story(&between(&lab, None, None)),
        ["content a.txt", "moved moved.txt -> b.txt", "content c.txt"]
    );
}

#[test]
fn paths_limit_what_is_compared_and_moves_across_the_border_stay_moves() {
    let lab = Lab::new();
    lab.write("in/a.txt", "a\n");
    lab.write("out/b.txt", "b\n");
    lab.commit("First");
    lab.write("in/a.txt", "A\n");
    lab.write("out/b.txt", "B\n");
    lab.commit("Second");
    fs::rename(lab.at("out/b.txt"), lab.at("in/b.txt")).expect("moved");
    lab.commit("Third");
    let options = diff::Options {
        before: revision("@~2"),
        after: revision("@"),
        paths: vec![path("in")],
        ..diff::Options::default()
    };
    assert_eq!(story(&diff(&lab, &options)), ["content in/a.txt", "moved+content out/b.txt -> in/b.txt"]);
}

#[test]
fn versions_of_an_asset_are_compared_by_their_numbers_through_its_moves() {
    let lab = Lab::new();
    lab.write("logo.svg", "<svg>\n1\n</svg>\n");
    lab.commit("One");
    lab.write("logo.svg", "<svg>\n2\n</svg>\n");
    lab.commit("Two");
    fs::rename(lab.at("logo.svg"), lab.at("mark.svg")).expect("moved");
    lab.commit("Moved");
    lab.write("mark.svg", "<svg>\n3\n</svg>\n");
    lab.commit("Three");
    let report = between(&lab, version("mark.svg", 1), version("mark.svg", 3));
    assert_eq!(story(&report), ["moved+content logo.svg -> mark.svg"]);
    assert_eq!((report.files[0].version_before, report.files[0].version_after), (Some(1), Some(3)));
    assert_eq!(changed_lines(&report.files[0]), ["-1", "+3"]);
    let report = between(&lab, version("mark.svg", 2), revision("@"));
    assert_eq!(changed_lines(&report.files[0]), ["-2", "+3"]);
    lab.write("mark.svg", "<svg>\n4\n</svg>\n");
    lab.write("other.txt", "not asked about\n");
    let report = between(&lab, version("mark.svg", 2), None);
    assert_eq!(story(&report), ["moved+content logo.svg -> mark.svg"]);
    assert_eq!(changed_lines(&report.files[0]), ["-2", "+4"]);
    let failed = diff::run(
        &lab.repository,
        &diff::Options { before: version("mark.svg", 9), ..diff::Options::default() },
        &lab.clock,
        &SilentMonitor,
    );
    assert!(matches!(failed, Err(AppError::Repo(_))));
}

#[test]
fn metadata_is_told_field_by_field_before_and_after_its_commit() {
    let lab = Lab::new();
    lab.write("poster.psd", noise(1, 50_000));
    lab.commit("First");
    let change = [
        meta::Change::Labels { add: vec!["approved".into()], remove: vec![] },
        meta::Change::Set { field: "title".into(), text: "Harbour".into(), kind: None },
    ];
    meta::change(&lab.repository, &[path("poster.psd")], &change, &|_| true, &lab.clock, &SilentMonitor)
        .expect("edited");
    let expected = json!([
        {"field": "labels", "change": "members", "added": ["approved"], "removed": []},
        {"field": "title", "change": "set", "after": {"type": "text", "value": "Harbour"}}
    ]);
    let pending = between(&lab, None, None);
    assert_eq!(story(&pending), ["metadata poster.psd"]);
    assert_eq!(serde_json::to_value(&pending.files[0].fields).expect("json"), expected);
    assert!(pending.files[0].summary.is_none() && pending.totals.described == 1);
    lab.commit("Labelled");
    let committed = between(&lab, revision("@~1"), revision("@"));
    assert_eq!(serde_json::to_value(&committed.files[0].fields).expect("json"), expected);
}

#[test]
fn names_and_summaries_say_less_and_the_same() {
    let lab = Lab::new();
    lab.write("notes.txt", "one\n");
    lab.write("poster.psd", noise(1, 300_000));
    lab.commit("First");
    lab.write("notes.txt", "two\n");
    lab.write("poster.psd", noise(2, 300_000));
    let with = |detail| diff(&lab, &diff::Options { detail, ..diff::Options::default() });
    let (names, summary, content) = (with(Detail::Names), with(Detail::Summary), with(Detail::Content));
    for other in [&names, &summary] {
        assert_eq!(story(other), story(&content));
        assert!(other.files.iter().all(|file| file.content.is_none() && file.limits.is_empty()));
    }
    assert!(names.files.iter().all(|file| file.summary.is_none()));
    let summaries = |report: &diff::Report| report.files.iter().map(|file| file.summary).collect::<Vec<_>>();
    assert_eq!(summaries(&summary), summaries(&content));
    assert_eq!(summary.totals, content.totals);
}

#[test]
fn limits_that_were_met_are_named() {
    let lab = Lab::new();
    let line = "all work and no play makes jack a dull boy\n";
    lab.write("large.txt", line.repeat(400_000));
    lab.write("long.txt", "");
    lab.commit("First");
    lab.write("large.txt", line.repeat(400_001));
    lab.write("long.txt", line.repeat(20_001));
    let report = between(&lab, None, None);
    assert_eq!(report.files[0].limits, [Limit::TooLargeForText]);
    assert!(matches!(report.files[0].summary, Some(Summary::Bytes { .. })));
    assert_eq!(report.files[1].limits, [Limit::LinesOmitted]);
    let text = Summary::Text { lines_added: 20_001, lines_removed: 0 };
    assert_eq!(report.files[1].summary, Some(text));
}

#[test]
fn text_of_all_files_together_is_limited() {
    let lab = Lab::new();
    for number in 0..4 {
        lab.write(&format!("{number}.txt"), "");
    }
    lab.commit("First");
    let line = format!("{}\n", "x".repeat(999));
    for number in 0..4 {
        lab.write(&format!("{number}.txt"), line.repeat(6_000));
    }
    let report = between(&lab, None, None);
    let shown = report.files.iter().filter(|file| file.limits.is_empty()).count();
    assert_eq!((report.files.len(), shown), (4, 2));
    assert_eq!(report.totals.lines_added, 24_000, "what is not shown is counted");
}

#[cfg(unix)]
#[test]
fn links_are_compared_by_where_they_lead() {
    let lab = Lab::new();
    std::os::unix::fs::symlink("one.psd", lab.at("latest")).expect("a link");
    lab.commit("First");
    fs::remove_file(lab.at("latest")).expect("removed");
    std::os::unix::fs::symlink("two.psd", lab.at("latest")).expect("a link");
    let report = between(&lab, None, None);
    assert_eq!(changed_lines(&report.files[0]), ["-one.psd", "+two.psd"]);
    lab.commit("Second");
    let stored = between(&lab, revision("@~1"), revision("@"));
    assert_eq!(report.files[0].content, stored.files[0].content);
    fs::remove_file(lab.at("latest")).expect("removed");
    lab.write("latest", "a file now\n");
    let report = between(&lab, None, None);
    assert_eq!(story(&report), ["content+kind latest"]);
    assert!(report.files[0].summary.is_none());
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_rest_is_compared() {
    let lab = Lab::new();
    lab.write("a.psd", noise(1, 400_000));
    lab.write("b.txt", "b\n");
    lab.commit("First");
    lab.write("a.psd", noise(2, 400_000));
    lab.write("b.txt", "B\n");
    lab.commit("Second");
    damage(&lab, &noise(1, 400_000)[..64]);
    let monitor = CollectingMonitor::default();
    let options = diff::Options { before: revision("@~1"), after: revision("@"), ..diff::Options::default() };
    let report = diff::run(&lab.repository, &options, &lab.clock, &monitor).expect("a comparison");
    assert_eq!(story(&report), ["content a.psd", "content b.txt"]);
    let problem = report.files[0].problem.as_ref().expect("a problem");
    assert!(report.files[0].summary.is_none() && problem.contains("cannot be read"), "{problem}");
    assert_eq!(changed_lines(&report.files[1]), ["-b", "+B"]);
    assert_eq!((report.problems.len(), monitor.problems().len()), (1, 1));
}

/// Overwrites bytes that are stored as they are.
fn damage(lab: &Lab, bytes: &[u8]) {
    let mut damaged = 0;
    for pack in fs::read_dir(lab.at(".pent/packs")).expect("packs") {
        let pack = pack.expect("a pack").path();
        let mut content = fs::read(&pack).expect("a pack");
        let found = content.windows(bytes.len()).position(|window| window == bytes);
        let Some(at) = found else { continue };
        content[at..at + bytes.len()].fill(0xa5);
        fs::write(&pack, content).expect("damaged");
        damaged += 1;
    }
    assert_eq!(damaged, 1);
}

#[test]
fn before_the_first_commit_everything_is_new() {
    let lab = Lab::new();
    lab.write("a.txt", "a\n");
    let report = between(&lab, None, None);
    assert_eq!(story(&report), ["added a.txt"]);
    assert_eq!(serde_json::to_value(&report.before).expect("json"), json!({"side": "nothing"}));
}

#[test]
fn the_report_has_its_documented_shape() {
    let lab = Lab::new();
    lab.write("a.txt", "a\n");
    lab.commit("First");
    lab.write("a.txt", "b\n");
    let report = serde_json::to_value(between(&lab, None, None)).expect("json");
    assert_eq!(report["before"]["side"], "commit");
    assert_eq!(report["before"]["commit"]["message"], "First");
    assert_eq!(report["after"], json!({"side": "worktree"}));
    let file = &report["files"][0];
    assert_eq!(file["kinds"], json!(["content"]));
    assert_eq!(file["summary"], json!({"medium": "text", "lines_added": 1, "lines_removed": 1}));
    assert_eq!(file["content"]["medium"], "text");
    assert_eq!(file["content"]["hunks"][0]["lines"][0]["kind"], "removed");
    assert_eq!(file["before"]["path"], "a.txt");
}

fn show(lab: &Lab, subject: Subject) -> show::Report {
    let options = show::Options {
        subject,
        detail: Detail::Summary,
        paths: Vec::new(),
        context_lines: 3,
        keyring: None,
    };
    show::run(&lab.repository, &options, &lab.clock, &SilentMonitor).expect("something to show")
}

fn shown_commit(lab: &Lab, text: Option<&str>) -> show::CommitReport {
    match show(lab, Subject::Commit(text.map(str::to_owned))) {
        show::Report::Commit(report) => *report,
        show::Report::Asset(report) => panic!("an asset: {report:?}"),
    }
}

fn shown_asset(lab: &Lab, subject: Subject) -> show::AssetReport {
    match show(lab, subject) {
        show::Report::Asset(report) => *report,
        show::Report::Commit(report) => panic!("a commit: {report:?}"),
    }
}

#[test]
fn a_commit_is_shown_with_what_it_changed_and_the_numbers_of_versions() {
    let lab = Lab::new();
    let (before, after) = poster();
    lab.write("poster.psd", before);
    lab.write("old.txt", "1\n");
    lab.commit("First");
    lab.write("poster.psd", after);
    lab.write("new.txt", "n\n");
    fs::remove_file(lab.at("old.txt")).expect("removed");
    lab.commit("Second");
    let report = shown_commit(&lab, None);
    assert_eq!(report.commit.message, "Second");
    assert_eq!(report.against, report.commit.parents.first().copied());
    let numbers: Vec<_> = report
        .changes
        .files
        .iter()
        .map(|file| (file.path.to_string(), file.version_before, file.version_after))
        .collect();
    assert_eq!(
        numbers,
        [
            ("new.txt".to_owned(), None, Some(1)),
            ("old.txt".to_owned(), Some(1), None),
            ("poster.psd".to_owned(), Some(1), Some(2))
        ]
    );
    assert!(bytes_of(&report.changes.files[2]).0 > 700_000);
    let first = shown_commit(&lab, Some("@~1"));
    assert_eq!((first.against, first.changes.totals.added), (None, 2));
}

#[test]
fn a_tag_is_shown_with_its_words_and_its_commit() {
    let lab = Lab::new();
    lab.write("a.txt", "a\n");
    lab.commit("First");
    let set = tag::Options::Set {
        name: "v1".into(),
        revision: None,
        message: Some("Sent to print".into()),
        identity: Some(anna()),
    };
    tag::run(&lab.repository, set, &lab.clock).expect("a tag");
    let report = shown_commit(&lab, Some("v1"));
    let tag = report.tag.expect("a tag");
    assert_eq!((tag.name.as_str(), tag.message.as_deref()), ("v1", Some("Sent to print")));
    assert!(shown_commit(&lab, Some("main")).tag.is_none());
}

#[test]
fn an_asset_is_shown_as_a_revision_has_it() {
    let lab = Lab::new();
    let (before, after) = poster();
    lab.write("art/poster.psd", &before);
    lab.commit("First");
    let change = [meta::Change::Labels { add: vec!["approved".into()], remove: vec![] }];
    meta::change(&lab.repository, &[path("art/poster.psd")], &change, &|_| true, &lab.clock, &SilentMonitor)
        .expect("edited");
    lab.write("art/poster.psd", &after);
    lab.commit("Second");
    let newest = shown_asset(&lab, Subject::Asset { path: path("art/poster.psd"), revision: None });
    assert_eq!((newest.version, newest.versions), (Some(2), 2));
    assert_eq!(newest.entry.file.map(|id| id.to_string()), Some(blake3::hash(&after).to_hex().to_string()));
    assert!(newest.chunks.is_some_and(|chunks| chunks > 5));
    let shared = newest.shared.expect("a version before");
    assert_eq!((shared.version, shared.bytes_shared + shared.bytes_new), (1, 1_000_100));
    assert_eq!(newest.fields.values().next().map(|field| field.text.as_str()), Some("approved"));
    let first = shown_asset(&lab, Subject::Version { path: path("art/poster.psd"), version: 1 });
    assert_eq!((first.version, first.versions, first.shared.is_none()), (Some(1), 1, true));
    assert_eq!(first.commit.map(|commit| commit.message).as_deref(), Some("First"));
    let revision = Some("@~1".to_owned());
    let earlier = shown_asset(&lab, Subject::Asset { path: path("art/poster.psd"), revision });
    assert_eq!(earlier.entry.file, first.entry.file);
    let folder = shown_asset(&lab, Subject::Asset { path: path("art"), revision: None });
    let held = folder.folder.expect("a folder");
    assert_eq!((held.files, held.bytes), (1, 1_000_100));
}
