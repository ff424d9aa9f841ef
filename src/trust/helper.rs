//! `ssh-keygen` as a helper, for keys that only it signs with: RSA in files, security keys, older
//! formats. It asks for passphrases and touches by itself.

use crate::object::signature::{Namespace, PublicKey, SIGNATURE_BYTES_MAX, Signature, verify};
use crate::trust::{Signer, TrustError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Signs by running a program as `PROGRAM -Y sign -f FILE -n NAMESPACE`.
#[derive(Debug, Clone)]
pub struct HelperSigner {
    program: PathBuf,
    file: PathBuf,
    key: PublicKey,
}

impl HelperSigner {
    /// A signer with the key in `file`. The program is the user's to name, never a repository's.
    pub fn new(program: &Path, file: &Path, key: &PublicKey) -> Self {
        Self { program: program.to_owned(), file: file.to_owned(), key: key.clone() }
    }

    fn failed(&self, source: io::Error) -> TrustError {
        TrustError::Helper { program: self.program.clone(), source }
    }

    fn run(&self, namespace: Namespace, statement: &[u8]) -> io::Result<String> {
        let mut child = Command::new(&self.program)
            .args(["-Y", "sign", "-n", namespace.as_str(), "-f"])
            .arg(&self.file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let talked = talk(&mut child, statement);
        let status = child.wait()?;
        let text = talked?;
        if status.success() { Ok(text) } else { Err(io::Error::other(format!("it ended with {status}"))) }
    }
}

/// The statement goes in whole before anything comes out: `ssh-keygen` reads to the end first.
fn talk(child: &mut Child, statement: &[u8]) -> io::Result<String> {
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let written = stdin.map(|mut stdin| stdin.write_all(statement));
    let mut text = String::new();
    if let Some(stdout) = stdout {
        stdout.take(2 * SIGNATURE_BYTES_MAX as u64).read_to_string(&mut text)?;
    }
    // A program that ended before it read everything says by its exit status why.
    match written {
        Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(text),
    }
}

impl Signer for HelperSigner {
    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    fn sign(&self, namespace: Namespace, statement: &[u8]) -> Result<Signature, TrustError> {
        let text = self.run(namespace, statement).map_err(|source| self.failed(source))?;
        let signature = Signature::parse_armored(&text)?;
        let verified = verify(statement, &signature, namespace)?;
        if verified.key() == &self.key {
            Ok(signature)
        } else {
            Err(TrustError::OtherKey {
                path: self.file.clone(),
                expected: self.key.fingerprint(),
                found: verified.key().fingerprint(),
            })
        }
    }
}
