//! Fuzz targets of what a server keeps.

use crate::app::serve::tokens::{Token, decode};
use crate::base::fuzz::{Target, json_record};

/// All of them.
pub const TARGETS: &[Target] = &[Target::new("app: token", &["app/serve/tokens.rs"], seeds, |bytes| {
    if decode(bytes).is_none() {
        return crate::base::fuzz::Verdict::Refused;
    }
    json_record::<Token>(bytes)
})];

fn seeds() -> Vec<Vec<u8>> {
    vec![
        br#"{"id":"0011223344556677","hash":"00","note":"x","repositories":["brand"],"may":["read","push"],"made_ms":1,"until_ms":2}"#
            .to_vec(),
    ]
}
