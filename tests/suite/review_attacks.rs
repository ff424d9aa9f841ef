//! Attacks on reviews, each by name: what is refused, and with which words.

use crate::review_kit::{House, verdict_of};
use crate::trust_kit::{ANNA, BEN, CLEO, DORA, ONE_EDITOR, STRANGER, TWO_EDITORS, somebody};
use pentimento::base::id::{ActionId, RepositoryId};
use pentimento::base::path::AssetPath;
use pentimento::object::approval::Judgement;
use pentimento::object::signature::Namespace;
use pentimento::object::transition::{Held, Transition, TransitionList};
use pentimento::repo::review_log::ActionRecord;
use pentimento::trust::{LocalKey, Signer};

const LACKING: &str = "1 editor must approve brand/logo.svg and poster.txt";

/// Dora submits two files to a branch that wants one editor.
fn submitted(rules: &str) -> House {
    let house = House::with_policy(rules);
    house.begin("poster");
    house.write("brand/logo.svg", "<svg>new</svg>");
    house.write("poster.txt", "Harbour, summer\n");
    house.commit(DORA, "Summer");
    house.submit(DORA, "poster");
    house
}

fn reason_of(house: &House, action: ActionId) -> String {
    let review = house.review("poster");
    let refused = review.refused.into_iter().find(|line| line.action == action);
    refused.map(|line| line.reason).unwrap_or_default()
}

#[track_caller]
fn assert_lacking(house: &House) {
    let refusal = house.refused(DORA, "poster");
    assert!(refusal.contains(LACKING), "{refusal}");
}

#[test]
fn an_approval_replayed_on_another_branch_does_nothing() {
    let house = submitted(ONE_EDITOR);
    let good = house.approve(BEN, "poster");
    house.withdraw(BEN, "poster", true).expect("taken back");
    // Ben signed it, for another branch.
    let record = house.forged(good, &somebody(BEN).key, Namespace::Action, |action| {
        verdict_of(action).branch = "release".into();
    });
    let planted = house.plant(&record, &[]);
    assert_eq!(reason_of(&house, planted), "it was signed for another branch");
    assert_lacking(&house);
}

#[test]
fn an_approval_replayed_on_another_submission_of_the_same_bytes_does_nothing() {
    let house = submitted(ONE_EDITOR);
    let old = house.approve(BEN, "poster");
    house.withdraw(DORA, "poster", false).expect("taken back");
    house.submit(DORA, "poster");
    assert_lacking(&house);
    // The old one, carried into the new submission, needs Ben's key.
    let new = house.review("poster").submission.id;
    let mut record = house.record(old);
    let text = String::from_utf8(record.statement.clone()).expect("text");
    let was = house.record(old);
    let was = pentimento::object::action::Action::decode(&was.statement).expect("an action");
    let submission = was.deed.submission().expect("a submission");
    record.statement = text.replace(&submission.to_string(), &new.to_string()).into_bytes();
    let planted = house.plant(&record, &[]);
    assert!(reason_of(&house, planted).starts_with("its signature does not hold"));
    assert_lacking(&house);
}

#[test]
fn an_approval_replayed_on_another_path_does_nothing() {
    let house = submitted(ONE_EDITOR);
    // Ben approved the logo only. Its bytes under the poster's name are another transition.
    house.judge(BEN, "poster", Judgement::Approve, &["brand/logo.svg"]).expect("an approval");
    let refusal = house.refused(DORA, "poster");
    assert!(refusal.contains("1 editor must approve poster.txt"), "{refusal}");
    house.write("poster.txt", "<svg>new</svg>");
    house.commit(DORA, "The same bytes at another place");
    house.submit(DORA, "poster");
    let refusal = house.refused(DORA, "poster");
    assert!(refusal.contains("1 editor must approve poster.txt"), "{refusal}");
}

#[test]
fn an_approval_of_another_repository_does_nothing() {
    let house = submitted(ONE_EDITOR);
    let good = house.approve(BEN, "poster");
    house.withdraw(BEN, "poster", true).expect("taken back");
    let record = house.forged(good, &somebody(BEN).key, Namespace::Action, |action| {
        action.repository = RepositoryId::from_bytes([8; 16]);
    });
    let planted = house.plant(&record, &[]);
    assert_eq!(reason_of(&house, planted), "it was signed for another repository");
    assert_lacking(&house);
}

