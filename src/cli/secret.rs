//! Asks for passphrases: on the terminal without showing them, or through the program that
//! `SSH_ASKPASS` names. Never from the command line or standard input.

use crate::cli::environment::Askpass;
use crate::trust::TrustError;
use crate::trust::secret::AskSecret;
use std::io::Read as _;
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// Longest passphrase, in bytes.
const SECRET_BYTES_MAX: usize = 1024;

/// The ways to a passphrase on this machine.
#[derive(Debug, Clone)]
pub struct SecretPrompt {
    askpass: Askpass,
}

impl SecretPrompt {
    /// Asks through the terminal, and through the program where there is none or it goes first.
    pub const fn new(askpass: Askpass) -> Self {
        Self { askpass }
    }
}

impl AskSecret for SecretPrompt {
    fn ask(&self, question: &str) -> Result<Zeroizing<String>, TrustError> {
        let program = self.askpass.program.as_deref();
        if self.askpass.first
            && let Some(program) = program
        {
            return ask_program(program, question);
        }
        match (terminal::ask(question), program) {
            (Err(TrustError::NobodyToAsk { .. }), Some(program)) => ask_program(program, question),
            (answer, _) => answer,
        }
    }
}

/// The program shows the question and prints the answer, as those of OpenSSH do.
fn ask_program(program: &std::path::Path, question: &str) -> Result<Zeroizing<String>, TrustError> {
    let failed = |source| TrustError::Helper { program: program.to_owned(), source };
    let mut child = Command::new(program)
        .arg(question.trim_end())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // Made large enough at once: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 2));
    let stdout = child.stdout.take();
    let read = stdout.map(|stdout| stdout.take(SECRET_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    let status = child.wait().map_err(failed)?;
    read.transpose().map_err(failed)?;
    if !status.success() {
        return Err(TrustError::NoAnswer);
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    text_of(line)
}

fn text_of(bytes: &[u8]) -> Result<Zeroizing<String>, TrustError> {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.len() <= SECRET_BYTES_MAX => Ok(Zeroizing::new(text.to_owned())),
        _ => Err(TrustError::NoAnswer),
    }
}

#[cfg(unix)]
mod terminal {
    use super::{SECRET_BYTES_MAX, TrustError, Zeroizing, text_of};
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
    use std::fs::{File, OpenOptions};
    use std::io::{self, Write as _};
    use zeroize::Zeroize as _;

    /// The terminal as it was, put back when this goes.
    struct Quiet<'a> {
        terminal: &'a File,
        before: Termios,
    }

    impl<'a> Quiet<'a> {
        /// Turns off echo, and takes each key as it comes: Ctrl-C then is a key like others, so
        /// that the terminal is never left without echo.
        fn begin(terminal: &'a File) -> io::Result<Self> {
            let before = tcgetattr(terminal)?;
            let mut quiet = before.clone();
            quiet
                .local_modes
                .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
            quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
            quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
            Ok(Self { terminal, before })
        }
    }

    impl Drop for Quiet<'_> {
        fn drop(&mut self) {
            // There is nothing better to do with a terminal that refuses.
            let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
        }
    }

    pub fn ask(question: &str) -> Result<Zeroizing<String>, TrustError> {
        let nobody = |_| TrustError::NobodyToAsk { question: question.trim_end().to_owned() };
        let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(nobody)?;
        let answer = {
            // Quiet before the question shows, so that nothing typed in answer to it does.
            let quiet = Quiet::begin(&terminal).map_err(nobody)?;
            let mut out = quiet.terminal;
            out.write_all(question.as_bytes()).map_err(nobody)?;
            read_line(quiet.terminal)
        };
        // The line end was not shown either.
        let _ = terminal.write_all(b"\n");
        answer
    }

    pub(super) fn read_line(mut keys: impl io::Read) -> Result<Zeroizing<String>, TrustError> {
        let mut line = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 1));
        let mut key = Zeroizing::new([0u8; 1]);
        loop {
            match keys.read(&mut *key) {
                Ok(1) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                _ => return Err(TrustError::NoAnswer),
            }
            match key[0] {
                b'\n' | b'\r' => return text_of(&line),
                // Ctrl-C, Ctrl-D, Ctrl-\.
                3 | 4 | 28 => return Err(TrustError::NoAnswer),
                // Ctrl-U takes all of it back.
                21 => line.zeroize(),
                8 | 127 => take_back(&mut line),
                other if line.len() < SECRET_BYTES_MAX => line.push(other),
                _ => return Err(TrustError::NoAnswer),
            }
        }
    }

    /// Takes back one character, which may be several bytes.
    fn take_back(line: &mut Vec<u8>) {
        while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
    }
}

#[cfg(not(unix))]
mod terminal {
    use super::{TrustError, Zeroizing};

    pub fn ask(question: &str) -> Result<Zeroizing<String>, TrustError> {
        Err(TrustError::NobodyToAsk { question: question.trim_end().to_owned() })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::terminal::read_line;
    use crate::trust::TrustError;

    #[test]
    fn a_line_can_be_corrected_and_given_up() {
        let read = |keys: &[u8]| read_line(keys).map(|line| line.to_string());
        assert_eq!(read(b"softer\r").ok().as_deref(), Some("softer"));
        assert_eq!(read("so\u{e4}\u{7f}ft\n".as_bytes()).ok().as_deref(), Some("soft"));
        assert_eq!(read(b"wrong\x15right\n").ok().as_deref(), Some("right"));
        for given_up in [&b"soft\x03"[..], b"\x04", b"soft", &[b'x'; 2000]] {
            assert!(matches!(read(given_up), Err(TrustError::NoAnswer)));
        }
    }
}
