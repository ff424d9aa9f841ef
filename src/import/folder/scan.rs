//! Looks at a folder and finds out which versions of what it holds, in which order. Nothing is written.

use crate::base::monitor::{Monitor, Phase};
use crate::base::path::{AssetPath, PATH_DEPTH_MAX};
use crate::base::time::Timestamp;
use crate::import::error::{ImportError, io};
use crate::import::folder::pattern::{Parts, Pattern, usual};
use crate::import::folder::plan::{Action, LeftOut, Plan, Step};
use crate::rules::ignore::IgnoreStack;
use crate::rules::portable::check_entry_name;
use std::collections::BTreeMap;
use std::path::Path;

/// A file that was found.
#[derive(Debug, Clone)]
struct Found {
    path: AssetPath,
    mtime_ms: i64,
}

/// Makes the plan for a folder. Without a pattern the usual habits are looked for.
pub fn plan(folder: &Path, pattern: Option<&Pattern>, monitor: &dyn Monitor) -> Result<Plan, ImportError> {
    monitor.phase(Phase { name: "Looking", files_total: None, bytes_total: None });
    let mut scan = Scan { ignore: IgnoreStack::new(b""), monitor, files: Vec::new(), left_out: Vec::new() };
    scan.folder(folder, &AssetPath::root(), 0)?;
    scan.files.sort_by(|left, right| left.path.cmp(&right.path));
    let mut left_out = scan.left_out;
    let (states, files) = states(scan.files, pattern);
    let mut versions: Vec<Version> = states;
    versions.extend(file_versions(files, pattern, &mut left_out));
    left_out.sort();
    Ok(Plan { steps: in_order(versions), left_out })
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
struct Version {
    /// What it is a version of: versions of one thing stay in their order.
    of: Vec<u8>,
    /// Its place among the versions of that thing.
    order: (u64, u64, i64),
    time_ms: i64,
    message: String,
    actions: Vec<Action>,
}

/// Finds states of everything - dated folders, archives - and gives back the files that are in none.
fn states(files: Vec<Found>, pattern: Option<&Pattern>) -> (Vec<Version>, Vec<Found>) {
    let mut states: BTreeMap<AssetPath, Version> = BTreeMap::new();
    let mut rest = Vec::new();
    let usual_tops = usual_tops(&files);
    for file in files {
        let state = match pattern {
            Some(pattern) if pattern.names => None,
            Some(pattern) => state_by(pattern, &file),
            None => usual_tops.get(&top(&file.path)).cloned().map(|parts| (top(&file.path), parts)),
        };
        let Some((from, parts)) = state else {
            rest.push(file);
            continue;
        };
        let shown = String::from_utf8_lossy(from.as_bytes()).into_owned();
        let version = states.entry(from.clone()).or_insert_with(|| Version {
            of: Vec::new(),
            order: order_of(&parts, 0),
            time_ms: parts.date_ms.unwrap_or(0),
            message: format!("everything as in {shown}"),
            actions: vec![Action::All { from }],
        });
        if parts.date_ms.is_none() {
            // A folder is as old as the newest file in it.
            version.time_ms = version.time_ms.max(file.mtime_ms);
            version.order.2 = version.time_ms;
        }
    }
    (states.into_values().collect(), rest)
}

/// The folder or archive at the top that a file lies in or is.
fn top(path: &AssetPath) -> AssetPath {
    let first = path.names().next().unwrap_or_default().to_vec();
    AssetPath::from_bytes(first).unwrap_or_default()
}

fn is_zip(path: &AssetPath) -> bool {
    path.extension() == b"zip"
}

/// Folders and archives at the top that are, by their names, states of one thing: two at least.
fn usual_tops(files: &[Found]) -> BTreeMap<AssetPath, Parts> {
    let mut groups: BTreeMap<String, BTreeMap<AssetPath, Parts>> = BTreeMap::new();
    for file in files {
        let top = top(&file.path);
        if top == file.path && !is_zip(&top) {
            continue;
        }
        let parts = usual(&stem_of(&top));
        if parts.number.is_some() || parts.date_ms.is_some() {
            let dated_only = parts.date_ms.is_some() && parts.name == stem_of(&top);
            let group = if dated_only { String::new() } else { parts.name.to_lowercase() };
            groups.entry(group).or_default().insert(top, parts);
        }
    }
    groups.into_values().filter(|group| group.len() > 1).flatten().collect()
}

/// A name without the extension of an archive.
fn stem_of(path: &AssetPath) -> String {
    let name = String::from_utf8_lossy(path.name()).into_owned();
    match name.rsplit_once('.') {
        Some((stem, extension)) if extension.eq_ignore_ascii_case("zip") => stem.to_owned(),
        _ => name,
    }
}

/// The state that a file belongs to by a pattern without names.
fn state_by(pattern: &Pattern, file: &Found) -> Option<(AssetPath, Parts)> {
    let mut prefix = AssetPath::root();
    for name in file.path.names() {
        prefix = prefix.join(name).ok()?;
        let is_file = prefix == file.path;
        if is_file && (pattern.folders || !is_zip(&prefix)) {
            return None;
        }
        let text = String::from_utf8_lossy(if pattern.paths { prefix.as_bytes() } else { name }).into_owned();
        if let Some(parts) = pattern.fit(&text) {
            return Some((prefix, parts));
        }
    }
    None
}

/// Versions of single files, grouped by what they are versions of.
fn file_versions(files: Vec<Found>, pattern: Option<&Pattern>, left_out: &mut Vec<LeftOut>) -> Vec<Version> {
    let mut groups: BTreeMap<Vec<u8>, Vec<(Found, Parts)>> = BTreeMap::new();
    for file in files {
        match parts_of(&file, pattern) {
            Some((target, parts)) => {
                groups.entry(target.as_bytes().to_vec()).or_default().push((file, parts));
            }
            None => {
                let reason = "its name does not fit the pattern".to_owned();
                left_out.push(LeftOut { path: file.path, reason });
            }
        }
    }
    let mut versions = Vec::new();
    for (target, members) in groups {
        let Ok(path) = AssetPath::from_bytes(target.clone()) else { continue };
        let newest_numbered =
            members.iter().filter(|(_, parts)| parts.number.is_some()).map(|(file, _)| file.mtime_ms).max();
        for (file, parts) in members {
            let time_ms = parts.date_ms.unwrap_or(file.mtime_ms);
            let mut order = order_of(&parts, time_ms);
            // A name without a number among numbered ones came first, unless it is newer than all of them.
            if parts.number.is_none() && parts.words.is_empty() && parts.date_ms.is_none() {
                order.0 =
                    if newest_numbered.is_some_and(|newest| file.mtime_ms > newest) { u64::MAX } else { 0 };
            }
            let name = String::from_utf8_lossy(file.path.name()).into_owned();
            let message = format!("{}: {name}", String::from_utf8_lossy(path.name()));
            let actions = vec![Action::Put { path: path.clone(), from: file.path }];
            versions.push(Version { of: target.clone(), order, time_ms, message, actions });
        }
    }
    versions
}

/// Numbers first, then what is called final the more often, then age.
fn order_of(parts: &Parts, time_ms: i64) -> (u64, u64, i64) {
    let finality = parts.words.iter().filter(|word| word.starts_with("fin") || *word == "approved").count();
    let number =
        parts.number.map_or(if finality > 0 { u64::MAX - 1 } else { 1 }, |number| number.saturating_add(1));
    (number, finality as u64, parts.date_ms.unwrap_or(time_ms))
}

/// Where a file goes, and what its name says of the version.
fn parts_of(file: &Found, pattern: Option<&Pattern>) -> Option<(AssetPath, Parts)> {
    let name = String::from_utf8_lossy(file.path.name()).into_owned();
    let parent = file.path.parent().unwrap_or_default();
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name.as_str(), String::new()),
    };
    let parts = match pattern {
        None => usual(stem),
        Some(pattern) if !pattern.names => return None,
        Some(pattern) if pattern.paths => pattern.fit(&String::from_utf8_lossy(file.path.as_bytes()))?,
        Some(pattern) => pattern.fit(&name).or_else(|| pattern.fit(stem))?,
    };
    let has_extension =
        parts.name.to_lowercase().ends_with(&extension.to_lowercase()) && !extension.is_empty();
    let target = if has_extension { parts.name.clone() } else { format!("{}{extension}", parts.name) };
    if std::str::from_utf8(file.path.name()).is_err() {
        // A name that is no text has no versions: it stays what it is.
        return Some((file.path.clone(), Parts::default()));
    }
    let path = match pattern {
        Some(pattern) if pattern.paths => AssetPath::from_bytes(target.into_bytes()).ok()?,
        _ => parent.join(target.as_bytes()).ok()?,
    };
    Some((path, parts))
}

/// All versions on one line of time: each not before the version of the same thing that it follows.
fn in_order(mut versions: Vec<Version>) -> Vec<Step> {
    versions.sort_by(|left, right| {
        (&left.of, left.order, &left.message).cmp(&(&right.of, right.order, &right.message))
    });
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
