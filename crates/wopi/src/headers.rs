//! The name of every header WOPI knows, and how one value is read.
//!
//! Nothing outside this crate spells a header. Sources: `L` is Microsoft's WOPI reference (learn.microsoft.com,
//! *Cloud Storage Partner Program*, and its older repository), `S` the open specification \[MS-WOPI\], `P` the *CSPP
//! Plus* pages, `C` the source of Collabora Online and of LibreOffice Online before it, `O` that of ONLYOFFICE Docs.
//!
//! Two rules hold for every value and are decided here only: an empty value counts as absent, and a header that may
//! stand once but stands twice is refused. (Two proxies that disagree about which of two values counts would otherwise
//! disagree about what was asked.)

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::WopiError;
use crate::lock_id::LockId;

/// Longest value that a header of plain text may have, in bytes.
///
/// Names in UTF-7 are not under it: a suggested name must never be refused, so only the limit on all headers together
/// holds there.
pub const VALUE_LENGTH_MAX: usize = 8192;

macro_rules! headers {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $(
            #[doc = concat!("`", $text, "`: ")]
            $(#[$doc])*
            pub const $name: HeaderName = {
                const LOWER: [u8; $text.len()] = lower($text);
                match std::str::from_utf8(&LOWER) {
                    Ok(lower) => HeaderName::from_static(lower),
                    Err(_) => panic!("a header's name is ASCII"),
                }
            };
        )*

        /// The published spelling of every header above, in the order above.
        pub const ALL: &[&str] = &[$($text,)*];

        #[cfg(test)]
        fn names() -> Vec<HeaderName> {
            vec![$($name,)*]
        }
    };
}

/// `HeaderName` wants its text in lower case; people want the published spelling. This makes one from the other.
const fn lower<const LENGTH: usize>(text: &str) -> [u8; LENGTH] {
    let mut lower = [0; LENGTH];
    lower.copy_from_slice(text.as_bytes());
    lower.make_ascii_lowercase();
    lower
}

