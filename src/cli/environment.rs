//! What surrounds the process: environment variables, the current folder, terminals, the clock.
//! Nothing else in the program reads them.

use crate::base::time::{Clock, Timestamp};
use crate::cli::completion;
use crate::cli::failure::Failure;
use crate::sync::sign_in::Secret;
use jiff::tz::TimeZone;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;

/// Everything that the program takes from its surroundings.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The person's settings file; `None` without a home folder.
    pub config_file: Option<PathBuf>,
    /// The folder that the program was started in.
    pub current_dir: PathBuf,
    /// `PENT_DATE`: a moment at which the clock stands still.
    pub fixed_date: Option<Timestamp>,
    /// `VISUAL`, or else `EDITOR`: how the person edits texts.
    pub editor: Option<OsString>,
    /// `NO_COLOR` is set, or the terminal says that it knows no colour.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set.
    pub force_color: bool,
    /// Whether characters beyond ASCII can be shown, by `LC_ALL`, `LC_CTYPE` or `LANG`.
    pub unicode: bool,
    /// Width of the terminal, or of `COLUMNS`; `None` when results go elsewhere.
    pub columns: Option<usize>,
    /// Whether each of the standard streams is a terminal.
    pub terminals: Terminals,
    /// Whether a desktop is there that can open a page: `DISPLAY` or `WAYLAND_DISPLAY`, except where
    /// every system has one.
    pub desktop: bool,
    /// What the terminal says of itself, for pictures.
    pub terminal: TerminalWords,
    /// Variables by which cloud services find credentials and endpoints.
    pub cloud: Vec<(String, String)>,
    /// The person's home folder.
    pub home: Option<PathBuf>,
    /// `PATH`: the folders in which programs are found.
    pub path: Option<OsString>,
    /// How servers are reached.
    pub network: NetworkVariables,
    /// `SSH_AUTH_SOCK`: where the person's ssh-agent listens.
    pub agent_socket: Option<PathBuf>,
    /// `SSH_ASKPASS` and `SSH_ASKPASS_REQUIRE`: the program that asks for passphrases, and when.
    pub askpass: Askpass,
}

/// Variables that say how servers are reached.
#[derive(Debug, Clone, Default)]
pub struct NetworkVariables {
    /// `PENT_SSH`: the `ssh` to run, with arguments that come first.
    pub ssh: Option<String>,
    /// `PENT_TOKEN`: tokens for servers, as `token@host`.
    pub tokens: Option<Secret>,
    /// `HTTPS_PROXY`, or else `https_proxy`.
    pub https_proxy: Option<String>,
    /// `http_proxy`, in lower case only, as everywhere.
    pub http_proxy: Option<String>,
    /// `NO_PROXY`, or else `no_proxy`.
    pub no_proxy: Option<String>,
}

/// The program that asks for passphrases, and when it is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Askpass {
    /// The program.
    pub program: Option<PathBuf>,
    /// Whether it goes before the terminal.
    pub first: bool,
}

/// What a terminal says of itself in variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TerminalWords {
    /// `TERM`.
    pub term: String,
    /// `TERM_PROGRAM`.
    pub program: String,
    /// Whether `KITTY_WINDOW_ID` is set.
    pub kitty: bool,
    /// Whether another program stands between, which may not pass pictures on: `TMUX` or `STY`.
    pub multiplexed: bool,
}

/// Which of the standard streams are terminals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminals {
    /// Somebody can type an answer.
    pub input: bool,
    /// Results go to a terminal.
    pub output: bool,
    /// Progress and messages go to a terminal.
    pub error: bool,
}

