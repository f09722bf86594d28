//! Operations on coauth locks (`protocol` documents: *WOPI coauthoring locks* 3), and the headers that CSPP Plus adds to
//! the classic operations on locks (6).

use http::{HeaderMap, HeaderName};

use super::FileOperation;
use crate::coauth::{
    CoauthLockId, CoauthLockMetadata, CoauthLockType, CoauthTableVersion, LockTerms, LockTimeout, PresentedLock,
};
use crate::error::WopiError;
use crate::headers::{self, invalid};
use crate::route::Kind;

/// The operation, if `kind` is one on coauth locks.
pub(super) fn parse(kind: Kind, sent: &HeaderMap) -> Result<Option<FileOperation>, WopiError> {
    Ok(Some(match kind {
        Kind::GetCoauthLock => FileOperation::GetCoauthLock {
            lock: required_id(sent)?,
            kind: CoauthLockType::parse(headers::required(sent, &headers::COAUTH_LOCK_TYPE)?)
                .ok_or_else(|| invalid(&headers::COAUTH_LOCK_TYPE))?,
            timeout: required_timeout(sent)?,
            metadata: metadata(sent)?,
        },
        Kind::RefreshCoauthLock => FileOperation::RefreshCoauthLock {
            lock: required_id(sent)?,
            timeout: required_timeout(sent)?,
            metadata: metadata(sent)?,
        },
        Kind::UnlockCoauthLock => FileOperation::UnlockCoauthLock { lock: required_id(sent)? },
        Kind::GetCoauthTable => FileOperation::GetCoauthTable {
            known: headers::text(sent, &headers::COAUTH_TABLE_VERSION)?
                .map(|text| CoauthTableVersion::parse(text).ok_or_else(|| invalid(&headers::COAUTH_TABLE_VERSION)))
                .transpose()?,
        },
        _ => return Ok(None),
    }))
}

fn id(sent: &HeaderMap) -> Result<Option<CoauthLockId>, WopiError> {
    let name = &headers::COAUTH_LOCK_ID;
    headers::text(sent, name)?.map(|text| CoauthLockId::parse(text).ok_or_else(|| invalid(name))).transpose()
}

fn required_id(sent: &HeaderMap) -> Result<CoauthLockId, WopiError> {
    id(sent)?.ok_or_else(|| invalid(&headers::COAUTH_LOCK_ID))
}

fn timeout(sent: &HeaderMap, name: &HeaderName) -> Result<Option<LockTimeout>, WopiError> {
    headers::number(sent, name)?
        .map(|seconds| LockTimeout::from_seconds(seconds).ok_or_else(|| invalid(name)))
        .transpose()
}

fn required_timeout(sent: &HeaderMap) -> Result<LockTimeout, WopiError> {
    let name = &headers::COAUTH_LOCK_EXPIRATION_TIMEOUT;
    timeout(sent, name)?.ok_or_else(|| invalid(name))
}

/// Absent and empty are the same; a body may still say otherwise.
fn metadata(sent: &HeaderMap) -> Result<CoauthLockMetadata, WopiError> {
    let name = &headers::COAUTH_LOCK_METADATA;
    CoauthLockMetadata::new(headers::text(sent, name)?.unwrap_or_default()).ok_or_else(|| invalid(name))
}

/// The lock that a client presents, which may be of one kind only: whoever sends both is refused whatever holds the file.
pub(super) fn presented(sent: &HeaderMap) -> Result<PresentedLock, WopiError> {
    match (headers::lock(sent, &headers::LOCK)?, id(sent)?) {
        (Some(_), Some(_)) => Err(invalid(&headers::COAUTH_LOCK_ID)),
        (Some(lock), None) => Ok(PresentedLock::Wopi(lock)),
        (None, Some(lock)) => Ok(PresentedLock::Coauth(lock)),
        (None, None) => Ok(PresentedLock::None),
    }
}

