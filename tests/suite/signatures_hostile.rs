//! Signatures and keys that were made to deceive, or that are just broken.

use crate::openssh::Workshop;
use pentimento::object::signature::{
    KeyError, Namespace, PublicKey, Signature, SignatureError, verify, wire,
};
use pentimento::trust::{LocalKey, Signer};
use proptest::prelude::*;

const STATEMENT: &[u8] = b"approved";

fn good() -> (LocalKey, Signature) {
    let key = LocalKey::from_seed(&[9; 32]).unwrap();
    let signature = key.sign(Namespace::Action, STATEMENT).unwrap();
    (key, signature)
}

/// A signature put together from parts, as a forger would.
fn forged(key: &[u8], namespace: &str, reserved: &[u8], hash: &str, raw: &[u8]) -> Vec<u8> {
    let mut bytes = b"SSHSIG\0\0\0\x01".to_vec();
    for part in [key, namespace.as_bytes(), reserved, hash.as_bytes(), raw] {
        wire::put_string(&mut bytes, part);
    }
    bytes
}

fn raw(algorithm: &str, body: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    wire::put_string(&mut raw, algorithm.as_bytes());
    wire::put_string(&mut raw, body);
    raw
}

#[test]
fn the_signature_of_one_key_does_not_pass_for_another_s() {
    let (key, signature) = good();
    let other = LocalKey::from_seed(&[8; 32]).unwrap();
    let (mine, theirs) = (key.public_key().blob(), other.public_key().blob());
    let mut bytes = signature.as_bytes().to_vec();
    let at = bytes.windows(mine.len()).position(|window| window == mine).unwrap();
    bytes[at..at + mine.len()].copy_from_slice(theirs);
    let swapped = Signature::from_bytes(&bytes).unwrap();
    assert_eq!(verify(STATEMENT, &swapped, Namespace::Action), Err(SignatureError::Mismatch));
}

#[test]
fn a_namespace_cannot_be_relabelled() {
    let (_, signature) = good();
    let mut bytes = signature.as_bytes().to_vec();
    let at = bytes.windows(6).position(|window| window == b"action").unwrap();
    bytes[at..at + 6].copy_from_slice(b"policy");
    let relabelled = Signature::from_bytes(&bytes).unwrap();
    assert_eq!(verify(STATEMENT, &relabelled, Namespace::Policy), Err(SignatureError::Mismatch));
}

