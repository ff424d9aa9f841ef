//! Entries put back in time, first policies that nobody asked for, names that are none, and what a log needs
//! that no name reaches any more.

use super::hostile::{force, log_head};
use super::{Form, Nas, clone_of, fetch, log_of, problem, push_all, says, share, try_clone, try_push};
use crate::review_kit::{House, Seconds};
use crate::trust_kit::{
    ANNA, BEN, DAY_MS, DORA, MAIN, ONE_EDITOR, TWO_EDITORS, policy, signed_entry, signed_link, somebody,
    unsigned,
};
use pentimento::app::common::rules::Rules;
use pentimento::app::policy::{fingerprint, trust};
use pentimento::app::{draft, gc};
use pentimento::base::id::PolicyId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::{Clock as _, Timestamp};
use pentimento::object::commit::{Commit, Signature};
use pentimento::object::log_entry::{ActionsReceived, LogDeed, LogEntry, RefMoved, Why};
use pentimento::object::source::ObjectSource as _;
use pentimento::object::tree::TreeNode;
use pentimento::repo::refs::RefName;
use pentimento::repo::sets::SHARED_LOG;
use pentimento::repo::shared_log::LogHead;
use pentimento::sync::accept::Judge as _;
use pentimento::sync::bundle::BundleBuilder;
use pentimento::sync::remote::{Kind, LogChange, ObjectKey};
use pentimento::trust::{LocalKey, Signer as _};
use std::collections::BTreeMap;

fn later(house: &mut House, days: i64) {
    house.clock = Seconds::from(house.clock.now().unix_ms + days * DAY_MS);
}

fn note() -> LogDeed {
    LogDeed::Received(ActionsReceived { heads: Vec::new() })
}

#[test]
fn attack_an_entry_put_back_in_time() {
    let nas = Nas::of(Form::Folder);
    let anna = House::with_policy(ONE_EDITOR);
    share(&anna, ANNA, &nas);
    let mut ben = clone_of(&nas);
    later(&mut ben, 40);
    assert_eq!(fetch(&ben).fetched.logs.problem, None, "Ben looks, and nothing is new");
    let mut cleo = clone_of(&nas);
    later(&mut cleo, 41);
    // Somebody writes an entry that says that it was there all the time.
    let head = log_of(&anna).head().expect("a log");
    let second = signed_entry(ANNA, 2, Some(head.id), anna.clock.now().unix_ms, note());
    let mut bundle = BundleBuilder::default();
    bundle.push(ObjectKey::new(Kind::LogEntry, *second.id().as_bytes()), &second.encode()).expect("room");
    let target = LogHead { sequence: 2, id: second.id() }.encode();
    let change = LogChange { name: SHARED_LOG.into(), expected: log_head(&nas, SHARED_LOG), target };
    force(&nas, Vec::new(), vec![change], vec![bundle.finish(&[1; 16]).expect("a bundle")]);
    says(&problem(&ben), "it was put back in time");
    assert_eq!(log_of(&ben).head(), Some(head));
    assert_eq!(fetch(&cleo).fetched.logs.problem, None, "Cleo looked last when it could have been there");
}

#[test]
fn entries_that_waited_for_days_are_signed_anew_when_they_are_given_away() {
    let nas = Nas::of(Form::Folder);
    let mut anna = House::with_policy(ONE_EDITOR);
    share(&anna, ANNA, &nas);
    let mut ben = clone_of(&nas);
    anna.begin("one");
    anna.write("one.txt", "one");
    anna.commit(DORA, "one");
    anna.submit(DORA, "one");
    anna.approve(BEN, "one");
    anna.land(ANNA, "one").expect("a landing");
    let written = log_of(&anna).received_ms();
    later(&mut anna, 5);
    later(&mut ben, 5);
    fetch(&ben);
    let pushed = push_all(&anna, ANNA);
    assert_eq!((pushed.anew.written, pushed.anew.given_up.len()), (1, 0), "{pushed:?}");
    assert!(log_of(&anna).received_ms() >= written + 4 * DAY_MS);
    assert_eq!(fetch(&ben).fetched.logs.problem, None);
    assert_eq!(log_of(&ben).reference(MAIN), Some(anna.tip("main")));
    // And what is fresh goes as it is.
    anna.begin("two");
    anna.write("two.txt", "two");
    anna.commit(DORA, "two");
    anna.submit(DORA, "two");
    anna.approve(BEN, "two");
    anna.land(ANNA, "two").expect("a landing");
    assert_eq!(push_all(&anna, ANNA).anew.written, 0);
}

