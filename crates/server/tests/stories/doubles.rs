//! What a story holds in its own hands: time, chance, and the documents that clients publish.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use lectern_host::BoxError;
use lectern_host::ports::{Clock, DiscoverySource, Random};
use lectern_host::records::Timestamp;
use wopi::proof::SigningKey;

/// A clock that stands still until somebody moves it.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    /// 2026-03-02, eight o'clock in the morning.
    pub(crate) const START: Timestamp = Timestamp(1_772_438_400_000);

    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(Self::START.0))
    }

    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// SplitMix64: the same bytes in every run, different ones at every call.
#[derive(Debug)]
pub(crate) struct Seeded(Mutex<u64>);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Random for Seeded {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        for byte in buffer {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (mixed ^ (mixed >> 31)) as u8;
        }
    }
}

/// The web as far as discovery goes: an address has the document that the story put there, or nobody answers.
#[derive(Debug, Default)]
pub(crate) struct Web {
    documents: Mutex<HashMap<String, String>>,
    fetches: AtomicUsize,
}

impl Web {
    pub(crate) fn publish(&self, url: &str, xml: &str) {
        self.documents.lock().unwrap().insert(url.to_owned(), xml.to_owned());
    }

    /// From now on nobody answers.
    pub(crate) fn goes_dark(&self) {
        self.documents.lock().unwrap().clear();
    }

    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl DiscoverySource for Web {
    async fn fetch(&self, url: &str) -> Result<String, BoxError> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        self.documents.lock().unwrap().get(url).cloned().ok_or_else(|| "connection refused".into())
    }
}

/// Three keys, made once for all stories: making one takes longer than most of them.
pub(crate) fn key(number: usize) -> &'static SigningKey {
    static KEYS: [OnceLock<SigningKey>; 3] = [const { OnceLock::new() }; 3];
    KEYS[number].get_or_init(|| SigningKey::generate().unwrap())
}

/// A discovery document that opens office files, with these proof keys.
pub(crate) fn discovery(current: Option<&SigningKey>, old: Option<&SigningKey>) -> String {
    let key = current.map_or(String::new(), |current| {
        let current = current.public();
        let old = old.map_or(String::new(), |old| {
            let old = old.public();
            format!(r#" oldmodulus="{}" oldexponent="{}""#, old.modulus_base64(), old.exponent_base64())
        });
        format!(r#"<proof-key modulus="{}" exponent="{}"{old}/>"#, current.modulus_base64(), current.exponent_base64())
    });
    format!(
        r#"<wopi-discovery><net-zone name="external-https"><app name="Word">
             <action name="edit" ext="docx" default="true" urlsrc="https://office.example/we/frame.aspx?"/>
           </app></net-zone>{key}</wopi-discovery>"#
    )
}
