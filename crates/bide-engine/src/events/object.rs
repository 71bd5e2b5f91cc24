//! What happened to an object of a bucket, as an OSS trigger hands it over.
//!
//! Owns the names of events that OSS has, those of S3 that stand for them, and the JSON that functions get. Never knows how
//! a notification came.

use std::collections::BTreeSet;

use bide_types::AccountId;
use bide_types::limits::{OBJECT_KEY_BYTES_MAX, OSS_EVENTS_MAX};
use bide_types::resource::OssTrigger;
use bytes::Bytes;
use serde_json::{Value, json};

/// Names that triggers know, without `oss:`, and the names of S3 that stand for each, without `s3:`. S3 has no
/// notification for what else OSS has.
const EVENTS: [(&str, &[&str]); 6] = [
    ("ObjectCreated:PutObject", &["ObjectCreated:Put"]),
    ("ObjectCreated:PostObject", &["ObjectCreated:Post"]),
    ("ObjectCreated:CopyObject", &["ObjectCreated:Copy"]),
    ("ObjectCreated:CompleteMultipartUpload", &["ObjectCreated:CompleteMultipartUpload"]),
    ("ObjectRemoved:DeleteObject", &["ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated"]),
    // Some gateways tell of a request for many objects apart.
    ("ObjectRemoved:DeleteObjects", &["ObjectRemoved:DeleteObjects"]),
];
const WILDCARDS: [&str; 2] = ["ObjectCreated:*", "ObjectRemoved:*"];

/// One notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectEvent {
    /// Without `oss:`.
    pub name: &'static str,
    /// As its source wrote it.
    pub time: String,
    pub region: String,
    pub bucket: String,
    /// Of the bucket.
    pub owner: String,
    /// Plain, without escapes.
    pub key: String,
    pub size: u64,
    pub etag: String,
    pub version_id: Option<String>,
    /// Of the notification of the bucket that it came by.
    pub rule: String,
    pub source_address: String,
    pub request_id: String,
    pub principal: String,
    /// What makes it this one, and no other.
    pub identity: Vec<u8>,
}

impl ObjectEvent {
    /// The name that a trigger knows for what S3 calls `name`, with or without `s3:`.
    pub fn name_of(name: &str) -> Option<&'static str> {
        let name = name.strip_prefix("s3:").unwrap_or(name);
        EVENTS.iter().find(|(_, names)| names.contains(&name)).map(|(event, _)| *event)
    }

    /// As FC documents the event of an OSS trigger.
    pub(super) fn to_json(&self) -> Bytes {
        let delta = if self.name.starts_with("ObjectRemoved:") { 0 } else { self.size };
        let mut object = json!({
            "key": self.key,
            "size": self.size,
            "deltaSize": delta,
            "eTag": self.etag.trim_matches('"'),
        });
        if let Some(version) = &self.version_id {
            object["versionId"] = Value::from(version.as_str());
        }
        let event = json!({
            "eventName": self.name,
            "eventSource": "acs:oss",
            "eventTime": self.time,
            "eventVersion": "1.0",
            "oss": {
                "bucket": {
                    "arn": format!("acs:oss:{}:{}:{}", self.region, self.owner, self.bucket),
                    "name": self.bucket,
                    "ownerIdentity": self.owner,
                },
                "object": object,
                "ossSchemaVersion": "1.0",
                "ruleId": self.rule,
            },
            "region": self.region,
            "requestParameters": { "sourceIPAddress": self.source_address },
            "responseElements": { "requestId": self.request_id },
            "userIdentity": { "principalId": self.principal },
        });
        Bytes::from(json!({ "events": [event] }).to_string())
    }
}

/// What an OSS trigger waits for.
#[derive(Debug)]
pub(crate) struct ObjectFilter {
    bucket: String,
    names: BTreeSet<&'static str>,
    prefix: String,
    suffix: String,
}

impl ObjectFilter {
    /// # Errors
    /// Says which part is wrong, or never happens.
    pub(super) fn new(account: &AccountId, source: &str, config: &OssTrigger) -> Result<Self, String> {
        if config.events.is_empty() || config.events.len() > OSS_EVENTS_MAX {
            return Err(format!("field 'triggerConfig.events' must have 1 to {OSS_EVENTS_MAX} names"));
        }
        if config.prefix.len() > OBJECT_KEY_BYTES_MAX || config.suffix.len() > OBJECT_KEY_BYTES_MAX {
            return Err(format!(
                "field 'triggerConfig.filter.key': prefix and suffix have at most {OBJECT_KEY_BYTES_MAX} bytes"
            ));
        }
        Ok(Self {
            bucket: bucket_of(account, source)?.to_owned(),
            names: names(&config.events)?,
            prefix: config.prefix.clone(),
            suffix: config.suffix.clone(),
        })
    }

    pub(super) fn fits(&self, event: &ObjectEvent) -> bool {
        self.bucket == event.bucket
            && self.names.contains(event.name)
            && event.key.starts_with(&self.prefix)
            && event.key.ends_with(&self.suffix)
    }
}

/// The bucket of `acs:oss:{region}:{account}:{bucket}`, in which region and account may be left out.
fn bucket_of<'a>(account: &AccountId, source: &'a str) -> Result<&'a str, String> {
    const FORM: &str = "field 'sourceArn' must be of the form acs:oss:{region}:{account}:{bucket}";
    let parts: Vec<_> = source.split(':').collect();
    let ["acs", "oss", _, owner, bucket] = parts[..] else { return Err(FORM.to_owned()) };
    let is_name = (1..=255).contains(&bucket.len())
        && bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if !is_name {
        return Err(FORM.to_owned());
    }
    if !owner.is_empty() && owner != account.as_str() {
        return Err("field 'sourceArn' names a bucket of another account".to_owned());
    }
    Ok(bucket)
}

fn names(wanted: &BTreeSet<String>) -> Result<BTreeSet<&'static str>, String> {
    let mut names = BTreeSet::new();
    for wanted in wanted {
        let name = wanted.strip_prefix("oss:").unwrap_or_default();
        if let Some(group) = WILDCARDS.iter().find(|group| **group == name) {
            let group = group.trim_end_matches('*');
            names.extend(EVENTS.iter().map(|(event, _)| *event).filter(|event| event.starts_with(group)));
        } else if let Some((event, _)) = EVENTS.iter().find(|(event, _)| *event == name) {
            names.insert(*event);
        } else {
            let known: Vec<_> = WILDCARDS.into_iter().chain(EVENTS.iter().map(|(event, _)| *event)).collect();
            return Err(format!(
                "field 'triggerConfig.events': '{wanted}' is no event that S3-compatible storage tells of; use oss: and one \
                 of {}",
                known.join(", ")
            ));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
