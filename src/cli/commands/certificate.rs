//! `pent certificate`.

use crate::app::common::locate::named_commit;
use crate::app::review::certificate::{self, Options, Report, Subject};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::review::{assets_text, names};
use crate::cli::output::{Page, place, safe};
use crate::cli::reviewing;
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;
use std::path::PathBuf;

/// Prove who approved exactly which bytes
///
/// It writes a page to print and a bundle for programs: statements, signatures, keys, the policy, and the commands by
/// which anybody checks them with only b3sum and ssh-keygen, without Pentimento.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// An asset (`brand/logo.svg`, `brand/logo.svg@3`), or a revision for all that its landing brought
    #[arg(value_name = "ASSET|REVISION")]
    subject: PathBuf,
    /// The folder to write, new or empty; or an archive: `proof.tar`
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Put the certified files into it as well
    #[arg(long)]
    files: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "certificate";
    const GROUP: Group = Group::Trust;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent certificate brand/logo.svg ../logo-certificate", what: "for one asset" },
        Example {
            line: "pent certificate main ../spring --files",
            what: "for the last landing, files included",
        },
        Example { line: "pent certificate main ../spring.tar", what: "as one file to send" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let keys = reviewing::keys(context, &repository)?;
        let exists = context.folder().join(&self.subject).symlink_metadata().is_ok();
        let revision = match self.subject.to_str().filter(|_| !exists) {
            Some(text) if named_commit(&repository.view()?, text, context.clock().now())?.is_some() => {
                Some(text)
            }
            _ => None,
        };
        let subject = match revision {
            Some(text) => Subject::Revision(text.to_owned()),
            None => Subject::Asset(context.asset_path(&repository, &self.subject)?),
        };
        let options = Options { subject, folder: context.folder().join(&self.folder), files: self.files };
        let (clock, monitor) = (context.clock(), context.monitor());
        // Without a decoder there are no pictures; the proof is the same.
        let workers = context.workers().ok();
        let report = certificate::run_with(&repository, &options, &keys, workers.as_ref(), clock, monitor)?;
        context.print("certificate", &report, show)?;
        context.hint("the page is for people; CHECK.txt has the commands for everybody else");
        Ok(ExitStatus::Done)
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let mut people: Vec<String> = Vec::new();
    for approval in &report.certificate.approvals {
        let name = safe(approval.name.as_deref().unwrap_or(&approval.handle));
        if !people.contains(&name) {
            people.push(name);
        }
    }
    let assets = assets_text(report.certificate.assets.len() as u64);
    page.line(format_args!(
        "{} approved {assets}; the proof is in {}.",
        names(&people),
        place(&report.folder)
    ))
}
