//! What keys, sealed values, slots and credentials promise.

mod credentials;
mod keystore;
mod macs;
mod seal;
mod secrets;
mod slots;
mod wrap;

use std::convert::Infallible;

use rand::{TryCryptoRng, TryRng};
use sealift::crypto::VaultId;

pub(crate) const VAULT: VaultId = VaultId([7; 16]);

/// A generator that gives out what it was given, and stops the test when it runs dry.
pub(crate) struct Script(Vec<u8>);

impl Script {
    pub(crate) fn new(parts: &[&[u8]]) -> Self {
        Self(parts.concat())
    }
}

impl TryRng for Script {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(into.len());
        into.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Script {}
