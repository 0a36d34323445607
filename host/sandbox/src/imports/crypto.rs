//! Hashing and signing with keys that the guest can name and not read.

use subtle::ConstantTimeEq;

use crate::bindings::patchbay::channel::crypto::{HashAlgorithm, Host, Problem, SignAlgorithm};
use crate::services::{self, CryptoProblem};
use crate::state::State;

/// Random bytes that one call answers at most.
const RANDOM_MAX: u32 = 1024;

impl Host for State {
    fn digest(&mut self, algorithm: HashAlgorithm, data: Vec<u8>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.host_call()?.digest(algorithm.into(), &data))
    }

    fn has(&mut self, secret: String) -> wasmtime::Result<bool> {
        Ok(self.host_call()?.has_secret(&secret))
    }

    fn hmac(&mut self, secret: String, algorithm: HashAlgorithm, data: Vec<u8>) -> wasmtime::Result<Result<Vec<u8>, Problem>> {
        Ok(self.host_call()?.hmac(&secret, algorithm.into(), &data).map_err(Problem::from))
    }

    fn sign(&mut self, secret: String, algorithm: SignAlgorithm, data: Vec<u8>) -> wasmtime::Result<Result<Vec<u8>, Problem>> {
        Ok(self.host_call()?.sign(&secret, algorithm.into(), &data).map_err(Problem::from))
    }

    fn public_key(&mut self, secret: String) -> wasmtime::Result<Result<Vec<u8>, Problem>> {
        Ok(self.host_call()?.public_key(&secret).map_err(Problem::from))
    }

    fn constant_time_equal(&mut self, a: Vec<u8>, b: Vec<u8>) -> wasmtime::Result<bool> {
        self.host_call()?;
        Ok(a.ct_eq(&b).into())
    }

    fn random(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        let length = length.min(RANDOM_MAX) as usize;
        Ok(self.host_call()?.random(length))
    }
}

impl From<HashAlgorithm> for services::HashAlgorithm {
    fn from(algorithm: HashAlgorithm) -> services::HashAlgorithm {
        match algorithm {
            HashAlgorithm::Sha1 => services::HashAlgorithm::Sha1,
            HashAlgorithm::Sha256 => services::HashAlgorithm::Sha256,
            HashAlgorithm::Sha512 => services::HashAlgorithm::Sha512,
        }
    }
}

impl From<SignAlgorithm> for services::SignAlgorithm {
    fn from(algorithm: SignAlgorithm) -> services::SignAlgorithm {
        match algorithm {
            SignAlgorithm::Es256 => services::SignAlgorithm::Es256,
            SignAlgorithm::Rs256 => services::SignAlgorithm::Rs256,
        }
    }
}

impl From<CryptoProblem> for Problem {
    fn from(problem: CryptoProblem) -> Problem {
        match problem {
            CryptoProblem::UnknownSecret(secret) => Problem::UnknownSecret(secret),
            CryptoProblem::WrongKey(reason) => Problem::WrongKey(reason),
        }
    }
}
