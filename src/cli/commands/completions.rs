//! `pent completions`.

use crate::cli::arguments;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::verb::{Describe, Example, Group, Verb};
use clap::ValueEnum;
use clap_complete::Shell;
use std::io::Write as _;

/// Let your shell finish pent commands when you press Tab
///
/// Prints a script for your shell. Put it where the shell looks for completions.
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
        Example { line: "pent completions fish > ~/.config/fish/completions/pent.fish", what: "for fish" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let shell = match self.shell {
            ShellName::Bash => Shell::Bash,
            ShellName::Zsh => Shell::Zsh,
            ShellName::Fish => Shell::Fish,
            ShellName::Powershell => Shell::PowerShell,
        };
        // The generator panics when it cannot write, so it writes to memory.
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut arguments::command(), "pent", &mut script);
        context.raw_output().lock().write_all(&script)?;
        Ok(ExitStatus::Done)
    }
}
