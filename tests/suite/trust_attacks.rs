//! Attacks on the chain of policies, on the shared log and on the judgement of moves. Each test is
//! an attack; it shows what is refused and what the message says. `docs/threat-model.md` lists them.

use crate::trust_kit::*;
use pentimento::base::id::{ActionId, FileId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::object::approval::Judgement;
use pentimento::object::erasure::Erasure;
use pentimento::object::log_entry::{
    ErasePermitted, KeyRevoked, LogDeed, PolicyTaken, RecoveryAnnounced, RefMoved, SignedEntry, Why,
};
use pentimento::object::policy_link::{PolicyLink, Signed};
use pentimento::object::signature::Namespace;
use pentimento::rules::approval::{Change, Received, Vote};
use pentimento::trust::chain::{ChainError, Meeting, Trust, VerifiedLog, meet, verify};
use pentimento::trust::{LocalKey, Signer};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn take(link: Signed) -> LogDeed {
    LogDeed::Policy(PolicyTaken { link, recovery: false })
}

/// Changes of one file, and verdicts of these people on them under the policy in force.
fn approved(studio: &Studio, changes: &[Change], by: &[u8]) -> Vec<Vote> {
    let policy = studio.policy_id();
    by.iter().map(|number| Ballot::approve(&somebody(*number), policy).on(changes)).collect()
}

fn logo() -> Vec<Change> {
    vec![edited("brand/logo.svg", 1, 2)]
}

/// Says that some text stands in another.
#[track_caller]
fn says(message: &str, part: &str) {
    assert!(message.contains(part), "{message:?} does not say {part:?}");
}

#[test]
fn an_approved_change_lands_and_the_log_says_so() {
    let mut studio = Studio::new(&policy(TWO_EDITORS));
    let votes = approved(&studio, &logo(), &[BEN, CLEO]);
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
    let log = studio.log();
    assert_eq!(log.reference(MAIN), Some(commit(2)));
    assert!(log.has_landed(submission(1)));
    assert_eq!(log.landing(submission(1)), Some(2));
}

#[test]
fn attack_policy_rollback() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let lenient = studio.link(&policy(ONE_EDITOR), &[ANNA]);
    studio.force(ANNA, take(lenient.clone()));
    studio.change_policy(&policy(TWO_EDITORS));
    let before = studio.entries.clone();
    // The lenient policy, which the right people signed once, is written into the log again.
    studio.force(BEN, take(lenient));
    says(&studio.broken(), "policy 2 was in force before and does not come back by itself");
    // And a new link that follows the first policy, as if the others had never been.
    studio.entries = before;
    let log = studio.log();
    let old = unsigned(&policy(ONE_EDITOR), 2, vec![log.root().expect("a root")], BTreeMap::new());
    let old = PolicyLink { made_ms: 5, ..old };
    studio.force(BEN, take(signed_link(&old, &[ANNA])));
    says(&studio.broken(), "follows policy 1, which was followed by others long ago");
}

#[test]
fn attack_policy_number_is_not_the_next() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let skipping = unsigned(&policy(ONE_EDITOR), 9, vec![studio.policy_id()], BTreeMap::new());
    studio.force(ANNA, take(signed_link(&skipping, &[ANNA])));
    says(&studio.broken(), "has number 9 where 2 comes next");
}

#[test]
fn attack_unsigned_or_wrongly_signed_link_in_the_middle() {
    let signers: [(&[u8], &str); 4] = [
        (&[], "1 administrator must sign: nobody has yet, anna could"),
        (&[BEN, CLEO], "1 administrator must sign"),
        (&[STRANGER], "1 administrator must sign"),
        (&[BEN, STRANGER], "1 administrator must sign"),
    ];
    for (by, message) in signers {
        let mut studio = Studio::new(&policy(TWO_EDITORS));
        let link = studio.link(&policy(ONE_EDITOR), by);
        studio.force(BEN, take(link));
        // What follows is as it would be if the link held.
        studio
            .force(BEN, LogDeed::Received(pentimento::object::log_entry::ActionsReceived { heads: vec![] }));
        let broken = studio.broken();
        says(&broken, "entry 2 of the shared log");
        says(&broken, message);
    }
}

#[test]
fn attack_a_signature_for_another_purpose_or_of_another_text() {
    let studio = Studio::new(&policy(TWO_EDITORS));
    let anna = somebody(ANNA);
    let weak = studio.link(&policy(ONE_EDITOR), &[]);
    for namespace in [Namespace::Log, Namespace::Commit, Namespace::Action, Namespace::Erase] {
        let mut link = weak.clone();
        let signature = anna.key.sign(namespace, link.statement.as_bytes()).expect("a signature");
        link.add(&signature).expect("room");
        let mut attacked = Studio::new(&policy(TWO_EDITORS));
        attacked.force(BEN, take(link));
        says(&attacked.broken(), "its policy link is none");
    }
    let mut link = weak;
    let other = anna.key.sign(Namespace::Policy, b"something else").expect("a signature");
    link.add(&other).expect("room");
    let mut attacked = Studio::new(&policy(TWO_EDITORS));
    attacked.force(BEN, take(link));
    says(&attacked.broken(), "its policy link is none");
}