#[test]
fn an_approval_given_under_another_policy_does_not_count() {
    let house = submitted(ONE_EDITOR);
    house.approve(BEN, "poster");
    house.set_policy(&format!("{ONE_EDITOR}own = true\n"), 2);
    let refusal = house.refused(DORA, "poster");
    assert!(refusal.contains(LACKING) && refusal.contains("under another policy"), "{refusal}");
    house.approve(BEN, "poster");
    house.land(DORA, "poster").expect("approved again, under the policy in force");
}

#[test]
fn a_signature_made_for_another_purpose_is_no_approval() {
    let house = submitted(ONE_EDITOR);
    let good = house.approve(BEN, "poster");
    house.withdraw(BEN, "poster", true).expect("taken back");
    let record = house.forged(good, &somebody(BEN).key, Namespace::Commit, |_| {});
    let planted = house.plant(&record, &[]);
    assert_eq!(
        reason_of(&house, planted),
        "its signature does not hold: the signature was made for \"commit@pentimento\", not for action@pentimento"
    );
    assert_lacking(&house);
}

#[test]
fn one_person_with_two_keys_counts_once() {
    let second = LocalKey::from_seed(&[77; 32]).expect("a key");
    let house = submitted(TWO_EDITORS);
    let good = house.approve(BEN, "poster");
    // The policy now knows both of Ben's keys.
    let line = second.public_key().to_openssh();
    let keys = somebody(BEN).key.public_key().to_openssh();
    let policy = crate::trust_kit::policy(TWO_EDITORS).replace(
        &format!("{{ key = \"{keys}\" }}"),
        &format!("{{ key = \"{keys}\" }}, {{ key = \"{line}\" }}"),
    );
    let id = house.set_policy_text(&policy, 2);
    house.approve(BEN, "poster");
    let record = house.forged(good, &second, Namespace::Action, |action| {
        verdict_of(action).policy = Some(id);
    });
    house.plant(&record, &[]);
    let refusal = house.refused(DORA, "poster");
    assert!(
        refusal.contains("2 editors must approve") && refusal.contains("ben did, cleo could"),
        "{refusal}"
    );
}

#[test]
fn nobody_approves_their_own_work() {
    let house = House::with_policy(ONE_EDITOR);
    house.begin("poster");
    house.write("poster.txt", "Harbour, summer\n");
    house.commit(BEN, "Summer");
    // Neither as whoever submitted, nor as whoever made a commit in it.
    house.submit(DORA, "poster");
    house.approve(BEN, "poster");
    let refusal = house.refused(DORA, "poster");
    assert!(refusal.contains("they made part of it themselves"), "{refusal}");
    house.approve(CLEO, "poster");
    house.land(DORA, "poster").expect("somebody else approved");
}

#[test]
fn a_stranger_and_a_borrowed_name_count_for_nothing() {
    let house = submitted(ONE_EDITOR);
    house.approve(STRANGER, "poster");
    assert_lacking(&house);
    // A stranger's key in Ben's name.
    let good = house.approve(CLEO, "poster");
    house.withdraw(CLEO, "poster", true).expect("taken back");
    let record = house.forged(good, &somebody(STRANGER).key, Namespace::Action, |action| {
        action.actor = somebody(BEN).id;
    });
    let planted = house.plant(&record, &[]);
    assert_eq!(reason_of(&house, planted), "the key that signed it does not belong to whoever it names");
    assert_lacking(&house);
}

#[test]
fn an_approval_whose_asset_was_swapped_for_one_with_the_same_name_and_size_does_not_count() {
    let house = submitted(ONE_EDITOR);
    house.approve(BEN, "poster");
    house.write("brand/logo.svg", "<svg>EVIL</svg>");
    house.write("brand/logo.svg", "<svg>nev</svg>");
    house.commit(DORA, "As long as before");
    house.submit(DORA, "poster");
    let refusal = house.refused(DORA, "poster");
    assert!(refusal.contains("1 editor must approve brand/logo.svg"), "{refusal}");
    let review = house.review("poster");
    assert_eq!(review.assets[0].changed_since[0].bytes_before, review.assets[0].changed_since[0].bytes_after);
}

