//! How far long work has come: one line on a terminal, a line now and then elsewhere.
//!
//! The work itself only adds to counters; a thread of its own draws, so that a stalled disk does not
//! stop the clock. Everything that is written to standard error while work goes on is written
//! under one lock, so that warnings and the line do not mix.

mod line;

use crate::base::monitor::{Advance, Monitor, Phase, Problem};
use line::{Speed, State};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Work shorter than this shows nothing.
const PATIENCE: Duration = Duration::from_millis(400);
/// Time between two drawings of the line.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// Time between two lines where there is no terminal.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// Most problems that are written out one by one while work goes on.
const PROBLEMS_SHOWN_MAX: u64 = 20;

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// Nothing.
    Never,
    /// One line that is drawn anew, on a terminal of so many columns.
    Line { columns: usize },
    /// A line every ten seconds.
    Reports,
}

/// The monitor of the command line.
#[derive(Debug)]
pub struct Progress {
    shared: Arc<Shared>,
    drawer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    showing: Showing,
    is_cancelled: fn() -> bool,
    counters: Counters,
    view: Mutex<View>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Counters {
    files: AtomicU64,
    bytes: AtomicU64,
    bytes_shared: AtomicU64,
    commits: AtomicU64,
    commits_total: AtomicU64,
}

/// What the drawing thread goes by.
#[derive(Debug)]
struct View {
    phase: Option<Phase>,
    speed: Speed,
    work_began: Instant,
    last_shown: Option<Instant>,
    is_line_drawn: bool,
    is_over: bool,
    problems: u64,
}

impl Progress {
    /// A monitor that shows nothing until work begins.
    pub fn new(showing: Showing, is_cancelled: fn() -> bool) -> Self {
        let view = View {
            phase: None,
            speed: Speed::default(),
            work_began: Instant::now(),
            last_shown: None,
            is_line_drawn: false,
            is_over: false,
            problems: 0,
        };
        let shared = Shared {
            showing,
            is_cancelled,
            counters: Counters::default(),
            view: Mutex::new(view),
            changed: Condvar::new(),
        };
        Self { shared: Arc::new(shared), drawer: Mutex::new(None) }
    }

    /// Ends the drawing and erases the line; work may begin again afterwards.
    pub fn finish(&self) {
        let mut drawer = self.drawer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = drawer.take() {
            self.shared.lock().is_over = true;
            self.shared.changed.notify_all();
            // The thread only draws: if it failed, there is nothing to make good.
            let _ = thread.join();
        }
        let mut view = self.shared.lock();
        view.erase();
        let hidden = view.problems.saturating_sub(PROBLEMS_SHOWN_MAX);
        if hidden > 0 {
            eprint_line(&format!("... and {hidden} more such problems"));
        }
        view.problems = 0;
        view.phase = None;
    }

