//! Pushes to, and clones from, an object store that are killed again and again: what has to travel twice is
//! counted on the line.

use super::cloud::{BUCKET, open, s3, world};
use crate::app_flow::noise;
use crate::kills::Dice;
use crate::sharing_network::{PACK, kill_when, rounds};
use crate::support::line::{Line, Mishap};
use crate::support::servers::Server;
use pentimento::store::bucket::{Bucket as _, Cloud, CloudBucket};
use std::fs;
use std::sync::atomic::Ordering;

/// What requests, answers, trees and index files take beside content, in bytes.
const BESIDE: u64 = 2_000_000;

#[test]
fn whoever_is_killed_sends_to_an_object_store_no_more_than_one_pack_twice() {
    let Some((server, mut variables)) = s3() else { return };
    let line = Line::new(|_| Mishap::None);
    line.lead_to(server.address());
    variables[0].1 = format!("http://{}", line.address);
    let world = world(&variables);
    world.ok(&["remote", "add", "origin", "s3://pent-test/brand"]);
    world.ok(&["push"]);
    let (mut dice, total) = (Dice(47), 100_000_000);
    for round in 0..rounds().div_ceil(4).min(40) {
        fs::write(world.studio().join("film.bin"), noise(100 + round, total as usize)).expect("a film");
        world.ok(&["commit", "-m", "A film"]);
        let before = line.asked.load(Ordering::Relaxed);
        let mut kills = 0;
        // Up to 85 MB are under way before the last kill, so none of them comes too late.
        for part in [40, 25, 20] {
            let now = line.asked.load(Ordering::Relaxed);
            kill_when(&world, &["push"], &line.asked, now + dice.roll(part * 1_000_000));
            kills += 1;
        }
        let pushed = world.json(&["push"]);
        let sent = line.asked.load(Ordering::Relaxed) - before;
        assert!(sent <= total + kills * PACK + BESIDE, "{sent} bytes were sent in all: {pushed}");
        // Nothing that nobody sees is left to be paid for.
        assert!(!has_unfinished(&server));
        let before = line.answered.load(Ordering::Relaxed);
        let copy = format!("../copy-{round}");
        let arguments = ["clone", "s3://pent-test/brand", &copy];
        kill_when(&world, &arguments, &line.answered, before + 20_000_000 + dice.roll(60_000_000));
        world.ok(&arguments);
        let taken = line.answered.load(Ordering::Relaxed) - before;
        let all = 1_000_000 + total * (round + 1);
        assert!(taken <= all + PACK + BESIDE, "{taken} of {all} bytes were taken in all");
        assert!(
            fs::read(world.studio().join(&copy).join("film.bin")).expect("a film")
                == noise(100 + round, total as usize)
        );
        assert_eq!(world.json(&["-C", &copy, "fsck"])["sound"], true);
        fs::remove_dir_all(world.studio().join(&copy)).expect("removed");
    }
    assert_eq!(world.json(&["remote", "verify"])["complete"], true);
}

/// Whether the store keeps parts of something that was never finished.
fn has_unfinished(server: &Server) -> bool {
    let unfinished = server.request("GET", &format!("/{BUCKET}?uploads"), &[], "");
    assert_eq!(unfinished.status, 200, "{unfinished:?}");
    unfinished.text.contains("<Upload>")
}

#[test]
fn objects_that_were_cut_off_are_gone_on_with_and_what_nobody_wants_is_given_up() {
    let Some((server, mut variables)) = s3() else { return };
    let line = Line::new(|_| Mishap::None);
    line.lead_to(server.address());
    variables[0].1 = format!("http://{}", line.address);
    let notes = tempfile::tempdir().expect("a temporary folder");
    // Whoever opens it anew stands for the next process: nothing else is left of the one before.
    let opened = || open(Cloud::S3, "cut", &variables).noting(notes.path().to_owned());
    let (one, two) = (noise(1, 32 << 20), noise(2, 32 << 20));
    let cut = |bytes: u64, send: &dyn Fn(&CloudBucket)| {
        line.cut_after.store(line.asked.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
        send(&opened());
        line.cut_after.store(u64::MAX, Ordering::Relaxed);
    };
    let before = line.asked.load(Ordering::Relaxed);
    cut(50_000_000, &|bucket| {
        std::thread::scope(|scope| {
            for (key, bytes) in [("packs/aa/one.pack", &one), ("packs/bb/two.pack", &two)] {
                scope.spawn(move || bucket.put(key, bytes).expect_err("the line is cut"));
            }
        });
    });
    assert!(has_unfinished(&server));
    let bucket = opened();
    bucket.put("packs/bb/two.pack", &two).expect("the rest of an object");
    bucket.put("packs/aa/one.pack", &one).expect("the rest of an object");
    let sent = line.asked.load(Ordering::Relaxed) - before;
    assert!(sent < (64 << 20) + PACK + BESIDE, "{sent} bytes for two packs, of which one may travel twice");
    assert!(bucket.get("packs/aa/one.pack", 1 << 30).expect("an object").expect("bytes") == one);
    assert!(bucket.get("packs/bb/two.pack", 1 << 30).expect("an object").expect("bytes") == two);
    assert!(!has_unfinished(&server));
    // The store itself has given up what is to be gone on with.
    cut(20_000_000, &|bucket| {
        bucket.put("packs/cc/one.pack", &one).expect_err("the line is cut");
    });
    assert!(has_unfinished(&server));
    give_up_at(&server);
    opened().put("packs/cc/one.pack", &one).expect("an object that is sent anew");
    assert!(bucket.get("packs/cc/one.pack", 1 << 30).expect("an object").expect("bytes") == one);
    // Nobody goes on with this one.
    cut(20_000_000, &|bucket| {
        bucket.put("packs/dd/one.pack", &one).expect_err("the line is cut");
    });
    assert!(has_unfinished(&server));
    opened().give_up_what_was_left();
    assert!(!has_unfinished(&server));
    assert_eq!(fs::read_dir(notes.path()).expect("a folder").count(), 0);
}

/// Has the store give up everything that is not finished.
fn give_up_at(server: &Server) {
    let unfinished = server.request("GET", &format!("/{BUCKET}?uploads"), &[], "").text;
    for upload in unfinished.split("<Upload>").skip(1) {
        let between =
            |start: &str, end: &str| upload.split_once(start)?.1.split_once(end).map(|found| found.0);
        let key = between("<Key>", "</Key>").expect("a key");
        let id = between("<UploadId>", "</UploadId>").expect("an id");
        let gone = server.request("DELETE", &format!("/{BUCKET}/{key}?uploadId={id}"), &[], "");
        assert_eq!(gone.status, 204, "{gone:?}");
    }
    assert!(!has_unfinished(server));
}