#[test]
fn attack_mid_range_policy_change_ignored() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let votes = approved(&studio, &logo(), &[BEN]);
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
    let seen = studio.log();
    studio.change_policy(&policy(TWO_EDITORS));
    let next = vec![edited("brand/logo.svg", 2, 3)];
    let votes = approved(&studio, &next, &[BEN]);
    studio.land(DORA, 2, 3, 2, evidence(next, votes.iter().map(|vote| about(vote, 2)).collect()));
    // One approval was enough when the range began, and is not at the entry that is judged.
    says(&studio.broken(), "2 editors must approve brand/logo.svg: ben did, cleo could");
    let later = verify(studio.entries.as_slice(), &studio.trust(), Some(seen), &studio.told, &SilentMonitor);
    says(&later.expect_err("a refusal").to_string(), "2 editors must approve");
}

/// The same verdict about another submission.
fn about(vote: &Vote, number: u8) -> Vote {
    let approval = vote.approval.clone().map(|approval| pentimento::object::approval::Approval {
        submission: submission(number),
        ..approval
    });
    Vote { approval, ..vote.clone() }
}

#[test]
fn attack_mid_range_policy_change_does_not_reach_back() {
    let mut studio = Studio::new(&policy(TWO_EDITORS));
    let votes = approved(&studio, &logo(), &[BEN]);
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
    // A later, more lenient policy does not make an earlier move right.
    let link = PolicyLink {
        made_ms: 9,
        ..unsigned(
            &policy(ONE_EDITOR),
            2,
            vec![Studio::new(&policy(TWO_EDITORS)).policy_id()],
            BTreeMap::new(),
        )
    };
    studio.force(ANNA, take(signed_link(&link, &[ANNA])));
    let broken = studio.broken();
    says(&broken, "entry 2 of the shared log");
    says(&broken, "2 editors must approve");
}

#[test]
fn attack_a_global_threshold_overrides_a_rules_own_signers() {
    let rules = "[[protect]]\nbranch = \"*\"\napprovals = [\"2 of editor, designer, administrator\"]\n\n\
                 [[protect]]\nbranch = \"main\"\npaths = \"brand/**\"\napprovals = [\"1 legal\"]\n";
    let mut studio = Studio::new(&policy(rules));
    let votes = approved(&studio, &logo(), &[BEN, ANNA]);
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
    says(&studio.broken(), "1 legal must approve brand/logo.svg: nobody has yet, cleo could");
    // And the narrow rule does not stand in for the broad one.
    let mut studio = Studio::new(&policy(rules));
    let votes = approved(&studio, &logo(), &[CLEO]);
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
    says(&studio.broken(), "2 of editor, designer, administrator must approve");
}

#[test]
fn attack_one_person_counted_twice_through_two_keys() {
    let (ben, second) = (somebody(BEN), LocalKey::from_seed(&[22; 32]).expect("a key"));
    let one = ben.section("ben", &[&ben.key]);
    let text = policy(TWO_EDITORS).replace(&one, &ben.section("ben", &[&ben.key, &second]));
    let mut studio = Studio::new(&text);
    let policy = studio.policy_id();
    let first = Ballot::approve(&ben, policy).on(&logo());
    let again = Ballot { key: &second, ..Ballot::approve(&ben, policy) }.on(&logo());
    studio.land(DORA, 1, 2, 1, evidence(logo(), vec![first, again]));
    says(&studio.broken(), "2 editors must approve brand/logo.svg: ben did, cleo could");
}

#[test]
fn attack_one_key_signs_a_link_twice() {
    let text = policy(&format!("{TWO_EDITORS}\n[policy]\nchange = [\"2 of anna, ben\"]\n"));
    let mut studio = Studio::new(&policy(TWO_EDITORS));
    let link = studio.link(&text, &[ANNA]);
    studio.force(ANNA, take(link));
    let mut link = studio.link(&policy(ONE_EDITOR), &[ANNA]);
    let twice = link.signatures[0].clone();
    link.signatures.push(twice);
    studio.force(ANNA, take(link));
    says(&studio.broken(), "it is not written in its one form");
}

