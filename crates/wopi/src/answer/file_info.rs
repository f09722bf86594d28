//! CheckFileInfo, with every property that has been published.
//!
//! The groups follow the *Files endpoint* document, 1.2 to 1.12; the last two are what Collabora and ONLYOFFICE read
//! (*WOPI clients* 2.3). A host sends few of these. They are all here so that nobody has to send JSON of their own.

use serde::{Deserialize, Serialize};

answer! {
    /// What a file is and what this user may do with it.
    ///
    /// Nothing in it is secret: ONLYOFFICE shows all of it to the browser.
    CheckFileInfo {
        /// The file's name with its extension, no path.
        base_file_name: String,
        /// The id of the owner. Letters and digits.
        owner_id: String,
        /// Size in bytes.
        size: u64,
        /// The id of the user. Letters and digits.
        user_id: String,
        /// Changes with the content and never repeats.
        version: String,
        /// The eight properties of CSPP Plus: all or none, because the official validator knows no third way.
        #[serde(flatten)]
        plus: Option<CsppPlus>,
    }
    optional {
        // 1.3 What the host can do. `announce` sets these.

        /// Lock, UnlockAndRelock, RefreshLock and Unlock.
        supports_locks: bool,
        /// GetLock.
        supports_get_lock: bool,
        /// Lock ids of up to 1024 characters, not only 256.
        supports_extended_lock_length: bool,
        /// PutFile, and PutRelativeFile unless `UserCanNotWriteRelative`.
        supports_update: bool,
        /// RenameFile.
        supports_rename: bool,
        /// DeleteFile.
        supports_delete_file: bool,
        /// PutUserInfo.
        supports_user_info: bool,
        /// The operations on containers.
        supports_containers: bool,
        /// The operations on the ecosystem.
        supports_ecosystem: bool,
        /// GetFileWopiSrc.
        supports_get_file_wopi_src: bool,
        /// The types that GetShareUrl gives: `ReadOnly`, `ReadWrite`.
        supported_share_url_types: Vec<String>,
        /// The operations on folders (OneNote).
        supports_folders: bool,
        /// The cell storage requests (legacy).
        supports_cobalt: bool,
        /// AddActivities.
        supports_add_activities: bool,
        /// GetChunks and the upload sessions (CSPP Plus).
        supports_resumable_file_transfer: bool,

        // 1.4 Who the user is.

        /// The display name.
        user_friendly_name: String,
        /// Not signed in to the host.
        is_anonymous_user: bool,
        /// From a school. Office on phones requires it, equal to the container's.
        is_edu_user: bool,
        /// From a business: licences are checked. Office on phones requires it.
        license_check_for_edit_is_enabled: bool,
        /// What PutUserInfo stored last for this user.
        user_info: String,

        // 1.5 What the user may do. Hints for menus; the host checks every request.

        /// Change the file.
        user_can_write: bool,
        /// Rename the file.
        user_can_rename: bool,
        /// True: PutRelativeFile is refused with 501. Collabora takes a missing one for true.
        user_can_not_write_relative: bool,
        /// View a broadcast.
        user_can_attend: bool,
        /// Start a broadcast.
        user_can_present: bool,
        /// The user cannot change the file.
        read_only: bool,
        /// The client should not let the user download or open it elsewhere.
        restricted_web_view_only: bool,
        /// The client must not offer editing.
        web_editing_disabled: bool,
        /// Review; read by ONLYOFFICE.
        user_can_review: bool,

        // 1.6 The host's pages and addresses. Absolute URLs.

        /// The host's page that views the file.
        host_view_url: String,
        /// The host's page that edits the file.
        host_edit_url: String,
        /// A page for viewing it within another page.
        host_embedded_view_url: String,
        /// A page for editing it within another page (unused).
        host_embedded_edit_url: String,
        /// Where the window goes when the document is closed.
        close_url: String,
        /// Downloads the latest bytes.
        download_url: String,
        /// The page where sharing is managed.
        file_sharing_url: String,
        /// The page with the file's versions.
        file_version_url: String,
        /// The page that makes a link for embedding.
        file_embed_command_url: String,
        /// Where the bytes can be had without GetFile and without a token of WOPI's.
        file_url: String,
        /// Signs the user out.
        signout_url: String,
        /// Signs an anonymous user in.
        sign_in_url: String,

        // 1.7 Breadcrumbs.

        /// The host's name.
        breadcrumb_brand_name: String,
        /// Where it leads.
        breadcrumb_brand_url: String,
        /// The file's name as shown.
        breadcrumb_doc_name: String,
        /// The container's name as shown.
        breadcrumb_folder_name: String,
        /// Where it leads.
        breadcrumb_folder_url: String,

        // 1.8 Messages to the host's page.

        /// The origin of the host's page; no messages without it.
        post_message_origin: String,
        /// Send `UI_Close`.
        close_post_message: bool,
        /// Send `UI_Edit`.
        edit_mode_post_message: bool,
        /// Send `Edit_Notification`.
        edit_notification_post_message: bool,
        /// Send `UI_Sharing`.
        file_sharing_post_message: bool,
        /// Send `UI_FileVersions`.
        file_version_post_message: bool,
        /// Send `UI_FileEmbed`.
        file_embed_command_post_message: bool,
        /// Send `UI_Workflow`.
        workflow_post_message: bool,
        /// Send `App_PushState` and `App_PopState` (OneNote).
        app_state_history_post_message: bool,

        // 1.9 Miscellaneous.

        /// The extension with its dot.
        file_extension: String,
        /// Longest name without its extension; 250 if missing.
        file_name_max_length: u32,
        /// See [`last_modified_time`](super::last_modified_time).
        last_modified_time: String,
        /// Base64 of the content's SHA-256.
        #[serde(rename = "SHA256")]
        sha256: String,
        /// Stands in for `SHA256`.
        unique_content_id: String,
        /// No printing.
        disable_print: bool,
        /// No machine translation.
        disable_translation: bool,
        /// Close closes the window.
        close_button_closes_window: bool,
        /// Add-ins from elsewhere are allowed.
        allow_external_marketplace: bool,
        /// Services beyond editing are allowed.
        allow_additional_microsoft_services: bool,
        /// The client may ask for an error report.
        allow_error_report_prompt: bool,
        /// `BlockAll` or `CurrentDocumentOnly`.
        copy_paste_restrictions: String,
        /// From `MostProtected` to `LeastProtected`.
        client_throttling_protection: String,
        /// From `Normal` to `Critical`.
        requested_call_throttling: String,
        /// The host takes no writes for a while.
        temporarily_not_writable: bool,

        // 1.10 Unused, future or prerelease.

        /// For opening the file in a desktop application.
        client_url: String,
        /// Files can be created.
        supports_file_creation: bool,
        /// GetRestrictedLink and RevokeRestrictedLink (legacy).
        supports_scenario_links: bool,
        /// ReadSecureStore (legacy).
        supports_secure_store: bool,
        /// The user's time zone.
        time_zone: String,
        /// Never use: `UserId`.
        host_authentication_id: String,
        /// The user's id for presence.
        presence_user_id: String,
        /// Who gave it.
        presence_provider: String,
        /// The user's organisation.
        tenant_id: String,
        /// The user's principal name.
        user_principal_name: String,
        /// Undocumented.
        edit_and_reply_url: String,
        /// Opaque; comes back from outside.
        host_notes: String,
        /// A REST interface for the file.
        host_rest_url: String,
        /// Browsers should not cache content.
        disable_browser_caching_of_user_content: bool,
        /// The title of the rights policy.
        irm_policy_title: String,
        /// Its text, shown with the title.
        irm_policy_description: String,
        /// Rights are managed by the client.
        protect_in_client: bool,
        /// `DownloadStreaming`.
        cobalt_capabilities: Vec<String>,
        /// `Assign`, `Submit`.
        workflow_type: Vec<String>,
        /// The page of the workflow.
        workflow_url: String,

        // 1.11 Deprecated.

        /// Where the file's breadcrumb leads.
        breadcrumb_doc_url: String,
        /// Edits cannot be saved.
        editing_cannot_save: bool,
        /// The privacy statement.
        privacy_url: String,
        /// The terms of use.
        terms_of_use_url: String,
        /// The host's name.
        host_name: String,

        // 1.12 In the validator's schema only; nothing public says what they mean.

        /// Undocumented.
        #[serde(rename = "AADUserObjectId")]
        aad_user_object_id: String,
        /// Undocumented.
        allow_add_activities_user_batching: bool,
        /// Undocumented.
        allow_early_features: bool,
        /// Undocumented.
        app_catalog_url: String,
        /// Undocumented.
        applied_policy_id: String,
        /// Undocumented.
        #[serde(rename = "DirectInvokeDAVUrl")]
        direct_invoke_dav_url: String,
        /// Undocumented.
        embedding_page_origin: String,
        /// Undocumented.
        embedding_page_session_info: String,
        /// Undocumented.
        enabled_application_features: Vec<String>,
        /// Undocumented.
        host_authentication_id_type: String,
        /// Undocumented.
        host_div_syndication_view_url: String,
        /// Undocumented.
        insert_image_post_message: bool,
        /// Undocumented.
        is_yammer_enabled: bool,
        /// Undocumented.
        licensed_organization: String,
        /// Undocumented.
        open_in_client_command_url: String,
        /// Undocumented.
        open_in_client_post_message: bool,
        /// Undocumented.
        permissions_post_message: bool,
        /// Undocumented.
        policy_check_post_message: bool,
        /// Undocumented.
        protected_file: bool,
        /// Undocumented.
        report_abuse_post_message: bool,
        /// Undocumented.
        report_abuse_url: String,
        /// Undocumented.
        safe_links_status: String,
        /// Undocumented.
        supports_check_policy: bool,
        /// Undocumented.
        supports_check_user_access: bool,
        /// Undocumented.
        supports_contacts_resolution: bool,
        /// Undocumented.
        supports_file_user_value: bool,
        /// Undocumented.
        supports_get_activities: bool,
        /// Undocumented.
        supports_grant_user_access: bool,
        /// Undocumented.
        supports_policies: bool,
        /// Review; read by ONLYOFFICE.
        supports_reviewing: bool,
        /// Where data must stay; beside CSPP Plus.
        compliance_domain_prefix: String,

        // Read by Collabora and ONLYOFFICE.

        /// Comments only. Collabora then locks and saves whatever `UserCanWrite` says.
        user_can_only_comment: bool,
        /// A template to begin the file with.
        template_source: String,
        /// Hides printing.
        hide_print_option: bool,
        /// Images may come from the host (`UI_InsertGraphic`).
        enable_insert_remote_image: bool,

        // Read by Collabora.

        /// Tracked changes only.
        user_can_only_manage_redlines: bool,
        /// A name to save a template under (deprecated).
        template_save_as: String,
        /// Hides saving.
        hide_save_option: bool,
        /// Hides exporting.
        hide_export_option: bool,
        /// Hides repairing.
        hide_repair_option: bool,
        /// No export.
        disable_export: bool,
        /// No copying to the clipboard.
        disable_copy: bool,
        /// No messages to idle users.
        disable_inactive_messages: bool,
        /// Send `Download_As` in place of downloading.
        download_as_post_message: bool,
        /// The owner may end everyone's session.
        enable_owner_termination: bool,
        /// Shows sharing (`UI_Share`).
        enable_share: bool,
        /// Files may come from the host (`UI_InsertFile`).
        enable_insert_remote_file: bool,
        /// No images from the user's machine.
        disable_insert_local_image: bool,
        /// Links may come from the host (`UI_PickLink`).
        enable_remote_link_picker: bool,
        /// Generated content may come from the host (`UI_InsertAIContent`).
        #[serde(rename = "EnableRemoteAIContent")]
        enable_remote_ai_content: bool,
        /// `true`, `false`, or a list of `desktop`, `mobile`, `tablet`.
        hide_user_list: String,
        /// A watermark on every page.
        watermark_text: String,
        /// Shown to everyone in the document.
        user_extra_info: UserExtraInfo,
        /// Shown to this user only.
        user_private_info: UserPrivateInfo,
        /// Stays in Collabora's server.
        server_private_info: ServerPrivateInfo,
        /// The user's presets.
        user_settings: Preset,
        /// Everyone's presets.
        shared_settings: Preset,
        /// May see the server's administration.
        is_admin_user: bool,
        /// Features are locked for this user.
        is_user_locked: bool,
        /// Features are withheld from this user.
        is_user_restricted: bool,
        /// The user's id for logs.
        obfuscated_user_id: String,
        /// Whom a slide show follows.
        presentation_leader: String,
        /// Recording changes cannot be switched; missing is not false.
        disable_change_tracking_record: bool,
        /// Showing changes cannot be switched; missing is not false.
        disable_change_tracking_show: bool,
        /// Hides all of it; missing is not false.
        hide_change_tracking_controls: bool,
    }
}

