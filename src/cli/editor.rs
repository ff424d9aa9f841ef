//! Lets a person write a text in the editor that they use.

use crate::cli::failure::Failure;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What is used when neither `VISUAL` nor `EDITOR` says otherwise.
const DEFAULT: &str = if cfg!(windows) { "notepad" } else { "vi" };

/// Opens a text in an editor and gives what came of it; `None` when it is the same.
///
/// The editor comes from the person's environment, never from a repository: that could name any
/// program.
pub fn edit_text(editor: Option<&OsStr>, text: &str, name: &str) -> Result<Option<String>, Failure> {
    let folder = Scratch::new()?;
    let path = folder.0.join(name);
    fs::write(&path, text)?;
    let editor = editor.unwrap_or_else(|| OsStr::new(DEFAULT));
    let status = command(editor, &path).status().map_err(|source| {
        Failure::refused(format!("the editor {} did not start: {source}", editor.to_string_lossy()))
            .hint("say which one you use in the variable VISUAL or EDITOR")
    })?;
    if !status.success() {
        return Err(Failure::refused("the editor ended with an error, so nothing was changed"));
    }
    let edited = fs::read_to_string(&path)?;
    Ok((edited != text).then_some(edited))
}

/// The editor may come with options of its own, as in `code --wait`: the shell takes it apart.
#[cfg(unix)]
fn command(editor: &OsStr, path: &Path) -> Command {
    let mut command = Command::new("sh");
    let mut script = editor.to_owned();
    script.push(" \"$@\"");
    command.arg("-c").arg(script).arg(editor).arg(path);
    command
}

#[cfg(not(unix))]
fn command(editor: &OsStr, path: &Path) -> Command {
    let text = editor.to_string_lossy();
    let mut words = text.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or(DEFAULT));
    command.args(words).arg(path);
    command
}

/// A folder that only this person can read, and that goes away afterwards.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let mut random = [0u8; 12];
        getrandom::fill(&mut random).map_err(|_| Failure::refused("the system gave no random bytes"))?;
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("pent-{name}"));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind it would only be a text that is in the log anyway.
        let _ = fs::remove_dir_all(&self.0);
    }
}
