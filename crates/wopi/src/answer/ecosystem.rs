//! What the ecosystem and the bootstrapper answer.

use super::{CheckContainerInfo, ContainerPointer};

answer! {
    /// CheckEcosystem.
    CheckEcosystem {}
    optional {
        /// As in CheckFileInfo.
        supports_containers: bool,
    }
}

answer! {
    /// GetEcosystem, of files and of containers.
    GetEcosystem {
        /// The ecosystem's URL with an access token.
        url: String,
    }
}

answer! {
    /// GetRootContainer.
    GetRootContainer {
        /// The top of the containers.
        container_pointer: ContainerPointer,
    }
    optional {
        /// What CheckContainerInfo would say of it.
        container_info: CheckContainerInfo,
    }
}

answer! {
    /// GetFileWopiSrc.
    GetFileWopiSrc {
        /// The WOPISrc with an access token.
        url: String,
    }
}

answer! {
    /// Bootstrap.
    Bootstrap {
        /// Who the user is and where to go on.
        bootstrap: BootstrapInfo,
    }
}

answer! {
    /// Who the user is and where to go on.
    BootstrapInfo {
        /// The ecosystem's URL with an access token.
        ecosystem_url: String,
        /// CheckFileInfo's `UserId`.
        user_id: String,
        /// What the account is called, often an e-mail address.
        sign_in_name: String,
    }
    optional {
        /// The display name.
        user_friendly_name: String,
    }
}

answer! {
    /// GetNewAccessToken.
    GetNewAccessToken {
        /// As Bootstrap answers.
        bootstrap: BootstrapInfo,
        /// The new token.
        access_token_info: AccessTokenInfo,
    }
    optional {
        /// CSPP Plus only.
        end_points: EndPoints,
    }
}

answer! {
    /// A new access token.
    AccessTokenInfo {
        /// The token.
        access_token: String,
        /// When it ends, in milliseconds since 1970-01-01 UTC.
        access_token_expiry: u64,
    }
}

answer! {
    /// Where people who edit together meet (CSPP Plus); the same as in CheckFileInfo.
    EndPoints {
        /// The URL of discovery's action `rtc`.
        real_time_channel_endpoint_url: String,
        /// The URL of discovery's action `collab`.
        office_collaboration_service_endpoint_url: String,
    }
}

answer! {
    /// Bootstrap and GetRootContainer in one.
    BootstrapGetRootContainer {
        /// As Bootstrap answers.
        bootstrap: BootstrapInfo,
        /// As GetRootContainer answers.
        root_container_info: GetRootContainer,
    }
}

answer! {
    /// Bootstrap and GetFileWopiSrc in one.
    BootstrapGetFileWopiSrc {
        /// As Bootstrap answers.
        bootstrap: BootstrapInfo,
        /// As GetFileWopiSrc answers.
        wopi_src_info: GetFileWopiSrc,
    }
}
