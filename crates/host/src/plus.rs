//! The properties of CSPP Plus in CheckFileInfo: all eight or none, because the client takes any missing one for "no
//! coauthoring", and the official validator knows no third way (protocol documents, *WOPI coauthoring locks* 2).

use std::sync::PoisonError;
use std::time::Duration;

use wopi::action_url::preload_url;
use wopi::answer::{CsppPlus, EndPoints};
use wopi_service::Refusal;

use crate::caller::Caller;
use crate::chunks::sequence_of;
use crate::clients::ClientAction;
use crate::errors;
use crate::host::Host;
use crate::records::{FileRecord, Timestamp};
use crate::sharing::Principal;

/// Whether others have access to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SharingStatus {
    /// Nobody else.
    Private,
    /// At least one other user. What every file is whose folder several people work in.
    Shared,
}

impl SharingStatus {
    /// The published word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "Private",
            Self::Shared => "Shared",
        }
    }
}

/// For how long it is believed that others see everything whom their roles let: a word for a client's menus, and no right.
const SEEN_BY_OTHERS_FOR: Duration = Duration::from_secs(10);

/// Of how many people that is remembered.
const SEEN_BY_OTHERS_MAX: usize = 1_024;

/// What can be set about coauthoring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoauthSettings {
    /// Whether it is offered at all.
    pub enabled: bool,
    /// Where people who edit together meet, if not where the client's discovery says.
    pub end_points: Option<EndPoints>,
    /// `SharingStatus` of every file; without it what is true of each.
    pub sharing_status: Option<SharingStatus>,
    /// `FileGeoLocationCode`. Only Microsoft knows the values; empty where none was given.
    pub file_geo_location_code: String,
}

impl Default for CoauthSettings {
    fn default() -> Self {
        Self { enabled: true, end_points: None, sharing_status: None, file_geo_location_code: String::new() }
    }
}

/// What the properties depend on.
#[derive(Clone, Debug)]
pub struct PlusFacts<'a> {
    /// Whether the user may change the file.
    pub may_edit: bool,
    /// Which state the contents are in; more than 0.
    pub sequence_number: u64,
    /// Where people who edit together meet, if the client or the settings say.
    pub end_points: Option<EndPoints>,
    /// When the access token ends.
    pub token_expires_at: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// Whether others have access to the file.
    pub sharing_status: SharingStatus,
    /// What was set.
    pub settings: &'a CoauthSettings,
}

/// The eight properties, or none.
///
/// | the user | both URLs | |
/// |---|---|---|
/// | may edit | known | all eight |
/// | may edit | not known, or one of them | none |
/// | may not | any | none |
pub fn properties(facts: &PlusFacts<'_>) -> Option<CsppPlus> {
    let EndPoints { real_time_channel_endpoint_url, office_collaboration_service_endpoint_url } =
        facts.end_points.clone().filter(|_| facts.may_edit)?;
    let known = !real_time_channel_endpoint_url.is_empty() && !office_collaboration_service_endpoint_url.is_empty();
    let milliseconds = |at: Timestamp| u64::try_from(at.0).unwrap_or(0);
    known.then(|| CsppPlus {
        supports_coauth: true,
        sequence_number: facts.sequence_number,
        office_collaboration_service_endpoint_url,
        real_time_channel_endpoint_url,
        access_token_expiry: milliseconds(facts.token_expires_at),
        server_time: milliseconds(facts.now),
        sharing_status: facts.sharing_status.as_str().to_owned(),
        file_geo_location_code: facts.settings.file_geo_location_code.clone(),
    })
}

/// The action whose URL is `RealTimeChannelEndpointUrl`.
pub(crate) const REAL_TIME_CHANNEL: &str = "rtc";

/// The action whose URL is `OfficeCollaborationServiceEndpointUrl`.
const COLLABORATION_SERVICE: &str = "collab";

/// The URLs of both actions, out of what one client can do with files of one extension. Their placeholders are for
/// people's browsers and are left out.
pub(crate) fn end_points(actions: &[ClientAction]) -> Option<EndPoints> {
    let url = |name: &str| {
        let action = actions.iter().find(|action| action.is(name))?;
        Some(preload_url(&action.url_template, None))
    };
    Some(EndPoints {
        real_time_channel_endpoint_url: url(REAL_TIME_CHANNEL)?,
        office_collaboration_service_endpoint_url: url(COLLABORATION_SERVICE)?,
    })
}

impl Host {
    /// Where people meet who edit this file together through this client. The settings come first.
    pub(crate) fn end_points(&self, client: Option<&str>, file: &FileRecord) -> Option<EndPoints> {
        let CoauthSettings { enabled, end_points, .. } = &self.settings.coauth;
        if !enabled {
            return None;
        }
        end_points.clone().or_else(|| self.ports.clients.end_points(client, file.name.extension()))
    }

