//! `meta export` and `meta import`: what is said about assets, to and from the XMP sidecars of other programs.

use crate::app::common::field_value;
use crate::app::common::problem::ProblemLine;
use crate::app::common::schema;
use crate::app::common::target::refuse_repository;
use crate::app::error::AppError;
use crate::app::meta::{self, Change};
use crate::app::schema::show_value;
use crate::base::id::{MetadataId, TermId, TreeId};
use crate::base::local_path::LocalPath;
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::catalog::xmp::{self, Words};
use crate::media::facts::Field;
use crate::media::input::Input;
use crate::media::sniff::sniff;
use crate::media::worker::{WorkerError, Workers};
use crate::object::metadata::{FieldName, FieldValue, LABELS_FIELD, Metadata};
use crate::object::source::ObjectSource as _;
use crate::object::tree::{Content, TreeNode};
use crate::object::tree_walk::TreeWalk;
use crate::repo::{RepoError, Repository, View};
use crate::rules::schema::Schema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The end of a sidecar's name.
const END: &str = ".xmp";
/// Longest sidecar that is looked at, in bytes.
const SIDECAR_BYTES_MAX: u64 = 16 << 20;

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct ExportReport {
    /// The sidecars.
    pub written: Vec<SidecarLine>,
    /// Assets of which nothing is said.
    pub silent: u64,
    /// Sidecars that could not be written, each with its reason.
    pub problems: Vec<ProblemLine>,
}

/// A sidecar.
#[derive(Debug, Clone, Serialize)]
pub struct SidecarLine {
    /// The asset.
    pub path: AssetPath,
    /// The sidecar.
    pub sidecar: LocalPath,
}

/// What was read.
#[derive(Debug, Clone, Serialize)]
pub struct ImportReport {
    /// How many files were looked at: sidecars, and files themselves where that was asked.
    pub looked: u64,
    /// Assets of which something new is said.
    pub assets: Vec<ImportedLine>,
    /// Files that could not be read, each with its reason.
    pub problems: Vec<ProblemLine>,
}

/// What is said of an asset from now on.
#[derive(Debug, Clone, Serialize)]
pub struct ImportedLine {
    /// The asset.
    pub path: AssetPath,
    /// Fields with their values, as people write them.
    pub set: BTreeMap<FieldName, String>,
}

/// How to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportOptions {
    /// Fields that an asset has already are replaced.
    pub replace: bool,
    /// What stands in the files themselves is read too; sidecars go before it.
    pub embedded: bool,
}

struct ProjectWords<'a>(Option<&'a Schema>);

impl Words for ProjectWords<'_> {
    fn show(&self, value: &FieldValue) -> String {
        match value {
            // Ids, so that a name that changes meanwhile does no harm.
            FieldValue::Terms(_) => field_value::show(value),
            FieldValue::Set(members) => {
                let members: Vec<String> =
                    members.iter().map(|member| member.replace(',', "\u{201a}")).collect();
                members.join(", ")
            }
            other => field_value::show(other),
        }
    }

    fn parse(&self, kind: &str, text: &str) -> Option<FieldValue> {
        match kind {
            "terms" => {
                let terms: Option<BTreeSet<TermId>> = text.split(", ").map(|id| id.parse().ok()).collect();
                terms.filter(|terms| !terms.is_empty()).map(FieldValue::Terms)
            }
            "set" => match field_value::parse(kind, text).ok()? {
                FieldValue::Set(members) => Some(FieldValue::Set(
                    members.iter().map(|member| member.replace('\u{201a}', ",")).collect(),
                )),
                _ => None,
            },
            // XMP writes moments where a day is meant.
            "date" => field_value::parse(kind, text.get(..10).unwrap_or(text)).ok(),
            "moment" => None,
            _ => field_value::parse(kind, text).ok(),
        }
    }

    fn kind(&self, value: &FieldValue) -> &'static str {
        field_value::type_name(value)
    }

    fn wanted(&self, field: &FieldName) -> Option<&'static str> {
        let declared = self.0?.fields.get(field)?;
        Some(declared.kind.name())
    }

    fn term_path(&self, term: TermId) -> Option<String> {
        self.0?.term(term).map(|(vocabulary, _)| vocabulary.path_of(term))
    }

    fn find_term(&self, path: &str) -> Option<(FieldName, TermId)> {
        let schema = self.0?;
        schema.fields.keys().find_map(|name| Some((name.clone(), schema.vocabulary_of(name)?.find(path)?)))
    }
}

