//! What CheckFileInfo tells of our pages: where a client sends people, and what it leaves to the page around it.
//!
//! A switch of the kind `…PostMessage` makes a client do nothing but tell the page; the editor page of `lectern-web` answers
//! each of these. The addresses beside them are for clients that open a window instead (protocol/clients.md 8.2), and for
//! those without such a switch.

use wopi::answer::CheckFileInfo;

use crate::host::Host;
use crate::links::PageMode;
use crate::records::{ContainerRecord, FileRecord};

/// What stands before the names in a client's breadcrumb.
const BRAND: &str = "Lectern";

impl Host {
    /// The part of CheckFileInfo that is about our pages.
    pub(crate) fn told_of_pages(
        &self,
        record: &FileRecord,
        container: &ContainerRecord,
        may_edit: bool,
    ) -> CheckFileInfo {
        let links = &self.links;
        let folder = links.container_page(&container.id, PageMode::View);
        let details = links.details_page(&record.id);
        CheckFileInfo {
            host_view_url: Some(links.file_page(&record.id, PageMode::View)),
            host_edit_url: may_edit.then(|| links.file_page(&record.id, PageMode::Edit)),
            edit_mode_post_message: may_edit.then_some(true),
            close_url: Some(folder.clone()),
            close_post_message: Some(true),
            file_sharing_url: Some(format!("{details}#sharing")),
            file_sharing_post_message: Some(true),
            enable_share: Some(true),
            file_version_url: Some(format!("{details}#history")),
            file_version_post_message: Some(true),
            // Asks the page for a picture, whose address the page then tells.
            enable_insert_remote_image: may_edit.then_some(true),
            breadcrumb_brand_name: Some(BRAND.to_owned()),
            breadcrumb_brand_url: Some(format!("{}/", self.settings.public_url)),
            breadcrumb_folder_url: Some(folder),
            ..CheckFileInfo::default()
        }
    }
}
