//! Settings: what a person or a repository prefers, in files that people may edit.
//!
//! There are two files of the same form: one for the person on this machine, one in each repository.
//! The repository's goes before the person's. [`KEYS`] is the one list of what can be set; keys that
//! this version does not know stay in the file as they are, and so do comments.
//!
//! A repository may come from a stranger, so its settings can never name a program to run: no
//! [`Kind`] is a program, and keys that [`Reach::Person`] are not read from a repository's file.

use crate::base::id::PersonId;
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Table, Value};

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The person's, for all repositories on this machine.
    Person,
    /// The repository's own.
    Repository,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Person => "yours",
            Self::Repository => "this repository's",
        })
    }
}

/// Which values a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One line of text.
    Line,
    /// An e-mail address, loosely: something, `@`, something.
    Address,
    /// `true` or `false`; `yes`, `no`, `on` and `off` are understood when setting.
    Truth,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// The 32 hexadecimal digits of a person's opaque id.
    Person,
}

impl Kind {
    /// What a fitting value looks like, as a sentence goes on after "is".
    pub fn expectation(self) -> String {
        match self {
            Self::Line => "one line of text".to_owned(),
            Self::Address => "an address such as anna@example.org".to_owned(),
            Self::Truth => "true or false".to_owned(),
            Self::Choice(words) => format!("one of: {}", words.join(", ")),
            Self::Person => "32 lower-case hexadecimal digits".to_owned(),
        }
    }

    /// Checks text and gives it in its stored form.
    fn accept(self, text: &str) -> Option<Value> {
        let line = text.trim();
        let fits = match self {
            Self::Truth => {
                return match line.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "on" => Some(true.into()),
                    "false" | "no" | "off" => Some(false.into()),
                    _ => None,
                };
            }
            Self::Line => !line.is_empty() && !line.chars().any(char::is_control),
            Self::Address => {
                let parts = line.split_once('@');
                parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
                    && !line.chars().any(|c| c.is_control() || c.is_whitespace() || c == '<' || c == '>')
            }
            Self::Choice(words) => words.contains(&line),
            Self::Person => line.parse::<PersonId>().is_ok(),
        };
        fits.then(|| line.into())
    }
}

/// From which files a key is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only from the person's: a repository has no say in it.
    Person,
    /// From both, the repository's first.
    Both,
    /// Only from the repository's: it says something of that repository.
    Repository,
}

impl Reach {
    /// Whether a key is read from a file.
    const fn includes(self, scope: Scope) -> bool {
        !matches!((self, scope), (Self::Person, Scope::Repository) | (Self::Repository, Scope::Person))
    }
}

/// A setting that can be made.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name, groups parted by dots.
    pub name: &'static str,
    /// Which values it takes.
    pub kind: Kind,
    /// From which files it is read.
    pub reach: Reach,
    /// Where it is written when the person does not say.
    pub home: Scope,
    /// What holds when it is not set.
    pub default: Option<&'static str>,
    /// What it is for, in a sentence.
    pub about: &'static str,
}

