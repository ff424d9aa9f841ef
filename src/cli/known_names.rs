//! Names that a person could have meant: those of the repository around, of settings, of people, of
//! files beside each other. Shells offer them, and a name that is not there reminds of the nearest.

use crate::catalog::collections::{COLLECTIONS_FILE, Collections};
use crate::cli::environment::Environment;
use crate::repo::config::KEYS;
use crate::repo::refs::{DRAFT_PREFIX, RefKind};
use crate::repo::{Repository, View};
use crate::store::Access;
use crate::sync::tracking::remote_records;
use crate::trust::identity::{self, IdentityBook};
use std::path::{Path, PathBuf};

/// Two names are alike from here on; 1 is the same.
const LIKENESS_MIN: f64 = 0.6;
/// Files of one folder that are looked at for one that is alike.
const FILES_MAX: usize = 10_000;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// A branch or draft.
    Branch,
    /// A tag.
    Tag,
    /// Either.
    Revision,
    /// A remote.
    Remote,
    /// A setting.
    Setting,
    /// Somebody in the person's own list.
    Person,
    /// A collection.
    Collection,
}

/// A name that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What was typed.
    pub text: String,
    /// What it could be; `None` for a file alone.
    pub kind: Option<NameKind>,
    /// Whether it could be a file, and where its name begins: at the top of the repository, or at the
    /// folder that the command works in.
    pub file: Option<FileFrom>,
}

/// Where the name of a file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFrom {
    /// At the top of the repository.
    Top,
    /// At the folder that the command works in.
    Folder,
}

/// Where names are looked for.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The folder that the command works in.
    pub folder: PathBuf,
    /// The person's settings file.
    pub config_file: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub fn read() -> Option<Self> {
        let environment = Environment::read().ok()?;
        Some(Self { folder: environment.current_dir, config_file: environment.config_file })
    }

    /// All names of a kind. Where they cannot be read there are none.
    pub fn names(&self, kind: NameKind) -> Vec<String> {
        match kind {
            NameKind::Branch => self.references(&[RefKind::Branch]),
            NameKind::Tag => self.references(&[RefKind::Tag]),
            NameKind::Revision => self.references(&[RefKind::Branch, RefKind::Tag]),
            NameKind::Remote => self
                .within(|view| Some(remote_records(view).ok()?.into_iter().map(|(name, _)| name).collect())),
            NameKind::Setting => KEYS.iter().map(|key| key.name.to_owned()).collect(),
            NameKind::Person => self.people(),
            NameKind::Collection => self.collections(),
        }
    }

    /// The name that is most like one that is not there, if any is much like it.
    pub fn nearest(&self, unknown: &Unknown) -> Option<String> {
        let mut best: Option<(f64, String)> = None;
        let mut consider = |typed: &str, name: &str, shown: String| {
            let likeness = likeness(typed, name);
            if likeness >= LIKENESS_MIN && best.as_ref().is_none_or(|(most, _)| likeness > *most) {
                best = Some((likeness, shown));
            }
        };
        for name in unknown.kind.map(|kind| self.names(kind)).unwrap_or_default() {
            consider(&unknown.text, &name, name.clone());
            if let Some(short) = name.strip_prefix(DRAFT_PREFIX) {
                consider(&unknown.text, short, name.clone());
            }
        }
        if let Some(from) = unknown.file {
            let typed = Path::new(&unknown.text);
            let name = typed.file_name().map(|name| name.to_string_lossy().into_owned());
            for other in self.files_beside(typed, from) {
                let shown = typed.with_file_name(&other).to_string_lossy().into_owned();
                consider(&name.clone().unwrap_or_default(), &other, shown);
            }
        }
        best.map(|(_, name)| name)
    }

    fn files_beside(&self, typed: &Path, from: FileFrom) -> Vec<String> {
        let top = match from {
            FileFrom::Folder => Some(self.folder.clone()),
            FileFrom::Top => Repository::discover(&self.folder).ok(),
        };
        let folder = top.map(|top| top.join(typed.parent().unwrap_or(Path::new(""))));
        let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok());
        let names = entries.into_iter().flatten().take(FILES_MAX).filter_map(Result::ok);
        names.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn people(&self) -> Vec<String> {
        let Some(file) = &self.config_file else { return Vec::new() };
        let handles =
            |book: IdentityBook| book.identities().iter().map(|known| known.handle.clone()).collect();
        IdentityBook::read(&file.with_file_name(identity::FILE_NAME)).map(handles).unwrap_or_default()
    }

    fn collections(&self) -> Vec<String> {
        let root = Repository::discover(&self.folder).ok();
        let text = root.and_then(|root| std::fs::read_to_string(root.join(COLLECTIONS_FILE)).ok());
        let read = text.and_then(|text| Collections::parse(&text).ok()).unwrap_or_default();
        read.entries().map(|(name, _)| name.to_owned()).collect()
    }

    fn references(&self, kinds: &[RefKind]) -> Vec<String> {
        self.within(|view| {
            let all = view.references().ok()?.into_iter();
            let wanted = all.filter(|(name, _)| kinds.contains(&name.kind()));
            Some(wanted.map(|(name, _)| name.name().to_owned()).collect())
        })
    }

    fn within(&self, ask: impl FnOnce(&View) -> Option<Vec<String>>) -> Vec<String> {
        let view = || {
            let root = Repository::discover(&self.folder).ok()?.canonicalize().ok()?;
            Repository::open(&root, Access::ReadOnly).ok()?.view().ok()
        };
        view().and_then(|view| ask(&view)).unwrap_or_default()
    }
}

/// How much two names are alike, from 0 to 1: letters that are missing, too many, others or swapped
/// count against it.
fn likeness(typed: &str, name: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&typed.to_lowercase(), &name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_setting_is_recognised() {
        let nowhere = Surroundings { folder: PathBuf::from("/nowhere"), config_file: None };
        let nearest = |text: &str| {
            let kind = Some(NameKind::Setting);
            nowhere.nearest(&Unknown { text: text.to_owned(), kind, file: None })
        };
        assert_eq!(nearest("user.nam").as_deref(), Some("user.name"));
        assert_eq!(nearest("usr.email").as_deref(), Some("user.email"));
        assert_eq!(nearest("ui.colour").as_deref(), Some("ui.color"));
        assert_eq!(nearest("zzz"), None);
    }

    #[test]
    fn swapped_letters_are_alike_and_other_words_are_not() {
        assert!(likeness("mian", "main") >= LIKENESS_MIN);
        assert!(likeness("nigth", "night") >= LIKENESS_MIN);
        assert!(likeness("Poster.PSD", "poster.psd") >= LIKENESS_MIN);
        assert!(likeness("night", "poster") < LIKENESS_MIN);
    }

    #[test]
    fn a_file_beside_the_one_that_is_not_there_is_recognised() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("brand")).expect("a folder");
        std::fs::write(folder.path().join("brand/logo.svg"), "").expect("a file");
        let here = Surroundings { folder: folder.path().to_owned(), config_file: None };
        let typed = |text: &str| Unknown { text: text.to_owned(), kind: None, file: Some(FileFrom::Folder) };
        assert_eq!(here.nearest(&typed("brand/lgoo.svg")).as_deref(), Some("brand/logo.svg"));
        assert_eq!(here.nearest(&typed("other/lgoo.svg")), None);
    }
}
