//! Statements in JSON that people sign: one way to write each, and a reader that refuses any other.
//!
//! The exact bytes are what is signed, kept and hashed, so that two spellings of one statement would be
//! two statements. The schema stands first and tells statements of one kind from those of another.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Something that is said in such a statement. Its fields are written in the order of their declaration.
pub trait Statement: Serialize + DeserializeOwned {
    /// What a statement of this kind calls itself.
    const SCHEMA: &'static str;
    /// What it is, in words that follow "it is no".
    const WHAT: &'static str;
    /// Longest statement, in bytes.
    const BYTES_MAX: usize;
}

/// Why bytes are no such statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It is longer than [`Statement::BYTES_MAX`].
    #[error("it is longer than {bytes_max} bytes")]
    TooLong { bytes_max: usize },
    /// It is something else, or nothing that can be read.
    #[error("it is no {what}: {reason}")]
    SomethingElse { what: &'static str, reason: String },
    /// A writer would have written it otherwise.
    #[error("it is not written in its one form")]
    Form,
}

#[derive(Serialize)]
struct Written<'a, T> {
    schema: &'static str,
    #[serde(flatten)]
    said: &'a T,
}

#[derive(Deserialize)]
struct Read<T> {
    schema: String,
    #[serde(flatten)]
    said: T,
}

/// The exact bytes to be signed.
///
/// # Errors
/// When they would be longer than a reader takes.
pub fn encode<T: Statement>(said: &T) -> Result<String, StatementError> {
    let text =
        serde_json::to_string(&Written { schema: T::SCHEMA, said }).map_err(|error| unlike::<T>(&error))?;
    if text.len() > T::BYTES_MAX { Err(too_long::<T>()) } else { Ok(text) }
}

/// Reads signed bytes.
///
/// # Errors
/// For whatever [`encode`] would not have written: fields that it does not know, another order, other spaces.
pub fn decode<T: Statement>(text: &str) -> Result<T, StatementError> {
    if text.len() > T::BYTES_MAX {
        return Err(too_long::<T>());
    }
    let Read { schema, said } = serde_json::from_str::<Read<T>>(text).map_err(|error| unlike::<T>(&error))?;
    if schema != T::SCHEMA {
        return Err(unlike::<T>(&format_args!("it calls itself {schema:?}")));
    }
    // Fields that nobody knows are left out here, so that a text with some of them is another one.
    if encode(&said)? == text { Ok(said) } else { Err(StatementError::Form) }
}

fn too_long<T: Statement>() -> StatementError {
    StatementError::TooLong { bytes_max: T::BYTES_MAX }
}

fn unlike<T: Statement>(reason: &dyn std::fmt::Display) -> StatementError {
    StatementError::SomethingElse { what: T::WHAT, reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wish {
        size: u64,
        words: String,
    }

    impl Statement for Wish {
        const SCHEMA: &'static str = "a wish v1";
        const WHAT: &'static str = "wish";
        const BYTES_MAX: usize = 80;
    }

    #[test]
    fn only_what_a_writer_writes_is_read() {
        let wish = Wish { size: u64::MAX, words: "\u{e9}\n".into() };
        let text = encode(&wish).expect("short enough");
        assert_eq!(text, r#"{"schema":"a wish v1","size":18446744073709551615,"words":"é\n"}"#);
        assert_eq!(decode(&text), Ok(wish));
        let others = [
            r#"{"schema":"a wish v1","words":"x","size":1}"#,
            r#"{"size":1,"schema":"a wish v1","words":"x"}"#,
            r#"{"schema":"a wish v1","size":1,"words":"x","more":1}"#,
            r#"{"schema":"a wish v1","size":1,"words":"x"} "#,
            r#"{"schema":"a wish v1","size":1,"words":"\u0078"}"#,
        ];
        for other in others {
            assert_eq!(decode::<Wish>(other), Err(StatementError::Form), "{other}");
        }
        let twice = r#"{"schema":"a wish v1","size":1,"size":1,"words":"x"}"#;
        let elsewhere = r#"{"schema":"a wish v2","size":1,"words":"x"}"#;
        for other in [twice, elsewhere, "{}", "", "[1]"] {
            assert!(matches!(decode::<Wish>(other), Err(StatementError::SomethingElse { .. })), "{other}");
        }
        let long = Wish { size: 1, words: "x".repeat(80) };
        assert_eq!(encode(&long), Err(StatementError::TooLong { bytes_max: 80 }));
        assert_eq!(decode::<Wish>(&"x".repeat(81)), Err(StatementError::TooLong { bytes_max: 80 }));
    }
}
