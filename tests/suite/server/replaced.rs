//! A repository whose folder is put back, replaced or copied while it is served.

use super::kit::{PLACE, move_in, request};
use crate::app_flow::Lab;
use crate::remote_contract::http::TestServer;
use crate::remote_contract::{branch, head, push_to, seen};
use crate::review_kit::House;
use crate::trust_kit::ANNA;
use pentimento::base::id::{ChunkId, FileId};
use pentimento::repo::Repository;
use pentimento::rules::access::Permission;
use pentimento::store::Access;
use pentimento::sync::remote::{Kind, ObjectKey, Remote as _};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).expect("copied");
        }
    }
}

#[test]
fn what_is_pushed_after_a_backup_was_put_back_is_in_the_folder_that_is_there() {
    let server = TestServer::start();
    let remote = server.with_token(PLACE, &server.begin(PLACE));
    let lab = Lab::new();
    lab.write("a.txt", "one");
    lab.commit("one");
    push_to(&lab, &remote, "main").expect("a push");
    let (root, backup) = (server.folder.path().join(PLACE), server.folder.path().join("backup"));
    copy(&root, &backup);
    fs::remove_dir_all(&root).expect("removed");
    copy(&backup, &root);
    lab.write("a.txt", "two");
    lab.commit("two");
    push_to(&lab, &remote, "main").expect("a push");
    let there = Repository::open(&root, Access::ReadOnly).expect("a repository");
    let at = there.view().expect("a view").reference(&branch("main")).expect("a ref").expect("a commit");
    assert_eq!(at.commit, head(&lab), "it is in the folder, not in the one that was removed");
    let clone = Lab::new();
    crate::remote_contract::fetch_from(&clone, &remote).expect("a fetch");
    assert_eq!(seen(&clone, "main"), Some(head(&lab)));
}

/// The policy withholds `contracts/**` from tokens that work for nobody.
const RULES: &str = "[[protect]]\nbranch = \"main\"\napprovals = [\"1 editor\"]\n\n[access]\n[[access.paths]]\npaths = \"contracts/**\"\nread = [\"legal\"]\n";
const DEAL: &str = "twelve thousand, and not a cent more";

#[test]
fn what_may_be_read_in_a_copy_may_not_be_read_here_for_that() {
    let server = TestServer::start();
    for (path, to) in [("contracts/deal.txt", Some("clients/first")), ("public/deal.txt", None)] {
        let house = House::new();
        house.write(path, DEAL);
        house.commit(ANNA, "A deal");
        house.set_policy(RULES, 1);
        move_in(&server, house);
        if let Some(to) = to {
            let root = server.folder.path();
            fs::rename(root.join(PLACE), root.join(to)).expect("moved");
        }
    }
    let token = |place: &str| server.with_token(place, &server.token(place, &[Permission::Read], None));
    let (here, there) = (token("clients/first"), token(PLACE));
    let file = FileId::of(DEAL.as_bytes());
    assert_eq!(
        here.describe().expect("a description").repository,
        there.describe().expect("a description").repository,
        "one is a copy of the other"
    );
    let given = |remote: &dyn pentimento::sync::remote::Remote| {
        let blocks = Mutex::new(0);
        let fetched = remote.fetch_chunks_of(&[file], &[ChunkId::from(file)], &|_| {
            *blocks.lock().expect("a lock") += 1;
            Ok(())
        });
        fetched.expect("an answer");
        blocks.into_inner().expect("a lock")
    };
    let key = ObjectKey::new(Kind::Chunk, *file.as_bytes());
    for _ in 0..2 {
        assert_eq!(given(&there), 1, "it stands at a path that everybody may read");
        assert_eq!(there.have(&[key]).expect("an answer"), [true]);
        assert_eq!(given(&here), 0, "here it does not");
        assert_eq!(here.have(&[key]).expect("an answer"), [false]);
    }
}

#[test]
fn whether_a_repository_that_cannot_be_opened_exists_is_not_told() {
    let server = TestServer::start();
    let _ = server.begin(PLACE);
    let remote = server.with_token(PLACE, &server.token(PLACE, &[Permission::Read], None));
    remote.describe().expect("it is sound");
    fs::write(server.folder.path().join(PLACE).join(".pent/format"), "something else").expect("written");
    // The identity of what is open is still the same, so that a new server meets the damage.
    let stranger = super::routes::session(&server, crate::trust_kit::STRANGER);
    let fresh = server.folder.path().join("clients/broken");
    copy(&server.folder.path().join(PLACE), &fresh);
    let ask = |place: &str| {
        let body = super::kit::framed(&pentimento::sync::wire::request::Request::Describe.encode());
        let path = format!("/{place}/-/v1/describe");
        let (status, answer) =
            super::kit::raw(&server, &request(&server, "POST", &path, Some(&stranger), &body));
        let at = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("a body");
        (status, answer[at..].to_vec())
    };
    assert_eq!(ask("clients/broken").0, 403);
    assert_eq!(ask("clients/broken"), ask("clients/nothing-here"));
    // Whoever may read there is told that it failed.
    let known =
        server.with_token("clients/broken", &server.token("clients/broken", &[Permission::Read], None));
    let error = known.describe().expect_err("it cannot be opened");
    assert!(!matches!(error, pentimento::sync::SyncError::NotAllowed { .. }), "{error}");
}

#[test]
fn whoever_may_begin_only_is_told_nothing_of_what_is_there() {
    let server = TestServer::start();
    let first = server.with_token(PLACE, &server.begin(PLACE));
    let lab = Lab::new();
    lab.write("a.txt", "one");
    lab.commit("one");
    push_to(&lab, &first, "main").expect("a push");
    let begins = server.with_token(PLACE, &server.token(PLACE, &[Permission::Begin], None));
    let chunker = pentimento::object::chunker::ChunkerParameters::default();
    let other = pentimento::base::id::RepositoryId::from_bytes([77; 16]);
    for id in [other, crate::remote_contract::REPOSITORY] {
        let error = begins.begin(id, chunker).expect_err("it is there, and not theirs to read");
        assert!(matches!(error, pentimento::sync::SyncError::NotAllowed { .. }), "{error}");
    }
    let fresh = server.with_token("clients/new", &server.token("clients/new", &[Permission::Begin], None));
    fresh.begin(other, chunker).expect("where nothing is, they begin");
}
