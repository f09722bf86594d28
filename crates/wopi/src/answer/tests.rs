use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::route::{Kind, KindSet};

/// What is written is exactly this text, and reading it gives the same value.
fn is_json<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(answer: &T, text: &str) {
    assert_eq!(serde_json::to_string(answer).unwrap(), text);
    assert_eq!(serde_json::from_str::<T>(text).unwrap(), *answer);
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn pointer() -> ContainerPointer {
    ContainerPointer { name: "Papers".to_owned(), url: "https://h/wopi/containers/2?access_token=t".to_owned() }
}

fn container_info() -> CheckContainerInfo {
    CheckContainerInfo { name: "Papers".to_owned(), user_can_delete: Some(true), ..Default::default() }
}

fn who() -> BootstrapInfo {
    BootstrapInfo {
        ecosystem_url: "https://h/wopi/ecosystem?access_token=t".to_owned(),
        user_id: "u1".to_owned(),
        sign_in_name: "anna@example.org".to_owned(),
        user_friendly_name: some("Anna"),
    }
}

const WHO: &str = r#"{"EcosystemUrl":"https://h/wopi/ecosystem?access_token=t","UserId":"u1","SignInName":"anna@example.org","UserFriendlyName":"Anna"}"#;
const POINTER: &str = r#"{"Name":"Papers","Url":"https://h/wopi/containers/2?access_token=t"}"#;

#[test]
fn check_file_info() {
    let mut info = CheckFileInfo {
        base_file_name: "Übersicht.docx".to_owned(),
        owner_id: "u1".to_owned(),
        size: 12_345_678_901,
        user_id: "u2".to_owned(),
        version: "7".to_owned(),
        ..Default::default()
    };
    let required = r#""BaseFileName":"Übersicht.docx","OwnerId":"u1","Size":12345678901,"UserId":"u2","Version":"7""#;
    is_json(&info, &format!("{{{required}}}"));

    info.supports_locks = Some(true);
    info.supported_share_url_types = Some(vec!["ReadOnly".to_owned(), "ReadWrite".to_owned()]);
    info.user_can_not_write_relative = Some(false);
    info.sha256 = some("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    info.file_name_max_length = Some(250);
    info.user_extra_info = Some(UserExtraInfo { avatar: some("https://h/a.png"), ..Default::default() });
    is_json(
        &info,
        &[
            "{",
            required,
            r#","SupportsLocks":true,"SupportedShareUrlTypes":["ReadOnly","ReadWrite"],"#,
            r#""UserCanNotWriteRelative":false,"FileNameMaxLength":250,"#,
            r#""SHA256":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=","#,
            r#""UserExtraInfo":{"avatar":"https://h/a.png"}}"#,
        ]
        .concat(),
    );
}

#[test]
fn a_table_of_coauth_locks_has_one_member_and_its_rows_have_five() {
    is_json(&CoauthTable::default(), r#"{"CoauthTable":[]}"#);
    let row = CoauthTableRow {
        coauth_lock_id: "C1".to_owned(),
        coauth_lock_metadata: String::new(),
        coauth_lock_type: crate::coauth::CoauthLockType::CoauthExclusive,
        user_friendly_name: "Anna".to_owned(),
        coauth_lock_time: 1_700_000_000_000,
    };
    let text = r#"{"CoauthLockId":"C1","CoauthLockMetadata":"","CoauthLockType":"CoauthExclusive","UserFriendlyName":"Anna","CoauthLockTime":1700000000000}"#;
    is_json(&CoauthTable { coauth_table: vec![row] }, &format!(r#"{{"CoauthTable":[{text}]}}"#));
}

#[test]
fn the_properties_of_cspp_plus_come_together() {
    let info = CheckFileInfo {
        plus: Some(CsppPlus {
            supports_coauth: true,
            sequence_number: 3,
            office_collaboration_service_endpoint_url: "https://c/".to_owned(),
            real_time_channel_endpoint_url: "https://r/".to_owned(),
            access_token_expiry: 1,
            server_time: 2,
            sharing_status: "Private".to_owned(),
            file_geo_location_code: String::new(),
        }),
        ..Default::default()
    };
    is_json(
        &info,
        &[
            r#"{"BaseFileName":"","OwnerId":"","Size":0,"UserId":"","Version":"","SupportsCoauth":true,"#,
            r#""SequenceNumber":3,"OfficeCollaborationServiceEndpointUrl":"https://c/","#,
            r#""RealTimeChannelEndpointUrl":"https://r/","AccessTokenExpiry":1,"ServerTime":2,"#,
            r#""SharingStatus":"Private","FileGeoLocationCode":""}"#,
        ]
        .concat(),
    );
}

/// *Files endpoint* 1.3 to 1.12 and *WOPI clients* 2.3: the names of all optional properties by type.
const BOOLEANS: &str = "
    AllowAddActivitiesUserBatching AllowAdditionalMicrosoftServices AllowEarlyFeatures
    AllowErrorReportPrompt AllowExternalMarketplace AppStateHistoryPostMessage CloseButtonClosesWindow
    ClosePostMessage DisableBrowserCachingOfUserContent DisableChangeTrackingRecord
    DisableChangeTrackingShow DisableCopy DisableExport DisableInactiveMessages DisableInsertLocalImage
    DisablePrint DisableTranslation DownloadAsPostMessage EditModePostMessage EditNotificationPostMessage
    EditingCannotSave EnableInsertRemoteFile EnableInsertRemoteImage EnableOwnerTermination
    EnableRemoteAIContent EnableRemoteLinkPicker EnableShare FileEmbedCommandPostMessage
    FileSharingPostMessage FileVersionPostMessage HideChangeTrackingControls HideExportOption
    HidePrintOption HideRepairOption HideSaveOption InsertImagePostMessage IsAdminUser IsAnonymousUser
    IsEduUser IsUserLocked IsUserRestricted IsYammerEnabled LicenseCheckForEditIsEnabled
    OpenInClientPostMessage PermissionsPostMessage PolicyCheckPostMessage ProtectInClient ProtectedFile
    ReadOnly ReportAbusePostMessage RestrictedWebViewOnly SupportsAddActivities SupportsCheckPolicy
    SupportsCheckUserAccess SupportsCobalt SupportsContactsResolution SupportsContainers SupportsDeleteFile
    SupportsEcosystem SupportsExtendedLockLength SupportsFileCreation SupportsFileUserValue SupportsFolders
    SupportsGetActivities SupportsGetFileWopiSrc SupportsGetLock SupportsGrantUserAccess SupportsLocks
    SupportsPolicies SupportsRename SupportsResumableFileTransfer SupportsReviewing SupportsScenarioLinks
    SupportsSecureStore SupportsUpdate SupportsUserInfo TemporarilyNotWritable UserCanAttend
    UserCanNotWriteRelative UserCanOnlyComment UserCanOnlyManageRedlines UserCanPresent UserCanRename
    UserCanReview UserCanWrite WebEditingDisabled WorkflowPostMessage";
const STRINGS: &str = "
    AADUserObjectId AppCatalogUrl AppliedPolicyId BreadcrumbBrandName BreadcrumbBrandUrl BreadcrumbDocName
    BreadcrumbDocUrl BreadcrumbFolderName BreadcrumbFolderUrl ClientThrottlingProtection ClientUrl CloseUrl
    ComplianceDomainPrefix CopyPasteRestrictions DirectInvokeDAVUrl DownloadUrl EditAndReplyUrl
    EmbeddingPageOrigin EmbeddingPageSessionInfo FileEmbedCommandUrl FileExtension FileSharingUrl FileUrl
    FileVersionUrl HideUserList HostAuthenticationId HostAuthenticationIdType HostDivSyndicationViewUrl
    HostEditUrl HostEmbeddedEditUrl HostEmbeddedViewUrl HostName HostNotes HostRestUrl HostViewUrl
    IrmPolicyDescription IrmPolicyTitle LastModifiedTime LicensedOrganization ObfuscatedUserId
    OpenInClientCommandUrl PostMessageOrigin PresenceProvider PresenceUserId PresentationLeader PrivacyUrl
    ReportAbuseUrl RequestedCallThrottling SHA256 SafeLinksStatus SignInUrl SignoutUrl TemplateSaveAs
    TemplateSource TenantId TermsOfUseUrl TimeZone UniqueContentId UserFriendlyName UserInfo
    UserPrincipalName WatermarkText WorkflowUrl";
const LISTS: &str = "
    CobaltCapabilities EnabledApplicationFeatures SupportedShareUrlTypes WorkflowType";

#[test]
fn every_published_property_is_known_by_its_name_and_type() {
    let objects = [
        ("FileNameMaxLength", json!(250)),
        ("UserExtraInfo", json!({"avatar": "https://a", "mail": "a@b", "is_admin": true, "is_guest": false})),
        (
            "UserPrivateInfo",
            json!({"ZoteroAPIKey": "k", "SignatureCert": "c", "SignatureKey": "k", "SignatureCa": "a"}),
        ),
        (
            "ServerPrivateInfo",
            json!({"ESignatureBaseUrl": "https://s", "ESignatureClientId": "i", "ESignatureSecret": "s"}),
        ),
        ("UserSettings", json!({"uri": "https://u", "url": "https://u", "stamp": "1"})),
        ("SharedSettings", json!({"uri": "https://u", "url": "https://u", "stamp": "1"})),
    ];
    let of = |names: &'static str, sample: Value| names.split_whitespace().map(move |name| (name, sample.clone()));
    let mut all = json!({"BaseFileName": "a", "OwnerId": "o", "Size": 1, "UserId": "u", "Version": "v"});
    let optional = of(BOOLEANS, json!(true)).chain(of(STRINGS, json!("x"))).chain(of(LISTS, json!(["x"])));
    for (name, sample) in optional.chain(objects) {
        assert_eq!(all.as_object_mut().unwrap().insert(name.to_owned(), sample), None, "{name}");
    }
    let info: CheckFileInfo = serde_json::from_value(all.clone()).unwrap();
    assert_eq!(serde_json::to_value(&info).unwrap(), all);
    // The five required ones, the eight of CSPP Plus, and nothing that the list above does not name.
    let fields = format!("{info:?}");
    assert!(!fields.replace("plus: None", "").contains(": None"), "{fields}");
}

#[test]
fn what_a_host_says_beyond_the_documents_is_passed_over() {
    let said =
        r#"{"BaseFileName":"a","OwnerId":"o","Size":1,"UserId":"u","Version":"v","Bonus":{"a":[]},"CloseUrl":null}"#;
    let info: CheckFileInfo = serde_json::from_str(said).unwrap();
    assert_eq!((info.size, info.close_url, info.plus), (1, None, None));
}

/// The flags that hold for exactly these operations; *Files endpoint* 1.3.
#[test]
fn a_flag_is_set_only_if_everything_it_promises_is_there() {
    use Kind::*;
    let table: &[(&str, &[Kind])] = &[
        ("SupportsLocks", &[Lock, UnlockAndRelock, RefreshLock, Unlock]),
        ("SupportsExtendedLockLength", &[Lock, UnlockAndRelock, RefreshLock, Unlock]),
        ("SupportsGetLock", &[GetLock]),
        ("SupportsUpdate", &[PutFile]),
        ("SupportsRename", &[RenameFile]),
        ("SupportsDeleteFile", &[DeleteFile]),
        ("SupportsUserInfo", &[PutUserInfo]),
        (
            "SupportsContainers",
            &[
                CheckContainerInfo,
                CreateChildContainer,
                CreateChildFile,
                DeleteContainer,
                DeleteFile,
                EnumerateAncestors,
                ContainerEnumerateAncestors,
                EnumerateChildren,
                ContainerGetEcosystem,
                RenameContainer,
            ],
        ),
        ("SupportsEcosystem", &[CheckEcosystem, GetRootContainer, GetEcosystem, ContainerGetEcosystem]),
        ("SupportsGetFileWopiSrc", &[GetFileWopiSrc]),
        ("SupportsAddActivities", &[AddActivities]),
        ("SupportsGetActivities", &[GetActivities]),
        ("SupportsFileUserValue", &[GetFileUserValue]),
        ("SupportsFolders", &[CheckFolderInfo, FolderEnumerateChildren, DeleteFile]),
        ("SupportsCobalt", &[ExecuteCellStorageRequest, ExecuteCellStorageRelativeRequest]),
        ("SupportsSecureStore", &[ReadSecureStore]),
        ("SupportsScenarioLinks", &[GetRestrictedLink, RevokeRestrictedLink]),
    ];
    let announced = |kinds: KindSet| {
        let mut info = super::CheckFileInfo::default();
        info.announce(kinds);
        let info = serde_json::to_value(info).unwrap();
        let flags = info.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("Supports"));
        let mut flags: Vec<_> = flags.map(|(name, value)| (name.clone(), value.clone())).collect();
        flags.sort_by(|a, b| a.0.cmp(&b.0));
        flags
    };
    let expected = |kinds: KindSet| {
        let flags = table.iter().filter(|(_, promised)| kinds.has_all(promised));
        let mut flags: Vec<_> = flags.map(|(name, _)| ((*name).to_owned(), json!(true))).collect();
        flags.sort_by(|a, b| a.0.cmp(&b.0));
        flags
    };
    let all = KindSet::EMPTY.with_all(Kind::ALL);
    assert_eq!(announced(all).len(), table.len());
    assert_eq!(announced(KindSet::EMPTY), []);
    for (_, promised) in table {
        let exactly = KindSet::EMPTY.with_all(promised);
        assert_eq!(announced(exactly), expected(exactly));
    }
    for kind in Kind::ALL {
        assert_eq!(announced(all.without(*kind)), expected(all.without(*kind)), "without {kind:?}");
    }
}

#[test]
fn announcing_again_takes_back_what_no_longer_holds() {
    let mut info = CheckFileInfo {
        supported_share_url_types: Some(vec!["ReadOnly".to_owned()]),
        plus: Some(CsppPlus::default()),
        ..Default::default()
    };
    let all = KindSet::EMPTY.with_all(Kind::ALL);
    info.announce(all);
    assert!(info.plus.is_some() && info.supported_share_url_types.is_some());
    assert_eq!((info.supports_locks, info.supports_resumable_file_transfer), (Some(true), Some(true)));
    info.announce(all.without(Kind::Unlock).without(Kind::GetCoauthTable).without(Kind::GetShareUrl));
    assert!(info.plus.is_none() && info.supported_share_url_types.is_none());
    assert_eq!((info.supports_locks, info.supports_resumable_file_transfer), (None, None));
}

#[test]
fn a_host_without_put_relative_file_says_so_and_a_users_own_limit_stays() {
    let all = KindSet::EMPTY.with_all(Kind::ALL);
    for (before, kinds, after) in [
        (None, all, false),
        (Some(false), all, false),
        (Some(true), all, true),
        (None, all.without(Kind::PutRelativeFile), true),
        (Some(false), all.without(Kind::PutRelativeFile), true),
    ] {
        let mut info = CheckFileInfo { user_can_not_write_relative: before, ..Default::default() };
        info.announce(kinds);
        assert_eq!(info.user_can_not_write_relative, Some(after));
    }
}

#[test]
fn answers_on_files() {
    is_json(
        &PutFile { last_modified_time: last_modified_time(0) },
        r#"{"LastModifiedTime":"1970-01-01T00:00:00.0000000Z"}"#,
    );
    let (name, url) = ("b.docx".to_owned(), "https://h/wopi/files/2?access_token=t".to_owned());
    let mut relative =
        PutRelativeFile { name: name.clone(), url: url.clone(), host_view_url: None, host_edit_url: None };
    is_json(&relative, r#"{"Name":"b.docx","Url":"https://h/wopi/files/2?access_token=t"}"#);
    relative.host_view_url = some("https://h/view");
    relative.host_edit_url = some("https://h/edit");
    is_json(
        &relative,
        r#"{"Name":"b.docx","Url":"https://h/wopi/files/2?access_token=t","HostViewUrl":"https://h/view","HostEditUrl":"https://h/edit"}"#,
    );
    is_json(&RenameFile { name: "b".to_owned(), url: None }, r#"{"Name":"b"}"#);
    is_json(
        &RenameFile { name: "b".to_owned(), url: Some(url) },
        r#"{"Name":"b","Url":"https://h/wopi/files/2?access_token=t"}"#,
    );
    is_json(&ShareUrl { share_url: "https://h/s/1".to_owned() }, r#"{"ShareUrl":"https://h/s/1"}"#);
    is_json(
        &ReadSecureStore {
            user_name: "u".to_owned(),
            password: "p".to_owned(),
            is_windows_credentials: Some(true),
            is_group: None,
        },
        r#"{"UserName":"u","Password":"p","IsWindowsCredentials":true}"#,
    );
}

#[test]
fn activities_are_read_whatever_else_is_in_them() {
    let sent = r#"{"Activities":[
        {"Type":"comment","Id":"0000000A-0000-0000-0000-000000000000","Created":"2017-02-15T13:47:13000000Z",
         "Data":{"CommentText":"text","ContentId":"c","NavigationId":"n","ContentAction":"created","IsReply":true,"B":1},
         "People":[{"Name":"P","Id":"3","Provider":"wopi-h","Mentioned":true,"InThread":true,"RepliedTo":true,"B":1}],
         "Bonus":"future"},
        {"Type":"unsupported","Timestamp":"2017-03-15T13:47:13000000Z","Data":null,"People":null},
        {}],"Bonus":[]}"#;
    let read: AddActivitiesRequest = serde_json::from_str(sent).unwrap();
    let first = Activity {
        kind: some("comment"),
        id: some("0000000A-0000-0000-0000-000000000000"),
        created: some("2017-02-15T13:47:13000000Z"),
        timestamp: None,
        data: Some(ActivityData {
            content_id: some("c"),
            content_action: some("created"),
            navigation_id: some("n"),
            comment_text: some("text"),
            is_reply: Some(true),
        }),
        people: vec![ActivityPerson {
            name: some("P"),
            id: some("3"),
            provider: some("wopi-h"),
            mentioned: Some(true),
            in_thread: Some(true),
            replied_to: Some(true),
        }],
    };
    let second =
        Activity { kind: some("unsupported"), timestamp: some("2017-03-15T13:47:13000000Z"), ..Default::default() };
    assert_eq!(read.activities, [first, second, Activity::default()]);
    for nothing in ["{}", r#"{"Activities":null}"#, r#"{"Activities":[]}"#] {
        assert_eq!(serde_json::from_str::<AddActivitiesRequest>(nothing).unwrap(), AddActivitiesRequest::default());
    }
    is_json(
        &AddActivities {
            activity_responses: vec![
                ActivityResponse { id: "a".to_owned(), status: ActivityResponse::ACCEPTED },
                ActivityResponse { id: "B".to_owned(), status: ActivityResponse::UNSUPPORTED_TYPE },
            ],
        },
        r#"{"ActivityResponses":[{"Id":"a","Status":0},{"Id":"B","Status":3}]}"#,
    );
}

#[test]
fn answers_on_containers() {
    is_json(&container_info(), r#"{"Name":"Papers","UserCanDelete":true}"#);
    let full = json!({
        "Name": "Papers", "HostUrl": "https://h/c", "SharingUrl": "https://h/s", "IsAnonymousUser": false,
        "IsEduUser": false, "LicenseCheckForEditIsEnabled": true, "SupportedShareUrlTypes": ["ReadOnly"],
        "UserCanCreateChildContainer": true, "UserCanCreateChildFile": true, "UserCanDelete": true,
        "UserCanRename": true,
    });
    let read: CheckContainerInfo = serde_json::from_value(full.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), full);

    is_json(
        &CreateChildContainer { container_pointer: pointer(), container_info: None },
        &format!(r#"{{"ContainerPointer":{POINTER}}}"#),
    );
    is_json(
        &CreateChildContainer { container_pointer: pointer(), container_info: Some(container_info()) },
        &format!(r#"{{"ContainerPointer":{POINTER},"ContainerInfo":{{"Name":"Papers","UserCanDelete":true}}}}"#),
    );
    is_json(
        &CreateChildFile {
            name: "n.docx".to_owned(),
            url: "https://h/wopi/files/3?access_token=t".to_owned(),
            host_view_url: some("https://h/v"),
            host_edit_url: some("https://h/e"),
            host_edit_new_url: some("https://h/n"),
        },
        &[
            r#"{"Name":"n.docx","Url":"https://h/wopi/files/3?access_token=t","HostViewUrl":"https://h/v","#,
            r#""HostEditUrl":"https://h/e","HostEditNewUrl":"https://h/n"}"#,
        ]
        .concat(),
    );
    is_json(&RenameContainer { name: "New".to_owned() }, r#"{"Name":"New"}"#);
    is_json(&EnumerateAncestors::default(), r#"{"AncestorsWithRootFirst":[]}"#);
    is_json(
        &EnumerateAncestors { ancestors_with_root_first: vec![pointer()] },
        &format!(r#"{{"AncestorsWithRootFirst":[{POINTER}]}}"#),
    );
    is_json(&EnumerateChildren::default(), r#"{"ChildContainers":[],"ChildFiles":[]}"#);
    let file = ChildFile {
        name: "a.docx".to_owned(),
        url: "https://h/wopi/files/1?access_token=t".to_owned(),
        version: "7".to_owned(),
        size: 5,
        last_modified_time: None,
    };
    is_json(
        &EnumerateChildren { child_containers: vec![pointer()], child_files: vec![file] },
        &[
            r#"{"ChildContainers":["#,
            POINTER,
            r#"],"ChildFiles":[{"Name":"a.docx","Url":"https://h/wopi/files/1?access_token=t","Version":"7","Size":5}]}"#,
        ]
        .concat(),
    );
}

#[test]
fn answers_on_folders() {
    is_json(
        &CheckFolderInfo {
            folder_name: "Notes".to_owned(),
            owner_id: "u1".to_owned(),
            breadcrumb_brand_icon_url: some("https://h/i"),
            user_can_write: Some(true),
            ..Default::default()
        },
        r#"{"FolderName":"Notes","OwnerId":"u1","BreadcrumbBrandIconUrl":"https://h/i","UserCanWrite":true}"#,
    );
    let child = FolderChild { name: "a.one".to_owned(), url: "https://h/f".to_owned(), version: "1".to_owned() };
    is_json(
        &FolderEnumerateChildren { children: vec![child] },
        r#"{"Children":[{"Name":"a.one","Url":"https://h/f","Version":"1"}]}"#,
    );
}

#[test]
fn answers_of_the_ecosystem() {
    is_json(&CheckEcosystem::default(), "{}");
    is_json(&CheckEcosystem { supports_containers: Some(true) }, r#"{"SupportsContainers":true}"#);
    let url = "https://h/wopi/ecosystem?access_token=t".to_owned();
    is_json(&GetEcosystem { url }, r#"{"Url":"https://h/wopi/ecosystem?access_token=t"}"#);
    is_json(
        &GetRootContainer { container_pointer: pointer(), container_info: None },
        &format!(r#"{{"ContainerPointer":{POINTER}}}"#),
    );
    let url = "https://h/wopi/files/1?access_token=t".to_owned();
    is_json(&GetFileWopiSrc { url }, r#"{"Url":"https://h/wopi/files/1?access_token=t"}"#);
}

#[test]
fn answers_of_the_bootstrapper() {
    is_json(&Bootstrap { bootstrap: who() }, &format!(r#"{{"Bootstrap":{WHO}}}"#));
    let token = AccessTokenInfo { access_token: "t".to_owned(), access_token_expiry: 1_700_000_000_000 };
    let mut new = GetNewAccessToken { bootstrap: who(), access_token_info: token, end_points: None };
    let info = r#""AccessTokenInfo":{"AccessToken":"t","AccessTokenExpiry":1700000000000}"#;
    is_json(&new, &format!(r#"{{"Bootstrap":{WHO},{info}}}"#));
    new.end_points = Some(EndPoints {
        real_time_channel_endpoint_url: "https://r/".to_owned(),
        office_collaboration_service_endpoint_url: "https://c/".to_owned(),
    });
    let points = r#""RealTimeChannelEndpointUrl":"https://r/","OfficeCollaborationServiceEndpointUrl":"https://c/""#;
    is_json(&new, &format!(r#"{{"Bootstrap":{WHO},{info},"EndPoints":{{{points}}}}}"#));
    is_json(
        &BootstrapGetRootContainer {
            bootstrap: who(),
            root_container_info: GetRootContainer { container_pointer: pointer(), container_info: None },
        },
        &format!(r#"{{"Bootstrap":{WHO},"RootContainerInfo":{{"ContainerPointer":{POINTER}}}}}"#),
    );
    is_json(
        &BootstrapGetFileWopiSrc {
            bootstrap: who(),
            wopi_src_info: GetFileWopiSrc { url: "https://h/wopi/files/1?access_token=t".to_owned() },
        },
        &format!(r#"{{"Bootstrap":{WHO},"WopiSrcInfo":{{"Url":"https://h/wopi/files/1?access_token=t"}}}}"#),
    );
}