headers! {
    /// free text that the host page gave to `Action_Save` (C, on PutFile, Lock and Unlock).
    COOL_EXTENDED_DATA = "X-COOL-WOPI-ExtendedData";
    /// `true` for a save in the background (C, O).
    COOL_IS_AUTOSAVE = "X-COOL-WOPI-IsAutosave";
    /// `true` for the save when the document is closed (C, O).
    COOL_IS_EXIT_SAVE = "X-COOL-WOPI-IsExitSave";
    /// `false` when nobody typed since the last save (C, O).
    COOL_IS_MODIFIED_BY_USER = "X-COOL-WOPI-IsModifiedByUser";
    /// the server process that calls (C).
    COOL_SERVER_ID = "X-COOL-WOPI-ServerId";
    /// the LastModifiedTime that the client believes is current, verbatim (C).
    COOL_TIMESTAMP = "X-COOL-WOPI-Timestamp";
    /// [`COOL_EXTENDED_DATA`] as LibreOffice Online spells it (C).
    LOOL_EXTENDED_DATA = "X-LOOL-WOPI-ExtendedData";
    /// [`COOL_IS_AUTOSAVE`] as LibreOffice Online spells it (C, O).
    LOOL_IS_AUTOSAVE = "X-LOOL-WOPI-IsAutosave";
    /// [`COOL_IS_EXIT_SAVE`] as LibreOffice Online spells it (C, O).
    LOOL_IS_EXIT_SAVE = "X-LOOL-WOPI-IsExitSave";
    /// [`COOL_IS_MODIFIED_BY_USER`] as LibreOffice Online spells it (C, O).
    LOOL_IS_MODIFIED_BY_USER = "X-LOOL-WOPI-IsModifiedByUser";
    /// [`COOL_SERVER_ID`] as LibreOffice Online spells it (C).
    LOOL_SERVER_ID = "X-LOOL-WOPI-ServerId";
    /// [`COOL_TIMESTAMP`] as LibreOffice Online spells it (C, O).
    LOOL_TIMESTAMP = "X-LOOL-WOPI-Timestamp";
    /// the id of one request, for logs (L, *Common headers*).
    REQUEST_ID = "X-Request-ID";
    /// which of the client's endpoints calls, for logs (L, *Common headers*).
    APP_ENDPOINT = "X-WOPI-AppEndpoint";
    /// which credentials ReadSecureStore is to read (S, *ReadSecureStore*).
    APPLICATION_ID = "X-WOPI-ApplicationId";
    /// the client's version, for logs (L, *Common headers*).
    CLIENT_VERSION = "X-WOPI-ClientVersion";
    /// seconds that a coauth lock is to last (P, *GetCoauthLock*).
    COAUTH_LOCK_EXPIRATION_TIMEOUT = "X-WOPI-CoauthLockExpirationTimeout";
    /// the id of a coauth lock; sent empty with classic operations (P, *GetCoauthLock*).
    COAUTH_LOCK_ID = "X-WOPI-CoauthLockId";
    /// text kept with a coauth lock (P, *GetCoauthLock*).
    COAUTH_LOCK_METADATA = "X-WOPI-CoauthLockMetadata";
    /// `Coauth` or `CoauthExclusive` (P, *GetCoauthLock*).
    COAUTH_LOCK_TYPE = "X-WOPI-CoauthLockType";
    /// the version of the table of coauth locks (P, *GetCoauthTable*).
    COAUTH_TABLE_VERSION = "X-WOPI-CoauthTableVersion";
    /// who holds the lock that is in the way (P, *WOPI locks*).
    CONFLICTING_LOCK_USERNAME = "X-WOPI-ConflictingLockUsername";
    /// what kind of lock is in the way (P, *PutChunkedFile*).
    CONFLICTING_MECHANISM = "X-WOPI-ConflictingMechanism";
    /// how many bytes this part of an upload has (P, *UpdateUploadSession*).
    CONTENT_RANGE_LENGTH = "X-WOPI-ContentRangeLength";
    /// where this part of an upload begins (P, *UpdateUploadSession*).
    CONTENT_RANGE_OFFSET = "X-WOPI-ContentRangeOffset";
    /// the key of a support case, for logs on every request (L, *Common headers*).
    CORRELATION_ID = "X-WOPI-CorrelationId";
    /// the device that calls, for logs (L, *Common headers*).
    DEVICE_ID = "X-WOPI-DeviceId";
    /// the operation wanted of the bootstrapper (L, *GetNewAccessToken*).
    ECOSYSTEM_OPERATION = "X-WOPI-EcosystemOperation";
    /// the users who contributed to a save, comma-separated (L, *PutFile*).
    EDITORS = "X-WOPI-Editors";
    /// `true` if a list is not complete (L, *EnumerateAncestors*).
    ENUMERATION_INCOMPLETE = "X-WOPI-EnumerationIncomplete";
    /// why an answer is not 200, for the client's logs (P, *GetCoauthLock*).
    FAILURE_REASON = "X-WOPI-FailureReason";
    /// present if PutRelativeFile is part of a conversion (L, *PutRelativeFile*).
    FILE_CONVERSION = "X-WOPI-FileConversion";
    /// the extensions wanted, comma-separated (L, *EnumerateChildren*).
    FILE_EXTENSION_FILTER_LIST = "X-WOPI-FileExtensionFilterList";
    /// a label for the data centre that answers (L, *Common headers*).
    HOST_ENDPOINT = "X-WOPI-HostEndpoint";
    /// a name or URL of the host's own for a file (L, *GetFileWopiSrc*).
    HOST_NATIVE_FILE_NAME = "X-WOPI-HostNativeFileName";
    /// why a container's name was refused, for logs (L, *CreateChildContainer*).
    INVALID_CONTAINER_NAME_ERROR = "X-WOPI-InvalidContainerNameError";
    /// why a file's name was refused, for logs (L, *RenameFile*).
    INVALID_FILE_NAME_ERROR = "X-WOPI-InvalidFileNameError";
    /// the version after the operation, CheckFileInfo's `Version` (L, *PutFile*).
    ITEM_VERSION = "X-WOPI-ItemVersion";
    /// a lock id: the one meant, or in an answer the one held (L, *Lock*).
    LOCK = "X-WOPI-Lock";
    /// deprecated mark of a lock that is not WOPI's (S, *Lock*); never sent by us.
    LOCKED_BY_OTHER_INTERFACE = "X-WOPI-LockedByOtherInterface";
    /// seconds that a WOPI lock is to last (P, *WOPI locks*).
    LOCK_EXPIRATION_TIMEOUT = "X-WOPI-LockExpirationTimeout";
    /// why a lock was refused; Collabora shows it to people (L, *Lock*).
    LOCK_FAILURE_REASON = "X-WOPI-LockFailureReason";
    /// whether others may learn who holds the lock (P, *WOPI locks*).
    LOCK_USER_VISIBLE = "X-WOPI-LockUserVisible";
    /// the machine that sends, in requests and answers (L, *Common headers*).
    MACHINE_NAME = "X-WOPI-MachineName";
    /// the largest file that the client will take (L, *GetFile*).
    MAX_EXPECTED_SIZE = "X-WOPI-MaxExpectedSize";
    /// the lock to be replaced (L, *UnlockAndRelock*).
    OLD_LOCK = "X-WOPI-OldLock";
    /// which operation a POST means (L, *REST endpoints*).
    OVERRIDE = "X-WOPI-Override";
    /// whether a file of the wanted name may be replaced (L, *PutRelativeFile*).
    OVERWRITE_RELATIVE_TARGET = "X-WOPI-OverwriteRelativeTarget";
    /// reserved (L, *Common headers*).
    PERF_TRACE = "X-WOPI-PerfTrace";
    /// reserved (L, *Common headers*).
    PERF_TRACE_REQUESTED = "X-WOPI-PerfTraceRequested";
    /// the request signed with the client's current key (L, *Proof keys*).
    PROOF = "X-WOPI-Proof";
    /// the request signed with the client's former key (L, *Proof keys*).
    PROOF_OLD = "X-WOPI-ProofOld";
    /// exactly this name, in UTF-7 (L, *PutRelativeFile*).
    RELATIVE_TARGET = "X-WOPI-RelativeTarget";
    /// the new name, in UTF-7 (L, *RenameFile*).
    REQUESTED_NAME = "X-WOPI-RequestedName";
    /// the application that calls, for logs (L, *Common headers*).
    REQUESTING_APPLICATION = "X-WOPI-RequestingApplication";
    /// the kind of restricted link, `FORMS` (S, *GetRestrictedLink*).
    RESTRICTED_LINK = "X-WOPI-RestrictedLink";
    /// the restricted link (S, *GetRestrictedLink*).
    RESTRICTED_USE_LINK = "X-WOPI-RestrictedUseLink";
    /// which state of the contents is meant (P, *PutChunkedFile*).
    SEQUENCE_NUMBER = "X-WOPI-SequenceNumber";
    /// what went wrong, for the client's logs (L, *Common headers*).
    SERVER_ERROR = "X-WOPI-ServerError";
    /// the host's version (L, *Common headers*).
    SERVER_VERSION = "X-WOPI-ServerVersion";
    /// what the host put into the action URL as `sc` (L, *CheckFileInfo*).
    SESSION_CONTEXT = "X-WOPI-SessionContext";
    /// the client's session, for logs (L, *Common headers*).
    SESSION_ID = "X-WOPI-SessionId";
    /// the size of the body in bytes (L, *PutRelativeFile*).
    SIZE = "X-WOPI-Size";
    /// a name near this one, in UTF-7 (L, *PutRelativeFile*).
    SUGGESTED_TARGET = "X-WOPI-SuggestedTarget";
    /// when the proof was made, in .NET ticks (L, *Proof keys*).
    TIME_STAMP = "X-WOPI-TimeStamp";
    /// where the next part of an upload begins (P, *UpdateUploadSession*).
    UPLOAD_SESSION_CURRENT_OFFSET = "X-WOPI-UploadSessionCurrentOffset";
    /// which upload a part belongs to (P, *UpdateUploadSession*).
    UPLOAD_SESSION_TOKEN = "X-WOPI-UploadSessionToken";
    /// `ReadOnly` or `ReadWrite` (L, *GetShareUrl*).
    URL_TYPE = "X-WOPI-UrlType";
    /// mark of a restricted scenario, to be ignored (S, *Common headers*).
    USING_RESTRICTED_SCENARIO = "X-WOPI-UsingRestrictedScenario";
    /// a name that would do, in UTF-7 (L, *PutRelativeFile*).
    VALID_RELATIVE_TARGET = "X-WOPI-ValidRelativeTarget";
    /// the WOPISrc that a token is wanted for (L, *GetNewAccessToken*).
    WOPI_SRC = "X-WOPI-WopiSrc";
}

