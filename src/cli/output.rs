//! How results look: few styles, one accent, columns, dates as people say them.

pub mod changes;
pub mod columns;
pub mod damage;
pub mod dates;
pub mod difference;
pub mod files;
pub mod logs;
pub mod review;
pub mod terminal_picture;
pub mod words;

pub use crate::base::size::count;

use crate::base::escape;
use crate::cli::arguments::ColorChoice;
use crate::cli::environment::Environment;
use anstyle::{AnsiColor, Style};
use std::fmt::{self, Display};
use std::io::{self, Write};

/// The one colour. It means "needs you": a conflict, an error, a question.
pub const ACCENT: Style = AnsiColor::Magenta.on_default().bold();
/// What a line is about.
pub const BOLD: Style = Style::new().bold();
/// What can be passed over: ids, times, remarks.
pub const DIM: Style = Style::new().dimmed();
/// Headings.
pub const HEADING: Style = Style::new().bold().underline();

/// Paints text, or leaves it plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Styles {
    enabled: bool,
}

impl Styles {
    /// Whether nothing is ever styled.
    pub const fn is_plain(self) -> bool {
        !self.enabled
    }

    /// Styles that are shown or not.
    pub const fn new(enabled: bool) -> Self {
        Self { enabled }
    }

    /// Styles of results: what the user chose, else colour on a terminal that has it.
    pub fn for_results(environment: &Environment, choice: Option<ColorChoice>) -> Self {
        Self::decide(environment, choice, environment.terminals.output)
    }

    /// Styles of messages on standard error.
    pub fn for_errors(environment: &Environment, choice: Option<ColorChoice>) -> Self {
        Self::decide(environment, choice, environment.terminals.error)
    }

    fn decide(environment: &Environment, choice: Option<ColorChoice>, terminal: bool) -> Self {
        Self::new(match choice {
            Some(ColorChoice::Always) => true,
            Some(ColorChoice::Never) => false,
            Some(ColorChoice::Auto) | None if environment.no_color => false,
            Some(ColorChoice::Auto) | None => environment.force_color || terminal,
        })
    }

    /// Whether anything is painted.
    pub const fn enabled(self) -> bool {
        self.enabled
    }

    /// The text in a style, or plain.
    pub fn paint<T: Display>(self, style: Style, text: T) -> Painted<T> {
        Painted { style: if self.enabled { style } else { Style::new() }, text }
    }
}

/// Text in a style; padding counts only what is seen.
#[derive(Debug, Clone, Copy)]
pub struct Painted<T> {
    style: Style,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.style)?;
        self.text.fmt(f)?;
        write!(f, "{:#}", self.style)
    }
}

/// Where a command writes its result, with what it needs to know about the reader.
pub struct Page<'a> {
    out: &'a mut dyn Write,
    /// How text is painted.
    pub styles: Styles,
    /// Characters on a line; `None` when nobody looks.
    pub columns: Option<usize>,
    /// How moments are written.
    pub dates: dates::Dates,
    /// Whether characters beyond ASCII can be shown.
    pub unicode: bool,
    /// How much more than usual to say: `-v` is 1.
    pub verbose: u8,
}

impl<'a> Page<'a> {
    /// A page of plain text, for whoever wants to know what it looks like.
    pub fn plain(out: &'a mut dyn Write, dates: dates::Dates) -> Self {
        Self { out, styles: Styles::new(false), columns: None, dates, unicode: false, verbose: 0 }
    }

    pub(super) fn new(out: &'a mut dyn Write, like: &super::context::Reader) -> Self {
        Self {
            out,
            styles: like.styles,
            columns: like.columns,
            dates: like.dates,
            unicode: like.unicode,
            verbose: like.verbose,
        }
    }

    /// Writes one line. What it shows of names and messages must be safe to show: an
    /// [`AssetPath`](crate::base::path::AssetPath) is when displayed, other text through [`safe`].
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Writes an empty line.
    pub fn gap(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// Writes a heading.
    pub fn heading(&mut self, text: impl Display) -> io::Result<()> {
        let text = self.styles.paint(BOLD, text);
        writeln!(self.out, "{text}")
    }

    /// Writes a remark that can be passed over.
    pub fn remark(&mut self, text: impl Display) -> io::Result<()> {
        let text = self.styles.paint(DIM, text);
        writeln!(self.out, "{text}")
    }

    /// The arrow between an old and a new name.
    pub fn arrow(&self) -> &'static str {
        if self.unicode { "→" } else { "->" }
    }
}

/// Raw bytes go out as they are.
impl Write for Page<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Text from elsewhere - names of people, branches, values - made safe to show on one line.
pub fn safe(text: &str) -> String {
    escape::terminal(text.as_bytes())
}

/// A path on disk, made safe to show.
pub fn place(path: &std::path::Path) -> String {
    escape::terminal(path.as_os_str().as_encoded_bytes())
}

/// Text of several lines from elsewhere, made safe to show.
pub fn safe_lines(text: &str) -> String {
    escape::terminal_lines(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_counts_only_what_is_seen() {
        let painted = format!("[{:<6}]", Styles::new(true).paint(BOLD, "ab"));
        assert_eq!(painted, "[\u{1b}[1mab    \u{1b}[0m]");
        assert_eq!(format!("[{:<4}]", Styles::new(false).paint(BOLD, "ab")), "[ab  ]");
    }
}
