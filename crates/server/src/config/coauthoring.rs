//! `[coauthoring]`

use lectern_host::plus;
use serde::{Deserialize, Serialize};

use super::section::section;
use super::values::ServiceUrl;

section! {
    /// Coauthoring for clients that know it (CSPP Plus): coauth locks and incremental transfer. It is offered to people who
    /// may edit, where the client's discovery has the actions `collab` and `rtc`, or both URLs stand here.
    pub struct Coauthoring = "coauthoring" {
        /// Offer it at all.
        pub enabled: bool = true;
        /// Where the client's real-time channel is, if not where its discovery says. Not without the next one.
        pub real_time_channel_url: Option<ServiceUrl>, for example "\"https://office.example.org/rtc2/\"";
        /// Where the client's collaboration service is, if not where its discovery says. Not without the last one.
        pub collaboration_service_url: Option<ServiceUrl>, for example "\"https://office.example.org/ocs/\"";
        /// What clients are told of a file: "shared" (others can open it, too) or "private"; "auto" tells of each what is
        /// true of it.
        pub sharing_status: SharingStatus = SharingStatus::Auto;
        /// The region that Microsoft has assigned to the files (FileGeoLocationCode); empty where it has none.
        pub file_geo_location_code: String = String::new();
    }
}

/// Whether others can open the files, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SharingStatus {
    /// What is true of each file.
    Auto,
    /// Nobody else.
    Private,
    /// At least one other user.
    Shared,
}

impl SharingStatus {
    /// What is told of every file; `None` if of each what is true of it.
    pub fn of_every_file(self) -> Option<plus::SharingStatus> {
        match self {
            Self::Auto => None,
            Self::Private => Some(plus::SharingStatus::Private),
            Self::Shared => Some(plus::SharingStatus::Shared),
        }
    }
}

impl Coauthoring {
    /// What holds between these settings.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.real_time_channel_url.is_some() == self.collaboration_service_url.is_some() {
            return Ok(());
        }
        Err("coauthoring.real_time_channel_url and coauthoring.collaboration_service_url go together".to_owned())
    }
}
