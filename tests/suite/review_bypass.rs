//! Ways around a review: people with keys and clients of their own who leave out, take over, make up or put
//! back what others said. Each test is an attack; it shows what is refused and what the message says.

use crate::review_kit::{House, path, verdict_of};
use crate::trust_kit::{ANNA, BEN, CLEO, DORA, ONE_EDITOR, STRANGER, TWO_EDITORS, policy, somebody};
use pentimento::app::review::certificate::{self, Options, Subject};
use pentimento::base::id::{ActionId, PersonId};
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::Clock as _;
use pentimento::object::action::{Comment, Deed};
use pentimento::object::approval::Judgement;
use pentimento::object::log_entry::{ActionsReceived, KeyRevoked, LogDeed};
use pentimento::object::signature::Namespace;
use pentimento::object::source::ObjectSource as _;
use pentimento::trust::{LocalKey, Signer};

/// Dora submits two files to a branch that is protected so.
fn submitted(rules: &str) -> House {
    let house = House::with_policy(rules);
    house.begin("poster");
    house.write("brand/logo.svg", "<svg>new</svg>");
    house.write("poster.txt", "Harbour, summer\n");
    house.commit(DORA, "Summer");
    house.submit(DORA, "poster");
    house
}

fn submission_of(house: &House, draft: &str) -> ActionId {
    house.review(draft).submission.id
}

/// Says that some text stands in another.
#[track_caller]
fn says(message: &str, part: &str) {
    assert!(message.contains(part), "{message:?} does not say {part:?}");
}

/// A landing of the draft by somebody's own client, judged by heads of its choice.
fn landing(house: &House, draft: &str, heads: &[ActionId]) -> pentimento::object::log_entry::SignedEntry {
    let head = house.tip(&format!("draft/{draft}"));
    let merge = house.merge_commit(DORA, &[house.tip("main"), head], head);
    house.landing_entry(DORA, merge, Some(submission_of(house, draft)), heads)
}

fn received(house: &House, heads: &[ActionId]) {
    let mut heads = heads.to_vec();
    heads.sort_unstable();
    house.append(&house.next_entry(ANNA, LogDeed::Received(ActionsReceived { heads })));
}

fn rejected(house: &House, by: u8) -> ActionId {
    house.judge(by, "poster", Judgement::Reject, &[]).expect("a verdict").verdict.action
}

#[test]
fn attack_a_landing_that_leaves_out_an_objection() {
    let house = submitted(ONE_EDITOR);
    let approval = house.approve(BEN, "poster");
    assert!(house.verified_with(&landing(&house, "poster", &[approval])).is_ok(), "as it is, it lands");
    let objection = rejected(&house, CLEO);
    // Whoever lands names the approval only. Who does not know of more cannot say; who does, does.
    let entry = landing(&house, "poster", &[approval]);
    assert!(house.verified_with(&entry).is_ok());
    says(&house.verified_with_all(&entry).expect_err("a refusal"), "cleo rejected");
    // What the log has received before cannot be unseen by anybody.
    received(&house, &[objection]);
    let entry = landing(&house, "poster", &[approval]);
    says(&house.verified_with(&entry).expect_err("a refusal"), "cleo rejected");
}

#[test]
fn attack_a_landing_that_leaves_out_that_an_approval_was_taken_back() {
    let house = submitted(ONE_EDITOR);
    let approval = house.approve(BEN, "poster");
    house.withdraw(BEN, "poster", true).expect("taken back");
    let entry = landing(&house, "poster", &[approval]);
    says(&house.verified_with_all(&entry).expect_err("a refusal"), "1 editor must approve");
    let view = house.repository.view().expect("a view");
    let heads = pentimento::app::review::log::Reading::of(&house.repository, &house.keys(), &SilentMonitor)
        .expect("a log")
        .log
        .state
        .heads;
    drop(view);
    received(&house, &heads);
    let entry = landing(&house, "poster", &[approval]);
    says(&house.verified_with(&entry).expect_err("a refusal"), "1 editor must approve");
}

