//! How long work reports what it does and learns that it should stop.

use crate::base::path::AssetPath;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A stretch of work with a name, and its size where that is known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// What is being done, as a progress line says it: `Reading`, `Writing`, `Checking`.
    pub name: &'static str,
    /// Files to be dealt with, when known.
    pub files_total: Option<u64>,
    /// Bytes to be dealt with, when known.
    pub bytes_total: Option<u64>,
}

/// What was done since the last report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Advance {
    /// Files finished.
    pub files: u64,
    /// Bytes read or written on the user's side.
    pub bytes: u64,
    /// Of these, bytes that were already in the repository.
    pub bytes_shared: u64,
}

/// Something that went wrong with one file while the rest goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file it is about.
    pub path: AssetPath,
    /// What is wrong, as a sentence without its full stop.
    pub message: String,
}

/// Receives reports from long work. Called from several threads at once.
pub trait Monitor: Send + Sync {
    /// A phase begins; the one before has ended.
    fn phase(&self, phase: Phase);

    /// Work went on. Called often: must be cheap.
    fn advance(&self, advance: Advance);

    /// So many commits of a history are done, of so many in all, or of an unknown number when `total` is
    /// zero. Only work on whole histories says it.
    fn commits(&self, done: u64, total: u64) {
        let _ = (done, total);
    }

    /// One file has a problem; the work goes on without it.
    fn problem(&self, problem: Problem);

    /// Whether the user asked to stop. Work then ends at the next safe place.
    fn is_cancelled(&self) -> bool;
}

/// Hears everything and says nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct SilentMonitor;

impl Monitor for SilentMonitor {
    fn phase(&self, _: Phase) {}
    fn advance(&self, _: Advance) {}
    fn problem(&self, _: Problem) {}
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Keeps what it hears, for tests.
#[derive(Debug, Default)]
pub struct CollectingMonitor {
    problems: Mutex<Vec<Problem>>,
    phases: Mutex<Vec<Phase>>,
    files: AtomicU64,
    bytes: AtomicU64,
}

impl CollectingMonitor {
    /// The problems heard so far.
    pub fn problems(&self) -> Vec<Problem> {
        self.problems.lock().map(|list| list.clone()).unwrap_or_default()
    }

    /// The phases heard so far.
    pub fn phases(&self) -> Vec<Phase> {
        self.phases.lock().map(|list| list.clone()).unwrap_or_default()
    }

    /// Files and bytes reported so far.
    pub fn totals(&self) -> (u64, u64) {
        (self.files.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

impl Monitor for CollectingMonitor {
    fn phase(&self, phase: Phase) {
        if let Ok(mut list) = self.phases.lock() {
            list.push(phase);
        }
    }

    fn advance(&self, advance: Advance) {
        self.files.fetch_add(advance.files, Ordering::Relaxed);
        self.bytes.fetch_add(advance.bytes, Ordering::Relaxed);
    }

    fn problem(&self, problem: Problem) {
        if let Ok(mut list) = self.problems.lock() {
            list.push(problem);
        }
    }

    fn is_cancelled(&self) -> bool {
        false
    }
}
