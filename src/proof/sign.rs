//! Signatures over the manifest, in the format of `ssh-keygen -Y`.
//!
//! A manifest tells accident; whoever can change a file can write a new manifest as well. A signature tells forgery. The
//! keys are the Ed25519 keys that people have for SSH, and what is written can be checked without this program:
//!
//! ```sh
//! ssh-keygen -Y verify -f allowed_signers -I audit@corp.example -n regrant -s manifest.json.sig < manifest.json
//! ```

use std::path::Path;

use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use super::ProofError;

/// What a signature is for, so that one made for another purpose does not pass as one over a manifest.
pub const NAMESPACE: &str = "regrant";

/// A private key that signs reports.
pub struct SigningKey(PrivateKey);

impl SigningKey {
    /// Reads an OpenSSH private key (`-----BEGIN OPENSSH PRIVATE KEY-----`).
    ///
    /// # Errors
    /// When it cannot be read, is encrypted, or is not Ed25519.
    pub fn load(path: &Path) -> Result<SigningKey, ProofError> {
        let text = std::fs::read(path).map_err(|error| ProofError::unread(path, &error))?;
        let help = "make one with `ssh-keygen -t ed25519 -N '' -f regrant-signing`";
        if text.starts_with(b"ssh-") {
            let help = "name the file without `.pub`; the public half is for `regrant verify --signer`";
            return Err(ProofError::at(path, "is the public half of a key", help));
        }
        let key = PrivateKey::from_openssh(text)
            .map_err(|error| ProofError::at(path, format!("is no OpenSSH private key: {error}"), help))?;
        if key.is_encrypted() {
            let message = "the key is encrypted, and nobody is there at night to type its passphrase";
            let help = "keep a key for this alone, without a passphrase, readable by the account that runs regrant";
            return Err(ProofError::at(path, message, help));
        }
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(ProofError::at(path, format!("is a key of {}, expected Ed25519", key.algorithm()), help));
        }
        Ok(SigningKey(key))
    }

    /// The signature over a text, armoured. Ed25519 needs no randomness: the same text gives the same signature.
    ///
    /// # Errors
    /// None that can happen with a key that was loaded; the crate's interface has them.
    pub fn sign(&self, text: &[u8]) -> Result<String, ssh_key::Error> {
        self.0.sign(NAMESPACE, HashAlg::Sha512, text)?.to_pem(LineEnding::LF)
    }

    /// The public half as people compare it: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        self.0.public_key().fingerprint(HashAlg::Sha256).to_string()
    }
}

/// What a signature says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// By a key that was named, with its fingerprint.
    ByNamed(String),
    /// By a key, given by its fingerprint, that nobody named.
    BySomebody(String),
    /// Not at all as it claims: why.
    Not(String),
}

/// Checks a signature over `text`. `signers` is the text of a public key, of an `authorized_keys` or of an
/// `allowed_signers` file; null trusts nobody, and then only says which key it was.
///
/// # Errors
/// When the named file holds no Ed25519 key.
pub fn check(text: &[u8], signature: &[u8], signers: Option<(&Path, &str)>) -> Result<Signed, ProofError> {
    let trusted = signers.map(|(path, lines)| public_keys(path, lines)).transpose()?;
    let signature = match SshSig::from_pem(signature) {
        Ok(signature) => signature,
        Err(error) => return Ok(Signed::Not(format!("it is no signature of ssh-keygen: {error}"))),
    };
    let key = PublicKey::from(signature.public_key().clone());
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    if key.algorithm() != Algorithm::Ed25519 {
        return Ok(Signed::Not(format!("it is made with a key of {}, expected Ed25519", key.algorithm())));
    }
    if let Err(error) = key.verify(NAMESPACE, text, &signature) {
        return Ok(Signed::Not(format!("it does not fit the manifest ({error}); it claims the key {fingerprint}")));
    }
    Ok(match trusted {
        None => Signed::BySomebody(fingerprint),
        Some(keys) if keys.iter().any(|trusted| trusted.key_data() == key.key_data()) => Signed::ByNamed(fingerprint),
        Some(_) => Signed::Not(format!("it fits, but is by the key {fingerprint}, which is not among those named")),
    })
}

/// The Ed25519 keys of a file that has one a line, whatever stands before and behind them.
fn public_keys(path: &Path, lines: &str) -> Result<Vec<PublicKey>, ProofError> {
    let mut keys = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace().skip_while(|word| *word != "ssh-ed25519").skip(1);
        if let Some(encoded) = words.next()
            && let Ok(key) = PublicKey::from_openssh(&format!("ssh-ed25519 {encoded}"))
        {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        let message = "holds no line with `ssh-ed25519` and a key";
        let help = "name the public half of the signing key (its `.pub` file), or an allowed_signers file";
        return Err(ProofError::at(path, message, help));
    }
    Ok(keys)
}
