//! Pushes to, and clones from, an object store that are killed again and again: what has to travel twice is
//! counted on the line.

use super::cloud::{s3, world};
use crate::app_flow::noise;
use crate::kills::Dice;
use crate::sharing_network::{PACK, kill_when, rounds};
use crate::support::line::{Line, Mishap};
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
        let unfinished = server.request("GET", "/pent-test?uploads", &[], "");
        assert!(unfinished.status == 200 && !unfinished.text.contains("<Upload>"), "{unfinished:?}");
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
