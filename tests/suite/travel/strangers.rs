//! People whom no policy names, and members who take more room than is theirs: little of it is kept, and nobody
//! else is kept out by it.

use super::{Form, Nas, clone_of, fetch, log_of, push_all, seen, share};
use crate::review_kit::House;
use crate::trust_kit::{
    ANNA, BEN, CLEO, DORA, REPOSITORY, STRANGER, Somebody, TWO_EDITORS, policy, signed_link, somebody,
    unsigned,
};
use pentimento::app::common::members::PLACES_MAX;
use pentimento::base::id::{ActionId, BodyId, CommitId, PersonId};
use pentimento::base::time::Timestamp;
use pentimento::object::action::{Action, Audience, Body, Comment, Deed, ListRef, Proposal};
use pentimento::object::commit_signature::{CommitSignature, CommitStatement};
use pentimento::object::signature::Namespace;
use pentimento::object::transition::TransitionList;
use pentimento::repo::Edit;
use pentimento::repo::review_log::ActionRecord;
use pentimento::sync::logs::strangers::{
    ACTIONS_MAX, HEADER_BYTES_MAX, LIST_BYTES_MAX, SIGNATURES_MAX, WORDS_BYTES_MAX,
};
use pentimento::trust::{LocalKey, Signer};
use std::collections::BTreeMap;

/// Somebody whom nobody knows.
fn nobody(number: u32) -> Somebody {
    let bytes = blake3::hash(&number.to_le_bytes());
    let id = PersonId::from_slice(&bytes.as_bytes()[..16]).expect("an id");
    Somebody { id, key: LocalKey::from_seed(bytes.as_bytes()).expect("a key") }
}

/// An action of somebody who has seen nothing.
fn action(by: &Somebody, body: BodyId, deed: Deed) -> ActionRecord {
    let action = Action {
        repository: REPOSITORY,
        audience: Audience::Team,
        actor: by.id,
        key: by.key.public_key().fingerprint(),
        previous: None,
        heads: Vec::new(),
        time: Timestamp::utc(0),
        body,
        deed,
    };
    let statement = action.encode().expect("bytes");
    let signature = by.key.sign(Namespace::Action, &statement).expect("a signature").as_bytes().to_vec();
    ActionRecord { statement, signature }
}

fn comment() -> Deed {
    Deed::Comment(Comment { submission: None, reply: None, paths: vec![], about: vec![] })
}

/// Says something as somebody; what is said is kept without a question, as in a clone of their own.
fn say(edit: &mut Edit, by: &Somebody, words: &str) -> ActionId {
    let body = Body::new(by.id, [9; 16], words);
    edit.put_review_body(&body).expect("words");
    edit.put_review_action(Audience::Team, &action(by, body.id(), comment())).expect("an action")
}

/// A house with this policy that is shared in a folder, and clones of it.
fn studio<const N: usize>(text: &str) -> (Nas, House, [House; N]) {
    let nas = Nas::of(Form::Folder);
    let anna = House::new();
    anna.set_policy_text(text, 1);
    share(&anna, ANNA, &nas);
    let clones = std::array::from_fn(|_| clone_of(&nas));
    (nas, anna, clones)
}

fn change<T>(house: &House, deed: impl FnOnce(&mut Edit) -> T) -> T {
    let mut edit = house.repository.edit().expect("an edit");
    let done = deed(&mut edit);
    edit.commit().expect("a commit");
    done
}

fn has(house: &House, action: ActionId) -> bool {
    let view = house.repository.view().expect("a view");
    view.review_action(Audience::Team, action).expect("readable").is_some()
}

fn actions(house: &House) -> usize {
    let view = house.repository.view().expect("a view");
    view.review_actions(Audience::Team).expect("readable").len()
}

