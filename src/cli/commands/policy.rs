//! `pent policy`.

mod show;

use crate::app::common::signing::SigningAs;
use crate::app::error::AppError;
use crate::app::policy::{self, Acting, PolicyFailure, change, check, history, init, keys, preview};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::repo::Repository;
use crate::rules::policy::Handle;
use std::path::{Path, PathBuf};

/// Say who approves what, and which branches are protected
///
/// A policy is a text that people can read. It says who is who, which branches, tags and folders are protected, how many
/// approvals of whom each needs, and what a change of the policy itself needs. It is signed by those whom the policy
/// before it names; the first is signed by whoever makes it, and everybody else compares its fingerprint.
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Give the repository its first policy
    Init {
        /// What the policy calls you; from your name when left out
        #[arg(long, value_name = "HANDLE")]
        handle: Option<String>,
        /// A file with the policy, instead of a proposal to go on from
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Show the policy in force, and who it names; or an earlier or proposed one, and what it changes
    Show {
        /// Its number, or the beginning of its id; the one in force when left out
        #[arg(value_name = "NUMBER|ID")]
        policy: Option<String>,
        /// Only its text, as it was signed
        #[arg(long)]
        text: bool,
    },
    /// Change the policy in your editor, and propose what comes of it
    Edit {
        /// Why
        #[arg(short, long, value_name = "TEXT")]
        message: Option<String>,
    },
    /// Propose the policy in a file; it takes effect once enough people have signed it
    Propose {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Why
        #[arg(short, long, value_name = "TEXT")]
        message: Option<String>,
        /// By the recovery rule, because those who may change the policy can no longer sign
        #[arg(long)]
        recovery: bool,
    },
    /// Sign a policy that somebody proposed
    ///
    /// Shows first what it changes, and which past moves of branches it would have refused, and asks.
    Sign {
        /// The beginning of its id, or its number; the only proposal when left out
        #[arg(value_name = "ID")]
        id: Option<String>,
        /// By the recovery rule, because those who may change the policy can no longer sign
        #[arg(long)]
        recovery: bool,
        /// Only show it
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
    /// Forget a proposed policy
    Withdraw {
        /// The beginning of its id; the only proposal when left out
        #[arg(value_name = "ID")]
        id: Option<String>,
    },
    /// Take over a first policy from elsewhere, once you have compared its fingerprint with a colleague
    Trust {
        /// The fingerprint, with or without blanks
        #[arg(value_name = "FINGERPRINT", required = true, num_args = 1..)]
        fingerprint: Vec<String>,
    },
    /// List the policies so far, and those that wait for signatures
    Log {
        /// Say what each of them changes
        #[arg(long)]
        diff: bool,
    },
    /// Say what a policy would have meant for the past, without changing anything
    Check {
        /// A file with the policy; the one in force when left out
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Look at so many moves of each branch, the newest first
        #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = check::MOVES_MAX)]
        limit: usize,
    },
    /// End a key: nothing counts any more that arrives from it
    Revoke {
        /// Its fingerprint, or whose only key it is
        #[arg(value_name = "KEY")]
        key: String,
        /// Why
        #[arg(short, long, value_name = "TEXT", default_value = "")]
        message: String,
    },
}

impl Describe for Arguments {
    const NAME: &'static str = "policy";
    const GROUP: Group = Group::KeepHealthy;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent policy init", what: "begin with yourself as administrator and main protected" },
        Example {
            line: "pent policy edit -m \"Ben becomes an editor\"",
            what: "change it, and sign the change",
        },
        Example { line: "pent policy show 3", what: "an earlier or a proposed one, and what it changes" },
        Example { line: "pent policy check new-policy.toml", what: "what it would have meant for the past" },
        Example {
            line: "pent policy revoke ben -m \"laptop stolen\"",
            what: "a key that must not count any more",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        match self.command {
            Command::Init { handle, file } => begin(context, handle, file),
            Command::Show { policy, text } => show_policy(context, policy.as_deref(), text),
            Command::Edit { message } => edit(context, message),
            Command::Propose { file, message, recovery } => {
                let (text, reason) = (read(context, &file)?, message.unwrap_or_default());
                propose(context, &change::Options { text, reason, recovery })
            }
            Command::Sign { id, recovery, dry_run } => sign(context, id.as_deref(), recovery, dry_run),
            Command::Withdraw { id } => {
                let repository = context.repository()?;
                let signing = sign_as(context)?;
                let report = change::withdraw(&acting(context, &repository, &signing), id.as_deref())?;
                context.print("policy-withdraw", &report, show::withdrawn)?;
                Ok(ExitStatus::Done)
            }
            Command::Trust { fingerprint } => {
                let repository = context.repository()?;
                let report = policy::trust(&repository, &fingerprint.concat(), context.clock())?;
                context.print("policy-trust", &report, show::trusted)?;
                Ok(ExitStatus::Done)
            }
            Command::Log { diff } => {
                let repository = context.repository_to_read()?;
                let report = history::run(&repository, diff, context.clock(), context.monitor())?;
                context.print("policy-log", &report, show::history)?;
                Ok(ExitStatus::Done)
            }
            Command::Check { file, limit } => {
                let text = file.map(|file| read(context, &file)).transpose()?;
                let repository = context.repository_to_read()?;
                let options = check::Options { text, limit };
                let report = check::run(&repository, &options, context.clock(), context.monitor())?;
                context.print("policy-check", &report, show::check)?;
                Ok(ExitStatus::Done)
            }
            Command::Revoke { key, message } => revoke(context, &key, &message),
        }
    }
}

fn acting<'a>(context: &'a Context, repository: &'a Repository, signing: &'a SigningAs) -> Acting<'a> {
    Acting { repository, writer: signing.writer(), clock: context.clock(), monitor: context.monitor() }
}

