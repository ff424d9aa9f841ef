//! What an asset says about itself, put together from the repository and from what decoders found.

use crate::app::common::field_value;
use crate::app::error::AppError;
use crate::app::search::authorship::Made;
use crate::app::search::read::key_of;
use crate::base::id::{AssetId, PersonId};
use crate::base::path::AssetPath;
use crate::catalog::findings::{Finding, Findings};
use crate::catalog::index::Group;
use crate::catalog::query::Place;
use crate::catalog::record::{Facet, Record, UNREAD};
use crate::media::format::{FORMATS, Family, OPAQUE};
use crate::object::metadata::{FieldValue, LABELS_FIELD};
use crate::object::source::ObjectSource as _;
use crate::object::tree::Content;
use crate::object::tree_edit::EntryValue;
use crate::repo::people::Person;
use crate::repo::{RepoError, View};
use crate::rules::schema::Schema;
use std::collections::HashMap;

/// Most comments of one asset that are found.
const COMMENTS_MAX: usize = 1_000;

/// Comments by the asset that they are about.
pub type Comments = HashMap<AssetId, Vec<String>>;

/// Puts records together.
pub struct RecordMaker<'a> {
    view: &'a View,
    findings: Option<&'a Findings>,
    comments: &'a Comments,
    people: HashMap<PersonId, Option<Person>>,
    schema: Option<&'a Schema>,
}

impl<'a> RecordMaker<'a> {
    /// From one state of the repository.
    pub fn new(view: &'a View, findings: Option<&'a Findings>, comments: &'a Comments) -> Self {
        Self { view, findings, comments, people: HashMap::new(), schema: None }
    }

    /// The same, with a schema that knows what terms are called.
    pub fn with_schema(mut self, schema: Option<&'a Schema>) -> Self {
        self.schema = schema;
        self
    }

    /// The record of what stands at a path.
    pub fn make(
        &mut self,
        group: &Group,
        path: &AssetPath,
        value: &EntryValue,
        made: Made,
    ) -> Result<Record, AppError> {
        let mut record = Record::new(path.clone(), &group.scope, made.commit, made.time.unix_ms);
        for name in &group.names {
            record.tag("on", name);
            record.count(Facet::On, name);
        }
        self.author(&mut record, made.author)?;
        if let Some(asset) = value.asset {
            record.tag("asset", &asset.to_string());
            if let Some(comments) = self.comments.get(&asset) {
                record.comments = mark_of(comments);
                record.tag("has", "comment");
                comments.iter().take(COMMENTS_MAX).for_each(|words| record.say(Place::Comment, words));
            }
        }
        if let Some(id) = value.metadata {
            for (name, field) in &self.view.metadata(id)?.fields {
                metadata(&mut record, name.as_str(), field);
                if let (Some(schema), FieldValue::Terms(terms)) = (self.schema, field) {
                    // What is about a harbour is about a place: the terms above are found too.
                    for (vocabulary, id) in terms.iter().filter_map(|id| Some((schema.term(*id)?.0, *id))) {
                        record.say_field(name.as_str(), &vocabulary.path_of(id));
                    }
                }
            }
        }
        self.content(&mut record, &value.content)?;
        Ok(record)
    }

    fn author(&mut self, record: &mut Record, id: PersonId) -> Result<(), AppError> {
        record.tag("by", &id.to_string());
        let person = match self.people.get(&id) {
            Some(person) => person.clone(),
            None => {
                let person = self.view.person(id)?;
                self.people.insert(id, person.clone());
                person
            }
        };
        let Some(person) = person else { return Ok(()) };
        record.tag("by", &person.name);
        person.name.split_whitespace().for_each(|word| record.tag("by", word));
        record.tag("by", &person.email);
        if let Some((name, _)) = person.email.split_once('@') {
            record.tag("by", name);
        }
        record.count(Facet::By, &person.name);
        Ok(())
    }

    fn content(&self, record: &mut Record, content: &Content) -> Result<(), AppError> {
        let kind = match content {
            Content::File { .. } => None,
            Content::Directory { .. } => Some("folder"),
            Content::Symlink { .. } => Some("link"),
            Content::Foreign { .. } => Some("foreign"),
        };
        if let Some(size) = content.size() {
            record.number("size", size as f64);
        }
        if let Some(file) = content.file_id() {
            record.tag("file", &file.to_string());
        }
        if let Some(kind) = kind {
            record.tag("type", kind);
            record.count(Facet::Type, kind);
            return Ok(());
        }
        if let Some(file) = content.file_id()
            && (self.view.is_erased(file)? || self.view.is_excused(file)?)
        {
            by_name(record);
            return Ok(());
        }
        let known = match (self.findings, content.file_id()) {
            (Some(findings), Some(file)) => findings.get(key_of(file, record.path.name()))?,
            _ => None,
        };
        match known {
            Some(finding) => found(record, &finding),
            None => {
                record.tags.insert((UNREAD.0.to_owned(), UNREAD.1.to_owned()));
                by_name(record);
            }
        }
        Ok(())
    }
}