/// The published spelling of a header, as [`WopiError::InvalidRequest`] shows it.
pub fn published(name: &HeaderName) -> &'static str {
    ALL.iter().find(|text| text.eq_ignore_ascii_case(name.as_str())).copied().unwrap_or("a header")
}

/// The refusal of a request for what stands, or does not stand, in this header.
pub fn invalid(name: &HeaderName) -> WopiError {
    WopiError::InvalidRequest { header: published(name) }
}

/// The value as sent; `None` if the header is missing or empty.
///
/// # Errors
///
/// [`WopiError::InvalidRequest`] if the header was sent twice.
pub fn bytes<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, WopiError> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(invalid(name));
    }
    Ok(first.map(HeaderValue::as_bytes).filter(|value| !value.is_empty()))
}

/// The value as text; `None` if the header is missing or empty.
///
/// # Errors
///
/// [`WopiError::InvalidRequest`] if it was sent twice, is longer than [`VALUE_LENGTH_MAX`] or is not printable ASCII.
pub fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, WopiError> {
    let Some(bytes) = bytes(headers, name)? else { return Ok(None) };
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= VALUE_LENGTH_MAX && text.bytes().all(|b| (0x20..0x7f).contains(&b)) => Ok(Some(text)),
        _ => Err(invalid(name)),
    }
}

