//! A repository end to end at the level of objects, names and records.

use pentimento::base::id::{PersonId, RepositoryId};
use pentimento::base::path::AssetPath;
use pentimento::base::time::Timestamp;
use pentimento::object::commit::{Commit, Signature};
use pentimento::object::tree::{Content, TreeNode};
use pentimento::object::tree_edit::{EntryValue, TreeEdit, edit_tree};
use pentimento::repo::edit::JournalNote;
use pentimento::repo::history::{common_ancestors, is_ancestor};
use pentimento::repo::refs::{RefName, RefTarget};
use pentimento::repo::versions::asset_line;
use pentimento::repo::{RepoError, Repository};
use pentimento::store::{Access, StoreSettings};

const NOW: Timestamp = Timestamp { unix_ms: 1_772_381_999_000, offset_minutes: 60 };

struct World {
    _folder: tempfile::TempDir,
    repository: Repository,
    minute: i64,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = StoreSettings::new(RepositoryId::from_bytes([1; 16]));
        let repository = Repository::create(folder.path(), &settings).expect("a new repository");
        Self { _folder: folder, repository, minute: 0 }
    }

    /// Commits files given as (path, content byte, asset byte) on top of `parents`, moving `branch`.
    fn commit(&mut self, branch: &str, parents: &[&str], edits: &[(&str, Option<(u8, u8)>)]) -> String {
        let view = self.repository.view().expect("a view");
        let name = RefName::branch(branch).expect("a branch name");
        let parents: Vec<_> =
            parents.iter().map(|text| view.resolve(text, NOW).expect("a parent").commit).collect();
        let base = match parents.first() {
            Some(parent) => {
                pentimento::object::source::ObjectSource::commit(&view, *parent).expect("a commit").tree
            }
            None => TreeNode::empty_id(),
        };
        let mut edits: Vec<TreeEdit> = edits
            .iter()
            .map(|(path, value)| TreeEdit {
                path: AssetPath::from_bytes(*path).expect("a path"),
                value: value.map(|(content, asset)| EntryValue {
                    asset: Some(pentimento::base::id::AssetId::from_bytes([asset; 16])),
                    metadata: None,
                    content: Content::File {
                        id: pentimento::base::id::FileId::from_bytes([content; 32]),
                        size: 1,
                        executable: false,
                    },
                }),
            })
            .collect();
        edits.sort_by(|a, b| pentimento::object::tree_walk::tree_order(&a.path, &b.path));
        let mut edit = self.repository.edit().expect("an edit");
        let tree =
            edit_tree(&view, base, edits, &mut |id, bytes| edit.put_tree_node(id, &bytes)).expect("a tree");
        self.minute += 1;
        let time = Timestamp { unix_ms: NOW.unix_ms + self.minute * 60_000, offset_minutes: 0 };
        let signature = Signature { person: PersonId::from_bytes([3; 16]), time };
        let commit = Commit {
            tree,
            parents,
            author: signature,
            committer: signature,
            message: format!("minute {}", self.minute),
            notes: vec![],
            extensions: vec![],
        };
        let id = edit.put_commit(&commit).expect("a stored commit");
        let before = edit.reference(&name).expect("a ref").map(|target| target.commit);
        edit.set_reference(&name, before, Some(RefTarget::plain(id))).expect("a moved branch");
        edit.record(JournalNote { verb: "commit", summary: "test".into(), ..JournalNote::default() }, time)
            .expect("a journal entry");
        edit.commit().expect("a durable commit");
        id.to_string()
    }

    fn versions(&self, tip: &str, path: &str) -> Vec<(u64, String)> {
        let view = self.repository.view().expect("a view");
        let tip = view.resolve(tip, NOW).expect("a revision").commit;
        let path = AssetPath::from_bytes(path).expect("a path");
        let line = asset_line(&view, tip, &path).expect("a line");
        line.into_iter()
            .map(|change| {
                (change.version, change.after.map(|placed| placed.path.to_string()).unwrap_or_default())
            })
            .collect()
    }
}

#[test]
fn a_branch_moves_only_from_where_the_caller_saw_it() {
    let mut world = World::new();
    world.commit("main", &[], &[("a", Some((1, 1)))]);
    let name = RefName::branch("main").expect("a name");
    let mut edit = world.repository.edit().expect("an edit");
    let refused = edit.set_reference(&name, None, None);
    assert!(matches!(refused, Err(RepoError::RefMoved { .. })));
}

#[test]
fn an_edit_that_is_dropped_never_happened() {
    let mut world = World::new();
    let first = world.commit("main", &[], &[("a", Some((1, 1)))]);
    let name = RefName::branch("main").expect("a name");
    let mut edit = world.repository.edit().expect("an edit");
    edit.set_reference(&name, first.parse().ok(), None).expect("a removed branch");
    drop(edit);
    let view = world.repository.view().expect("a view");
    assert_eq!(view.resolve("main", NOW).map(|found| found.commit.to_string()).ok(), Some(first));
}

