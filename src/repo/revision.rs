//! Revision expressions: the ways in which people name a commit.
//!
//! ```text
//! @                      the branch's newest commit
//! main, draft/poster, v1 a branch, draft or tag; origin/main: where a remote's branch was last seen
//! 3f9a01c2               a commit id or the start of one (4 digits or more), also one that the commit has in Git
//! logo.psd@40            the commit that made version 40 of an asset
//! main@{2026-03-01}      what main was on that day; also {yesterday}, {2 weeks ago}
//! @~3, main^2            three commits back on the branch's own line; the second parent
//! ```

use crate::base::path::AssetPath;
use crate::repo::refs::RefName;

/// Fewest digits of a shortened commit id.
pub const ID_PREFIX_MIN: usize = 4;

/// Why text is no revision expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no revision: {reason}")]
pub struct RevisionError {
    /// The text as given.
    pub text: String,
    /// What is wrong.
    pub reason: &'static str,
}

/// Where an expression begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// The newest commit of the branch that the worktree is on.
    Current,
    /// A name or the start of an id; names win.
    Name(String),
    /// The `version`th version of the asset at `path`.
    Version { path: AssetPath, version: u64 },
}

/// A step from one commit to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// So many commits back along first parents.
    Back(u64),
    /// The nth parent, from 1.
    Parent(u64),
    /// The newest commit on the first-parent line that is not younger than a date in words.
    At(String),
}

/// A parsed revision expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Where it begins.
    pub anchor: Anchor,
    /// The steps from there, in order.
    pub steps: Vec<Step>,
}

impl Revision {
    /// The newest commit of the current branch.
    pub const fn current() -> Self {
        Self { anchor: Anchor::Current, steps: Vec::new() }
    }

    /// Parses an expression.
    pub fn parse(text: &str) -> Result<Self, RevisionError> {
        let refuse = |reason| RevisionError { text: text.to_owned(), reason };
        let end = anchor_end(text);
        let (anchor_text, rest) = text.split_at(end);
        let anchor = parse_anchor(anchor_text).map_err(refuse)?;
        let steps = parse_steps(rest).map_err(refuse)?;
        Ok(Self { anchor, steps })
    }
}

/// Where the anchor ends and the steps begin: at the first `~`, `^` or `@{`.
fn anchor_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    (0..bytes.len())
        .find(|at| matches!(bytes[*at], b'~' | b'^') || bytes[*at..].starts_with(b"@{"))
        .unwrap_or(bytes.len())
}

fn parse_anchor(text: &str) -> Result<Anchor, &'static str> {
    if text == "@" || text.is_empty() {
        return Ok(Anchor::Current);
    }
    if let Some((path, number)) = text.rsplit_once('@') {
        let version = number.parse().map_err(|_| "after the `@` stands the number of a version")?;
        if version == 0 {
            return Err("versions are counted from 1");
        }
        let path = AssetPath::from_bytes(path).map_err(|_| "before the `@` stands the path of an asset")?;
        return if path.is_root() {
            Err("before the `@` stands the path of an asset")
        } else {
            Ok(Anchor::Version { path, version })
        };
    }
    Ok(Anchor::Name(text.to_owned()))
}

fn parse_steps(mut rest: &str) -> Result<Vec<Step>, &'static str> {
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("@{") {
            let (date, after) = after.split_once('}').ok_or("a date ends with `}`")?;
            steps.push(Step::At(date.trim().to_owned()));
            rest = after;
            continue;
        }
        let sign = rest.chars().next().unwrap_or('~');
        let after = &rest[sign.len_utf8()..];
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number =
            if digits == 0 { 1 } else { after[..digits].parse().map_err(|_| "the number is too large")? };
        match sign {
            '~' => steps.push(Step::Back(number)),
            '^' if number == 0 => {}
            '^' => steps.push(Step::Parent(number)),
            _ => return Err("after a name come only `~n`, `^n` or `@{date}`"),
        }
        rest = &after[digits..];
    }
    Ok(steps)
}

/// Whether text could be the start of a commit id.
pub fn is_id_prefix(text: &str) -> bool {
    (ID_PREFIX_MIN..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The names that a plain word may stand for, in the order in which they are tried.
pub fn candidate_names(text: &str) -> Vec<RefName> {
    [RefName::branch(text), RefName::draft(text), RefName::tag(text), RefName::tracked(text)]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Revision {
        Revision::parse(text).expect("a revision")
    }

    #[test]
    fn the_documented_forms_parse() {
        assert_eq!(parse("@"), Revision::current());
        assert_eq!(parse("main~3").steps, [Step::Back(3)]);
        assert_eq!(parse("@^2~").steps, [Step::Parent(2), Step::Back(1)]);
        assert_eq!(parse("main@{2 weeks ago}").steps, [Step::At("2 weeks ago".into())]);
        let path = AssetPath::from_bytes("brand/logo.psd").expect("a path");
        assert_eq!(parse("brand/logo.psd@40").anchor, Anchor::Version { path, version: 40 });
    }

    #[test]
    fn what_is_no_revision_says_why() {
        for bad in ["logo@x", "logo@0", "@5", "main@{today", "main~99999999999999999999", "main~x", "main~3é"]
        {
            assert!(Revision::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn short_words_are_names_and_not_ids() {
        assert!(is_id_prefix("3f9a"));
        assert!(!is_id_prefix("abc") && !is_id_prefix("main"));
    }
}
