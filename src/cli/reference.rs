//! The command reference and the manual pages, made from the parser so that they cannot be wrong.

use crate::cli::arguments;
use crate::cli::commands;
use crate::cli::failure::ExitStatus;
use crate::cli::verb::{Entry, Group};
use clap::{Arg, Command};
use std::fmt::{self, Write as _};

/// The whole command reference as Markdown: what `docs/commands.md` holds.
pub fn markdown() -> Result<String, fmt::Error> {
    let mut command = arguments::command();
    command.build();
    let mut text = String::from(
        "# Commands\n\n\
         This page is made from the program itself (`pent <command> --help` says the same); a test keeps it true.\n",
    );
    for group in Group::ALL {
        let members = commands::VERBS.iter().filter(|entry| entry.group == group);
        let names: Vec<String> = members.map(|entry| format!("[{0}](#pent-{0})", entry.name)).collect();
        if !names.is_empty() {
            write!(text, "\n- **{}**: {}", group.heading(), names.join(", "))?;
        }
    }
    write!(text, "\n\n## Options that every command takes\n\n")?;
    for argument in command.get_arguments().filter(|argument| argument.is_global_set()) {
        write_argument(&mut text, argument)?;
    }
    write_exit_codes(&mut text)?;
    write_environment(&mut text)?;
    for group in Group::ALL {
        for entry in commands::VERBS.iter().filter(|entry| entry.group == group) {
            write_verb(&mut text, entry, &command)?;
        }
    }
    Ok(text)
}

fn write_exit_codes(text: &mut String) -> fmt::Result {
    write!(text, "\n## Exit codes\n\n| code | name | meaning |\n|---|---|---|\n")?;
    for status in ExitStatus::ALL {
        writeln!(text, "| {} | {} | {} |", status.code(), status.name(), status.meaning())?;
    }
    text.write_str(
        "\nUnder `--json` a result is one line on standard output, `{\"schema\":\"pent.<command>/1\",...}`, and a \
         failure is one line on standard error, \
         `{\"schema\":\"pent.failure/1\",\"kind\":...,\"exit_code\":...,\"message\":...,\"reasons\":[...],\"hints\":[...]}`. \
         Names that are not plain text are percent-encoded. Fields may be added; none changes its meaning without \
         another number in `schema`.\n",
    )
}

fn write_environment(text: &mut String) -> fmt::Result {
    text.write_str(
        "\n## Environment\n\n\
         | variable | effect |\n|---|---|\n\
         | `XDG_CONFIG_HOME` | your settings are in `pent/config.toml` there, else in `~/.config/pent/config.toml` |\n\
         | `NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb` | no colour, colour everywhere, no colour |\n\
         | `COLUMNS` | width of the terminal |\n\
         | `LC_ALL`, `LC_CTYPE`, `LANG` | whether characters beyond ASCII are shown |\n\
         | `PENT_COMPLETE` | set by the scripts of `pent completions`, when a shell asks how a line may go on |\n\
         | `PENT_DATE` | the moment that counts as now, such as `2026-03-03T14:02:11+01:00`; for scripts that must give the same result every time |\n",
    )
}

fn write_verb(text: &mut String, entry: &Entry, root: &Command) -> fmt::Result {
    let Some(command) = root.find_subcommand(entry.name) else { return Ok(()) };
    write!(text, "\n## pent {}\n", entry.name)?;
    write_command(text, command)?;
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        write!(text, "\n### pent {} {}\n", entry.name, inner.get_name())?;
        write_command(text, inner)?;
    }
    if !entry.examples.is_empty() {
        write!(text, "\nExamples:\n\n")?;
        for example in entry.examples {
            writeln!(text, "- `{}`: {}", example.line, example.what)?;
        }
    }
    Ok(())
}

fn write_command(text: &mut String, command: &Command) -> fmt::Result {
    let about = command.get_long_about().or(command.get_about());
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    write!(text, "\n{}\n\n```\n{usage}\n```\n", about.map(ToString::to_string).unwrap_or_default())?;
    let is_own = |argument: &&Arg| !argument.is_global_set() && argument.get_id() != "help";
    let own: Vec<&Arg> = command.get_arguments().filter(is_own).collect();
    if !own.is_empty() {
        text.push('\n');
    }
    for argument in own {
        write_argument(text, argument)?;
    }
    Ok(())
}

fn write_argument(text: &mut String, argument: &Arg) -> fmt::Result {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut form = argument.to_string();
    if let Some(short) = argument.get_short() {
        form = format!("-{short}, {form}");
    }
    let help = help.replace('\n', " ");
    writeln!(text, "- `{form}`: {help}")
}

/// All manual pages: file name and text in the language of `man`.
pub fn manual() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = arguments::command();
    command.build();
    let mut pages = Vec::new();
    collect_pages(&command, "pent", &mut pages)?;
    Ok(pages)
}

fn collect_pages(command: &Command, name: &str, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        collect_pages(inner, &format!("{name}-{}", inner.get_name()), pages)?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone().display_name(name.to_owned()))
        .title(name.to_uppercase())
        .date("")
        .source(concat!("Pentimento ", env!("CARGO_PKG_VERSION")))
        .manual("Pentimento")
        .render(&mut page)?;
    pages.push((format!("{name}.1"), page));
    Ok(())
}
