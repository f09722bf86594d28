use http::{HeaderName, HeaderValue, header};
use proptest::prelude::*;

use super::*;
use crate::headers as names;

fn headers(sent: &[(HeaderName, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in sent {
        headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

fn on_file(kind: Kind, sent: &[(HeaderName, &str)]) -> Result<FileOperation, WopiError> {
    let sent: Vec<_> = sent.iter().map(|(name, value)| (name.clone(), value.as_bytes())).collect();
    match parse(&Target::File(FileId::parse("1").unwrap()), kind, &headers(&sent))? {
        Operation::File(_, operation) => Ok(operation),
        other => panic!("{other:?}"),
    }
}

fn on_container(kind: Kind, sent: &[(HeaderName, &str)]) -> Result<ContainerOperation, WopiError> {
    let sent: Vec<_> = sent.iter().map(|(name, value)| (name.clone(), value.as_bytes())).collect();
    match parse(&Target::Container(ContainerId::parse("1").unwrap()), kind, &headers(&sent))? {
        Operation::Container(_, operation) => Ok(operation),
        other => panic!("{other:?}"),
    }
}

fn invalid<T>(header: &'static str) -> Result<T, WopiError> {
    Err(WopiError::InvalidRequest { header })
}

fn lock(text: &str) -> LockId {
    LockId::parse(text).unwrap()
}

#[test]
fn operations_on_locks_need_a_lock_id_that_can_be_one() {
    let long = "a".repeat(LockId::LENGTH_MAX + 1);
    for kind in [Kind::Lock, Kind::RefreshLock, Kind::Unlock] {
        assert_eq!(on_file(kind, &[]), invalid("X-WOPI-Lock"));
        for bad in ["", &long, "ä"] {
            assert_eq!(on_file(kind, &[(names::LOCK, bad)]), invalid("X-WOPI-Lock"), "{kind:?} {bad}");
        }
        assert_eq!(on_file(kind, &[(names::LOCK, "A"), (names::LOCK, "A")]), invalid("X-WOPI-Lock"));
    }
    let json = r#"{"S":"00000000-0000-0000-0000-000000000000","F":4}"#;
    assert_eq!(
        on_file(Kind::Lock, &[(names::LOCK, json)]),
        Ok(FileOperation::Lock { lock: lock(json), terms: LockTerms::default() })
    );
    assert_eq!(
        on_file(Kind::RefreshLock, &[(names::LOCK, "A")]),
        Ok(FileOperation::RefreshLock { lock: lock("A"), terms: LockTerms::default() })
    );
    assert_eq!(on_file(Kind::Unlock, &[(names::LOCK, "A")]), Ok(FileOperation::Unlock { lock: lock("A") }));
    assert_eq!(on_file(Kind::GetLock, &[]), Ok(FileOperation::GetLock));
}

#[test]
fn unlock_and_relock_needs_both_ids() {
    let both = [(names::OLD_LOCK, "A"), (names::LOCK, "B")];
    let relock = FileOperation::UnlockAndRelock { old: lock("A"), new: lock("B"), terms: LockTerms::default() };
    assert_eq!(on_file(Kind::UnlockAndRelock, &both), Ok(relock));
    assert_eq!(on_file(Kind::UnlockAndRelock, &both[..1]), invalid("X-WOPI-Lock"));
    assert_eq!(on_file(Kind::UnlockAndRelock, &both[1..]), invalid("X-WOPI-OldLock"));
}

#[test]
fn an_empty_lock_of_a_save_or_a_rename_is_no_lock() {
    let put = |sent: &[(HeaderName, &str)]| match on_file(Kind::PutFile, sent)? {
        FileOperation::PutFile { lock, .. } => Ok(lock),
        other => panic!("{other:?}"),
    };
    assert_eq!(put(&[]), Ok(None));
    assert_eq!(put(&[(names::LOCK, "")]), Ok(None));
    assert_eq!(put(&[(names::LOCK, "A")]), Ok(Some(lock("A"))));
    assert_eq!(put(&[(names::LOCK, &"a".repeat(1025))]), invalid("X-WOPI-Lock"));

    let name = RequestedName::new("b".to_owned());
    let sent = [(names::REQUESTED_NAME, "b"), (names::LOCK, ""), (names::COAUTH_LOCK_ID, "")];
    assert_eq!(
        on_file(Kind::RenameFile, &sent),
        Ok(FileOperation::RenameFile { name, presented: PresentedLock::None })
    );
}

#[test]
fn a_client_says_how_much_it_will_take() {
    let size_max = |sent: &[(HeaderName, &str)]| match on_file(Kind::GetFile, sent)? {
        FileOperation::GetFile { size_max, .. } => Ok(size_max),
        other => panic!("{other:?}"),
    };
    assert_eq!(size_max(&[]), Ok(2_147_483_647));
    assert_eq!(size_max(&[(names::MAX_EXPECTED_SIZE, "")]), Ok(2_147_483_647));
    assert_eq!(size_max(&[(names::MAX_EXPECTED_SIZE, "5")]), Ok(5));
    assert_eq!(size_max(&[(names::MAX_EXPECTED_SIZE, "9999999999")]), Ok(9_999_999_999));
    for garbage in ["many", "-1", "1e9"] {
        assert_eq!(size_max(&[(names::MAX_EXPECTED_SIZE, garbage)]), invalid("X-WOPI-MaxExpectedSize"), "{garbage}");
    }
}

#[test]
fn a_range_counts_only_if_it_is_understood() {
    let from = |first, last| Some(ByteRange::From { first, last });
    for (sent, range) in [
        ("bytes=0-9", from(0, Some(9))),
        ("Bytes = 5-", from(5, None)),
        ("bytes=5-", from(5, None)),
        ("bytes=-5", Some(ByteRange::Suffix(5))),
        ("bytes=-0", Some(ByteRange::Suffix(0))),
        ("bytes=9-9", from(9, Some(9))),
        ("bytes=9-8", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=+1-2", None),
        ("bytes=1-99999999999999999999", None),
        ("lines=1-2", None),
        ("bytes", None),
        ("", None),
    ] {
        let parsed = on_file(Kind::GetFile, &[(header::RANGE, sent)]);
        assert!(matches!(parsed, Ok(FileOperation::GetFile { range: found, .. }) if found == range), "{sent}");
    }
    for twice in [(header::RANGE, "bytes=1-2"), (header::IF_RANGE, "\"tag\"")] {
        let parsed = on_file(Kind::GetFile, &[(header::RANGE, "bytes=0-1"), twice]);
        assert!(matches!(parsed, Ok(FileOperation::GetFile { range: None, .. })));
    }
}

#[test]
fn a_range_is_cut_to_the_file() {
    let from = |first, last| ByteRange::From { first, last };
    for (range, within) in [
        (from(0, None), Some(0..10)),
        (from(9, Some(u64::MAX)), Some(9..10)),
        (from(2, Some(4)), Some(2..5)),
        (from(10, None), None),
        (ByteRange::Suffix(3), Some(7..10)),
        (ByteRange::Suffix(99), Some(0..10)),
        (ByteRange::Suffix(0), None),
    ] {
        assert_eq!(range.within(10), within, "{range:?}");
    }
    assert_eq!(from(0, None).within(0), None);
}

fn save(sent: &[(HeaderName, &str)]) -> Result<SaveFacts, WopiError> {
    match on_file(Kind::PutFile, sent)? {
        FileOperation::PutFile { save, .. } => Ok(save),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_collabora_says_about_a_save_comes_before_what_libreoffice_online_says() {
    let cool = [
        (names::COOL_TIMESTAMP, "2024-01-02T03:04:05.0000000Z"),
        (names::COOL_IS_MODIFIED_BY_USER, "false"),
        (names::COOL_IS_AUTOSAVE, "True"),
        (names::COOL_IS_EXIT_SAVE, "0"),
    ];
    let lool = [
        (names::LOOL_TIMESTAMP, "1970-01-01T00:00:00.0000000Z"),
        (names::LOOL_IS_MODIFIED_BY_USER, "true"),
        (names::LOOL_IS_AUTOSAVE, "false"),
        (names::LOOL_IS_EXIT_SAVE, "true"),
    ];
    let facts = SaveFacts {
        editors: Vec::new(),
        timestamp: Some("2024-01-02T03:04:05.0000000Z".to_owned()),
        modified_by_user: Some(false),
        autosave: true,
        exit_save: false,
    };
    assert_eq!(save(&cool), Ok(facts.clone()));
    assert_eq!(save(&[lool.clone(), cool].concat()), Ok(SaveFacts { exit_save: true, ..facts }));
    let alone = save(&lool).unwrap();
    assert_eq!(alone.timestamp.as_deref(), Some("1970-01-01T00:00:00.0000000Z"));
    assert_eq!((alone.modified_by_user, alone.autosave, alone.exit_save), (Some(true), false, true));
    assert_eq!(save(&[]), Ok(SaveFacts::default()));
}

#[test]
fn a_timestamp_that_cannot_be_one_is_refused_by_its_name() {
    let long = "1".repeat(SaveFacts::TIMESTAMP_LENGTH_MAX + 1);
    assert!(save(&[(names::LOOL_TIMESTAMP, &long[1..])]).is_ok());
    assert_eq!(save(&[(names::LOOL_TIMESTAMP, &long)]), invalid("X-LOOL-WOPI-Timestamp"));
    assert_eq!(save(&[(names::COOL_TIMESTAMP, "gestern, 5 Uhr früh")]), invalid("X-COOL-WOPI-Timestamp"));
}

#[test]
fn editors_never_stop_a_save() {
    let editors = |sent: &[&str]| {
        let sent: Vec<_> = sent.iter().map(|value| (names::EDITORS, *value)).collect();
        save(&sent).unwrap().editors
    };
    assert_eq!(editors(&["anna, bert ,,anna"]), ["anna", "bert"]);
    assert_eq!(editors(&["anna", "bert"]), ["anna", "bert"]);
    assert_eq!(editors(&["jürgen"]), ["jürgen"]);
    let long = "x".repeat(SaveFacts::EDITOR_LENGTH_MAX + 1);
    assert_eq!(editors(&[&format!("{long},{}", &long[1..])]), [&long[1..]]);
    let many: Vec<_> = (0..=SaveFacts::EDITORS_MAX).map(|n| n.to_string()).collect();
    assert_eq!(editors(&[&many.join(",")]).len(), SaveFacts::EDITORS_MAX);
}

fn suggested(name: &str) -> RelativeTarget {
    RelativeTarget::Suggested(Suggestion::Name(name.to_owned()))
}

fn specific(text: &str, overwrite: bool) -> RelativeTarget {
    RelativeTarget::Specific { name: RequestedName::new(text.to_owned()), overwrite }
}

fn put_relative(sent: &[(HeaderName, &str)]) -> Result<RelativeTarget, WopiError> {
    match on_file(Kind::PutRelativeFile, sent)? {
        FileOperation::PutRelativeFile { target, .. } => Ok(target),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_suggestion_is_never_refused_and_never_a_path() {
    for (sent, target) in [
        (".docx", RelativeTarget::Suggested(Suggestion::Extension(".docx".to_owned()))),
        ("madeup+AF8-name.docx", suggested("madeup_name.docx")),
        ("/folder/in/it/copy.docx", suggested("copy.docx")),
        ("..\\..\\copy.docx", suggested("copy.docx")),
        ("./copy.docx", suggested("copy.docx")),
        ("folder/", suggested("folder")),
        ("+AC8-etc+AC8-passwd", suggested("passwd")),
        ("/", suggested("")),
        ("..", suggested("..")),
        // as bad as can be
        ("cut +AP", suggested("cut ")),
        ("+2D0-.docx", suggested("\u{fffd}.docx")),
        ("ö.docx", suggested("ö.docx")),
    ] {
        assert_eq!(put_relative(&[(names::SUGGESTED_TARGET, sent)]), Ok(target), "{sent}");
    }
}

#[test]
fn a_specific_name_is_taken_to_the_letter_or_refused() {
    let target = |name: &str, overwrite: &str| {
        put_relative(&[(names::RELATIVE_TARGET, name), (names::OVERWRITE_RELATIVE_TARGET, overwrite)])
    };
    assert_eq!(target("+AOQ-.docx", ""), Ok(specific("ä.docx", false)));
    assert_eq!(target("a.docx", "True"), Ok(specific("a.docx", true)));
    assert_eq!(target("a.docx", "False"), Ok(specific("a.docx", false)));
    assert_eq!(target("a.docx", "yes"), invalid("X-WOPI-OverwriteRelativeTarget"));
    for malformed in ["cut+AP", "+2D0-", "ä.docx"] {
        assert_eq!(target(malformed, ""), invalid("X-WOPI-RelativeTarget"), "{malformed}");
    }
    // A name that can be none is for the host to answer, which knows one that would do.
    for (text, why) in [("a/b", NameError::Character('/')), ("..", NameError::Dots)] {
        let Ok(RelativeTarget::Specific { name, .. }) = target(text, "") else { panic!("{text}") };
        assert_eq!((name.text.as_str(), name.name), (text, Err(why)));
    }
}

#[test]
fn exactly_one_target_is_wanted_and_each_operation_says_no_in_its_own_way() {
    let both = [(names::SUGGESTED_TARGET, "a"), (names::RELATIVE_TARGET, "b")];
    assert_eq!(put_relative(&both), invalid("X-WOPI-RelativeTarget"));
    assert_eq!(on_container(Kind::CreateChildFile, &both), Err(WopiError::NotSupported));
    assert_eq!(on_container(Kind::CreateChildContainer, &both), Err(WopiError::NotSupported));

    assert_eq!(put_relative(&[]), invalid("X-WOPI-SuggestedTarget"));
    assert_eq!(on_container(Kind::CreateChildFile, &[]), invalid("X-WOPI-SuggestedTarget"));
    assert_eq!(on_container(Kind::CreateChildContainer, &[]), invalid("X-WOPI-SuggestedTarget"));

    let one_empty = [(names::SUGGESTED_TARGET, ""), (names::RELATIVE_TARGET, "b")];
    assert_eq!(put_relative(&one_empty), Ok(specific("b", false)));
}

#[test]
fn the_overwrite_header_is_for_specific_names_of_files() {
    let overwrite = (names::OVERWRITE_RELATIVE_TARGET, "true");
    let (suggest, insist) = ((names::SUGGESTED_TARGET, "a"), (names::RELATIVE_TARGET, "a"));
    assert_eq!(put_relative(&[suggest, overwrite.clone()]), Ok(suggested("a")));
    let target = specific("a", true);
    let create = [insist, overwrite];
    assert_eq!(on_container(Kind::CreateChildFile, &create), Ok(ContainerOperation::CreateChildFile { target }));
    let target = specific("a", false);
    let made = Ok(ContainerOperation::CreateChildContainer { target });
    assert_eq!(on_container(Kind::CreateChildContainer, &create), made);
}

#[test]
fn a_container_has_no_extension() {
    let sent = [(names::SUGGESTED_TARGET, ".git")];
    let target = suggested(".git");
    let made = Ok(ContainerOperation::CreateChildContainer { target });
    assert_eq!(on_container(Kind::CreateChildContainer, &sent), made);
    let target = RelativeTarget::Suggested(Suggestion::Extension(".git".to_owned()));
    assert_eq!(on_container(Kind::CreateChildFile, &sent), Ok(ContainerOperation::CreateChildFile { target }));
}

#[test]
fn put_relative_file_has_a_size_and_may_be_a_conversion() {
    let ask = |more: &[(HeaderName, &str)]| match on_file(
        Kind::PutRelativeFile,
        &[&[(names::SUGGESTED_TARGET, ".docx")], more].concat(),
    )? {
        FileOperation::PutRelativeFile { size, conversion, .. } => Ok((size, conversion)),
        other => panic!("{other:?}"),
    };
    assert_eq!(ask(&[]), Ok((None, false)));
    assert_eq!(ask(&[(names::SIZE, "7"), (names::FILE_CONVERSION, "true")]), Ok((Some(7), true)));
    assert_eq!(ask(&[(names::FILE_CONVERSION, "")]), Ok((None, true)));
    assert_eq!(ask(&[(names::SIZE, "seven")]), invalid("X-WOPI-Size"));
}

#[test]
fn a_rename_takes_a_cut_name_as_far_as_it_goes() {
    let ask = |sent: &[(HeaderName, &str)]| match on_file(Kind::RenameFile, sent)? {
        FileOperation::RenameFile { name, .. } => Ok(name.text),
        other => panic!("{other:?}"),
    };
    assert_eq!(ask(&[(names::REQUESTED_NAME, "renamed +AP")]).as_deref(), Ok("renamed "));
    assert_eq!(ask(&[(names::REQUESTED_NAME, "madeup+AF8-renamed")]).as_deref(), Ok("madeup_renamed"));
    for bad in [&[][..], &[(names::REQUESTED_NAME, "")], &[(names::REQUESTED_NAME, "+2D0-x")]] {
        assert_eq!(ask(bad), invalid("X-WOPI-RequestedName"), "{bad:?}");
    }
    assert_eq!(on_container(Kind::RenameContainer, &[]), invalid("X-WOPI-RequestedName"));
    let name = RequestedName::new("container_name".to_owned());
    let sent = [(names::REQUESTED_NAME, "container+AF8-name")];
    assert_eq!(on_container(Kind::RenameContainer, &sent), Ok(ContainerOperation::RenameContainer { name }));
}

#[test]
fn an_unknown_share_url_type_is_not_supported() {
    for (sent, kind) in [("ReadOnly", ShareUrlType::ReadOnly), ("readwrite", ShareUrlType::ReadWrite)] {
        let sent = [(names::URL_TYPE, sent)];
        assert_eq!(on_file(Kind::GetShareUrl, &sent), Ok(FileOperation::GetShareUrl { kind }));
        assert_eq!(on_container(Kind::ContainerGetShareUrl, &sent), Ok(ContainerOperation::GetShareUrl { kind }));
    }
    for sent in [&[][..], &[(names::URL_TYPE, "")], &[(names::URL_TYPE, "UnknownType")]] {
        assert_eq!(on_file(Kind::GetShareUrl, sent), Err(WopiError::NotSupported));
        assert_eq!(on_container(Kind::ContainerGetShareUrl, sent), Err(WopiError::NotSupported));
    }
}

#[test]
fn a_filter_of_extensions_is_read_generously() {
    let ask = |sent: &str| match on_container(Kind::EnumerateChildren, &[(names::FILE_EXTENSION_FILTER_LIST, sent)])? {
        ContainerOperation::EnumerateChildren { extensions } => Ok(extensions.unwrap_or_default().join(" ")),
        other => panic!("{other:?}"),
    };
    assert_eq!(ask("").as_deref(), Ok(""));
    assert_eq!(ask(".wopitest,.docx,.xlsx").as_deref(), Ok(".wopitest .docx .xlsx"));
    assert_eq!(ask(" .DOCX , xlsx,,").as_deref(), Ok(".docx .xlsx"));
    assert_eq!(ask(", ,").as_deref(), Ok(""));
    assert_eq!(ask(&".a,".repeat(201)), invalid("X-WOPI-FileExtensionFilterList"));
    let none = ContainerOperation::EnumerateChildren { extensions: None };
    assert_eq!(on_container(Kind::EnumerateChildren, &[(names::FILE_EXTENSION_FILTER_LIST, ",")]), Ok(none));
}

#[test]
fn a_session_context_is_handed_on_and_never_refused() {
    let ask = |sent: &[u8]| {
        let target = Target::File(FileId::parse("1").unwrap());
        match parse(&target, Kind::CheckFileInfo, &headers(&[(names::SESSION_CONTEXT, sent)])) {
            Ok(Operation::File(_, FileOperation::CheckFileInfo { session_context })) => session_context,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask(b""), None);
    assert_eq!(ask(b"a=1").as_deref(), Some("a=1"));
    assert_eq!(ask(b"\xe4").as_deref(), Some("\u{fffd}"));
    assert_eq!(ask(&[b'a'; 2049]), None);
}

#[test]
fn the_legacy_operations_are_read_too() {
    let store = FileOperation::ReadSecureStore { application_id: "app".to_owned() };
    assert_eq!(on_file(Kind::ReadSecureStore, &[(names::APPLICATION_ID, "app")]), Ok(store));
    assert_eq!(on_file(Kind::ReadSecureStore, &[]), invalid("X-WOPI-ApplicationId"));
    let forms = [(names::RESTRICTED_LINK, "FORMS")];
    assert_eq!(on_file(Kind::GetRestrictedLink, &forms), Ok(FileOperation::GetRestrictedLink));
    assert_eq!(on_file(Kind::RevokeRestrictedLink, &forms), Ok(FileOperation::RevokeRestrictedLink));
    assert_eq!(on_file(Kind::GetRestrictedLink, &[]), Err(WopiError::NotSupported));
    assert_eq!(on_file(Kind::ExecuteCellStorageRequest, &[]), Ok(FileOperation::ExecuteCellStorageRequest));
}

#[test]
fn the_ecosystem_and_the_bootstrapper() {
    let ask = |target, kind, sent: &[(HeaderName, &[u8])]| parse(&target, kind, &headers(sent));
    let name: [(HeaderName, &[u8]); 1] = [(names::HOST_NATIVE_FILE_NAME, b"https://host/edit/1")];
    let native_name = "https://host/edit/1".to_owned();
    let found = EcosystemOperation::GetFileWopiSrc { native_name: native_name.clone() };
    assert_eq!(ask(Target::Ecosystem, Kind::GetFileWopiSrc, &name), Ok(Operation::Ecosystem(found)));
    assert_eq!(ask(Target::Ecosystem, Kind::GetFileWopiSrc, &[]), invalid("X-WOPI-HostNativeFileName"));
    let found = Operation::Bootstrapper(BootstrapperOperation::GetFileWopiSrc { native_name });
    assert_eq!(ask(Target::Bootstrapper, Kind::BootstrapGetFileWopiSrc, &name), Ok(found));

    let wopi_src = "https://host/wopi/files/1".to_owned();
    let sent: [(HeaderName, &[u8]); 1] = [(names::WOPI_SRC, wopi_src.as_bytes())];
    let token = Operation::Bootstrapper(BootstrapperOperation::GetNewAccessToken { wopi_src: wopi_src.clone() });
    assert_eq!(ask(Target::Bootstrapper, Kind::GetNewAccessToken, &sent), Ok(token));
    assert_eq!(ask(Target::Bootstrapper, Kind::GetNewAccessToken, &[]), invalid("X-WOPI-WopiSrc"));
    let bootstrap = Ok(Operation::Bootstrapper(BootstrapperOperation::Bootstrap));
    assert_eq!(ask(Target::Bootstrapper, Kind::Bootstrap, &[]), bootstrap);
}

#[test]
fn put_chunked_file_wants_a_sequence_number_and_at_most_one_lock() {
    let put = |sent: &[(HeaderName, &str)]| on_file(Kind::PutChunkedFile, sent);
    let number = (names::SEQUENCE_NUMBER, "7");
    let expected = |lock| Ok(FileOperation::PutChunkedFile { sequence: 7, lock, editors: vec![] });
    // The validator sends all four headers, and those it does not use empty.
    let empty = [number.clone(), (names::LOCK, ""), (names::COAUTH_LOCK_ID, ""), (names::EDITORS, "")];
    assert_eq!(put(&empty), expected(PresentedLock::None));
    assert_eq!(put(&[number.clone(), (names::LOCK, "A")]), expected(PresentedLock::Wopi(lock("A"))));
    let coauth = PresentedLock::Coauth(CoauthLockId::parse("A").unwrap());
    assert_eq!(put(&[number.clone(), (names::COAUTH_LOCK_ID, "A")]), expected(coauth));
    let both = [number.clone(), (names::LOCK, "A"), (names::COAUTH_LOCK_ID, "A")];
    assert_eq!(put(&both), invalid("X-WOPI-CoauthLockId"));
    let long = "a".repeat(CoauthLockId::LENGTH_MAX + 1);
    assert_eq!(put(&[number.clone(), (names::COAUTH_LOCK_ID, &long)]), invalid("X-WOPI-CoauthLockId"));
    for bad in ["", "-1", "1.0", "seven"] {
        assert_eq!(put(&[(names::SEQUENCE_NUMBER, bad)]), invalid("X-WOPI-SequenceNumber"), "{bad}");
    }
    match put(&[(names::SEQUENCE_NUMBER, "0"), (names::EDITORS, "a, b")]) {
        Ok(FileOperation::PutChunkedFile { sequence: 0, editors, .. }) => assert_eq!(editors, ["a", "b"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_part_of_an_upload_says_where_it_belongs() {
    let sent = [
        (names::UPLOAD_SESSION_TOKEN, "token"),
        (names::CONTENT_RANGE_OFFSET, "5"),
        (names::CONTENT_RANGE_LENGTH, "9"),
    ];
    let expected = FileOperation::UpdateUploadSession { token: "token".to_owned(), offset: 5, length: 9 };
    assert_eq!(on_file(Kind::UpdateUploadSession, &sent), Ok(expected));
    for (at, header) in
        ["X-WOPI-UploadSessionToken", "X-WOPI-ContentRangeOffset", "X-WOPI-ContentRangeLength"].into_iter().enumerate()
    {
        let mut sent = sent.to_vec();
        sent[at].1 = "";
        assert_eq!(on_file(Kind::UpdateUploadSession, &sent), invalid(header));
        sent[at].1 = "-1";
        assert_eq!(on_file(Kind::UpdateUploadSession, &sent).is_err(), at > 0);
    }
    let long = "t".repeat(crate::chunked::UPLOAD_TOKEN_LENGTH_MAX + 1);
    let sent = [(names::UPLOAD_SESSION_TOKEN, &*long), sent[1].clone(), sent[2].clone()];
    assert_eq!(on_file(Kind::UpdateUploadSession, &sent), invalid("X-WOPI-UploadSessionToken"));
}

#[test]
fn every_kind_is_parsed_on_its_target_or_is_not_an_operation_of_ours() {
    let not_ours = [
        Kind::GetActivities,
        Kind::GetFileUserValue,
        Kind::UnknownFileOperation,
        Kind::UnknownContainerOperation,
        Kind::UnknownEcosystemOperation,
    ];
    let sent = headers(&[
        (names::LOCK, b"A"),
        (names::OLD_LOCK, b"B"),
        (names::SUGGESTED_TARGET, b".docx"),
        (names::REQUESTED_NAME, b"name"),
        (names::URL_TYPE, b"ReadOnly"),
        (names::APPLICATION_ID, b"app"),
        (names::RESTRICTED_LINK, b"FORMS"),
        (names::HOST_NATIVE_FILE_NAME, b"name"),
        (names::WOPI_SRC, b"https://host/wopi/files/1"),
        (names::SEQUENCE_NUMBER, b"7"),
        (names::UPLOAD_SESSION_TOKEN, b"token"),
        (names::CONTENT_RANGE_OFFSET, b"0"),
        (names::CONTENT_RANGE_LENGTH, b"9"),
    ]);
    let of_coauth = headers(&[
        (names::COAUTH_LOCK_ID, b"A"),
        (names::COAUTH_LOCK_TYPE, b"Coauth"),
        (names::COAUTH_LOCK_EXPIRATION_TIMEOUT, b"60"),
    ]);
    for kind in Kind::ALL {
        let sent = if kind.name().contains("Coauth") { &of_coauth } else { &sent };
        let parsed: Vec<_> = targets().iter().filter_map(|target| parse(target, *kind, sent).ok()).collect();
        assert_eq!(parsed.len(), usize::from(!not_ours.contains(kind)), "{kind:?}: {parsed:?}");
    }
}

fn targets() -> [Target; 5] {
    let container = ContainerId::parse("1").unwrap();
    [
        Target::File(FileId::parse("1").unwrap()),
        Target::Container(container.clone()),
        Target::Ecosystem,
        Target::Bootstrapper,
        Target::Folder(container),
    ]
}

proptest! {
    #[test]
    fn no_headers_make_parsing_panic(sent in prop::collection::vec(
        (prop::sample::select(names::ALL), prop::collection::vec(0x20u8..=0xff, 0..40)), 0..8),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(name, value.clone());
                headers.append(header::RANGE, value);
            }
        }
        for kind in Kind::ALL {
            for target in targets() {
                if let Err(error) = parse(&target, *kind, &headers) {
                    let known = matches!(error, WopiError::InvalidRequest { .. } | WopiError::NotSupported);
                    prop_assert!(known, "{error:?}");
                }
            }
        }
    }
}
