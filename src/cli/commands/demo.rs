//! `pent demo`.

use crate::app::demo;
use crate::app::error::AppError;
use crate::base::local_path::LocalPath;
use crate::base::size::{count, human_bytes};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{BOLD, DIM, place};
use crate::cli::verb::{Describe, Example, Group, Verb};
use serde::Serialize;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Play in a small studio
///
/// Makes a folder with pictures, a layered document, sound and text, and walks through keeping, changing, drafting,
/// comparing, bringing back and undoing. The folder stays for you to play in.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder to make; harbour-lights in the current folder when you name none
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

impl Describe for Arguments {
    const NAME: &'static str = "demo";
    const GROUP: Group = Group::Start;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent demo", what: "take the tour" },
        Example { line: "pent demo ~/pent-demo", what: "keep the studio there" },
    ];
}

/// What the walk did.
#[derive(Debug, Serialize)]
struct Report {
    /// The studio's folder.
    folder: LocalPath,
    /// The commands that were run in it, with what they printed.
    steps: Vec<Step>,
}

/// One command of the walk.
#[derive(Debug, Serialize)]
struct Step {
    /// What it is for.
    story: String,
    /// The command line.
    command: String,
    /// What it printed.
    output: String,
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let folder = context.folder().join(self.folder.unwrap_or_else(|| PathBuf::from("harbour-lights")));
        let (files, bytes) = demo::make_studio(&folder)?;
        let mut walk = Walk::new(context, &folder)?;
        walk.say(&format!(
            "A small studio: {}, {}, in {}. You are Anna, and a festival wants a poster.",
            count(files, "file", "files"),
            human_bytes(bytes),
            place(&folder)
        ))?;
        begin(&mut walk)?;
        a_change(&mut walk)?;
        a_draft(&mut walk)?;
        back_in_time(&mut walk)?;
        walk.end()
    }
}

fn begin(walk: &mut Walk<'_>) -> Result<(), Failure> {
    walk.step("Keep versions of this folder.", &["init"])?;
    walk.quietly(&["config", "--here", "user.name", "Anna Lind"])?;
    walk.quietly(&["config", "--here", "user.email", "anna@example.org"])?;
    walk.step("Keep everything as it is. There is nothing to prepare.", &["commit", "-m", "First state"])
}

fn a_change(walk: &mut Walk<'_>) -> Result<(), Failure> {
    demo::save_second(walk.folder, &["brief.md", "poster/poster.xcf", "photo/harbour-dusk.jpg"])?;
    walk.step("The client answered: you edited the brief, the photo and the layered poster.", &["status"])?;
    walk.step("What did they change in the brief?", &["diff", "brief.md"])?;
    walk.step(
        "Only what is new in the layered poster is stored.",
        &["commit", "-m", "Client: buoy red for whatever guides a boat home"],
    )
}

fn a_draft(walk: &mut Walk<'_>) -> Result<(), Failure> {
    walk.step("Try something bold in a draft; main stays as it is.", &["draft", "new", "red-buoy"])?;
    demo::save_second(walk.folder, &["brand/logo.svg", "brand/palette.css", "social/card.kra"])?;
    demo::move_file(walk.folder)?;
    walk.step("You changed three files and renamed one. It is the same asset still.", &["status"])?;
    walk.step("Keep it in the draft.", &["commit", "-m", "Logo and card in buoy red"])?;
    demo::save_second(walk.folder, &["copy/poster.txt"])?;
    walk.step("Go back to main with work unfinished: it stays with the draft.", &["switch", "main"])?;
    walk.step("The client likes it.", &["merge", "red-buoy"])
}

fn back_in_time(walk: &mut Walk<'_>) -> Result<(), Failure> {
    walk.step("Every version of the poster has a number.", &["log", "poster/poster.xcf"])?;
    walk.step("Have version 1 again.", &["restore", "poster/poster.xcf@1"])?;
    walk.step("No, after all. Every command can be taken back.", &["undo"])?;
    walk.step(
        "A word on an asset costs bytes, not a copy.",
        &["label", "photo/harbour-dusk.jpg", "--add", "approved"],
    )?;
    walk.step("All of it, newest first.", &["log"])
}

/// Runs the program itself, command by command, in the studio.
struct Walk<'a> {
    context: &'a mut Context,
    folder: &'a Path,
    program: PathBuf,
    report: Report,
}

impl<'a> Walk<'a> {
    fn new(context: &'a mut Context, folder: &'a Path) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let report = Report { folder: folder.into(), steps: Vec::new() };
        Ok(Self { context, folder, program, report })
    }

    fn say(&mut self, text: &str) -> Result<(), Failure> {
        if !self.context.json() {
            writeln!(self.context.raw_output(), "{text}")?;
        }
        Ok(())
    }

    /// Tells the story, shows the command line and runs it.
    fn step(&mut self, story: &str, words: &[&str]) -> Result<(), Failure> {
        let command = shown(words);
        if !self.context.json() {
            let styles = self.context.styles();
            let line = format!("\n{}\n{}", story, styles.paint(BOLD, format!("$ {command}")));
            writeln!(self.context.raw_output(), "{line}")?;
        }
        let output = self.run(words)?;
        if !self.context.json() {
            self.context.raw_output().write_all(output.as_bytes())?;
        }
        self.report.steps.push(Step { story: story.to_owned(), command, output });
        Ok(())
    }

    fn quietly(&mut self, words: &[&str]) -> Result<(), Failure> {
        self.run(words).map(drop)
    }

    /// Runs the program; a command that fails ends the walk with what it said.
    fn run(&self, words: &[&str]) -> Result<String, Failure> {
        let color = if self.context.styles().is_plain() { "never" } else { "always" };
        let done = Command::new(&self.program)
            .args(["--no-progress", "--quiet", "--color", color, "-C"])
            .arg(self.folder)
            .args(words)
            .output()?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        if done.status.success() {
            return Ok(text);
        }
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let source = io::Error::other(said.trim().to_owned());
        Err(AppError::Io { action: "the walk through", path: self.folder.to_owned(), source }.into())
    }

    fn end(mut self) -> Result<ExitStatus, Failure> {
        let report =
            std::mem::replace(&mut self.report, Report { folder: LocalPath::default(), steps: Vec::new() });
        let styles = self.context.styles();
        let folder = place(&report.folder);
        self.context.print("demo", &report, |page, _| {
            page.line("")?;
            page.line(format_args!("The studio is yours to play in: cd {folder}"))?;
            page.line(
                styles.paint(DIM, "`pent --help` lists every command; `pent undo` takes back the last one."),
            )
        })?;
        Ok(ExitStatus::Done)
    }
}

/// The command line as a person would type it.
fn shown(words: &[&str]) -> String {
    let quoted = words.iter().map(|word| {
        let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./@~".contains(&b));
        if plain { (*word).to_owned() } else { format!("\"{word}\"") }
    });
    format!("pent {}", quoted.collect::<Vec<_>>().join(" "))
}
