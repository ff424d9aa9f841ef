//! What a running command has at hand.

use crate::app::common::on_demand::FromRemotes;
use crate::app::common::remotes::{Network, Reach};
use crate::app::common::sign_in::KeySignIn;
use crate::app::common::signatures::known_keys;
use crate::app::common::signing::SigningAs;
use crate::app::config;
use crate::app::error::AppError;
use crate::app::identity::IdentityError;
use crate::base::id::PersonId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::cli::arguments::{ColorChoice, GlobalArguments};
use crate::cli::browser;
use crate::cli::editor::edit_text;
use crate::cli::environment::{Environment, SystemClock, TerminalWords};
use crate::cli::failure::Failure;
use crate::cli::interrupt;
use crate::cli::known_names::Surroundings;
use crate::cli::output::dates::Dates;
use crate::cli::output::terminal_picture::Protocol;
use crate::cli::output::{ACCENT, DIM, Page, Styles, place, safe};
use crate::cli::paths;
use crate::cli::progress::{Progress, Showing};
use crate::cli::secret::SecretPrompt;
use crate::media::worker::{FilmPrograms, Limits, Workers};
use crate::repo::config::{ConfigPaths, Scope, Settings, SettingsFile, ensure_person};
use crate::repo::people::{Identity, Person};
use crate::repo::refs::RefName;
use crate::repo::{PENT_DIR, RepoError, Repository};
use crate::rules::keyring::Keyring;
use crate::store::Access;
use crate::sync::SyncError;
use crate::sync::address::Address;
use crate::sync::sign_in::SignIn;
use crate::trust::identity::{self, IdentityBook};
use crate::trust::open::KeyAccess;
use serde::Serialize;
use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is known about whoever reads the results.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    pub(super) styles: Styles,
    pub(super) columns: Option<usize>,
    pub(super) dates: Dates,
    pub(super) unicode: bool,
    pub(super) verbose: u8,
}

/// Everything that a command needs beside its own arguments.
pub struct Context {
    environment: Environment,
    globals: GlobalArguments,
    folder: PathBuf,
    config_paths: ConfigPaths,
    clock: SystemClock,
    reader: Reader,
    error_styles: Styles,
    progress: Progress,
    secrets: SecretPrompt,
}

/// The envelope of every result under `--json`.
#[derive(Serialize)]
struct Envelope<'a, R> {
    schema: String,
    #[serde(flatten)]
    report: &'a R,
}

impl Context {
    /// Reads the settings that hold here and begins to listen for Ctrl-C.
    pub fn new(environment: Environment, globals: GlobalArguments) -> Result<Self, Failure> {
        let folder = match &globals.directory {
            Some(folder) => environment.current_dir.join(folder).canonicalize().map_err(|error| {
                Failure::not_found(format!("the folder {} cannot be entered: {error}", place(folder)))
            })?,
            None => environment.current_dir.clone(),
        };
        let repository =
            Repository::discover(&folder).ok().map(|root| root.join(PENT_DIR).join("config.toml"));
        let config_paths = ConfigPaths { person: environment.config_file.clone(), repository };
        // A settings file that cannot be read must not keep `pent config` from mending it: its
        // error is met again by whoever asks for a setting.
        let settings = Settings::read(&config_paths).unwrap_or_else(|_| Settings::none());
        let color = globals.color.or_else(|| configured_color(&settings));
        let clock = environment.clock();
        let exact = settings.text("ui.dates").is_ok_and(|text| text.as_deref() == Some("exact"));
        let reader = Reader {
            styles: Styles::for_results(&environment, color),
            columns: environment.columns,
            dates: if exact { Dates::Exact } else { Dates::Relative { now: clock.now() } },
            unicode: environment.unicode,
            verbose: globals.verbose,
        };
        let wanted = !globals.no_progress && !globals.quiet && settings.truth("ui.progress").unwrap_or(true);
        let showing = match (wanted, environment.terminals.error) {
            (false, _) => Showing::Never,
            (true, true) => Showing::Line { columns: environment.columns.unwrap_or(80) },
            (true, false) => Showing::Reports,
        };
        let error_styles = Styles::for_errors(&environment, color);
        let progress = Progress::new(showing, interrupt::is_requested);
        interrupt::listen()?;
        let secrets = SecretPrompt::new(environment.askpass.clone());
        Ok(Self {
            environment,
            globals,
            folder,
            config_paths,
            clock,
            reader,
            error_styles,
            progress,
            secrets,
        })
    }

