//! `pent completions`.

use crate::cli::completion;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::verb::{Describe, Example, Group, Verb};
use clap::ValueEnum;
use std::io::Write as _;

/// Let your shell finish pent commands when you press Tab
///
/// Commands, options and paths, and the names of your drafts, tags, remotes and settings. Prints a script for your
/// shell: put it where the shell looks for completions, and open a new one.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which shell: bash, zsh, fish or powershell
    #[arg(value_name = "SHELL", value_enum, hide_possible_values = true)]
    shell: ShellName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

impl Describe for Arguments {
    const NAME: &'static str = "completions";
    const GROUP: Group = Group::More;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example {
            line: "pent completions bash > ~/.local/share/bash-completion/completions/pent",
            what: "for bash",
        },
        Example { line: "pent completions zsh > ~/.zfunc/_pent", what: "for zsh, in a folder of its fpath" },
        Example { line: "pent completions fish > ~/.config/fish/completions/pent.fish", what: "for fish" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let shell = match self.shell {
            ShellName::Bash => "bash",
            ShellName::Zsh => "zsh",
            ShellName::Fish => "fish",
            ShellName::Powershell => "powershell",
        };
        if let Some(script) = completion::script(shell)? {
            context.raw_output().lock().write_all(&script)?;
        }
        Ok(ExitStatus::Done)
    }
}
