//! The child that becomes another program: `ffmpeg` or `ffprobe`, which films are read with.
//!
//! It gives up what the program has no need of and then starts the program in its own place. The film is
//! its standard input and what it says its standard output, as of every decoder. Unlike these it needs to
//! load its libraries and to run several threads, so the walls are other ones: it may read and execute
//! what lies where systems keep libraries, may open its own film anew, and may write nothing,
//! reach nobody and start nothing. How the program is told to open the film depends on them: by the
//! name that its descriptor has where the file system is closed, else by the descriptor alone, which
//! FFmpeg can since its sixth version.

use std::io;
use std::path::Path;
use std::process::Command;

use super::jail::lock_up_program;

/// The hidden verb by which the program becomes another one.
pub(super) const VERB: &str = "play-for-parent";
/// Stands in the arguments for the protocols that may be used.
pub(super) const PROTOCOLS: &str = "{protocols}";
/// Stands in the arguments for the film.
pub(super) const FILM: &str = "{film}";

/// Becomes the program that `arguments` name: the verb, memory in bytes, seconds, program, its arguments. Comes
/// back only when that fails.
pub(super) fn become_program(arguments: &[String]) -> io::Result<()> {
    let [_, memory, seconds, program, rest @ ..] = arguments else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let number = |text: &String| text.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
    let program = Path::new(program);
    if !program.is_absolute() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let walls = lock_up_program(number(memory)?, number(seconds)?, program)?;
    let (protocols, film) = if walls.files { ("file", "file:/proc/self/fd/0") } else { ("fd", "fd:") };
    let mut command = Command::new(program);
    command.env_clear().args(rest.iter().map(|word| match word.as_str() {
        PROTOCOLS => protocols,
        FILM => film,
        other => other,
    }));
    Err(replace(&mut command))
}

#[cfg(unix)]
fn replace(command: &mut Command) -> io::Error {
    use std::os::unix::process::CommandExt as _;
    command.exec()
}

#[cfg(not(unix))]
fn replace(_: &mut Command) -> io::Error {
    io::ErrorKind::Unsupported.into()
}
