//! A certificate authority of the test's own, and a certificate for its servers.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// PEM: the authority for whoever verifies, the certificate and its key in files for the servers.
pub(crate) struct Certificates {
    pub(crate) authority: String,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    /// For servers of these names.
    pub(crate) fn make(folder: &Path, names: &[&str]) -> Certificates {
        let authority_key = KeyPair::generate().unwrap();
        // Two names: OpenSSL takes a certificate whose issuer has its own name for one that signed itself.
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "Authority of the tests");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut server = CertificateParams::new(names).unwrap();
        server.distinguished_name.push(DnType::CommonName, "Mail server of the tests");
        server.use_authority_key_identifier_extension = true;
        let certificate = server.signed_by(&key, &issuer).unwrap();
        let made = Certificates { authority: pem, certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
        std::fs::write(&made.certificate, certificate.pem()).unwrap();
        std::fs::write(&made.key, key.serialize_pem()).unwrap();
        made
    }
}