    /// The folder that the command works in: the current one, or that of `-C`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where settings are kept.
    pub fn config_paths(&self) -> &ConfigPaths {
        &self.config_paths
    }

    /// Settings that hold here. Refuses when a file cannot be read.
    pub fn settings(&self) -> Result<Settings, Failure> {
        Ok(Settings::read(&self.config_paths)?)
    }

    /// The clock to go by.
    pub fn clock(&self) -> &dyn Clock {
        &self.clock
    }

    /// Where long work reports to.
    pub fn monitor(&self) -> &dyn Monitor {
        &self.progress
    }

    /// Whether results are for programs.
    pub fn json(&self) -> bool {
        self.globals.json
    }

    /// Opens the repository around the folder, for changing it.
    pub fn repository(&self) -> Result<Repository, Failure> {
        self.open(Access::ReadWrite)
    }

    /// Opens the repository around the folder, for reading; needs no right to write.
    pub fn repository_to_read(&self) -> Result<Repository, Failure> {
        self.open(Access::ReadOnly)
    }

    /// The worktree's folder of the repository around the folder, whether that can be opened or not.
    pub fn root(&self) -> Result<PathBuf, Failure> {
        let root = Repository::discover(&self.folder)?;
        Ok(root.canonicalize().map_err(|source| RepoError::Io { action: "finding", path: root, source })?)
    }

    fn open(&self, access: Access) -> Result<Repository, Failure> {
        let root = self.root()?;
        let supplier = Arc::new(FromRemotes::new(self.reach()));
        let repository = Repository::open(&root, access)?;
        let brings_content = repository.view().and_then(|view| view.is_partial()).unwrap_or(false);
        if access == Access::ReadOnly && brings_content {
            // What is brought is kept. Whoever may not write here sees what there is.
            drop(repository);
            let writable = Repository::open(&root, Access::ReadWrite);
            let repository = writable.or_else(|_| Repository::open(&root, access))?;
            return Ok(repository.with_supplier(supplier));
        }
        Ok(repository.with_supplier(supplier))
    }

    /// Decoders of this very program, with those that films are read with where they are installed.
    pub fn workers(&self) -> Result<Workers, Failure> {
        let path = self.environment.path.clone().unwrap_or_default();
        let programs = FilmPrograms::find(std::env::split_paths(&path));
        let workers = Workers::new(std::env::current_exe()?, Limits::default());
        Ok(workers.with_films(programs).stopped_by(interrupt::is_requested))
    }

    /// A path that the user typed, from the top of the repository.
    pub fn asset_path(&self, repository: &Repository, typed: &Path) -> Result<AssetPath, Failure> {
        Ok(paths::asset_path(repository.root(), &self.folder, typed)?)
    }

    /// Paths that the user typed, from the top of the repository.
    pub fn asset_paths(&self, repository: &Repository, typed: &[PathBuf]) -> Result<Vec<AssetPath>, Failure> {
        typed.iter().map(|path| self.asset_path(repository, path)).collect()
    }

    /// An address that the user typed; a folder counts from where the command works.
    pub fn address(&self, typed: &str) -> Result<Address, Failure> {
        Ok(Address::parse(typed, &self.folder).map_err(SyncError::from).map_err(AppError::from)?)
    }

