//! Content that is withheld by path: what is handed out, what `have` owns up to, what a commit can claim.

use super::kit::{PLACE, clone_to_be, move_in, signs};
use crate::app_flow::{Lab, noise, path};
use crate::remote_contract::http::TestServer;
use crate::remote_contract::{fetch_from, head, push_from};
use crate::review_kit::House;
use crate::trust_kit::{ANNA, CLEO, DORA, somebody};
use pentimento::base::id::{ChunkId, CommitId, FileId};
use pentimento::object::commit::{Commit, Signature};
use pentimento::object::source::ObjectSource as _;
use pentimento::object::tree::{Content, TreeEntry, TreeNode};
use pentimento::object::tree_edit::{EntryValue, TreeEdit, edit_tree};
use pentimento::object::tree_walk::entry_at;
use pentimento::repo::refs::{RefName, RefTarget};
use pentimento::rules::access::Permission;
use pentimento::sync::SyncError;
use pentimento::sync::remote::{Kind, ObjectKey, Remote};
use std::sync::Mutex;

/// Contracts are for the legal department, which is Cleo.
const RULES: &str = "[[protect]]\nbranch = \"main\"\napprovals = [\"1 editor\"]\n\n[access]\n[[access.paths]]\npaths = \"contracts/**\"\nread = [\"legal\"]\n";
const DEAL: &str = "contracts/deal.txt";
const SCAN: &str = "contracts/scan.bin";

fn house() -> House {
    let house = House::new();
    house.write(DEAL, "twelve thousand, and not a cent more");
    house.write(SCAN, noise(21, 1_500_000));
    house.write("brand/film.bin", noise(22, 1_500_000));
    house.commit(ANNA, "Contracts");
    house.set_policy(RULES, 1);
    house
}

struct Stage {
    server: TestServer,
}

impl Stage {
    fn new() -> Self {
        let server = TestServer::start();
        move_in(&server, house());
        Self { server }
    }

    fn as_person(&self, number: u8) -> impl Remote + use<> {
        self.server.as_person(PLACE, signs(&self.server, number))
    }
}

fn seen_main(lab: &Lab) -> CommitId {
    crate::remote_contract::seen(lab, "main").expect("the branch")
}

fn file_at(lab: &Lab, at: &str) -> (FileId, u64) {
    let view = lab.repository.view().expect("a view");
    let tree = view.commit(seen_main(lab)).expect("a commit").tree;
    let entry = entry_at(&view, tree, &path(at)).expect("a tree").expect("an entry");
    match entry.content {
        Content::File { id, size, .. } => (id, size),
        other => panic!("{other:?}"),
    }
}

/// Chunks of a file by its manifest, which is no secret.
fn chunks_of(lab: &Lab, file: FileId) -> Vec<ChunkId> {
    let view = lab.repository.view().expect("a view");
    let manifests =
        view.claims(file).expect("claims").into_iter().chain(view.manifest(file).expect("a manifest"));
    let mut found: Vec<ChunkId> = manifests
        .flat_map(|manifest| {
            pentimento::object::manifest_read::ChunkCursor::new(&manifest, &view)
                .map(|span| span.expect("a span").id)
                .collect::<Vec<_>>()
        })
        .collect();
    found.push(file.into());
    found
}

/// The blocks that a remote hands out.
fn handed_out(remote: &dyn Remote, files: &[FileId], chunks: &[ChunkId]) -> usize {
    let blocks = Mutex::new(0);
    let fetched = remote.fetch_chunks_of(files, chunks, &|_| {
        *blocks.lock().expect("a lock") += 1;
        Ok(())
    });
    fetched.expect("an answer");
    blocks.into_inner().expect("a lock")
}

#[test]
fn names_and_ids_are_told_and_content_is_not() {
    let stage = Stage::new();
    let (dora, cleo) = (clone_to_be(), clone_to_be());
    let fetched = fetch_from(&dora, &stage.as_person(DORA)).expect("a fetch");
    assert_eq!(fetched.withheld, 2, "{fetched:?}");
    let whole = fetch_from(&cleo, &stage.as_person(CLEO)).expect("a fetch");
    assert_eq!(whole.withheld, 0, "{whole:?}");
    crate::remote_contract::assert_sound(&cleo);
    let has = |lab: &Lab, file: FileId| {
        let view = lab.repository.view().expect("a view");
        view.snapshot().has_chunk(file.into()).expect("an answer")
            || view.manifest(file).expect("one").is_some()
    };
    for (at, hers) in [(DEAL, false), (SCAN, false), ("brand/film.bin", true), ("poster.txt", true)] {
        let (file, _) = file_at(&dora, at);
        assert_eq!((has(&dora, file), has(&cleo, file)), (hers, true), "{at}");
    }
}