#[test]
fn attack_strangers_fill_the_review_log() {
    let (_nas, anna, [mallory, ben]) = studio(&policy(TWO_EDITORS));
    let many = ACTIONS_MAX as u32 + 200;
    change(&mallory, |edit| (0..many).for_each(|number| _ = say(edit, &nobody(number), "noise")));
    push_all(&mallory, STRANGER);
    let report = fetch(&ben);
    assert_eq!(report.fetched.logs.actions, ACTIONS_MAX as u64);
    assert_eq!(report.fetched.logs.refused, 200, "the rest is left out");
    // The next fetch finds no room either, and people of the policy find all the room that they need.
    anna.begin("one");
    anna.write("one.txt", "one");
    anna.commit(ANNA, "one");
    anna.submit(ANNA, "one");
    anna.approve(BEN, "one");
    anna.approve(CLEO, "one");
    anna.land(DORA, "one").expect("a landing");
    push_all(&anna, ANNA);
    let report = fetch(&ben);
    assert_eq!(report.fetched.logs.problem, None);
    assert_eq!(seen(&ben, "main"), Some(anna.tip("main")));
    assert_eq!(actions(&ben), ACTIONS_MAX + 4);
}

#[test]
fn whoever_is_named_later_is_heard_from_the_beginning_however_full_it_is() {
    let (_nas, anna, [mallory, ben]) = studio(&policy(TWO_EDITORS));
    change(&mallory, |edit| {
        (0..ACTIONS_MAX as u32).for_each(|number| _ = say(edit, &nobody(number), "noise"));
    });
    push_all(&mallory, STRANGER);
    fetch(&ben);
    // Eve says something while nobody knows her: there is no room for it.
    let eve = somebody(STRANGER);
    let early = change(&mallory, |edit| say(edit, &eve, "May I join?"));
    push_all(&mallory, STRANGER);
    fetch(&ben);
    assert!(!has(&ben, early));
    // Then she becomes an editor, and what lands rests on her word: it all comes with one fetch.
    let text = policy(TWO_EDITORS)
        .replace("[roles]", &format!("{}[roles]", eve.section("eve", &[&eve.key])))
        .replace("editor = [", "editor = [\"eve\", ");
    change(&anna, |edit| say(edit, &eve, "May I join?"));
    anna.set_policy_text(&text, 2);
    anna.begin("one");
    anna.write("one.txt", "one");
    anna.commit(ANNA, "one");
    anna.submit(ANNA, "one");
    anna.approve(STRANGER, "one");
    anna.approve(BEN, "one");
    anna.land(DORA, "one").expect("a landing");
    push_all(&anna, ANNA);
    let report = fetch(&ben);
    assert_eq!(report.fetched.logs.problem, None);
    assert_eq!(seen(&ben, "main"), Some(anna.tip("main")));
    assert!(has(&ben, early), "what she said before came as well");
}

#[test]
fn attack_long_words_headers_and_lists_of_strangers() {
    let (_nas, _anna, [mallory, ben]) = studio(&policy(TWO_EDITORS));
    let long_words = "x".repeat(WORDS_BYTES_MAX);
    let stranger = nobody(1);
    let long_header = {
        let names = (0..HEADER_BYTES_MAX / 200).map(|number| format!("{number:0>200}")).collect();
        let list = ListRef::of(&TransitionList::new([mallory.removal_of("poster.txt")]));
        let (base, head) = (mallory.tip("main"), mallory.tip("main"));
        let (branch, draft) = ("main".to_owned(), "draft/x".to_owned());
        Deed::Submit(Proposal { branch, draft, base, head, list, reviewers: names })
    };
    let removal = mallory.removal_of("poster.txt");
    let many = (0..LIST_BYTES_MAX / 100).map(|number| {
        let mut other = removal.clone();
        let before = other.before.as_mut().expect("a file");
        before.path = crate::review_kit::path(&format!("{number}.txt"));
        other
    });
    let list = TransitionList::new(many);
    assert!(list.encode().len() > LIST_BYTES_MAX);
    let long_list = {
        let (base, head) = (mallory.tip("main"), mallory.tip("main"));
        let (branch, draft) = ("main".to_owned(), "draft/x".to_owned());
        let list = ListRef::of(&list);
        Deed::Submit(Proposal { branch, draft, base, head, list, reviewers: Vec::new() })
    };
    let body = Body::new(stranger.id, [9; 16], "short").id();
    let (words, known, short, header, listed) = change(&mallory, |edit| {
        edit.put_review_list(&TransitionList::new([removal])).expect("a list");
        edit.put_review_list(&list).expect("a list");
        (
            say(edit, &stranger, &long_words),
            say(edit, &somebody(CLEO), &long_words),
            say(edit, &stranger, "short"),
            edit.put_review_action(Audience::Team, &action(&stranger, body, long_header)).expect("kept"),
            edit.put_review_action(Audience::Team, &action(&stranger, body, long_list)).expect("kept"),
        )
    });
    push_all(&mallory, STRANGER);
    let report = fetch(&ben);
    assert_eq!((report.fetched.logs.actions, report.fetched.logs.refused), (2, 3), "{report:?}");
    assert!(has(&ben, known) && has(&ben, short));
    assert!(!has(&ben, words) && !has(&ben, header) && !has(&ben, listed));
    let view = ben.repository.view().expect("a view");
    assert!(view.review_list(list.id()).expect("readable").is_none(), "nor is the list kept");
}