/// A mark that is another when the comments are others; never 0.
pub fn mark_of(comments: &[String]) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key("pentimento catalog comments v1");
    for words in comments {
        hasher.update(&(words.len() as u64).to_le_bytes()).update(words.as_bytes());
    }
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes).max(1)
}

fn metadata(record: &mut Record, name: &str, value: &FieldValue) {
    record.tag("has", name);
    if name == LABELS_FIELD {
        if let FieldValue::Set(labels) = value {
            record.tag("has", "label");
            for label in labels {
                record.tag("label", label);
                record.count(Facet::Label, label);
                record.say_field("label", label);
            }
        }
        return;
    }
    match value {
        FieldValue::Set(members) => members.iter().for_each(|member| record.say_field(name, member)),
        FieldValue::Terms(_) => {}
        other => record.say_field(name, &field_value::show(other)),
    }
    match value {
        FieldValue::Integer(number) => record.number(name, *number as f64),
        FieldValue::Decimal { mantissa, scale } => {
            record.number(name, *mantissa as f64 / 10f64.powi(i32::from(*scale)));
        }
        FieldValue::Date(days) => record.date(name, f64::from(*days) * 86_400_000.0),
        FieldValue::Moment(unix_ms) => record.date(name, *unix_ms as f64),
        FieldValue::Text(_) | FieldValue::Boolean(_) | FieldValue::Set(_) | FieldValue::Terms(_) => {}
    }
}

/// What the name alone lets one guess, until somebody has looked.
fn by_name(record: &mut Record) {
    let extension = String::from_utf8_lossy(&record.path.extension()).into_owned();
    record.tag("type", &extension);
    let format = FORMATS.iter().find(|format| format.extensions.contains(&extension.as_str()));
    if let Some(format) = format {
        record.tag("type", format.id);
        record.tag("type", &family_name(format.family));
    }
    record.count(Facet::Type, format.map_or(extension.as_str(), |format| format.id));
}

/// A family as queries name it.
pub fn family_name(family: crate::media::format::Family) -> String {
    let name = serde_json::to_value(family).ok();
    name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Whether the end of a name says of a file what it is: one that its format usually has, or that no known
/// format has. Texts are told apart by nothing but their names; of bytes of an unknown kind the name is all
/// that there is.
fn end_fits(end: &str, finding: &Finding) -> bool {
    let of_end: Vec<_> = FORMATS.iter().filter(|format| format.extensions.contains(&end)).collect();
    let is_text = finding.family == Family::Text.name();
    finding.format == OPAQUE.id
        || of_end.is_empty()
        || of_end
            .iter()
            .any(|format| format.id == finding.format || (is_text && format.family == Family::Text))
}

fn found(record: &mut Record, finding: &Finding) {
    record.tag("type", &finding.format);
    record.tag("type", &finding.family);
    let end = String::from_utf8_lossy(&record.path.extension()).into_owned();
    if end_fits(&end, finding) {
        record.tag("type", &end);
    }
    record.count(Facet::Type, &finding.format);
    if let Some((width, height)) = finding.size {
        record.number("width", width as f64);
        record.number("height", height as f64);
        let shape = match width.cmp(&height) {
            std::cmp::Ordering::Greater => "landscape",
            std::cmp::Ordering::Less => "portrait",
            std::cmp::Ordering::Equal => "square",
        };
        record.tag("shape", shape);
    }
    if let Some(colour) = &finding.colour {
        record.tag("color", colour);
    }
    if finding.alpha {
        record.tag("has", "alpha");
    }
    let numbers = [
        ("length", finding.seconds),
        ("pages", finding.pages.map(|pages| pages as f64)),
        ("layers", finding.layer_count.map(|layers| layers as f64)),
    ];
    for (key, number) in numbers {
        if let Some(number) = number {
            record.number(key, number);
        }
    }
    finding.layers.iter().for_each(|layer| record.say_field("layer", layer));
    finding.fonts.iter().for_each(|font| record.say_field("font", font));
    for (name, value) in &finding.fields {
        record.tag("has", name);
        record.say_field(name, value);
        if let Ok(number) = value.parse() {
            record.number(name, number);
        }
    }
    if !finding.text.is_empty() {
        record.tag("has", "text");
        record.say(Place::Text, &finding.text);
    }
}

/// The metadata fields that are in use in a tree, for questions that no index answers.
pub fn fields_of(
    view: &View,
    entries: impl IntoIterator<Item = EntryValue>,
) -> Result<std::collections::BTreeSet<String>, RepoError> {
    let (mut seen, mut names) = (std::collections::HashSet::new(), std::collections::BTreeSet::new());
    for id in entries.into_iter().filter_map(|value| value.metadata) {
        if seen.insert(id) {
            names.extend(view.metadata(id)?.fields.keys().map(|name| name.as_str().to_owned()));
        }
    }
    Ok(names)
}
