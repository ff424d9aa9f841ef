//! Submissions from the first round to the landing, as people work.

use crate::review_kit::{House, path};
use crate::trust_kit::{BEN, CLEO, DORA, ONE_EDITOR, TWO_EDITORS};
use crate::undecided::commit_entry;
use pentimento::app::review::describe::StateLine;
use pentimento::object::action::Audience;
use pentimento::object::approval::Judgement;
use pentimento::repo::review_log::BodyState;

/// Dora's draft: a new logo and another word on the poster.
fn poster(house: &House) {
    house.begin("poster");
    house.write("brand/logo.svg", "<svg>new</svg>");
    house.write("poster.txt", "Harbour, summer\n");
    house.commit(DORA, "Summer");
}

#[test]
fn without_a_policy_one_decides_oneself() {
    let house = House::new();
    poster(&house);
    let report = house.submit(DORA, "poster");
    assert_eq!((report.submission.round, report.submission.assets), (1, 2));
    assert!(house.review("poster").waiting.ready);
    house.go("main");
    let landed = house.land(DORA, "poster").expect("a landing");
    assert!(!landed.protected);
    assert_eq!(landed.submission.state, StateLine::Landed);
    assert_eq!(house.text("poster.txt").as_deref(), Some("Harbour, summer\n"), "the files follow");
    assert_eq!(house.tip("main"), landed.commit.expect("a commit").id);
    assert_eq!(house.refused(DORA, "poster"), "the submission of draft/poster to main has landed");
}

#[test]
fn several_rounds_void_only_what_was_touched_and_say_how_much_changed() {
    let house = House::with_policy(TWO_EDITORS);
    poster(&house);
    house.submit(DORA, "poster");
    house.approve(BEN, "poster");
    assert_eq!(
        house.review("poster").waiting.missing,
        ["2 editors must approve brand/logo.svg and poster.txt: ben did, cleo could"]
    );
    house.judge(CLEO, "poster", Judgement::RequestChanges, &["brand"]).expect("a verdict");
    let refusal = house.refused(DORA, "poster");
    assert!(refusal.contains("cleo"), "{refusal}");

    house.write("brand/logo.svg", "<svg>newer, and much larger than it was before</svg>");
    house.commit(DORA, "Lighter");
    let again = house.submit(DORA, "poster");
    assert_eq!((again.submission.round, again.kept, again.voided), (2, 1, 1));
    let review = house.review("poster");
    let logo = &review.assets[0];
    assert_eq!(logo.path, path("brand/logo.svg"));
    assert!(logo.approved_by.is_empty() && logo.objections.is_empty());
    let mut judges: Vec<_> = logo.changed_since.iter().map(|since| since.by.name.clone()).collect();
    judges.sort();
    assert_eq!(judges, [Some("ben".to_owned()), Some("cleo".to_owned())]);
    assert!(
        logo.changed_since.iter().all(|since| since.what == ["content"] && since.bytes_after == Some(52))
    );
    let poster = &review.assets[1];
    assert_eq!(poster.approved_by.len(), 1);
    assert!(poster.changed_since.is_empty());

    house.judge(BEN, "poster", Judgement::Approve, &["brand/logo.svg"]).expect("an approval of one asset");
    house.approve(CLEO, "poster");
    assert!(house.review("poster").waiting.ready);
    let landed = house.land(DORA, "poster").expect("a landing");
    assert!(landed.protected);
    assert!(!landed.heads.is_empty(), "the landing names what it judged");
    let all = house.review("poster");
    assert_eq!(all.rounds.len(), 2);
    assert_eq!(all.verdicts.len(), 4);
}

#[test]
fn main_moving_elsewhere_voids_nothing_and_the_same_asset_changed_voids_only_that() {
    let house = House::with_policy(ONE_EDITOR);
    for (draft, file) in [("one", "brand/logo.svg"), ("two", "poster.txt"), ("three", "brand/logo.svg")] {
        if draft != "one" {
            house.go("main");
        }
        house.begin(draft);
        house.write(file, format!("from {draft}\n"));
        if draft == "three" {
            house.write("brand/type.txt", "Antiqua\n");
        }
        house.commit(DORA, draft);
        house.submit(DORA, draft);
        house.approve(BEN, draft);
    }
    house.land(DORA, "one").expect("a landing");
    house.land(DORA, "two").expect("main moved elsewhere: the approval stays");
    let refusal = house.refused(DORA, "three");
    assert_eq!(refusal, "draft/three and main both changed brand/logo.svg");
    // The way out: bring main into the draft, decide, submit again.
    house.merge_ours(DORA, "main");
    house.submit(DORA, "three");
    let review = house.review("three");
    let approved = |name: &str| {
        let asset = review.assets.iter().find(|asset| asset.path == path(name)).expect("an asset");
        !asset.approved_by.is_empty()
    };
    assert!(approved("brand/type.txt"), "nobody touched it: its approval stays");
    assert!(!approved("brand/logo.svg"), "it replaces another version now");
    house.judge(BEN, "three", Judgement::Approve, &["brand/logo.svg"]).expect("an approval");
    house.land(DORA, "three").expect("a landing");
}

