//! What operations on containers and folders answer.

answer! {
    /// CheckContainerInfo. Also comes along as `ContainerInfo` where a client would ask next anyway.
    CheckContainerInfo {
        /// The container's name, no path.
        name: String,
    }
    optional {
        /// The container's page in a browser.
        host_url: String,
        /// The page where its sharing is managed.
        sharing_url: String,
        /// As in CheckFileInfo.
        is_anonymous_user: bool,
        /// As in CheckFileInfo, and the same as in the files within; Office on phones requires it.
        is_edu_user: bool,
        /// As in CheckFileInfo, and the same as in the files within; Office on phones requires it.
        license_check_for_edit_is_enabled: bool,
        /// The types that GetShareUrl gives for this container: `ReadOnly`, `ReadWrite`.
        supported_share_url_types: Vec<String>,
        /// Whether the user may make containers in it.
        user_can_create_child_container: bool,
        /// Whether the user may make files in it.
        user_can_create_child_file: bool,
        /// Whether the user may remove it.
        user_can_delete: bool,
        /// Whether the user may rename it.
        user_can_rename: bool,
    }
}

answer! {
    /// A container in a list.
    ContainerPointer {
        /// CheckContainerInfo's `Name`.
        name: String,
        /// The container's URL with an access token.
        url: String,
    }
}

answer! {
    /// CreateChildContainer.
    CreateChildContainer {
        /// The new container.
        container_pointer: ContainerPointer,
    }
    optional {
        /// What CheckContainerInfo would say of it.
        container_info: CheckContainerInfo,
    }
}

answer! {
    /// CreateChildFile.
    CreateChildFile {
        /// The new file's name with its extension.
        name: String,
        /// The new file's WOPISrc with an access token.
        url: String,
    }
    optional {
        /// The host's page that views the new file.
        host_view_url: String,
        /// The host's page that edits the new file.
        host_edit_url: String,
        /// The host's page that edits the new file with the `editnew` action.
        host_edit_new_url: String,
    }
}

answer! {
    /// RenameContainer.
    RenameContainer {
        /// The name that the container has now.
        name: String,
    }
}

answer! {
    /// EnumerateAncestors, of files and of containers.
    EnumerateAncestors {
        /// The root first, the parent last.
        ancestors_with_root_first: Vec<ContainerPointer>,
    }
}

answer! {
    /// EnumerateChildren. Both lists are always there.
    EnumerateChildren {
        /// The containers in it.
        child_containers: Vec<ContainerPointer>,
        /// The files in it.
        child_files: Vec<ChildFile>,
    }
}

answer! {
    /// A file in a list.
    ChildFile {
        /// CheckFileInfo's `BaseFileName`.
        name: String,
        /// The file's WOPISrc with an access token.
        url: String,
        /// CheckFileInfo's `Version`.
        version: String,
        /// CheckFileInfo's `Size`.
        size: u64,
    }
    optional {
        /// CheckFileInfo's `LastModifiedTime`.
        last_modified_time: String,
    }
}

answer! {
    /// CheckFolderInfo (OneNote): a subset of CheckFileInfo, deprecated properties included.
    CheckFolderInfo {
        /// The folder's name.
        folder_name: String,
        /// The id of the owner.
        owner_id: String,
    }
    optional {
        /// An icon for the brand.
        breadcrumb_brand_icon_url: String,
        /// As in CheckFileInfo.
        breadcrumb_brand_name: String,
        /// As in CheckFileInfo.
        breadcrumb_brand_url: String,
        /// As in CheckFileInfo.
        breadcrumb_doc_name: String,
        /// As in CheckFileInfo.
        breadcrumb_doc_url: String,
        /// As in CheckFileInfo.
        breadcrumb_folder_name: String,
        /// As in CheckFileInfo.
        breadcrumb_folder_url: String,
        /// As in CheckFileInfo.
        client_url: String,
        /// As in CheckFileInfo.
        close_button_closes_window: bool,
        /// As in CheckFileInfo.
        close_url: String,
        /// As in CheckFileInfo.
        file_sharing_url: String,
        /// As in CheckFileInfo.
        host_authentication_id: String,
        /// As in CheckFileInfo.
        host_edit_url: String,
        /// As in CheckFileInfo.
        host_embedded_edit_url: String,
        /// As in CheckFileInfo.
        host_embedded_view_url: String,
        /// As in CheckFileInfo.
        host_name: String,
        /// As in CheckFileInfo.
        host_view_url: String,
        /// As in CheckFileInfo.
        presence_provider: String,
        /// As in CheckFileInfo.
        presence_user_id: String,
        /// As in CheckFileInfo.
        privacy_url: String,
        /// As in CheckFileInfo.
        signout_url: String,
        /// As in CheckFileInfo.
        supports_secure_store: bool,
        /// As in CheckFileInfo.
        tenant_id: String,
        /// As in CheckFileInfo.
        terms_of_use_url: String,
        /// As in CheckFileInfo.
        user_can_write: bool,
        /// As in CheckFileInfo.
        user_friendly_name: String,
        /// As in CheckFileInfo.
        user_id: String,
        /// As in CheckFileInfo.
        web_editing_disabled: bool,
    }
}

answer! {
    /// EnumerateChildren of a folder (OneNote).
    FolderEnumerateChildren {
        /// The files in it.
        children: Vec<FolderChild>,
    }
}

answer! {
    /// A file in a folder (OneNote).
    FolderChild {
        /// The file's name.
        name: String,
        /// The file's WOPISrc with an access token.
        url: String,
        /// CheckFileInfo's `Version`.
        version: String,
    }
}
