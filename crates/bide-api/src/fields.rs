//! Reading JSON request bodies field by field, so that every refusal names the field.
//!
//! Owns the common rules (fc-api 4): unknown fields are ignored, `null` is the same as absent, a value of the wrong
//! type is refused. Never knows what a field means.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// The fields of one JSON object; `at` is where it stands in the body (`code.` for the object `code`).
#[derive(Debug)]
pub(crate) struct Fields {
    at: String,
    values: Map<String, Value>,
}

impl Fields {
    /// # Errors
    /// `InvalidArgument` unless `body` is one JSON object. An empty body counts as an object without fields.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Ok(Self { at: String::new(), values: Map::new() });
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(values)) => Ok(Self { at: String::new(), values }),
            Ok(_) => Err(ApiError::invalid("the request body must be a JSON object")),
            Err(error) => Err(ApiError::invalid(format!("the request body is not valid JSON: {error}"))),
        }
    }

    /// The refusal of a required field of the body itself that is not there.
    pub(crate) fn required(name: &str) -> ApiError {
        ApiError::invalid(format!("field '{name}' is required"))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name).filter(|value| !value.is_null())
    }

    fn wrong(&self, name: &str, expected: &str) -> ApiError {
        ApiError::invalid(format!("field '{}{name}' must be {expected}", self.at))
    }

    /// The refusal of a required field that is not there.
    pub(crate) fn missing(&self, name: &str) -> ApiError {
        Self::required(&format!("{}{name}", self.at))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    pub(crate) fn text_up_to(&mut self, name: &str, chars_max: usize) -> Result<Option<String>, ApiError> {
        let text = self.text(name)?;
        if text.as_ref().is_some_and(|text| text.chars().count() > chars_max) {
            return Err(self.wrong(name, &format!("at most {chars_max} characters")));
        }
        Ok(text)
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// A whole number within `range`.
    pub(crate) fn number<T>(
        &mut self,
        name: &str,
        range: std::ops::RangeInclusive<T>,
    ) -> Result<Option<T>, ApiError>
    where
        T: TryFrom<u64> + PartialOrd + std::fmt::Display,
    {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| T::try_from(number).ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                Err(self.wrong(name, &format!("a whole number from {} to {}", range.start(), range.end())))
            }
        }
    }

    /// A number that is not negative, with or without decimals.
    pub(crate) fn decimal(&mut self, name: &str) -> Result<Option<f64>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_f64().filter(|number| *number >= 0.0) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(name, "a number that is not negative")),
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(values)) => Ok(Some(Self { at: format!("{}{name}.", self.at), values })),
            Some(_) => Err(self.wrong(name, "an object")),
        }
    }

    /// An object, or a text that holds one as JSON: some libraries send the one, some the other (fc-api 4.2).
    pub(crate) fn object_or_text(&mut self, name: &str) -> Result<Option<Self>, ApiError> {
        if let Some(Value::String(text)) = self.values.get(name) {
            let parsed = serde_json::from_str(text).map_err(|_| self.wrong(name, "an object"))?;
            self.values.insert(name.to_owned(), parsed);
        }
        self.object(name)
    }

    pub(crate) fn objects(&mut self, name: &str) -> Result<Option<Vec<Self>>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let Value::Array(items) = value else { return Err(self.wrong(name, "a list of objects")) };
        let read = items.into_iter().enumerate().map(|(index, item)| match item {
            Value::Object(values) => Ok(Self { at: format!("{}{name}[{index}].", self.at), values }),
            _ => Err(self.wrong(name, "a list of objects")),
        });
        read.collect::<Result<_, _>>().map(Some)
    }

    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let Value::Array(items) = value else { return Err(self.wrong(name, "a list of strings")) };
        items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(self.wrong(name, "a list of strings")),
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Some)
    }

    /// Whether a list has anything in it.
    pub(crate) fn has_items(&mut self, name: &str) -> Result<bool, ApiError> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Array(items)) => Ok(!items.is_empty()),
            Some(_) => Err(self.wrong(name, "a list")),
        }
    }

    /// The field as JSON text, for options that are kept and returned but not read.
    pub(crate) fn opaque_object(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            None => Ok(None),
            Some(value @ Value::Object(_)) => Ok(Some(value.to_string())),
            Some(_) => Err(self.wrong(name, "an object")),
        }
    }

    /// All fields as a map of numbers, for objects whose field names are the caller's.
    pub(crate) fn into_decimals(self) -> Result<std::collections::BTreeMap<String, f64>, ApiError> {
        let Self { at, values } = self;
        values
            .into_iter()
            .map(|(name, value)| match value.as_f64() {
                Some(number) => Ok((name, number)),
                None => Err(ApiError::invalid(format!("field '{at}{name}' must be a number"))),
            })
            .collect()
    }

    /// All fields as a map of strings, for objects whose field names are the caller's.
    pub(crate) fn into_texts(self) -> Result<std::collections::BTreeMap<String, String>, ApiError> {
        let Self { at, values } = self;
        values
            .into_iter()
            .map(|(name, value)| match value {
                Value::String(text) => Ok((name, text)),
                _ => Err(ApiError::invalid(format!("field '{at}{name}' must be a string"))),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
