//! Notifications of S3-compatible storage, as AWS, MinIO, Ceph and others post them.
//!
//! Owns the reading of their JSON. Events that no OSS trigger can wait for are passed over, and so are the test events that
//! a server sends when it is set up.

use bide_engine::ObjectEvent;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::check_count;
use crate::error::ApiError;
use crate::query::Query;

/// How object keys are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Keys {
    /// As in a form: `+` for a space, `%XX` for what is special (AWS, MinIO).
    #[default]
    Encoded,
    /// As they are.
    Plain,
}

/// A body: a list of records, or a test.
#[derive(Deserialize)]
struct Notification<'a> {
    #[serde(rename = "Records", borrow)]
    records: Option<Vec<&'a RawValue>>,
    /// `s3:TestEvent`.
    #[serde(rename = "Event")]
    event: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    #[serde(default)]
    event_time: String,
    #[serde(default)]
    aws_region: String,
    #[serde(default)]
    user_identity: Identity,
    #[serde(default)]
    request_parameters: RequestParameters,
    #[serde(default)]
    response_elements: ResponseElements,
    s3: S3,
}

#[derive(Default, Deserialize)]
struct Identity {
    #[serde(default, rename = "principalId", alias = "PrincipalId")]
    principal_id: String,
}

#[derive(Default, Deserialize)]
struct RequestParameters {
    #[serde(default, rename = "sourceIPAddress")]
    source_ip_address: String,
}

#[derive(Default, Deserialize)]
struct ResponseElements {
    #[serde(default, rename = "x-amz-request-id")]
    request_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3 {
    #[serde(default)]
    configuration_id: String,
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bucket {
    name: String,
    #[serde(default)]
    owner_identity: Identity,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    key: String,
    size: Option<u64>,
    #[serde(alias = "etag")]
    e_tag: Option<String>,
    version_id: Option<String>,
}

impl Keys {
    /// As the URL that the storage was given asks for.
    pub(super) fn asked(query: &Query) -> Result<Self, ApiError> {
        match query.text("keys") {
            None | Some("encoded") => Ok(Self::Encoded),
            Some("plain") => Ok(Self::Plain),
            Some(_) => Err(ApiError::invalid("query parameter 'keys' must be encoded or plain")),
        }
    }

    fn read(self, key: String) -> Result<String, ApiError> {
        match self {
            Self::Plain => Ok(key),
            Self::Encoded => {
                let spaced = key.replace('+', " ");
                let decoded = percent_encoding::percent_decode_str(&spaced).decode_utf8();
                let decoded =
                    decoded.map_err(|_| ApiError::invalid("an object key is not percent-encoded UTF-8"))?;
                Ok(decoded.into_owned())
            }
        }
    }
}

/// The events of a request, in their order.
///
/// # Errors
/// `InvalidArgument` for what is no notification, or has more records than one request may have.
pub(super) fn read(body: &[u8], keys: Keys) -> Result<Vec<ObjectEvent>, ApiError> {
    let wrong = |error| ApiError::invalid(format!("the body is no notification of S3: {error}"));
    let notification: Notification = serde_json::from_slice(body).map_err(wrong)?;
    let records = match (notification.records, notification.event) {
        (Some(records), _) => records,
        (None, Some(event)) if event == "s3:TestEvent" => Vec::new(),
        (None, _) => return Err(ApiError::invalid("the body is no notification of S3: it has no Records")),
    };
    check_count(records.len())?;
    let mut events = Vec::with_capacity(records.len());
    for (index, json) in records.into_iter().enumerate() {
        let wrong = |error| ApiError::invalid(format!("record {index} is no record of S3: {error}"));
        let record: Record = serde_json::from_str(json.get()).map_err(wrong)?;
        match ObjectEvent::name_of(&record.event_name) {
            Some(name) => events.push(record.into_event(name, keys, json.get())?),
            None => tracing::debug!(name = record.event_name, "a notification that no trigger waits for"),
        }
    }
    Ok(events)
}

impl Record {
    /// The record as it stands is its identity: a repetition has the same time, request and sequencer, and nothing else has.
    fn into_event(self, name: &'static str, keys: Keys, json: &str) -> Result<ObjectEvent, ApiError> {
        let S3 { configuration_id, bucket, object } = self.s3;
        Ok(ObjectEvent {
            name,
            time: self.event_time,
            region: self.aws_region,
            bucket: bucket.name,
            owner: bucket.owner_identity.principal_id,
            key: keys.read(object.key)?,
            size: object.size.unwrap_or(0),
            etag: object.e_tag.unwrap_or_default(),
            version_id: object.version_id.filter(|version| !version.is_empty()),
            rule: configuration_id,
            source_address: self.request_parameters.source_ip_address,
            request_id: self.response_elements.request_id,
            principal: self.user_identity.principal_id,
            identity: json.as_bytes().to_vec(),
        })
    }
}
