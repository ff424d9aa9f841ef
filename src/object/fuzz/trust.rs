//! Fuzz targets of keys, signatures, and what is signed about policy and the shared log.

use crate::base::fuzz::{Numbers, Target, Verdict, canonical};
use crate::base::id::{ActionId, BodyId, CommitId, FileId, LogEntryId, PersonId, PolicyId, RepositoryId};
use crate::base::time::Timestamp;
use crate::object::action::Audience;
use crate::object::commit_signature::{CommitSignature, CommitStatement};
use crate::object::erasure::Erasure;
use crate::object::log_entry::{KeyRevoked, LogDeed, LogEntry, RefMoved, SignedEntry, Why};
use crate::object::login::{LoginChallenge, LoginStatement, Nonce};
use crate::object::policy_link::PolicyLink;
use crate::object::set_node::{Member, SetNode, SetRoot};
use crate::object::signature::{Namespace, PublicKey, Signature, verify};
use crate::object::words_erasure::{self, WordsErasure};

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("object: head of a set", &["object/set_node.rs"], root_seeds, |bytes| {
        canonical(SetRoot::decode(bytes), SetRoot::encode)
    }),
    Target::new("object: node of a set", &["object/set_node.rs"], node_seeds, |bytes| {
        canonical(SetNode::decode(bytes), |node| {
            let _ = (node.root(), node.count());
            node.encode()
        })
    }),
    Target::new("object: permission to erase words", &["object/words_erasure.rs"], words_seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        let _ = words_erasure::decode_record(bytes).is_ok();
        match WordsErasure::decode(text) {
            Err(_) => Verdict::Refused,
            Ok(erasure) => canonical(erasure.encode(), |text| text.clone().into_bytes()),
        }
    }),
    Target::new(
        "object: public key",
        &["object/signature/key.rs", "object/signature/wire.rs"],
        key_seeds,
        |bytes| {
            canonical(PublicKey::from_blob(bytes), |key| {
                let _ = (key.fingerprint(), key.class());
                PublicKey::parse_openssh(&key.to_openssh())
                    .map_or_else(|_| Vec::new(), |again| again.blob().to_vec())
            })
        },
    )
    .with_memory(1 << 20),
    Target::new("object: line of a public key", &["object/signature/key.rs"], line_seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        match PublicKey::parse_line(text) {
            Ok((key, _)) if PublicKey::parse_openssh(&key.to_openssh()).ok().as_ref() == Some(&key) => {
                Verdict::Understood
            }
            Ok((key, _)) => Verdict::Wrong(format!("{} is no line", key.to_openssh())),
            Err(_) => Verdict::Refused,
        }
    })
    .with_memory(1 << 20),
    Target::new(
        "object: signature",
        &["object/signature/sshsig.rs", "object/signature/verify.rs"],
        signature_seeds,
        |bytes| {
            canonical(Signature::from_bytes(bytes), |signature| {
                if verify(b"a statement", signature, Namespace::Action).is_ok() {
                    return b"nobody has signed this".to_vec();
                }
                Signature::parse_armored(&signature.armored())
                    .map_or_else(|_| Vec::new(), |again| again.as_bytes().to_vec())
            })
        },
    )
    .with_memory(1 << 20),
    Target::new("object: log entry", &["object/log_entry.rs"], entry_seeds, |bytes| {
        match LogEntry::decode(bytes) {
            Err(_) => Verdict::Refused,
            // What is not known is kept as it came.
            Ok(LogEntry { deed: LogDeed::Unknown { .. }, .. }) => Verdict::Understood,
            Ok(entry) => canonical(entry.encode(), Clone::clone),
        }
    }),
    Target::new("object: signed log entry", &["object/log_entry.rs"], signed_seeds, |bytes| {
        canonical(SignedEntry::decode(bytes), |entry| {
            let _ = entry.verified().is_ok();
            entry.encode()
        })
    })
    .with_memory(1 << 20),
    Target::new(
        "object: statement about a commit",
        &["object/commit_signature.rs"],
        statement_seeds,
        |bytes| canonical(CommitStatement::decode(bytes), CommitStatement::encode),
    ),
    Target::new("object: signature of a commit", &["object/commit_signature.rs"], commit_seeds, |bytes| {
        canonical(CommitSignature::decode(bytes), CommitSignature::encode)
    })
    .with_memory(1 << 20),
    Target::new("object: login", &["object/login.rs"], login_seeds, |bytes| {
        canonical(LoginStatement::decode(bytes), LoginStatement::encode)
    }),
    Target::new("object: policy link", &["object/policy_link.rs"], link_seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        canonical(PolicyLink::decode(text), |link| link.encode().unwrap_or_default().into_bytes())
    }),
    Target::new("object: erasure", &["object/erasure.rs"], erasure_seeds, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
        canonical(Erasure::decode(text), |erasure| erasure.encode().unwrap_or_default().into_bytes())
    }),
];