/// All settings that this version knows, by name.
pub const KEYS: &[Key] = &[
    Key {
        name: "commit.likeness",
        kind: Kind::Choice(&["terminal", "true", "false"]),
        reach: Reach::Both,
        home: Scope::Repository,
        default: Some("terminal"),
        about: "Tell before a commit which new pictures look like others: on a terminal, in a second at most; always \
                (true), in some seconds, and ask; or never (false).",
    },
    Key {
        name: "commit.sign",
        kind: Kind::Truth,
        reach: Reach::Both,
        home: Scope::Person,
        default: Some("false"),
        about: "Sign every commit with the key of the identity that you work as.",
    },
    Key {
        name: "fetch.every",
        kind: Kind::Choice(&["never", "5m", "15m", "1h", "4h", "1d"]),
        reach: Reach::Both,
        home: Scope::Repository,
        default: Some("never"),
        about: "How often `pent status` and `pent commit` begin a fetch beside them, so that you hear of others' work.",
    },
    Key {
        name: "git.lfs",
        kind: Kind::Line,
        reach: Reach::Both,
        home: Scope::Repository,
        default: None,
        about: "New files that `pent export git` puts into Git LFS, as patterns parted by blanks; one behind a ! takes out.",
    },
    Key {
        name: "lock.auto",
        kind: Kind::Truth,
        reach: Reach::Repository,
        home: Scope::Repository,
        default: Some("false"),
        about: "Lock what should be locked once `pent status` or `pent commit` sees it changed, and leave those files writable.",
    },
    Key {
        name: "lock.patterns",
        kind: Kind::Line,
        reach: Reach::Repository,
        home: Scope::Repository,
        default: None,
        about: "Files that one person at a time should change, as patterns parted by blanks; one behind a ! takes out.",
    },
    Key {
        name: "remote.insecure",
        kind: Kind::Line,
        reach: Reach::Person,
        home: Scope::Person,
        default: None,
        about: "Servers that may be spoken to without TLS, as host or host:port parted by blanks; this machine's own always may.",
    },
    Key {
        name: "ui.color",
        kind: Kind::Choice(&["auto", "always", "never"]),
        reach: Reach::Person,
        home: Scope::Person,
        default: Some("auto"),
        about: "When to use colour: only on a terminal (auto), always or never.",
    },
    Key {
        name: "ui.dates",
        kind: Kind::Choice(&["relative", "exact"]),
        reach: Reach::Person,
        home: Scope::Person,
        default: Some("relative"),
        about: "Show moments as people say them (Tuesday 14:02) or exactly (2026-03-03T14:02:11+01:00).",
    },
    Key {
        name: "ui.progress",
        kind: Kind::Truth,
        reach: Reach::Person,
        home: Scope::Person,
        default: Some("true"),
        about: "Show how far long work has come.",
    },
    Key {
        name: "user.email",
        kind: Kind::Address,
        reach: Reach::Both,
        home: Scope::Person,
        default: None,
        about: "Your address, shown beside your name. You may leave it out.",
    },
    Key {
        name: "user.name",
        kind: Kind::Line,
        reach: Reach::Both,
        home: Scope::Person,
        default: None,
        about: "Your name, as others see it on commits.",
    },
    Key {
        name: "user.person",
        kind: Kind::Person,
        reach: Reach::Both,
        home: Scope::Person,
        default: None,
        about: "The id that history knows you by; made once, and the same on all your machines if you copy it.",
    },
];