#[test]
fn attack_a_landing_that_leaves_out_that_the_submission_was_taken_back() {
    let house = submitted(ONE_EDITOR);
    let approval = house.approve(BEN, "poster");
    let entry = landing(&house, "poster", &[approval]);
    house.withdraw(DORA, "poster", false).expect("taken back");
    says(&house.verified_with_all(&entry).expect_err("a refusal"), "was taken back");
}

#[test]
fn attack_a_landing_that_names_what_is_kept_from_others() {
    let house = submitted(ONE_EDITOR);
    let objection = rejected(&house, CLEO);
    let approval = house.approve(BEN, "poster");
    let entry = landing(&house, "poster", &[approval]);
    // Ben had seen Cleo's objection. A clone from which it is withheld does not judge without it.
    house.withhold(objection);
    says(&house.verified_with(&entry).expect_err("a refusal"), "missing here");
}

/// Revokes somebody's first key.
fn revoke(house: &House, by: u8) {
    let key = somebody(by).key.public_key().fingerprint();
    house.append(&house.next_entry(ANNA, LogDeed::Revoke(KeyRevoked { key, reason: String::new() })));
}

/// The policy with a second key for Ben.
fn two_keys_for_ben(rules: &str, second: &str) -> String {
    let line = somebody(BEN).key.public_key().to_openssh();
    let one = format!("{{ key = \"{line}\" }}");
    policy(rules).replace(&one, &format!("{one}, {second}"))
}

#[test]
fn attack_a_key_that_does_not_count_takes_an_objection_back() {
    let second = LocalKey::from_seed(&[22; 32]).expect("a key");
    let line = second.public_key().to_openssh();
    // Ben objects with his second key; a thief has the first one, which was revoked or has expired.
    for (first_is, rules) in [("revoked", ONE_EDITOR), ("expired", ONE_EDITOR)] {
        let house = House::new();
        let mut text = two_keys_for_ben(rules, &format!("{{ key = \"{line}\" }}"));
        if first_is == "expired" {
            let plain = format!("{{ key = \"{}\" }}", somebody(BEN).key.public_key().to_openssh());
            let ended = plain.replace(" }", ", until = \"2026-02-01\" }");
            text = text.replace(&plain, &ended);
        }
        house.set_policy_text(&text, 1);
        house.begin("poster");
        house.write("poster.txt", "Harbour, summer\n");
        house.commit(DORA, "Summer");
        house.submit(DORA, "poster");
        house.approve(CLEO, "poster");
        let template = house.judge(ANNA, "poster", Judgement::Reject, &[]).expect("a verdict").verdict.action;
        let objection = house.plant(
            &house.forged(template, &second, Namespace::Action, |action| action.actor = somebody(BEN).id),
            &[],
        );
        says(&house.refused(DORA, "poster"), "ben rejected");
        if first_is == "revoked" {
            revoke(&house, BEN);
        }
        let policy_id = house.keys().policy();
        let thief = somebody(BEN).key;
        let approve = |action: &mut pentimento::object::action::Action| {
            action.actor = somebody(BEN).id;
            action.heads = vec![objection];
            let mut verdict = verdict_of(action).clone();
            verdict.policy = policy_id;
            action.deed = Deed::Approve(verdict);
        };
        let stolen = house.plant(&house.forged(template, &thief, Namespace::Action, approve), &[]);
        says(&house.refused(DORA, "poster"), "ben rejected");
        house.withhold(stolen);
        let take_back = |action: &mut pentimento::object::action::Action| {
            action.actor = somebody(BEN).id;
            action.heads = vec![objection];
            let submission = verdict_of(action).submission;
            action.deed = Deed::WithdrawVerdict { submission, verdict: objection };
        };
        let stolen = house.plant(&house.forged(template, &thief, Namespace::Action, take_back), &[]);
        says(&house.refused(DORA, "poster"), "ben rejected");
        house.withhold(stolen);
        // The key that counts does it.
        house.plant(&house.forged(template, &second, Namespace::Action, take_back), &[]);
        house.land(DORA, "poster").expect("nobody objects any more");
    }
}

