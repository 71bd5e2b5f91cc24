//! Resource names of queues, topics and event buses.
//!
//! Owns their text forms: MNS (also named SMQ) queues `/queues/{queue}/messages` and topics `/topics/{topic}/messages`,
//! EventBridge `eventbus/{bus}`, and RocketMQ 4.x topics. The text of the last is not published; both forms that tools
//! write are read, `/instances/{instance}/topics/{topic}` and `{instance}%{topic}`.

use bide_types::AccountId;

/// What stands for a cloud service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    Queue,
    Topic,
    EventBus,
    RocketMqTopic,
}

/// A resource that the settings map to a real target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceArn {
    pub kind: ResourceKind,
    /// Empty for the server's own.
    pub region: String,
    /// `None` for the caller's own.
    pub account: Option<AccountId>,
    /// Of RocketMQ.
    pub instance: Option<String>,
    /// The name of the queue, topic or bus: letters, digits, `-`, `_` and, inside, `.`.
    pub name: String,
}

/// Longest name of a queue, topic, bus or instance.
const NAME_CHARS_MAX: usize = 255;

impl ResourceArn {
    /// The resource name with nothing left out, as mappings are compared with it.
    pub fn in_full(&self, own_region: &str, own_account: &AccountId) -> String {
        let region = if self.region.is_empty() { own_region } else { &self.region };
        let account = self.account.as_ref().unwrap_or(own_account);
        let name = &self.name;
        match self.kind {
            ResourceKind::Queue => format!("acs:mns:{region}:{account}:/queues/{name}/messages"),
            ResourceKind::Topic => format!("acs:mns:{region}:{account}:/topics/{name}/messages"),
            ResourceKind::EventBus => format!("acs:eventbridge:{region}:{account}:eventbus/{name}"),
            ResourceKind::RocketMqTopic => {
                let instance = self.instance.as_deref().unwrap_or_default();
                format!("acs:mq:{region}:{account}:/instances/{instance}/topics/{name}")
            }
        }
    }

    pub(super) fn is_valid(&self) -> bool {
        self.region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && is_name(&self.name)
            && self.instance.as_deref().is_none_or(is_name)
    }
}

/// A name that means nothing special in a path, a subject or a key.
fn is_name(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty()
        && name.len() <= NAME_CHARS_MAX
        && name.bytes().all(inside)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
}

/// Kind, instance and name of what a product calls `resource`; `None` if it has no form that is known.
pub(super) fn parse<'a>(
    product: &str,
    resource: &'a str,
) -> Option<(ResourceKind, Option<&'a str>, &'a str)> {
    let messages_of = |kind| resource.strip_prefix(kind)?.strip_suffix("/messages");
    match product {
        "mns" | "smq" => match messages_of("/queues/") {
            Some(name) => Some((ResourceKind::Queue, None, name)),
            None => Some((ResourceKind::Topic, None, messages_of("/topics/")?)),
        },
        "eventbridge" => Some((ResourceKind::EventBus, None, resource.strip_prefix("eventbus/")?)),
        "mq" => {
            let (instance, topic) = match resource.strip_prefix("/instances/") {
                Some(rest) => rest.split_once("/topics/")?,
                None => resource.split_once('%')?,
            };
            Some((ResourceKind::RocketMqTopic, Some(instance), topic))
        }
        _ => None,
    }
}