/// Finds a key by its name.
pub fn find_key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Why settings could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No setting is called so.
    #[error("there is no setting called {name:?}")]
    UnknownKey { name: String },
    /// A value that the key does not take.
    #[error("{value:?} does not fit {key}, which is {}", expected.expectation())]
    Value { key: &'static str, value: String, expected: Kind },
    /// A value in a file that the key does not take.
    #[error("{key} in {} is {value}, but should be {}", path.display(), expected.expectation())]
    Stored { path: PathBuf, key: &'static str, value: String, expected: Kind },
    /// A key that a repository has no say in.
    #[error("{key} is yours alone: a repository cannot set it")]
    PersonOnly { key: &'static str },
    /// A key that says something of one repository.
    #[error("{key} is a setting of one repository: it cannot hold for all")]
    RepositoryOnly { key: &'static str },
    /// There is no file of that scope.
    #[error("there is nowhere to keep settings that are {scope}")]
    NoPlace { scope: Scope },
    /// The file is no TOML.
    #[error("{} cannot be read as settings: {message}", path.display())]
    Syntax { path: PathBuf, message: String },
    /// Part of a dotted key is taken by a value of its own.
    #[error("{} has a value where {key} needs a table", path.display())]
    NotATable { path: PathBuf, key: String },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes for a new id")]
    Random,
    /// The file could not be read or written.
    #[error("{action} {} failed", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Where the two files are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigPaths {
    /// The person's; `None` when the person has no home folder.
    pub person: Option<PathBuf>,
    /// The repository's; `None` outside of one.
    pub repository: Option<PathBuf>,
}

impl ConfigPaths {
    /// The file of a scope.
    pub fn of(&self, scope: Scope) -> Option<&Path> {
        match scope {
            Scope::Person => self.person.as_deref(),
            Scope::Repository => self.repository.as_deref(),
        }
    }
}

/// One settings file, in memory until [`write`](SettingsFile::write).
#[derive(Debug, Clone)]
pub struct SettingsFile {
    path: PathBuf,
    scope: Scope,
    document: DocumentMut,
}

impl SettingsFile {
    /// Reads a file; one that does not exist has no settings.
    pub fn read(path: &Path, scope: Scope) -> Result<Self, ConfigError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if is_absent(&error) => String::new(),
            Err(source) => return Err(ConfigError::Io { action: "reading", path: path.to_owned(), source }),
        };
        Self::of_text(path, scope, &text)
    }

    /// Takes text for the content of the file at `path`.
    pub(crate) fn of_text(path: &Path, scope: Scope, text: &str) -> Result<Self, ConfigError> {
        let document = text.parse::<DocumentMut>().map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            message: error.to_string().trim_end().replace('\n', "\n  "),
        })?;
        Ok(Self { path: path.to_owned(), scope, document })
    }

    /// The text of the file as [`write`](Self::write) would write it.
    pub(crate) fn text(&self) -> String {
        self.document.to_string()
    }

    /// The value of a key as text; `None` when it is not set here. Refuses a value that does not fit.
    pub fn get(&self, key: &'static Key) -> Result<Option<String>, ConfigError> {
        let Some(item) = self.item(key.name) else { return Ok(None) };
        let text = plain_text(item);
        if key.kind.accept(&text).is_none() {
            let (path, value) = (self.path.clone(), text);
            return Err(ConfigError::Stored { path, key: key.name, value, expected: key.kind });
        }
        Ok(Some(text))
    }

    /// Sets a key after checking the value.
    pub fn set(&mut self, key: &'static Key, text: &str) -> Result<(), ConfigError> {
        if self.scope == Scope::Repository && key.reach == Reach::Person {
            return Err(ConfigError::PersonOnly { key: key.name });
        }
        if self.scope == Scope::Person && key.reach == Reach::Repository {
            return Err(ConfigError::RepositoryOnly { key: key.name });
        }
        let value = key.kind.accept(text).ok_or_else(|| ConfigError::Value {
            key: key.name,
            value: text.to_owned(),
            expected: key.kind,
        })?;
        let (groups, last) = split(key.name);
        let mut table = self.document.as_table_mut();
        for group in groups {
            table =
                table.entry(group).or_insert_with(|| Item::Table(Table::new())).as_table_mut().ok_or_else(
                    || ConfigError::NotATable { path: self.path.clone(), key: key.name.to_owned() },
                )?;
        }
        match table.get_mut(last).and_then(Item::as_value_mut) {
            Some(old) => {
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            None => {
                table.insert(last, Item::Value(value));
            }
        }
        Ok(())
    }

    /// Removes a key, known or not; says whether it was set.
    pub fn unset(&mut self, name: &str) -> bool {
        let (groups, last) = split(name);
        let mut table = self.document.as_table_mut();
        for group in groups {
            match table.get_mut(group).and_then(Item::as_table_mut) {
                Some(inner) => table = inner,
                None => return false,
            }
        }
        table.remove(last).is_some()
    }

    /// All values in the file as dotted names and text, unknown keys included.
    pub fn entries(&self) -> Vec<(String, String)> {
        let mut entries = Vec::new();
        collect_entries(self.document.as_table(), "", &mut entries);
        entries
    }

    /// Writes the file so that it is either the old one or the new one, whatever happens.
    ///
    /// A person's file that is a symbolic link is written where the link points, since people keep
    /// such files elsewhere; a link in a repository's place is replaced, never followed.
    pub fn write(&self) -> Result<(), ConfigError> {
        let target = match self.scope {
            Scope::Person => self.path.canonicalize().unwrap_or_else(|_| self.path.clone()),
            Scope::Repository => self.path.clone(),
        };
        write_atomically(&target, self.text().as_bytes()).map_err(|source| ConfigError::Io {
            action: "writing",
            path: target,
            source,
        })
    }

    fn item(&self, name: &str) -> Option<&Item> {
        let (groups, last) = split(name);
        let mut item = self.document.as_item();
        for group in groups {
            item = item.as_table_like()?.get(group)?;
        }
        item.as_table_like()?.get(last)
    }
}

/// Both files together.
#[derive(Debug, Clone)]
pub struct Settings {
    files: Vec<SettingsFile>,
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The value as text.
    pub value: String,
    /// The file that it is from; `None` when it is the default.
    pub scope: Option<Scope>,
}

