use super::*;
use crate::base::monitor::SilentMonitor;
use crate::base::time::Timestamp;
use crate::worktree::displaced::Displaced;
use crate::worktree::root::Worktree;
use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// Content in memory.
struct Memory(HashMap<FileId, Vec<u8>>);

#[derive(Debug, thiserror::Error)]
#[error("no such content")]
struct NoContent;

impl ContentSource for Memory {
    type Error = NoContent;

    fn write_to(&self, id: FileId, _: u64, out: &mut File) -> Result<(), NoContent> {
        out.write_all(self.0.get(&id).ok_or(NoContent)?).map_err(|_| NoContent)
    }

    fn read_small(&self, id: FileId, _: u64) -> Result<Vec<u8>, NoContent> {
        self.0.get(&id).cloned().ok_or(NoContent)
    }
}

fn path(text: &str) -> AssetPath {
    AssetPath::from_bytes(text).expect("a path")
}

fn id(text: &str) -> FileId {
    crate::base::id::ChunkId::of(text.as_bytes()).into()
}

fn file(text: &str) -> Option<Content> {
    Some(Content::File { id: id(text), size: text.len() as u64, executable: false })
}

fn link(text: &str) -> Option<Content> {
    Some(Content::Symlink { id: id(text), size: text.len() as u64 })
}

/// Makes targets true in `root`, with no content of the worktree known to be stored.
fn check_out(
    root: &Path,
    targets: &[(&str, Option<Content>)],
    texts: &[&str],
) -> (CheckoutReport, Displaced) {
    let source = Memory(texts.iter().map(|text| (id(text), text.as_bytes().to_vec())).collect());
    let folder = Worktree::open(root).expect("the root");
    let targets = targets.iter().map(|(at, content)| Target { path: path(at), content: content.clone() });
    let plan = plan(&folder, targets.collect(), &|_, _| false, &SilentMonitor).expect("a plan");
    let displaced = Displaced::of(&root.join(".pent"));
    let set = displaced.begin("restore", Timestamp::utc(0));
    let report = execute(&folder, plan, &source, &set, &SilentMonitor).expect("a report");
    (report, displaced)
}

#[test]
fn what_is_replaced_or_removed_is_set_aside_and_can_be_found() {
    let root = tempfile::tempdir().expect("a folder");
    fs::write(root.path().join("a.txt"), "mine").expect("a file");
    fs::write(root.path().join("b.txt"), "also mine").expect("a file");
    let (report, displaced) = check_out(
        root.path(),
        &[("a.txt", file("new")), ("b.txt", None), ("c/d.txt", file("new"))],
        &["new"],
    );
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert_eq!(fs::read_to_string(root.path().join("a.txt")).ok().as_deref(), Some("new"));
    assert_eq!(fs::read_to_string(root.path().join("c/d.txt")).ok().as_deref(), Some("new"));
    assert!(!root.path().join("b.txt").exists());
    let sets = displaced.list().expect("sets");
    let mut kept: Vec<(String, String)> = sets[0]
        .items
        .iter()
        .map(|item| {
            let text = fs::read_to_string(displaced.path_of(&sets[0].id, item.item)).expect("a kept file");
            (item.path.to_string(), text)
        })
        .collect();
    kept.sort();
    assert_eq!(kept, [("a.txt".into(), "mine".into()), ("b.txt".into(), "also mine".into())]);
}

#[test]
fn a_link_in_the_way_is_replaced_and_never_followed() {
    let root = tempfile::tempdir().expect("a folder");
    let outside = tempfile::tempdir().expect("another folder");
    std::os::unix::fs::symlink(outside.path(), root.path().join("folder")).expect("a link");
    let (report, _) = check_out(root.path(), &[("folder/evil.txt", file("new"))], &["new"]);
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert!(fs::read_dir(outside.path()).expect("a folder").next().is_none(), "nothing was written outside");
    assert_eq!(fs::read_to_string(root.path().join("folder/evil.txt")).ok().as_deref(), Some("new"));
}

#[test]
fn a_tree_that_brings_a_link_and_a_file_below_it_writes_nothing_outside() {
    let root = tempfile::tempdir().expect("a folder");
    let outside = tempfile::tempdir().expect("another folder");
    let target = outside.path().to_str().expect("a path in text").to_owned();
    let (report, _) =
        check_out(root.path(), &[("x", link(&target)), ("x/evil.txt", file("new"))], &["new", &target]);
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert!(fs::read_dir(outside.path()).expect("a folder").next().is_none());
}

#[test]
fn names_that_reach_the_repository_itself_are_never_written() {
    let root = tempfile::tempdir().expect("a folder");
    let targets = [(".PENT/db.redb", file("new")), ("a/.pent", file("new")), ("ok.txt", file("new"))];
    let (report, _) = check_out(root.path(), &targets, &["new"]);
    assert_eq!(report.problems.len(), 2);
    assert_eq!(report.written.len(), 1);
    assert!(!root.path().join("a").exists() && !root.path().join(".PENT").exists());
}

#[test]
fn a_folder_with_unknown_files_is_set_aside_whole_when_a_file_takes_its_place() {
    let root = tempfile::tempdir().expect("a folder");
    fs::create_dir(root.path().join("x")).expect("a folder");
    fs::write(root.path().join("x/untracked.txt"), "mine").expect("a file");
    let (report, displaced) = check_out(root.path(), &[("x", file("new"))], &["new"]);
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let sets = displaced.list().expect("sets");
    let kept = displaced.path_of(&sets[0].id, 0).join("untracked.txt");
    assert_eq!(fs::read_to_string(kept).ok().as_deref(), Some("mine"));
}

#[test]
fn content_that_cannot_be_had_leaves_the_file_as_it_was() {
    let root = tempfile::tempdir().expect("a folder");
    fs::write(root.path().join("a.txt"), "mine").expect("a file");
    let (report, _) = check_out(root.path(), &[("a.txt", file("lost")), ("b.txt", file("new"))], &["new"]);
    assert_eq!(report.problems.len(), 1);
    assert_eq!(fs::read_to_string(root.path().join("a.txt")).ok().as_deref(), Some("mine"));
    let names =
        fs::read_dir(root.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let temporary = names.filter(|name| name.to_string_lossy().starts_with(".pent-tmp-")).count();
    assert_eq!(temporary, 0, "no temporary file stays behind");
}

#[test]
fn folders_that_become_empty_go_and_others_stay() {
    let root = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(root.path().join("a/b")).expect("folders");
    fs::write(root.path().join("a/b/x"), "1").expect("a file");
    fs::write(root.path().join("a/keep"), "2").expect("a file");
    check_out(root.path(), &[("a/b/x", None)], &[]);
    assert!(!root.path().join("a/b").exists() && root.path().join("a/keep").exists());
}

#[test]
fn sets_are_old_after_their_time_and_then_removed() {
    let root = tempfile::tempdir().expect("a folder");
    fs::write(root.path().join("a.txt"), "mine").expect("a file");
    let (_, displaced) = check_out(root.path(), &[("a.txt", None)], &[]);
    let day_ms = 86_400_000;
    assert_eq!(displaced.old(Timestamp::utc(30 * day_ms)).expect("a list").len(), 0);
    let old = displaced.old(Timestamp::utc(30 * day_ms + 1)).expect("a list");
    assert_eq!(old.len(), 1);
    displaced.remove(&old[0].id).expect("a removal");
    assert!(displaced.list().expect("sets").is_empty());
}
