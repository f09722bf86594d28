//! URLs under which others get an object from the store itself.

use std::time::Duration;

use http::Method;
use object_store::path::Path;
use object_store::signer::Signer as _;

use super::Inner;
use super::store::Store;
use super::trouble::Trouble;

impl Inner {
    /// A URL that gives this object for so long to whoever has it; `None` where there is no such thing. Signed here,
    /// without asking the store (Azure with a managed identity: asked once in ten hours for a key).
    pub(super) async fn direct_url(&self, key: &Path, lifetime: Duration) -> Result<Option<String>, Trouble> {
        let tried = format!("sign a URL of {}", self.place(key));
        let signed = async {
            match &self.store {
                Store::S3 { direct, .. } => direct.signed_url(Method::GET, key, lifetime).await.map(Some),
                Store::Azure { store, signs: true } => store.signed_url(Method::GET, key, lifetime).await.map(Some),
                Store::Azure { signs: false, .. } | Store::Directory { .. } => Ok(None),
            }
        };
        let url = self.patience.once(&tried, self.patience.answer, signed).await?;
        Ok(url.map(String::from))
    }
}
