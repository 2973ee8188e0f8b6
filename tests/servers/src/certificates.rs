//! Certificates of a test server, by the `openssl` that the database packages bring along.

use std::path::Path;

use crate::Error;
use crate::process::{self, command_as};

/// The authority's certificate: what clients are to trust.
pub(crate) const AUTHORITY: &str = "authority.crt";
pub(crate) const CERTIFICATE: &str = "server.crt";
pub(crate) const KEY: &str = "server.key";

const AUTHORITY_KEY: &str = "authority.key";

/// Makes an authority, and a certificate for 127.0.0.1 that it signed; both are good for two days.
pub(crate) fn make(dir: &Path, account: &str) -> Result<(), Error> {
    let request = |words: &[&str], key: &str, certificate: &str| {
        let mut openssl = command_as(account, "openssl");
        openssl.args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ]);
        openssl.args(words).args(["-keyout", key, "-out", certificate]).current_dir(dir);
        process::run(&mut openssl).map(drop)
    };
    request(&["-subj", "/CN=covet test authority"], AUTHORITY_KEY, AUTHORITY)?;
    // Signed, not self-signed: clients refuse an authority in the place of a server.
    let signed = ["-CA", AUTHORITY, "-CAkey", AUTHORITY_KEY, "-subj", "/CN=127.0.0.1"];
    let server = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
    request(&[signed.as_slice(), &server].concat(), KEY, CERTIFICATE)
}
