//! Remotes that have less than they had, or other than they say: names, lengths, limits.

use super::{BucketPlace, Place, branch, clone_of, fetch_from, head, push_to, seen, token};
use crate::app_flow::{Lab, noise};
use pentimento::base::monitor::SilentMonitor;
use pentimento::object::commit::Commit;
use pentimento::object::source::ObjectSource as _;
use pentimento::object::tree::{Content, TreeNode};
use pentimento::object::{ObjectKind, hash_object};
use pentimento::repo::journal::FETCH_VERB;
use pentimento::repo::refs::RefTarget;
use pentimento::store::Space;
use pentimento::store::bucket::{Bucket, MemoryBucket};
use pentimento::sync::SyncError;
use pentimento::sync::address::Address;
use pentimento::sync::bucket::BucketRemote;
use pentimento::sync::remote::{Proposal, RefChange, Remote};
use pentimento::sync::tracking::{RemoteRecord, put_remote_record};
use std::sync::Arc;

fn write_head(bucket: &MemoryBucket, bytes: &[u8]) {
    bucket.tamper("head", |head| *head = bytes.to_vec());
}

#[test]
fn names_that_a_remote_lost_when_it_was_put_back_stay_here() {
    let bucket = Arc::new(MemoryBucket::new());
    let place = BucketPlace::begin(bucket.clone());
    let lab = Lab::new();
    lab.write("a.txt", "one");
    lab.commit("begin");
    push_to(&lab, &*place.open(), "main").expect("a push");
    let (backup, _) = bucket.read_cell("head", 1 << 20).expect("a read").expect("a head");
    let old = head(&lab);
    lab.write("a.txt", "two");
    lab.commit("on");
    push_to(&lab, &*place.open(), "main").expect("a push");
    let draft = Lab::new();
    draft.write("b.txt", "draft");
    draft.commit("a draft");
    push_to(&draft, &*place.open(), "draft/x").expect("a push");
    let clone = clone_of(&place);
    let address = Address::Folder { path: "/nas".into() };
    let mut edit = clone.repository.edit().expect("an edit");
    let record = RemoteRecord { address, mark: None, epoch: 0 };
    put_remote_record(&mut edit, "origin", Some(&record)).expect("a record");
    edit.commit().expect("a change");
    fetch_from(&clone, &*place.open()).expect("a fetch");
    write_head(&bucket, &backup);
    for _ in 0..2 {
        let fetched = fetch_from(&clone, &*place.open()).expect("a fetch");
        assert_eq!(fetched.refused.len(), 2, "{fetched:?}");
        assert!(fetched.refused.iter().all(|refused| refused.reasons[0].contains("put back")), "{fetched:?}");
        assert_eq!(seen(&clone, "main"), Some(head(&lab)));
        assert_eq!(seen(&clone, "draft/x"), Some(head(&draft)));
    }
    // Whoever comes anew sees what is there.
    assert_eq!(seen(&clone_of(&place), "main"), Some(old));
    // Given back, all is well again.
    push_to(&lab, &*place.open(), "main").expect("a push");
    push_to(&draft, &*place.open(), "draft/x").expect("a push");
    push_to(&draft, &*place.open(), "other").expect("a push");
    let fetched = fetch_from(&clone, &*place.open()).expect("a fetch");
    assert_eq!(fetched.refused, []);
    assert_eq!(seen(&clone, "other"), Some(head(&draft)));
}

#[test]
fn what_a_name_led_to_that_went_away_stays_in_the_journal() {
    let place = BucketPlace::memory();
    let lab = Lab::new();
    lab.write("a.txt", "one");
    lab.commit("begin");
    push_to(&lab, &*place.open(), "main").expect("a push");
    push_to(&lab, &*place.open(), "draft/x").expect("a push");
    let clone = clone_of(&place);
    let change = RefChange { name: branch("draft/x"), expected: Some(head(&lab)), target: None };
    let changes = vec![change];
    let proposal = Proposal { epoch: 0, token: token(), parcels: Vec::new(), changes, logs: Vec::new() };
    place.open().publish(&proposal).expect("a name less");
    let fetched = fetch_from(&clone, &*place.open()).expect("a fetch");
    assert_eq!((fetched.moved.len(), seen(&clone, "draft/x")), (1, None));
    let journal = clone.repository.view().expect("a view").journal().expect("a journal");
    let entry = journal.last().expect("an entry");
    assert_eq!((entry.verb.as_str(), entry.refs[0].before), (FETCH_VERB, Some(head(&lab))));
    assert!(!entry.can_be_undone(), "where a remote has its names is not ours to change");
}

