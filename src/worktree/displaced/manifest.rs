//! The list of what was put aside: lines of JSON, the first about the whole, each further one about
//! one thing. A line is on disk before the thing it names is moved; a torn last line is passed over.

use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Name of the list inside the folder of a set.
pub const MANIFEST_FILE: &str = "manifest";
/// Name of a list that is being written anew.
pub const MANIFEST_NEW: &str = "manifest.new";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    /// When it began.
    pub created: Timestamp,
    /// What was being done, as the command is called: `restore`, `switch`.
    pub reason: String,
    /// When it was gone on with last: what was put aside then is no older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued: Option<Timestamp>,
}

/// A line of a set that was gone on with after a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continued {
    /// When.
    pub continued: Timestamp,
}

/// A further line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The name under which the thing lies.
    pub number: u64,
    /// Where it was, percent-encoded.
    pub path: AssetPath,
}

/// A line's bytes with its end.
pub fn line(value: &impl Serialize) -> Vec<u8> {
    // Plain structs of numbers and strings always serialise.
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Reads what can be read of a list. `None` when not even the first line can.
pub fn read(bytes: &[u8]) -> Option<(Heading, Vec<Line>)> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let mut heading: Heading = serde_json::from_slice(lines.next()?).ok()?;
    let mut listed = Vec::new();
    for line in lines {
        if let Ok(line) = serde_json::from_slice::<Line>(line) {
            listed.push(line);
        } else if let Ok(Continued { continued }) = serde_json::from_slice(line) {
            let latest = heading.continued.filter(|latest| latest.unix_ms >= continued.unix_ms);
            heading.continued = latest.or(Some(continued));
        }
    }
    Some((heading, listed))
}

/// Its part in the fuzz targets.
#[cfg(any(test, fuzzing))]
pub mod fuzz {
    use super::{Continued, Heading, Line, line, read};
    use crate::base::fuzz::{Numbers, Verdict, settled};
    use crate::base::path::AssetPath;
    use crate::base::time::Timestamp;

    fn write((heading, lines): &(Heading, Vec<Line>)) -> Vec<u8> {
        let mut bytes = line(heading);
        lines.iter().for_each(|entry| bytes.extend(line(entry)));
        bytes
    }

    /// Lists as they are written.
    pub fn seeds() -> Vec<Vec<u8>> {
        let one = |seed| {
            let numbers = &mut Numbers::new(seed);
            let created = Timestamp::utc(numbers.any_size() as i64);
            let entry = |numbers: &mut Numbers| Line {
                number: numbers.any_size(),
                path: AssetPath::root().join(&numbers.name()).unwrap_or_default(),
            };
            let lines = (0..numbers.below(6)).map(|_| entry(numbers)).collect();
            let continued = numbers.once_in(2).then(|| Timestamp::utc(numbers.any_size() as i64));
            let heading = Heading { created, reason: "restore".to_owned(), continued };
            let mut list = write(&(heading, lines));
            if numbers.once_in(2) {
                list.extend(line(&Continued { continued: Timestamp::utc(numbers.any_size() as i64) }));
            }
            list
        };
        (0..6).map(one).collect()
    }

    /// Reads a list; what was read has to read back the same.
    pub fn run(bytes: &[u8]) -> Verdict {
        settled(read(bytes).ok_or(()), write, read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_and_a_torn_line_is_passed_over() {
        let heading = Heading { created: Timestamp::utc(5), reason: "restore".to_owned(), continued: None };
        let path = AssetPath::from_bytes(b"a\n\xff%".to_vec()).expect("a valid path");
        let entry = Line { number: 3, path };
        let mut bytes = [line(&heading), line(&entry)].concat();
        let whole = bytes.len();
        bytes.extend_from_slice(&line(&Line { number: 4, ..entry.clone() }));
        bytes.truncate(whole + 9);
        assert_eq!(read(&bytes), Some((heading, vec![entry])));
        assert_eq!(read(b"{}\n"), None);
        assert_eq!(read(b""), None);
    }
}
