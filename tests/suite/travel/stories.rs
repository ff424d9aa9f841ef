//! Whole stories of several people with a clone each, who meet at a shared folder or a server.

use super::{
    Form, Nas, clone_of, fetch, heads, log_of, problem, pull, push, push_all, reach, says, seen, share,
    try_clone, try_push,
};
use crate::review_kit::House;
use crate::trust_kit::{ANNA, BEN, CLEO, DORA, ONE_EDITOR, TWO_EDITORS, somebody};
use pentimento::app::common::signing::SigningAs;
use pentimento::app::policy::{Acting, change, fingerprint};
use pentimento::app::push::Options as PushOptions;
use pentimento::app::review::certificate;
use pentimento::app::{sign, verify};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::Clock as _;
use pentimento::object::log_entry::{KeyRevoked, LogDeed};
use pentimento::repo::refs::RefName;
use pentimento::trust::Signer as _;

everywhere! {
    anna_submits_two_approve_on_their_clones_dora_lands_and_everybody_sees_the_same
    two_who_reviewed_offline_meet_and_both_have_everything
    two_land_at_once_the_second_is_told_and_lands_again
    what_others_moves_do_not_touch_is_signed_anew_behind_theirs
    a_policy_that_two_must_sign_is_proposed_here_and_signed_there
    a_clone_shows_and_pins_the_first_policy_and_can_insist_on_it
    signatures_of_commits_travel_both_ways_and_later_ones_too
    a_mirror_gets_what_the_home_has_and_no_more
}

/// Anna's house with a policy, shared; and clones of it.
pub(super) fn studio<const N: usize>(form: Form, rules: &str) -> (Nas, House, [House; N]) {
    let nas = Nas::of(form);
    let house = House::with_policy(rules);
    share(&house, ANNA, &nas);
    let clones = std::array::from_fn(|_| clone_of(&nas));
    (nas, house, clones)
}

pub(super) fn draft(house: &House, by: u8, name: &str, file: &str, text: &str) {
    house.begin(name);
    house.write(file, text);
    house.commit(by, name);
    house.submit(by, name);
}

fn anna_submits_two_approve_on_their_clones_dora_lands_and_everybody_sees_the_same(form: Form) {
    let (nas, anna, [ben, cleo, dora]) = studio(form, TWO_EDITORS);
    draft(&anna, ANNA, "poster", "brand/logo.svg", "<svg>new</svg>");
    push(&anna, ANNA);
    for (house, by, actions) in [(&ben, BEN, 1), (&cleo, CLEO, 2)] {
        let came = fetch(house).fetched;
        assert_eq!((came.commits, came.logs.actions), (1, actions), "{came:?}");
        house.approve(by, "poster");
        let report = push(house, by);
        assert_eq!(report.logs.actions, 1, "{report:?}");
    }
    assert_eq!(fetch(&dora).fetched.logs.actions, 3, "all of it at once");
    let landed = dora.land(DORA, "poster").expect("a landing").commit.expect("a commit").id;
    let report = push(&dora, DORA);
    assert_eq!((report.logs.entries, report.names.len()), (1, 1), "the log and main go in one: {report:?}");
    anna.go("main");
    for (house, by) in [(&anna, ANNA), (&ben, BEN), (&cleo, CLEO)] {
        pull(house, by);
        assert_eq!(house.tip("main"), landed);
        assert_eq!(house.text("brand/logo.svg").as_deref(), Some("<svg>new</svg>"));
        assert_eq!(house.review("poster").submission.state, dora.review("poster").submission.state);
    }
    let all: Vec<_> = [&anna, &ben, &cleo, &dora].map(heads).into_iter().collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
    let late = clone_of(&nas);
    assert_eq!(heads(&late), all[0]);
    assert_eq!(late.tip("main"), landed);
    assert_eq!(log_of(&late), log_of(&dora));
    certified(&late);
}