#[test]
fn attack_one_person_fills_two_requirements() {
    let rules = "[[protect]]\nbranch = \"main\"\napprovals = [\"1 editor\", \"1 legal\"]\n";
    let land = |rules: &str, by: &[u8]| {
        let mut studio = Studio::new(&policy(rules));
        let votes = approved(&studio, &logo(), by);
        studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
        studio.verify().map(drop).map_err(|error| error.to_string())
    };
    says(&land(rules, &[CLEO]).expect_err("a refusal"), "must approve");
    assert_eq!(land(rules, &[CLEO, BEN]), Ok(()), "whoever can do only one of the two does that one");
    assert_eq!(land(&format!("{rules}share = true\n"), &[CLEO]), Ok(()));
}

#[test]
fn attack_self_approval() {
    let rules = "[[protect]]\nbranch = \"main\"\napprovals = [\"1 of ben, dora\"]\n";
    let mut studio = Studio::new(&policy(rules));
    let votes = approved(&studio, &logo(), &[DORA]);
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
    let broken = studio.broken();
    says(&broken, "nobody has yet, ben could");
    says(&broken, "what dora said does not count: they made part of it themselves");
    let mut studio = Studio::new(&policy(&format!("{rules}own = true\n")));
    let votes = approved(&studio, &logo(), &[DORA]);
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
    studio.log();
}

#[test]
fn attack_an_approval_replayed_on_another_branch_policy_or_submission() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let (ben, old) = (somebody(BEN), studio.policy_id());
    let now = studio.change_policy(&policy(&format!("{ONE_EDITOR}# the same, said again\n")));
    let ballot = |branch: &'static str, policy, number| {
        Ballot { branch, policy, submission: submission(number), ..Ballot::approve(&ben, now) }.on(&logo())
    };
    for (vote, message) in [
        (ballot("release", Some(now), 1), "it was given for another branch"),
        (ballot("main", Some(old), 1), "it was given under another policy"),
        (ballot("main", None, 1), "it was given under another policy"),
        (ballot("main", Some(now), 2), "it is about another submission"),
    ] {
        let mut attacked = Studio::new(&policy(ONE_EDITOR));
        attacked.change_policy(&policy(&format!("{ONE_EDITOR}# the same, said again\n")));
        attacked.land(DORA, 1, 2, 1, evidence(logo(), vec![vote]));
        says(&attacked.broken(), message);
    }
}

#[test]
fn attack_an_approval_of_another_path_or_of_other_bytes() {
    for approved_change in
        [edited("brand/other.svg", 1, 2), edited("brand/logo.svg", 1, 3), edited("brand/logo.svg", 9, 2)]
    {
        let mut studio = Studio::new(&policy(ONE_EDITOR));
        let votes = approved(&studio, &[approved_change], &[BEN]);
        studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
        says(&studio.broken(), "1 editor must approve brand/logo.svg: nobody has yet, ben and cleo could");
    }
}

#[test]
fn attack_a_deletion_slipped_in_by_whoever_lands() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let votes = approved(&studio, &logo(), &[BEN]);
    let mut all = logo();
    let mut deletion = edited("brand/contract.pdf", 1, 1);
    deletion.transition.after = None;
    all.push(deletion);
    studio.land(CLEO, 1, 2, 1, evidence(all, votes));
    says(&studio.broken(), "1 editor must approve brand/contract.pdf");
}

#[test]
fn attack_a_move_out_of_a_protected_folder() {
    let rules = "[[protect]]\nbranch = \"main\"\npaths = \"brand/**\"\napprovals = [\"1 legal\"]\n";
    let mut studio = Studio::new(&policy(rules));
    let mut moved = edited("brand/logo.svg", 1, 1);
    moved.transition.after.as_mut().expect("a place").path = path("trash/logo.svg");
    studio.land(DORA, 1, 2, 1, evidence(vec![moved], Vec::new()));
    says(&studio.broken(), "1 legal must approve trash/logo.svg");
}

#[test]
fn attack_an_old_approval_lands_again_after_a_revert() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let votes = approved(&studio, &logo(), &[BEN]);
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes.clone()));
    let back = vec![edited("brand/logo.svg", 2, 1)];
    let revert: Vec<Vote> = approved(&studio, &back, &[CLEO]).iter().map(|vote| about(vote, 2)).collect();
    studio.land(DORA, 2, 1, 2, evidence(back, revert));
    studio.log();
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
    says(&studio.broken(), "has landed already, and lands once");
}

#[test]
fn attack_entries_dropped() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let arrived = || LogDeed::Received(pentimento::object::log_entry::ActionsReceived { heads: vec![] });
    for _ in 0..4 {
        studio.force(ANNA, arrived());
    }
    studio.log();
    for dropped in 0..4 {
        let mut entries = studio.entries.clone();
        entries.remove(dropped);
        let error = studio.verify_entries(&entries).expect_err("a refusal").to_string();
        says(&error, "entries are missing or out of order");
    }
}

