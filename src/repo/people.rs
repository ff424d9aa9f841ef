//! Who people are: records that can be erased without touching history.

use crate::base::id::PersonId;
use serde::{Deserialize, Serialize};

/// A person's name and address as they wish to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The address; may be empty.
    #[serde(default)]
    pub email: String,
}

/// A person together with the id that history knows them by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The opaque id.
    pub id: PersonId,
    /// How they are shown.
    pub person: Person,
}

impl Person {
    /// Reads `Name <address>` or a bare name.
    pub fn parse(text: &str) -> Option<Self> {
        let line = text.trim();
        if line.is_empty() {
            return None;
        }
        if !line.contains('<') {
            return Some(Self { name: line.to_owned(), email: String::new() });
        }
        let actor = gix::actor::IdentityRef::from_bytes(line.as_bytes()).ok()?.trim();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        Some(Self { name: text(actor.name)?, email: text(actor.email)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_with_or_without_an_address() {
        let anna = Person::parse("Anna Lind <anna@example.org>").expect("a person");
        assert_eq!((anna.name.as_str(), anna.email.as_str()), ("Anna Lind", "anna@example.org"));
        assert_eq!(Person::parse("Anna Lind").map(|p| p.email), Some(String::new()));
        assert_eq!(Person::parse("  "), None);
    }
}