/// A certificate made in a clone says who approved.
fn certified(house: &House) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = certificate::Options {
        subject: certificate::Subject::Revision("main".into()),
        folder: folder.path().join("certificate"),
        files: true,
    };
    let report = certificate::run(&house.repository, &options, &house.keys(), &house.clock, &SilentMonitor);
    let report = report.expect("a certificate");
    let handles: Vec<&str> =
        report.certificate.approvals.iter().map(|approval| approval.handle.as_str()).collect();
    assert_eq!(handles, ["ben", "cleo"]);
    assert!(report.certificate.approvals.iter().all(|approval| approval.received.is_some()));
}

fn two_who_reviewed_offline_meet_and_both_have_everything(form: Form) {
    let (_nas, anna, [ben, cleo]) = studio(form, TWO_EDITORS);
    draft(&anna, ANNA, "poster", "brand/logo.svg", "<svg>new</svg>");
    push(&anna, ANNA);
    fetch(&ben);
    fetch(&cleo);
    for _ in 0..3 {
        ben.comment(BEN, "poster", &[], "Ben, offline");
        cleo.comment(CLEO, "poster", &[], "Cleo, offline");
    }
    ben.approve(BEN, "poster");
    cleo.approve(CLEO, "poster");
    assert_eq!(push(&ben, BEN).logs.actions, 4);
    let report = push(&cleo, CLEO);
    assert_eq!((report.logs.actions, report.logs.fetched.actions), (4, 4), "a push takes in, too");
    fetch(&ben);
    assert_eq!(heads(&ben), heads(&cleo));
    let words = |house: &House| serde_json::to_value(house.review("poster")).expect("a review");
    assert_eq!(words(&ben), words(&cleo));
    // Nothing is left to say.
    let report = push(&ben, BEN);
    assert_eq!(report.logs, Default::default(), "{report:?}");
}

fn two_land_at_once_the_second_is_told_and_lands_again(form: Form) {
    let (_nas, anna, [dora]) = studio(form, ONE_EDITOR);
    draft(&anna, ANNA, "one", "one.txt", "one");
    anna.go("main");
    draft(&anna, ANNA, "two", "two.txt", "two");
    anna.approve(BEN, "one");
    anna.approve(BEN, "two");
    anna.go("main");
    push_all(&anna, ANNA);
    fetch(&dora);
    anna.land(ANNA, "one").expect("a landing");
    dora.land(DORA, "two").expect("a landing");
    assert_eq!(dora.text("two.txt").as_deref(), Some("two"));
    push(&anna, ANNA);
    let report = push(&dora, DORA);
    assert_eq!(report.anew.written, 0);
    let [given_up] = report.anew.given_up.as_slice() else { panic!("{report:?}") };
    says(&given_up.why, "moved on meanwhile");
    says(&given_up.next, "pent land");
    assert_eq!(dora.tip("main"), anna.tip("main"), "main stands where the log says");
    assert_eq!((dora.text("two.txt"), dora.text("one.txt").as_deref()), (None, Some("one")));
    dora.land(DORA, "two").expect("it lands again");
    let report = push(&dora, DORA);
    assert!(report.anew.given_up.is_empty() && report.logs.entries == 1, "{report:?}");
    pull(&anna, ANNA);
    assert_eq!(anna.text("two.txt").as_deref(), Some("two"));
    assert_eq!(heads(&anna), heads(&dora));
}

fn what_others_moves_do_not_touch_is_signed_anew_behind_theirs(form: Form) {
    let (_nas, anna, [dora]) = studio(form, ONE_EDITOR);
    draft(&anna, ANNA, "one", "one.txt", "one");
    anna.approve(BEN, "one");
    push_all(&anna, ANNA);
    fetch(&dora);
    dora.land(DORA, "one").expect("a landing");
    push(&dora, DORA);
    // Anna does not know yet, and ends a key.
    let key = somebody(CLEO).key.public_key().fingerprint();
    append(&anna, ANNA, LogDeed::Revoke(KeyRevoked { key, reason: "lost".into() }));
    let report = push_all(&anna, ANNA);
    assert_eq!(report.anew.written, 1, "{report:?}");
    assert!(report.anew.given_up.is_empty(), "{report:?}");
    assert_eq!(log_of(&anna).revocation(&key).map(|received| received.sequence), Some(3));
    pull(&dora, DORA);
    assert_eq!(log_of(&dora), log_of(&anna));
}