#[test]
fn asking_for_withheld_content_by_its_ids_gives_nothing() {
    let stage = Stage::new();
    let (dora, cleo) = (clone_to_be(), clone_to_be());
    fetch_from(&cleo, &stage.as_person(CLEO)).expect("a fetch");
    fetch_from(&dora, &stage.as_person(DORA)).expect("a fetch");
    let remote = stage.as_person(DORA);
    let (film, _) = file_at(&dora, "brand/film.bin");
    for at in [DEAL, SCAN] {
        let (file, _) = file_at(&cleo, at);
        let chunks = chunks_of(&cleo, file);
        // Named rightly, not named at all, and named as something that she may read.
        for named in [vec![file], vec![], vec![film], vec![film, file]] {
            assert_eq!(handed_out(&remote, &named, &chunks), 0, "{at}");
        }
        assert!(handed_out(&stage.as_person(CLEO), &[file], &chunks) > 0, "Cleo may read it");
        let mut keys: Vec<ObjectKey> = chunks.iter().map(|id| ObjectKey::chunk(*id)).collect();
        keys.push(ObjectKey::new(Kind::Manifest, *file.as_bytes()));
        assert!(remote.have(&keys).expect("answers").iter().all(|had| !had), "{at} is owned up to");
    }
    let film_keys: Vec<ObjectKey> = [ObjectKey::new(Kind::Manifest, *film.as_bytes())]
        .into_iter()
        .chain(chunks_of(&dora, film).iter().map(|id| ObjectKey::chunk(*id)))
        .collect();
    let had = remote.have(&film_keys).expect("answers");
    assert!(
        had.iter().filter(|had| **had).count() + 1 >= film_keys.len(),
        "what she may read is shared: {had:?}"
    );
    assert!(handed_out(&remote, &[film], &chunks_of(&dora, film)) > 0);
    // A machine that works for nobody reads what everybody may.
    let token = stage.server.token(PLACE, &[Permission::Read, Permission::Push], None);
    let machine = stage.server.with_token(PLACE, &token);
    let (scan, _) = file_at(&cleo, SCAN);
    assert_eq!(handed_out(&machine, &[scan], &chunks_of(&cleo, scan)), 0);
}

/// Commits entries by their ids alone, on top of what was fetched.
fn commit_by_id(lab: &Lab, entries: &[(&str, FileId, u64)]) -> CommitId {
    let mut edit = lab.repository.edit().expect("an edit");
    let view = lab.repository.view().expect("a view");
    let parent = seen_main(lab);
    let base = view.commit(parent).expect("a commit").tree;
    let edits = entries.iter().map(|(at, id, size)| TreeEdit {
        path: path(at),
        value: Some(EntryValue {
            asset: Some(pentimento::base::id::AssetId::from_bytes([9; 16])),
            metadata: None,
            content: Content::File { id: *id, size: *size, executable: false },
        }),
    });
    let tree =
        edit_tree(&view, base, edits, &mut |id, bytes| edit.put_tree_node(id, &bytes)).expect("a tree");
    let time = pentimento::base::time::Timestamp::utc(1_772_400_000_000);
    let by = Signature { person: somebody(DORA).id, time };
    let commit = Commit {
        tree,
        parents: vec![parent],
        author: by,
        committer: by,
        message: "Mine now".into(),
        notes: vec![],
        extensions: vec![],
    };
    let id = edit.put_commit(&commit).expect("a commit");
    edit.set_reference(&RefName::branch("main").expect("a name"), None, Some(RefTarget::plain(id)))
        .expect("set");
    edit.commit().expect("kept");
    id
}

#[test]
fn content_is_not_had_by_committing_its_id() {
    let stage = Stage::new();
    for at in [DEAL, SCAN] {
        let dora = clone_to_be();
        fetch_from(&dora, &stage.as_person(DORA)).expect("a fetch");
        let (file, size) = file_at(&dora, at);
        commit_by_id(&dora, &[("mine.bin", file, size)]);
        let outcome = push_from(&dora, &stage.as_person(DORA), "draft/mine", None);
        assert!(matches!(outcome, Err(SyncError::NotAllowed { .. })), "{at}: {outcome:?}");
        let refs = stage.as_person(DORA).describe().expect("a description").refs;
        assert!(!refs.contains_key(&RefName::draft("mine").expect("a name")));
        // Under withheld paths neither: others may read there.
        let other = clone_to_be();
        fetch_from(&other, &stage.as_person(DORA)).expect("a fetch");
        commit_by_id(&other, &[("contracts/copy.bin", file, size)]);
        let outcome = push_from(&other, &stage.as_person(DORA), "draft/mine", None);
        assert!(matches!(outcome, Err(SyncError::NotAllowed { .. })), "{at}: {outcome:?}");
    }
}