#[test]
fn attack_a_first_policy_that_comes_by_fetch() {
    let nas = Nas::of(Form::Folder);
    let anna = House::new();
    share(&anna, ANNA, &nas);
    let (ben, mallory) = (clone_of(&nas), clone_of(&nas));
    let root = mallory.set_policy(&ONE_EDITOR.replace("\"main\"", "\"**\""), 1);
    push_all(&mallory, ANNA);
    let text = problem(&ben);
    says(&text, "was not told to trust");
    says(&text, &fingerprint(root));
    let view = ben.repository.view().expect("a view");
    assert_eq!((view.pinned_root().expect("readable"), view.log_head().expect("readable")), (None, None));
    ben.write("still.txt", "ours");
    ben.commit(BEN, "Nobody locked us out");
    let refused = try_push(&ben, BEN, &Default::default()).expect_err("a refusal").to_string();
    says(&refused, "was not told to trust");
    assert!(trust(&ben.repository, "abc", &ben.clock).is_err());
    trust(&ben.repository, &fingerprint(root), &ben.clock).expect("trusted");
    assert_eq!(fetch(&ben).fetched.logs.problem, None);
    assert_eq!(log_of(&ben).root(), Some(root));
    assert_eq!(clone_root(&nas), Some(root), "a clone that is made shows it and begins with it");
}

fn clone_root(nas: &Nas) -> Option<PolicyId> {
    let (house, _) = try_clone(nas, None).expect("a clone");
    house.repository.view().expect("a view").pinned_root().expect("readable")
}

#[test]
fn attack_a_name_that_is_no_name() {
    let rules = "\n[[protect]]\nbranch = \"release/*\"\napprovals = [\"1 editor\"]\n";
    let house = House::with_policy(&format!("{ONE_EDITOR}{rules}"));
    let entry = |reference: &str| {
        let deed = LogDeed::Move(RefMoved {
            reference: reference.to_owned(),
            from: None,
            to: Some(house.tip("main")),
            why: Why::Direct {},
            heads: Vec::new(),
        });
        let key = somebody(DORA).key.public_key().fingerprint();
        let (repository, actor) = (house.repository.id(), somebody(DORA).id);
        let (sequence, previous) = (2, Some(pentimento::base::id::LogEntryId::from_bytes([1; 32])));
        LogEntry { repository, sequence, previous, received_ms: 1, actor, key, deed }
    };
    let good = entry("branch/release/2027").encode().expect("an entry");
    for bad in ["branch/release/a..b", "branch/release/x.lock", "branch/release/a\u{202e}b", "release/x", ""]
    {
        assert!(entry(bad).encode().is_err(), "{bad:?}");
        let text = String::from_utf8(good.clone()).expect("text");
        let name = serde_json::to_string(bad).expect("a text");
        let forged = text.replace("\"branch/release/2027\"", &name);
        assert!(LogEntry::decode(forged.as_bytes()).is_err(), "{bad:?}");
    }
    let starts = BTreeMap::from([("branch/a..b".to_owned(), house.tip("main"))]);
    assert!(unsigned(&policy(ONE_EDITOR), 1, Vec::new(), starts).encode().is_err());
    // A name under protection does not begin with nothing, which nobody would have to approve.
    let person = Signature { person: somebody(DORA).id, time: Timestamp::utc(0) };
    let empty = Commit {
        tree: TreeNode::empty_id(),
        parents: Vec::new(),
        author: person,
        committer: person,
        message: String::new(),
        notes: Vec::new(),
        extensions: Vec::new(),
    };
    let mut edit = house.repository.edit().expect("an edit");
    let to = edit.put_commit(&empty).expect("a commit");
    edit.commit().expect("a commit");
    let (why, heads) = (Why::Direct {}, Vec::new());
    let moved = RefMoved { reference: "branch/release/2027".into(), from: None, to: Some(to), why, heads };
    let refusal = house.verified_with(&house.next_entry(DORA, LogDeed::Move(moved))).expect_err("a refusal");
    says(&refusal, "it cannot begin with nothing in it");
}

