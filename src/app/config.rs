//! `config`: settings of the person and of the repository.

use crate::app::error::AppError;
use crate::repo::config::{
    ConfigError, ConfigPaths, KEYS, Key, Reach, Scope, Settings, SettingsFile, find_key,
};
use serde::Serialize;

/// What to do with settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Options {
    /// List what holds, and what is set that this version does not know.
    List,
    /// List every setting that can be made.
    Describe,
    /// Show one.
    Get { name: String },
    /// Set one, in its usual file unless told where.
    Set { name: String, value: String, scope: Option<Scope> },
    /// Remove one from its usual file unless told where; unknown ones too.
    Unset { name: String, scope: Option<Scope> },
}

/// Settings after the deed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was set or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<Change>,
    /// The settings that were asked for, by name.
    pub settings: Vec<Line>,
}

/// A setting that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// The file it was changed in.
    pub scope: Scope,
    /// What it was set to there before.
    pub before: Option<String>,
    /// What it is set to there now.
    pub after: Option<String>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// What holds; `None` when it is not set and has no default.
    pub value: Option<String>,
    /// Where that comes from; `None` when it is the default or not set.
    pub scope: Option<Scope>,
    /// Whether this version knows the setting.
    pub known: bool,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<&'static str>,
    /// Which values it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<String>,
}

/// Lists, shows, sets or removes settings.
pub fn run(paths: &ConfigPaths, options: &Options) -> Result<Report, AppError> {
    match options {
        Options::List => list(paths),
        Options::Describe => describe(paths),
        Options::Get { name } => {
            let key = known(name)?;
            let line = line(&Settings::read(paths)?, key)?;
            Ok(Report { changed: None, settings: vec![line] })
        }
        Options::Set { name, value, scope } => {
            let key = known(name)?;
            let mut file = open(paths, scope.unwrap_or(key.home))?;
            // What stood there before may be unfit; that is a reason to set it anew, not to refuse.
            let before = file.1.get(key).unwrap_or_default();
            file.1.set(key, value)?;
            file.1.write()?;
            let after = file.1.get(key)?;
            finish(paths, name, file.0, before, after)
        }
        Options::Unset { name, scope } => {
            let home = find_key(name).map_or(Scope::Person, |key| key.home);
            let (scope, mut file) = open(paths, scope.unwrap_or(home))?;
            let before = file.entries().into_iter().find(|(other, _)| other == name).map(|(_, value)| value);
            if file.unset(name) {
                file.write()?;
            } else if find_key(name).is_none() {
                return Err(ConfigError::UnknownKey { name: name.clone() }.into());
            }
            finish(paths, name, scope, before, None)
        }
    }
}

fn known(name: &str) -> Result<&'static Key, ConfigError> {
    find_key(name).ok_or_else(|| ConfigError::UnknownKey { name: name.to_owned() })
}

fn open(paths: &ConfigPaths, scope: Scope) -> Result<(Scope, SettingsFile), ConfigError> {
    let path = paths.of(scope).ok_or(ConfigError::NoPlace { scope })?;
    Ok((scope, SettingsFile::read(path, scope)?))
}

fn finish(
    paths: &ConfigPaths,
    name: &str,
    scope: Scope,
    before: Option<String>,
    after: Option<String>,
) -> Result<Report, AppError> {
    let settings = match find_key(name) {
        Some(key) => vec![line(&Settings::read(paths)?, key)?],
        None => Vec::new(),
    };
    Ok(Report { changed: Some(Change { name: name.to_owned(), scope, before, after }), settings })
}

fn list(paths: &ConfigPaths) -> Result<Report, AppError> {
    let settings = Settings::read(paths)?;
    let mut lines = Vec::new();
    for key in KEYS {
        lines.push(line(&settings, key)?);
    }
    for (scope, name, value) in settings.unknown() {
        let value = Some(value);
        lines.push(Line { name, value, scope: Some(scope), known: false, about: None, takes: None });
    }
    Ok(Report { changed: None, settings: lines })
}

fn describe(paths: &ConfigPaths) -> Result<Report, AppError> {
    let mut report = list(paths)?;
    report.settings.retain(|line| line.known);
    for line in &mut report.settings {
        if let Some(key) = find_key(&line.name) {
            line.about = Some(key.about);
            let yours = match key.reach {
                Reach::Person => "; yours alone",
                Reach::Repository => "; of one repository",
                Reach::Both => "",
            };
            line.takes = Some(format!("{}{yours}", key.kind.expectation()));
        }
    }
    Ok(report)
}

fn line(settings: &Settings, key: &'static Key) -> Result<Line, ConfigError> {
    let setting = settings.get(key.name)?;
    let scope = setting.as_ref().and_then(|setting| setting.scope);
    let value = setting.map(|setting| setting.value);
    Ok(Line { name: key.name.to_owned(), value, scope, known: true, about: None, takes: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::RepoError;

    fn set(name: &str, value: &str) -> Options {
        Options::Set { name: name.to_owned(), value: value.to_owned(), scope: None }
    }

    #[test]
    fn settings_go_to_their_usual_file_and_say_where_they_come_from() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let paths = ConfigPaths { person: Some(folder.path().join("mine.toml")), repository: None };
        let report = run(&paths, &set("user.name", "Anna Lind")).expect("a set name");
        let change = report.changed.expect("a change");
        assert_eq!((change.before, change.after.as_deref()), (None, Some("Anna Lind")));
        let line = run(&paths, &Options::Get { name: "user.name".to_owned() }).expect("a name").settings;
        assert_eq!(line[0].scope, Some(Scope::Person));
    }

    #[test]
    fn a_value_that_does_not_fit_can_be_set_anew() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, "[ui]\ncolor = 7\n").expect("a file");
        let paths = ConfigPaths { person: Some(path), repository: None };
        assert!(matches!(
            run(&paths, &Options::List),
            Err(AppError::Repo(RepoError::Config(ConfigError::Stored { .. })))
        ));
        run(&paths, &set("ui.color", "never")).expect("a set colour");
        assert!(run(&paths, &Options::List).is_ok());
    }

    #[test]
    fn without_a_repository_there_is_no_place_for_its_settings() {
        let options =
            Options::Set { name: "user.name".into(), value: "A".into(), scope: Some(Scope::Repository) };
        let refused = run(&ConfigPaths::default(), &options);
        let refused = refused.map_err(|error| error.to_string());
        assert_eq!(
            refused.err().as_deref(),
            Some("there is nowhere to keep settings that are this repository's")
        );
    }

    #[test]
    fn what_this_version_does_not_know_is_listed_and_can_be_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, "[new]\nthing = 1\n").expect("a file");
        let paths = ConfigPaths { person: Some(path), repository: None };
        let report = run(&paths, &Options::List).expect("a list");
        assert!(report.settings.iter().any(|line| line.name == "new.thing" && !line.known));
        run(&paths, &Options::Unset { name: "new.thing".into(), scope: None }).expect("a removal");
        assert!(run(&paths, &Options::List).expect("a list").settings.iter().all(|line| line.known));
    }
}