#[test]
fn a_list_that_was_swapped_under_an_approval_is_not_the_one_that_was_signed() {
    let house = submitted(ONE_EDITOR);
    let good = house.approve(BEN, "poster");
    house.withdraw(BEN, "poster", true).expect("taken back");
    // An approval whose check list is not that of its transitions: what a person sees with b3sum
    // would not be what the policy judges.
    let record = house.forged(good, &somebody(BEN).key, Namespace::Action, |action| {
        verdict_of(action).list.files = pentimento::base::id::FileId::of(b"other files");
    });
    house.plant(&record, &[]);
    assert_lacking(&house);
}

#[test]
fn review_actions_that_were_dropped_are_missed() {
    let house = submitted(ONE_EDITOR);
    let objection = house.judge(CLEO, "poster", Judgement::Reject, &[]).expect("a verdict").verdict.action;
    house.approve(BEN, "poster");
    // Ben had seen Cleo's objection; a remote that drops it leaves a gap.
    house.withhold(objection);
    assert_eq!(house.refused(DORA, "poster"), "1 action of the review of draft/poster are missing here");
    assert_eq!(house.review("poster").gaps, [objection]);
}

#[test]
fn review_actions_in_another_order_say_the_same() {
    let house = submitted(ONE_EDITOR);
    let approval = house.approve(BEN, "poster");
    let objection =
        house.judge(BEN, "poster", Judgement::RequestChanges, &[]).expect("a verdict").verdict.action;
    // Taken out and put back the other way round: the later verdict still holds.
    let (first, second) = (house.record(approval), house.record(objection));
    house.withhold(approval);
    house.withhold(objection);
    house.plant(&second, &[]);
    house.plant(&first, &[]);
    let refusal = house.refused(DORA, "poster");
    assert!(refusal.contains("ben"), "{refusal}");
    assert!(house.review("poster").gaps.is_empty());
}

#[test]
fn an_old_approval_does_not_land_again_after_a_revert() {
    let house = submitted(ONE_EDITOR);
    house.approve(BEN, "poster");
    house.land(DORA, "poster").expect("a landing");
    // Somebody else's submission takes it back, in the open.
    house.go("main");
    house.begin("revert");
    house.write("brand/logo.svg", "<svg>old</svg>");
    house.write("poster.txt", "Harbour, spring\n");
    house.commit(DORA, "Back to spring");
    house.submit(DORA, "revert");
    house.approve(BEN, "revert");
    house.land(DORA, "revert").expect("a landing");
    assert_eq!(house.refused(DORA, "poster"), "the submission of draft/poster to main has landed");
    // Even when the word that it landed is withheld: the shared log knows.
    let told = house.landing_of("poster");
    let record = house.record(told);
    house.withhold(told);
    let refusal = house.refused(DORA, "poster");
    house.plant(&record, &[]);
    assert!(refusal.contains("landed") || refusal.contains("has everything"), "{refusal}");
    // The same work again is a submission of its own, and needs approvals of its own.
    house.go("main");
    house.begin("again");
    house.write("brand/logo.svg", "<svg>new</svg>");
    house.write("poster.txt", "Harbour, summer\n");
    house.commit(DORA, "Summer again");
    house.submit(DORA, "again");
    let refusal = house.refused(DORA, "again");
    assert!(refusal.contains(LACKING), "{refusal}");
}

#[test]
fn deletions_slipped_in_by_whoever_lands_are_refused() {
    let house = submitted(ONE_EDITOR);
    house.approve(BEN, "poster");
    let prospect = house.judged_with("poster", |list| {
        let removal = house.removal_of("brand/type.txt");
        TransitionList::new(list.as_slice().iter().cloned().chain([removal]))
    });
    assert!(prospect.contains("1 editor must approve brand/type.txt"), "{prospect}");
    // And a landing that leaves something out, or puts something else in its place.
    let swapped = house.judged_with("poster", |list| {
        let mut all = list.as_slice().to_vec();
        if let Some(placed) = &mut all[1].after {
            placed.content = Held::File {
                id: pentimento::base::id::FileId::of(b"something else"),
                size: 14,
                executable: false,
            };
        }
        TransitionList::new(all)
    });
    assert!(swapped.contains("1 editor must approve poster.txt"), "{swapped}");
    house.land(DORA, "poster").expect("what was approved lands");
}