/// Files at or below some paths, with what is said of each now; sidecars themselves left out.
fn subjects(
    repository: &Repository,
    paths: &[AssetPath],
    monitor: &dyn Monitor,
) -> Result<(View, Vec<(AssetPath, Metadata)>), AppError> {
    let view = repository.view()?;
    let tree = match view.head()? {
        Some(head) => view.commit(head)?.tree,
        None => TreeNode::empty_id(),
    };
    let pending = view.state()?.pending.metadata;
    let found = subjects_of(&view, tree, &pending, paths, monitor)?;
    Ok((view, found))
}

/// The same of a tree, where `pending` stands in the place of what it says.
fn subjects_of(
    view: &View,
    tree: TreeId,
    pending: &BTreeMap<AssetPath, Option<MetadataId>>,
    paths: &[AssetPath],
    monitor: &dyn Monitor,
) -> Result<Vec<(AssetPath, Metadata)>, AppError> {
    monitor.phase(Phase { name: "Looking", files_total: None, bytes_total: None });
    let mut found = Vec::new();
    let mut seen = vec![false; paths.len()];
    for item in TreeWalk::new(view, tree, AssetPath::root()) {
        let (path, entry) = item.map_err(RepoError::from)?;
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        let within: Vec<usize> = (0..paths.len()).filter(|index| path.is_within(&paths[*index])).collect();
        within.iter().for_each(|index| seen[*index] = true);
        let is_file = matches!(entry.content, Content::File { .. });
        if (!paths.is_empty() && within.is_empty()) || !is_file || path.extension() == b"xmp" {
            continue;
        }
        let id = pending.get(&path).copied().unwrap_or(entry.metadata);
        found.push((path, id.map(|id| view.metadata(id)).transpose()?.unwrap_or_default()));
    }
    match seen.iter().position(|seen| !seen) {
        Some(index) => Err(AppError::NotInRevision { path: paths[index].clone() }),
        None => Ok(found),
    }
}

/// Writes sidecars: beside the files in the worktree, or below another folder.
pub fn export(
    repository: &Repository,
    paths: &[AssetPath],
    to: Option<&Path>,
    monitor: &dyn Monitor,
) -> Result<ExportReport, AppError> {
    to.map_or(Ok(()), refuse_repository)?;
    let (_, subjects) = subjects(repository, paths, monitor)?;
    let schema = schema::in_worktree(repository)?;
    let top = to.map_or_else(|| repository.root().to_owned(), Path::to_owned);
    Ok(write_all(subjects, schema.as_ref(), &top, to.is_some()))
}

/// Writes sidecars of what a commit has, by its own schema, beside files that were exported to a folder.
pub fn export_commit(
    repository: &Repository,
    tree: TreeId,
    paths: &[AssetPath],
    to: &Path,
    monitor: &dyn Monitor,
) -> Result<ExportReport, AppError> {
    let view = repository.view()?;
    let subjects = subjects_of(&view, tree, &BTreeMap::new(), paths, monitor)?;
    let schema = schema::in_tree(repository, &view, tree, monitor)?;
    Ok(write_all(subjects, schema.as_ref(), to, true))
}

/// What is said of a file, as a packet of XMP.
pub struct Said {
    /// The file.
    pub path: AssetPath,
    /// Its copy.
    pub place: PathBuf,
    /// The packet.
    pub packet: String,
}

