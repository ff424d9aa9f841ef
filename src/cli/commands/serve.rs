//! `pent serve`.

use crate::app::error::AppError;
use crate::app::serve::places::{OWN_DIR, PEOPLE_FILE, Places};
use crate::app::serve::stdio;
use crate::app::serve::tokens::{ListReport, NewReport, NewToken, RevokeReport, TokenLine, Tokens};
use crate::base::time::Timestamp;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::interrupt;
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::{BOLD, Page, place, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::rules::access::Permission;
use crate::rules::policy::Handle;
use crate::server::{self, Surroundings};
use crate::sync::wire::pipe::widen;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of answers that are gathered before they go out.
const OUTPUT_BYTES: usize = 64 << 10;

/// Let others push to and fetch from this machine
///
/// Over HTTP many repositories in a folder: people sign in with their SSH key, machines with a token, and the policy of
/// each repository says who may do what. With --stdio one repository through ssh, which runs this by itself: nothing has
/// to be started for addresses such as anna@host:brand.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// Where to listen, such as 127.0.0.1:8420
    #[arg(long, value_name = "ADDRESS:PORT", requires = "repos", conflicts_with = "stdio")]
    listen: Option<SocketAddr>,
    /// The folder that the repositories are in
    #[arg(long, value_name = "FOLDER")]
    repos: Option<PathBuf>,
    /// How clients call this server, as it stands in their addresses; may be given several times
    #[arg(long, value_name = "HOST[:PORT]", requires = "listen")]
    name: Vec<String>,
    /// A certificate with those above it, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A proxy in front speaks TLS, and says in X-Forwarded-For for whom it asks
    #[arg(long, requires = "listen", conflicts_with = "tls_cert")]
    behind_proxy: bool,
    /// Most gigabytes that one person may have sent and not published; as many as are free unless you say so
    #[arg(long, value_name = "GB", requires = "listen")]
    pending_max: Option<u32>,
    /// Serve one repository through standard input and output
    #[arg(long, requires = "path")]
    stdio: bool,
    /// Serve it to this person of its policy, who is known by other means
    #[arg(long = "as", value_name = "PERSON", requires = "stdio")]
    person: Option<String>,
    /// The repository to serve through standard input and output
    #[arg(value_name = "PATH", requires = "stdio")]
    path: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make, list and revoke what machines sign in with
    Token {
        #[command(subcommand)]
        action: TokenAction,
    },
}

#[derive(Debug, clap::Subcommand)]
enum TokenAction {
    /// Make a token and show it, this once
    New {
        /// What it is for, in a few words
        #[arg(value_name = "NOTE")]
        note: String,
        /// The folder that the repositories are in
        #[arg(long, value_name = "FOLDER")]
        repos: PathBuf,
        /// For which repository; `*` for all. May be given several times
        #[arg(long = "for", value_name = "REPOSITORY", required = true)]
        places: Vec<String>,
        /// What it may do: read, push, lock, begin. May be given several times
        #[arg(long, value_name = "PERMISSION", default_value = "read")]
        may: Vec<String>,
        /// The person of the policy for whom it works: it may do no more than they may
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
        /// How many days it lasts, up to 366
        #[arg(long, value_name = "DAYS", default_value_t = 90)]
        days: u32,
    },
    /// List all tokens
    List {
        /// The folder that the repositories are in
        #[arg(long, value_name = "FOLDER")]
        repos: PathBuf,
    },
    /// Make a token count no longer, from now on
    Revoke {
        /// Which: the id that the list shows
        #[arg(value_name = "ID")]
        id: String,
        /// The folder that the repositories are in
        #[arg(long, value_name = "FOLDER")]
        repos: PathBuf,
    },
}

/// What a server says once it listens.
#[derive(Debug, Clone, Serialize)]
struct Listening {
    /// Where: an address and a port.
    address: String,
    /// Whether it speaks TLS itself.
    tls: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "serve";
    const GROUP: Group = Group::Share;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example {
            line: "pent serve --listen 127.0.0.1:8420 --repos /srv/pent",
            what: "try it on this machine",
        },
        Example {
            line: "pent serve --listen 0.0.0.0:8420 --repos /srv/pent --name assets.example:8420 --tls-cert chain.pem --tls-key key.pem",
            what: "for a team",
        },
        Example {
            line: "pent serve token new \"nightly backup\" --repos /srv/pent --for brand --may read",
            what: "what a machine signs in with",
        },
    ];
}