/// Writes an entry into the log of a house.
fn append(house: &House, by: u8, deed: LogDeed) {
    let person = somebody(by);
    let entry = person.writer().entry(&log_of(house), deed, house.clock.now().unix_ms).expect("an entry");
    let mut edit = house.repository.edit().expect("an edit");
    edit.append_log(&entry).expect("the next entry");
    edit.commit().expect("a commit");
}

fn a_policy_that_two_must_sign_is_proposed_here_and_signed_there(form: Form) {
    let rules = format!("{ONE_EDITOR}\n[policy]\nchange = [\"1 administrator\", \"1 editor\"]\n");
    let nas = Nas::of(form);
    let house = House::with_policy(ONE_EDITOR);
    house.set_policy(&rules, 2);
    share(&house, ANNA, &nas);
    let ben = clone_of(&nas);
    let text =
        crate::trust_kit::policy(&format!("{TWO_EDITORS}\n[policy]\nchange = [\"1 administrator\"]\n"));
    let acting = |house: &House, by: u8, deed: &dyn Fn(&Acting<'_>) -> change::Report| {
        let person = somebody(by);
        let acting = Acting {
            repository: &house.repository,
            writer: person.writer(),
            clock: &house.clock,
            monitor: &SilentMonitor,
        };
        deed(&acting)
    };
    let options = change::Options { text, reason: "two eyes more".into(), recovery: false };
    let report = acting(&house, ANNA, &|acting| change::propose(acting, &options).expect("a proposal"));
    assert_eq!(report.outcome, change::Outcome::Waits);
    assert_eq!(push(&house, ANNA).logs.proposals, 1);
    assert_eq!(fetch(&ben).fetched.logs.proposals, 1);
    let report = acting(&ben, BEN, &|acting| change::sign(acting, None).expect("a signature"));
    assert_eq!(report.outcome, change::Outcome::InForce);
    push(&ben, BEN);
    assert_eq!(fetch(&house).fetched.logs.entries, 1);
    assert_eq!(log_of(&house), log_of(&ben));
    assert_eq!(log_of(&house).in_force().map(|in_force| in_force.number), Some(3));
    assert!(house.repository.view().expect("a view").policy_proposals().expect("a list").is_empty());
    // Nothing of the proposal comes back.
    push(&house, ANNA);
    fetch(&ben);
    assert!(ben.repository.view().expect("a view").policy_proposals().expect("a list").is_empty());
}

fn a_clone_shows_and_pins_the_first_policy_and_can_insist_on_it(form: Form) {
    let (nas, anna, []) = studio(form, TWO_EDITORS);
    let root = log_of(&anna).root().expect("a policy");
    let (house, report) = try_clone(&nas, None).expect("a clone");
    assert_eq!(report.root_policy, Some(fingerprint(root)));
    assert_eq!(house.repository.view().expect("a view").pinned_root().expect("readable"), Some(root));
    let (_, report) = try_clone(&nas, Some(root)).expect("a clone");
    assert!(report.expected);
    let other = pentimento::base::id::PolicyId::from_bytes([7; 32]);
    let error = try_clone(&nas, Some(other)).err().expect("a refusal").to_string();
    says(&error, &format!("the first policy is {root}"));
    // A place without any policy is refused as well.
    let bare = Nas::of(form);
    let plain = House::new();
    share(&plain, ANNA, &bare);
    let error = try_clone(&bare, Some(root)).err().expect("a refusal").to_string();
    says(&error, "missing");
    assert_eq!(try_clone(&bare, None).expect("a clone").1.root_policy, None);
}