#[test]
fn attack_entries_reordered() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let arrived = || LogDeed::Received(pentimento::object::log_entry::ActionsReceived { heads: vec![] });
    for _ in 0..3 {
        studio.force(ANNA, arrived());
    }
    studio.entries.swap(1, 2);
    says(&studio.broken(), "has number 3 where 2 comes next");
}

#[test]
fn attack_an_entry_replaced_by_one_of_the_same_number() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let arrived = |number: u8| {
        LogDeed::Received(pentimento::object::log_entry::ActionsReceived {
            heads: vec![ActionId::from_bytes([number; 32])],
        })
    };
    let other = studio.entry(ANNA, arrived(2));
    studio.force(ANNA, arrived(1));
    studio.force(ANNA, arrived(3));
    studio.entries[1] = other;
    says(
        &studio.broken(),
        "entry 3 of the shared log does not verify: it does not follow the entry before it",
    );
}

#[test]
fn attack_two_histories_shown_to_two_people_are_detected_when_they_meet() {
    let mut ours = Studio::new(&policy(ONE_EDITOR));
    let mut theirs = Studio::new(&policy(ONE_EDITOR));
    let arrived = |number: u8| {
        LogDeed::Received(pentimento::object::log_entry::ActionsReceived {
            heads: vec![ActionId::from_bytes([number; 32])],
        })
    };
    for number in 0..5 {
        ours.force(ANNA, arrived(number));
        theirs.force(ANNA, arrived(number));
    }
    let meeting = |ours: &Studio, theirs: &Studio| {
        meet(ours.entries.as_slice(), theirs.entries.as_slice()).expect("readable")
    };
    assert_eq!(meeting(&ours, &theirs), Meeting::Same);
    theirs.force(ANNA, arrived(7));
    assert_eq!(meeting(&ours, &theirs), Meeting::TheyAreAhead { ours: 6, theirs: 7 });
    assert_eq!(meeting(&theirs, &ours), Meeting::WeAreAhead { ours: 7, theirs: 6 });
    ours.force(ANNA, arrived(8));
    ours.force(ANNA, arrived(9));
    // Each verifies by itself; together they are proof against whoever signed both.
    ours.log();
    theirs.log();
    let Meeting::Apart { sequence: 7, ours: a, theirs: b } = meeting(&ours, &theirs) else {
        panic!("they part at entry 7: {:?}", meeting(&ours, &theirs));
    };
    assert_eq!((a, b), (ours.entries[6].id(), theirs.entries[6].id()));
}

#[test]
fn attack_a_log_rolled_back_or_rewritten_behind_what_a_clone_has_seen() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let votes = approved(&studio, &logo(), &[BEN]);
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
    studio.force(ANNA, LogDeed::Received(pentimento::object::log_entry::ActionsReceived { heads: vec![] }));
    let seen = studio.log().checkpoint().expect("bytes");
    let again = |entries: &[SignedEntry]| {
        let seen = VerifiedLog::restore(&seen).expect("readable").expect("of this version");
        verify(entries, &studio.trust(), Some(seen), &studio.told, &SilentMonitor)
    };
    assert!(again(&studio.entries).is_ok());
    let error = again(&studio.entries[..2]).expect_err("a refusal");
    assert!(matches!(error, ChainError::RolledBack { seen: 3, found: 2 }), "{error}");
    says(&error.to_string(), "ends at entry 2, but this clone has seen entry 3: it was rolled back");
    let mut rewritten = studio.entries.clone();
    rewritten[2] = {
        let heads = vec![ActionId::from_bytes([1; 32])];
        let deed = LogDeed::Received(pentimento::object::log_entry::ActionsReceived { heads });
        signed_entry(ANNA, 3, Some(rewritten[1].id()), studio.now_ms, deed)
    };
    says(&again(&rewritten).expect_err("a refusal").to_string(), "the log was rewritten");
    // A withheld tail verifies for whoever has never seen it: the threat model says so.
    assert!(studio.verify_entries(&studio.entries[..2]).is_ok());
}

#[test]
fn attack_another_root_than_the_pinned_one() {
    let studio = Studio::new(&policy(TWO_EDITORS));
    let pinned = Some(Studio::new(&policy(ONE_EDITOR)).policy_id());
    let trust = Trust { pinned, ..studio.trust() };
    let error = verify(studio.entries.as_slice(), &trust, None, &studio.told, &SilentMonitor);
    says(&error.expect_err("a refusal").to_string(), "but this clone trusts");
    let nothing: &[SignedEntry] = &[];
    let error = verify(nothing, &trust, None, &studio.told, &SilentMonitor).expect_err("a refusal");
    says(&error.to_string(), "the first policy is missing");
}

