//! The plan of an import of versions kept in a folder: which commits there will be, oldest first. It is
//! shown before anything is written, and can be kept in a file and edited there.
//!
//! ```text
//! # pent plan 1
//! commit 2024-03-01T10:00:00+00:00 logo: version 1
//!   put logo.psd from logo_v1.psd
//! commit 2024-04-01T00:00:00+00:00 everything as in 2024-04-01.zip
//!   all from 2024-04-01.zip
//! ```
//!
//! Paths are percent-encoded like everywhere in machine-readable text.

use crate::base::escape::{percent_decode, percent_encode};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::import::error::ImportError;
use crate::rules::portable::check_entry_name;
use serde::Serialize;

const FIRST_LINE: &str = "# pent plan 1";
/// What follows the first line in a saved plan.
const HELP: &str = "\
# One block is one commit, oldest first. Move, change or remove blocks as you like; then
# `pent import folder` with the same folder and --plan makes them.
#   put PATH from FILE       puts a file of the folder at a path
#   all from PLACE           replaces everything by what is in a folder or a .zip
#   all in PATH from PLACE   the same, for what is in one folder
";

/// One commit to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When its content was made.
    pub time: Timestamp,
    /// Its message.
    pub message: String,
    /// What it does.
    pub actions: Vec<Action>,
}

/// One thing that a commit does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Puts a file of the folder at a path.
    Put {
        /// Where it goes.
        path: AssetPath,
        /// Where it lies below the folder.
        from: AssetPath,
    },
    /// Replaces everything in a folder by what is in a folder or an archive.
    All {
        /// The folder; the root path for everything.
        into: AssetPath,
        /// Where that lies below the folder.
        from: AssetPath,
    },
}

/// The commits to be, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The commits.
    pub steps: Vec<Step>,
    /// Files that are in no step, with the reason.
    pub left_out: Vec<LeftOut>,
    /// What was decided that the user may see otherwise, in sentences without their full stop.
    pub notes: Vec<String>,
}

/// A file that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// Where it lies below the folder.
    pub path: AssetPath,
    /// Why, as a sentence without its full stop.
    pub reason: String,
}

impl Plan {
    /// The plan as text.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n{HELP}");
        for step in &self.steps {
            let message = step.message.replace(['\n', '\r'], " ");
            text.push_str(&format!("commit {} {message}\n", step.time.rfc3339()));
            for action in &step.actions {
                text.push_str(&match action {
                    Action::Put { path, from } => format!("  put {} from {}\n", shown(path), shown(from)),
                    Action::All { into, from } if into.is_root() => format!("  all from {}\n", shown(from)),
                    Action::All { into, from } => format!("  all in {} from {}\n", shown(into), shown(from)),
                });
            }
        }
        for note in &self.notes {
            text.push_str(&format!("# {}\n", percent_encode(note.replace(['\n', '\r'], " ").as_bytes())));
        }
        for left in &self.left_out {
            text.push_str(&format!(
                "# left out: {}: {}\n",
                percent_encode(left.path.as_bytes()),
                left.reason
            ));
        }
        text
    }

    /// Reads a plan.
    pub fn parse(text: &str) -> Result<Self, ImportError> {
        let mut plan = Self::default();
        // Some editors begin a text with a mark that is none of it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (index, line) in text.lines().enumerate() {
            let wrong = |reason: &str| ImportError::Plan { line: index + 1, reason: reason.to_owned() };
            if index == 0 && line.trim_end() != FIRST_LINE {
                return Err(wrong(&format!("a plan begins with {FIRST_LINE:?}")));
            }
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once(' ') {
                Some(("commit", rest)) => plan.steps.push(step(rest).ok_or_else(|| {
                    wrong("write `commit`, a moment such as 2024-03-01T10:00:00+00:00, and a message")
                })?),
                Some(("put" | "all", _)) => {
                    let action = action(line).ok_or_else(|| {
                        wrong("write `put PATH from FILE`, `all from PLACE` or `all in PATH from PLACE`")
                    })?;
                    if !is_sound(&action) {
                        return Err(wrong(
                            "no file may be called so: a name in it stands for a repository's own folder",
                        ));
                    }
                    let step =
                        plan.steps.last_mut().ok_or_else(|| wrong("a `commit` line has to come first"))?;
                    step.actions.push(action);
                }
                _ => return Err(wrong("a line begins with `commit`, `put` or `all`")),
            }
        }
        if text.is_empty() {
            Err(ImportError::Plan { line: 1, reason: "it is empty".to_owned() })
        } else {
            Ok(plan)
        }
    }
}

