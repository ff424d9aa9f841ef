//! Opens a page in the browser that the person's desktop has.

use std::path::Path;
use std::process::{Command, Stdio};

/// The desktop's own way to open a file. It is a fixed name, never one out of a repository.
const PROGRAM: &str = if cfg!(target_os = "macos") {
    "open"
} else if cfg!(windows) {
    "explorer"
} else {
    "xdg-open"
};

/// Starts it and does not wait. `false` when there is none.
pub fn open(page: &Path) -> bool {
    // An absolute path cannot be taken for an option.
    let Ok(page) = page.canonicalize() else { return false };
    let started = Command::new(PROGRAM)
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    started.is_ok()
}
