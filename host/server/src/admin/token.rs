//! The admin token: compared in constant time, made where the operator gave none.

use std::{
    fs::OpenOptions,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Secret;

/// The token's digest. Digests are compared, so that not even the length of the token takes part in the timing.
pub(crate) struct Token([u8; 32]);

impl Token {
    /// The operator's token; else the one in `admin.token` of the state directory, which is made (mode 0600) where it is missing.
    ///
    /// # Errors
    /// The file cannot be read or made.
    pub fn open(given: Option<&Secret>, state: &Path) -> io::Result<Token> {
        if let Some(Secret(token)) = given {
            return Ok(Token::new(token));
        }
        let path = state.join("admin.token");
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        match std::fs::read_to_string(&path) {
            Ok(token) if token.trim().len() >= crate::config::MIN_TOKEN => return Ok(Token::new(token.trim())),
            Ok(_) => std::fs::remove_file(&path).map_err(named)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(named(error)),
        }
        let token = random()?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(named)?;
        file.write_all(format!("{token}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(named)?;
        Ok(Token::new(&token))
    }

    fn new(token: &str) -> Token {
        Token(Sha256::digest(token).into())
    }

    /// True for `Bearer TOKEN` (RFC 6750 §2.1).
    pub fn matches(&self, header: Option<&[u8]>) -> bool {
        let Some((scheme, token)) = header.and_then(|header| header.split_at_checked(7)) else { return false };
        let digest: [u8; 32] = Sha256::digest(token).into();
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(digest.ct_eq(&self.0))
    }
}

/// 256 bits of the kernel's, hexadecimal.
fn random() -> io::Result<String> {
    use std::fmt::Write;
    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_opens() {
        let token = Token::new("0123456789abcdef");
        assert!(token.matches(Some(b"Bearer 0123456789abcdef")));
        assert!(token.matches(Some(b"bearer 0123456789abcdef")));
        for wrong in [
            None,
            Some(&b""[..]),
            Some(b"Bearer"),
            Some(b"Bearer "),
            Some(b"Bearer 0123456789abcdeF"),
            Some(b"Basic 0123456789abcdef"),
        ] {
            assert!(!token.matches(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_token_is_made_once_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let first = Token::open(None, directory.path()).unwrap();
        let path = directory.path().join("admin.token");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim().len(), 64);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let header = format!("Bearer {}", text.trim());
        assert!(first.matches(Some(header.as_bytes())));
        assert!(Token::open(None, directory.path()).unwrap().matches(Some(header.as_bytes())));
    }
}