#[test]
fn attack_a_revoked_key_takes_a_submission_back() {
    let house = submitted(ONE_EDITOR);
    let approval = house.approve(BEN, "poster");
    received(&house, &[approval]);
    revoke(&house, DORA);
    let submission = submission_of(&house, "poster");
    let record = house.forged(approval, &somebody(DORA).key, Namespace::Action, |action| {
        action.actor = somebody(DORA).id;
        action.deed = Deed::Withdraw { submission };
        action.heads = vec![approval];
    });
    let withdrawal = house.plant(&record, &[]);
    let head = house.tip("draft/poster");
    let merge = house.merge_commit(CLEO, &[house.tip("main"), head], head);
    let entry = house.landing_entry(CLEO, merge, Some(submission), &[withdrawal]);
    assert!(house.verified_with(&entry).is_ok(), "a thief's word stops nothing");
}

#[test]
fn objections_stand_under_any_policy_and_approvals_only_under_theirs() {
    let house = submitted(ONE_EDITOR);
    rejected(&house, CLEO);
    house.approve(BEN, "poster");
    house.set_policy(&format!("{ONE_EDITOR}# said again\n"), 2);
    house.approve(BEN, "poster");
    says(&house.refused(DORA, "poster"), "cleo rejected");
    house.approve(CLEO, "poster");
    house.land(DORA, "poster").expect("whoever objected approves now");
}

#[test]
fn attack_self_approval_under_a_made_up_author() {
    let house = House::with_policy(ONE_EDITOR);
    house.begin("poster");
    house.write("poster.txt", "Harbour, summer\n");
    house.commit(STRANGER, "By somebody who does not exist");
    // A submission that nobody of the policy made is none, whoever approves it.
    house.submit(STRANGER, "poster");
    let id = house.list_ids()[0];
    let approval = house.approve(BEN, &id.to_string());
    let refusal = house.land(BEN, &id.to_string()).expect_err("a refusal").to_string();
    says(&refusal, "nobody whom the policy knows asked for it");
    let head = house.tip("draft/poster");
    let merge = house.merge_commit(BEN, &[house.tip("main"), head], head);
    let entry = house.landing_entry(BEN, merge, Some(id), &[approval]);
    says(&house.verified_with(&entry).expect_err("a refusal"), "nobody whom the policy knows");
    // Asked for by Ben himself, it is his own.
    house.submit(BEN, "poster");
    house.approve(BEN, "poster");
    says(&house.refused(BEN, "poster"), "they made part of it themselves");
}

#[test]
fn attack_a_superseded_round_lands() {
    let house = submitted(ONE_EDITOR);
    let first = house.tip("draft/poster");
    let approval = house.approve(BEN, "poster");
    house.write("poster.txt", "Harbour, autumn\n");
    house.commit(DORA, "The right season");
    house.submit(DORA, "poster");
    let heads = [house.comment(BEN, "poster", &[], "Looking").comment.action, approval];
    let submission = submission_of(&house, "poster");
    let merge = house.merge_commit(DORA, &[house.tip("main"), first], first);
    let entry = house.landing_entry(DORA, merge, Some(submission), &heads[..1]);
    let refusal = house.verified_with(&entry).expect_err("a refusal");
    says(&refusal, "the submission as it is now does not ask for what would become of poster.txt");
}

#[test]
fn attack_half_of_a_submission_lands() {
    let house = submitted(ONE_EDITOR);
    let approval = house.approve(BEN, "poster");
    // Another state: the new logo and the old poster.
    house.go("main");
    house.begin("half");
    house.write("brand/logo.svg", "<svg>new</svg>");
    let half = house.commit(DORA, "Only the logo");
    let merge = house.merge_commit(DORA, &[house.tip("main"), house.tip("draft/poster")], half);
    let entry = house.landing_entry(DORA, merge, Some(submission_of(&house, "poster")), &[approval]);
    let refusal = house.verified_with(&entry).expect_err("a refusal");
    says(&refusal, "the submission asks for poster.txt as well");
}

