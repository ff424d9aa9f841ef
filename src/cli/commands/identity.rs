//! `pent identity`.

use crate::app::identity::{self, Facts, IdentityLine, KeyLine, KeyName, Options, Places, Report, Validity};
use crate::base::id::PersonId;
use crate::base::time::Timestamp;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::words::moment;
use crate::cli::output::{BOLD, DIM, Page, place, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::object::signature::Fingerprint;
use crate::repo::date::parse_date;
use crate::trust::identity::KEYS_DIR;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Say whose keys are whose, and which one you sign with
///
/// A signature is made with an SSH key: one that you have, in a file, an ssh-agent or a security key, or one
/// that is made here. Add the keys of other people, and their signatures count as theirs. Without a command
/// it lists everybody.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a key of your own
    New {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        when: When,
        /// Leave the key without a passphrase: whoever can read the file can sign as you
        #[arg(long)]
        no_passphrase: bool,
    },
    /// Take a key that exists, yours or somebody else's
    Add {
        #[command(flatten)]
        who: Who,
        /// A key file, the line of a public key in quotes, or the fingerprint of a key in your ssh-agent;
        /// the one key of your agent when left out
        #[arg(value_name = "KEY")]
        key: Option<String>,
        #[command(flatten)]
        when: When,
    },
    /// List people and their keys
    List,
    /// Work and sign as somebody from now on
    Use {
        /// Who
        #[arg(value_name = "HANDLE")]
        handle: String,
        /// Always with this key
        #[arg(long, value_name = "FINGERPRINT")]
        key: Option<Fingerprint>,
    },
    /// Forget somebody, or one of their keys; key files stay
    Remove {
        /// Who
        #[arg(value_name = "HANDLE")]
        handle: String,
        /// Only this key
        #[arg(long, value_name = "FINGERPRINT")]
        key: Option<Fingerprint>,
    },
    /// Note that a key is lost or in wrong hands: it stops counting
    Revoke {
        /// Whose
        #[arg(value_name = "HANDLE")]
        handle: String,
        /// Which
        #[arg(value_name = "FINGERPRINT")]
        key: Fingerprint,
        /// Since when, when that is not now: 2026-03-01, yesterday
        #[arg(long, value_name = "DATE")]
        since: Option<String>,
    },
    /// Print the keys in the form that `ssh-keygen -Y verify` reads
    Export {
        /// Only these people
        #[arg(value_name = "HANDLE")]
        handles: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Who {
    /// What to call the person in lists: short, plain letters
    #[arg(value_name = "HANDLE")]
    handle: String,
    /// The name; your own when left out
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The id that history knows the person by; your own when left out
    #[arg(long, value_name = "ID")]
    person: Option<PersonId>,
}

#[derive(Debug, clap::Args)]
struct When {
    /// The key counts from then on: 2026-03-01
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// The key counts until the end of that day
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// What the key is: "laptop", "security key"
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Describe for Arguments {
    const NAME: &'static str = "identity";
    const GROUP: Group = Group::Trust;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent identity new anna", what: "make a key and sign with it" },
        Example { line: "pent identity add anna ~/.ssh/id_ed25519", what: "sign with a key that you have" },
        Example {
            line: "pent identity add ben ben.pub --name \"Ben Okoro\" --person 8f0c2e11d4a94b7f9a3e5c1d2b60a7e4",
            what: "know another's signatures",
        },
        Example { line: "pent identity export > allowed_signers", what: "for ssh-keygen -Y verify" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let options = options(context, self.action.unwrap_or(Action::List))?;
        context.finish();
        let book = context.identity_book()?;
        let access = context.key_access();
        let places = Places {
            keys: book.with_file_name(KEYS_DIR),
            book,
            config: context.config_paths().clone(),
            agent: access.agent,
            ask: access.ask,
        };
        let report = identity::run(&places, &options, context.clock())?;
        context.print("identity", &report, show)?;
        Ok(ExitStatus::Done)
    }
}

fn options(context: &Context, action: Action) -> Result<Options, Failure> {
    let now = context.clock().now();
    Ok(match action {
        Action::List => Options::List,
        Action::New { who, when, no_passphrase } => {
            Options::New { facts: who.facts(), validity: when.validity(now)?, unprotected: no_passphrase }
        }
        Action::Add { who, key, when } => {
            let key = key.map_or(Ok(KeyName::OnlyAgent), |text| key_name(context.folder(), text))?;
            Options::Add { facts: who.facts(), validity: when.validity(now)?, key }
        }
        Action::Use { handle, key } => Options::Use { handle, key },
        Action::Remove { handle, key } => Options::Remove { handle, key },
        Action::Revoke { handle, key, since } => {
            let since = since.map(|text| day_start(&text, now)).transpose()?;
            Options::Revoke { handle, key, since }
        }
        Action::Export { handles } => Options::Export { handles },
    })
}

impl Who {
    fn facts(self) -> Facts {
        Facts { handle: self.handle, name: self.name, email: self.email, person: self.person }
    }
}

impl When {
    fn validity(self, now: Timestamp) -> Result<Validity, Failure> {
        let from = self.from.map(|text| day_start(&text, now)).transpose()?;
        let until = self.until.map(|text| parse_date(&text, now)).transpose()?;
        Ok(Validity { from, until, note: self.note })
    }
}

/// A bare day means its beginning where something starts.
fn day_start(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let end = parse_date(text, now)?;
    let is_day = crate::repo::date::is_bare_day(text);
    Ok(if is_day { Timestamp { unix_ms: end.unix_ms - 86_399_999, ..end } } else { end })
}

fn key_name(folder: &Path, text: String) -> Result<KeyName, Failure> {
    if text.starts_with("SHA256:") {
        let print = text.parse().map_err(|error| Failure::usage(format!("{error}")))?;
        return Ok(KeyName::Agent(print));
    }
    let is_line = text.contains(' ')
        && (text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-"));
    Ok(if is_line { KeyName::Line(text) } else { KeyName::File(folder.join(PathBuf::from(text))) })
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if let Some(text) = &report.allowed_signers {
        return write!(page, "{text}");
    }
    let handle = report.identities.first().map(|identity| safe(&identity.handle)).unwrap_or_default();
    match (report.done, report.key) {
        ("made", Some(key)) => {
            page.line(format_args!("Made the key {key} for {handle}."))?;
            if let Some(file) = &report.file {
                page.line(format_args!("It is in {}; keep a copy in a safe place.", place(file)))?;
            }
        }
        ("added", Some(key)) => page.line(format_args!("{key} speaks for {handle} from now on."))?,
        ("used", _) => page.line(format_args!("You work as {handle} from now on."))?,
        ("removed", Some(key)) => page.line(format_args!("{key} is forgotten."))?,
        ("removed", None) => page.line("Forgotten.")?,
        ("revoked", Some(key)) => {
            page.line(format_args!(
                "{key} does not count any more. Tell the others: each keeps a list of their own."
            ))?;
        }
        _ => return list(page, report),
    }
    Ok(())
}

fn list(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if report.identities.is_empty() {
        page.line("Nobody yet.")?;
    }
    for identity in &report.identities {
        show_identity(page, identity)?;
    }
    if !report.agent.is_empty() {
        page.line("In your ssh-agent, and nobody's yet:")?;
        for held in &report.agent {
            page.line(format_args!("    {}  {}  {}", held.key, held.algorithm, safe(&held.comment)))?;
        }
    }
    Ok(())
}

fn show_identity(page: &mut Page<'_>, identity: &IdentityLine) -> io::Result<()> {
    let handle = page.styles.paint(BOLD, safe(&identity.handle));
    let email = identity.email.as_deref().map(|email| format!(" <{}>", safe(email))).unwrap_or_default();
    let you = if identity.in_use { ", you" } else { "" };
    page.line(format_args!("{handle}  {}{email}{you}", safe(&identity.name)))?;
    page.remark(format_args!("    person {}", identity.person))?;
    for key in &identity.keys {
        let print = page.styles.paint(if key.valid { BOLD } else { DIM }, key.key);
        page.line(format_args!("    {print}  {}", key_words(page, key)))?;
    }
    Ok(())
}

fn key_words(page: &Page<'_>, key: &KeyLine) -> String {
    let day = |time| page.dates.show(moment(time));
    let mut words = vec![key.algorithm.to_owned()];
    words.extend(key.note.as_deref().map(safe));
    if let Some(from) = &key.from {
        words.push(format!("from {}", day(from)));
    }
    if let Some(until) = &key.until {
        words.push(format!("until {}", day(until)));
    }
    if let Some(revoked) = &key.revoked {
        words.push(format!("revoked {}", day(revoked)));
    }
    if key.in_agent {
        words.push("in your ssh-agent".to_owned());
    }
    words.extend(key.file.as_deref().map(|file| format!("in {}", place(file))));
    if key.signs {
        words.push("signs".to_owned());
    }
    words.join(", ")
}