#[test]
fn attack_a_clock_a_year_ahead() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    studio.now_ms += 365 * DAY_MS;
    let votes = approved(&studio, &logo(), &[BEN]);
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
    studio.now_ms = START_MS;
    says(&studio.broken(), "it says that it was received 365 days from now: a clock is wrong");
    // A verdict that claims to be a year younger lasts no longer for it.
    let mut studio = Studio::new(&policy(&format!("{ONE_EDITOR}valid = \"10 days\"\n")));
    let ben = somebody(BEN);
    let claimed = Ballot {
        given_ms: START_MS + 365 * DAY_MS,
        received: Some(Received { sequence: 1, unix_ms: START_MS }),
        ..Ballot::approve(&ben, studio.policy_id())
    };
    let vote = claimed.on(&logo());
    studio.now_ms += 11 * DAY_MS;
    studio.land(DORA, 1, 2, 1, evidence(logo(), vec![vote]));
    says(&studio.broken(), "what ben said does not count: it has lapsed");
}

#[test]
fn attack_an_entry_that_says_it_came_before_the_one_before_it() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    studio.now_ms -= DAY_MS;
    studio.force(ANNA, LogDeed::Received(pentimento::object::log_entry::ActionsReceived { heads: vec![] }));
    studio.now_ms += DAY_MS;
    says(&studio.broken(), "it was received before the entry before it");
}

fn revoke(by: u8) -> LogDeed {
    let key = somebody(by).key.public_key().fingerprint();
    LogDeed::Revoke(KeyRevoked { key, reason: "the laptop was stolen".into() })
}

#[test]
fn attack_a_revoked_key_that_backdates() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let ben = somebody(BEN);
    let policy_id = studio.policy_id();
    studio.now_ms += DAY_MS;
    studio.force(ANNA, revoke(BEN));
    studio.now_ms += DAY_MS;
    let before = studio.entries.len();
    // The thief says that it was given on the first day; the log received it on the third.
    let backdated = Ballot { given_ms: START_MS, ..Ballot::approve(&ben, policy_id) };
    studio.land(DORA, 1, 2, 1, evidence(logo(), vec![backdated.on(&logo())]));
    says(&studio.broken(), "what ben said does not count: its key was revoked before it arrived");
    // What the log had received before the revocation counts on.
    studio.entries.truncate(before);
    let received = Some(Received { sequence: 1, unix_ms: START_MS });
    let honest = Ballot { received, ..Ballot::approve(&ben, policy_id) };
    studio.land(DORA, 1, 2, 1, evidence(logo(), vec![honest.on(&logo())]));
    studio.log();
    // And nothing that the key signs enters the log.
    studio.force(BEN, LogDeed::Received(pentimento::object::log_entry::ActionsReceived { heads: vec![] }));
    says(&studio.broken(), "was revoked by entry 2");
}

#[test]
fn attack_a_revoked_key_signs_a_policy_link() {
    let text = policy(&format!("{TWO_EDITORS}\n[policy]\nchange = [\"1 of anna, ben\"]\n"));
    let mut studio = Studio::new(&text);
    studio.force(ANNA, revoke(BEN));
    let link = studio.link(&policy(ONE_EDITOR), &[BEN]);
    studio.force(ANNA, take(link));
    says(&studio.broken(), "1 of anna, ben must sign");
}

#[test]
fn attack_an_expired_key_before_and_after_the_fact() {
    let ben = somebody(BEN);
    let plain = format!("{{ key = \"{}\" }}", ben.key.public_key().to_openssh());
    let limited = format!(
        "{{ key = \"{}\", from = \"2026-03-03\", until = \"2026-03-10\" }}",
        ben.key.public_key().to_openssh()
    );
    let text = policy(ONE_EDITOR).replace(&plain, &limited);
    for (days, counts) in [(0, false), (3, true), (8, true), (9, false), (300, false)] {
        let mut studio = Studio::new(&text);
        let policy_id = studio.policy_id();
        studio.now_ms += days * DAY_MS;
        // The verdict always claims a moment at which the key was good.
        let vote = Ballot { given_ms: START_MS + 4 * DAY_MS, ..Ballot::approve(&ben, policy_id) };
        studio.land(DORA, 1, 2, 1, evidence(logo(), vec![vote.on(&logo())]));
        assert_eq!(studio.verify().is_ok(), counts, "after {days} days");
        if !counts {
            says(&studio.broken(), "its key did not count at that time");
        }
    }
}