/// An output for this alone, with nothing between it and the system.
fn own_output(output: &impl AsFd) -> io::Result<File> {
    Ok(File::from(output.as_fd().try_clone_to_owned()?))
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        match self.action {
            Some(Action::Token { action }) => return token(context, action),
            None if self.stdio => {
                let person = self.person.as_deref().map(handle).transpose()?;
                let path = context.folder().join(self.path.unwrap_or_default());
                // Standard output as it is by itself looks for the ends of lines in everything.
                let (input, output) = (io::stdin(), own_output(&context.raw_output())?);
                widen(&input);
                widen(&output);
                let mut output = BufWriter::with_capacity(OUTPUT_BYTES, output);
                let options = stdio::Options { path, person };
                stdio::run(&options, &mut input.lock(), &mut output, context.clock())?;
                return Ok(ExitStatus::Done);
            }
            None => {}
        }
        let (Some(listen), Some(repos)) = (self.listen, self.repos) else {
            return Err(Failure::usage("say where to listen, and where the repositories are")
                .hint("pent serve --listen 127.0.0.1:8420 --repos FOLDER"));
        };
        let inside = |path: PathBuf| context.folder().join(path);
        let options = server::Options {
            listen,
            repositories: inside(repos),
            names: self.name,
            tls: self.tls_cert.zip(self.tls_key).map(|(chain, key)| (inside(chain), inside(key))),
            behind_proxy: self.behind_proxy,
            pending_max: self.pending_max.map(|gigabytes| u64::from(gigabytes) * 1_000_000_000),
        };
        listen_until_stopped(context, &options)
    }
}

fn listen_until_stopped(context: &mut Context, options: &server::Options) -> Result<ExitStatus, Failure> {
    let clock = Arc::new(context.system_clock());
    let log = context.log_line("server:");
    if Places::new(&options.repositories)?.is_closed() {
        let people = options.repositories.join(OWN_DIR).join(PEOPLE_FILE);
        context.hint(&format!("nobody may begin a repository yet: put public keys into {}", place(&people)));
    }
    let mut told = Ok(());
    let mut ready = |address: SocketAddr, tls: bool| {
        let listening = Listening { address: address.to_string(), tls };
        told = context.print("serve", &listening, |page, listening| {
            let scheme = if listening.tls { "https" } else { "http" };
            page.line(format_args!("Serving at {scheme}://{}. Ctrl-C stops it.", listening.address))
        });
    };
    let surroundings = Surroundings { clock, stop: &interrupt::is_requested, ready: &mut ready, log };
    server::run(options, surroundings)?;
    told?;
    Ok(ExitStatus::Done)
}

fn handle(text: &str) -> Result<Handle, Failure> {
    let wrong = |error: crate::rules::policy::NameError| AppError::Setting {
        text: text.to_owned(),
        reason: error.to_string(),
    };
    Ok(Handle::new(text).map_err(wrong)?)
}

fn tokens_in(context: &Context, repos: &Path) -> Result<Tokens, Failure> {
    Ok(Tokens::new(&Places::new(&context.folder().join(repos))?.own_dir()))
}

fn token(context: &mut Context, action: TokenAction) -> Result<ExitStatus, Failure> {
    match action {
        TokenAction::New { note, repos, places, may, person, days } => {
            let permission = |word: &String| {
                Permission::from_word(word).ok_or_else(|| {
                    Failure::usage(format!("{word:?} is nothing that a token may do"))
                        .hint("read, push, lock, begin")
                })
            };
            let wanted = NewToken {
                note,
                repositories: places,
                may: may.iter().map(permission).collect::<Result<_, _>>()?,
                works_for: person.as_deref().map(handle).transpose()?,
                days,
            };
            let report = tokens_in(context, &repos)?.create(&wanted, context.clock())?;
            context.print("serve-token-new", &report, show_new)?;
            context.hint("it is shown this once; the machine takes it from PENT_TOKEN=<token>@<host>");
        }
        TokenAction::List { repos } => {
            let report = tokens_in(context, &repos)?.list(context.clock());
            context.print("serve-token-list", &report, show_list)?;
            if report.tokens.is_empty() {
                context.hint(&format!(
                    "make one: pent serve token new NOTE --repos {} --for REPOSITORY",
                    place(&repos)
                ));
            }
        }
        TokenAction::Revoke { id, repos } => {
            let report = tokens_in(context, &repos)?.revoke(&id, context.clock())?;
            context.print("serve-token-revoke", &report, |page, report: &RevokeReport| {
                page.line(format_args!("{} ({}) counts no longer.", report.line.id, safe(&report.line.note)))
            })?;
        }
    }
    Ok(ExitStatus::Done)
}

fn show_new(page: &mut Page<'_>, report: &NewReport) -> io::Result<()> {
    page.line(&report.token)?;
    page.remark(description(&report.line))
}

fn description(line: &TokenLine) -> String {
    let may: Vec<&str> = line.may.iter().map(|permission| permission.word()).collect();
    let places: Vec<String> = line.repositories.iter().map(|place| safe(place)).collect();
    let person = line.works_for.as_ref().map_or_else(String::new, |handle| format!(" as {handle}"));
    let until = Timestamp::utc(line.until_ms).rfc3339();
    format!("may {} {}{person}, until {until}", may.join(", "), places.join(", "))
}

fn show_list(page: &mut Page<'_>, report: &ListReport) -> io::Result<()> {
    let mut columns = Columns::default();
    for line in &report.tokens {
        columns.row([
            Cell::new(&line.id).styled(BOLD),
            Cell::new(line.state),
            Cell::new(safe(&line.note)),
            Cell::new(description(line)),
        ]);
    }
    columns.write(page)
}