/// A commit of `lab` in which `name` has another length.
fn with_length(lab: &Lab, name: &str, size: u64) -> pentimento::base::id::CommitId {
    let view = lab.repository.view().expect("a view");
    let commit = view.commit(head(lab)).expect("a commit");
    let TreeNode::Leaf(mut entries) = view.tree_node(commit.tree).expect("a tree") else {
        panic!("a folder of one node");
    };
    for entry in &mut entries {
        if let Content::File { size: said, .. } = &mut entry.content
            && entry.name == name.as_bytes()
        {
            *said = size;
        }
    }
    let tree = TreeNode::Leaf(entries).encode();
    let id = pentimento::base::id::TreeId::from_bytes(hash_object(ObjectKind::Tree, &tree));
    let commit = Commit { tree: id, ..commit };
    let bytes = commit.encode();
    let commit = pentimento::base::id::CommitId::from_bytes(hash_object(ObjectKind::Commit, &bytes));
    let mut edit = lab.repository.edit().expect("an edit");
    edit.transaction().put(Space::Trees, id.as_bytes(), &tree).expect("a tree");
    edit.transaction().put(Space::Commits, commit.as_bytes(), &bytes).expect("a commit");
    edit.commit().expect("a change");
    commit
}

fn push_commit(
    lab: &Lab,
    remote: &dyn Remote,
    name: &str,
    commit: pentimento::base::id::CommitId,
) -> Result<(), SyncError> {
    let target = Some(RefTarget::plain(commit));
    let push = pentimento::sync::push::Push {
        also: Vec::new(),
        repository: &lab.repository,
        remote,
        known: Vec::new(),
        changes: vec![RefChange { name: branch(name), expected: None, target }],
        logs: Vec::new(),
        log_objects: Vec::new(),
        notes: lab.repository.pent_dir().join("remotes/lies"),
        token: token(),
    };
    push.run(remote.describe()?, &SilentMonitor).map(drop)
}

#[test]
fn lengths_in_folders_are_those_of_the_files() {
    for (name, length, said) in
        [("big.bin", 900_000, 10), ("small.bin", 20_000, 10), ("small.bin", 20_000, 0)]
    {
        let (served, bucket) = (super::ServedPlace::new(), BucketPlace::memory());
        let lab = Lab::new();
        lab.write(name, noise(6, length));
        lab.commit("begin");
        let lie = with_length(&lab, name, said);
        // The file is here by an honest commit, and so its length is known.
        let honest = Lab::new();
        for place in [&served as &dyn Place, &bucket] {
            push_to(&lab, &*place.open(), "main").expect("a push");
        }
        fetch_from(&honest, &*bucket.open()).expect("a fetch");
        push_commit(&lab, &*bucket.open(), "lie", lie).expect("a bucket takes anything");
        let fetched = fetch_from(&honest, &*bucket.open()).expect_err("a length that is not true");
        assert!(matches!(fetched, SyncError::Invalid { .. }), "{fetched}");
        assert_eq!(seen(&honest, "lie"), None);
        let refused = push_commit(&lab, &*served.open(), "lie", lie).expect_err("a length that is not true");
        assert!(matches!(refused, SyncError::Invalid { .. }), "{refused}");
    }
}

#[test]
fn hundreds_of_pushes_beside_full_index_files_leave_few() {
    let bucket = Arc::new(MemoryBucket::new());
    let place = BucketPlace::begin(bucket.clone());
    let lab = Lab::new();
    // Large ones first, as after years.
    for number in 0..10u64 {
        lab.write(&format!("{number}.bin"), noise(number, 3_000_000));
        lab.commit("large");
        push_with(&lab, &bucket);
    }
    for number in 0..60 {
        lab.write("a.txt", format!("state {number}"));
        lab.commit("on");
        push_with(&lab, &bucket);
    }
    let (bytes, _) = bucket.read_cell("head", 1 << 20).expect("a read").expect("a head");
    let indexes = pentimento::store::bucket::head::Head::decode(&bytes).expect("a head").indexes;
    let small = indexes.iter().filter(|record| record.entries <= ENTRIES / 2).count();
    assert!(indexes.iter().all(|record| record.entries <= ENTRIES), "{indexes:?}");
    assert!(small < 20, "{small} of {} are small", indexes.len());
    let clone = clone_of(&place);
    assert_eq!(seen(&clone, "main"), Some(head(&lab)));
}

/// Most keys of an index file here.
const ENTRIES: u64 = 64;

fn push_with(lab: &Lab, bucket: &Arc<MemoryBucket>) {
    let remote = BucketRemote::new(bucket.clone(), "the bucket".into(), None).with_index_entries(ENTRIES);
    push_to(lab, &remote, "main").expect("a push");
}