#[test]
fn what_nobody_submitted_never_lands() {
    use pentimento::review::landing::{Mismatch, compare};
    let (kept, slipped) = (edit("a"), removal("b"));
    let submitted = TransitionList::new([kept.clone()]);
    let landing = TransitionList::new([kept, slipped.clone()]);
    assert_eq!(compare(&submitted, &landing, &mut |_| true), [Mismatch::Extra { landing: slipped }]);
}

fn edit(name: &str) -> Transition {
    Transition { before: None, after: removal(name).before }
}

fn removal(name: &str) -> Transition {
    let placed = pentimento::object::transition::Placed {
        path: AssetPath::from_bytes(name).expect("a path"),
        asset: None,
        metadata: None,
        content: Held::File { id: pentimento::base::id::FileId::of(b"x"), size: 1, executable: false },
    };
    Transition { before: Some(placed), after: None }
}

#[test]
fn a_landing_names_the_heads_that_it_judged_so_that_a_withheld_tail_can_be_found_out() {
    let house = submitted(ONE_EDITOR);
    let approval = house.approve(BEN, "poster");
    let landed = house.land(DORA, "poster").expect("a landing");
    assert_eq!(landed.heads, [approval]);
    // Cleo's objection was on its way and nobody could know; the log says what was judged, so it
    // shows that it was not among it.
    let late = house.comment(CLEO, "poster", &[], "I said no!").comment.action;
    let view = house.repository.view().expect("a view");
    let head = view.log_head().expect("readable").expect("a log");
    let entry = view.log_entry(head.sequence).expect("readable").expect("an entry");
    let text = String::from_utf8(entry.statement).expect("text");
    assert!(text.contains(&approval.to_string()) && !text.contains(&late.to_string()));
}

#[test]
fn a_change_of_labels_alone_voids_or_keeps_by_policy() {
    for (rules, lands) in
        [(ONE_EDITOR.to_owned(), false), (format!("{ONE_EDITOR}metadata = \"keeps\"\n"), true)]
    {
        let house = submitted(&rules);
        house.approve(BEN, "poster");
        house.label("poster.txt", "summer");
        house.commit(DORA, "A label");
        let again = house.submit(DORA, "poster");
        assert_eq!(again.submission.round, 2);
        match (house.land(DORA, "poster"), lands) {
            (Ok(_), true) => {}
            (Err(error), false) => {
                let refusal = error.to_string();
                assert!(refusal.contains("1 editor must approve poster.txt"), "{refusal}");
            }
            (other, _) => panic!("{rules}: {other:?}"),
        }
    }
}

#[test]
fn a_record_that_no_writer_would_write_is_named_and_spoils_nothing() {
    let house = submitted(ONE_EDITOR);
    let good = house.approve(BEN, "poster");
    let text = String::from_utf8(house.record(good).statement).expect("text");
    let key = somebody(CLEO).key;
    let spaced = text.replacen('{', "{ ", 1).into_bytes();
    let signature = key.sign(Namespace::Action, &spaced).expect("a signature").as_bytes().to_vec();
    let planted = house.plant(&ActionRecord { statement: spaced, signature }, &[]);
    assert_eq!(reason_of(&house, planted), "it is not written in its one form");
    let cut = house.plant(&ActionRecord { statement: b"{}".to_vec(), signature: vec![1, 2, 3] }, &[]);
    assert!(reason_of(&house, cut).starts_with("its signature does not hold"));
    house.land(DORA, "poster").expect("what is good still counts");
}

#[test]
fn an_administrator_cannot_wave_a_landing_through() {
    let house = submitted(ONE_EDITOR);
    house.approve(ANNA, "poster");
    assert_lacking(&house);
}