impl Settings {
    /// Reads both files; those that are not there have no settings.
    pub fn read(paths: &ConfigPaths) -> Result<Self, ConfigError> {
        let mut files = Vec::new();
        for scope in [Scope::Repository, Scope::Person] {
            if let Some(path) = paths.of(scope) {
                files.push(SettingsFile::read(path, scope)?);
            }
        }
        Ok(Self { files })
    }

    /// No settings at all: every key has its default.
    pub const fn none() -> Self {
        Self { files: Vec::new() }
    }

    /// What holds for a key; `None` when it is not set and has no default.
    pub fn get(&self, name: &str) -> Result<Option<Setting>, ConfigError> {
        let key = find_key(name).ok_or_else(|| ConfigError::UnknownKey { name: name.to_owned() })?;
        for file in &self.files {
            if !key.reach.includes(file.scope) {
                continue;
            }
            if let Some(value) = file.get(key)? {
                return Ok(Some(Setting { value, scope: Some(file.scope) }));
            }
        }
        Ok(key.default.map(|value| Setting { value: value.to_owned(), scope: None }))
    }

    /// What holds for a key, as text.
    pub fn text(&self, name: &str) -> Result<Option<String>, ConfigError> {
        Ok(self.get(name)?.map(|setting| setting.value))
    }

    /// What holds for a key that is true or false.
    pub fn truth(&self, name: &str) -> Result<bool, ConfigError> {
        Ok(self.text(name)?.is_some_and(|text| text == "true"))
    }

    /// Settings in the files that this version does not know.
    pub fn unknown(&self) -> Vec<(Scope, String, String)> {
        let mut unknown = Vec::new();
        for file in &self.files {
            let entries = file.entries().into_iter().filter(|(name, _)| find_key(name).is_none());
            unknown.extend(entries.map(|(name, value)| (file.scope, name, value)));
        }
        unknown
    }
}

/// Gives the person's opaque id, and makes one in `file` when there is none yet.
pub fn ensure_person(file: &mut SettingsFile) -> Result<PersonId, ConfigError> {
    let key = find_key("user.person").ok_or(ConfigError::Random)?;
    if let Some(id) = file.get(key)?.and_then(|text| text.parse().ok()) {
        return Ok(id);
    }
    let mut bytes = [0u8; PersonId::SIZE];
    getrandom::fill(&mut bytes).map_err(|_| ConfigError::Random)?;
    let id = PersonId::from_bytes(bytes);
    file.set(key, &id.to_string())?;
    file.write()?;
    Ok(id)
}

fn split(name: &str) -> (Vec<&str>, &str) {
    let mut groups: Vec<&str> = name.split('.').collect();
    let last = groups.pop().unwrap_or("");
    (groups, last)
}

fn plain_text(item: &Item) -> String {
    match item.as_str() {
        Some(text) => text.to_owned(),
        None => item.to_string().trim().to_owned(),
    }
}

