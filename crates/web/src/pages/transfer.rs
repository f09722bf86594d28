//! Bytes of files, in and out: uploads by form and by script, downloads, and what the browser itself can show.

use std::sync::Arc;

use axum::Json;
use axum::body::Body as AxumBody;
use axum::extract::multipart::Field;
use axum::extract::{Multipart, Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use lectern_host::desk::{Denied, Desk, Download, FileEntry, IfTaken, Why};
use lectern_host::wopi::{ContainerId, FileId, operation};
use lectern_host::{Body, BoxError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::browse::{listing_with, path_of};
use super::see;
use crate::frame::Said;
use crate::headers;
use crate::kinds::{self, Shown};
use crate::problem::{Problem, status_of, told};
use crate::site::Shared;
use crate::visitor::Member;

/// Most files of one form.
const FILES_PER_FORM_MAX: usize = 100;

/// How many pieces of a form's file wait for the disk.
const PIECES_WAITING_MAX: usize = 4;

/// Largest word of a form beside its files, in bytes.
const WORD_BYTES_MAX: usize = 100;

fn if_taken(word: &str) -> IfTaken {
    match word {
        "version" => IfTaken::NewVersion,
        "both" => IfTaken::AnotherName,
        _ => IfTaken::Refuse,
    }
}

/// `POST /browse/{container}/upload`: a form, for those without scripts.
pub(crate) async fn upload_form(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    mut form: Multipart,
) -> Result<Response, Problem> {
    let container = ContainerId::parse(&id).ok_or(Problem::NotFound)?;
    let _turn = shared.uploads.try_acquire().map_err(|_| Problem::Busy)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let mut taken = IfTaken::Refuse;
    let mut count = 0;
    while let Some(mut field) = form.next_field().await.map_err(|_| Problem::Malformed)? {
        match field.name() {
            Some("taken") => taken = if_taken(&word(&mut field).await?),
            Some("files") => {
                let name = field.file_name().unwrap_or_default().to_owned();
                // A form whose field for files was left empty has one without a name.
                if name.is_empty() {
                    continue;
                }
                count += 1;
                if count > FILES_PER_FORM_MAX {
                    return Err(Problem::TooLarge);
                }
                if let Err(denied) = upload_field(&desk, &container, &name, field, taken).await {
                    return listing_with(&shared, &member, &desk, &container, denied).await;
                }
            }
            _ => return Err(Problem::Malformed),
        }
    }
    let said = (count > 0).then_some(Said::Uploaded);
    Ok(see(&shared, &path_of(&container), said))
}

async fn word(field: &mut Field<'_>) -> Result<String, Problem> {
    let mut word = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(|_| Problem::Malformed)? {
        word.extend_from_slice(&piece);
        if word.len() > WORD_BYTES_MAX {
            return Err(Problem::Malformed);
        }
    }
    String::from_utf8(word).map_err(|_| Problem::Malformed)
}

/// A field of a form cannot leave the form, and a body that is stored lives on its own: pieces go from one to the other.
async fn upload_field(
    desk: &Desk<'_>,
    container: &ContainerId,
    name: &str,
    mut field: Field<'_>,
    taken: IfTaken,
) -> Result<(), Denied> {
    let (pieces, mut arriving) = mpsc::channel::<Result<Bytes, BoxError>>(PIECES_WAITING_MAX);
    let body = stream::poll_fn(move |cx| arriving.poll_recv(cx));
    let body = StreamBody::new(futures_util::StreamExt::map(body, |piece| piece.map(http_body::Frame::data)));
    let sending = async move {
        loop {
            let piece = match field.chunk().await {
                Ok(Some(piece)) => Ok(piece),
                Ok(None) => break,
                Err(error) => Err(error.into()),
            };
            let ended = piece.is_err();
            // Nobody listens any more when the upload was refused: the rest of the field is of no use.
            if pieces.send(piece).await.is_err() || ended {
                break;
            }
        }
    };
    let (stored, ()) = tokio::join!(desk.upload(container, name, body.boxed_unsync(), taken), sending);
    stored.map(drop)
}

/// What a script says of the file it sends.
#[derive(Deserialize)]
pub(crate) struct Upload {
    name: String,
    #[serde(default)]
    taken: String,
}

/// `PUT /browse/{container}/upload?name=…`: the bytes of one file; the answer is JSON.
pub(crate) async fn upload_bytes(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    Query(upload): Query<Upload>,
    request: Request,
) -> Result<Response, Problem> {
    let container = ContainerId::parse(&id).ok_or(Problem::NotFound)?;
    let _turn = shared.uploads.try_acquire().map_err(|_| Problem::Busy)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let body: Body = request.into_body().map_err(Into::into).boxed_unsync();
    let answer = match desk.upload(&container, &upload.name, body, if_taken(&upload.taken)).await {
        Ok(file) => Json(json!({ "id": file.id.as_str(), "name": file.name.as_str() })).into_response(),
        Err(denied) => {
            let why = match Problem::from(denied) {
                Problem::Denied(why) => why,
                other => return Err(other),
            };
            let is_taken = matches!(why, Why::NameTaken { .. });
            let text = told(&why, &member.frame(&shared));
            (status_of(&why), Json(json!({ "trouble": text, "taken": is_taken }))).into_response()
        }
    };
    Ok(answer)
}

/// `GET /download/{file}`
pub(crate) async fn download(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let download = desk.download(&file, operation::range(&headers)).await?;
    let disposition = attachment(download.file.name.as_str());
    let mut answer = bytes(download);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    answer.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    Ok(answer)
}

/// `GET /show/{file}/{name}`: an image or a PDF as what it is, where it can do nothing. The name is there because browsers
/// call a PDF by the end of its address; whatever stands there, it is the file with that id.
pub(crate) async fn show(
    State(shared): State<Arc<Shared>>,
    member: Member,
    Path((id, _)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file = FileId::parse(&id).ok_or(Problem::NotFound)?;
    let desk = shared.host.desk(&member.session.id).await?;
    let (entry, _) = desk.file_entry(&file).await?;
    let (content_type, policy) = match kinds::shown(&kinds::extension(&entry.name)) {
        Some(Shown::Image(content_type)) => (content_type, headers::CONTENT_SECURITY_OF_IMAGES),
        Some(Shown::Pdf) => ("application/pdf", headers::CONTENT_SECURITY_OF_PDFS),
        Some(Shown::Text) | None => return Err(Problem::NotFound),
    };
    let download = desk.download(&file, operation::range(&headers)).await?;
    if download.file.name != entry.name {
        // Renamed between two looks: the type may be another one now.
        return Err(Problem::Busy);
    }
    let mut answer = bytes(download);
    let fields = answer.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    fields.insert(CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    fields.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    fields.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    Ok(answer)
}

/// Our path of the bytes of an image or a PDF.
pub(super) fn show_path(file: &FileEntry) -> String {
    format!("/show/{}/{}", file.id, utf8_percent_encode(file.name.as_str(), IN_FILE_NAME))
}

pub(super) fn bytes(download: Download) -> Response {
    let Download { bytes, .. } = download;
    let (status, length) = match &bytes.range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range.end.saturating_sub(range.start)),
        None => (StatusCode::OK, bytes.size),
    };
    let mut answer = Response::new(AxumBody::new(bytes.body));
    *answer.status_mut() = status;
    let fields = answer.headers_mut();
    fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
    fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(range) = bytes.range {
        let text = format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), bytes.size);
        if let Ok(value) = HeaderValue::try_from(text) {
            fields.insert(CONTENT_RANGE, value);
        }
    }
    answer
}

/// What stays as it is in `filename*` (RFC 8187, `attr-char`).
const IN_FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `Content-Disposition` for a file that is saved under its name.
pub(super) fn attachment(name: &str) -> HeaderValue {
    let text = format!("attachment; filename*=UTF-8''{}", utf8_percent_encode(name, IN_FILE_NAME));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_on_its_way_out_is_one_word() {
        for (name, value) in [
            ("report.docx", "attachment; filename*=UTF-8''report.docx"),
            ("Über \"uns\"; x=1.txt", "attachment; filename*=UTF-8''%C3%9Cber%20%22uns%22%3B%20x%3D1.txt"),
            ("a\r\nb", "attachment; filename*=UTF-8''a%0D%0Ab"),
        ] {
            assert_eq!(attachment(name), value);
        }
    }
}