#[test]
fn attack_two_rival_policy_links() {
    let mut studio = Studio::new(&policy(TWO_EDITORS));
    let root = studio.policy_id();
    let first = studio.link(&policy(ONE_EDITOR), &[ANNA]);
    let made = |made_ms, text: &str| PolicyLink { made_ms, ..unsigned(text, 2, vec![root], BTreeMap::new()) };
    let second = signed_link(&made(77, &policy(TWO_EDITORS)), &[ANNA]);
    let ids = [PolicyLink::id_of(&first.statement), PolicyLink::id_of(&second.statement)];
    studio.force(ANNA, take(first));
    let before = studio.entries.clone();
    // Nobody but the quorum can start a dispute.
    studio.force(BEN, take(signed_link(&made(78, &policy(ONE_EDITOR)), &[BEN, STRANGER])));
    says(&studio.broken(), "1 administrator must sign");
    studio.entries = before;
    studio.force(ANNA, take(second));
    let log = studio.log();
    let mut rivals = ids.to_vec();
    rivals.sort_unstable();
    assert_eq!(log.dispute().map(|dispute| dispute.rivals.clone()), Some(rivals.clone()));
    // Nothing moves meanwhile, neither under the one nor under the other.
    let disputed = studio.entries.clone();
    let votes = [BEN, CLEO].map(|number| Ballot::approve(&somebody(number), ids[0]).on(&logo()));
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes.to_vec()));
    says(&studio.broken(), "until a link that names them both is signed, nothing else counts");
    // A link that follows only one of them settles nothing, nor does one that others signed.
    for (parents, signers, message) in [
        (vec![ids[0]], vec![ANNA], "until a link that names them both is signed"),
        (rivals.clone(), vec![BEN, CLEO], "1 administrator must sign"),
    ] {
        studio.entries = disputed.clone();
        let link = unsigned(&policy(TWO_EDITORS), 3, parents, BTreeMap::new());
        studio.force(ANNA, take(signed_link(&link, &signers)));
        says(&studio.broken(), message);
    }
    studio.entries = disputed;
    let link = unsigned(&policy(TWO_EDITORS), 3, rivals, BTreeMap::new());
    studio.force(ANNA, take(signed_link(&link, &[ANNA])));
    let settled = studio.log();
    assert!(settled.dispute().is_none());
    assert_eq!(settled.in_force().map(|in_force| in_force.number), Some(3));
    assert_eq!(settled.reference(MAIN), Some(commit(1)));
}

#[test]
fn attack_an_administrator_who_was_put_out_starts_a_dispute() {
    let both = policy(&format!("{TWO_EDITORS}\n[policy]\nchange = [\"1 of anna, ben\"]\n"));
    let mut studio = Studio::new(&both);
    let root = studio.policy_id();
    // Anna puts Ben out; Ben signs a link that follows the same one as hers.
    let ben = somebody(BEN);
    let without = policy(ONE_EDITOR)
        .replace(&ben.section("ben", &[&ben.key]), "")
        .replace("[\"ben\", \"cleo\"]", "[\"cleo\"]");
    let link = studio.link(&without, &[ANNA]);
    studio.force(ANNA, take(link));
    studio.log();
    let rival = unsigned(&both, 2, vec![root], BTreeMap::new());
    studio.force(CLEO, take(signed_link(&rival, &[BEN])));
    says(&studio.broken(), "1 of anna, ben must sign: nobody has yet");
}

#[test]
fn attack_an_administrator_who_was_put_out_or_down_revokes_keys_in_a_dispute() {
    let both = policy(&format!("{TWO_EDITORS}\n[policy]\nchange = [\"1 of anna, ben\"]\n"));
    let ben = somebody(BEN);
    let out = policy(ONE_EDITOR)
        .replace(&ben.section("ben", &[&ben.key]), "")
        .replace("[\"ben\", \"cleo\"]", "[\"cleo\"]");
    // Anna puts Ben out, or only takes the policy out of his hands, by two links of which neither knew the other.
    for (without, refusal) in
        [(out, "the policy does not know the key"), (policy(ONE_EDITOR), "ben may not do that")]
    {
        let mut studio = Studio::new(&both);
        let root = studio.policy_id();
        let made = |made_ms| PolicyLink { made_ms, ..unsigned(&without, 2, vec![root], BTreeMap::new()) };
        studio.force(ANNA, take(signed_link(&made(1), &[ANNA])));
        studio.force(ANNA, take(signed_link(&made(2), &[ANNA])));
        assert!(studio.log().dispute().is_some());
        studio.force(BEN, revoke(ANNA));
        says(&studio.broken(), refusal);
        // Anna still ends keys, and settles it.
        studio.entries.pop();
        studio.force(ANNA, revoke(BEN));
        let log = studio.log();
        let rivals = log.dispute().expect("a dispute").rivals.clone();
        let link = unsigned(&without, 3, rivals, BTreeMap::new());
        studio.force(ANNA, take(signed_link(&link, &[ANNA])));
        assert!(studio.log().dispute().is_none());
    }
}

