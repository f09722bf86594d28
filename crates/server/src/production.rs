//! The program as it is shipped: folder, SQLite, the WOPI service over the host. Assembled when those crates are merged.

use std::convert::Infallible;

use http::{Request, Response};
use lectern_host::Body;

use crate::trouble::Trouble;
use crate::wiring::{DiscoverySummary, Parts, Premises, Served, Wiring};

/// The program as it is shipped.
#[derive(Clone, Copy, Debug)]
pub struct Production;

fn not_assembled() -> Trouble {
    Trouble::new("this build has no registry and no contents in it").hint("build the merged program")
}

impl Wiring for Production {
    type Wopi = tower::util::BoxCloneService<Request<Body>, Response<Body>, Infallible>;

    async fn open(&self, _: &Premises) -> Result<Parts, Trouble> {
        Err(not_assembled())
    }

    async fn serve(&self, _: &Premises) -> Result<Served<Self::Wopi>, Trouble> {
        Err(not_assembled())
    }

    fn read_discovery(&self, _: &str) -> Result<DiscoverySummary, String> {
        Err(not_assembled().what().to_owned())
    }
}