    /// What CheckFileInfo tells of CSPP Plus to this caller.
    pub(crate) async fn plus_properties(&self, by: &Caller, file: &FileRecord) -> Result<Option<CsppPlus>, Refusal> {
        let end_points = self.end_points(by.claims.client.as_deref(), file);
        let may_edit = by.rights.may_edit();
        if end_points.is_none() || !may_edit {
            return Ok(None);
        }
        let sharing_status = match self.settings.coauth.sharing_status {
            Some(set) => set,
            None => self.sharing_status(by).await?,
        };
        Ok(properties(&PlusFacts {
            may_edit,
            sequence_number: sequence_of(file),
            end_points,
            token_expires_at: by.claims.expires_at,
            now: self.now(),
            sharing_status,
            settings: &self.settings.coauth,
        }))
    }

    /// Whether anybody but the caller has access to their file: by a role, by what is shared with them, or by a link.
    pub(crate) async fn sharing_status(&self, by: &Caller) -> Result<SharingStatus, Refusal> {
        let (registry, now, me) = (&self.ports.registry, self.now(), &by.user.id);
        let failed = |error| errors::registry("reading with whom a file is shared", &error);
        // Where several people see everything, as in most places, they do so for a while: nothing is read each time.
        if self.seen_by_others.lock().unwrap_or_else(PoisonError::into_inner).get(me).is_some_and(|until| now < *until)
        {
            return Ok(SharingStatus::Shared);
        }
        if registry.others_see_everything(me).await.map_err(failed)? {
            let mut seen = self.seen_by_others.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.len() >= SEEN_BY_OTHERS_MAX {
                seen.clear();
            }
            seen.insert(me.clone(), now.plus(SEEN_BY_OTHERS_FOR));
            return Ok(SharingStatus::Shared);
        }
        let items = by.located()?.items();
        let grants = registry.grants_on(&items).await.map_err(failed)?;
        if grants.iter().flat_map(|grants| grants.iter()).any(|grant| grant.to != Principal::User(me.clone())) {
            return Ok(SharingStatus::Shared);
        }
        for item in &items {
            if registry.links_on(item).await.map_err(failed)?.iter().any(|link| link.is_live(now)) {
                return Ok(SharingStatus::Shared);
            }
        }
        Ok(SharingStatus::Private)
    }
}

#[cfg(test)]
mod tests {
    use wopi::discovery::NetZone;

    use super::*;

    fn points(real_time: &str, collaboration: &str) -> EndPoints {
        EndPoints {
            real_time_channel_endpoint_url: real_time.to_owned(),
            office_collaboration_service_endpoint_url: collaboration.to_owned(),
        }
    }

    #[test]
    fn all_eight_or_none() {
        let settings = CoauthSettings {
            enabled: true,
            end_points: None,
            sharing_status: None,
            file_geo_location_code: "DEU".to_owned(),
        };
        let told = |may_edit, end_points| {
            properties(&PlusFacts {
                may_edit,
                sequence_number: 7,
                end_points,
                token_expires_at: Timestamp(1_700_000_000_000),
                now: Timestamp(1_600_000_000_000),
                sharing_status: SharingStatus::Private,
                settings: &settings,
            })
        };
        let both = points("https://o/rtc", "https://o/collab");
        let all = CsppPlus {
            supports_coauth: true,
            sequence_number: 7,
            office_collaboration_service_endpoint_url: "https://o/collab".to_owned(),
            real_time_channel_endpoint_url: "https://o/rtc".to_owned(),
            access_token_expiry: 1_700_000_000_000,
            server_time: 1_600_000_000_000,
            sharing_status: "Private".to_owned(),
            file_geo_location_code: "DEU".to_owned(),
        };
        for (may_edit, end_points, expected) in [
            (true, Some(both.clone()), Some(all)),
            (true, None, None),
            (true, Some(points("https://o/rtc", "")), None),
            (true, Some(points("", "https://o/collab")), None),
            (false, Some(both), None),
            (false, None, None),
        ] {
            assert_eq!(told(may_edit, end_points.clone()), expected, "{may_edit} {end_points:?}");
        }
    }

    fn action(name: &str, url_template: &str) -> ClientAction {
        ClientAction {
            client: "office".to_owned(),
            app: "Word".to_owned(),
            name: name.to_owned(),
            extension: "docx".to_owned(),
            url_template: url_template.to_owned(),
            fav_icon_url: None,
            is_default: false,
            check_license: false,
            target_extension: None,
            new_extension: None,
            zone: NetZone::ExternalHttps,
            rank: 0,
        }
    }

    #[test]
    fn both_urls_are_there_or_none() {
        let actions = [
            action("edit", "https://o/edit"),
            action("collab", "https://o/collab?<ui=UI_LLCC&>a=b"),
            action("RTC", "https://o/rtc"),
        ];
        assert_eq!(end_points(&actions), Some(points("https://o/rtc", "https://o/collab?a=b")));
        assert_eq!(end_points(&actions[..2]), None);
        assert_eq!(end_points(&actions[2..]), None);
    }
}
