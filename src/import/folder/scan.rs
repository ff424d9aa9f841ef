//! Looks at a folder and finds out which versions of what it holds, in which order. Nothing is written.

use crate::base::escape::percent_encode;
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::{AssetPath, PATH_DEPTH_MAX};
use crate::base::time::Timestamp;
use crate::import::error::{ImportError, io};
use crate::import::folder::group::{Found, file_versions};
use crate::import::folder::habits::usual;
use crate::import::folder::pattern::{DateOrder, Pattern};
use crate::import::folder::plan::{Action, LeftOut, Plan, Step};
use crate::import::folder::states::{by_habit, by_pattern};
use crate::rules::ignore::IgnoreStack;
use crate::rules::portable::check_entry_name;
use std::collections::HashMap;
use std::fs::{DirEntry, FileType};
use std::path::Path;

/// Makes the plan for a folder. Without a pattern the usual habits are looked for.
pub fn plan(folder: &Path, pattern: Option<&Pattern>, monitor: &dyn Monitor) -> Result<Plan, ImportError> {
    monitor.phase(Phase { name: "Looking", files_total: None, bytes_total: None });
    let mut scan = Scan { ignore: IgnoreStack::new(b""), monitor, files: Vec::new(), left_out: Vec::new() };
    scan.folder(folder, &AssetPath::root(), 0)?;
    scan.files.sort_by(|left, right| left.path.cmp(&right.path));
    let (mut left_out, mut notes) = (scan.left_out, Vec::new());
    let month_first = has_month_first(&scan.files, pattern, &mut notes);
    let (mut versions, files) = match pattern {
        Some(pattern) if pattern.names => (Vec::new(), scan.files),
        Some(pattern) => by_pattern(scan.files, pattern, month_first),
        None => by_habit(folder, scan.files, month_first),
    };
    versions.extend(file_versions(files, pattern, month_first, &mut left_out, &mut notes));
    left_out.sort();
    Ok(Plan { steps: on_one_line(versions), left_out, notes })
}

/// Whether days that can be read either way have the month first: some day can be read so only, and none
/// with the day first only. What was decided without a sign is noted.
fn has_month_first(files: &[Found], pattern: Option<&Pattern>, notes: &mut Vec<String>) -> bool {
    let (mut day, mut month, mut either) = (None, None, None);
    for name in files.iter().flat_map(|file| file.path.names()) {
        let text = String::from_utf8_lossy(name).into_owned();
        let stem = text.rsplit_once('.').map_or(text.as_str(), |(stem, _)| stem);
        let parts = pattern.and_then(|pattern| pattern.fit(&text)).unwrap_or_else(|| usual(stem));
        match parts.date_order {
            Some(DateOrder::DayFirst) => day = day.or(Some(text)),
            Some(DateOrder::MonthFirst) => month = month.or(Some(text)),
            Some(DateOrder::Either) => either = either.or(Some(text)),
            Some(DateOrder::Clear) | None => {}
        }
    }
    let Some(either) = either else { return false };
    match (month, day) {
        (Some(month), None) => {
            notes.push(format!("the day in {either} is read with the month first, as in {month}"));
            true
        }
        (None, Some(_)) => false,
        _ => {
            notes.push(format!(
                "the day in {either} is read with the day first; if the month comes first, set the moments in the plan"
            ));
            false
        }
    }
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
        let entries = match std::fs::read_dir(folder) {
            // The folder itself was named by the user.
            Err(error) if path.is_root() => return Err(io("reading", folder)(error)),
            Err(error) => {
                self.leave_out(path, format!("it cannot be read: {error}"));
                return Ok(());
            }
            Ok(entries) => entries,
        };
        for entry in entries {
            let found = entry.and_then(|entry| Ok((entry.file_type()?, entry)));
            match found {
                Ok((kind, entry)) => self.entry(&entry, kind, path, depth)?,
                Err(error) => self.leave_out(path, format!("something in it cannot be read: {error}")),
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, path: &AssetPath, reason: String) {
        self.left_out.push(LeftOut { path: path.clone(), reason });
    }

    fn entry(
        &mut self,
        entry: &DirEntry,
        kind: FileType,
        folder: &AssetPath,
        depth: usize,
    ) -> Result<(), ImportError> {
        let name = name_bytes(&entry.file_name());
        let inner = match folder.join(&name) {
            Ok(inner) if check_entry_name(&name).is_ok() && depth < PATH_DEPTH_MAX => inner,
            _ => {
                let name = percent_encode(&name);
                self.leave_out(folder, format!("{name} in it cannot be called so here"));
                return Ok(());
            }
        };
        if self.ignore.is_ignored(inner.as_bytes(), kind.is_dir()) {
            return Ok(());
        }
        if kind.is_dir() {
            return self.folder(&entry.path(), &inner, depth + 1);
        }
        match entry.metadata() {
            Ok(found) if kind.is_file() => self.files.push(Found { path: inner, mtime_ms: mtime_ms(&found) }),
            Ok(_) if kind.is_symlink() => {
                self.leave_out(&inner, "it is a link, and links are not followed".to_owned());
            }
            Ok(_) => self.leave_out(&inner, "it is no ordinary file".to_owned()),
            Err(error) => self.leave_out(&inner, format!("it cannot be read: {error}")),
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
    /// Whether it is a file under the name that it has, so that nothing tells it from a file that has one
    /// version.
    pub is_alone: bool,
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
    let mut count: HashMap<Vec<u8>, usize> = HashMap::new();
    for version in &versions {
        *count.entry(version.of.clone()).or_default() += 1;
    }
    // Files with one version each that follow each other come in one commit.
    let mut steps: Vec<(Step, usize)> = Vec::new();
    for version in versions {
        let is_alone = version.is_alone && count.get(&version.of) == Some(&1);
        // Plans and commits count in seconds.
        let time = Timestamp::utc(version.time_ms.div_euclid(1000) * 1000);
        match steps.last_mut() {
            Some((step, files)) if is_alone && *files > 0 => {
                step.time = time;
                step.actions.extend(version.actions);
                *files += 1;
            }
            _ => {
                let step = Step { time, message: version.message, actions: version.actions };
                steps.push((step, usize::from(is_alone)));
            }
        }
    }
    for (step, files) in &mut steps {
        match *files {
            0 | 1 => {}
            2 => step.message.push_str(" and another file"),
            files => step.message.push_str(&format!(" and {} more files", files - 1)),
        }
    }
    steps.into_iter().map(|(step, _)| step).collect()
}
