//! What one caller may hold of what all callers share, so that nobody is held up by another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Requests of one caller that are worked on at a time; others of theirs wait.
pub(super) const WORK_EACH: usize = 12;
/// Megabytes of bodies of one caller: four of the longest parcels.
const BODIES_EACH_MB: usize = 144;
/// Callers that are kept in mind; those who hold nothing are forgotten first.
const CALLERS_MAX: usize = 1024;

/// What one caller may hold.
pub(super) struct Share {
    work: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
}

/// The shares of all callers, by name.
#[derive(Default)]
pub(super) struct Shares(Mutex<HashMap<String, Arc<Share>>>);

/// Something that is held until it is dropped, first of one's own share, then of everybody's.
pub(super) struct Held {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _share: Arc<Share>,
}

impl Shares {
    /// The share of a caller.
    pub(super) fn of(&self, caller: &str) -> Arc<Share> {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.len() >= CALLERS_MAX && !shares.contains_key(caller) {
            shares.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let new = || {
            let work = Arc::new(Semaphore::new(WORK_EACH));
            Arc::new(Share { work, bodies: Arc::new(Semaphore::new(BODIES_EACH_MB)) })
        };
        shares.entry(caller.to_owned()).or_insert_with(new).clone()
    }
}

impl Share {
    /// Waits for room for a body of so many megabytes; `None` when there was none in time.
    pub(super) async fn room_for_body(
        self: &Arc<Self>,
        all: &Arc<Semaphore>,
        megabytes: u32,
        patience: Duration,
    ) -> Option<Held> {
        self.hold(&self.bodies, all, megabytes, patience).await
    }

    /// Waits for a thread; `None` when none was free in time.
    pub(super) async fn thread(self: &Arc<Self>, all: &Arc<Semaphore>, patience: Duration) -> Option<Held> {
        self.hold(&self.work, all, 1, patience).await
    }

    async fn hold(
        self: &Arc<Self>,
        own: &Arc<Semaphore>,
        all: &Arc<Semaphore>,
        permits: u32,
        patience: Duration,
    ) -> Option<Held> {
        let both = async {
            let own = own.clone().acquire_many_owned(permits).await.ok()?;
            let all = all.clone().acquire_many_owned(permits).await.ok()?;
            Some(Held { _all: all, _own: own, _share: self.clone() })
        };
        timeout(patience, both).await.ok().flatten()
    }
}

/// How long a client takes for its answer, all in all.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Pace {
    taken: u64,
    waited: Duration,
}

impl Pace {
    /// How long it may take nothing, and how slow all of it may be, in bytes a second.
    const SILENCE_MAX: Duration = Duration::from_secs(60);
    const RATE_MIN: u64 = 16 << 10;

    /// How long the next part may be waited for.
    pub(super) fn patience(&self) -> Duration {
        let allowed = Self::SILENCE_MAX + Duration::from_millis(self.taken * 1000 / Self::RATE_MIN);
        allowed.saturating_sub(self.waited).min(Self::SILENCE_MAX)
    }

    /// Counts a part of so many bytes that was waited for so long.
    pub(super) fn took(&mut self, bytes: usize, waited: Duration) {
        self.taken += bytes as u64;
        self.waited += waited;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_a_little_now_and_then_is_let_go_and_whoever_is_just_slow_is_not() {
        let mut dribbles = Pace::default();
        let mut parts = 0;
        while dribbles.patience() > Duration::from_secs(50) || parts == 0 {
            dribbles.took(1_000, Duration::from_secs(50).min(dribbles.patience()));
            parts += 1;
        }
        assert_eq!(parts, 1, "one minute of waiting is all that a kilobyte a minute gets");
        let mut slow = Pace::default();
        for _ in 0..10_000 {
            assert!(slow.patience() > Duration::from_secs(3));
            // 64 KB in three seconds.
            slow.took(64 << 10, Duration::from_secs(3));
        }
    }

    #[tokio::test]
    async fn one_caller_leaves_room_for_others() {
        let (shares, all) = (Shares::default(), Arc::new(Semaphore::new(WORK_EACH + 2)));
        let (first, second) = (shares.of("first"), shares.of("second"));
        let soon = Duration::from_millis(20);
        let mut held = Vec::new();
        for _ in 0..WORK_EACH {
            held.push(first.thread(&all, soon).await.expect("a thread"));
        }
        assert!(shares.of("first").thread(&all, soon).await.is_none(), "that is their share");
        assert!(second.thread(&all, soon).await.is_some(), "others have theirs");
        held.pop();
        assert!(first.thread(&all, soon).await.is_some());
    }
}
