//! Fuzz targets of the records of care.

use crate::base::fuzz::{Target, Verdict, canonical};
use crate::base::id::ChunkId;
use crate::care::condemned::{self, Kind};

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("care: key of what nothing reached", &["care/condemned.rs"], key_seeds, |bytes| {
        let Some((kind, id)) = condemned::decode_key(bytes) else { return Verdict::Refused };
        let _ = (kind.space(), condemned::pack_of(id));
        canonical(Ok::<_, ()>(kind), |kind| kind.key(id))
    }),
    Target::new("care: moment", &["care/condemned.rs"], moment_seeds, |bytes| {
        canonical(condemned::decode_moment(bytes).ok_or(()), |moment| {
            condemned::encode_moment(*moment).to_vec()
        })
    }),
];

fn key_seeds() -> Vec<Vec<u8>> {
    Kind::ALL.map(|kind| kind.key(ChunkId::of(b"x").as_bytes())).to_vec()
}

fn moment_seeds() -> Vec<Vec<u8>> {
    vec![condemned::encode_moment(1_772_381_999_000).to_vec()]
}