#[test]
fn attack_a_dispute_that_is_settled_is_started_again() {
    let mut studio = Studio::new(&policy(TWO_EDITORS));
    let root = studio.policy_id();
    let made = |made_ms, number, parents| PolicyLink {
        made_ms,
        ..unsigned(&policy(TWO_EDITORS), number, parents, BTreeMap::new())
    };
    let rivals = [made(1, 2, vec![root]), made(2, 2, vec![root])];
    let mut ids: Vec<_> =
        rivals.iter().map(|link| PolicyLink::id_of(&link.encode().expect("a link"))).collect();
    for link in &rivals {
        studio.force(ANNA, take(signed_link(link, &[ANNA])));
    }
    let first = ids[0];
    ids.sort_unstable();
    studio.force(ANNA, take(signed_link(&made(3, 3, ids), &[ANNA])));
    let settled = studio.entries.clone();
    for link in [made(4, 2, vec![root]), made(5, 3, vec![first])] {
        studio.entries = settled.clone();
        studio.force(ANNA, take(signed_link(&link, &[ANNA])));
        says(&studio.broken(), "which was followed by others long ago");
    }
}

#[test]
fn attack_a_strangers_tombstone() {
    let erasure = Erasure {
        repository: REPOSITORY,
        file: FileId::from_bytes([1; 32]),
        size: 9,
        made_ms: START_MS,
        reason: "gone".into(),
    };
    let signed = |signers: &[u8]| {
        let mut signed = Signed::unsigned(erasure.encode().expect("a statement"));
        for signer in signers {
            somebody(*signer).writer().sign_erasure(&mut signed).expect("a signature");
        }
        LogDeed::Erase(ErasePermitted { erasure: signed })
    };
    for by in [vec![STRANGER], vec![], vec![BEN, CLEO, DORA]] {
        let mut studio = Studio::new(&policy(ONE_EDITOR));
        studio.force(BEN, signed(&by));
        says(&studio.broken(), "1 administrator must sign");
    }
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    studio.force(STRANGER, signed(&[ANNA]));
    says(&studio.broken(), "the policy does not know the key");
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    studio.force(BEN, signed(&[ANNA]));
    assert!(studio.log().may_erase(erasure.file));
    assert!(!studio.log().may_erase(FileId::from_bytes([2; 32])));
}

#[test]
fn attack_a_link_that_moves_a_branch_by_saying_where_it_starts() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let starts = BTreeMap::from([(MAIN.to_owned(), commit(66))]);
    let link = unsigned(&policy(ONE_EDITOR), 2, vec![studio.policy_id()], starts);
    studio.force(ANNA, take(signed_link(&link, &[ANNA])));
    says(&studio.broken(), "it says that branch/main starts somewhere else than it stands");
}

#[test]
fn attack_a_move_from_where_the_branch_is_not_or_of_a_removed_branch() {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let votes = approved(&studio, &logo(), &[BEN]);
    studio.land(DORA, 5, 6, 1, evidence(logo(), votes));
    says(&studio.broken(), "by the shared log it is at");
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let why = Why::Direct {};
    studio.force(
        ANNA,
        LogDeed::Move(RefMoved {
            reference: MAIN.into(),
            from: Some(commit(1)),
            to: None,
            why,
            heads: vec![],
        }),
    );
    says(&studio.broken(), "it cannot be removed while the policy protects it");
}

#[test]
fn attack_somebody_writes_who_may_not() {
    let rules = format!("{ONE_EDITOR}\n[policy]\nchange = [\"1 administrator\"]\nkeepers = [\"anna\"]\n");
    let mut studio = Studio::new(&policy(&rules));
    let arrived = || LogDeed::Received(pentimento::object::log_entry::ActionsReceived { heads: vec![] });
    studio.force(BEN, arrived());
    says(&studio.broken(), "ben may not write into the log");
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    studio.force(STRANGER, arrived());
    says(&studio.broken(), "the policy does not know the key");
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    studio.force(DORA, revoke(ANNA));
    says(&studio.broken(), "dora may not do that");
}

