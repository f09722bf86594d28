#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
//! Who somebody is and what proves it: access tokens, the keys that seal them, passwords.
//!
//! This crate keeps no records. Whether a session lives and what a user may do are questions for the registry, asked by
//! `lectern-host` at every request; here is only what can be answered from a token, a key file or a hash alone.
//!
//! | module | what |
//! |---|---|
//! | [`access_token`] | [`TokenKeys`]: seals and opens access tokens |
//! | [`key_file`] | the file of the keys: made on first start, rotated, read again when it changed |
//! | [`shared_keys`] | the keys in the registry, for several nodes |
//! | [`opened`] | tokens that were opened lately |
//! | [`password`] | Argon2id, on blocking threads, a few at a time |

pub mod access_token;
pub mod key_file;
pub mod opened;
pub mod password;
pub mod shared_keys;
#[cfg(test)]
mod testing;

pub use access_token::{TOKEN_LENGTH_MAX, TOKEN_LIFETIME, TokenKeys};
pub use key_file::{KeyFileError, OldKeys, Rotated, rotate};
pub use password::{PasswordError, Passwords};
pub use shared_keys::{SharedKeyError, rotate_shared};