/// A path as it stands in a plan: blanks that could be taken for the end of it are encoded.
fn shown(path: &AssetPath) -> String {
    let text = percent_encode(path.as_bytes()).replace(" from", "%20from");
    let inner = text.trim();
    let encoded = |blanks: &str| blanks.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let start = text.len() - text.trim_start().len();
    format!("{}{inner}{}", encoded(&text[..start]), encoded(&text[start + inner.len()..]))
}

fn step(text: &str) -> Option<Step> {
    let (moment, message) = text.split_once(' ').unwrap_or((text, ""));
    let (zoned, offset) = moment.split_at_checked(19)?;
    let civil: jiff::civil::DateTime = zoned.parse().ok()?;
    if !(1..=9999).contains(&civil.year()) {
        return None;
    }
    let offset_minutes = offset_minutes(offset)?;
    let utc = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    let unix_ms = utc - i64::from(offset_minutes) * 60_000;
    // A plan is lines: a message has no characters that steer what shows it.
    let plain: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let message = plain.trim().to_owned();
    Some(Step { time: Timestamp { unix_ms, offset_minutes }, message, actions: Vec::new() })
}

fn offset_minutes(text: &str) -> Option<i16> {
    if text.is_empty() || text == "Z" {
        return Some(0);
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i16, i16) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..24).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    match sign {
        "+" => Some(hours * 60 + minutes),
        "-" => Some(-(hours * 60 + minutes)),
        _ => None,
    }
}

fn action(line: &str) -> Option<Action> {
    let path =
        |text: &str| AssetPath::from_bytes(percent_decode(text.trim())?).ok().filter(|path| !path.is_root());
    if let Some(from) = line.strip_prefix("all from ") {
        return Some(Action::All { into: AssetPath::root(), from: path(from)? });
    }
    if let Some(rest) = line.strip_prefix("all in ") {
        let (into, from) = rest.split_once(" from ")?;
        return Some(Action::All { into: path(into)?, from: path(from)? });
    }
    let (to, from) = line.strip_prefix("put ")?.split_once(" from ")?;
    Some(Action::Put { path: path(to)?, from: path(from)? })
}

/// Whether files may be called as an action says.
fn is_sound(action: &Action) -> bool {
    let (Action::Put { path: to, from } | Action::All { into: to, from }) = action;
    to.names().chain(from.names()).all(|name| check_entry_name(name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> AssetPath {
        AssetPath::from_bytes(text.as_bytes()).expect("a path")
    }

    #[test]
    fn a_plan_reads_back_what_it_wrote() {
        let time = Timestamp { unix_ms: 1_709_301_900_000, offset_minutes: -90 };
        let actions = vec![
            Action::Put { path: path("a b/lo go.psd "), from: path(" logo from v1.psd") },
            Action::All { into: AssetPath::root(), from: path("2024.zip") },
            Action::All { into: path("in from x"), from: path("site from 1.zip") },
        ];
        let steps = vec![Step { time, message: "logo: version 1".into(), actions }];
        let left_out = vec![LeftOut { path: path("x"), reason: "it is a link".into() }];
        let plan = Plan { steps, left_out, notes: vec!["a to b: 2 files\nput x from y".into()] };
        let read = Plan::parse(&plan.to_text()).expect("a plan");
        assert_eq!(read.steps, plan.steps);
    }

    #[test]
    fn what_is_no_plan_is_refused_with_its_line() {
        let line = |text: &str| match Plan::parse(text) {
            Err(ImportError::Plan { line, .. }) => line,
            other => panic!("{other:?}"),
        };
        assert_eq!(line(""), 1);
        assert_eq!(line("hello"), 1);
        assert_eq!(line("# pent plan 1\nput a from b"), 2);
        assert_eq!(line("# pent plan 1\n\ncommit yesterday x"), 3);
        assert_eq!(line("# pent plan 1\ncommit 2024-03-01T10:00:00Z x\n  put ../a from b"), 3);
        assert_eq!(line("# pent plan 1\nremove everything"), 2);
    }
}