fn sign_as(context: &Context) -> Result<SigningAs, Failure> {
    context.signing(&context.require_identity()?)
}

fn read(context: &Context, file: &Path) -> Result<String, Failure> {
    let path = context.folder().join(file);
    let bytes = std::fs::read(&path).map_err(|source| AppError::Io {
        action: "reading",
        path: path.clone(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{} is no text", path.display())))
}

fn begin(
    context: &mut Context,
    handle: Option<String>,
    file: Option<PathBuf>,
) -> Result<ExitStatus, Failure> {
    let identity = context.require_identity()?;
    let name = identity.person.name.clone();
    let handle = Handle::new(&handle.unwrap_or_else(|| handle_of(&name)))
        .map_err(|error| Failure::usage(error.to_string()).hint("choose one with --handle"))?;
    let text = file.map(|file| read(context, &file)).transpose()?;
    let repository = context.repository()?;
    let signing = context.signing(&identity)?;
    let report = init::run(&acting(context, &repository, &signing), &init::Options { handle, name, text })?;
    context.print("policy-init", &report, show::begun)?;
    context.hint("say who else there is: pent policy edit");
    context.hint("others compare the fingerprint with you, by another way than this repository");
    Ok(ExitStatus::Done)
}

/// A handle from a name: its first word, in plain small letters.
fn handle_of(name: &str) -> String {
    let first = name.split_whitespace().next().unwrap_or_default().to_lowercase();
    first.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Nobody signs what they have not seen.
fn sign(
    context: &mut Context,
    id: Option<&str>,
    recovery: bool,
    dry_run: bool,
) -> Result<ExitStatus, Failure> {
    let repository = context.repository()?;
    let seen = preview::run(&repository, id, context.clock(), context.monitor())?;
    if dry_run {
        context.print("policy-preview", &seen, show::preview)?;
        return Ok(ExitStatus::Done);
    }
    context.print_for_people(&seen, show::preview)?;
    context.confirm(&format!("Sign policy {} ({})?", seen.number, seen.id.short()))?;
    let signing = sign_as(context)?;
    let id = seen.id.to_string();
    let report = change::sign_by(&acting(context, &repository, &signing), Some(&id), recovery)?;
    context.print("policy-sign", &report, show::change)?;
    Ok(ExitStatus::Done)
}

fn revoke(context: &mut Context, key: &str, message: &str) -> Result<ExitStatus, Failure> {
    let repository = context.repository()?;
    let signing = sign_as(context)?;
    let foresight = keys::foresee(&acting(context, &repository, &signing), key)?;
    if !foresight.lost.is_empty() {
        let (print, who) = (foresight.key, &foresight.person);
        context.warn(&format!("without the key {print} of {who} {}", foresight.lost.join("; ")));
        context.confirm(&format!("End the key of {who} all the same?"))?;
    }
    let report = keys::revoke(&acting(context, &repository, &signing), key, message)?;
    context.print("policy-revoke", &report, show::revoked)?;
    Ok(ExitStatus::Done)
}

fn show_policy(context: &mut Context, name: Option<&str>, text: bool) -> Result<ExitStatus, Failure> {
    let repository = context.repository_to_read()?;
    let report = policy::show::run(&repository, name, context.clock(), context.monitor())?;
    if text {
        std::io::Write::write_all(&mut context.raw_output(), report.policy.as_bytes())?;
    } else {
        context.print("policy-show", &report, show::policy)?;
    }
    Ok(if report.strays.is_empty() { ExitStatus::Done } else { ExitStatus::Damaged })
}

fn edit(context: &mut Context, message: Option<String>) -> Result<ExitStatus, Failure> {
    let repository = context.repository()?;
    let report = policy::show::run(&repository, None, context.clock(), context.monitor())?;
    let Some(text) = context.edit_text(&report.policy, "policy.toml")? else {
        return Err(AppError::from(PolicyFailure::Same).into());
    };
    // What was typed is not lost when it is no policy yet.
    if let Err(error) = crate::rules::policy::Policy::parse(&text) {
        let kept = repository.pent_dir().join("policy-draft.toml");
        std::fs::write(&kept, &text).map_err(|source| AppError::Io {
            action: "writing",
            path: kept.clone(),
            source,
        })?;
        context.hint(&format!("what you wrote is kept in {}", crate::cli::output::place(&kept)));
        return Err(AppError::from(PolicyFailure::from(error)).into());
    }
    propose(context, &change::Options { text, reason: message.unwrap_or_default(), recovery: false })
}

fn propose(context: &mut Context, options: &change::Options) -> Result<ExitStatus, Failure> {
    let repository = context.repository()?;
    let signing = sign_as(context)?;
    let report = change::propose(&acting(context, &repository, &signing), options)?;
    context.print("policy-propose", &report, show::change)?;
    if report.outcome == change::Outcome::Waits {
        let recovery = if options.recovery { " --recovery" } else { "" };
        context.hint(&format!("the others sign it with `pent policy sign{recovery}`"));
    }
    Ok(ExitStatus::Done)
}