#[test]
fn attack_states_in_between_become_the_branchs() {
    let rules = "[[protect]]\nbranch = \"main\"\npaths = \"brand/**\"\napprovals = [\"1 editor\"]\n";
    let house = House::with_policy(rules);
    house.begin("slip");
    house.write("brand/logo.svg", "<svg>forbidden</svg>");
    house.commit(DORA, "In");
    house.write("brand/logo.svg", "<svg>old</svg>");
    house.commit(DORA, "And out again");
    let entry = house.landing_entry(DORA, house.tip("draft/slip"), None, &[]);
    says(&house.verified_with(&entry).expect_err("a refusal"), "it goes on by one commit at a time");
    // As one step nothing is different, and nothing is asked.
    let head = house.tip("draft/slip");
    let merge = house.merge_commit(DORA, &[house.tip("main"), head], head);
    assert!(house.verified_with(&house.landing_entry(DORA, merge, None, &[])).is_ok());
    // A merge into the branch makes such a step by itself.
    house.go("main");
    house.write("web.txt", "free\n");
    house.begin("free");
    for text in ["one\n", "two\n"] {
        house.write("web.txt", text);
        house.commit(DORA, "Free");
    }
    let start = house.tip("main");
    house.go("main");
    house.merge_as(DORA, "draft/free").expect("what no rule asks about");
    let view = house.repository.view().expect("a view");
    assert_eq!(view.commit(house.tip("main")).expect("a commit").parents[0], start);
}

/// A comment of a stranger about nothing.
fn noise(house: &House, template: ActionId, number: u32) -> ActionId {
    let bytes = blake3::hash(&number.to_le_bytes());
    let key = LocalKey::from_seed(bytes.as_bytes()).expect("a key");
    let record = house.forged(template, &key, Namespace::Action, |action| {
        action.actor = PersonId::from_slice(&bytes.as_bytes()[..16]).expect("an id");
        action.heads = Vec::new();
        action.previous = None;
        action.deed = Deed::Comment(Comment { submission: None, reply: None, paths: vec![], about: vec![] });
    });
    house.plant(&record, &[])
}

#[test]
fn attack_more_loose_ends_than_a_landing_can_name() {
    let house = submitted(ONE_EDITOR);
    let approval = house.approve(BEN, "poster");
    for number in 0..300 {
        noise(&house, approval, number);
    }
    let landed = house.land(DORA, "poster").expect("strangers' noise stops nothing");
    assert_eq!(landed.heads, [approval]);
}

#[test]
fn attack_a_strangers_gap_and_a_strangers_landing_stop_nothing() {
    let house = submitted(ONE_EDITOR);
    let submission = submission_of(&house, "poster");
    let approval = house.approve(BEN, "poster");
    // Verdicts of somebody unknown that come after what does not exist.
    let record = house.forged(approval, &somebody(STRANGER).key, Namespace::Action, |action| {
        action.actor = somebody(STRANGER).id;
        action.heads = vec![ActionId::from_bytes([0xee; 32])];
        action.previous = None;
    });
    house.plant(&record, &[]);
    // And the word that it has landed, with a commit that the branch has.
    let commit = house.tip("main");
    let record = house.forged(approval, &somebody(STRANGER).key, Namespace::Action, |action| {
        action.actor = somebody(STRANGER).id;
        action.deed = Deed::Land { submission, branch: "main".into(), commit };
    });
    house.plant(&record, &[]);
    assert!(house.review("poster").gaps.is_empty());
    house.land(DORA, "poster").expect("a landing");
    // Where no policy protects the branch, the commit itself has to say so.
    let house = House::new();
    house.begin("poster");
    house.write("poster.txt", "Harbour, summer\n");
    house.commit(DORA, "Summer");
    house.submit(DORA, "poster");
    let approval = house.approve(BEN, "poster");
    let (submission, commit) = (submission_of(&house, "poster"), house.tip("main"));
    let record = house.forged(approval, &somebody(STRANGER).key, Namespace::Action, |action| {
        action.actor = somebody(STRANGER).id;
        action.deed = Deed::Land { submission, branch: "main".into(), commit };
    });
    house.plant(&record, &[]);
    house.land(DORA, "poster").expect("a landing");
    says(&house.refused(DORA, "poster"), "has landed");
}

