//! Handles of people and names of roles.

use std::fmt;

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Words that mean something in a policy, so that no person or role is called so.
const RESERVED: &[&str] = &["of", "everyone", "nobody"];

/// Why text is no name of a person or role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to {NAME_BYTES_MAX} lower-case letters, digits, '-' or '_', and is none of: of, everyone, nobody"
)]
pub struct NameError;

/// Checks a name: plain letters only, so that two names that look alike are alike.
fn check(text: &str) -> Result<(), NameError> {
    let plain = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let fits = plain && starts && text.len() <= NAME_BYTES_MAX && !RESERVED.contains(&text);
    if fits { Ok(()) } else { Err(NameError) }
}

macro_rules! define_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks and takes a name.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(text.to_owned()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

define_name!(
    /// What a policy calls a person: short, plain, one of a kind.
    Handle
);
define_name!(
    /// What a policy calls a role.
    Role
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_so_that_none_passes_for_another() {
        for bad in ["", "Anna", "аnna", "of", "everyone", "1anna", "-x", "a b", "a\u{200b}b"] {
            assert!(Handle::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            Role::new("project-manager").map(|role| role.as_str().to_owned()),
            Ok("project-manager".into())
        );
    }
}
