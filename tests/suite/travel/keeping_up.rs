//! Clones that were away for a while: whatever happened on a protected branch meanwhile, they get there.

use super::stories::{draft, studio};
use super::{Form, log_of, pull, push, push_all, reach, says, try_pull};
use crate::review_kit::House;
use crate::trust_kit::{ANNA, BEN, CLEO, DORA, ONE_EDITOR, policy, somebody};
use pentimento::app::common::on_demand::FromRemotes;
use pentimento::app::error::AppError;
use pentimento::app::merge::Outcome;
use pentimento::app::policy::links::LinkState;
use pentimento::app::policy::{Acting, change, show};
use pentimento::base::id::FileId;
use pentimento::base::monitor::SilentMonitor;
use pentimento::base::time::Clock as _;
use pentimento::object::approval::Judgement;
use std::sync::Arc;

everywhere! {
    a_checked_out_branch_that_is_several_landings_behind_is_pulled
    a_merge_brings_a_protected_branch_to_where_the_shared_log_says_that_it_stands
    what_was_seen_at_the_remote_is_told_when_the_pull_goes_no_further
    two_policies_at_once_the_second_is_given_up_and_nothing_stops
    nobody_approves_or_lands_what_a_clone_does_not_have
}

/// Lands so many drafts one after the other, and pushes.
fn land(house: &House, drafts: std::ops::Range<usize>) {
    for number in drafts {
        let (name, file) = (format!("draft{number}"), format!("file{number}.txt"));
        draft(house, ANNA, &name, &file, &name);
        house.approve(BEN, &name);
        house.land(ANNA, &name).expect("a landing");
        house.go("main");
    }
    push_all(house, ANNA);
}

fn a_checked_out_branch_that_is_several_landings_behind_is_pulled(form: Form) {
    let (_nas, anna, [cleo, dora]) = studio(form, ONE_EDITOR);
    land(&anna, 0..2);
    let report = pull(&dora, DORA);
    assert_eq!(report.merge.map(|merge| merge.outcome), Some(Outcome::Forward));
    assert_eq!(dora.tip("main"), anna.tip("main"));
    assert_eq!(dora.text("file0.txt").as_deref(), Some("draft0"));
    land(&anna, 2..7);
    for (house, by) in [(&dora, DORA), (&cleo, CLEO)] {
        pull(house, by);
        assert_eq!(house.tip("main"), anna.tip("main"));
        assert_eq!(house.text("file6.txt").as_deref(), Some("draft6"));
        let again = pull(house, by).merge.map(|merge| merge.outcome);
        assert_eq!(again, Some(Outcome::UpToDate));
        assert_eq!(log_of(house), log_of(&anna));
    }
    // And goes on from there.
    draft(&dora, DORA, "more", "more.txt", "more");
    dora.approve(BEN, "more");
    dora.land(DORA, "more").expect("a landing");
    push(&dora, DORA);
    pull(&anna, ANNA);
    assert_eq!(anna.text("more.txt").as_deref(), Some("more"));
}

fn a_merge_brings_a_protected_branch_to_where_the_shared_log_says_that_it_stands(form: Form) {
    let (_nas, anna, [dora]) = studio(form, ONE_EDITOR);
    land(&anna, 0..3);
    super::fetch(&dora);
    let before = log_of(&dora);
    // Not to a state in between, which is the branch's no more than a draft's.
    let between = anna.repository.view().expect("a view");
    let between = between.resolve("main~", anna.clock.now()).expect("a commit").commit;
    let refused = dora.merge_as(DORA, &between.to_string()).expect_err("a refusal").to_string();
    says(&refused, "is protected");
    let report = dora.merge_as(DORA, "origin/main").expect("a merge");
    assert_eq!(report.outcome, Outcome::Forward);
    assert_eq!((dora.tip("main"), log_of(&dora)), (anna.tip("main"), before), "and nobody signed anything");
}

fn what_was_seen_at_the_remote_is_told_when_the_pull_goes_no_further(form: Form) {
    let (_nas, anna, [dora]) = studio(form, ONE_EDITOR);
    land(&anna, 0..2);
    dora.write("file0.txt", "mine, not committed");
    let failed = try_pull(&dora, DORA).expect_err("a refusal");
    says(&failed.to_string(), "file0.txt");
    let report = failed.report.expect("what was fetched");
    assert_eq!(report.fetch.fetched.logs.entries, 2);
    assert!(report.fetch.fetched.moved.iter().any(|moved| moved.name.name() == "main"));
    assert_eq!(dora.text("file0.txt").as_deref(), Some("mine, not committed"));
}