    fn begin_drawing(&self) {
        let mut drawer = self.drawer.lock().unwrap_or_else(PoisonError::into_inner);
        if drawer.is_some() || self.shared.showing == Showing::Never {
            return;
        }
        {
            let mut view = self.shared.lock();
            view.is_over = false;
            view.work_began = Instant::now();
            view.last_shown = None;
        }
        let shared = Arc::clone(&self.shared);
        // Without a thread nothing is drawn; the work itself does not depend on it.
        *drawer = std::thread::Builder::new().name("progress".to_owned()).spawn(move || shared.draw()).ok();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Monitor for Progress {
    fn phase(&self, phase: Phase) {
        {
            let mut view = self.shared.lock();
            self.shared.counters.reset();
            view.phase = Some(phase);
            view.speed = Speed::default();
        }
        self.begin_drawing();
    }

    fn advance(&self, advance: Advance) {
        let counters = &self.shared.counters;
        counters.files.fetch_add(advance.files, Ordering::Relaxed);
        counters.bytes.fetch_add(advance.bytes, Ordering::Relaxed);
        counters.bytes_shared.fetch_add(advance.bytes_shared, Ordering::Relaxed);
    }

    fn commits(&self, done: u64, total: u64) {
        let counters = &self.shared.counters;
        counters.commits.store(done, Ordering::Relaxed);
        counters.commits_total.store(total, Ordering::Relaxed);
    }

    fn problem(&self, problem: Problem) {
        let mut view = self.shared.lock();
        view.problems += 1;
        if view.problems <= PROBLEMS_SHOWN_MAX {
            view.erase();
            eprint_line(&format!("{}: {}", problem.path, crate::cli::output::safe(&problem.message)));
        }
    }

    fn is_cancelled(&self) -> bool {
        (self.shared.is_cancelled)()
    }
}

impl Counters {
    fn reset(&self) {
        for counter in [&self.files, &self.bytes, &self.bytes_shared, &self.commits, &self.commits_total] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}

impl Shared {
    /// A thread that panicked while it drew leaves nothing worse than an odd line.
    fn lock(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws until the work is over.
    fn draw(&self) {
        let mut view = self.lock();
        while !view.is_over {
            let (next, _) =
                self.changed.wait_timeout(view, DRAW_EVERY).unwrap_or_else(PoisonError::into_inner);
            view = next;
            if !view.is_over {
                self.draw_once(&mut view);
            }
        }
        view.erase();
    }

    fn draw_once(&self, view: &mut View) {
        let now = Instant::now();
        let Some(phase) = view.phase else { return };
        let state = State {
            phase,
            files: self.counters.files.load(Ordering::Relaxed),
            bytes: self.counters.bytes.load(Ordering::Relaxed),
            bytes_shared: self.counters.bytes_shared.load(Ordering::Relaxed),
            commits: self.counters.commits.load(Ordering::Relaxed),
            commits_total: self.counters.commits_total.load(Ordering::Relaxed),
        };
        view.speed.note(now, &state);
        match self.showing {
            Showing::Never => {}
            Showing::Line { columns } if now - view.work_began >= PATIENCE => {
                // The last column stays free: some terminals wrap when it is written.
                let text = line::describe(&state, &view.speed, columns.saturating_sub(1));
                eprint_raw(&format!("\r{text}\x1b[K"));
                view.is_line_drawn = true;
            }
            // Whoever waits for another command wants to know it now.
            Showing::Reports if phase.name.starts_with("Waiting") && view.last_shown.is_none() => {
                eprint_line(&line::describe(&state, &view.speed, usize::MAX));
                view.last_shown = Some(now);
            }
            Showing::Reports if now - view.last_shown.unwrap_or(view.work_began) >= REPORT_EVERY => {
                eprint_line(&line::describe(&state, &view.speed, usize::MAX));
                view.last_shown = Some(now);
            }
            Showing::Line { .. } | Showing::Reports => {}
        }
    }
}

impl View {
    fn erase(&mut self) {
        if self.is_line_drawn {
            eprint_raw("\r\x1b[K");
            self.is_line_drawn = false;
        }
    }
}

/// Without a standard error nobody is there to be told.
fn eprint_raw(text: &str) {
    let mut error = std::io::stderr().lock();
    let _ = error.write_all(text.as_bytes()).and_then(|()| error.flush());
}

fn eprint_line(text: &str) {
    eprint_raw(&format!("{text}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_start_anew_with_each_phase_and_work_can_begin_again() {
        let progress = Progress::new(Showing::Reports, || true);
        let phase = Phase { name: "Reading", files_total: None, bytes_total: None };
        for _ in 0..2 {
            progress.phase(phase);
            progress.advance(Advance { files: 1, bytes: 10, bytes_shared: 5 });
            assert_eq!(progress.shared.counters.files.load(Ordering::Relaxed), 1);
            progress.finish();
            assert!(progress.drawer.lock().expect("an unpoisoned lock").is_none());
        }
        assert!(progress.is_cancelled());
    }
}