    /// How the outside is reached.
    pub fn reach(&self) -> Reach {
        let network = self.environment.network.clone();
        let insecure =
            self.settings().ok().and_then(|settings| settings.text("remote.insecure").ok()).flatten();
        Reach {
            variables: self.environment.cloud.clone(),
            home: self.environment.home.clone(),
            network: Network {
                ssh: network.ssh,
                notice: Some(self.log_line("remote:")),
                tokens: network.tokens,
                sign_in: self.sign_in(),
                https_proxy: network.https_proxy,
                http_proxy: network.http_proxy,
                no_proxy: network.no_proxy,
                insecure,
            },
        }
    }

    /// Who signs in to servers: whoever signs here.
    fn sign_in(&self) -> Option<Arc<dyn SignIn>> {
        let book = self.identity_book().ok()?;
        Some(Arc::new(KeySignIn {
            book,
            agent: self.environment.agent_socket.clone(),
            helper: PathBuf::from("ssh-keygen"),
            ask: Box::new(self.secrets.clone()),
            clock: Box::new(self.system_clock()),
        }))
    }

    /// The clock to go by, to be kept.
    pub fn system_clock(&self) -> SystemClock {
        self.clock.clone()
    }

    /// Writes lines that come from elsewhere to standard error.
    pub fn log_line(&self, lead: &'static str) -> Arc<dyn Fn(&str) + Send + Sync> {
        let (styles, quiet) = (self.error_styles, self.globals.quiet);
        Arc::new(move |line: &str| {
            if !quiet {
                // Without a standard error nobody is there to be told.
                let _ = writeln!(io::stderr(), "{} {line}", styles.paint(DIM, lead));
            }
        })
    }

    /// Who works here, by the settings; `None` when no name is set. A person without an id gets one.
    pub fn identity(&self) -> Result<Option<Identity>, Failure> {
        let settings = self.settings()?;
        let Some(name) = settings.text("user.name")? else { return Ok(None) };
        let email = settings.text("user.email")?.unwrap_or_default();
        let id = match settings.text("user.person")?.and_then(|text| text.parse().ok()) {
            Some(id) => id,
            None => self.new_person()?,
        };
        Ok(Some(Identity { id, person: Person { name, email } }))
    }

    /// The id that history knows whoever works here by, if there is one already.
    pub fn person(&self) -> Result<Option<PersonId>, Failure> {
        Ok(self.settings()?.text("user.person")?.and_then(|text| text.parse().ok()))
    }

    /// Who works here; refuses when no name is set.
    pub fn require_identity(&self) -> Result<Identity, Failure> {
        Ok(self.identity()?.ok_or(AppError::NoIdentity)?)
    }

    /// Who works here; asks a person who has not said it yet, and remembers the answer.
    pub fn identity_or_ask(&mut self) -> Result<Option<Identity>, Failure> {
        if let Some(identity) = self.identity()? {
            return Ok(Some(identity));
        }
        let answer = self.ask("Your name, as others shall see it on commits?")?;
        let (Some(name), Some(path)) = (answer.filter(|name| !name.is_empty()), &self.config_paths.person)
        else {
            return Ok(None);
        };
        let options = config::Options::Set { name: "user.name".into(), value: name, scope: None };
        config::run(&self.config_paths, &options)?;
        self.hint(&format!("your name is kept in {}", place(path)));
        self.identity()
    }

    /// Where the list of identities is kept: beside the person's settings.
    pub fn identity_book(&self) -> Result<PathBuf, Failure> {
        let file = self.config_paths.person.as_ref().ok_or(AppError::NoIdentity)?;
        Ok(file.with_file_name(identity::FILE_NAME))
    }

    /// The keys that the person knows; none without a home folder.
    pub fn keyring(&self) -> Result<Keyring, Failure> {
        match self.identity_book() {
            Ok(path) => Ok(IdentityBook::read(&path).map_err(AppError::from)?.keyring()),
            Err(_) => Ok(Keyring::default()),
        }
    }

    /// The keys that count in a repository: the policy's, then the person's.
    pub fn known_keys(&self, repository: &Repository) -> Result<Keyring, Failure> {
        let now = self.clock().now();
        Ok(known_keys(repository, self.keyring()?, now, self.monitor())?)
    }

