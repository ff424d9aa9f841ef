//! Ctrl-C: the first asks the work to end at a safe place, the second ends the process at once.
//! Both are safe; the first also ends tidily.

use crate::cli::failure::{ExitStatus, Failure};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Begins to listen.
pub(super) fn listen() -> Result<(), Failure> {
    ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(ExitStatus::Interrupted.code()));
        }
        // Without a standard error nobody is there to be told.
        let _ = writeln!(
            std::io::stderr(),
            "\nStopping at the next safe place. Press Ctrl-C again to stop at once; that is safe too."
        );
    })
    .map_err(|error| Failure::usage(format!("Ctrl-C cannot be watched: {error}")))
}

/// Whether the user asked to stop.
pub(super) fn is_requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