#[test]
fn a_move_and_a_deletion_are_transitions_that_need_approval_too() {
    let house = House::with_policy(ONE_EDITOR);
    house.begin("tidy");
    std::fs::rename(house.folder.path().join("poster.txt"), house.folder.path().join("brand/poster.txt"))
        .expect("a move");
    house.remove("brand/type.txt");
    house.commit(DORA, "Tidy up");
    let report = house.submit(DORA, "tidy");
    let kinds: Vec<_> =
        report.assets.iter().map(|asset| (asset.path.to_string(), asset.kinds.clone())).collect();
    assert_eq!(
        kinds,
        [("brand/poster.txt".to_owned(), vec!["moved"]), ("brand/type.txt".to_owned(), vec!["removed"])]
    );
    house.judge(BEN, "tidy", Judgement::Approve, &["brand/poster.txt"]).expect("an approval");
    assert!(house.refused(DORA, "tidy").contains("brand/type.txt"));
    house.judge(BEN, "tidy", Judgement::Approve, &["brand/type.txt"]).expect("an approval");
    house.land(DORA, "tidy").expect("a landing");
}

#[test]
fn words_are_kept_apart_and_can_be_erased_while_the_review_stays() {
    let house = House::with_policy(ONE_EDITOR);
    poster(&house);
    house.submit(DORA, "poster");
    house.comment(CLEO, "poster", &["brand/logo.svg"], "This is the client's private number: 555");
    let comment = house.review("poster").comments.remove(0);
    assert_eq!(comment.about.len(), 1);
    let view = house.repository.view().expect("a view");
    let record = house.record(comment.action);
    let action = pentimento::object::action::Action::decode(&record.statement).expect("an action");
    assert!(!String::from_utf8_lossy(&record.statement).contains("private number"));
    assert!(matches!(view.review_body(action.body).expect("readable"), BodyState::Here(_)));
    let mut edit = house.repository.edit().expect("an edit");
    edit.erase_review_body(action.body, None).expect("erased");
    edit.commit().expect("a commit");
    house.approve(BEN, "poster");
    let review = house.review("poster");
    assert!(review.comments[0].words.erased && review.comments[0].words.text.is_none());
    assert!(review.refused.is_empty() && review.gaps.is_empty());
    house.land(DORA, "poster").expect("a landing");
}

#[test]
fn a_submission_and_a_verdict_can_be_taken_back_by_whoever_gave_them() {
    let house = House::with_policy(ONE_EDITOR);
    poster(&house);
    house.submit(DORA, "poster");
    house.approve(BEN, "poster");
    house.withdraw(BEN, "poster", true).expect("taken back");
    assert!(house.refused(DORA, "poster").contains("1 editor must approve brand/logo.svg and poster.txt"));
    let stranger = house.withdraw(CLEO, "poster", false).expect_err("a refusal").to_string();
    assert_eq!(stranger, "draft/poster was submitted by somebody else");
    house.withdraw(DORA, "poster", false).expect("taken back");
    assert_eq!(house.refused(DORA, "poster"), "the submission of draft/poster to main was taken back");
    // And can be submitted anew, without the approvals of before.
    house.submit(DORA, "poster");
    assert!(house.refused(DORA, "poster").contains("1 editor must approve brand/logo.svg and poster.txt"));
}

#[test]
fn gc_spares_what_a_submission_rests_on() {
    let house = House::with_policy(ONE_EDITOR);
    poster(&house);
    house.submit(DORA, "poster");
    let view = house.repository.view().expect("a view");
    let head = house.tip("draft/poster");
    assert!(view.review_commits().expect("readable").contains(&head));
    assert_eq!(view.review_actions(Audience::Team).expect("a log").len(), 1);
    let roots =
        pentimento::repo::reach::Roots::of(&view, pentimento::base::time::Timestamp::utc(i64::MAX / 2));
    assert!(roots.expect("roots").commits.contains(&head));
}

#[test]
fn a_landing_for_which_there_is_no_room_is_refused_while_nothing_has_moved() {
    let house = House::new();
    house.begin("vast");
    house.write("poster.txt", "Harbour, autumn\n");
    house.commit(DORA, "Autumn");
    // No disk has room for this.
    let content = pentimento::object::tree::Content::File {
        id: pentimento::base::id::FileId::from_bytes([7; 32]),
        size: 1 << 60,
        executable: false,
    };
    house.go("main");
    commit_entry(&house.repository, "draft/vast", "vast.mov", content);
    house.submit(DORA, "vast");
    let before = house.tip("main");
    let told = house.land(DORA, "vast").expect_err("a refusal").to_string();
    assert!(told.contains("free"), "{told}");
    assert_eq!(house.tip("main"), before);
    assert_eq!(house.text("poster.txt").as_deref(), Some("Harbour, spring\n"));
    let view = house.repository.view().expect("a view");
    assert_eq!(view.state().expect("a state").underway, None);
}