#[test]
fn only_fields_of_permitted_classes_change_without_a_submission_and_only_by_the_role() {
    let rules = format!("{TWO_EDITORS}direct = {{ labels = [\"designer\"], rights = [\"legal\"] }}\n");
    let move_by = |by: u8, change: Change| {
        let mut studio = Studio::new(&policy(&rules));
        let (from, to) = (Some(commit(1)), Some(commit(2)));
        studio.told.tell(from, to, evidence(vec![change], Vec::new()));
        let why = Why::Direct {};
        studio.force(by, LogDeed::Move(RefMoved { reference: MAIN.into(), from, to, why, heads: vec![] }));
        studio.verify().map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(move_by(DORA, relabelled("a.psd", &["labels"])), Ok(()));
    assert_eq!(move_by(CLEO, relabelled("a.psd", &["rights.model-release", "rights.until"])), Ok(()));
    let two_must =
        |result: Result<(), String>| says(&result.expect_err("a refusal"), "2 editors must approve a.psd");
    two_must(move_by(BEN, relabelled("a.psd", &["labels"])));
    two_must(move_by(DORA, relabelled("a.psd", &["labels", "rights.until"])));
    two_must(move_by(DORA, relabelled("a.psd", &["labelsx"])));
    two_must(move_by(DORA, edited("a.psd", 1, 2)));
}

#[test]
fn an_objection_of_somebody_who_is_asked_holds_a_landing_up() {
    let land = |judgement, by: u8| {
        let mut studio = Studio::new(&policy(ONE_EDITOR));
        let policy_id = studio.policy_id();
        let ben = somebody(BEN);
        let person = somebody(by);
        let objection = Ballot { judgement, ..Ballot::approve(&person, policy_id) }.on(&logo());
        let votes = vec![Ballot::approve(&ben, policy_id).on(&logo()), objection];
        studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
        studio.verify().map(drop).map_err(|error| error.to_string())
    };
    says(&land(Judgement::Reject, CLEO).expect_err("a refusal"), "cleo rejected brand/logo.svg");
    says(
        &land(Judgement::RequestChanges, CLEO).expect_err("a refusal"),
        "cleo asked for changes of brand/logo.svg",
    );
    assert_eq!(land(Judgement::Reject, ANNA), Ok(()), "nobody asked anna");
}

#[test]
fn attack_a_recovery_that_does_not_wait_or_was_not_announced() {
    let rules = format!(
        "{TWO_EDITORS}\n[policy]\nchange = [\"1 administrator\"]\nrecovery = {{ by = [\"2 editor\"], after = \"30 days\" }}\n"
    );
    let fresh = || Studio::new(&policy(&rules));
    let mut studio = fresh();
    let link = studio.link(&policy(ONE_EDITOR), &[BEN, CLEO]);
    let recover = || LogDeed::Policy(PolicyTaken { link: link.clone(), recovery: true });
    let announce = || LogDeed::Recovery(RecoveryAnnounced { link: link.clone() });
    studio.force(BEN, recover());
    says(&studio.broken(), "was not announced before");
    let mut studio = fresh();
    studio.force(BEN, announce());
    studio.now_ms += 29 * DAY_MS;
    studio.force(BEN, recover());
    says(&studio.broken(), "has not been announced for long enough: 1 day to go");
    // A clock that is ahead does not make the time pass.
    let mut studio = fresh();
    studio.force(BEN, announce());
    studio.now_ms += 31 * DAY_MS;
    studio.force(BEN, recover());
    studio.now_ms = START_MS + DAY_MS;
    says(&studio.broken(), "a clock is wrong");
    // Whoever still can change the policy calls it off by doing so.
    let mut studio = fresh();
    studio.force(BEN, announce());
    studio.change_policy(&policy(&rules));
    studio.now_ms += 31 * DAY_MS;
    studio.force(BEN, recover());
    assert!(studio.verify().is_err());
    let mut studio = fresh();
    studio.force(BEN, announce());
    studio.now_ms += 30 * DAY_MS;
    studio.force(BEN, recover());
    assert_eq!(studio.log().in_force().map(|in_force| in_force.number), Some(2));
    let alone = fresh().link(&policy(ONE_EDITOR), &[BEN]);
    let mut studio = fresh();
    studio.force(BEN, LogDeed::Recovery(RecoveryAnnounced { link: alone }));
    says(&studio.broken(), "2 editors must sign: ben did, cleo could");
}

/// A log with one of everything.
fn full() -> Studio {
    let mut studio = Studio::new(&policy(ONE_EDITOR));
    let votes = approved(&studio, &logo(), &[BEN]);
    studio.land(DORA, 1, 2, 1, evidence(logo(), votes));
    studio.change_policy(&policy(TWO_EDITORS));
    studio.force(ANNA, revoke(DORA));
    studio
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn attack_any_byte_of_any_entry_changed(which in 0usize..4, at in any::<prop::sample::Index>(), byte in any::<u8>(), in_signature in any::<bool>()) {
        let studio = full();
        let mut entries = studio.entries.clone();
        let mut record = entries[which].encode();
        let statement = entries[which].statement.len();
        let range = if in_signature { statement..record.len() } else { 0..statement };
        let at = range.start + at.index(range.len());
        prop_assume!(record[at] != byte);
        record[at] = byte;
        // It cannot be read any more, or it does not verify.
        if let Ok(changed) = SignedEntry::decode(&record) {
            entries[which] = changed;
            prop_assert!(studio.verify_entries(&entries).is_err());
        }
    }
}