/// What a commit says of files by its own schema, each with its place below a folder; of those of which it says
/// something.
pub fn said_of_commit(
    repository: &Repository,
    tree: TreeId,
    paths: &[AssetPath],
    to: &Path,
    monitor: &dyn Monitor,
) -> Result<Vec<Said>, AppError> {
    let view = repository.view()?;
    let subjects = subjects_of(&view, tree, &BTreeMap::new(), paths, monitor)?;
    let schema = schema::in_tree(repository, &view, tree, monitor)?;
    let words = ProjectWords(schema.as_ref());
    let said = subjects.into_iter().filter(|(_, metadata)| !metadata.is_empty());
    Ok(said
        .filter_map(|(path, metadata)| {
            Some(Said { place: local(to, &path)?, packet: xmp::write(&metadata.fields, &words), path })
        })
        .collect())
}

fn write_all(
    subjects: Vec<(AssetPath, Metadata)>,
    schema: Option<&Schema>,
    top: &Path,
    elsewhere: bool,
) -> ExportReport {
    let words = ProjectWords(schema);
    let mut report = ExportReport { written: Vec::new(), silent: 0, problems: Vec::new() };
    for (path, metadata) in subjects {
        if metadata.is_empty() {
            report.silent += 1;
            continue;
        }
        let Some(place) = local(top, &path) else {
            let message = "its name cannot be used on this system".to_owned();
            report.problems.push(ProblemLine { path, message });
            continue;
        };
        let sidecar = with_end(&place);
        match put(&sidecar, &xmp::write(&metadata.fields, &words), elsewhere) {
            Ok(()) => report.written.push(SidecarLine { path, sidecar: sidecar.into() }),
            Err(message) => report.problems.push(ProblemLine { path, message }),
        }
    }
    report
}

/// A path of the repository below a folder of the disk.
fn local(top: &Path, path: &AssetPath) -> Option<PathBuf> {
    let mut place = top.to_owned();
    for name in path.names() {
        place.push(std::str::from_utf8(name).ok()?);
    }
    Some(place)
}

/// `x.jpg.xmp`, the name that no other file's sidecar can have.
fn with_end(place: &Path) -> PathBuf {
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(END);
    place.with_file_name(name)
}

/// Writes a sidecar, unless one is there that somebody else wrote.
fn put(place: &Path, text: &str, makes_folders: bool) -> Result<(), String> {
    match std::fs::symlink_metadata(place) {
        Ok(found) if !found.is_file() => return Err(format!("{} is no file", place.display())),
        Ok(found) if found.len() > SIDECAR_BYTES_MAX => {
            return Err("the sidecar there is too long".to_owned());
        }
        Ok(_) => {
            let before = std::fs::read(place).map_err(|error| error.to_string())?;
            if !xmp::is_own(&String::from_utf8_lossy(&before)) {
                return Err("another program's sidecar is there; `pent meta import` takes over what it says"
                    .to_owned());
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.to_string()),
    }
    let folder = place.parent().unwrap_or(Path::new("."));
    if makes_folders {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    let mut beside = place.file_name().unwrap_or_default().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = folder.join(beside);
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, place));
    if written.is_err() {
        // The first error says what went wrong.
        let _ = std::fs::remove_file(&beside);
    }
    written.map_err(|error| error.to_string())
}

