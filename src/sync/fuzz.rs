//! Fuzz targets of what comes from other repositories.

use crate::base::fuzz::{Numbers, Target, Verdict, canonical, json_record};
use crate::base::id::{PolicyId, RepositoryId};
use crate::object::ObjectKind;
use crate::object::hash_object;
use crate::object::metadata::Metadata;
use crate::object::policy_link::{PolicyLink, Signed};
use crate::object::tree::TreeNode;
use crate::sync::address::Address;
use crate::sync::bundle::{BundleBuilder, decode_person, decode_proposal, open_bundle};
use crate::sync::incoming;
use crate::sync::keep;
use crate::sync::origins;
use crate::sync::push;
use crate::sync::remote::{Kind, ObjectKey};
use crate::sync::tracking::RemoteRecord;
use std::path::Path;

/// All of them.
pub const TARGETS: &[Target] = &[
    // What a frame says that it holds bounds what is unpacked: 16 MiB and some.
    Target::new("sync: bundle", &["sync/bundle.rs"], bundle_seeds, run_bundle)
        .mended_by(mend_bundle)
        .with_memory(64 << 20),
    Target::new("sync: person", &["sync/bundle.rs"], person_seeds, |bytes| {
        if decode_person(bytes).is_some() { Verdict::Understood } else { Verdict::Refused }
    }),
    Target::new("sync: proposed policy", &["sync/bundle.rs"], proposal_seeds, |bytes| {
        let read = decode_proposal(bytes);
        canonical(read, |(_, signed)| serde_json::to_vec(signed).unwrap_or_default())
    })
    .with_memory(1 << 20),
    Target::new("sync: note of a parcel", &["sync/push/records.rs"], push::fuzz_seeds, push::fuzz_run)
        .mended_by(mend_note),
    Target::new("sync: what imports left", &["sync/origins.rs"], origins::fuzz_seeds, origins::fuzz_run),
    Target::new(
        "sync: chunks of a pack that was put",
        &["sync/incoming.rs"],
        incoming::fuzz_seeds,
        incoming::fuzz_run,
    ),
    Target::new("sync: keep", &["sync/keep.rs"], keep::fuzz_seeds, keep::fuzz_run).mended_by(|bytes| {
        let end = bytes.len().saturating_sub(32);
        let (body, sum) = bytes.split_at_mut(end);
        if sum.len() == 32 {
            sum.copy_from_slice(&blake3::derive_key("pentimento keep v1", body));
        }
    }),
    Target::new("sync: remote", &["sync/tracking.rs"], remote_seeds, json_record::<RemoteRecord>),
    Target::new("sync: address", &["sync/address.rs"], address_seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let Ok(address) = Address::parse(text, Path::new("/studio")) else { return Verdict::Refused };
        match address.to_string().parse::<Address>() {
            Ok(again) if again == address => Verdict::Understood,
            other => Verdict::Wrong(format!("{address:?} reads back as {other:?}")),
        }
    }),
];

fn bundle_seeds() -> Vec<Vec<u8>> {
    let one = |seed| {
        let numbers = &mut Numbers::new(seed);
        let mut builder = BundleBuilder::default();
        let tree = TreeNode::Leaf(Vec::new()).encode();
        let objects = [
            (Kind::Tree, ObjectKind::Tree, tree),
            (Kind::Metadata, ObjectKind::Metadata, Metadata::default().encode()),
        ];
        for (kind, object, bytes) in objects.iter().cycle().take(1 + numbers.below(5)) {
            let key = ObjectKey { kind: *kind, id: hash_object(*object, bytes) };
            // Both are short.
            let _ = builder.push(key, bytes);
        }
        builder.finish(&[0; 16]).map(|parcel| parcel.bytes).unwrap_or_default()
    };
    (0..8).map(one).collect()
}

/// Puts the checksum of every frame right.
fn mend_bundle(bytes: &mut [u8]) {
    let mut at = 16;
    while let Some(header) = bytes.get(at..at + 20) {
        let stored = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let Some(packed) = bytes.get(at + 20..).and_then(|rest| rest.get(..stored)) else { return };
        let sum = blake3::hash(packed);
        bytes[at + 12..at + 20].copy_from_slice(&sum.as_bytes()[..8]);
        at += 20 + stored;
    }
}

fn run_bundle(bytes: &[u8]) -> Verdict {
    let mut objects = 0u64;
    let opened = open_bundle(bytes, &mut |received, _, _| {
        objects += u64::from(!received.bytes.is_empty());
        Ok(())
    });
    match opened {
        Ok(()) if objects > 0 => Verdict::Understood,
        _ => Verdict::Refused,
    }
}

fn person_seeds() -> Vec<Vec<u8>> {
    vec![[[7u8; 16].as_slice(), br#"{"name":"Anna","email":"a@example.org"}"#].concat()]
}

fn proposal_seeds() -> Vec<Vec<u8>> {
    let link = PolicyLink {
        repository: RepositoryId::from_bytes([1; 16]),
        number: 2,
        parents: vec![PolicyId::from_bytes([2; 32])],
        starts: std::collections::BTreeMap::new(),
        made_ms: 5,
        reason: "a second editor".into(),
        policy: "version = 1\n".into(),
    };
    let signed = Signed::unsigned(link.encode().unwrap_or_default());
    vec![serde_json::to_vec(&signed).unwrap_or_default()]
}

fn mend_note(bytes: &mut [u8]) {
    if let Some(split) = bytes.len().checked_sub(8) {
        let sum = blake3::hash(&bytes[..split]);
        bytes[split..].copy_from_slice(&sum.as_bytes()[..8]);
    }
}

fn remote_seeds() -> Vec<Vec<u8>> {
    vec![br#"{"address":"/shared/studio","mark":3,"epoch":1}"#.to_vec()]
}

fn address_seeds() -> Vec<Vec<u8>> {
    let texts = [
        "/shared/studio",
        "../studio",
        "https://assets.example.org:8443/studio",
        "ssh://anna@host:22/srv/x",
        "anna@host:studio",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}