#[test]
fn text_that_is_no_armour_is_refused() {
    let (_, signature) = good();
    let text = signature.armored();
    assert_eq!(Signature::parse_armored(&text.replace('\n', "\r\n")).as_ref(), Ok(&signature));
    let lines: Vec<&str> = text.lines().collect();
    let garbage = [
        String::new(),
        text.replace("BEGIN", "END"),
        text.replace("SSH SIGNATURE", "PGP SIGNATURE"),
        lines[..lines.len() - 1].join("\n"),
        format!("{}\n{}", lines[0], lines[lines.len() - 1]),
        format!("{} {}", lines[0], lines[1..].join("\n")),
        text.replacen('A', "*", 1),
        text.replacen('A', "\u{430}", 1),
        format!("{text}{text}"),
        format!("{}{}", text, "x".repeat(1 << 20)),
    ];
    for bad in &garbage {
        assert!(Signature::parse_armored(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn padding_of_base64_is_neither_doubled_nor_left_out_nor_filled() {
    let (_, signature) = good();
    for extra in 0..3 {
        // A comment-like trailer is no part of a signature, so length is steered by the statement's key.
        let mut bytes = signature.as_bytes().to_vec();
        bytes.truncate(bytes.len() - extra);
        let text = armour(&bytes);
        let inner = text.lines().nth_back(1).unwrap().to_owned();
        let stripped = inner.trim_end_matches('=').to_owned();
        for other in [format!("{inner}="), format!("{inner}=="), format!("{inner}===="), format!("={inner}")]
        {
            assert!(Signature::parse_armored(&text.replace(&inner, &other)).is_err(), "{other}");
        }
        if stripped != inner {
            assert!(Signature::parse_armored(&text.replace(&inner, &stripped)).is_err(), "{stripped}");
        }
    }
}

fn armour(bytes: &[u8]) -> String {
    use base64ct::{Base64, Encoding as _};
    format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", Base64::encode_string(bytes))
}

#[test]
fn every_byte_counts_and_none_may_be_missing_or_added() {
    let (_, signature) = good();
    let bytes = signature.as_bytes();
    for length in 0..bytes.len() {
        assert!(Signature::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(Signature::from_bytes(&longer).is_err());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut altered = bytes.to_vec();
            altered[at] ^= 1 << bit;
            let holds = Signature::from_bytes(&altered)
                .is_ok_and(|altered| verify(STATEMENT, &altered, Namespace::Action).is_ok());
            assert!(!holds, "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn weak_hashes_sha_1_and_reserved_bytes_are_refused() {
    let workshop = Workshop::new();
    let line = workshop.generate("rsa", &["-t", "rsa", "-b", "2048"], "");
    let key = PublicKey::parse_openssh(&line).unwrap();
    let body = vec![1; 256];
    let read = |bytes: &[u8]| Signature::from_bytes(bytes).map(|_| ()).unwrap_err();
    let sha1 = forged(key.blob(), "action@pentimento", b"", "sha512", &raw("ssh-rsa", &body));
    assert_eq!(read(&sha1), SignatureError::Algorithm { algorithm: "ssh-rsa".into(), key: "ssh-rsa" });
    for hash in ["sha1", "md5", "sha384", ""] {
        let bytes = forged(key.blob(), "action@pentimento", b"", hash, &raw("rsa-sha2-512", &body));
        assert_eq!(read(&bytes), SignatureError::Hash { name: hash.into() });
    }
    let reserved = forged(key.blob(), "action@pentimento", b"x", "sha512", &raw("rsa-sha2-512", &body));
    assert_eq!(read(&reserved), SignatureError::Encoding);
    let short = forged(key.blob(), "action@pentimento", b"", "sha512", &raw("rsa-sha2-512", &body[1..]));
    assert_eq!(read(&short), SignatureError::Encoding);
    let mut newer = sha1.clone();
    newer[9] = 2;
    assert_eq!(read(&newer), SignatureError::Version { version: 2 });
}

#[test]
fn rsa_keys_are_of_a_length_that_holds() {
    let workshop = Workshop::new();
    let line = workshop.generate("small", &["-t", "rsa", "-b", "1024"], "");
    let refused = PublicKey::parse_openssh(&line);
    assert!(matches!(refused, Err(KeyError::RsaLength { bits: 1024, .. })), "{refused:?}");
    let rsa = |exponent: &[u8], modulus: &[u8]| {
        let mut blob = Vec::new();
        wire::put_string(&mut blob, b"ssh-rsa");
        wire::put_positive(&mut blob, exponent);
        wire::put_positive(&mut blob, modulus);
        PublicKey::from_blob(&blob).map(|_| ())
    };
    let modulus = vec![0xff; 256];
    assert_eq!(rsa(&[1, 0, 1], &modulus), Ok(()));
    for (exponent, modulus) in [
        (&[1][..], &modulus[..]),
        (&[1, 0, 0], &modulus),
        (&[1, 0, 1], &[&[0xff; 255][..], &[0xfe]].concat()),
        (&[1, 0, 1], &vec![0xff; 1025]),
        (&[0xff; 9], &modulus),
    ] {
        assert!(rsa(exponent, modulus).is_err());
    }
}

#[test]
fn a_key_has_one_spelling() {
    let key = LocalKey::from_seed(&[9; 32]).unwrap().public_key().clone();
    let line = key.to_openssh();
    for other in [
        line.replace("ssh-ed25519", "ssh-rsa"),
        line.replace("ssh-ed25519 ", ""),
        format!("{line}=="),
        format!("command=\"x\" {line}"),
        format!("{line}\n{line}"),
        format!("{line} {}", "x".repeat(1 << 14)),
    ] {
        assert!(PublicKey::parse_openssh(&other).is_err(), "{other:.60}");
    }
    assert_eq!(PublicKey::parse_line(&format!(" {line}  a comment ")).unwrap(), (key.clone(), "a comment"));
    // The point compressed: the same key in other bytes.
    let pair = p256::ecdsa::SigningKey::from_slice(&[6; 32]).unwrap();
    let blob = |compress: bool| {
        let mut blob = Vec::new();
        wire::put_string(&mut blob, b"ecdsa-sha2-nistp256");
        wire::put_string(&mut blob, b"nistp256");
        wire::put_string(&mut blob, pair.verifying_key().to_encoded_point(compress).as_bytes());
        PublicKey::from_blob(&blob)
    };
    assert!(blob(false).is_ok());
    assert!(matches!(blob(true), Err(KeyError::Damaged { .. })));
    // Points of small order sign everything at once.
    for point in [
        [0u8; 32],
        {
            let mut one = [0; 32];
            one[0] = 1;
            one
        },
        [0xff; 32],
    ] {
        let mut blob = Vec::new();
        wire::put_string(&mut blob, b"ssh-ed25519");
        wire::put_string(&mut blob, &point);
        assert!(PublicKey::from_blob(&blob).is_err(), "{point:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_bring_the_readers_down(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Signature::from_bytes(&bytes);
        let _ = PublicKey::from_blob(&bytes);
        let mut framed = b"SSHSIG\0\0\0\x01".to_vec();
        framed.extend(&bytes);
        let _ = Signature::from_bytes(&framed);
        let _ = Signature::parse_armored(&armour(&bytes));
        let text = String::from_utf8_lossy(&bytes);
        let _ = PublicKey::parse_openssh(&text);
        let _ = Signature::parse_armored(&text);
    }

    #[test]
    fn altered_signatures_are_read_back_as_they_are_or_refused(
        at in 0usize..1000, value in any::<u8>(), cut in 0usize..1000,
    ) {
        let (_, signature) = good();
        let mut bytes = signature.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = value;
        bytes.truncate(bytes.len() - cut % 3);
        if let Ok(read) = Signature::from_bytes(&bytes) {
            prop_assert_eq!(read.as_bytes(), &bytes[..]);
            prop_assert_eq!(Signature::parse_armored(&read.armored()), Ok(read));
        }
    }
}
