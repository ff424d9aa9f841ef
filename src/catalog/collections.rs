//! Smart collections: questions that were kept under a name.
//!
//! They stand in a text of the worktree, `.pentcollections.toml`, and are versioned, compared, merged
//! and protected like every other file.

use crate::base::escape::is_unsafe_to_show;
use toml_edit::{DocumentMut, Item, Table};

/// The file, at the top of the worktree.
pub const COLLECTIONS_FILE: &str = ".pentcollections.toml";
/// Longest text of the file, in bytes.
pub const COLLECTIONS_BYTES_MAX: usize = 1 << 20;
/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 80;

/// Why collections cannot be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectionsError {
    #[error("{COLLECTIONS_FILE} cannot be read: {0}")]
    Syntax(String),
    #[error("{COLLECTIONS_FILE} has more than {} KiB", COLLECTIONS_BYTES_MAX / 1024)]
    TooLong,
    #[error(
        "{name:?} cannot be the name of a collection: it has 1 to {NAME_CHARS_MAX} characters that can be seen"
    )]
    Name { name: String },
    #[error("there is no collection called {name:?}")]
    Unknown { name: String },
}

/// The collections of a repository.
#[derive(Debug, Clone, Default)]
pub struct Collections {
    document: DocumentMut,
}

impl Collections {
    /// Reads them; what else stands in the text is kept as it is.
    pub fn parse(text: &str) -> Result<Self, CollectionsError> {
        if text.len() > COLLECTIONS_BYTES_MAX {
            return Err(CollectionsError::TooLong);
        }
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            CollectionsError::Syntax(error.message().replace('\n', "; "))
        })?;
        for (name, query) in document.iter() {
            if query.get("query").and_then(Item::as_str).is_none() {
                let what = format!("[{name}] needs query = \"...\"");
                return Err(CollectionsError::Syntax(what));
            }
        }
        Ok(Self { document })
    }

    /// Names and questions, in the order of the text.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.document.iter().filter_map(|(name, item)| Some((name, item.get("query")?.as_str()?)))
    }

    /// The question of a name.
    pub fn query(&self, name: &str) -> Result<&str, CollectionsError> {
        let found = self.entries().find(|(other, _)| *other == name);
        found.map(|(_, query)| query).ok_or_else(|| CollectionsError::Unknown { name: name.to_owned() })
    }

    /// Keeps a question under a name, in place of the one that had it.
    pub fn set(&mut self, name: &str, query: &str) -> Result<(), CollectionsError> {
        let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count())
            && name.trim() == name
            && !name.chars().any(is_unsafe_to_show);
        if !fits {
            return Err(CollectionsError::Name { name: name.to_owned() });
        }
        match self.document.get_mut(name).and_then(Item::as_table_like_mut) {
            Some(table) => {
                table.insert("query", toml_edit::value(query));
            }
            None => {
                let mut table = Table::new();
                table.insert("query", toml_edit::value(query));
                self.document.insert(name, Item::Table(table));
            }
        }
        Ok(())
    }

    /// Forgets a name.
    pub fn remove(&mut self, name: &str) -> Result<(), CollectionsError> {
        let unknown = || CollectionsError::Unknown { name: name.to_owned() };
        self.document.remove(name).map(drop).ok_or_else(unknown)
    }

    /// The text.
    pub fn to_text(&self) -> String {
        self.document.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_kept_with_what_people_wrote_around_them() {
        let mut all =
            Collections::parse("# for the fair\n[spring]\nquery = \"label:spring\"\nnote = \"x\"\n")
                .expect("read");
        all.set("Für Köln", "text:\"köln messe\"").expect("kept");
        all.set("spring", "label:spring -label:old").expect("kept");
        let text = all.to_text();
        assert!(text.contains("# for the fair") && text.contains("note = \"x\""), "{text}");
        let again = Collections::parse(&text).expect("read");
        assert_eq!(again.query("spring"), Ok("label:spring -label:old"));
        assert_eq!(again.query("Für Köln"), Ok("text:\"köln messe\""));
        assert_eq!(again.entries().count(), 2);
        all.remove("spring").expect("removed");
        assert!(all.remove("spring").is_err() && all.query("spring").is_err());
    }

    #[test]
    fn what_is_no_collection_is_refused() {
        for bad in ["[a]\n", "a = 1\n", "[a\n", "[a]\nquery = 3\n"] {
            assert!(Collections::parse(bad).is_err(), "{bad:?}");
        }
        let mut all = Collections::default();
        for bad in ["", " a", "a\nb", "x\u{202e}y", &"x".repeat(81)] {
            assert!(all.set(bad, "logo").is_err(), "{bad:?}");
        }
    }
}
