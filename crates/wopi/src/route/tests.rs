use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn ask(method: &str, path: &str, sent: &[(HeaderName, &str)]) -> Result<(Target, Kind), WopiError> {
    let mut headers = HeaderMap::new();
    for (name, value) in sent {
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    route(&method.parse().unwrap(), path, &headers)
}

fn file_1() -> Target {
    Target::File(FileId::parse("1").unwrap())
}

/// `protocol` documents, *Files endpoint*, section 0, line by line; the last lines are section 17.
#[test]
fn every_line_of_the_table_of_files() {
    use headers::{OLD_LOCK, OVERRIDE, RELATIVE_TARGET};
    let table: &[(&str, &str, &str, Option<HeaderName>, Kind)] = &[
        ("GET", "", "", None, Kind::CheckFileInfo),
        ("GET", "/contents", "", None, Kind::GetFile),
        ("POST", "/contents", "PUT", None, Kind::PutFile),
        ("POST", "", "LOCK", None, Kind::Lock),
        ("POST", "", "LOCK", Some(OLD_LOCK), Kind::UnlockAndRelock),
        ("POST", "", "GET_LOCK", None, Kind::GetLock),
        ("POST", "", "REFRESH_LOCK", None, Kind::RefreshLock),
        ("POST", "", "UNLOCK", None, Kind::Unlock),
        ("POST", "", "PUT_RELATIVE", None, Kind::PutRelativeFile),
        ("POST", "", "RENAME_FILE", None, Kind::RenameFile),
        ("POST", "", "DELETE", None, Kind::DeleteFile),
        ("POST", "", "PUT_USER_INFO", None, Kind::PutUserInfo),
        ("POST", "", "GET_SHARE_URL", None, Kind::GetShareUrl),
        ("POST", "", "ADD_ACTIVITIES", None, Kind::AddActivities),
        ("GET", "/ancestry", "", None, Kind::EnumerateAncestors),
        ("GET", "/ecosystem_pointer", "", None, Kind::GetEcosystem),
        ("POST", "", "READ_SECURE_STORE", None, Kind::ReadSecureStore),
        ("POST", "", "GET_RESTRICTED_LINK", None, Kind::GetRestrictedLink),
        ("POST", "", "REVOKE_RESTRICTED_LINK", None, Kind::RevokeRestrictedLink),
        ("POST", "", "COBALT", None, Kind::ExecuteCellStorageRequest),
        ("POST", "", "COBALT", Some(RELATIVE_TARGET), Kind::ExecuteCellStorageRelativeRequest),
        ("POST", "/activities", "GET_ACTIVITIES", None, Kind::GetActivities),
        ("POST", "", "GET_FILE_USER_VALUE", None, Kind::GetFileUserValue),
        ("POST", "", "GET_COAUTH_LOCK", None, Kind::GetCoauthLock),
        ("POST", "", "REFRESH_COAUTH_LOCK", None, Kind::RefreshCoauthLock),
        ("POST", "", "UNLOCK_COAUTH_LOCK", None, Kind::UnlockCoauthLock),
        ("POST", "", "GET_COAUTH_TABLE", None, Kind::GetCoauthTable),
        ("POST", "", "GET_SEQUENCE_NUMBER", None, Kind::GetSequenceNumber),
        ("POST", "", "GET_CHUNKED_FILE", None, Kind::GetChunkedFile),
        ("POST", "", "GET_CHUNKS", None, Kind::GetChunks),
        ("POST", "", "CREATE_UPLOAD_SESSION", None, Kind::CreateUploadSession),
        ("POST", "", "UPDATE_UPLOAD_SESSION", None, Kind::UpdateUploadSession),
        ("POST", "/contents", "PUT_CHUNKED_FILE", None, Kind::PutChunkedFile),
        // what nobody knows
        ("POST", "", "", None, Kind::UnknownFileOperation),
        ("POST", "", "FROBNICATE", None, Kind::UnknownFileOperation),
        ("POST", "", "PUT", None, Kind::UnknownFileOperation),
        ("POST", "", "PUT_CHUNKED_FILE", None, Kind::UnknownFileOperation),
        ("POST", "/contents", "", None, Kind::UnknownFileOperation),
        ("POST", "/contents", "LOCK", None, Kind::UnknownFileOperation),
        ("POST", "/ancestry", "", None, Kind::UnknownFileOperation),
        ("POST", "/activities", "", None, Kind::UnknownFileOperation),
        ("GET", "/activities", "", None, Kind::UnknownFileOperation),
        ("PUT", "", "", None, Kind::UnknownFileOperation),
        ("PUT", "/contents", "PUT", None, Kind::UnknownFileOperation),
        ("DELETE", "", "DELETE", None, Kind::UnknownFileOperation),
        ("HEAD", "/contents", "", None, Kind::UnknownFileOperation),
        ("OPTIONS", "", "", None, Kind::UnknownFileOperation),
    ];
    for (method, below, operation, other, kind) in table {
        let mut sent = vec![(OVERRIDE, *operation)];
        sent.extend(other.clone().map(|name| (name, "x")));
        let asked = ask(method, &format!("/wopi/files/1{below}"), &sent);
        assert_eq!(asked, Ok((file_1(), *kind)), "{method} {below} {operation}");
    }
}

/// `protocol` documents, *Containers, ecosystem and bootstrapper*, section 0; the folders are *Files* section 15.
#[test]
fn every_line_of_the_tables_of_containers_ecosystem_bootstrapper_and_folders() {
    let container = Target::Container(ContainerId::parse("1").unwrap());
    let folder = Target::Folder(ContainerId::parse("1").unwrap());
    let (ecosystem, bootstrapper) = (Target::Ecosystem, Target::Bootstrapper);
    let table: &[(&str, &str, &str, &Target, Kind)] = &[
        ("GET", "/wopi/containers/1", "", &container, Kind::CheckContainerInfo),
        ("POST", "/wopi/containers/1", "CREATE_CHILD_CONTAINER", &container, Kind::CreateChildContainer),
        ("POST", "/wopi/containers/1", "CREATE_CHILD_FILE", &container, Kind::CreateChildFile),
        ("POST", "/wopi/containers/1", "DELETE_CONTAINER", &container, Kind::DeleteContainer),
        ("POST", "/wopi/containers/1", "RENAME_CONTAINER", &container, Kind::RenameContainer),
        ("POST", "/wopi/containers/1", "GET_SHARE_URL", &container, Kind::ContainerGetShareUrl),
        ("GET", "/wopi/containers/1/ancestry", "", &container, Kind::ContainerEnumerateAncestors),
        ("GET", "/wopi/containers/1/children", "", &container, Kind::EnumerateChildren),
        ("GET", "/wopi/containers/1/ecosystem_pointer", "", &container, Kind::ContainerGetEcosystem),
        ("GET", "/wopi/ecosystem", "", &ecosystem, Kind::CheckEcosystem),
        ("POST", "/wopi/ecosystem", "GET_WOPI_SRC_WITH_ACCESS_TOKEN", &ecosystem, Kind::GetFileWopiSrc),
        ("GET", "/wopi/ecosystem/root_container_pointer", "", &ecosystem, Kind::GetRootContainer),
        ("GET", "/wopibootstrapper", "", &bootstrapper, Kind::Bootstrap),
        ("POST", "/wopibootstrapper", "GET_NEW_ACCESS_TOKEN", &bootstrapper, Kind::GetNewAccessToken),
        ("POST", "/wopibootstrapper", "GET_ROOT_CONTAINER", &bootstrapper, Kind::BootstrapGetRootContainer),
        ("POST", "/wopibootstrapper", "GET_WOPI_SRC_WITH_ACCESS_TOKEN", &bootstrapper, Kind::BootstrapGetFileWopiSrc),
        ("GET", "/wopi/folders/1", "", &folder, Kind::CheckFolderInfo),
        ("GET", "/wopi/folders/1/children", "", &folder, Kind::FolderEnumerateChildren),
        // what nobody knows
        ("POST", "/wopi/containers/1", "", &container, Kind::UnknownContainerOperation),
        ("POST", "/wopi/containers/1", "DELETE", &container, Kind::UnknownContainerOperation),
        ("POST", "/wopi/containers/1/children", "", &container, Kind::UnknownContainerOperation),
        ("DELETE", "/wopi/containers/1", "", &container, Kind::UnknownContainerOperation),
        ("POST", "/wopi/ecosystem", "", &ecosystem, Kind::UnknownEcosystemOperation),
        ("POST", "/wopi/ecosystem/root_container_pointer", "", &ecosystem, Kind::UnknownEcosystemOperation),
        ("POST", "/wopi/folders/1", "DELETE", &folder, Kind::UnknownContainerOperation),
        ("PUT", "/wopi/folders/1/children", "", &folder, Kind::UnknownContainerOperation),
        // a shortcut that a host does not know is answered as a plain Bootstrap (section 13.4)
        ("POST", "/wopibootstrapper", "", &bootstrapper, Kind::Bootstrap),
        ("POST", "/wopibootstrapper", "FROBNICATE", &bootstrapper, Kind::Bootstrap),
        ("DELETE", "/wopibootstrapper", "", &bootstrapper, Kind::UnknownEcosystemOperation),
    ];
    for (method, path, operation, target, kind) in table {
        let name = if **target == Target::Bootstrapper { headers::ECOSYSTEM_OPERATION } else { headers::OVERRIDE };
        let asked = ask(method, path, &[(name, operation)]);
        assert_eq!(asked, Ok(((*target).clone(), *kind)), "{method} {path} {operation}");
    }
}

/// `protocol` documents, *Common rules*, section 1.
#[test]
fn the_segment_before_the_endpoint_begins_with_wopi_and_any_prefix_goes() {
    let file = |id: &str| Ok((Target::File(FileId::parse(id).unwrap()), Kind::CheckFileInfo));
    let missing = Err(WopiError::NotFound);
    for (path, found) in [
        ("/modules/wopi/files/abc", file("abc")),
        ("/wopi_test/files/abc", file("abc")),
        ("/a/b/c/d/wopi2/files/abc", file("abc")),
        ("/api_wopi/files/abc", missing.clone()),
        ("/files/abc", missing.clone()),
        ("/officeonline/files/abc", missing.clone()),
        ("/wopi/files/ids/abc", missing.clone()),
        ("/wopi/files", missing.clone()),
        ("/wopi/files/", missing.clone()),
        ("/wopi/files/abc/", missing.clone()),
        ("/wopi/files//contents", missing.clone()),
        ("/wopi//files/abc", missing.clone()),
        ("/wopi/containers/1/contents", missing.clone()),
        ("/wopi/folders/1/ancestry", missing.clone()),
        ("/wopi/ecosystem/", missing.clone()),
        ("/wopi/ecosystem/other", missing.clone()),
        ("/ecosystem", missing.clone()),
        ("/api_wopibootstrapper", missing.clone()),
        ("/wopibootstrapper/", missing.clone()),
        ("/health/live", missing.clone()),
        ("/", missing.clone()),
        ("", missing.clone()),
        ("wopi/files/abc", file("abc")),
        // ids are decoded, and then must be ids
        ("/wopi/files/a%62c", file("abc")),
        ("/wopi/files/a%2Fb", missing.clone()),
        ("/wopi/files/%2e%2e", missing.clone()),
        ("/wopi/files/%ff", missing.clone()),
        ("/wopi/files/ä", missing.clone()),
        // ids that look like something else
        ("/wopi/files/files", file("files")),
        ("/wopi/files/ecosystem", file("ecosystem")),
        ("/wopi/files/wopibootstrapper", file("wopibootstrapper")),
        ("/wopi/files/wopi1/ecosystem", missing),
    ] {
        assert_eq!(ask("GET", path, &[]), found, "{path}");
    }
    let contents = ask("GET", "/wopi_test/files/abc/contents", &[]);
    assert_eq!(contents, Ok((Target::File(FileId::parse("abc").unwrap()), Kind::GetFile)));
    assert_eq!(ask("GET", "/x/wopi/ecosystem", &[]), Ok((Target::Ecosystem, Kind::CheckEcosystem)));
    assert_eq!(ask("GET", "/x/wopibootstrapper", &[]), Ok((Target::Bootstrapper, Kind::Bootstrap)));
}

#[test]
fn an_override_is_read_whatever_its_case() {
    assert_eq!(ask("POST", "/wopi/files/1", &[(headers::OVERRIDE, "Get_Lock")]), Ok((file_1(), Kind::GetLock)));
}

#[test]
fn two_overrides_mean_nothing() {
    let sent = [(headers::OVERRIDE, "GET_LOCK"), (headers::OVERRIDE, "DELETE")];
    assert_eq!(ask("POST", "/wopi/files/1", &sent), Ok((file_1(), Kind::UnknownFileOperation)));
}

#[test]
fn an_empty_old_lock_makes_a_plain_lock() {
    let sent = [(headers::OVERRIDE, "LOCK"), (headers::OLD_LOCK, "")];
    assert_eq!(ask("POST", "/wopi/files/1", &sent), Ok((file_1(), Kind::Lock)));
}

#[test]
fn every_kind_fits_into_a_set_and_only_once() {
    let all = KindSet::EMPTY.with_all(Kind::ALL);
    for kind in Kind::ALL {
        assert!(all.has(*kind));
        assert!(!all.without(*kind).has(*kind));
        assert_eq!(all.without(*kind).with(*kind), all);
    }
    assert!(all.has_all(Kind::ALL) && !KindSet::EMPTY.has(Kind::CheckFileInfo));
}

proptest! {
    #[test]
    fn any_path_is_routed_without_a_panic(path in ".{0,80}", parts in "[/a-z%]{0,40}", operation in "[A-Z_]{0,12}") {
        let mut headers = HeaderMap::new();
        headers.insert(headers::OVERRIDE, HeaderValue::from_str(&operation).unwrap());
        for path in [path, format!("/wopi/files{parts}"), format!("/wopi{parts}")] {
            for method in [Method::GET, Method::POST] {
                if let Err(error) = route(&method, &path, &headers) {
                    prop_assert_eq!(error, WopiError::NotFound);
                }
            }
        }
    }
}
