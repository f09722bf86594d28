//! The properties of CSPP Plus in CheckFileInfo: all eight or none, because the client takes any missing one for "no
//! coauthoring", and the official validator knows no third way (protocol documents, *WOPI coauthoring locks* 2).

use wopi::action_url::preload_url;
use wopi::answer::{CsppPlus, EndPoints};

use crate::caller::Caller;
use crate::chunks::sequence_of;
use crate::clients::ClientAction;
use crate::host::Host;
use crate::records::{FileRecord, Timestamp};

/// Whether others have access to a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SharingStatus {
    /// Nobody else.
    Private,
    /// At least one other user. What every file is whose folder several people work in.
    #[default]
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

/// What can be set about coauthoring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoauthSettings {
    /// Whether it is offered at all.
    pub enabled: bool,
    /// Where people who edit together meet, if not where the client's discovery says.
    pub end_points: Option<EndPoints>,
    /// `SharingStatus` of every file.
    pub sharing_status: SharingStatus,
    /// `FileGeoLocationCode`. Only Microsoft knows the values; empty where none was given.
    pub file_geo_location_code: String,
}

impl Default for CoauthSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            end_points: None,
            sharing_status: SharingStatus::default(),
            file_geo_location_code: String::new(),
        }
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
        sharing_status: facts.settings.sharing_status.as_str().to_owned(),
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
    pub(crate) fn plus_properties(&self, by: &Caller, file: &FileRecord) -> Option<CsppPlus> {
        properties(&PlusFacts {
            may_edit: by.rights.may_edit(),
            sequence_number: sequence_of(file),
            end_points: self.end_points(by.claims.client.as_deref(), file),
            token_expires_at: by.claims.expires_at,
            now: self.now(),
            settings: &self.settings.coauth,
        })
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
            sharing_status: SharingStatus::Private,
            file_geo_location_code: "DEU".to_owned(),
        };
        let told = |may_edit, end_points| {
            properties(&PlusFacts {
                may_edit,
                sequence_number: 7,
                end_points,
                token_expires_at: Timestamp(1_700_000_000_000),
                now: Timestamp(1_600_000_000_000),
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
        assert_eq!(CoauthSettings::default().sharing_status.as_str(), "Shared");
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
