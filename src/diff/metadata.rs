//! Compares the metadata of an asset field by field, sets member by member.

use crate::object::metadata::{FieldName, FieldValue, Metadata, TermId};
use serde::Serialize;
use std::collections::BTreeSet;

/// What happened to one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    /// Which field.
    pub field: FieldName,
    /// What happened.
    #[serde(flatten)]
    pub change: FieldChangeKind,
}

/// The ways in which a field changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum FieldChangeKind {
    /// It was not set before.
    Set { after: FieldValue },
    /// It is set no more.
    Unset { before: FieldValue },
    /// It has another value.
    Changed { before: FieldValue, after: FieldValue },
    /// Texts came to a set or left it.
    Members { added: BTreeSet<String>, removed: BTreeSet<String> },
    /// Vocabulary terms came to a set or left it.
    Terms { added: BTreeSet<TermId>, removed: BTreeSet<TermId> },
}

/// Finds the fields that differ, by name.
pub fn diff_metadata(before: &Metadata, after: &Metadata) -> Vec<FieldChange> {
    let names: BTreeSet<&FieldName> = before.fields.keys().chain(after.fields.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let change = diff_field(before.fields.get(name), after.fields.get(name))?;
            Some(FieldChange { field: name.clone(), change })
        })
        .collect()
}

fn diff_field(before: Option<&FieldValue>, after: Option<&FieldValue>) -> Option<FieldChangeKind> {
    use FieldValue::{Set, Terms};
    let (texts, terms) = (BTreeSet::new(), BTreeSet::new());
    Some(match (before, after) {
        (before, after) if before == after => return None,
        // A set that is not there is a set without members.
        (Some(Set(before)), Some(Set(after))) => members(before, after),
        (None, Some(Set(after))) => members(&texts, after),
        (Some(Set(before)), None) => members(before, &texts),
        (Some(Terms(before)), Some(Terms(after))) => term_members(before, after),
        (None, Some(Terms(after))) => term_members(&terms, after),
        (Some(Terms(before)), None) => term_members(before, &terms),
        (None, Some(after)) => FieldChangeKind::Set { after: after.clone() },
        (Some(before), None) => FieldChangeKind::Unset { before: before.clone() },
        (Some(before), Some(after)) => {
            FieldChangeKind::Changed { before: before.clone(), after: after.clone() }
        }
        (None, None) => return None,
    })
}

fn members(before: &BTreeSet<String>, after: &BTreeSet<String>) -> FieldChangeKind {
    FieldChangeKind::Members { added: after - before, removed: before - after }
}

fn term_members(before: &BTreeSet<TermId>, after: &BTreeSet<TermId>) -> FieldChangeKind {
    FieldChangeKind::Terms { added: after - before, removed: before - after }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FieldName {
        FieldName::new(text).expect("a valid name")
    }

    fn labels(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn each_field_is_told_by_itself_and_sets_by_their_members() {
        let (mut before, mut after) = (Metadata::default(), Metadata::default());
        before.set_labels(labels(&["draft", "spring"]));
        after.set_labels(labels(&["approved", "spring"]));
        before.fields.insert(name("title"), FieldValue::Text("Sea".into()));
        after.fields.insert(name("title"), FieldValue::Text("Harbour".into()));
        before.fields.insert(name("gone"), FieldValue::Boolean(true));
        after.fields.insert(name("new"), FieldValue::Integer(1));
        after
            .fields
            .insert(name("subject"), FieldValue::Terms(BTreeSet::from([TermId::from_bytes([1; 16])])));
        let changes = diff_metadata(&before, &after);
        let json = serde_json::to_value(&changes).expect("serialisable");
        assert_eq!(json[0]["change"], "unset");
        assert_eq!(
            json[1],
            serde_json::json!({
                "field": "labels", "change": "members", "added": ["approved"], "removed": ["draft"]
            })
        );
        assert_eq!(json[2]["change"], "set");
        assert_eq!(json[3]["change"], "terms");
        assert_eq!(
            json[4],
            serde_json::json!({
                "field": "title", "change": "changed",
                "before": {"type": "text", "value": "Sea"}, "after": {"type": "text", "value": "Harbour"}
            })
        );
        assert_eq!(changes.len(), 5);
    }

    #[test]
    fn equal_metadata_has_no_change() {
        let mut metadata = Metadata::default();
        metadata.set_labels(labels(&["x"]));
        assert_eq!(diff_metadata(&metadata, &metadata.clone()), vec![]);
    }
}