#[test]
fn whoever_has_content_may_commit_it_and_work_goes_on() {
    let stage = Stage::new();
    let dora = clone_to_be();
    fetch_from(&dora, &stage.as_person(DORA)).expect("a fetch");
    // The same film at another place: it is not sent again.
    let (film, size) = file_at(&dora, "brand/film.bin");
    commit_by_id(&dora, &[("spring/film.bin", film, size)]);
    let moved = push_from(&dora, &stage.as_person(DORA), "draft/copy", None).expect("a push");
    assert!(moved.bytes_sent < 10_000, "{moved:?}");
    // The contract's words, which she happens to know: sent, and so hers.
    let other = clone_to_be();
    other.write("heard.txt", "twelve thousand, and not a cent more");
    other.write("own.bin", noise(30, 600_000));
    other.commit("Heard somewhere");
    push_from(&other, &stage.as_person(DORA), "draft/heard", None).expect("a push");
    let cleo = clone_to_be();
    fetch_from(&cleo, &stage.as_person(CLEO)).expect("a fetch");
    crate::remote_contract::assert_sound(&cleo);
    assert_eq!(crate::remote_contract::seen(&cleo, "draft/heard"), Some(head(&other)));
}

#[test]
fn a_clone_has_the_files_that_one_may_read() {
    let stage = Stage::new();
    let target = tempfile::tempdir().expect("a temporary folder");
    let address = format!("http://{}/{PLACE}", stage.server.address);
    let options = pentimento::app::clone::Options {
        address: address.parse().expect("an address"),
        folder: target.path().join("copy"),
        branch: None,
        expected: None,
        lazy: false,
        sparse: Vec::new(),
    };
    let network = pentimento::app::common::remotes::Network {
        sign_in: Some(signs(&stage.server, DORA)),
        ..Default::default()
    };
    let reach = pentimento::app::common::remotes::Reach { network, ..Default::default() };
    let clock = &*stage.server.clock;
    let report =
        pentimento::app::clone::run(&options, &reach, clock, &pentimento::base::monitor::SilentMonitor);
    let report = report.expect("a clone");
    assert_eq!(report.fetched.withheld, 2);
    let at = |name: &str| options.folder.join(name);
    assert!(at("poster.txt").exists() && at("brand/film.bin").exists());
    assert!(!at(DEAL).exists() && !at(SCAN).exists());
    // A file that is withheld does not look like one that was removed.
    let access = pentimento::store::Access::ReadWrite;
    let copy = pentimento::repo::Repository::open(&options.folder, access).expect("the clone");
    let monitor = &pentimento::base::monitor::SilentMonitor;
    let status = pentimento::app::status::run(&copy, &pentimento::app::status::Options::default(), monitor)
        .expect("a status");
    assert!(status.changes.is_empty(), "{:?}", status.changes);
}

/// Writes folders that stand at more places than there are grains of sand, each of which has a file, and gives the
/// commit.
fn commit_bomb(lab: &Lab) -> CommitId {
    let mut edit = lab.repository.edit().expect("an edit");
    let asset = Some(pentimento::base::id::AssetId::from_bytes([9; 16]));
    let entry =
        |name: String, content| TreeEntry { name: name.into_bytes(), asset: None, metadata: None, content };
    let id = FileId::of(b"hers");
    let content = Content::File { id, size: 4, executable: false };
    let mut entries = vec![TreeEntry { asset, ..entry("hers.txt".to_owned(), content) }];
    for _ in 0..12 {
        let bytes = TreeNode::Leaf(entries).encode();
        let id = TreeNode::id_of(&bytes);
        edit.put_tree_node(id, &bytes).expect("a folder");
        entries = (0..40).map(|number| entry(format!("{number:02}"), Content::Directory { id })).collect();
    }
    let bytes = TreeNode::Leaf(entries).encode();
    let tree = TreeNode::id_of(&bytes);
    edit.put_tree_node(tree, &bytes).expect("a folder");
    let by = Signature {
        person: somebody(DORA).id,
        time: pentimento::base::time::Timestamp::utc(1_772_400_000_000),
    };
    let commit = Commit {
        tree,
        parents: vec![seen_main(lab)],
        author: by,
        committer: by,
        message: "Everywhere".into(),
        notes: vec![],
        extensions: vec![],
    };
    let id = edit.put_commit(&commit).expect("a commit");
    edit.set_reference(&RefName::branch("main").expect("a name"), None, Some(RefTarget::plain(id)))
        .expect("set");
    edit.commit().expect("kept");
    id
}

#[test]
fn folders_that_stand_everywhere_cost_the_server_a_moment_and_no_more() {
    let stage = Stage::new();
    let dora = clone_to_be();
    fetch_from(&dora, &stage.as_person(DORA)).expect("a fetch");
    dora.write("hers.txt", "hers");
    dora.commit("Hers");
    push_from(&dora, &stage.as_person(DORA), "draft/hers", None).expect("a push");
    let dora = clone_to_be();
    fetch_from(&dora, &stage.as_person(DORA)).expect("a fetch");
    commit_bomb(&dora);
    let outcome = push_from(&dora, &stage.as_person(DORA), "draft/everywhere", None);
    let Err(SyncError::TurnedDown { detail, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(detail.contains("fewer commits"), "{detail}");
    let refs = stage.as_person(DORA).describe().expect("a description").refs;
    assert!(!refs.contains_key(&RefName::draft("everywhere").expect("a name")));
}
