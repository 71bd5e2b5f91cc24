//! Patterns of events, as EventBridge writes them: JSON in the shape of the event, with what may stand in each place.
//!
//! Owns their meaning. Of the forms that EventBridge has, `numeric` and `cidr` are refused. Never sees where an event came
//! from.

use std::collections::BTreeMap;

use bide_types::limits::EVENT_PATTERN_BYTES_MAX;
use serde_json::{Map, Value};

/// Every field must fit.
#[derive(Debug)]
pub(crate) struct Pattern(Fields);

type Fields = BTreeMap<String, Place>;

#[derive(Debug)]
enum Place {
    Within(Fields),
    /// One of these must hold.
    AnyOf(Vec<Condition>),
}

#[derive(Debug)]
enum Condition {
    Equal(Value),
    EqualIgnoringCase(String),
    Prefix(String),
    Suffix(String),
    Exists(bool),
    NoneOf(Vec<Condition>),
}

impl Pattern {
    /// # Errors
    /// Says what is wrong, or not supported.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > EVENT_PATTERN_BYTES_MAX {
            return Err(format!("it has more than {EVENT_PATTERN_BYTES_MAX} bytes"));
        }
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => fields(map).map(Self),
            Ok(_) => Err("it must be a JSON object".to_owned()),
            Err(error) => Err(format!("it is not valid JSON: {error}")),
        }
    }

    pub(crate) fn fits(&self, event: &Value) -> bool {
        all_fit(&self.0, Some(event))
    }
}

fn all_fit(fields: &Fields, at: Option<&Value>) -> bool {
    fields.iter().all(|(name, place)| {
        let value = at.and_then(|at| at.get(name));
        match place {
            Place::Within(fields) => all_fit(fields, value),
            Place::AnyOf(conditions) => conditions.iter().any(|condition| condition.holds(value)),
        }
    })
}

impl Condition {
    /// Of a list, one item is enough.
    fn holds(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Exists(wanted), value) => *wanted == value.is_some(),
            (_, None) => false,
            (Self::NoneOf(conditions), value) => !conditions.iter().any(|condition| condition.holds(value)),
            (condition, Some(Value::Array(items))) => items.iter().any(|item| condition.holds_for(item)),
            (condition, Some(value)) => condition.holds_for(value),
        }
    }

    fn holds_for(&self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Self::Equal(wanted) => wanted == value,
            Self::EqualIgnoringCase(wanted) => text.is_some_and(|text| text.eq_ignore_ascii_case(wanted)),
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            Self::Exists(_) | Self::NoneOf(_) => false, // decided for the place as a whole
        }
    }
}

fn fields(map: Map<String, Value>) -> Result<Fields, String> {
    map.into_iter().map(|(name, value)| Ok((name.clone(), place(&name, value)?))).collect()
}

fn place(name: &str, value: Value) -> Result<Place, String> {
    match value {
        Value::Object(map) => fields(map).map(Place::Within),
        Value::Array(items) if items.is_empty() => Err(format!("the list of '{name}' is empty")),
        Value::Array(items) => {
            items.into_iter().map(|item| condition(name, item)).collect::<Result<_, _>>().map(Place::AnyOf)
        }
        _ => Err(format!("'{name}' must have a list of values, or an object with fields of its own")),
    }
}

fn condition(name: &str, item: Value) -> Result<Condition, String> {
    let map = match item {
        Value::Object(map) => map,
        Value::Array(_) => return Err(format!("'{name}' has a list within its list")),
        value => return Ok(Condition::Equal(value)),
    };
    let mut operators = map.into_iter();
    let (Some((operator, operand)), None) = (operators.next(), operators.next()) else {
        return Err(format!("a condition of '{name}' must have one operator"));
    };
    let text = |operand: &Value| {
        let text = operand.as_str().map(str::to_owned);
        text.ok_or_else(|| format!("'{operator}' of '{name}' must have a string"))
    };
    match operator.as_str() {
        "prefix" => text(&operand).map(Condition::Prefix),
        "suffix" => text(&operand).map(Condition::Suffix),
        "equals-ignore-case" => text(&operand).map(Condition::EqualIgnoringCase),
        "exists" => operand
            .as_bool()
            .map(Condition::Exists)
            .ok_or_else(|| format!("'exists' of '{name}' must be true or false")),
        "anything-but" => {
            let items = match operand {
                Value::Array(items) => items,
                item => vec![item],
            };
            let inner = items.into_iter().map(|item| excluded(name, item));
            inner.collect::<Result<_, _>>().map(Condition::NoneOf)
        }
        _ => Err(format!(
            "'{operator}' of '{name}' is not supported: use a value, prefix, suffix, equals-ignore-case, exists or \
             anything-but"
        )),
    }
}

/// What stands within `anything-but`: values, prefixes and suffixes.
fn excluded(name: &str, item: Value) -> Result<Condition, String> {
    match condition(name, item)? {
        Condition::Exists(_) | Condition::NoneOf(_) => {
            Err(format!("'anything-but' of '{name}' takes values, prefixes and suffixes"))
        }
        condition => Ok(condition),
    }
}

#[cfg(test)]
mod tests;
