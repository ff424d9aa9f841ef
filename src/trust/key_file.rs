//! Private keys in files, as `ssh-keygen` writes them, with a passphrase or without.

use crate::object::signature::PublicKey;
use crate::trust::{LocalKey, TrustError};
use base64ct::{Base64, Encoding as _};
use ssh_key::{Cipher, Kdf, LineEnding, PrivateKey};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use zeroize::Zeroizing;

/// Longest key file, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Most rounds of hashing a passphrase that a file may ask for: minutes, not hours.
const ROUNDS_MAX: u32 = 4096;
/// Rounds for files that are written here: about a second.
const ROUNDS: u32 = 64;
const OPENING: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";

/// What is in a key file.
#[derive(Debug)]
pub enum KeyFile {
    /// A key that can sign at once.
    Ready(LocalKey),
    /// A key behind a passphrase.
    Locked(LockedKey),
    /// A key that only OpenSSH's own programs sign with: RSA, security keys, older formats. The
    /// public key is known where the file tells it.
    Foreign(Option<PublicKey>),
}

/// A key behind a passphrase.
#[derive(Debug)]
pub struct LockedKey {
    private: PrivateKey,
    public: PublicKey,
}

impl LockedKey {
    /// The public half, which is not secret.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Tries a passphrase; `None` when it is another.
    pub fn unlock(&self, passphrase: &str) -> Result<Option<LocalKey>, TrustError> {
        match self.private.decrypt(passphrase) {
            Ok(private) => LocalKey::new(private).map(Some),
            Err(_) => Ok(None),
        }
    }
}

/// Reads a key file, refusing one that others on this machine can read.
pub fn read(path: &Path) -> Result<KeyFile, TrustError> {
    parse(&read_private_text(path)?, path)
}

fn parse(text: &str, path: &Path) -> Result<KeyFile, TrustError> {
    let damaged = || TrustError::KeyFile { path: path.to_owned() };
    if !text.trim_start().starts_with(OPENING) {
        return if text.contains("PRIVATE KEY-----") { Ok(KeyFile::Foreign(None)) } else { Err(damaged()) };
    }
    let public = public_half(text).ok_or_else(damaged)?;
    let private = PrivateKey::from_openssh(text.trim_start());
    match public.algorithm() {
        "ssh-ed25519" => ready_or_locked(private.map_err(|_| damaged())?, public).ok_or_else(damaged)?,
        // The library does not read numbers that begin with noughts, which one ECDSA key in hundreds
        // has, of P-521 one in four; and behind a passphrase it cannot tell that from a wrong one.
        algorithm if algorithm.starts_with("ecdsa-sha2-nistp") => match private {
            Ok(private) if !private.is_encrypted() => Ok(KeyFile::Ready(LocalKey::new(private)?)),
            _ => Ok(KeyFile::Foreign(Some(public))),
        },
        _ => Ok(KeyFile::Foreign(Some(public))),
    }
}

/// An Ed25519 key; `None` when its file asks for more hashing than is reasonable.
fn ready_or_locked(private: PrivateKey, public: PublicKey) -> Option<Result<KeyFile, TrustError>> {
    match private.kdf() {
        Kdf::Bcrypt { rounds, .. } if *rounds > ROUNDS_MAX => None,
        _ if private.is_encrypted() => Some(Ok(KeyFile::Locked(LockedKey { private, public }))),
        _ => Some(LocalKey::new(private).map(KeyFile::Ready)),
    }
}

/// The public half of a key file, which stands unencrypted before the private one (OpenSSH's
/// PROTOCOL.key, section 1).
fn public_half(text: &str) -> Option<PublicKey> {
    let body = text.trim_start().strip_prefix(OPENING)?.split("-----END").next()?;
    let body: String = body.split_ascii_whitespace().collect();
    let bytes = Zeroizing::new(Base64::decode_vec(&body).ok()?);
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let mut field = || -> Option<&[u8]> {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (field, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        rest = after;
        Some(field)
    };
    // The cipher, the way from passphrase to key, and what that needs.
    let _ = (field()?, field()?, field()?);
    let (count, after) = rest.split_first_chunk::<4>()?;
    let (length, after) = after.split_first_chunk::<4>()?;
    let blob = after.get(..u32::from_be_bytes(*length) as usize)?;
    if *count == [0, 0, 0, 1] { PublicKey::from_blob(blob).ok() } else { None }
}

fn read_private_text(path: &Path) -> Result<Zeroizing<String>, TrustError> {
    let wrap = |source| TrustError::Io { action: "reading", path: path.to_owned(), source };
    // Looked at before it is opened: opening a pipe would wait for whoever writes into it.
    if !fs::metadata(path).map_err(wrap)?.is_file() {
        return Err(TrustError::KeyFile { path: path.to_owned() });
    }
    let file = fs::File::open(path).map_err(wrap)?;
    refuse_readable_by_others(&file, path)?;
    let mut text = Zeroizing::new(String::with_capacity(8 << 10));
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(wrap)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(TrustError::KeyFile { path: path.to_owned() });
    }
    Ok(text)
}