/// How long a WOPI lock is to last and whether its holder may be named.
pub(super) fn terms(sent: &HeaderMap) -> Result<LockTerms, WopiError> {
    Ok(LockTerms {
        timeout: timeout(sent, &headers::LOCK_EXPIRATION_TIMEOUT)?,
        user_visible: headers::boolean(sent, &headers::LOCK_USER_VISIBLE)?.unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::operation::{Operation, RequestedName};
    use crate::route::Target;
    use crate::{FileId, LockId, headers as names};

    fn ask(kind: Kind, sent: &[(HeaderName, &str)]) -> Result<FileOperation, WopiError> {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        match crate::operation::parse(&Target::File(FileId::parse("1").unwrap()), kind, &headers)? {
            Operation::File(_, operation) => Ok(operation),
            other => panic!("{other:?}"),
        }
    }

    fn refused<T>(header: &'static str) -> Result<T, WopiError> {
        Err(WopiError::InvalidRequest { header })
    }

    fn coauth(text: &str) -> CoauthLockId {
        CoauthLockId::parse(text).unwrap()
    }

    const ID: &str = "X-WOPI-CoauthLockId";
    const TIMEOUT: &str = "X-WOPI-CoauthLockExpirationTimeout";
    const TYPE: &str = "X-WOPI-CoauthLockType";

    #[test]
    fn get_coauth_lock_needs_an_id_a_type_and_a_timeout() {
        let whole = [
            (names::COAUTH_LOCK_ID, "C1"),
            (names::COAUTH_LOCK_TYPE, "CoauthExclusive"),
            (names::COAUTH_LOCK_EXPIRATION_TIMEOUT, "60"),
            (names::COAUTH_LOCK_METADATA, "m"),
        ];
        let operation = |metadata: &str| FileOperation::GetCoauthLock {
            lock: coauth("C1"),
            kind: CoauthLockType::CoauthExclusive,
            timeout: LockTimeout::from_seconds(60).unwrap(),
            metadata: CoauthLockMetadata::new(metadata).unwrap(),
        };
        assert_eq!(ask(Kind::GetCoauthLock, &whole), Ok(operation("m")));
        assert_eq!(ask(Kind::GetCoauthLock, &whole[..3]), Ok(operation("")));
        let (long_id, long_metadata) = ("a".repeat(1025), "a".repeat(4097));
        let longest = "a".repeat(4096);
        for (at, value, expected) in [
            (0, "", refused(ID)),
            (0, &*long_id, refused(ID)),
            (1, "", refused(TYPE)),
            (1, "None", refused(TYPE)),
            (1, "Other", refused(TYPE)),
            (2, "", refused(TIMEOUT)),
            (2, "59", refused(TIMEOUT)),
            (2, "3601", refused(TIMEOUT)),
            (2, "-60", refused(TIMEOUT)),
            (2, "60.0", refused(TIMEOUT)),
            (3, "", Ok(operation(""))),
            (3, &longest, Ok(operation(&longest))),
            (3, &long_metadata, refused("X-WOPI-CoauthLockMetadata")),
        ] {
            let mut sent = whole.clone();
            sent[at].1 = value;
            assert_eq!(ask(Kind::GetCoauthLock, &sent), expected, "{} {:.20}", sent[at].0, value);
        }
    }

    #[test]
    fn refresh_and_unlock_need_an_id_and_refresh_a_timeout() {
        let whole = [(names::COAUTH_LOCK_ID, "C1"), (names::COAUTH_LOCK_EXPIRATION_TIMEOUT, "3600")];
        let refresh = FileOperation::RefreshCoauthLock {
            lock: coauth("C1"),
            timeout: LockTimeout::from_seconds(3600).unwrap(),
            metadata: CoauthLockMetadata::default(),
        };
        assert_eq!(ask(Kind::RefreshCoauthLock, &whole), Ok(refresh));
        assert_eq!(ask(Kind::RefreshCoauthLock, &whole[..1]), refused(TIMEOUT));
        assert_eq!(ask(Kind::RefreshCoauthLock, &whole[1..]), refused(ID));
        let longest = "a".repeat(1024);
        let unlock = FileOperation::UnlockCoauthLock { lock: coauth(&longest) };
        assert_eq!(ask(Kind::UnlockCoauthLock, &[(names::COAUTH_LOCK_ID, &longest)]), Ok(unlock));
        let too_long = longest + "a";
        for bad in ["", &too_long] {
            assert_eq!(ask(Kind::UnlockCoauthLock, &[(names::COAUTH_LOCK_ID, bad)]), refused(ID));
        }
    }

    #[test]
    fn a_table_may_be_asked_for_by_its_version() {
        let table =
            |known: Option<&str>| FileOperation::GetCoauthTable { known: known.and_then(CoauthTableVersion::parse) };
        assert_eq!(ask(Kind::GetCoauthTable, &[]), Ok(table(None)));
        assert_eq!(ask(Kind::GetCoauthTable, &[(names::COAUTH_TABLE_VERSION, "")]), Ok(table(None)));
        assert_eq!(ask(Kind::GetCoauthTable, &[(names::COAUTH_TABLE_VERSION, "ab")]), Ok(table(Some("ab"))));
        let long = "a".repeat(257);
        let asked = ask(Kind::GetCoauthTable, &[(names::COAUTH_TABLE_VERSION, &long)]);
        assert_eq!(asked, refused("X-WOPI-CoauthTableVersion"));
    }

    #[test]
    fn a_rename_presents_one_lock_at_most_and_an_empty_one_is_none() {
        let rename = |lock: &str, coauth: &str| {
            let sent = [(names::REQUESTED_NAME, "b"), (names::LOCK, lock), (names::COAUTH_LOCK_ID, coauth)];
            match ask(Kind::RenameFile, &sent)? {
                FileOperation::RenameFile { name, presented } => {
                    assert_eq!(name, RequestedName::new("b".to_owned()));
                    Ok(presented)
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(rename("", ""), Ok(PresentedLock::None));
        assert_eq!(rename("A", ""), Ok(PresentedLock::Wopi(LockId::parse("A").unwrap())));
        assert_eq!(rename("", "A"), Ok(PresentedLock::Coauth(coauth("A"))));
        assert_eq!(rename("A", "A"), refused(ID));
        assert_eq!(rename("", &"a".repeat(1025)), refused(ID));
    }

    #[test]
    fn the_terms_of_a_wopi_lock_are_optional_and_bounded() {
        let terms = |timeout: &str, visible: &str| {
            let sent = [
                (names::LOCK, "A"),
                (names::OLD_LOCK, "B"),
                (names::LOCK_EXPIRATION_TIMEOUT, timeout),
                (names::LOCK_USER_VISIBLE, visible),
            ];
            let of = |kind| match ask(kind, &sent)? {
                FileOperation::Lock { terms, .. }
                | FileOperation::RefreshLock { terms, .. }
                | FileOperation::UnlockAndRelock { terms, .. } => Ok(terms),
                other => panic!("{other:?}"),
            };
            let all = [of(Kind::Lock), of(Kind::RefreshLock), of(Kind::UnlockAndRelock)];
            assert!(all.iter().all(|terms| *terms == all[0]), "{all:?}");
            all[0].clone()
        };
        assert_eq!(terms("", ""), Ok(LockTerms::default()));
        let expected = LockTerms { timeout: LockTimeout::from_seconds(60), user_visible: true };
        assert_eq!(terms("60", "True"), Ok(expected));
        assert_eq!(terms("", "false"), Ok(LockTerms::default()));
        for bad in ["59", "3601", "soon"] {
            assert_eq!(terms(bad, ""), refused("X-WOPI-LockExpirationTimeout"), "{bad}");
        }
        assert_eq!(terms("", "1"), refused("X-WOPI-LockUserVisible"));
    }
}
