//! A branch that takes only signed commits, in a place that others write into: whoever fetches asks as whoever
//! lands does.

use super::hostile::{force, log_head};
use super::{Form, Nas, clone_of, fetch, log_of, push_all, refusal, says, seen, share};
use crate::review_kit::House;
use crate::trust_kit::{ANNA, DORA};
use crate::trust_signed::{SIGNED, approved, landing, sign};
use pentimento::base::id::CommitId;
use pentimento::object::log_entry::{LogDeed, LogEntry, RefMoved, SignedEntry};
use pentimento::repo::refs::{RefName, RefTarget};
use pentimento::repo::sets::{LogSet, SHARED_LOG};
use pentimento::repo::shared_log::LogHead;
use pentimento::sync::bundle::BundleBuilder;
use pentimento::sync::remote::{Kind, LogChange, ObjectKey, RefChange};

/// Anna shares a house of these rules, Ben has a clone; the draft with its approval is shared.
fn shared(form: Form) -> (Nas, House, House, [CommitId; 3]) {
    let nas = Nas::of(form);
    let (anna, commits) = approved(SIGNED);
    share(&anna, ANNA, &nas);
    let ben = clone_of(&nas);
    (nas, anna, ben, commits)
}

untrusted! {
    attack_a_signature_that_a_landing_rests_on_is_withheld
    attack_a_careless_client_lands_unsigned_commits
    signed_commits_land_and_whoever_fetches_verifies_them
}

#[test]
fn signed_commits_land_on_a_server_of_ours() {
    signed_commits_land_and_whoever_fetches_verifies_them(Form::Http);
}

fn signed_commits_land_and_whoever_fetches_verifies_them(form: Form) {
    let (nas, anna, ben, commits) = shared(form);
    sign(&anna, DORA, &commits);
    anna.land(DORA, "poster").expect("a landing");
    push_all(&anna, ANNA);
    let report = fetch(&ben);
    assert_eq!(report.fetched.logs.problem, None);
    assert_eq!(seen(&ben, "main"), Some(anna.tip("main")));
    assert_eq!(log_of(&clone_of(&nas)), log_of(&anna));
}

fn attack_a_signature_that_a_landing_rests_on_is_withheld(form: Form) {
    let (nas, anna, ben, commits) = shared(form);
    sign(&anna, DORA, &commits[..1]);
    push_all(&anna, ANNA);
    let name = LogSet::Signatures.name();
    let before = log_head(&nas, name);
    sign(&anna, DORA, &commits[1..]);
    anna.land(DORA, "poster").expect("a landing");
    push_all(&anna, ANNA);
    let (expected, target) = (log_head(&nas, name), before.expect("a set"));
    let change = LogChange { name: name.into(), expected, target };
    force(&nas, Vec::new(), vec![change], Vec::new());
    let report = fetch(&ben);
    let problem = report.fetched.logs.problem.clone().expect("a problem");
    says(&problem, &format!("{} (nobody signed it)", commits[1].short()));
    says(&refusal(&report, "main"), "(nobody signed it)");
    assert_eq!(log_of(&ben).head().map(|head| head.sequence), Some(1), "the log stays as it was");
    // Whoever has them gives them back, and all is well.
    push_all(&anna, ANNA);
    assert_eq!(fetch(&ben).fetched.logs.problem, None);
    assert_eq!(seen(&ben, "main"), Some(anna.tip("main")));
}

/// Shares the commit of a landing, and then the entry and the move, as a program does that asks nobody.
fn land_unasked(house: &House, nas: &Nas, entry: &SignedEntry) -> CommitId {
    let LogEntry { sequence, deed, .. } = LogEntry::decode(&entry.statement).expect("an entry");
    let LogDeed::Move(RefMoved { from, to: Some(to), .. }) = deed else { panic!("no move") };
    let mut edit = house.repository.edit().expect("an edit");
    let draft = RefName::draft("unasked").expect("a name");
    edit.set_reference(&draft, None, Some(RefTarget::plain(to))).expect("a draft");
    edit.commit().expect("a commit");
    push_all(house, ANNA);
    let mut bundle = BundleBuilder::default();
    bundle.push(ObjectKey::new(Kind::LogEntry, *entry.id().as_bytes()), &entry.encode()).expect("room");
    let (name, target) = (RefName::branch("main").expect("a name"), Some(RefTarget::plain(to)));
    let logs = vec![LogChange {
        name: SHARED_LOG.into(),
        expected: log_head(nas, SHARED_LOG),
        target: LogHead { sequence, id: entry.id() }.encode(),
    }];
    let change = RefChange { name, expected: from, target };
    force(nas, vec![change], logs, vec![bundle.finish(&[1; 16]).expect("a bundle")]);
    to
}

fn attack_a_careless_client_lands_unsigned_commits(form: Form) {
    let (nas, anna, ben, commits) = shared(form);
    sign(&anna, DORA, &commits[..2]);
    let start = seen(&ben, "main");
    let landed = land_unasked(&anna, &nas, &landing(&anna));
    let report = fetch(&ben);
    let problem = report.fetched.logs.problem.clone().expect("a problem");
    says(&problem, "entry 2 of the shared log does not verify: main is protected");
    says(&problem, &format!("and not {} (nobody signed it)", commits[2].short()));
    says(&refusal(&report, "main"), "(nobody signed it)");
    assert!(seen(&ben, "main") == start && start != Some(landed), "it stays where it was");
}
