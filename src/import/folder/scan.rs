//! Looks at a folder and finds out which versions of what it holds, in which order. Nothing is written.

use crate::base::monitor::{Monitor, Phase};
use crate::base::path::{AssetPath, PATH_DEPTH_MAX};
use crate::base::time::Timestamp;
use crate::import::error::{ImportError, io};
use crate::import::folder::group::{Found, file_versions};
use crate::import::folder::pattern::Pattern;
use crate::import::folder::plan::{Action, LeftOut, Plan, Step};
use crate::import::folder::states::{by_habit, by_pattern};
use crate::rules::ignore::IgnoreStack;
use crate::rules::portable::check_entry_name;
use std::path::Path;

/// Makes the plan for a folder. Without a pattern the usual habits are looked for.
pub fn plan(folder: &Path, pattern: Option<&Pattern>, monitor: &dyn Monitor) -> Result<Plan, ImportError> {
    monitor.phase(Phase { name: "Looking", files_total: None, bytes_total: None });
    let mut scan = Scan { ignore: IgnoreStack::new(b""), monitor, files: Vec::new(), left_out: Vec::new() };
    scan.folder(folder, &AssetPath::root(), 0)?;
    scan.files.sort_by(|left, right| left.path.cmp(&right.path));
    let (mut left_out, mut notes) = (scan.left_out, Vec::new());
    let (mut versions, files) = match pattern {
        Some(pattern) if pattern.names => (Vec::new(), scan.files),
        Some(pattern) => by_pattern(scan.files, pattern),
        None => by_habit(folder, scan.files),
    };
    versions.extend(file_versions(files, pattern, &mut left_out, &mut notes));
    left_out.sort();
    Ok(Plan { steps: on_one_line(versions), left_out, notes })
}

struct Scan<'a> {
    ignore: IgnoreStack,
    monitor: &'a dyn Monitor,
    files: Vec<Found>,
    left_out: Vec<LeftOut>,
}

impl Scan<'_> {
    fn folder(&mut self, folder: &Path, path: &AssetPath, depth: usize) -> Result<(), ImportError> {
        if self.monitor.is_cancelled() {
            return Err(ImportError::Cancelled);
        }
        for entry in std::fs::read_dir(folder).map_err(io("reading", folder))? {
            let entry = entry.map_err(io("reading", folder))?;
            let kind = entry.file_type().map_err(io("reading", &entry.path()))?;
            let name = name_bytes(&entry.file_name());
            let inner = match path.join(&name) {
                Ok(inner) if check_entry_name(&name).is_ok() && depth < PATH_DEPTH_MAX => inner,
                _ => {
                    let reason = "a file cannot be called so here".to_owned();
                    self.left_out.push(LeftOut { path: path.clone(), reason });
                    continue;
                }
            };
            if self.ignore.is_ignored(inner.as_bytes(), kind.is_dir()) {
                continue;
            }
            if kind.is_dir() {
                self.folder(&entry.path(), &inner, depth + 1)?;
            } else if kind.is_file() {
                let metadata = entry.metadata().map_err(io("reading", &entry.path()))?;
                self.files.push(Found { path: inner, mtime_ms: mtime_ms(&metadata) });
            } else {
                self.left_out.push(LeftOut { path: inner, reason: "it is no ordinary file".to_owned() });
            }
        }
        Ok(())
    }
}

fn name_bytes(name: &std::ffi::OsStr) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    name.as_bytes().to_vec()
}

fn mtime_ms(metadata: &std::fs::Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

/// One version of something: one commit.
#[derive(Debug, Clone)]
pub(super) struct Version {
    /// What it is a version of: versions of one thing stay in their order.
    pub of: Vec<u8>,
    /// Its place among the versions of that thing.
    pub place: usize,
    pub time_ms: i64,
    pub message: String,
    pub actions: Vec<Action>,
}

/// All versions on one line of time: each not before the version of the same thing that it follows.
fn on_one_line(mut versions: Vec<Version>) -> Vec<Step> {
    versions.sort_by(|left, right| (&left.of, left.place).cmp(&(&right.of, right.place)));
    let mut last: Option<(Vec<u8>, i64)> = None;
    for version in &mut versions {
        if let Some((of, time_ms)) = &last
            && *of == version.of
        {
            version.time_ms = version.time_ms.max(*time_ms);
        }
        last = Some((version.of.clone(), version.time_ms));
    }
    versions.sort_by_key(|version| version.time_ms);
    let step = |version: Version| Step {
        // Plans and commits count in seconds.
        time: Timestamp::utc(version.time_ms.div_euclid(1000) * 1000),
        message: version.message,
        actions: version.actions,
    };
    versions.into_iter().map(step).collect()
}
