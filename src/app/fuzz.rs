//! Fuzz targets of what people write on the command line.

use crate::app::common::field_value::{self, TYPES};
use crate::base::fuzz::{Target, Verdict};
use crate::object::metadata::{FieldName, Metadata};

/// All of them.
pub const TARGETS: &[Target] =
    &[Target::new("app: value of a field", &["app/common/field_value.rs"], value_seeds, run_value)];

fn value_seeds() -> Vec<Vec<u8>> {
    TYPES.iter().map(|(_, example)| example.as_bytes().to_vec()).collect()
}

/// A value of each type that the text fits: it can be shown, stored, and read from what is shown.
fn run_value(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
    let mut understood = false;
    for (kind, _) in TYPES {
        let Ok(value) = field_value::parse(kind, text) else { continue };
        understood = true;
        let shown = field_value::show(&value);
        if field_value::parse(field_value::type_name(&value), &shown).ok().as_ref() != Some(&value) {
            return Verdict::Wrong(format!("{value:?} is shown as {shown:?}, which is another value"));
        }
        let Ok(name) = FieldName::new("field") else { return Verdict::Refused };
        let metadata = Metadata { fields: [(name, value)].into() };
        if Metadata::decode(&metadata.encode()).ok().as_ref() != Some(&metadata) {
            return Verdict::Wrong(format!("{metadata:?} does not come back from its bytes"));
        }
    }
    if understood { Verdict::Understood } else { Verdict::Refused }
}