/// Takes over what sidecars, and files themselves where that is asked, say of assets.
pub fn import(
    repository: &Repository,
    paths: &[AssetPath],
    options: ImportOptions,
    workers: &Workers,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<ImportReport, AppError> {
    let (_, subjects) = subjects(repository, paths, monitor)?;
    let schema = schema::in_worktree(repository)?;
    let words = ProjectWords(schema.as_ref());
    let mut report = ImportReport { looked: 0, assets: Vec::new(), problems: Vec::new() };
    for (path, has) in subjects {
        let Some(place) = local(repository.root(), &path) else { continue };
        let mut properties = BTreeMap::new();
        // The first that says something of a property holds.
        let mut sources = vec![with_end(&place), place.with_extension("xmp")];
        if options.embedded {
            sources.push(place);
        }
        for source in sources {
            match properties_of(&source, workers) {
                Ok(Some(found)) => {
                    report.looked += 1;
                    found.into_iter().for_each(|(name, values)| {
                        properties.entry(name).or_insert(values);
                    });
                }
                Ok(None) => {}
                Err(ReadFault::Program(WorkerError::Stopped)) => return Err(AppError::Cancelled),
                Err(ReadFault::Program(error)) => return Err(AppError::Decoder { path, source: error }),
                Err(ReadFault::File(message)) => {
                    report.problems.push(ProblemLine { path: path.clone(), message });
                }
            }
        }
        let changes = changes(&has, xmp::read(&properties, &words), options.replace);
        if changes.is_empty() {
            continue;
        }
        let set =
            changes.iter().map(|(name, value)| (name.clone(), show_value(schema.as_ref(), value))).collect();
        let changes: Vec<Change> =
            changes.into_iter().map(|(name, value)| Change::Put { name, value }).collect();
        meta::change(repository, std::slice::from_ref(&path), &changes, &|_| true, clock, monitor)?;
        report.assets.push(ImportedLine { path, set });
    }
    Ok(report)
}

/// What of the fields that were read is new. Labels come to those that are there.
fn changes(
    has: &Metadata,
    read: BTreeMap<FieldName, FieldValue>,
    replace: bool,
) -> BTreeMap<FieldName, FieldValue> {
    let mut changes = BTreeMap::new();
    for (name, value) in read {
        let value = match (name.as_str(), value) {
            (LABELS_FIELD, FieldValue::Set(mut labels)) => {
                if !replace {
                    labels.extend(has.labels());
                }
                FieldValue::Set(labels)
            }
            (LABELS_FIELD, _) => continue,
            (_, value) => value,
        };
        let is_free = replace || name.as_str() == LABELS_FIELD || !has.fields.contains_key(&name);
        if is_free && has.fields.get(&name) != Some(&value) {
            changes.insert(name, value);
        }
    }
    changes
}

enum ReadFault {
    /// The decoder could not be started.
    Program(WorkerError),
    /// The file cannot be read.
    File(String),
}

/// The properties of XMP that a file has; `None` when it is not there.
fn properties_of(
    place: &Path,
    workers: &Workers,
) -> Result<Option<BTreeMap<String, Vec<String>>>, ReadFault> {
    let fault = |error: std::io::Error| ReadFault::File(error.to_string());
    match std::fs::symlink_metadata(place) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(fault(error)),
    }
    let mut file = File::open(place).map_err(fault)?;
    let name = place.file_name().unwrap_or_default().as_encoded_bytes();
    let format = {
        let mut input = Input::new(&mut file).map_err(fault)?;
        let format = sniff(&mut input, name).map_err(fault)?;
        input.rewound().map_err(fault)?;
        format
    };
    let facts = match workers.facts(file, format) {
        Ok(facts) => facts,
        Err(error @ (WorkerError::Start(_) | WorkerError::Stopped)) => return Err(ReadFault::Program(error)),
        Err(error) => return Err(ReadFault::File(error.to_string())),
    };
    let mut properties: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for field in facts.embedded.iter().filter(|field| field.group == "xmp") {
        properties.entry(field.name.clone()).or_default().extend(values(field));
    }
    Ok(Some(properties))
}

