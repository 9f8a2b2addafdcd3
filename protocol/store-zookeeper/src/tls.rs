//! Encrypted connections: the server's certificate is checked against the given authorities and no others.

use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zookeeper_client::TlsOptions;

/// Files in PEM form, read anew for each connection, so that they can be exchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files {
    /// The authorities that a server's certificate may come from.
    pub(crate) ca: PathBuf,
    /// The certificate that is shown to the server, with its key.
    pub(crate) own: Option<(PathBuf, PathBuf)>,
}

impl Files {
    /// The text of an error names the option and the file.
    pub(crate) fn read(&self) -> Result<TlsOptions, String> {
        // Of two providers of cryptography in one program rustls takes neither by itself. Whichever is chosen first stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = TlsOptions::new();
        let options = with_text("ca-file", &self.ca, |ca| {
            certificates(ca)?;
            options.with_pem_ca(ca).map_err(|_| "none of its certificates is one of an authority".to_owned())
        })?;
        let Some((certificate_file, key_file)) = &self.own else { return Ok(options) };
        with_text("cert-file", certificate_file, |certificate| {
            certificates(certificate)?;
            Ok(with_text("key-file", key_file, |key| {
                PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| said(&error))?;
                options
                    .with_pem_identity(certificate, key)
                    .map_err(|_| "it is of no kind that is known".to_owned())
            }))
        })?
    }
}

/// Does something with a file's text; an error names the option and the file.
fn with_text<T>(
    option: &str,
    path: &Path,
    then: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, String> {
    let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
    read.and_then(|text| then(&text))
        .map_err(|why| format!("{option} {} cannot be used: {why}", path.display()))
}

fn certificates(text: &str) -> Result<(), String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let found = read.map_err(|error| said(&error))?;
    if found.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(()) }
}

/// The library's words show what was parsed; a key must not be shown.
fn said(error: &Error) -> String {
    let why =
        if matches!(error, Error::NoItemsFound) { "there is no key in it" } else { "it is not in PEM form" };
    why.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ca = folder.path().join("ca.pem");
        let files = Files { ca: ca.clone(), own: None };
        let broken = "-----BEGIN CERTIFICATE-----\nkipper!\n-----END CERTIFICATE-----\n";
        for (content, reason) in [
            (None, "No such file"),
            (Some(""), "no certificate in it"),
            (Some("kipper"), "no certificate in it"),
            (Some(broken), "not in PEM form"),
        ] {
            if let Some(content) = content {
                std::fs::write(&ca, content).expect("written");
            }
            let told = files.read().expect_err("not usable");
            assert!(told.starts_with(&format!("ca-file {} cannot be used", ca.display())), "{told}");
            assert!(told.contains(reason) && !told.contains("kipper"), "{told}");
        }
    }
}