#[test]
fn attack_a_name_that_finds_somebody_elses_submission() {
    let house = submitted(ONE_EDITOR);
    let anna = submission_of(&house, "poster");
    let other = |by: u8, change: &str| {
        let record = house.forged(anna, &somebody(by).key, Namespace::Action, |action| {
            action.actor = somebody(by).id;
            action.heads = vec![anna];
            let Deed::Submit(proposal) = &mut action.deed else { panic!("a submission") };
            proposal.reviewers = vec![change.to_owned()];
        });
        house.plant(&record, &[])
    };
    // A stranger's is not found by the name of the draft.
    let strangers = other(STRANGER, "x");
    assert_eq!(submission_of(&house, "poster"), anna);
    assert_eq!(submission_of(&house, &strangers.to_string()[..12]), strangers, "by its id it is");
    // Somebody else's of the team is not taken for the one that is meant.
    let second = other(CLEO, "y");
    let error = house.judge(BEN, "poster", Judgement::Approve, &[]).expect_err("two could be meant");
    let text = error.to_string();
    says(&text, "2 submissions could be meant");
    says(&text, "by dora, 2 assets");
    says(&text, &second.short());
    // A few letters of an id name nothing.
    let few = house.judge(BEN, &anna.to_string()[..6], Judgement::Approve, &[]);
    says(&few.expect_err("too short").to_string(), "there is no submission");
}

#[test]
fn attack_a_stranger_who_calls_himself_ben() {
    let house = submitted(ONE_EDITOR);
    house.approve(STRANGER, "poster");
    let review = house.review("poster");
    assert_eq!((review.submission.approved, review.submission.assets), (0, 2));
    assert!(review.assets.iter().all(|asset| asset.approved_by.is_empty()));
    assert!(review.verdicts[0].stranger);
    assert_eq!(review.verdicts[0].by.name.as_deref(), Some("A stranger (not in the policy)"));
    house.approve(BEN, "poster");
    let review = house.review("poster");
    assert_eq!(review.submission.approved, 2);
    assert_eq!(review.assets[0].approved_by[0].name.as_deref(), Some("ben"));
}

fn certificate(house: &House, subject: Subject) -> Result<certificate::Report, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { subject, folder: folder.path().join("certificate"), files: false };
    certificate::run(&house.repository, &options, &house.keys(), &house.clock, &SilentMonitor)
        .map_err(|error| error.to_string())
}

#[test]
fn attack_a_certificate_by_a_submission_of_ones_own() {
    let house = submitted(ONE_EDITOR);
    let dora = submission_of(&house, "poster");
    let approval = house.approve(BEN, "poster");
    house.land(DORA, "poster").expect("a landing");
    let commit = house.tip("main");
    // A stranger submits, approves and "lands" the same bytes.
    let stranger = somebody(STRANGER);
    let own = house.forged(dora, &stranger.key, Namespace::Action, |action| {
        action.actor = stranger.id;
        action.heads = vec![house.landing_of(&dora.to_string())];
    });
    let own = house.plant(&own, &[]);
    let verdict = house.forged(approval, &stranger.key, Namespace::Action, |action| {
        action.actor = stranger.id;
        let verdict = verdict_of(action);
        (verdict.submission, verdict.policy) = (own, None);
    });
    house.plant(&verdict, &[]);
    let land = house.forged(approval, &stranger.key, Namespace::Action, |action| {
        action.actor = stranger.id;
        action.deed = Deed::Land { submission: own, branch: "main".into(), commit };
    });
    house.plant(&land, &[]);
    let report = certificate(&house, Subject::Asset(path("brand/logo.svg"))).expect("a certificate");
    assert_eq!(report.certificate.submission, dora);
    assert!(report.certificate.policy.is_some());
    let handles: Vec<&str> = report.certificate.approvals.iter().map(|line| line.handle.as_str()).collect();
    assert_eq!(handles, ["ben"]);
}

