//! Several requests at a time, with a bound on what waits, and patience with what fails for now.

use crate::repo::crew::with_crew;
use crate::store::bucket::{BucketError, BucketResult};
use crate::sync::error::SyncResult;
use std::time::Duration;

/// How often a request is tried before its error is told.
const ATTEMPTS: u32 = 6;
const PAUSE_MIN: Duration = Duration::from_millis(40);

/// Does `work` on each job on `threads` threads and hands the results to `take` on this one, in no
/// order. At most two results for each thread wait at a time. The first error ends it.
pub(super) fn for_each<J: Send, R: Send>(
    jobs: impl IntoIterator<Item = J>,
    threads: usize,
    work: impl Fn(J) -> SyncResult<R> + Sync,
    mut take: impl FnMut(R) -> SyncResult<()>,
) -> SyncResult<()> {
    let waiting_max = threads.max(1) * 2;
    with_crew(threads, work, |crew| {
        let mut waiting = 0;
        for job in jobs {
            if waiting == waiting_max {
                waiting -= 1;
                crew.next().map_or(Ok(()), |result| take(result?))?;
            }
            crew.send(job);
            waiting += 1;
        }
        while let Some(result) = crew.next() {
            take(result?)?;
        }
        Ok(())
    })
}

/// Asks again, with pauses that grow and differ, while an error may pass.
pub(super) fn patiently<T>(mut ask: impl FnMut() -> BucketResult<T>) -> BucketResult<T> {
    let mut attempt = 0;
    loop {
        match ask() {
            Err(BucketError::Transient { .. }) if attempt + 1 < ATTEMPTS => {
                pause(attempt);
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Sleeps longer with every attempt, and never as long as somebody else who began at the same time.
pub(super) fn pause(attempt: u32) {
    let mut random = [0u8; 4];
    // Without random bytes the pauses are only less different.
    let _ = getrandom::fill(&mut random);
    std::thread::sleep(pause_length(attempt, u32::from_le_bytes(random)));
}

/// A quarter to all of a time that doubles with every attempt.
fn pause_length(attempt: u32, random: u32) -> Duration {
    let longest = PAUSE_MIN * 2u32.pow(attempt.min(6));
    longest.mul_f64(0.25 + 0.75 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::error::SyncError;

    #[test]
    fn every_result_arrives_and_the_first_error_ends_it() {
        let mut sum = 0;
        let done = for_each(0..100u64, 3, Ok, |result| {
            sum += result;
            Ok(())
        });
        assert!(done.is_ok());
        assert_eq!(sum, 4950);
        let fail = |job| if job == 50 { Err(SyncError::Outdated) } else { Ok(job) };
        assert!(for_each(0..100u64, 3, fail, |_| Ok(())).is_err());
    }

    #[test]
    fn pauses_grow_up_to_some_seconds_and_differ() {
        for attempt in 0..20 {
            let longest = PAUSE_MIN * 2u32.pow(attempt.min(6));
            assert_eq!(pause_length(attempt, u32::MAX), longest);
            assert_eq!(pause_length(attempt, 0), longest / 4);
            assert!(pause_length(attempt, 1 << 30) < pause_length(attempt, 1 << 31));
        }
        assert!(
            pause_length(3, 7) > pause_length(0, 7) && pause_length(99, u32::MAX) < Duration::from_secs(3)
        );
        let begun = std::time::Instant::now();
        pause(2);
        assert!(begun.elapsed() >= PAUSE_MIN);
    }

    #[test]
    fn what_passes_is_asked_again_and_what_does_not_is_told() {
        let transient = || BucketError::Transient {
            action: "get",
            key: "k".into(),
            source: Box::new(std::io::Error::other("now")),
        };
        let mut calls = 0;
        let outcome = patiently(|| {
            calls += 1;
            if calls < 3 { Err(transient()) } else { Ok(calls) }
        });
        assert_eq!(outcome.ok(), Some(3));
        let full = || BucketError::Full { key: "k".into() };
        let mut calls = 0;
        let outcome: BucketResult<()> = patiently(|| {
            calls += 1;
            Err(full())
        });
        assert!(outcome.is_err());
        assert_eq!(calls, 1);
    }
}