    /// The same for lists, which a shared log that cannot be verified must not keep from being shown.
    pub fn keys_for_lists(&self, repository: &Repository) -> Result<Keyring, Failure> {
        self.known_keys(repository).or_else(|_| self.keyring())
    }

    /// What there is to sign with: the agent, key files, whoever knows their passphrases.
    pub fn key_access(&self) -> KeyAccess<'_> {
        let agent = self.environment.agent_socket.clone();
        KeyAccess { agent, helper: PathBuf::from("ssh-keygen"), ask: &self.secrets }
    }

    /// Makes the key ready of whom history will name as the one who signs.
    pub fn signing(&self, committer: &Identity) -> Result<SigningAs, Failure> {
        self.progress.finish();
        let (book, now) = (self.identity_book()?, self.clock().now());
        Ok(SigningAs::open(&book, &self.key_access(), committer.id, now)?)
    }

    /// The same for when it turns out that something has to be signed.
    pub fn signing_when_needed<'a>(
        &'a self,
        identity: Option<&'a Identity>,
    ) -> impl Fn() -> Result<SigningAs, AppError> + 'a {
        move || {
            let identity = identity.ok_or(AppError::NoIdentity)?;
            self.progress.finish();
            let file = self.config_paths.person.as_ref().ok_or(AppError::NoIdentity)?;
            let book = file.with_file_name(identity::FILE_NAME);
            SigningAs::open(&book, &self.key_access(), identity.id, self.clock().now())
        }
    }

    /// Makes ready whoever works here to sign moves of a branch or tag, if it is protected. `None`
    /// when it is not, or when no key is known: then a move is refused, with what else is missing.
    pub fn authority(
        &self,
        repository: &Repository,
        name: &RefName,
        identity: Option<&Identity>,
    ) -> Result<Option<SigningAs>, Failure> {
        let is_protected = repository.view()?.protected_names()?.covers(name);
        let Some(identity) = identity.filter(|_| is_protected) else { return Ok(None) };
        self.progress.finish();
        let Ok(book) = self.identity_book() else { return Ok(None) };
        match SigningAs::open(&book, &self.key_access(), identity.id, self.clock().now()) {
            Ok(signing) => Ok(Some(signing)),
            Err(AppError::Identity(IdentityError::NoSigningKey)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn new_person(&self) -> Result<PersonId, Failure> {
        let (scope, path) = match (&self.config_paths.person, &self.config_paths.repository) {
            (Some(path), _) => (Scope::Person, path),
            (None, Some(path)) => (Scope::Repository, path),
            (None, None) => return Err(AppError::NoIdentity.into()),
        };
        Ok(ensure_person(&mut SettingsFile::read(path, scope)?)?)
    }

    /// Prints a report: as JSON with its schema's name and version, or as `human` writes it.
    pub fn print<R: Serialize>(
        &mut self,
        verb: &str,
        report: &R,
        human: impl FnOnce(&mut Page<'_>, &R) -> io::Result<()>,
    ) -> Result<(), Failure> {
        self.progress.finish();
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.globals.json {
            let envelope = Envelope { schema: format!("pent.{verb}/1"), report };
            serde_json::to_writer(&mut out, &envelope).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            human(&mut Page::new(&mut out, &self.reader), report)?;
        }
        Ok(out.flush()?)
    }

    /// Shows a person what they are about to be asked about; programs read it by itself.
    pub fn print_for_people<R: Serialize>(
        &mut self,
        report: &R,
        human: impl FnOnce(&mut Page<'_>, &R) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.globals.json { Ok(()) } else { self.print("", report, human) }
    }

    /// Says on standard output what is going to happen, unless the user wants quiet or a program reads.
    pub fn announce(&self, text: &str) {
        if !self.globals.quiet && !self.globals.json {
            self.progress.finish();
            // Whoever closed the output does not want to hear it.
            let _ = writeln!(io::stdout(), "{text}");
        }
    }

    /// Opens a page of our own in the person's browser, where a person sits before a desktop and
    /// results are not for programs. Whether it was tried is told.
    pub fn open_page(&mut self, page: &Path) -> bool {
        let Environment { terminals, desktop, .. } = self.environment;
        let wanted = terminals.output && desktop && !self.globals.json && !self.globals.quiet;
        wanted && browser::open(page)
    }

    /// How pixels are drawn where results go to a terminal that shows them.
    pub fn draws_pixels(&self) -> Option<Protocol> {
        let drawn = self.environment.terminals.output && !self.globals.json;
        Some(Protocol::of(&self.environment.terminal)).filter(|it| drawn && *it != Protocol::Blocks)
    }

    /// What the terminal says of itself.
    pub fn terminal(&self) -> &TerminalWords {
        &self.environment.terminal
    }

    /// How results are styled.
    pub fn styles(&self) -> Styles {
        self.reader.styles
    }

    /// Opens the way for raw bytes to standard output.
    pub fn raw_output(&mut self) -> io::Stdout {
        self.progress.finish();
        io::stdout()
    }

    /// Gives advice on standard error, unless the user wants quiet or a program reads.
    pub fn hint(&mut self, text: &str) {
        if !self.globals.quiet && !self.globals.json {
            self.say(DIM, "hint:", text);
        }
    }

    /// Warns on standard error.
    pub fn warn(&mut self, text: &str) {
        self.say(ACCENT, "Note:", text);
    }

    fn say(&mut self, style: anstyle::Style, lead: &str, text: &str) {
        self.progress.finish();
        // Without a standard error nobody is there to be told.
        let _ = writeln!(io::stderr(), "{} {text}", self.error_styles.paint(style, lead));
    }

    /// Asks whether to go on. Refuses, with a hint to `--yes`, where nobody can answer.
    pub fn confirm(&mut self, question: &str) -> Result<(), Failure> {
        if self.globals.yes {
            return Ok(());
        }
        match self.ask(&format!("{question} [y/N]"))? {
            Some(answer) if matches!(answer.to_lowercase().as_str(), "y" | "yes") => Ok(()),
            Some(_) => Err(Failure::refused("you said no")),
            None => Err(Failure::refused(format!("this needs a yes: {question}"))
                .hint("add --yes when you are sure, or look first with --dry-run")),
        }
    }

    /// Whether somebody is there who can answer a question and did not answer all with yes.
    pub fn can_ask(&self) -> bool {
        let terminals = self.environment.terminals;
        terminals.input && terminals.error && !self.globals.json && !self.globals.yes
    }

    /// Asks for a line of text; `None` where nobody can answer.
    pub fn ask(&mut self, question: &str) -> Result<Option<String>, Failure> {
        self.progress.finish();
        let terminals = self.environment.terminals;
        if !terminals.input || !terminals.error || self.globals.json {
            return Ok(None);
        }
        write!(io::stderr(), "{} ", self.error_styles.paint(ACCENT, question))?;
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(Some(answer.trim().to_owned()))
    }

    /// Lets the person change a text in their editor; `None` when they left it as it was.
    pub fn edit_text(&mut self, text: &str, name: &str) -> Result<Option<String>, Failure> {
        self.progress.finish();
        edit_text(self.environment.editor.as_deref(), text, name)
    }

    /// Adds to a failure what was perhaps meant by a name that is not there.
    pub(super) fn remind(&self, failure: Failure) -> Failure {
        let around =
            Surroundings { folder: self.folder.clone(), config_file: self.config_paths.person.clone() };
        match failure.unknown().and_then(|unknown| around.nearest(unknown)) {
            Some(near) => failure.hint_first(format!("did you mean {}?", safe(&near))),
            None => failure,
        }
    }

    /// Ends what may still be drawing.
    pub fn finish(&mut self) {
        self.progress.finish();
    }
}

fn configured_color(settings: &Settings) -> Option<ColorChoice> {
    match settings.text("ui.color").ok()??.as_str() {
        "always" => Some(ColorChoice::Always),
        "never" => Some(ColorChoice::Never),
        _ => None,
    }
}