impl Environment {
    /// Reads the surroundings of this process.
    pub fn read() -> Result<Self, Failure> {
        let terminals = Terminals {
            input: std::io::stdin().is_terminal(),
            output: std::io::stdout().is_terminal(),
            error: std::io::stderr().is_terminal(),
        };
        let current_dir = std::env::current_dir().map_err(|source| {
            Failure::not_found(format!("the folder you are in cannot be found: {source}"))
                .hint("go to a folder that exists, or name one with `-C`")
        })?;
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let mut environment = Self::from_variables(&variable, current_dir, terminals)?;
        // What is no text is no name and no value of a setting.
        environment.cloud = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("AWS_") || name.starts_with("AZURE_"))
            .collect();
        if environment.columns.is_none() && terminals.output {
            environment.columns = terminal_columns();
        }
        Ok(environment)
    }

    fn from_variables(
        variable: &dyn Fn(&str) -> Option<OsString>,
        current_dir: PathBuf,
        terminals: Terminals,
    ) -> Result<Self, Failure> {
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let config_dir = variable("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| home(variable).map(|home| home.join(".config")));
        let locale = text("LC_ALL").or_else(|| text("LC_CTYPE")).or_else(|| text("LANG"));
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        Ok(Self {
            config_file: config_dir.map(|folder| folder.join("pent").join("config.toml")),
            current_dir,
            fixed_date: text("PENT_DATE").map(|date| parse_moment(&date)).transpose()?,
            editor: variable("VISUAL").or_else(|| variable("EDITOR")),
            no_color: variable("NO_COLOR").is_some() || text("TERM").is_some_and(|term| term == "dumb"),
            force_color: text("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
            columns: text("COLUMNS")
                .and_then(|columns| columns.parse().ok())
                .filter(|columns| *columns >= 20),
            terminals,
            desktop: cfg!(any(target_os = "macos", windows))
                || variable("DISPLAY").or_else(|| variable("WAYLAND_DISPLAY")).is_some(),
            terminal: TerminalWords {
                term: text("TERM").unwrap_or_default(),
                program: text("TERM_PROGRAM").unwrap_or_default(),
                kitty: variable("KITTY_WINDOW_ID").is_some(),
                multiplexed: variable("TMUX").or_else(|| variable("STY")).is_some(),
            },
            cloud: Vec::new(),
            home: home(variable),
            path: variable("PATH"),
            network: NetworkVariables {
                ssh: text("PENT_SSH"),
                tokens: text("PENT_TOKEN").map(Secret::new),
                https_proxy: text("HTTPS_PROXY").or_else(|| text("https_proxy")),
                http_proxy: text("http_proxy"),
                no_proxy: text("NO_PROXY").or_else(|| text("no_proxy")),
            },
            agent_socket: variable("SSH_AUTH_SOCK").map(PathBuf::from),
            askpass: askpass(variable),
        })
    }

    /// The clock that commands go by.
    pub fn clock(&self) -> SystemClock {
        SystemClock { zone: TimeZone::system(), fixed: self.fixed_date }
    }
}

/// The shell that asks how a line may go on, by the variable that its script sets.
pub fn asking_shell() -> Option<String> {
    std::env::var(completion::VARIABLE).ok().filter(|shell| !shell.is_empty())
}

/// As ssh(1) has it: `never`, `prefer` or `force`; else only where there is no terminal.
fn askpass(variable: &dyn Fn(&str) -> Option<OsString>) -> Askpass {
    let require = variable("SSH_ASKPASS_REQUIRE").and_then(|value| value.into_string().ok());
    let require = require.unwrap_or_default();
    let program = variable("SSH_ASKPASS").map(PathBuf::from).filter(|_| require != "never");
    Askpass { program, first: matches!(require.as_str(), "prefer" | "force") }
}

fn home(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let names: &[&str] = if cfg!(windows) { &["USERPROFILE"] } else { &["HOME"] };
    names.iter().find_map(|name| variable(name)).map(PathBuf::from)
}

#[cfg(unix)]
fn terminal_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns >= 20)
}

#[cfg(not(unix))]
fn terminal_columns() -> Option<usize> {
    None
}

/// Reads a moment as `2026-03-03T14:02:11+01:00`, or as seconds since 1970.
fn parse_moment(text: &str) -> Result<Timestamp, Failure> {
    let refuse = || {
        Failure::usage(format!("PENT_DATE is {text:?}, which is no moment"))
            .hint("write it like 2026-03-03T14:02:11+01:00, or unset it")
    };
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(Timestamp::utc(seconds.checked_mul(1000).ok_or_else(refuse)?));
    }
    let moment: jiff::Timestamp = text.parse().map_err(|_| refuse())?;
    let pieces = jiff::fmt::temporal::Pieces::parse(text).map_err(|_| refuse())?;
    let offset = pieces.to_numeric_offset().unwrap_or(jiff::tz::Offset::UTC);
    Ok(Timestamp {
        unix_ms: moment.as_millisecond(),
        // An offset is below 26 hours, so its minutes fit.
        offset_minutes: (offset.seconds() / 60) as i16,
    })
}

/// The system's clock in the person's zone, or one that stands still.
#[derive(Debug, Clone)]
pub struct SystemClock {
    zone: TimeZone,
    fixed: Option<Timestamp>,
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.fixed.unwrap_or_else(|| {
            let now = jiff::Timestamp::now();
            let seconds = self.zone.to_offset(now).seconds();
            Timestamp { unix_ms: now.as_millisecond(), offset_minutes: (seconds / 60) as i16 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Environment, Failure> {
        let find = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| OsString::from(pair.1));
        Environment::from_variables(&find, PathBuf::from("/work"), Terminals::default())
    }

    #[test]
    fn settings_are_where_the_desktop_keeps_them() {
        let file = |pairs: &[(&str, &str)]| with(pairs).expect("an environment").config_file;
        assert_eq!(file(&[("HOME", "/h")]), Some(PathBuf::from("/h/.config/pent/config.toml")));
        assert_eq!(
            file(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]),
            Some(PathBuf::from("/x/pent/config.toml"))
        );
        assert_eq!(
            file(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "relative")]),
            Some(PathBuf::from("/h/.config/pent/config.toml"))
        );
        assert_eq!(file(&[]), None);
    }

    #[test]
    fn a_fixed_date_keeps_its_zone_and_nonsense_is_refused() {
        let date = |text| with(&[("PENT_DATE", text)]).map(|environment| environment.fixed_date);
        let moment = date("2026-03-03T14:02:11+01:00").expect("a moment").expect("a date");
        assert_eq!(moment.rfc3339(), "2026-03-03T14:02:11+01:00");
        assert_eq!(date("0").expect("a moment"), Some(Timestamp::utc(0)));
        assert!(date("tomorrow").is_err());
    }

    #[test]
    fn what_the_terminal_can_show_follows_from_its_variables() {
        let environment = with(&[("LANG", "de_DE.UTF-8"), ("TERM", "dumb")]).expect("an environment");
        assert!(environment.unicode && environment.no_color);
        let environment = with(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]).expect("an environment");
        assert!(!environment.unicode && !environment.no_color);
    }
}