fn collect_entries(table: &dyn toml_edit::TableLike, prefix: &str, into: &mut Vec<(String, String)>) {
    for (name, item) in table.iter() {
        let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        match item.as_table_like() {
            Some(inner) => collect_entries(inner, &name, into),
            None => into.push((name, plain_text(item))),
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Writes beside the target, flushes, renames over it and flushes the folder.
fn write_atomically(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    let temporary = folder.join(name);
    let written = write_durably(&temporary, bytes).and_then(|()| {
        if let Ok(old) = fs::symlink_metadata(target)
            && old.is_file()
        {
            fs::set_permissions(&temporary, old.permissions())?;
        }
        fs::rename(&temporary, target)
    });
    if written.is_err() {
        // The first error says what went wrong; a left-over that cannot be removed adds nothing.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    if cfg!(unix) {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> &'static Key {
        find_key(name).expect("a known key")
    }

    fn written(text: &str, scope: Scope) -> (tempfile::TempDir, SettingsFile) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("deep/config.toml");
        fs::create_dir_all(folder.path().join("deep")).expect("a folder");
        fs::write(&path, text).expect("a settings file");
        let file = SettingsFile::read(&path, scope).expect("readable settings");
        (folder, file)
    }

    #[test]
    fn keys_are_in_order_and_their_defaults_fit() {
        assert!(KEYS.is_sorted_by(|left, right| left.name < right.name));
        for key in KEYS {
            assert!(key.default.is_none_or(|text| key.kind.accept(text).is_some()), "{}", key.name);
            assert!(key.reach.includes(key.home), "{}", key.name);
        }
    }

    #[test]
    fn comments_and_unknown_keys_survive_a_change() {
        let text = "# mine\n[user]\nname = \"Ann\" # for now Ann\n\n[from-the-future]\nx = [1, 2]\n";
        let (_folder, mut file) = written(text, Scope::Person);
        file.set(key("user.name"), "Anna Lind").expect("a fitting name");
        file.write().expect("a written file");
        let now = fs::read_to_string(&file.path).expect("the file");
        assert_eq!(now, text.replace("\"Ann\"", "\"Anna Lind\""));
    }

    #[test]
    fn a_missing_file_has_no_settings_and_is_made_with_its_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a/b/config.toml");
        let mut file = SettingsFile::read(&path, Scope::Person).expect("no settings");
        assert_eq!(file.get(key("user.name")).expect("no error"), None);
        file.set(key("user.name"), "Anna").expect("a fitting name");
        file.set(key("ui.progress"), "off").expect("a fitting truth");
        file.write().expect("a written file");
        assert_eq!(
            fs::read_to_string(&path).expect("the file"),
            "[user]\nname = \"Anna\"\n\n[ui]\nprogress = false\n"
        );
        assert_eq!(fs::read_dir(path.parent().expect("a folder")).expect("its entries").count(), 1);
    }

    #[test]
    fn the_repository_goes_before_the_person_except_where_it_has_no_say() {
        let (_one, person) = written("[user]\nname = \"Anna\"\n[ui]\ncolor = \"never\"\n", Scope::Person);
        let (_two, repository) =
            written("[user]\nname = \"Studio\"\n[ui]\ncolor = \"always\"\n", Scope::Repository);
        let settings = Settings { files: vec![repository.clone(), person] };
        assert_eq!(settings.text("user.name").expect("a name").as_deref(), Some("Studio"));
        assert_eq!(settings.text("ui.color").expect("a colour").as_deref(), Some("never"));
        let refused = repository.clone().set(key("ui.color"), "never");
        assert!(matches!(refused, Err(ConfigError::PersonOnly { key: "ui.color" })));
        let refused = settings.files[1].clone().set(key("lock.auto"), "on");
        assert!(matches!(refused, Err(ConfigError::RepositoryOnly { key: "lock.auto" })));
    }

    #[test]
    fn values_that_do_not_fit_are_refused_from_hand_and_from_file() {
        let (_folder, mut file) = written("[ui]\ncolor = 3\n", Scope::Person);
        assert!(matches!(file.get(key("ui.color")), Err(ConfigError::Stored { .. })));
        for (name, bad) in [
            ("user.email", "anna"),
            ("user.email", "a b@c"),
            ("user.name", "a\nb"),
            ("user.name", " "),
            ("ui.progress", "perhaps"),
            ("user.person", "abc"),
        ] {
            assert!(matches!(file.set(key(name), bad), Err(ConfigError::Value { .. })), "{name} = {bad:?}");
        }
    }

    #[test]
    fn a_person_gets_one_id_and_keeps_it() {
        let (_folder, mut file) = written("", Scope::Person);
        let id = ensure_person(&mut file).expect("an id");
        let mut again = SettingsFile::read(&file.path, Scope::Person).expect("readable settings");
        assert_eq!(ensure_person(&mut again).expect("an id"), id);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_a_repository_is_replaced_and_one_at_home_is_followed() {
        for (scope, followed) in [(Scope::Person, true), (Scope::Repository, false)] {
            let (folder, file) = written("", scope);
            let link = folder.path().join("link.toml");
            std::os::unix::fs::symlink(&file.path, &link).expect("a link");
            let mut through = SettingsFile::read(&link, scope).expect("readable settings");
            through.set(key("user.name"), "Anna").expect("a fitting name");
            through.write().expect("a written file");
            assert_eq!(link.is_symlink(), followed);
            assert_eq!(fs::read_to_string(&file.path).expect("the file").is_empty(), !followed);
        }
    }
}
