//! Stock OpenSSH for tests: keys, signatures and an agent in a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The kinds of keys that `ssh-keygen` makes without a device, with its arguments.
pub fn key_kinds() -> [(&'static str, &'static [&'static str]); 6] {
    [
        ("ed25519", &["-t", "ed25519"]),
        ("p256", &["-t", "ecdsa", "-b", "256"]),
        ("p384", &["-t", "ecdsa", "-b", "384"]),
        ("p521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa2048", &["-t", "rsa", "-b", "2048"]),
        ("rsa3072", &["-t", "rsa", "-b", "3072"]),
    ]
}

/// A folder with keys in it.
pub struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    #[allow(dead_code)]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the private key of that name is.
    pub fn key_path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a key and returns its public line.
    pub fn generate(&self, name: &str, arguments: &[&str], passphrase: &str) -> String {
        let output = self
            .command("ssh-keygen")
            .args(arguments)
            .args(["-q", "-N", passphrase, "-C", "someone@example", "-f"])
            .arg(self.key_path(name))
            .output()
            .expect("ssh-keygen; .ci/run installs it");
        success(&output);
        let line = fs::read_to_string(self.key_path(name).with_extension("pub")).expect("a public key");
        line.trim().to_owned()
    }

    /// What `ssh-keygen -l` says the fingerprint is.
    pub fn fingerprint(&self, name: &str) -> String {
        let output = self.command("ssh-keygen").arg("-lf").arg(self.key_path(name)).output().expect("runs");
        success(&output);
        let text = String::from_utf8(output.stdout).expect("text");
        text.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    /// Signs with the private key of that name.
    pub fn sign(&self, name: &str, namespace: &str, statement: &[u8]) -> String {
        let file = self.folder.path().join("statement");
        let armored = self.folder.path().join("statement.sig");
        let _ = fs::remove_file(&armored);
        fs::write(&file, statement).expect("written");
        let output = self
            .command("ssh-keygen")
            .args(["-Y", "sign", "-n", namespace, "-f"])
            .arg(self.key_path(name))
            .arg(&file)
            .output()
            .expect("runs");
        success(&output);
        fs::read_to_string(armored).expect("a signature")
    }

    /// Adds a line to the allowed signers.
    pub fn allow(&self, principal: &str, line: &str) {
        let path = self.folder.path().join("allowed_signers");
        let mut text = fs::read_to_string(&path).unwrap_or_default();
        text.push_str(&format!("{principal} {line}\n"));
        fs::write(path, text).expect("written");
    }

    /// Whether `ssh-keygen -Y verify` accepts.
    pub fn verifies(&self, principal: &str, namespace: &str, statement: &[u8], armored: &str) -> bool {
        let allowed = self.folder.path().join("allowed_signers");
        self.verifies_by(&allowed, principal, namespace, statement, armored)
    }

    /// The same with another file of allowed signers.
    pub fn verifies_by(
        &self,
        allowed: &Path,
        principal: &str,
        namespace: &str,
        statement: &[u8],
        armored: &str,
    ) -> bool {
        let (file, signature) = (self.folder.path().join("checked"), self.folder.path().join("checked.sig"));
        fs::write(&file, statement).expect("written");
        fs::write(&signature, armored).expect("written");
        let output = self
            .command("ssh-keygen")
            .args(["-Y", "verify", "-n", namespace, "-I", principal, "-f"])
            .arg(allowed)
            .arg("-s")
            .arg(&signature)
            .stdin(fs::File::open(&file).expect("there"))
            .output()
            .expect("runs");
        output.status.success()
    }

    /// A program that sees nothing of the user who runs the tests.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_remove("SSH_AUTH_SOCK")
            .env_remove("SSH_ASKPASS")
            .env("HOME", self.folder.path())
            .stdin(Stdio::null());
        command
    }
}

fn success(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