#[test]
fn revisions_are_found_by_name_prefix_steps_dates_and_version() {
    let mut world = World::new();
    let first = world.commit("main", &[], &[("logo.psd", Some((1, 1)))]);
    let second = world.commit("main", &["main"], &[("logo.psd", Some((2, 1)))]);
    let view = world.repository.view().expect("a view");
    let find = |text: &str| view.resolve(text, NOW).map(|found| found.commit.to_string());
    assert_eq!(find("@").ok(), Some(second.clone()));
    assert_eq!(find("main~1").ok(), Some(first.clone()));
    assert_eq!(find(&first[..7]).ok(), Some(first.clone()));
    assert_eq!(find("logo.psd@1").ok(), Some(first.clone()));
    assert_eq!(find("logo.psd@2").ok(), Some(second));
    assert!(matches!(find("logo.psd@3"), Err(RepoError::UnknownVersion { versions: 2, .. })));
    assert!(matches!(find("main~2"), Err(RepoError::BeyondHistory { .. })));
    assert!(matches!(find("nothing"), Err(RepoError::UnknownRevision { .. })));
    assert!(matches!(find("main@{1999-01-01}"), Err(RepoError::BeyondHistory { .. })));
}

#[test]
fn an_asset_keeps_its_numbers_through_moves_drafts_and_landing() {
    let mut world = World::new();
    world.commit("main", &[], &[("logo.psd", Some((1, 1))), ("other.png", Some((50, 2)))]);
    world.commit("main", &["main"], &[("logo.psd", Some((2, 1)))]);
    world.commit("draft/x", &["main"], &[("logo.psd", Some((3, 1)))]);
    world.commit("draft/x", &["draft/x"], &[("logo.psd", None), ("brand/logo.psd", Some((4, 1)))]);
    world.commit("main", &["main"], &[("other.png", Some((51, 2)))]);
    // The merge takes the logo from the draft and keeps what main did meanwhile.
    world.commit("main", &["main", "draft/x"], &[("logo.psd", None), ("brand/logo.psd", Some((4, 1)))]);
    assert_eq!(
        world.versions("main", "brand/logo.psd"),
        [
            (4, "brand/logo.psd".into()),
            (3, "logo.psd".into()),
            (2, "logo.psd".into()),
            (1, "logo.psd".into())
        ]
    );
    assert_eq!(world.versions("main", "other.png").len(), 2);
}

#[test]
fn going_back_to_old_content_is_the_old_version_again() {
    let mut world = World::new();
    for content in [1, 2, 1, 3] {
        let parents: &[&str] = if content == 1 && world.minute == 0 { &[] } else { &["main"] };
        world.commit("main", parents, &[("a", Some((content, 1)))]);
    }
    let numbers: Vec<u64> = world.versions("main", "a").into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [3, 1, 2, 1]);
}

#[test]
fn the_best_common_ancestor_is_found_across_merges() {
    let mut world = World::new();
    world.commit("main", &[], &[("a", Some((1, 1)))]);
    let base = world.commit("main", &["main"], &[("a", Some((2, 1)))]);
    world.commit("draft/x", &["main"], &[("b", Some((3, 2)))]);
    world.commit("main", &["main"], &[("a", Some((4, 1)))]);
    let view = world.repository.view().expect("a view");
    let id = |text: &str| view.resolve(text, NOW).expect("a revision").commit;
    let found = common_ancestors(&view, id("main"), id("draft/x")).expect("ancestors");
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [base]);
    assert!(is_ancestor(&view, found[0], id("main")).expect("an answer"));
    drop(view);
    world.commit("draft/x", &["draft/x", "main"], &[]);
    let view = world.repository.view().expect("a view");
    let id = |text: &str| view.resolve(text, NOW).expect("a revision").commit;
    assert_eq!(common_ancestors(&view, id("main"), id("draft/x")).expect("ancestors"), [id("main")]);
}

#[test]
fn a_repository_opened_again_is_as_it_was_left() {
    let mut world = World::new();
    let id = world.commit("main", &[], &[("a", Some((1, 1)))]);
    let root = world.repository.root().to_owned();
    let World { _folder, repository, .. } = world;
    drop(repository);
    let again = Repository::open(&root, Access::ReadWrite).expect("an opened repository");
    let view = again.view().expect("a view");
    assert_eq!(view.head().expect("a head").map(|id| id.to_string()), Some(id));
    assert_eq!(view.journal().expect("a journal").len(), 1);
}