answer! {
    /// The properties of CSPP Plus (*WOPI coauthoring locks* 2). To be sent only by hosts of that programme.
    CsppPlus {
        /// Coauthoring: all its operations.
        supports_coauth: bool,
        /// Which state the contents are in; more than 0.
        sequence_number: u64,
        /// The URL of discovery's action `collab`.
        office_collaboration_service_endpoint_url: String,
        /// The URL of discovery's action `rtc`.
        real_time_channel_endpoint_url: String,
        /// When the access token ends, in milliseconds since 1970-01-01 UTC.
        access_token_expiry: u64,
        /// When this was answered, in milliseconds since 1970-01-01 UTC.
        server_time: u64,
        /// `Private`, or `Shared` if anybody else has access.
        sharing_status: String,
        /// Where the file is; values only from Microsoft.
        file_geo_location_code: String,
    }
}

/// What Collabora shows of a user to everyone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserExtraInfo {
    /// The URL of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// An e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// Deprecated: `IsAdminUser`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_admin: Option<bool>,
    /// Deprecated: `IsAnonymousUser`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_guest: Option<bool>,
}

answer! {
    /// What Collabora shows to this user only.
    UserPrivateInfo {}
    optional {
        /// A key for Zotero.
        #[serde(rename = "ZoteroAPIKey")]
        zotero_api_key: String,
        /// A certificate for signing.
        signature_cert: String,
        /// Its key.
        signature_key: String,
        /// Its authority.
        signature_ca: String,
    }
}

answer! {
    /// What stays in Collabora's server.
    ServerPrivateInfo {}
    optional {
        /// The signing service.
        e_signature_base_url: String,
        /// Who asks it.
        e_signature_client_id: String,
        /// With what.
        e_signature_secret: String,
    }
}

/// Where Collabora finds presets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preset {
    /// The URL.
    pub uri: String,
    /// The same once more: documents and source disagree about the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Changes with what is there.
    pub stamp: String,
}