#[test]
fn attack_strangers_sign_commits_by_the_hundred_and_commits_that_there_are_not() {
    let (_nas, anna, [mallory, ben]) = studio(&policy(TWO_EDITORS));
    let tip = anna.tip("main");
    let sign = |edit: &mut Edit, by: &Somebody, commit: CommitId| {
        let statement =
            CommitStatement { commit, repository: REPOSITORY, signer: by.id, time: Timestamp::utc(0) };
        let signature = by.key.sign(Namespace::Commit, &statement.encode()).expect("a signature");
        let record = CommitSignature::new(&statement, signature);
        edit.put_commit_signature(REPOSITORY, commit, &record).expect("kept");
    };
    change(&mallory, |edit| {
        (0..40).for_each(|number| sign(edit, &nobody(number), tip));
        (0..40).for_each(|number| sign(edit, &nobody(number), CommitId::from_bytes([number as u8; 32])));
        sign(edit, &somebody(BEN), tip);
    });
    push_all(&mallory, STRANGER);
    let report = fetch(&ben);
    assert_eq!(report.fetched.logs.signatures, SIGNATURES_MAX as u64 + 1, "{report:?}");
    let view = ben.repository.view().expect("a view");
    assert!(view.commit_signatures(CommitId::from_bytes([1; 32])).expect("readable").is_empty());
    let known = somebody(BEN).key.public_key().fingerprint();
    assert!(
        view.commit_signatures(tip).expect("readable").iter().any(|record| record.fingerprint() == known)
    );
}

#[test]
fn attack_one_member_fills_all_places_for_proposals() {
    let (_nas, anna, [dora, ben]) = studio(&policy(TWO_EDITORS));
    let parents = vec![log_of(&anna).in_force().expect("a policy").id];
    let proposal = |number: usize, by: &[u8]| {
        let mut link =
            unsigned(&policy(&format!("{TWO_EDITORS}# again\n")), 2, parents.clone(), BTreeMap::new());
        link.reason = format!("number {number}");
        signed_link(&link, by)
    };
    let waiting = |house: &House| {
        let view = house.repository.view().expect("a view");
        view.policy_proposals().expect("readable").len()
    };
    change(&dora, |edit| {
        for number in 0..4 * PLACES_MAX {
            edit.put_proposal(&proposal(number, &[DORA])).expect("kept");
        }
    });
    push_all(&dora, DORA);
    fetch(&ben);
    assert_eq!(waiting(&ben), PLACES_MAX);
    // Others' find their places, and so does one of hers that somebody else signs as well.
    change(&anna, |edit| {
        edit.put_proposal(&proposal(1000, &[ANNA])).expect("kept");
        edit.put_proposal(&proposal(1001, &[DORA, ANNA])).expect("kept");
    });
    push_all(&anna, ANNA);
    fetch(&ben);
    assert_eq!(waiting(&ben), PLACES_MAX + 2);
}
