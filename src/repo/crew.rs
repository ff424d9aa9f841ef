//! A few threads that work off jobs while one thread hands them out and takes the results.
//!
//! These are threads of their own and not tasks of a shared pool: a pool's thread that waits takes
//! up other work meanwhile, which could be another large file with buffers of its own, and so on
//! without bound. Here the thread that waits just waits.

use crossbeam_channel::{Receiver, Sender, unbounded};
use std::thread;

/// Most threads of a crew: beyond it the disk and memory are the limit.
const CREW_THREADS_MAX: usize = 8;
/// Most buffers that a crew works on, of 4 MiB each.
const CREW_BUFFERS_MAX: usize = 16;

/// The side of the thread that hands out jobs.
pub(crate) struct Crew<J, R> {
    jobs: Sender<J>,
    results: Receiver<Option<R>>,
    outstanding: usize,
}

/// How many threads a crew has on this machine.
pub(crate) fn crew_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(CREW_THREADS_MAX)
}

/// How many buffers keep so many threads busy: one being worked on and one waiting for each, and two
/// for the thread that hands them out.
pub(crate) fn crew_buffers(threads: usize) -> usize {
    (2 * threads + 2).min(CREW_BUFFERS_MAX)
}

/// Runs `lead` with a crew that does `work` on each job.
///
/// Jobs that were not begun when `lead` returns may be left undone.
pub(crate) fn with_crew<J: Send, R: Send, T>(
    threads: usize,
    work: impl Fn(J) -> R + Sync,
    lead: impl FnOnce(&mut Crew<J, R>) -> T,
) -> T {
    thread::scope(|scope| {
        let (jobs, jobs_out) = unbounded::<J>();
        let (results_in, results) = unbounded();
        for _ in 0..threads.max(1) {
            let (jobs_out, results_in, work) = (jobs_out.clone(), results_in.clone(), &work);
            scope.spawn(move || {
                let guard = PanicGuard(results_in);
                // Nobody takes results any more once the leading thread has returned.
                jobs_out.iter().map(work).try_for_each(|result| guard.0.send(Some(result)))
            });
        }
        drop((jobs_out, results_in));
        lead(&mut Crew { jobs, results, outstanding: 0 })
    })
}

/// Tells the leading thread that a result will never come.
struct PanicGuard<R>(Sender<Option<R>>);

impl<R> Drop for PanicGuard<R> {
    fn drop(&mut self) {
        if thread::panicking() {
            // When the leading thread is gone there is nobody to tell.
            let _ = self.0.send(None);
        }
    }
}

impl<J, R> Crew<J, R> {
    /// Hands out a job.
    pub(crate) fn send(&mut self, job: J) {
        // The crew's threads hold the other end until this value is dropped, unless one panicked;
        // then the next result says so.
        if self.jobs.send(job).is_ok() {
            self.outstanding += 1;
        }
    }

    /// The next result that is there already, in no particular order.
    pub(crate) fn try_next(&mut self) -> Option<R> {
        let result = self.results.try_recv().ok()?;
        Some(self.arrived(result))
    }

    /// The next result; waits for it. `None` when every job is done.
    pub(crate) fn next(&mut self) -> Option<R> {
        if self.outstanding == 0 {
            return None;
        }
        let result = self.results.recv().ok()?;
        Some(self.arrived(result))
    }

    #[expect(clippy::panic, reason = "the panic of another thread goes on here")]
    fn arrived(&mut self, result: Option<R>) -> R {
        self.outstanding -= 1;
        // Leaving the scope joins the threads and raises the panic that happened there.
        result.unwrap_or_else(|| panic!("a thread of the crew panicked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_has_its_result() {
        let sum = with_crew(
            3,
            |job: u64| job * 2,
            |crew| {
                (1..=100).for_each(|job| crew.send(job));
                std::iter::from_fn(|| crew.next()).sum::<u64>()
            },
        );
        assert_eq!(sum, 10_100);
    }

    #[test]
    #[should_panic(expected = "crew")]
    fn a_panic_on_a_crew_thread_does_not_leave_the_leader_waiting() {
        let work = |job: u64| if job == 5 { panic!("job five of the crew") } else { job };
        with_crew(2, work, |crew| {
            (1..=10).for_each(|job| crew.send(job));
            std::iter::from_fn(|| crew.next()).count()
        });
    }
}
