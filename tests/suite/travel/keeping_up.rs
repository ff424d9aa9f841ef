//! Clones that were away for a while: whatever happened on a protected branch meanwhile, they get there.

use super::stories::{draft, studio};
use super::{Form, log_of, pull, push, push_all, says, try_pull};
use crate::review_kit::House;
use crate::trust_kit::{ANNA, BEN, CLEO, DORA, ONE_EDITOR};
use pentimento::app::merge::Outcome;
use pentimento::base::time::Clock as _;

everywhere! {
    a_checked_out_branch_that_is_several_landings_behind_is_pulled
    a_merge_brings_a_protected_branch_to_where_the_shared_log_says_that_it_stands
    what_was_seen_at_the_remote_is_told_when_the_pull_goes_no_further
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