/// The value as text, which must be there.
///
/// # Errors
///
/// As [`text`], and if the header is missing or empty.
pub fn required<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, WopiError> {
    text(headers, name)?.ok_or_else(|| invalid(name))
}

/// The value as a lock id; `None` if the header is missing or empty.
///
/// # Errors
///
/// As [`text`], and if no lock id can look like this.
pub fn lock(headers: &HeaderMap, name: &HeaderName) -> Result<Option<LockId>, WopiError> {
    text(headers, name)?.map(|text| LockId::parse(text).ok_or_else(|| invalid(name))).transpose()
}

/// The value as a whole number of bytes, seconds or steps; `None` if the header is missing or empty.
///
/// # Errors
///
/// As [`text`], and for anything but decimal digits that fit 64 bits.
pub fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, WopiError> {
    let Some(text) = text(headers, name)? else { return Ok(None) };
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).map(Some).ok_or_else(|| invalid(name))
}

/// The value as a Boolean; `None` if the header is missing or empty. Clients on .NET write `True` and `False`.
///
/// # Errors
///
/// As [`text`], and for anything but `true` and `false` in whatever case.
pub fn boolean(headers: &HeaderMap, name: &HeaderName) -> Result<Option<bool>, WopiError> {
    match text(headers, name)? {
        None => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(_) => Err(invalid(name)),
    }
}