#[cfg(unix)]
fn refuse_readable_by_others(file: &fs::File, path: &Path) -> Result<(), TrustError> {
    use std::os::unix::fs::PermissionsExt as _;
    let wrap = |source| TrustError::Io { action: "reading", path: path.to_owned(), source };
    let mode = file.metadata().map_err(wrap)?.permissions().mode() & 0o777;
    let others = mode & 0o077;
    if others == 0 { Ok(()) } else { Err(TrustError::OpenToOthers { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_readable_by_others(_: &fs::File, _: &Path) -> Result<(), TrustError> {
    Ok(())
}

/// Makes an Ed25519 key and writes it to `path`, which must not exist, and its public half beside it.
///
/// Without a passphrase the file's mode is all that protects it.
pub fn create(path: &Path, passphrase: Option<&str>, comment: &str) -> Result<PublicKey, TrustError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    getrandom::fill(seed.as_mut()).map_err(|_| TrustError::Random)?;
    let pair = ssh_key::private::Ed25519Keypair::from_seed(&seed);
    let failed = |_| TrustError::KeyFile { path: path.to_owned() };
    let plain = PrivateKey::new(pair.into(), comment).map_err(failed)?;
    let public = LocalKey::new(plain.clone())?.into_public();
    let private = match passphrase {
        None => plain,
        Some(passphrase) => {
            let mut random = [0u8; 20];
            getrandom::fill(&mut random).map_err(|_| TrustError::Random)?;
            let check = u32::from_be_bytes([random[16], random[17], random[18], random[19]]);
            let kdf = Kdf::Bcrypt { salt: random[..16].to_vec(), rounds: ROUNDS };
            plain.encrypt_with(Cipher::Aes256Ctr, kdf, check, passphrase).map_err(failed)?
        }
    };
    let text = private.to_openssh(LineEnding::LF).map_err(failed)?;
    write_new(path, text.as_bytes(), 0o600)?;
    write_new(&public_path(path), format!("{} {comment}\n", public.to_openssh()).as_bytes(), 0o644)?;
    Ok(public)
}

/// Where the public half of a key file stands: the same name with `.pub` after it.
pub fn public_path(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Writes a file that must not exist, readable by whom `mode` says from its first moment.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), TrustError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let _ = mode;
    let write = || -> io::Result<()> {
        let mut file = options.open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| TrustError::Io { action: "writing", path: path.to_owned(), source })
}

/// Writes a file for the person alone, so that it is either the old one or the new one.
pub(crate) fn replace(target: &Path, bytes: &[u8]) -> Result<(), TrustError> {
    let wrap = |source| TrustError::Io { action: "writing", path: target.to_owned(), source };
    let folder = target.parent().unwrap_or(Path::new("."));
    make_private_folder(folder)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    let temporary = folder.join(name);
    // One that a process of the same number left behind when it was killed.
    let _ = fs::remove_file(&temporary);
    write_new(&temporary, bytes, 0o600)?;
    fs::rename(&temporary, target).map_err(wrap)?;
    if cfg!(unix) {
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(wrap)?;
    }
    Ok(())
}

/// Makes a folder that only the person can enter; one that is there stays as it is.
pub(crate) fn make_private_folder(folder: &Path) -> Result<(), TrustError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let wrap = |source| TrustError::Io { action: "making", path: folder.to_owned(), source };
    builder.create(folder).map_err(wrap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::signature::{Namespace, verify};
    use crate::trust::Signer;
    use proptest::prelude::*;
    use ssh_key::private::KeypairData;

    #[test]
    fn a_new_key_signs_after_its_passphrase_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let public = create(&path, Some("softer shadow"), "anna").unwrap();
        let KeyFile::Locked(locked) = read(&path).unwrap() else { panic!("not locked") };
        assert_eq!(locked.public_key(), &public);
        assert!(locked.unlock("softer").unwrap().is_none());
        let key = locked.unlock("softer shadow").unwrap().unwrap();
        let signature = key.sign(Namespace::Commit, b"x").unwrap();
        assert_eq!(verify(b"x", &signature, Namespace::Commit).unwrap().key(), &public);
        let line = fs::read_to_string(public_path(&path)).unwrap();
        assert_eq!(PublicKey::parse_line(&line).unwrap(), (public, "anna"));
        assert!(matches!(create(&path, None, "anna"), Err(TrustError::Io { .. })), "nothing is overwritten");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, None, "anna").unwrap();
        assert!(matches!(read(&path), Ok(KeyFile::Ready(_))));
        for mode in [0o640, 0o604, 0o620, 0o610] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(
                matches!(read(&path), Err(TrustError::OpenToOthers { mode: found, .. }) if found == mode)
            );
        }
    }

    #[test]
    fn a_security_key_s_file_tells_its_public_half_and_is_left_to_openssh() {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(&[5; 32]);
        let public = ssh_key::public::SkEd25519::new(pair.public, "ssh:studio");
        let sk = ssh_key::private::SkEd25519::new(public, 1, vec![7; 64]).unwrap();
        let key = PrivateKey::new(KeypairData::SkEd25519(sk), "token").unwrap();
        let text = key.to_openssh(LineEnding::LF).unwrap();
        let Ok(KeyFile::Foreign(Some(found))) = parse(&text, Path::new("key")) else { panic!("{text:?}") };
        assert_eq!(found.algorithm(), "sk-ssh-ed25519@openssh.com");
        assert_eq!(found.class(), crate::object::signature::KeyClass::Hardware);
    }

    /// A key file of P-521 whose secret number begins with a nought, as one in four does.
    #[test]
    fn a_key_with_a_short_number_is_left_to_openssh() {
        let string = |out: &mut Vec<u8>, bytes: &[u8]| {
            out.extend((bytes.len() as u32).to_be_bytes());
            out.extend(bytes);
        };
        let mut scalar = [3u8; 66];
        (scalar[0], scalar[1]) = (0, 1);
        let signing = p521::ecdsa::SigningKey::from_slice(&scalar).unwrap();
        let point = p521::ecdsa::VerifyingKey::from(&signing).to_encoded_point(false);
        let (mut public, mut private) = (Vec::new(), vec![0, 0, 0, 9, 0, 0, 0, 9]);
        for out in [&mut public, &mut private] {
            string(out, b"ecdsa-sha2-nistp521");
            string(out, b"nistp521");
            string(out, point.as_bytes());
        }
        string(&mut private, &scalar[1..]);
        string(&mut private, b"someone");
        (1u8..)
            .take((8 - private.len() % 8) % 8)
            .collect::<Vec<_>>()
            .iter()
            .for_each(|byte| private.push(*byte));
        let mut bytes = b"openssh-key-v1\0".to_vec();
        [&b"none"[..], b"none", b""].iter().for_each(|field| string(&mut bytes, field));
        bytes.extend([0, 0, 0, 1]);
        string(&mut bytes, &public);
        string(&mut bytes, &private);
        let text =
            format!("{OPENING}\n{}\n-----END OPENSSH PRIVATE KEY-----\n", Base64::encode_string(&bytes));
        let Ok(KeyFile::Foreign(Some(found))) = parse(&text, Path::new("key")) else { panic!("not left") };
        assert_eq!(found.algorithm(), "ecdsa-sha2-nistp521");
    }

    /// Texts of good key files of every kind that this program reads.
    fn samples() -> Vec<String> {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(&[5; 32]);
        let plain = PrivateKey::new(pair.into(), "someone").unwrap();
        let ecdsa = PrivateKey::new(
            ssh_key::private::EcdsaKeypair::NistP256 {
                public: p256::ecdsa::SigningKey::from_slice(&[6; 32])
                    .unwrap()
                    .verifying_key()
                    .to_encoded_point(false),
                private: p256::SecretKey::from_slice(&[6; 32]).unwrap().into(),
            }
            .into(),
            "",
        )
        .unwrap();
        let kdf = Kdf::Bcrypt { salt: vec![1; 16], rounds: 1 };
        let locked = plain.encrypt_with(Cipher::Aes256Ctr, kdf, 7, "x").unwrap();
        [plain, ecdsa, locked].iter().map(|key| key.to_openssh(LineEnding::LF).unwrap().to_string()).collect()
    }

    proptest! {
        #[test]
        fn damaged_key_files_are_refused_or_read_and_bring_nothing_down(
            which in 0usize..3, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in 0usize..4,
        ) {
            let text = samples().swap_remove(which);
            let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
            let mut bytes = Base64::decode_vec(&body).unwrap();
            bytes.truncate(bytes.len() - cut);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let base64 = Base64::encode_string(&bytes);
            let lines: Vec<&str> = base64.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let text = format!("{OPENING}\n{}\n-----END OPENSSH PRIVATE KEY-----\n", lines.join("\n"));
            match parse(&text, Path::new("key")) {
                Ok(KeyFile::Locked(locked)) if locked.private.kdf() == &(Kdf::Bcrypt { salt: vec![1; 16], rounds: 1 }) => {
                    let _ = locked.unlock("x");
                }
                Ok(KeyFile::Ready(key)) => { let _ = key.sign(Namespace::Commit, b"x"); }
                _ => {}
            }
        }

        #[test]
        fn no_text_brings_the_reader_down(text in "\\PC{0,200}") {
            let _ = parse(&text, Path::new("key"));
            let _ = parse(&format!("{OPENING}\n{text}\n-----END OPENSSH PRIVATE KEY-----\n"), Path::new("key"));
        }
    }

    #[test]
    fn files_that_are_no_keys_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for text in ["", "hello", OPENING, &format!("{OPENING}\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")] {
            let _ = fs::remove_file(&path);
            write_new(&path, text.as_bytes(), 0o600).unwrap();
            assert!(matches!(read(&path), Err(TrustError::KeyFile { .. })), "{text:?}");
        }
        assert!(matches!(read(folder.path()), Err(TrustError::KeyFile { .. })));
    }
}
