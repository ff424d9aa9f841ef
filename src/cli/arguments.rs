//! The parser: options that every verb takes, and all verbs under their headings.

use crate::cli::commands;
use crate::cli::output::{ACCENT, BOLD, DIM, HEADING};
use crate::cli::verb::Group;
use clap::builder::styling::Styles;
use clap::{Arg, ArgAction, Args as _, Command, ValueEnum};
use std::path::PathBuf;

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// Only on a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Options that every verb takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct GlobalArguments {
    /// Work as if started in this folder
    #[arg(short = 'C', long = "directory", value_name = "FOLDER", global = true, hide_short_help = true)]
    pub directory: Option<PathBuf>,
    /// Print the result as JSON, for programs
    #[arg(long, global = true, hide_short_help = true)]
    pub json: bool,
    /// When to use colour
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        hide_possible_values = true,
        global = true,
        hide_short_help = true
    )]
    #[arg(help = "When to use colour: auto, always or never")]
    pub color: Option<ColorChoice>,
    /// Say nothing but results and errors
    #[arg(short, long, conflicts_with = "verbose", global = true, hide_short_help = true)]
    pub quiet: bool,
    /// Say more; twice says even more
    #[arg(short, long, action = ArgAction::Count, global = true, hide_short_help = true)]
    pub verbose: u8,
    /// Do not show how far long work has come
    #[arg(long, global = true, hide_short_help = true)]
    pub no_progress: bool,
    /// Answer every question with yes
    #[arg(long, global = true, hide_short_help = true)]
    pub yes: bool,
}

/// The whole parser.
pub fn command() -> Command {
    let mut command = GlobalArguments::augment_args(Command::new("pent"))
        .version(env!("CARGO_PKG_VERSION"))
        .about("Version control for creative work: every earlier state stays at hand.")
        .styles(styles())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand_value_name("COMMAND")
        .max_term_width(100)
        .help_template("{about}\n\n{usage-heading} {usage}\n\n{before-help}")
        .before_help(root_text())
        .disable_help_flag(true)
        .arg(help_flag());
    for entry in commands::VERBS {
        command = command.subcommand((entry.command)());
    }
    command
}

/// Gives a verb, and the verbs inside it, one help text for `-h` and `--help`: what it is for, its own
/// options, examples. The options of every command are in `pent --help`, so they are left out here.
pub fn with_short_help(command: Command) -> Command {
    let purpose = command.get_long_about().or(command.get_about()).cloned().unwrap_or_default();
    command
        .before_help(purpose)
        .help_template("{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}\n")
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .arg(help_flag())
        .mut_subcommands(with_short_help)
}

fn help_flag() -> Arg {
    Arg::new("help").short('h').long("help").help("Print this help").action(ArgAction::HelpShort)
}

/// The parts of clap's own texts in our few styles.
fn styles() -> Styles {
    Styles::styled()
        .header(HEADING)
        .usage(HEADING)
        .literal(BOLD)
        .placeholder(DIM)
        .error(ACCENT)
        .valid(BOLD)
        .invalid(ACCENT)
}

/// All verbs under their headings, then the options of every command.
fn root_text() -> clap::builder::StyledStr {
    let width = commands::VERBS.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for group in Group::ALL {
        let members: Vec<_> = commands::VERBS.iter().filter(|entry| entry.group == group).collect();
        if members.is_empty() {
            continue;
        }
        text.push_str(&format!("{HEADING}{}:{HEADING:#}\n", group.heading()));
        for entry in members {
            let about = (entry.command)().get_about().map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {BOLD}{:<width$}{BOLD:#}  {about}\n", entry.name));
        }
        text.push('\n');
    }
    text.push_str(&format!("{HEADING}Options of every command:{HEADING:#}"));
    let mut options = GlobalArguments::augment_args(Command::new("pent"))
        .disable_help_flag(true)
        .version(env!("CARGO_PKG_VERSION"))
        .arg(help_flag());
    // Building gives each option what it needs to be shown.
    options.build();
    for option in options.get_arguments() {
        let short = option.get_short().map_or_else(|| "    ".to_owned(), |short| format!("-{short}, "));
        let form = format!("{short}{option}");
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("\n  {BOLD}{form:<24}{BOLD:#}  {help}"));
    }
    text.push_str("\n\n`pent <command> --help` tells more about each, with examples.");
    text.into()
}
