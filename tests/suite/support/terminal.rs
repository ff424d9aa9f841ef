//! A terminal of a test's own: a program in it believes that somebody looks at it and types.

use super::World;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What Ctrl-C sends.
pub const CTRL_C: &str = "\x03";
/// Nothing in a test takes that long; whoever waits for a text that never comes is let go then.
const PATIENCE: &str = "120";

/// A running program and its terminal.
pub struct Terminal {
    child: Child,
    keyboard: Option<ChildStdin>,
    screen: ChildStdout,
    shown: Vec<u8>,
}

impl Terminal {
    /// Starts the program in a terminal of so many columns.
    pub fn pent(world: &World, columns: u16, arguments: &[&str]) -> Self {
        let words = [env!("CARGO_BIN_EXE_pent")].into_iter().chain(arguments.iter().copied());
        let line: Vec<String> = words.map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
        Self::run(world, columns, &line.join(" "))
    }

    /// Starts a command line in a terminal of so many columns. `pent` is this program.
    pub fn run(world: &World, columns: u16, line: &str) -> Self {
        let folder = Path::new(env!("CARGO_BIN_EXE_pent")).parent().expect("a folder");
        let mut script = Command::new("timeout");
        let line = format!("stty cols {columns} rows 24; exec {line}");
        script.args([PATIENCE, "script", "-qec", &line, "/dev/null"]).current_dir(world.studio()).env_clear();
        script.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()));
        script.env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        let surroundings = world.command(&[]);
        script.envs(surroundings.get_envs().filter_map(|(name, value)| Some((name, value?))));
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().expect("script(1) is installed");
        let (keyboard, screen) = (child.stdin.take(), child.stdout.take().expect("a screen"));
        Self { child, keyboard, screen, shown: Vec::new() }
    }

    /// What was shown so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Waits until something was shown that fits.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, fits: impl Fn(&str) -> bool) {
        while !fits(&self.shown()) {
            let mut piece = [0u8; 4096];
            let count = self.screen.read(&mut piece).expect("a screen");
            let end = self.shown.len().saturating_sub(2000);
            assert_ne!(
                count,
                0,
                "it ended without {what}: {:?}",
                String::from_utf8_lossy(&self.shown[end..])
            );
            self.shown.extend_from_slice(&piece[..count]);
        }
    }

    /// Waits until a text was shown.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |shown| shown.contains(text));
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        let keyboard = self.keyboard.as_mut().expect("a keyboard");
        keyboard.write_all(keys.as_bytes()).and_then(|()| keyboard.flush()).expect("typed");
    }

    /// Waits for the end: the exit code, and all that was shown.
    pub fn end(mut self) -> (i32, String) {
        self.screen.read_to_end(&mut self.shown).expect("the rest");
        // Until then it stays, since its end would be taken for that of the input.
        drop(self.keyboard.take());
        let status = self.child.wait().expect("an end");
        (status.code().unwrap_or(-1), self.shown())
    }
}
