//! A branch that takes only signed commits: what is refused, here and by everybody who fetches, and what
//! the message says.

use crate::review_kit::House;
use crate::travel::{log_of, says};
use crate::trust_kit::{
    ANNA, BEN, Ballot, CLEO, DORA, ONE_EDITOR, REPOSITORY, STRANGER, Studio, commit, edited, evidence,
    policy, somebody,
};
use pentimento::app::common::signing::SigningAs;
use pentimento::app::policy::check;
use pentimento::app::{sign, verify};
use pentimento::base::id::{CommitId, RepositoryId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::Timestamp;
use pentimento::object::commit_signature::{CommitSignature, CommitStatement};
use pentimento::object::log_entry::{ActionsReceived, KeyRevoked, LogDeed, SignedEntry};
use pentimento::object::signature::Namespace;
use pentimento::store::Space;
use pentimento::trust::{LocalKey, Signer};

/// One editor must approve, and every commit must be signed.
pub const SIGNED: &str = "[[protect]]\nbranch = \"main\"\napprovals = [\"1 editor\"]\nsigned = true\n";
/// Nobody must approve, but every commit must be signed.
const ONLY_SIGNED: &str = "[[protect]]\nbranch = \"main\"\nsigned = true\n";

/// Dora's draft of three commits, which Ben approved; the commits, oldest first.
pub fn approved(rules: &str) -> (House, [CommitId; 3]) {
    let house = House::with_policy(rules);
    house.begin("poster");
    let commits = ["one", "two", "three"].map(|text| {
        house.write("poster.txt", text);
        house.commit(DORA, text)
    });
    house.submit(DORA, "poster");
    house.approve(BEN, "poster");
    (house, commits)
}

fn sign_with(house: &House, by: u8, key: LocalKey, revisions: &[&str]) -> sign::Report {
    let signing = SigningAs { person: somebody(by).id, signer: Box::new(key) };
    let revisions = revisions.iter().map(ToString::to_string).collect();
    sign::run(&house.repository, &sign::Options { revisions, signing }, &house.clock).expect("signatures")
}

pub fn sign(house: &House, by: u8, commits: &[CommitId]) {
    let names: Vec<String> = commits.iter().map(ToString::to_string).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    sign_with(house, by, somebody(by).key, &names);
}

/// A landing of the draft by somebody's own client, whose merge Dora signed: only what lands is in question.
pub fn landing(house: &House) -> SignedEntry {
    let head = house.tip("draft/poster");
    let merge = house.merge_commit(DORA, &[house.tip("main"), head], head);
    sign(house, DORA, &[merge]);
    let review = house.review("poster");
    let heads: Vec<_> = review.verdicts.iter().map(|verdict| verdict.action).collect();
    house.landing_entry(DORA, merge, Some(review.submission.id), &heads)
}

/// What everybody says who verifies that landing.
fn verdict(house: &House) -> Result<(), String> {
    house.verified_with(&landing(house)).map(drop)
}

fn refused(house: &House) -> String {
    verdict(house).expect_err("a refusal")
}

fn revoke(house: &House, by: u8) {
    let key = somebody(by).key.public_key().fingerprint();
    house.append(&house.next_entry(ANNA, LogDeed::Revoke(KeyRevoked { key, reason: String::new() })));
}

/// Puts a record where signatures lie, as somebody could who writes the storage.
fn plant(house: &House, commit: CommitId, record: &CommitSignature) {
    let row = [commit.as_bytes().as_slice(), record.fingerprint().as_bytes()].concat();
    let mut edit = house.repository.edit().expect("an edit");
    edit.transaction().put(Space::CommitSignatures, &row, &record.encode()).expect("a row");
    edit.commit().expect("a commit");
}

fn record(statement: &CommitStatement, key: &LocalKey, namespace: Namespace) -> CommitSignature {
    CommitSignature::new(statement, key.sign(namespace, &statement.encode()).expect("a signature"))
}

fn statement(commit: CommitId) -> CommitStatement {
    let time = Timestamp { unix_ms: 1_772_381_000_000, offset_minutes: 0 };
    CommitStatement { commit, repository: REPOSITORY, signer: somebody(DORA).id, time }
}

#[test]
fn a_branch_that_takes_signed_commits_says_which_are_not_and_takes_them_once_they_are() {
    let (house, commits) = approved(SIGNED);
    let refusal = house.refused(DORA, "poster");
    says(&refusal, "it takes only commits that somebody whom the policy names has signed, and not");
    for commit in commits {
        says(&refusal, &format!("{} (nobody signed it)", commit.short()));
    }
    let waiting = house.review("poster").waiting;
    assert!(!waiting.ready && waiting.missing.len() == 1, "{waiting:?}");
    // Ben vouches for one, Dora signs what is left of the draft: one after the other, each once.
    sign(&house, BEN, &commits[..1]);
    assert!(house.refused(DORA, "poster").contains(&commits[1].short()));
    let range = ["main..draft/poster"];
    assert_eq!(sign_with(&house, DORA, somebody(DORA).key, &range).commits.len(), 3);
    assert!(sign_with(&house, DORA, somebody(DORA).key, &range).commits.is_empty(), "all of it is signed");
    assert!(house.review("poster").waiting.ready);
    let report = house.land(DORA, "poster").expect("a landing");
    let options = verify::Options {
        subject: verify::Subject::Commit(report.commit.map(|commit| commit.id.to_string())),
        keyring: house.keys().keyring(),
        export: None,
    };
    let verified = verify::run(&house.repository, &options, &house.clock, &SilentMonitor).expect("a check");
    assert_eq!(verified.totals.good, 1, "whoever lands signs the commit that lands: {verified:?}");
    assert!(log_of(&house).has_landed(house.review("poster").submission.id));
}

#[test]
fn attack_an_unsigned_commit_in_the_middle_of_what_lands() {
    let (house, [first, middle, last]) = approved(SIGNED);
    sign(&house, DORA, &[first, last]);
    let refusal = refused(&house);
    says(&refusal, &format!("and not {} (nobody signed it)", middle.short()));
    sign(&house, CLEO, &[middle]);
    assert_eq!(verdict(&house), Ok(()), "that was all");
}

#[test]
fn attack_a_landing_whose_own_commit_is_unsigned() {
    let (house, commits) = approved(SIGNED);
    sign(&house, DORA, &commits);
    let head = house.tip("draft/poster");
    let merge = house.merge_commit(CLEO, &[house.tip("main"), head], head);
    let review = house.review("poster");
    let heads: Vec<_> = review.verdicts.iter().map(|verdict| verdict.action).collect();
    let entry = house.landing_entry(DORA, merge, Some(review.submission.id), &heads);
    let refusal = house.verified_with(&entry).expect_err("a refusal");
    says(&refusal, &format!("and not {} (nobody signed it)", merge.short()));
}

#[test]
fn attack_a_commit_that_a_stranger_signed() {
    let (house, commits) = approved(SIGNED);
    sign(&house, DORA, &commits[1..]);
    sign(&house, STRANGER, &commits[..1]);
    says(&refused(&house), "(the policy does not know the key that signed it)");
    // Saying that one is somebody else changes nothing: whose key it is says the policy.
    sign_with(&house, BEN, LocalKey::from_seed(&[77; 32]).expect("a key"), &[&commits[0].to_string()]);
    says(&refused(&house), "(the policy does not know the key that signed it)");
}

#[test]
fn attack_a_commit_signed_with_a_key_that_was_revoked_before_it_landed() {
    let (house, commits) = approved(SIGNED);
    sign(&house, DORA, &commits[..2]);
    sign(&house, CLEO, &commits[2..]);
    let before = landing(&house);
    assert!(house.verified_with(&before).is_ok(), "as it is, it lands");
    revoke(&house, CLEO);
    let refusal = refused(&house);
    says(&refusal, &format!("and not {} (the key that signed it was revoked)", commits[2].short()));
    // Another of the team vouches for it.
    sign(&house, BEN, &commits[2..]);
    assert_eq!(verdict(&house), Ok(()));
}

#[test]
fn a_key_that_is_revoked_afterwards_takes_nothing_back_that_landed() {
    let (house, commits) = approved(SIGNED);
    sign(&house, CLEO, &commits);
    house.land(DORA, "poster").expect("a landing");
    revoke(&house, CLEO);
    let landed = house.tip("main");
    assert_eq!(log_of(&house).reference("branch/main"), Some(landed));
    // From its first entry as well.
    assert!(house.verified_with(&house.next_entry(ANNA, LogDeed::Received(none()))).is_ok());
}

fn none() -> ActionsReceived {
    ActionsReceived { heads: Vec::new() }
}

#[test]
fn attack_a_commit_signed_with_a_key_outside_of_its_time() {
    let line = somebody(CLEO).key.public_key().to_openssh();
    let plain = format!("{{ key = \"{line}\" }}");
    for (limits, counts) in [
        ("until = \"2026-02-01\"", false),
        ("from = \"2027-01-01\"", false),
        ("until = \"2027-01-01\"", true),
    ] {
        let text = policy(SIGNED).replace(&plain, &format!("{{ key = \"{line}\", {limits} }}"));
        let house = House::new();
        house.set_policy_text(&text, 1);
        house.begin("poster");
        house.write("poster.txt", "one");
        let commit = house.commit(DORA, "one");
        house.submit(DORA, "poster");
        house.approve(BEN, "poster");
        sign(&house, CLEO, &[commit]);
        match verdict(&house) {
            Ok(()) => assert!(counts, "{limits}"),
            Err(refusal) => {
                assert!(!counts, "{limits}: {refusal}");
                says(&refusal, "(the key that signed it does not count at this time)");
            }
        }
    }
}

#[test]
fn attack_signatures_of_something_else_in_the_place_of_a_commits() {
    let (house, commits) = approved(SIGNED);
    sign(&house, DORA, &commits[1..]);
    let (target, dora) = (commits[0], somebody(DORA).key);
    let other_repository =
        CommitStatement { repository: RepositoryId::from_bytes([8; 16]), ..statement(target) };
    for planted in [
        record(&statement(commits[1]), &dora, Namespace::Commit),
        record(&other_repository, &dora, Namespace::Commit),
        record(&statement(target), &dora, Namespace::Action),
        record(&statement(target), &dora, Namespace::Log),
    ] {
        plant(&house, target, &planted);
        says(&refused(&house), &format!("and not {} (nobody signed it)", target.short()));
    }
    plant(&house, target, &record(&statement(target), &dora, Namespace::Commit));
    assert_eq!(verdict(&house), Ok(()), "the right one counts there");
}

#[test]
fn attack_a_signature_that_takes_the_place_of_a_good_one() {
    let (house, commits) = approved(SIGNED);
    sign(&house, DORA, &commits);
    let entry = landing(&house);
    assert!(house.verified_with(&entry).is_ok());
    // Whoever has the key later signs the same commit in everybody's name and at every time, so that one of these
    // takes the first one's place in all clones: that this key signed it stays true.
    for signer in [ANNA, BEN, STRANGER] {
        for unix_ms in [0, 1_772_381_000_000, 9_000_000_000_000] {
            let time = Timestamp { unix_ms, offset_minutes: 0 };
            let said = CommitStatement { signer: somebody(signer).id, time, ..statement(commits[0]) };
            plant(&house, commits[0], &record(&said, &somebody(DORA).key, Namespace::Commit));
            assert!(house.verified_with(&entry).is_ok(), "{signer} {unix_ms}");
        }
    }
}

#[test]
fn attack_more_signatures_of_strangers_than_anybody_reads() {
    let (house, commits) = approved(SIGNED);
    let print = |by: &u8| somebody(*by).key.public_key().fingerprint();
    let last = [ANNA, BEN, CLEO, DORA].into_iter().max_by_key(print).expect("somebody");
    sign(&house, last, &commits);
    // All of them lie before the good one.
    let keys = (0u32..)
        .map(|number| LocalKey::from_seed(blake3::hash(&number.to_le_bytes()).as_bytes()).expect("a key"));
    let before = keys.filter(|key| key.public_key().fingerprint() < print(&last));
    let mut edit = house.repository.edit().expect("an edit");
    for key in before.take(pentimento::repo::commit_signatures::SIGNATURES_MAX) {
        let record = record(&statement(commits[0]), &key, Namespace::Commit);
        edit.put_commit_signature(REPOSITORY, commits[0], &record).expect("a signature");
    }
    edit.commit().expect("a commit");
    assert_eq!(verdict(&house), Ok(()));
    let options = verify::Options {
        subject: verify::Subject::Commit(Some(commits[0].to_string())),
        keyring: house.keys().keyring(),
        export: None,
    };
    let report = verify::run(&house.repository, &options, &house.clock, &SilentMonitor).expect("a check");
    let signed = report.commits[0].parts.iter().find(|part| part.topic == "signature").expect("a part");
    assert_eq!(signed.outcome, verify::Outcome::Good, "{signed:?}");
}

#[test]
fn attack_evidence_that_leaves_the_commits_out() {
    let mut studio = Studio::new(&policy(SIGNED));
    let logo = vec![edited("brand/logo.svg", 1, 2)];
    let votes = vec![Ballot::approve(&somebody(BEN), studio.policy_id()).on(&logo)];
    studio.land(DORA, 1, 2, 1, evidence(logo, votes));
    says(&studio.broken(), &format!("and not {} (nobody signed it)", commit(2).short()));
}

#[test]
fn a_rule_of_some_paths_asks_for_signatures_only_when_they_change() {
    let rules = "[[protect]]\nbranch = \"main\"\npaths = \"brand/**\"\nsigned = true\n";
    let land = |file: &str| {
        let house = House::with_policy(rules);
        house.begin("poster");
        house.write(file, "new");
        house.commit(DORA, "new");
        house.submit(DORA, "poster");
        house.land(DORA, "poster").map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(land("poster.txt"), Ok(()));
    says(&land("brand/logo.svg").expect_err("a refusal"), "(nobody signed it)");
}

#[test]
fn who_may_commit_to_such_a_branch_signs_by_that_and_signs_nobody_elses_work() {
    let house = House::with_policy(ONLY_SIGNED);
    house.write("poster.txt", "by hand");
    says(&house.try_commit(DORA, "unsigned").expect_err("a refusal").to_string(), "must sign");
    let report = house.try_commit_as(DORA, "signed").expect("a commit");
    assert_eq!(report.signed, Some(somebody(DORA).key.public_key().fingerprint()));
    // A single commit of somebody else's would go in as it is: nobody signs it unasked.
    house.begin("poster");
    house.write("poster.txt", "by Ben");
    let theirs = house.commit(BEN, "Ben's");
    house.go("main");
    let refusal = house.merge_as(DORA, "draft/poster").expect_err("a refusal").to_string();
    says(&refusal, &format!("and not {} (nobody signed it)", theirs.short()));
    sign(&house, BEN, &[theirs]);
    house.merge_as(DORA, "draft/poster").expect("a merge");
    assert_eq!(house.tip("main"), theirs);
    // Of two commits a merge is made here, and signed by whoever makes it.
    house.begin("two");
    let commits = ["one", "two"].map(|text| {
        house.write("poster.txt", text);
        house.commit(BEN, text)
    });
    sign(&house, BEN, &commits);
    house.go("main");
    house.merge_as(DORA, "draft/two").expect("a merge");
    let view = house.repository.view().expect("a view");
    let signed = view.commit_signatures(house.tip("main")).expect("signatures");
    assert_eq!(signed.len(), 1);
    assert_eq!(signed[0].fingerprint(), somebody(DORA).key.public_key().fingerprint());
    // And an entry with a commit that nobody signed is refused by everybody.
    drop(view);
    let head = house.tip("main");
    let bare = house.merge_commit(DORA, &[head], head);
    let refusal = house.verified_with(&house.landing_entry(DORA, bare, None, &[])).expect_err("a refusal");
    says(&refusal, "(nobody signed it)");
}

#[test]
fn a_policy_that_asks_for_signatures_says_what_that_would_have_meant() {
    let (house, commits) = approved(ONE_EDITOR);
    sign(&house, DORA, &commits[..2]);
    house.land(DORA, "poster").expect("a landing");
    let text = Some(policy(SIGNED));
    let options = check::Options { text, limit: 10 };
    let report = check::run(&house.repository, &options, &house.clock, &SilentMonitor).expect("a check");
    let landed = house.tip("main");
    let line = report.refused.iter().find(|line| line.commit.id == landed).expect("the landing");
    assert_eq!(line.because.len(), 1, "{:?}", line.because);
    for unsigned in [commits[2], landed] {
        says(&line.because[0], &format!("{} (nobody signed it)", unsigned.short()));
    }
    sign(&house, DORA, &[commits[2], landed]);
    let report = check::run(&house.repository, &options, &house.clock, &SilentMonitor).expect("a check");
    assert!(report.refused.iter().all(|line| line.commit.id != landed), "{report:?}");
}