/// The base points of Ed25519 and NIST P-256: keys that everybody knows.
const ED25519: [u8; 32] = {
    let mut bytes = [0x66; 32];
    bytes[0] = 0x58;
    bytes
};
const P256: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                    4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

fn strings(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().flat_map(|part| string(part)).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn blobs() -> [Vec<u8>; 4] {
    let point = unhex(P256);
    let hardware = b"sk-ecdsa-sha2-nistp256@openssh.com";
    [
        strings(&[b"ssh-ed25519", &ED25519]),
        strings(&[b"ecdsa-sha2-nistp256", b"nistp256", &point]),
        strings(&[hardware, b"nistp256", &point, b"ssh:"]),
        strings(&[hardware, b"nistp256", &point, b"review.example.org"]),
    ]
}

fn key_seeds() -> Vec<Vec<u8>> {
    blobs().to_vec()
}

fn line_seeds() -> Vec<Vec<u8>> {
    let lines =
        blobs().map(|blob| PublicKey::from_blob(&blob).map(|key| format!("{} anna@desk", key.to_openssh())));
    lines.into_iter().flatten().map(String::into_bytes).collect()
}

/// Signatures in their form, of nothing.
fn signature_seeds() -> Vec<Vec<u8>> {
    let ecdsa = strings(&[&[0x11; 32], &[0x22; 32]]);
    let sk_tail = [1, 0, 0, 0, 7];
    let client_data = br#"{"type":"webauthn.get","challenge":"AAAA","origin":"https://review.example.org"}"#;
    let proofs = [
        strings(&[b"ssh-ed25519", &[0x33; 64]]),
        strings(&[b"ecdsa-sha2-nistp256", &ecdsa]),
        [strings(&[b"sk-ecdsa-sha2-nistp256@openssh.com", &ecdsa]), sk_tail.to_vec()].concat(),
        [
            strings(&[b"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", &ecdsa]),
            sk_tail.to_vec(),
            strings(&[b"https://review.example.org", client_data, b""]),
        ]
        .concat(),
    ];
    let whole = |(blob, proof): (Vec<u8>, Vec<u8>)| {
        let fields = strings(&[&blob, Namespace::Action.as_str().as_bytes(), b"", b"sha512", &proof]);
        [b"SSHSIG".as_slice(), &1u32.to_be_bytes(), &fields].concat()
    };
    blobs().into_iter().zip(proofs).map(whole).collect()
}

fn entry(numbers: &mut Numbers) -> Option<LogEntry> {
    let key = PublicKey::from_blob(&blobs()[0]).ok()?.fingerprint();
    let deed = if numbers.once_in(2) {
        LogDeed::Revoke(KeyRevoked { key, reason: "lost".to_owned() })
    } else {
        LogDeed::Move(RefMoved {
            reference: "branch/main".to_owned(),
            from: None,
            to: Some(CommitId::from_bytes(numbers.array())),
            why: Why::Direct {},
            heads: Vec::new(),
        })
    };
    Some(LogEntry {
        repository: RepositoryId::from_bytes(numbers.array()),
        sequence: 2 + numbers.next() % 1000,
        previous: Some(LogEntryId::from_bytes(numbers.array())),
        received_ms: 1_772_381_999_000,
        actor: PersonId::from_bytes(numbers.array()),
        key,
        deed,
    })
}

fn entry_seeds() -> Vec<Vec<u8>> {
    super::samples(|numbers| entry(numbers).and_then(|entry| entry.encode().ok()).unwrap_or_default())
}

fn signed_seeds() -> Vec<Vec<u8>> {
    let signatures = signature_seeds().into_iter().filter_map(|bytes| Signature::from_bytes(&bytes).ok());
    let signed = entry_seeds().into_iter().zip(signatures);
    signed.map(|(statement, signature)| SignedEntry { statement, signature }.encode()).collect()
}

fn statement(numbers: &mut Numbers) -> CommitStatement {
    CommitStatement {
        commit: CommitId::from_bytes(numbers.array()),
        repository: RepositoryId::from_bytes(numbers.array()),
        signer: PersonId::from_bytes(numbers.array()),
        time: Timestamp::utc(numbers.any_size() as i64),
    }
}

fn statement_seeds() -> Vec<Vec<u8>> {
    super::samples(|numbers| statement(numbers).encode())
}

fn commit_seeds() -> Vec<Vec<u8>> {
    let signatures = signature_seeds().into_iter().filter_map(|bytes| Signature::from_bytes(&bytes).ok());
    signatures
        .map(|signature| CommitSignature::new(&statement(&mut Numbers::new(3)), signature).encode())
        .collect()
}

fn login_seeds() -> Vec<Vec<u8>> {
    super::samples(|numbers| {
        let nonce = Nonce::from_bytes(numbers.array());
        let challenge = LoginChallenge { server: "assets.example.org".to_owned(), nonce };
        let person = PersonId::from_bytes(numbers.array());
        LoginStatement::answer(&challenge, person, Timestamp::utc(numbers.any_size() as i64)).encode()
    })
}

fn link_seeds() -> Vec<Vec<u8>> {
    super::samples(|numbers| {
        let link = PolicyLink {
            repository: RepositoryId::from_bytes(numbers.array()),
            number: 2,
            parents: vec![PolicyId::from_bytes(numbers.array())],
            starts: [("branch/main".to_owned(), CommitId::from_bytes(numbers.array()))].into(),
            made_ms: numbers.any_size() as i64,
            reason: "a new editor".to_owned(),
            policy: "version = 1\n".to_owned(),
        };
        link.encode().unwrap_or_default().into_bytes()
    })
}

fn erasure_seeds() -> Vec<Vec<u8>> {
    super::samples(|numbers| {
        let erasure = Erasure {
            repository: RepositoryId::from_bytes(numbers.array()),
            file: FileId::from_bytes(numbers.array()),
            size: numbers.any_size(),
            made_ms: numbers.any_size() as i64,
            reason: "court order".to_owned(),
        };
        erasure.encode().unwrap_or_default().into_bytes()
    })
}

fn root_seeds() -> Vec<Vec<u8>> {
    let one = |seed| {
        let numbers = &mut Numbers::new(seed);
        SetRoot { node: numbers.array(), count: 1 + numbers.below(99_999) as u64 }.encode()
    };
    (0..4).map(one).collect()
}

fn node_seeds() -> Vec<Vec<u8>> {
    let one = |seed| {
        let numbers = &mut Numbers::new(seed);
        let count = 1 + numbers.below(16);
        if numbers.once_in(2) {
            let mut members: Vec<Member> =
                (0..count).map(|_| Member { id: numbers.array(), kind: 9 }).collect();
            members.sort_unstable();
            return SetNode::Leaf(members).encode();
        }
        let child = |numbers: &mut Numbers| SetRoot { node: numbers.array(), count: 65 };
        SetNode::Inner((0..count as u8).map(|digit| (digit, child(numbers))).collect()).encode()
    };
    (0..8).map(one).collect()
}

fn words_seeds() -> Vec<Vec<u8>> {
    let one = |seed| {
        let numbers = &mut Numbers::new(seed);
        let erasure = WordsErasure {
            repository: RepositoryId::from_bytes(numbers.array()),
            audience: if numbers.once_in(2) { Audience::Team } else { Audience::Guests },
            action: ActionId::from_bytes(numbers.array()),
            body: BodyId::from_bytes(numbers.array()),
            made_ms: numbers.any_size() as i64,
            reason: "said in anger".into(),
        };
        erasure.encode().unwrap_or_default().into_bytes()
    };
    (0..4).map(one).collect()
}
