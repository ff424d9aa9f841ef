//! Fetches beside a command, now and then, and locks what somebody has begun to change, when the settings ask for it.
//! Nobody waits for it: what it brings shows in the next command.

use crate::cli::context::Context;
use crate::repo::Repository;
use crate::sync::tracking::remote_records;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// The setting that says how often.
const SETTING: &str = "fetch.every";
/// A file beside what is kept about remotes: its age says when it was done last.
const STAMP: &str = "remotes/.fetched";
/// The same of locks.
const LOCKED_STAMP: &str = "remotes/.locked";
/// How often locks are tried at most.
const LOCK_EVERY: Duration = Duration::from_secs(60);

/// Begins a fetch when the last one is long enough ago. What fails is tried again the next time.
pub fn fetch_when_due(context: &Context, repository: &Repository) {
    let Some(every) = context.settings().ok().and_then(|settings| settings.text(SETTING).ok().flatten())
    else {
        return;
    };
    let Some(every) = interval(&every) else { return };
    let has_remote =
        repository.view().is_ok_and(|view| remote_records(&view).is_ok_and(|all| !all.is_empty()));
    if has_remote && is_due(&repository.pent_dir().join(STAMP), every) {
        begin(repository.root(), &["fetch"]);
    }
}

/// Begins to lock what is changed here and not locked, unless that was tried a moment ago. A key that asks for a
/// passphrase is left alone: nobody is there to answer.
pub fn lock_when_due(repository: &Repository) {
    if is_due(&repository.pent_dir().join(LOCKED_STAMP), LOCK_EVERY) {
        begin(repository.root(), &["lock", "--changed"]);
    }
}

/// The values of the setting. Anything else is refused by the settings themselves.
fn interval(text: &str) -> Option<Duration> {
    let minutes = match text {
        "5m" => 5,
        "15m" => 15,
        "1h" => 60,
        "4h" => 240,
        "1d" => 1440,
        _ => return None,
    };
    Some(Duration::from_secs(minutes * 60))
}

/// Whether the stamp is old enough or missing; makes it new, so that commands side by side begin one fetch.
fn is_due(stamp: &Path, every: Duration) -> bool {
    let age = fs::metadata(stamp).and_then(|meta| meta.modified()).ok();
    let is_fresh =
        age.is_some_and(|then| SystemTime::now().duration_since(then).is_ok_and(|age| age < every));
    if is_fresh {
        return false;
    }
    let folder = stamp.parent().unwrap_or(stamp);
    fs::create_dir_all(folder).and_then(|()| fs::write(stamp, b"")).is_ok()
}

fn begin(root: &Path, arguments: &[&str]) {
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = Command::new(program);
    command.arg("-C").arg(root).args(["--quiet", "--no-progress"]).args(arguments);
    // Whoever is asked for a passphrase says nothing.
    command.env("SSH_ASKPASS", "false").env("SSH_ASKPASS_REQUIRE", "force");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        // Ctrl-C in the terminal is meant for the command that the person sees.
        command.process_group(0);
    }
    // Without it nothing is lost but news.
    let _ = command.spawn();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::config::{Kind, find_key};

    #[test]
    fn every_value_of_the_setting_is_understood() {
        let Some(Kind::Choice(words)) = find_key(SETTING).map(|key| key.kind) else {
            panic!("the setting is a choice");
        };
        for word in words {
            assert_eq!(interval(word).is_none(), *word == "never", "{word}");
        }
    }

    #[test]
    fn it_is_due_once_for_each_interval() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stamp = folder.path().join("deep/stamp");
        assert!(is_due(&stamp, Duration::from_secs(60)));
        assert!(!is_due(&stamp, Duration::from_secs(60)));
        assert!(is_due(&stamp, Duration::ZERO));
    }
}
