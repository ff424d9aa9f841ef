//! Signatures and stock OpenSSH accept each other's work.

use crate::openssh::{Workshop, key_kinds};
use pentimento::object::signature::{Namespace, PublicKey, Signature, SignatureError, verify};
use pentimento::trust::{LocalKey, Signer};

const STATEMENT: &[u8] = b"{\"verdict\":\"approved\"}\n";

#[test]
fn what_ssh_keygen_signs_is_accepted_for_every_kind_of_key() {
    let workshop = Workshop::new();
    for (name, arguments) in key_kinds() {
        let public = workshop.generate(name, arguments, "");
        let key = PublicKey::parse_openssh(&public).unwrap();
        let armored = workshop.sign(name, "commit@pentimento", STATEMENT);
        let signature = Signature::parse_armored(&armored).unwrap();
        let verified = verify(STATEMENT, &signature, Namespace::Commit).unwrap();
        assert_eq!(verified.key(), &key, "{name}");
        assert_eq!(verified.value(), &STATEMENT);
        assert_eq!(key.to_openssh(), public.rsplit_once(' ').unwrap().0, "{name}");
        assert_eq!(key.fingerprint().to_string(), workshop.fingerprint(name), "{name}");
        assert_eq!(signature.armored(), armored, "{name}: the same text, byte for byte");
        assert_eq!(verify(b"other", &signature, Namespace::Commit), Err(SignatureError::Mismatch), "{name}");
        assert!(matches!(
            verify(STATEMENT, &signature, Namespace::Action),
            Err(SignatureError::Namespace { .. })
        ));
    }
}

#[test]
fn what_a_key_in_memory_signs_is_accepted_by_ssh_keygen() {
    let workshop = Workshop::new();
    let key = LocalKey::from_seed(&[3; 32]).unwrap();
    let signature = key.sign(Namespace::Policy, STATEMENT).unwrap();
    workshop.allow("anna", &key.public_key().to_openssh());
    assert!(workshop.verifies("anna", "policy@pentimento", STATEMENT, &signature.armored()));
    assert!(!workshop.verifies("anna", "commit@pentimento", STATEMENT, &signature.armored()));
    assert!(!workshop.verifies("anna", "policy@pentimento", b"other", &signature.armored()));
}