#[test]
fn attack_signatures_that_crowd_a_proposal() {
    let two = format!("{TWO_EDITORS}\n[policy]\nchange = [\"1 of anna, ben\"]\n");
    let house = House::with_policy(&two);
    let log = log_of(&house);
    let parents = vec![log.in_force().expect("a policy").id];
    let link = unsigned(&policy(&format!("{two}# again\n")), 2, parents, BTreeMap::new());
    let honest = signed_link(&link, &[ANNA]);
    let mut crowded = honest.clone();
    for number in 0..127u8 {
        let seed = blake3::hash(&[number]);
        let key = LocalKey::from_seed(seed.as_bytes()).expect("a key");
        let namespace = pentimento::object::signature::Namespace::Policy;
        crowded.add(&key.sign(namespace, crowded.statement.as_bytes()).expect("a signature")).expect("room");
    }
    assert_eq!(crowded.signatures.len(), 128);
    let rules = Rules::of(&house.repository, house.clock.now());
    rules.trim(&house.repository.view().expect("a view"), &mut crowded).expect("an answer");
    assert_eq!(crowded, honest);
}

#[test]
fn proposals_that_lost_go_and_those_that_were_withdrawn_do_not_come_back() {
    let house = House::with_policy(ONE_EDITOR);
    let parents = vec![log_of(&house).in_force().expect("a policy").id];
    let link = |reason: &str| {
        let mut link = unsigned(&policy(TWO_EDITORS), 2, parents.clone(), BTreeMap::new());
        link.reason = reason.to_owned();
        signed_link(&link, &[BEN])
    };
    let mut edit = house.repository.edit().expect("an edit");
    let lost = edit.put_proposal(&link("lost")).expect("kept");
    let refused = edit.put_proposal(&link("refused")).expect("kept");
    edit.refuse_proposal(refused).expect("refused");
    edit.commit().expect("a commit");
    let view = house.repository.view().expect("a view");
    assert!(view.is_refused_proposal(refused).expect("readable"));
    assert!(!view.is_refused_proposal(lost).expect("readable"));
    assert_eq!(view.policy_proposals().expect("readable").len(), 1);
    house.set_policy(TWO_EDITORS, 2);
    let view = house.repository.view().expect("a view");
    assert_eq!(view.policy_proposals().expect("readable"), []);
}

#[test]
fn a_log_can_be_verified_although_no_name_reaches_its_commits_any_more() {
    let nas = Nas::of(Form::Folder);
    let rules = "[[protect]]\nbranch = \"release\"\napprovals = [\"1 editor\"]\n";
    let house = House::new();
    let start = house.tip("main");
    house.begin("work");
    house.write("one.txt", "one");
    house.commit(DORA, "one");
    let mut edit = house.repository.edit().expect("an edit");
    let release = RefName::branch("release").expect("a name");
    let target = Some(pentimento::repo::refs::RefTarget::plain(start));
    edit.set_reference(&release, None, target).expect("a branch");
    edit.commit().expect("a commit");
    // One landing under protection; then the branch is protected no more, and goes.
    let text = policy(rules);
    let starts = BTreeMap::from([("branch/release".to_owned(), start)]);
    let link = signed_link(&unsigned(&text, 1, Vec::new(), starts), &[ANNA]);
    let taken = pentimento::object::log_entry::PolicyTaken { link, recovery: false };
    house.append(&house.next_entry(ANNA, LogDeed::Policy(taken)));
    house.submit_to(DORA, "work", "release");
    house.approve(BEN, "work");
    let landed = house.land(ANNA, "work").expect("a landing").commit.expect("a commit").id;
    house.set_policy("[[protect]]\nbranch = \"other\"\napprovals = [\"1 editor\"]\n", 2);
    house.go("main");
    for name in ["release", "draft/work"] {
        draft::delete(&house.repository, name, true, &house.clock, &SilentMonitor).expect("removed");
    }
    let mut far = house;
    // What nothing needs is marked by one collection and removed by a later one.
    for _ in 0..3 {
        later(&mut far, 400);
        gc::run(&far.repository, &gc::Options::default(), &far.clock, &SilentMonitor).expect("a collection");
    }
    let view = far.repository.view().expect("a view");
    assert!(view.commit(landed).is_ok(), "the log speaks of it");
    share(&far, ANNA, &nas);
    let late = try_clone(&nas, None).expect("a clone can still be made").0;
    assert_eq!(log_of(&late).head(), log_of(&far).head());
}
