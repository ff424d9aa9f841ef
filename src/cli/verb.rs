//! What a command is.
//!
//! A verb is one file in `commands/`: its arguments (with the help that clap reads from them), what
//! [`Describe`] asks for, and [`Verb::run`]. One line in [`commands::VERBS`](super::commands::VERBS)
//! makes it part of the program, of the help, the manual, the completions and the reference.

use crate::cli::arguments;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use clap::{ArgMatches, Command};

/// Under which heading `pent --help` lists a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Beginning.
    Start,
    /// Everyday work.
    Work,
    /// Looking at what is there.
    Look,
    /// Having earlier states back.
    BringBack,
    /// Several lines of work.
    BranchOut,
    /// Asking for work to land, and judging it.
    Review,
    /// Working with others.
    Share,
    /// Signatures, rules and who may do what.
    Trust,
    /// Words about assets.
    Describe,
    /// Care of the repository.
    KeepHealthy,
    /// The rest.
    More,
}

impl Group {
    /// All groups in the order of the help.
    pub const ALL: [Self; 11] = [
        Self::Start,
        Self::Work,
        Self::Look,
        Self::BringBack,
        Self::BranchOut,
        Self::Review,
        Self::Share,
        Self::Trust,
        Self::Describe,
        Self::KeepHealthy,
        Self::More,
    ];

    /// The heading.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Start => "Start",
            Self::Work => "Work",
            Self::Look => "Look",
            Self::BringBack => "Bring back",
            Self::BranchOut => "Branch out",
            Self::Review => "Review",
            Self::Share => "Share",
            Self::Trust => "Trust",
            Self::Describe => "Describe",
            Self::KeepHealthy => "Keep healthy",
            Self::More => "More",
        }
    }
}

/// A command line and what it is good for.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The command line.
    pub line: &'static str,
    /// What it does, in a few words.
    pub what: &'static str,
}

/// What is known about a verb before it runs.
pub trait Describe: clap::Args {
    /// What the user types.
    const NAME: &'static str;
    /// Where the help lists it.
    const GROUP: Group;
    /// Whether it can change the repository or the worktree. After a failure the user then first
    /// hears what is safe.
    const CHANGES: bool;
    /// Command lines to learn from.
    const EXAMPLES: &'static [Example];
    /// What holds after the user stopped it before it was done.
    const WHEN_STOPPED: Stopped = Stopped::usual(Self::CHANGES);
}

/// How things stand after the user stopped a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// What is safe, as a sentence without its full stop.
    pub safe: &'static str,
    /// What comes next.
    pub next: Option<&'static str>,
}

impl Stopped {
    /// What holds where a verb says nothing more exact.
    const fn usual(changes: bool) -> Self {
        if changes {
            Self::of("what was reported as saved is saved", "`pent status` shows how things stand")
        } else {
            Self { safe: "nothing was changed", next: None }
        }
    }

    /// What a verb says of itself.
    pub const fn of(safe: &'static str, next: &'static str) -> Self {
        Self { safe, next: Some(next) }
    }
}

/// A verb that can run.
pub trait Verb: Describe {
    /// Does it.
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure>;
}

/// A verb as the table of commands holds it.
pub struct Entry {
    /// What the user types.
    pub name: &'static str,
    /// Where the help lists it.
    pub group: Group,
    /// Whether it can change something.
    pub changes: bool,
    /// Command lines to learn from.
    pub examples: &'static [Example],
    /// What holds after the user stopped it.
    pub when_stopped: Stopped,
    /// Makes its parser.
    pub command: fn() -> Command,
    /// Runs it with what was parsed.
    pub run: fn(&ArgMatches, &mut Context) -> Result<ExitStatus, Failure>,
}

impl Entry {
    /// The entry of a verb.
    pub const fn of<V: Verb>() -> Self {
        Self {
            name: V::NAME,
            group: V::GROUP,
            changes: V::CHANGES,
            examples: V::EXAMPLES,
            when_stopped: V::WHEN_STOPPED,
            command: command::<V>,
            run: run::<V>,
        }
    }
}

/// The parser of a verb, with its examples after the options.
pub fn command<V: Describe>() -> Command {
    arguments::with_short_help(V::augment_args(Command::new(V::NAME))).after_help(examples_text(V::EXAMPLES))
}

fn run<V: Verb>(matches: &ArgMatches, context: &mut Context) -> Result<ExitStatus, Failure> {
    let arguments = V::from_arg_matches(matches).map_err(|error| Failure::usage(error.to_string()))?;
    arguments.run(context)
}

fn examples_text(examples: &[Example]) -> clap::builder::StyledStr {
    let heading = crate::cli::output::HEADING;
    let mut text = format!("{heading}Examples:{heading:#}");
    for example in examples {
        text.push_str(&format!("\n  {}\n      {}", example.line, example.what));
    }
    text.into()
}
