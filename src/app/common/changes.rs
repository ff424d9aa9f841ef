//! What would change between two states, in the form in which it is judged.

use crate::app::error::AppError;
use crate::app::review::transitions::transitions_between;
use crate::base::id::{MetadataId, TreeId};
use crate::base::monitor::Monitor;
use crate::diff::metadata::diff_metadata;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::transition::{Placed, Transition};
use crate::rules::approval::Change;

/// Everything that differs between two trees, with the metadata fields that differ.
pub fn changes_between<S: ObjectSource>(
    source: &S,
    before: TreeId,
    after: TreeId,
    monitor: &dyn Monitor,
) -> Result<Vec<Change>, AppError>
where
    AppError: From<S::Error>,
{
    let list = transitions_between(source, before, after, monitor)?;
    list.as_slice().iter().map(|transition| change_of(source, transition)).collect()
}

fn change_of<S: ObjectSource>(source: &S, transition: &Transition) -> Result<Change, AppError>
where
    AppError: From<S::Error>,
{
    let read = |side: &Option<Placed>| -> Result<Metadata, AppError> {
        let id: Option<MetadataId> = side.as_ref().and_then(|placed| placed.metadata);
        Ok(id.map_or_else(|| Ok(Metadata::default()), |id| source.metadata(id))?)
    };
    let fields = if transition.is_metadata_only() {
        let (before, after) = (read(&transition.before)?, read(&transition.after)?);
        diff_metadata(&before, &after).into_iter().map(|change| change.field).collect()
    } else {
        Vec::new()
    };
    Ok(Change { transition: transition.clone(), fields })
}