fn signatures_of_commits_travel_both_ways_and_later_ones_too(form: Form) {
    let (_nas, anna, [ben]) = studio(form, ONE_EDITOR);
    let tip = anna.tip("main");
    let sign_by = |house: &House, by: u8| {
        let person = somebody(by);
        let signing = SigningAs { person: person.id, signer: Box::new(person.key) };
        let options = sign::Options { revisions: vec![tip.to_string()], signing };
        sign::run(&house.repository, &options, &house.clock).expect("a signature");
    };
    sign_by(&anna, ANNA);
    assert_eq!(push(&anna, ANNA).logs.signatures, 1);
    assert_eq!(fetch(&ben).fetched.logs.signatures, 1);
    sign_by(&ben, BEN);
    push(&ben, BEN);
    fetch(&anna);
    assert_eq!(heads(&anna), heads(&ben));
    let known = |house: &House| {
        let options = verify::Options {
            subject: verify::Subject::Commit(Some(tip.to_string())),
            keyring: house.keys().keyring(),
            export: None,
        };
        verify::run(&house.repository, &options, &house.clock, &SilentMonitor).expect("a verification")
    };
    for house in [&anna, &ben] {
        let report = serde_json::to_string(&known(house)).expect("a report");
        assert_eq!(report.matches("\"state\":\"good\"").count(), 2, "{report}");
    }
}

fn a_mirror_gets_what_the_home_has_and_no_more(form: Form) {
    let (_nas, anna, [dora]) = studio(form, ONE_EDITOR);
    let mirror = Nas::of(form);
    pentimento::app::remote::add(&dora.repository, "mirror", &mirror.address(), &reach()).expect("a remote");
    draft(&anna, ANNA, "one", "one.txt", "one");
    anna.approve(BEN, "one");
    push_all(&anna, ANNA);
    fetch(&dora);
    dora.land(DORA, "one").expect("a landing");
    let drafts = || PushOptions {
        remote: Some("mirror".into()),
        names: vec!["draft/one".into()],
        ..PushOptions::default()
    };
    let one = RefName::branch("draft/one").expect("a name");
    let tip = seen(&dora, "draft/one").expect("a draft");
    let mut edit = dora.repository.edit().expect("an edit");
    edit.set_reference(&one, None, Some(pentimento::repo::refs::RefTarget::plain(tip))).expect("a draft");
    edit.commit().expect("a commit");
    let report = try_push(&dora, DORA, &drafts()).expect("a push");
    assert_eq!(report.logs.entries, 1, "the policy alone: the landing is not at home yet");
    push(&dora, DORA);
    let report = try_push(&dora, DORA, &drafts()).expect("a push");
    assert_eq!(report.logs.entries, 1, "now the landing as well");
    let late = clone_of(&mirror);
    assert_eq!(late.tip("main"), dora.tip("main"));
    assert_eq!(heads(&late), heads(&dora));
}

#[test]
fn a_backup_has_the_logs_and_can_be_cloned() {
    let form = Form::Folder;
    let (_nas, anna, []) = studio(form, ONE_EDITOR);
    draft(&anna, ANNA, "one", "one.txt", "one");
    anna.approve(BEN, "one");
    anna.land(DORA, "one").expect("a landing");
    let copy = Nas::of(form);
    pentimento::app::second_copy::backup(
        &anna.repository,
        &pentimento::app::second_copy::BackupOptions {
            address: copy.address(),
            exact: false,
            percent: 100.0,
        },
        &reach(),
        &anna.clock,
        &SilentMonitor,
    )
    .expect("a backup");
    let back = clone_of(&copy);
    assert_eq!(heads(&back), heads(&anna));
    assert_eq!(back.tip("main"), anna.tip("main"));
}

#[test]
fn a_clone_that_saw_more_of_the_log_notices_a_remote_that_was_put_back() {
    put_back(Form::Folder);
}

#[test]
fn a_clone_that_saw_more_of_the_log_notices_a_server_that_was_put_back() {
    put_back(Form::Ssh);
}

fn put_back(form: Form) {
    let (nas, anna, [ben]) = studio(form, ONE_EDITOR);
    let earlier = nas.copy();
    draft(&anna, ANNA, "one", "one.txt", "one");
    anna.approve(BEN, "one");
    anna.land(DORA, "one").expect("a landing");
    push_all(&anna, ANNA);
    fetch(&ben);
    let before = (heads(&ben), seen(&ben, "main"));
    std::fs::remove_dir_all(nas.path()).expect("removed");
    super::copy_folder(&earlier.path(), &nas.path());
    let text = problem(&ben);
    says(&text, "rolled back");
    says(&text, "the signed entries are kept in");
    assert_eq!((heads(&ben), seen(&ben, "main")), before, "the state before stays");
}
