//! `POST /usr/complete` (一.1): creates an unknown user, or updates the given fields.

use core_model::{Command, Outcome, ProfileChanges};
use frontend_api::http::{Action, Endpoint, Loose, Params, RequestParams, Response, TextOrNumber};
use frontend_api::schema::{Operation, Source};

use super::POST;
use crate::encode::Done;
use crate::refusal::Failure;
use crate::{Flavor, UsrRoom, encode, parse, refusal};

pub(super) const ENDPOINT: Endpoint<UsrRoom> = Endpoint {
    name: "complete_user",
    methods: POST,
    path: "/usr/complete",
    decode,
    encode,
    describe: |dialect| {
        let about = "Creates an unknown user, or updates the given fields.";
        let operation = match dialect.flavor {
            Flavor::Document => Operation::of::<Request>(about),
            Flavor::Miniprogram => Operation::of::<AppRequest>(about),
        };
        let operation = operation.replies::<Done>().replies::<Failure>();
        operation.leads_to("add_room", &[("room_owner_id", Source::Request("openid"))])
    },
};

parse::request! {
    /// Absent fields stay as they are.
    #[schemars(extend("anyOf" = parse::EITHER_OPENID))]
    Request {
        openid,
        sex: Option<TextOrNumber>,
        preference: Option<Loose<TextOrNumber>>,
    }
}

parse::request! {
    /// In flavor miniprogram. Absent fields stay as they are.
    #[schemars(extend("anyOf" = parse::EITHER_OPENID))]
    AppRequest {
        openid,
        sex: Option<TextOrNumber>,
        preference: Option<Loose<TextOrNumber>>,
        /// A URL.
        avatar: Option<String>,
        /// The display name.
        name: Option<String>,
    }
}

fn decode(dialect: &UsrRoom, params: &RequestParams<'_>) -> Result<Action, Response> {
    let request = match dialect.flavor {
        Flavor::Document => {
            let Request { openid, open_id, sex, preference } = parse::read(params)?;
            AppRequest { openid, open_id, sex, preference, avatar: None, name: None }
        }
        Flavor::Miniprogram => parse::read(params)?,
    };
    let AppRequest { openid, open_id, sex, preference, avatar, name } = request;
    let openid = parse::openid(openid, open_id)?;
    if openid.starts_with('@') {
        return Err(refusal::failure("an openid does not begin with @"));
    }
    let texts = |list: Loose<TextOrNumber>| list.0.into_iter().map(|text| text.0).collect();
    let changes = ProfileChanges {
        name,
        avatar,
        sex: sex.map(|sex| sex.0),
        preferences: preference.map(texts),
        info: None,
    };
    Ok(Action::Submit(Command::UpdateUser { user: dialect.caller(&openid), create: true, changes }))
}

fn encode(_: &UsrRoom, _: &Params<'_>, outcome: &Outcome) -> Response {
    encode::ack(outcome)
}
