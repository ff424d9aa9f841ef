//! Remotes that are reached through the user's own `ssh`: their settings, keys, agent and jump hosts
//! work as they always do.
//!
//! No shell of this machine takes part: the program gets its arguments one by one, and what could be
//! an option of it stands behind `--`. At the other end a shell reads one line, in which the path is
//! quoted.

use crate::base::escape::terminal;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::wire::pipe::{Dial, Keeper, Pipes, widen};
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Longest line of the other end's messages that is shown, in bytes.
const LINE_BYTES_MAX: u64 = 4096;
/// How shells say that there is no such program.
const NO_PROGRAM: i32 = 127;
/// How ssh says that it failed itself.
const SSH_FAILED: i32 = 255;

/// Shows a line that the other end wrote for people.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// A place that ssh leads to.
pub struct SshDial {
    /// The address as a person would write it.
    pub address: String,
    /// The program with the arguments that always come first.
    pub program: Vec<OsString>,
    /// The user there.
    pub user: Option<String>,
    /// The machine.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
    /// Where the repository is there; relative to the user's home when it does not begin with `/`.
    pub path: String,
    /// Shows what the other end says to people.
    pub notice: Notice,
}

/// The words of a command in a setting: parted by blanks, and never by a shell.
pub fn program_words(text: Option<&str>) -> Vec<OsString> {
    let words: Vec<OsString> = text.unwrap_or_default().split_whitespace().map(OsString::from).collect();
    if words.is_empty() { vec!["ssh".into()] } else { words }
}

/// A word as a POSIX shell takes it for exactly that.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl SshDial {
    /// The program's arguments.
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = self.program.iter().skip(1).cloned().collect();
        // No terminal there, and nothing forwarded that is not needed.
        arguments.extend(["-T", "-a", "-x"].map(OsString::from));
        if let Some(port) = self.port {
            arguments.extend([OsString::from("-p"), OsString::from(port.to_string())]);
        }
        if let Some(user) = &self.user {
            arguments.extend([OsString::from("-l"), OsString::from(user)]);
        }
        // `/~/` begins at the user's home, as it does in addresses of Git.
        let path = self.path.strip_prefix("/~/").unwrap_or(&self.path);
        let line = format!("pent serve --stdio -- {}", quoted(path));
        arguments.extend([OsString::from("--"), OsString::from(&self.host), OsString::from(line)]);
        arguments
    }
}

impl Dial for SshDial {
    fn address(&self) -> &str {
        &self.address
    }

    fn dial(&self) -> SyncResult<Pipes> {
        let program = self.program.first().cloned().unwrap_or_else(|| "ssh".into());
        let failed = |source: std::io::Error| SyncError::Io {
            action: "starting",
            path: std::path::PathBuf::from(&program),
            source,
        };
        let mut child = Command::new(&program)
            .args(self.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdout.take(), child.stdin.take()) else {
            return Err(failed(std::io::Error::other("it has no pipes")));
        };
        widen(&input);
        widen(&output);
        let last = Arc::new(Mutex::new(String::new()));
        let listener = child.stderr.take().map(|stderr| {
            let (notice, last) = (self.notice.clone(), last.clone());
            std::thread::spawn(move || listen(stderr, &*notice, &last))
        });
        let keeper = ChildKeeper { child, listener, last, address: self.address.clone() };
        Ok(Pipes { input: Box::new(input), output: Box::new(output), keeper: Box::new(keeper) })
    }
}

/// Shows what the other end says to people, line by line, with nothing in it that could drive a
/// terminal; keeps the last line.
fn listen(stderr: ChildStderr, notice: &(dyn Fn(&str) + Send + Sync), last: &Mutex<String>) {
    let mut stderr = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        match stderr.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = terminal(line.trim_ascii());
        if !text.is_empty() {
            notice(&text);
            *last.lock().unwrap_or_else(PoisonError::into_inner) = text;
        }
    }
}

struct ChildKeeper {
    child: Child,
    listener: Option<JoinHandle<()>>,
    last: Arc<Mutex<String>>,
    address: String,
}

impl Keeper for ChildKeeper {
    fn why_silent(&mut self) -> Option<SyncError> {
        let status = self.child.wait().ok()?;
        if let Some(listener) = self.listener.take() {
            // What it heard is kept; that it ends is all that matters.
            let _ = listener.join();
        }
        let said = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(silence(&self.address, status, &said))
    }
}

fn silence(address: &str, status: ExitStatus, said: &str) -> SyncError {
    let address = address.to_owned();
    match status.code() {
        Some(NO_PROGRAM) => {
            SyncError::NotPent { address, detail: "there is no pent at the other end".into() }
        }
        Some(SSH_FAILED) => SyncError::NoWay {
            address,
            detail: if said.is_empty() { "ssh could not connect".into() } else { said.to_owned() },
        },
        _ if said.is_empty() => SyncError::NotPent { address, detail: format!("it ended with {status}") },
        _ => SyncError::NotPent { address, detail: said.to_owned() },
    }
}

impl Drop for ChildKeeper {
    fn drop(&mut self) {
        // Its input has ended by now, so it mostly ends by itself.
        for _ in 0..20 {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dial(path: &str) -> SshDial {
        SshDial {
            address: "somewhere".into(),
            program: program_words(Some("ssh -F x")),
            user: Some("anna".into()),
            host: "host".into(),
            port: Some(2222),
            path: path.into(),
            notice: Arc::new(|_| {}),
        }
    }

    #[test]
    fn the_machine_stands_behind_the_options_and_the_path_is_one_word() {
        let line = |path: &str| -> Vec<String> {
            dial(path).arguments().into_iter().map(|word| word.into_string().expect("text")).collect()
        };
        let expected = ["-F", "x", "-T", "-a", "-x", "-p", "2222", "-l", "anna", "--", "host"];
        let words = line("/srv/it's; rm -rf $HOME `x`");
        assert_eq!(words[..11], expected);
        assert_eq!(words[11], r"pent serve --stdio -- '/srv/it'\''s; rm -rf $HOME `x`'");
        assert_eq!(line("/~/brand")[11], "pent serve --stdio -- 'brand'");
    }

    #[test]
    fn without_a_setting_it_is_plain_ssh() {
        assert_eq!(program_words(None), ["ssh"]);
        assert_eq!(program_words(Some("  ")), ["ssh"]);
    }
}