/// The values of a field: the members of a list, or the one.
fn values(field: &Field) -> Vec<String> {
    field.members().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCHEMA: &str = r#"version = 1
[fields.subject]
type = "terms"
vocabulary = "subjects"
[fields.place]
type = "terms"
vocabulary = "subjects"
[vocabularies.subjects]
terms = [
    { key = "places", name = "Places" },
    { key = "harbour", name = "Harbour, old", under = "places" },
    { key = "night", name = "Night" },
]
"#;

    fn schema() -> Schema {
        Schema::parse(SCHEMA).expect("a schema")
    }

    fn term(key: &str) -> TermId {
        let schema = schema();
        let terms = &schema.vocabularies["subjects"].terms;
        *terms.iter().find(|(_, term)| term.key == key).expect("a term").0
    }

    /// The properties that a reader finds in a sidecar.
    fn properties(sidecar: &str) -> BTreeMap<String, Vec<String>> {
        let read = crate::media::embedded::xmp::read(sidecar.as_bytes()).expect("well-formed");
        let mut properties: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for field in &read {
            properties.entry(field.name.clone()).or_default().extend(values(field));
        }
        properties
    }

    fn value() -> impl Strategy<Value = FieldValue> {
        let text = prop_oneof![
            "[ -~]{0,12}",
            "[a-z ,;%|/&<\"\n\t\u{a0}\u{201a}é港]{1,20}",
            "\\PC{1,30}",
            Just(format!("{}\u{2003} é%,{}", "long ".repeat(700), "end ".repeat(300))),
        ];
        let terms = prop::sample::subsequence(vec!["places", "harbour", "night"], 1..3);
        prop_oneof![
            text.clone().prop_map(FieldValue::Text),
            any::<i64>().prop_map(FieldValue::Integer),
            (any::<i32>(), 1u8..18).prop_map(|(number, scale)| FieldValue::Decimal {
                // No digit too many: a decimal has one form.
                mantissa: i64::from(number) * 10 + 1,
                scale,
            }),
            any::<bool>().prop_map(FieldValue::Boolean),
            (-700_000i32..2_900_000).prop_map(FieldValue::Date),
            (-60_000_000_000_000i64..200_000_000_000_000).prop_map(FieldValue::Moment),
            prop::collection::btree_set(text, 1..5).prop_map(FieldValue::Set),
            terms.prop_map(|keys| FieldValue::Terms(keys.into_iter().map(term).collect())),
        ]
    }

    fn described() -> impl Strategy<Value = Metadata> {
        let names: Vec<&str> =
            xmp::standard_fields().chain(["subject", "place", "price", "my-own"]).collect();
        prop::collection::btree_map(prop::sample::select(names), value(), 1..6).prop_map(|fields| {
            let fields =
                fields.into_iter().map(|(name, value)| (FieldName::new(name).expect("a name"), value));
            // Labels are a set, whoever writes them.
            let fields = fields
                .filter(|(name, value)| name.as_str() != LABELS_FIELD || matches!(value, FieldValue::Set(_)));
            Metadata { fields: fields.collect() }
        })
    }

    proptest! {
        /// Whoever writes a sidecar and takes back what it says has changed nothing, with a schema and without.
        #[test]
        fn what_is_exported_changes_nothing_when_it_comes_back(metadata in described()) {
            let schema = schema();
            for words in [ProjectWords(None), ProjectWords(Some(&schema))] {
                let properties = properties(&xmp::write(&metadata.fields, &words));
                let changes = changes(&metadata, xmp::read(&properties, &words), true);
                prop_assert_eq!(changes, BTreeMap::new());
            }
        }
    }

    #[test]
    fn what_a_stranger_changes_of_a_set_or_of_terms_is_taken_over_alone() {
        let schema = schema();
        let words = ProjectWords(Some(&schema));
        let name = |name: &str| FieldName::new(name).expect("a name");
        let set = |members: &[&str]| FieldValue::Set(members.iter().map(ToString::to_string).collect());
        let terms = |keys: &[&str]| FieldValue::Terms(keys.iter().map(|key| term(key)).collect());
        let fields = BTreeMap::from([
            (name("city"), set(&["Bremen", "Kiel"])),
            (name("subject"), terms(&["harbour", "night"])),
            (name("place"), terms(&["harbour"])),
        ]);
        let mut stranger = properties(&xmp::write(&fields, &words));
        assert_eq!(stranger["photoshop:City"], ["Bremen; Kiel"], "other programs see both");
        stranger.insert("photoshop:City".to_owned(), vec!["Bremen; Kiel; Oslo".to_owned()]);
        let paths = vec!["Places|Harbour, old".to_owned(), "Places".to_owned()];
        stranger.insert("lr:hierarchicalSubject".to_owned(), paths);
        let read = xmp::read(&stranger, &words);
        assert_eq!(read[&name("city")], set(&["Bremen", "Kiel", "Oslo"]));
        assert_eq!(read[&name("place")], terms(&["harbour", "places"]), "the first field of that vocabulary");
        assert_eq!(read[&name("subject")], terms(&["harbour"]), "night was taken out");
    }
}