fn two_policies_at_once_the_second_is_given_up_and_nothing_stops(form: Form) {
    let rules = format!("{ONE_EDITOR}\n[policy]\nchange = [\"1 of anna, ben\"]\n");
    let (_nas, anna, [ben]) = studio(form, &rules);
    let propose = |house: &House, by: u8, text: &str| {
        let person = somebody(by);
        let acting = Acting {
            repository: &house.repository,
            writer: person.writer(),
            clock: &house.clock,
            monitor: &SilentMonitor,
        };
        let options = change::Options { text: policy(text), reason: "why not".into(), recovery: false };
        let report = change::propose(&acting, &options).expect("a policy");
        assert_eq!(report.outcome, change::Outcome::InForce);
        report.id
    };
    let first = propose(&anna, ANNA, &format!("{rules}# anna's\n"));
    let second = propose(&ben, BEN, &format!("{rules}# ben's\n"));
    push(&anna, ANNA);
    let report = push(&ben, BEN);
    let [given_up] = report.anew.given_up.as_slice() else { panic!("{report:?}") };
    assert_eq!((given_up.what.as_str(), report.anew.written), ("a change of the policy", 0));
    says(&given_up.why, "another policy took effect meanwhile");
    says(&given_up.next, &format!("pent policy show {}", second.short()));
    for house in [&anna, &ben] {
        super::fetch(house);
        assert!(log_of(house).dispute().is_none());
        assert_eq!(log_of(house).in_force().map(|in_force| in_force.id), Some(first));
    }
    // Its text is not lost, and it is told that it came too late.
    let lost = show::run(&ben.repository, Some(&second.to_string()), &ben.clock, &SilentMonitor);
    let lost = lost.expect("what it said");
    assert_eq!(lost.state, LinkState::Late);
    says(&lost.policy, "# ben's");
    // Everything goes on.
    land(&anna, 0..1);
    pull(&ben, BEN);
    assert_eq!(ben.tip("main"), anna.tip("main"));
    let third = propose(&ben, BEN, &format!("{rules}# anna's\n# ben's\n"));
    push(&ben, BEN);
    super::fetch(&anna);
    assert_eq!(log_of(&anna).in_force().map(|in_force| in_force.id), Some(third));
}

fn nobody_approves_or_lands_what_a_clone_does_not_have(form: Form) {
    let (nas, anna, []) = studio(form, ONE_EDITOR);
    draft(&anna, ANNA, "poster", "poster.txt", "what is to be judged");
    push_all(&anna, ANNA);
    let lazy = || {
        let house = super::lazy_clone_of(&nas);
        let (file, size) = file_of(&house);
        assert!(!house.repository.view().expect("a view").has_content(file, size).expect("readable"));
        house
    };
    // Without the remote nobody can say what these bytes are.
    let alone = lazy();
    let refused = alone.judge(BEN, "poster", Judgement::Approve, &[]).expect_err("a refusal");
    assert!(matches!(refused, AppError::NotHere { files: 1, .. }), "{refused}");
    alone.judge(BEN, "poster", Judgement::Reject, &[]).expect("no needs no bytes");
    // With it they are brought, and verified, before anything is signed.
    let house = with_remotes(lazy());
    house.approve(BEN, "poster");
    let (file, size) = file_of(&house);
    assert!(house.repository.view().expect("a view").has_content(file, size).expect("readable"));
    push(&house, BEN);
    let landing = lazy();
    let refused = landing.land(DORA, "poster").expect_err("a refusal");
    assert!(matches!(refused, AppError::NotHere { .. }), "{refused}");
    let landing = with_remotes(landing);
    let landed = landing.land(DORA, "poster").expect("a landing").commit.expect("a commit").id;
    assert!(landing.repository.view().expect("a view").has_content(file, size).expect("readable"));
    push(&landing, DORA);
    pull(&house, BEN);
    assert_eq!(house.tip("main"), landed);
}

fn with_remotes(house: House) -> House {
    let House { folder, repository, clock, signs } = house;
    let supplier = Arc::new(FromRemotes::new(reach()));
    House { folder, repository: repository.with_supplier(supplier), clock, signs }
}

/// The only file that the submission of the draft brings.
fn file_of(house: &House) -> (FileId, u64) {
    let review = house.review("poster");
    let line = &review.assets[0];
    (line.file.expect("a file"), line.bytes.expect("a size"))
}
