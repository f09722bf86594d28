//! Every address of ours that leaves the house, made from the public URL in one place.

use wopi::{ContainerId, FileId};

use crate::ports::TokenClaims;

/// Whether a page of ours shows a document for reading or for writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageMode {
    /// The action `view`.
    View,
    /// The action `edit`.
    Edit,
}

impl PageMode {
    /// The word for it in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Edit => "edit",
        }
    }
}

/// What one of our own addresses means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A file: its WOPISrc, its page, or its FileUrl.
    File(FileId),
    /// A container.
    Container(ContainerId),
}

/// The addresses of a host.
#[derive(Clone, Debug)]
pub struct Links {
    public_url: String,
}

impl Links {
    /// The addresses under a public URL without a slash at its end.
    pub fn new(public_url: &str) -> Self {
        Self { public_url: public_url.trim_end_matches('/').to_owned() }
    }

    /// The WOPISrc of a file: byte-identical for everyone, for ever.
    pub fn wopi_src(&self, file: &FileId) -> String {
        format!("{}/wopi/files/{file}", self.public_url)
    }

    /// The address of a container.
    pub fn container(&self, container: &ContainerId) -> String {
        format!("{}/wopi/containers/{container}", self.public_url)
    }

    /// The address of the ecosystem.
    pub fn ecosystem(&self) -> String {
        format!("{}/wopi/ecosystem", self.public_url)
    }

    /// The page that opens a file in an editor.
    pub fn file_page(&self, file: &FileId, mode: PageMode) -> String {
        format!("{}/open/{file}/{}", self.public_url, mode.as_str())
    }

    /// The page about a file: sharing, history, who holds it.
    pub fn details_page(&self, file: &FileId) -> String {
        format!("{}/details/{file}", self.public_url)
    }

    /// The page of a container.
    pub fn container_page(&self, container: &ContainerId, mode: PageMode) -> String {
        format!("{}/browse/{container}/{}", self.public_url, mode.as_str())
    }

    /// A `FileUrl`: good for itself, because clients add nothing to it.
    pub fn file_url(&self, file: &FileId, token: &str) -> String {
        format!("{}/file/{file}/{token}", self.public_url)
    }

    /// Scheme, host and port, as `PostMessageOrigin` wants them.
    pub fn origin(&self) -> &str {
        let start = self.public_url.find("://").map_or(0, |at| at + 3);
        let end = self.public_url[start..].find('/').map_or(self.public_url.len(), |at| start + at);
        &self.public_url[..end]
    }

    /// An address with its token. Our tokens need no encoding in a query.
    pub fn with_token(&self, address: &str, token: &str, claims: &TokenClaims) -> String {
        format!("{address}?access_token={token}&access_token_ttl={}", claims.expires_at.0)
    }

    /// What an address of ours means, WOPISrc and pages alike; `None` if it is not ours.
    pub fn place(&self, address: &str) -> Option<Place> {
        let path = address.strip_prefix(&self.public_url)?;
        let path = path.split(['?', '#']).next()?;
        let mut segments = path.split('/').skip(1);
        match (segments.next()?, segments.next()?, segments.next()) {
            ("wopi", "files", Some(id)) | ("open", id, _) => FileId::parse(id).map(Place::File),
            ("wopi", "containers", Some(id)) | ("browse", id, _) => ContainerId::parse(id).map(Place::Container),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_recognised_again() {
        let links = Links::new("https://h.example/docs/");
        let file = FileId::parse("f1").unwrap();
        let container = ContainerId::parse("c1").unwrap();
        assert_eq!(links.wopi_src(&file), "https://h.example/docs/wopi/files/f1");
        assert_eq!(links.origin(), "https://h.example");
        for address in [
            links.wopi_src(&file),
            links.file_page(&file, PageMode::Edit),
            format!("{}?wdx=1", links.file_page(&file, PageMode::View)),
            format!("{}?access_token=x", links.wopi_src(&file)),
        ] {
            assert_eq!(links.place(&address), Some(Place::File(file.clone())), "{address}");
        }
        assert_eq!(links.place(&links.container(&container)), Some(Place::Container(container)));
        for foreign in ["https://evil.example/docs/wopi/files/f1", "https://h.example/docs", "f1", ""] {
            assert_eq!(links.place(foreign), None, "{foreign}");
        }
    }
}
