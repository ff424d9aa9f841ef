//! The contract against object stores. `PENT_TEST_S3` names an endpoint that keeps conditions and has the
//! bucket `pent-test` (credentials `test`, `test`), `PENT_TEST_S3_FORGETFUL` one that ignores them.

use super::{BucketPlace, Place, cases, clone_of, head, push_to, seen, token};
use crate::app_flow::{Lab, noise};
use pentimento::base::id::PackId;
use pentimento::store::bucket::probe::probe_conditions;
use pentimento::store::bucket::{BucketError, Cloud, CloudBucket};
use std::sync::Arc;

fn open(variable: &str, prefix: &str) -> CloudBucket {
    let endpoint = std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names no endpoint"));
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    CloudBucket::open(Cloud::S3, "pent-test", prefix, &variables).expect("a bucket")
}

/// A remote under a prefix that no other run uses.
fn place() -> BucketPlace {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).expect("random bytes");
    let prefix = format!("run/{}", PackId::from_bytes(nonce));
    BucketPlace::begin(Arc::new(open("PENT_TEST_S3", &prefix)))
}

#[test]
#[ignore = "needs an S3 server; .ci/run starts one"]
fn s3_keeps_the_contract() {
    cases::what_is_pushed_comes_back_whole(&place());
    cases::nothing_shows_before_it_is_published(&place());
    cases::a_name_moves_only_from_where_it_is(&place());
    cases::a_publication_counts_once_however_often_it_is_told(&place());
    cases::what_the_remote_has_is_not_sent_again(&place());
    cases::histories_that_parted_come_back_both(&place());
    cases::a_question_about_what_is_not_there_is_answered_with_no(&place());
    cases::a_push_that_was_stopped_goes_on_where_it_was(&place());
    cases::many_small_files_and_one_large_one(&place());
}

#[test]
#[ignore = "needs an S3 server; .ci/run starts one"]
fn s3_loses_no_update_of_eight_who_push_at_once() {
    let place = place();
    let labs: Vec<Lab> = (0..8).map(|_| Lab::new()).collect();
    std::thread::scope(|scope| {
        for (number, lab) in labs.iter().enumerate() {
            let place = &place;
            scope.spawn(move || {
                for round in 0..3 {
                    lab.write("work.bin", noise(number as u64 * 10 + round, 30_000));
                    lab.commit("on");
                    push_to(lab, &*place.open(), &format!("b{number}")).expect("a push");
                }
            });
        }
    });
    let clone = clone_of(&place);
    for (number, lab) in labs.iter().enumerate() {
        assert_eq!(seen(&clone, &format!("b{number}")), Some(head(lab)));
    }
}

#[test]
#[ignore = "needs an S3 server that ignores conditions; .ci/run starts one"]
fn a_server_that_ignores_conditions_is_refused() {
    let bucket = open("PENT_TEST_S3_FORGETFUL", "run");
    let nonce = PackId::from_bytes(token()).to_string();
    let outcome = probe_conditions(&bucket, &nonce);
    assert!(matches!(outcome, Err(BucketError::Unconditional { .. })), "{outcome:?}");
}
