//! Merges the metadata of one asset, field by field and sets member by member.

use crate::diff::merge::{Choice, choose};
use crate::object::metadata::{FieldName, FieldValue, Metadata, TermId};
use std::collections::BTreeSet;

/// The outcome of merging metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataMerge {
    /// The merged fields; where both sides set one differently, ours.
    pub metadata: Metadata,
    /// The fields that both sides set differently.
    pub conflicts: Vec<FieldName>,
}

/// Merges three states of one asset's metadata.
///
/// Sets take what either side added and lose what either side removed; they never conflict. Other
/// fields go as wholes.
pub fn merge_metadata(base: &Metadata, ours: &Metadata, theirs: &Metadata) -> MetadataMerge {
    let mut merge = MetadataMerge { metadata: Metadata::default(), conflicts: Vec::new() };
    let names: BTreeSet<&FieldName> = ours.fields.keys().chain(theirs.fields.keys()).collect();
    for name in names {
        let sides = (base.fields.get(name), ours.fields.get(name), theirs.fields.get(name));
        let value = match merge_sets(sides.0, sides.1, sides.2) {
            Some(merged) => merged,
            None => match choose(&sides.0, &sides.1, &sides.2) {
                Choice::Ours => sides.1.cloned(),
                Choice::Theirs => sides.2.cloned(),
                Choice::Conflict => {
                    merge.conflicts.push(name.clone());
                    sides.1.cloned()
                }
            },
        };
        if let Some(value) = value {
            merge.metadata.fields.insert(name.clone(), value);
        }
    }
    merge
}

/// Merges a field that is a set on both sides, or on one and missing on the other. `None` when it is
/// no such field, `Some(None)` when no member is left.
fn merge_sets(
    base: Option<&FieldValue>,
    ours: Option<&FieldValue>,
    theirs: Option<&FieldValue>,
) -> Option<Option<FieldValue>> {
    use FieldValue::{Set, Terms};
    // A missing set is one without members; a base of another type had none that count.
    match (ours, theirs) {
        (Some(Set(_)) | None, Some(Set(_)) | None) => {
            let members = merge_members(texts_of(base), texts_of(ours), texts_of(theirs));
            Some((!members.is_empty()).then_some(Set(members)))
        }
        (Some(Terms(_)) | None, Some(Terms(_)) | None) => {
            let members = merge_members(terms_of(base), terms_of(ours), terms_of(theirs));
            Some((!members.is_empty()).then_some(Terms(members)))
        }
        _ => None,
    }
}

fn texts_of(value: Option<&FieldValue>) -> &BTreeSet<String> {
    static NONE: BTreeSet<String> = BTreeSet::new();
    if let Some(FieldValue::Set(members)) = value { members } else { &NONE }
}

fn terms_of(value: Option<&FieldValue>) -> &BTreeSet<TermId> {
    static NONE: BTreeSet<TermId> = BTreeSet::new();
    if let Some(FieldValue::Terms(members)) = value { members } else { &NONE }
}

fn merge_members<T: Ord + Clone>(
    base: &BTreeSet<T>,
    ours: &BTreeSet<T>,
    theirs: &BTreeSet<T>,
) -> BTreeSet<T> {
    let either = ours | theirs;
    either
        .into_iter()
        .filter(|member| !base.contains(member) || (ours.contains(member) && theirs.contains(member)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> FieldName {
        FieldName::new(text).expect("a valid name")
    }

    fn labelled(list: &[&str]) -> Metadata {
        let mut metadata = Metadata::default();
        metadata.set_labels(list.iter().map(|text| (*text).to_owned()).collect());
        metadata
    }

    #[test]
    fn labels_merge_as_a_set() {
        let merge =
            merge_metadata(&labelled(&["a", "b"]), &labelled(&["b", "c"]), &labelled(&["a", "b", "d"]));
        assert_eq!(merge, MetadataMerge { metadata: labelled(&["b", "c", "d"]), conflicts: vec![] });
        let emptied = merge_metadata(&labelled(&["a"]), &labelled(&[]), &labelled(&["a"]));
        assert!(emptied.metadata.is_empty());
    }

    #[test]
    fn a_field_that_both_sides_set_differently_is_named_and_ours_stays() {
        let titled = |text: &str| {
            let mut metadata = labelled(&["x"]);
            metadata.fields.insert(name("title"), FieldValue::Text(text.into()));
            metadata
        };
        let merge = merge_metadata(&titled("Sea"), &titled("Harbour"), &titled("Port"));
        assert_eq!(merge, MetadataMerge { metadata: titled("Harbour"), conflicts: vec![name("title")] });
        assert_eq!(merge_metadata(&titled("Sea"), &titled("Sea"), &titled("Port")).metadata, titled("Port"));
        let unset = merge_metadata(&titled("Sea"), &labelled(&["x"]), &titled("Port"));
        assert_eq!(unset, MetadataMerge { metadata: labelled(&["x"]), conflicts: vec![name("title")] });
    }

    fn any_metadata() -> impl Strategy<Value = Metadata> {
        let value = prop_oneof![
            (0i64..3).prop_map(FieldValue::Integer),
            prop::collection::btree_set("[abc]", 1..3).prop_map(FieldValue::Set),
        ];
        prop::collection::btree_map(prop::sample::select(vec!["labels", "title", "x"]), value, 0..3).prop_map(
            |fields| Metadata { fields: fields.into_iter().map(|(at, value)| (name(at), value)).collect() },
        )
    }

    proptest! {
        #[test]
        fn one_changed_side_wins_and_equal_sides_agree(base in any_metadata(), side in any_metadata()) {
            let agreed = MetadataMerge { metadata: side.clone(), conflicts: vec![] };
            prop_assert_eq!(merge_metadata(&base, &side, &base), agreed.clone());
            prop_assert_eq!(merge_metadata(&base, &base, &side), agreed.clone());
            prop_assert_eq!(merge_metadata(&base, &side, &side), agreed);
        }

        #[test]
        fn without_conflict_the_order_of_the_sides_does_not_matter(
            base in any_metadata(), ours in any_metadata(), theirs in any_metadata()
        ) {
            let (one, other) = (merge_metadata(&base, &ours, &theirs), merge_metadata(&base, &theirs, &ours));
            prop_assert_eq!(&one.conflicts, &other.conflicts);
            if one.conflicts.is_empty() {
                prop_assert_eq!(one.metadata, other.metadata);
            }
        }
    }
}