/// Whatever a header says, for logs and other uses where nothing depends on it: the first value, with bytes that are
/// no UTF-8 replaced. `None` if the header is missing or empty.
pub fn lenient<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    let value = headers.get(name)?.as_bytes();
    (!value.is_empty()).then(|| String::from_utf8_lossy(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &[u8]) -> HeaderMap {
        HeaderMap::from_iter([(LOCK, HeaderValue::from_bytes(value).unwrap())])
    }

    fn refused<T>() -> Result<T, WopiError> {
        Err(WopiError::InvalidRequest { header: "X-WOPI-Lock" })
    }

    #[test]
    fn the_list_is_alphabetical_within_its_family_and_names_nothing_twice() {
        let family = |text: &str| text.split('-').take(2).collect::<Vec<_>>().join("-");
        for pair in ALL.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            let ordered = family(before) != family(after) || before.to_lowercase() < after.to_lowercase();
            assert!(ordered, "{before} stands before {after}");
        }
        let different: std::collections::HashSet<_> = names().into_iter().collect();
        assert_eq!(different.len(), ALL.len());
        assert!(names().iter().zip(ALL).all(|(name, text)| published(name) == *text));
    }

    #[test]
    fn a_name_is_shown_in_its_published_spelling() {
        assert_eq!(published(&TIME_STAMP), "X-WOPI-TimeStamp");
        assert_eq!(published(&http::header::RANGE), "a header");
    }

    #[test]
    fn empty_means_absent() {
        assert_eq!(text(&HeaderMap::new(), &LOCK), Ok(None));
        assert_eq!(text(&one(b""), &LOCK), Ok(None));
        assert_eq!(required(&one(b""), &LOCK), refused());
        assert_eq!(lenient(&one(b""), &LOCK), None);
    }

    #[test]
    fn a_doubled_header_is_refused_by_its_name() {
        let mut headers = one(b"a");
        headers.append(LOCK, HeaderValue::from_static("a"));
        assert_eq!(text(&headers, &LOCK), refused());
        assert_eq!(bytes(&headers, &LOCK), refused());
        assert_eq!(lenient(&headers, &LOCK).as_deref(), Some("a"));
    }

    #[test]
    fn text_is_printable_ascii_of_bounded_length() {
        assert_eq!(text(&one(br#"{"S":"x y"}"#), &LOCK), Ok(Some(r#"{"S":"x y"}"#)));
        assert_eq!(text(&one("ä".as_bytes()), &LOCK), refused());
        assert_eq!(text(&one(b"\xe4"), &LOCK), refused());
        assert_eq!(text(&one(b"a\tb"), &LOCK), refused());
        assert!(text(&one(&[b'a'; VALUE_LENGTH_MAX]), &LOCK).is_ok());
        assert_eq!(text(&one(&[b'a'; VALUE_LENGTH_MAX + 1]), &LOCK), refused());
    }

    #[test]
    fn a_lock_id_has_at_most_1024_characters() {
        assert!(lock(&one(&[b'a'; 1024]), &LOCK).is_ok_and(|lock| lock.is_some()));
        assert_eq!(lock(&one(&[b'a'; 1025]), &LOCK), refused());
        assert_eq!(lock(&one(b""), &LOCK), Ok(None));
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number(&one(b"0"), &LOCK), Ok(Some(0)));
        assert_eq!(number(&one(b"18446744073709551615"), &LOCK), Ok(Some(u64::MAX)));
        for bad in ["18446744073709551616", "-1", "+1", "1.0", "0x1", "ten", " 1"] {
            assert_eq!(number(&one(bad.as_bytes()), &LOCK), refused(), "{bad}");
        }
    }

    #[test]
    fn booleans_are_read_whatever_their_case() {
        for (sent, read) in [("true", true), ("True", true), ("TRUE", true), ("False", false), ("false", false)] {
            assert_eq!(boolean(&one(sent.as_bytes()), &LOCK), Ok(Some(read)));
        }
        assert_eq!(boolean(&one(b"1"), &LOCK), refused());
    }
}
