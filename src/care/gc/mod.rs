//! Removes what nothing reaches, in two phases.
//!
//! ```text
//! phase 1   mark from every root      -> list what was not reached, with the moment
//! phase 2   locks, mark what changed  -> drop what was listed long enough ago and is still not reached
//!                                     -> rewrite the packs that are mostly empty
//! ```
//!
//! Phase 1 takes no lock: whatever it lists is only a candidate. Phase 2 holds the lock of the
//! worktree, so that no command that changes files is under way, and the sweep lock, so that nobody
//! is storing content that may rest on what is here. Names may still move: they are compared inside
//! the one write transaction that drops everything, and a name can only be pointed at a commit that
//! is there. All of it goes at once, so a commit that is there has all that it reaches. Packs are
//! rewritten afterwards, one transaction each; a stop in between costs space for a while and nothing
//! else.
//!
//! [`free`] drops content that is needed and is elsewhere.

mod free;
mod plan;
mod sweep;

pub use free::{Freed, free};

pub use plan::{KeptLine, PackAction, PackLine, Plan, Tally, WASTE_PERCENT, plan};
pub use sweep::{Done, epoch, execute};

use crate::base::time::Timestamp;

/// How long something stays after nothing reached it any more, in days.
pub const GRACE_DAYS: i64 = 14;
const DAY_MS: i64 = 86_400_000;

/// How to collect.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The present moment.
    pub now: Timestamp,
    /// How long something stays after nothing reached it any more, in milliseconds.
    pub grace_ms: i64,
    /// Go on although records are missing and what only they reach will be lost.
    pub accept_losses: bool,
}

impl Options {
    /// The usual grace.
    pub const fn at(now: Timestamp) -> Self {
        Self { now, grace_ms: GRACE_DAYS * DAY_MS, accept_losses: false }
    }

    /// Another grace, in days.
    pub const fn with_grace_days(mut self, days: u32) -> Self {
        self.grace_ms = days as i64 * DAY_MS;
        self
    }

    /// Whether what was condemned at that moment goes now. With no grace everything does, whatever
    /// the clock says; a moment that has not come yet is one of a clock that was wrong.
    fn is_due(&self, since_ms: i64) -> bool {
        self.grace_ms <= 0 || since_ms.saturating_add(self.grace_ms) <= self.now.unix_ms
    }
}