#[test]
fn a_certificate_says_what_nobody_had_to_approve_and_what_counted_at_the_landing() {
    let rules = "[[protect]]\nbranch = \"main\"\npaths = \"brand/**\"\napprovals = [\"1 editor\"]\n";
    let house = submitted(rules);
    house.judge(BEN, "poster", Judgement::Approve, &["brand/logo.svg"]).expect("an approval");
    house.land(DORA, "poster").expect("a landing");
    // A thief of a revoked key approves afterwards; and whoever approved takes it back.
    revoke(&house, CLEO);
    let report = certificate(&house, Subject::Revision("main".into())).expect("a certificate");
    let paths: Vec<String> = report.certificate.assets.iter().map(|asset| asset.path.to_string()).collect();
    assert_eq!(paths, ["brand/logo.svg"]);
    assert_eq!(report.certificate.assets[0].approved_by, ["ben"]);
    assert_eq!(report.certificate.unapproved, [path("poster.txt")]);
    let approved = house.record(report.certificate.approvals[0].action);
    let id = approved.id();
    let late = house.forged(id, &somebody(CLEO).key, Namespace::Action, |action| {
        action.actor = somebody(CLEO).id;
    });
    house.plant(&late, &[]);
    let submission = submission_of(&house, "poster");
    let back = house.forged(id, &somebody(BEN).key, Namespace::Action, |action| {
        action.deed = Deed::WithdrawVerdict { submission, verdict: id };
    });
    house.plant(&back, &[]);
    let again = certificate(&house, Subject::Revision("main".into())).expect("a certificate");
    let handles = |report: &certificate::Report| -> Vec<String> {
        report.certificate.approvals.iter().map(|line| line.handle.clone()).collect()
    };
    assert_eq!(handles(&again), ["ben"]);
    let refusal = certificate(&house, Subject::Asset(path("poster.txt"))).expect_err("nobody approved it");
    says(&refusal, "nobody's approval speaks for poster.txt");
}

#[test]
fn attack_hundreds_of_verdicts_of_a_stranger() {
    let house = submitted(TWO_EDITORS);
    let template = house.approve(BEN, "poster");
    let stranger = somebody(STRANGER);
    let mut before = template;
    for _ in 0..300 {
        let record = house.forged(template, &stranger.key, Namespace::Action, |action| {
            action.actor = stranger.id;
            action.heads = vec![before];
            action.time = house.clock.now();
        });
        before = record.id();
        house.plant(&record, &[]);
    }
    // None of them is looked at: what lands names none, and neither does whoever speaks next.
    let approval = house.approve(CLEO, "poster");
    let landed = house.land(DORA, "poster").expect("a landing");
    assert_eq!(landed.heads, [approval]);
}

#[test]
fn a_persons_id_that_was_wrong_in_the_policy_can_be_put_right() {
    let house = House::new();
    let wrong = policy(ONE_EDITOR).replace(&somebody(BEN).id.to_string(), &"ab".repeat(16));
    house.set_policy_text(&wrong, 1);
    house.set_policy_text(&policy(ONE_EDITOR), 2);
    house.begin("poster");
    house.write("poster.txt", "Harbour, summer\n");
    house.commit(DORA, "Summer");
    house.submit(DORA, "poster");
    house.approve(BEN, "poster");
    house.land(DORA, "poster").expect("Ben counts as who he is");
}
