//! The environment of an instance (fc-behaviour 7.6; FC "Use layers" for `PATH` and `LD_LIBRARY_PATH`).
//!
//! Owns the list of injected variables, and which variables count from the first instruction of a program on. The server's
//! own environment is never passed on, and a variable of the user with the reserved prefix is dropped, so an `FC_`
//! variable always says the truth.

use std::ffi::OsString;

use bide_types::resource::RuntimeKind;

use crate::runtime::Start;

const RESERVED_PREFIX: &str = "FC_";

/// Variables that the dynamic linker, the C library or an interpreter reads once, when it starts; setting them later is in
/// vain. In doubt a variable belongs here: that only costs functions which set it their standbys.
const READ_AT_START: [&str; 8] =
    ["HOME", "LANG", "LANGUAGE", "TZ", "TZDIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
/// Likewise, by their beginnings.
const READ_AT_START_PREFIXES: [&str; 12] = [
    "LC_", "LD_", "GLIBC_", "MALLOC_", "GCONV_", "LOCPATH", "PYTHON", "NODE_", "UV_", "SSL_", "OPENSSL_",
    "ICU_",
];

/// Variables, each with one value, in the order in which they were first set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment(Vec<(String, String)>);

impl Environment {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    pub(crate) fn filter(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn into_pairs(self) -> Vec<(OsString, OsString)> {
        self.0.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    }
}

/// Whether a variable counts from the first instruction of a program on.
pub(crate) fn is_read_at_start(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    READ_AT_START.contains(&name.as_str())
        || READ_AT_START_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

pub(crate) fn of(start: &Start<'_>) -> Environment {
    let spec = start.spec;
    let function = &spec.function;
    let mut env = Environment::default();
    let mut set = |name: &str, value: &str| env.set(name, value);
    let home = start.layout.home().to_string_lossy();
    paths(start, &mut set);
    set("LANG", "C.UTF-8");
    set("HOME", &home);
    set("TMPDIR", &home);
    for (name, value) in &function.environment {
        if !name.starts_with(RESERVED_PREFIX) {
            set(name, value);
        }
    }
    set("FC_FUNC_CODE_PATH", &start.layout.code().to_string_lossy());
    set("FC_ACCOUNT_ID", function.account.as_str());
    set("FC_FUNCTION_HANDLER", &function.handler);
    set("FC_FUNCTION_MEMORY_SIZE", &function.memory_mb.to_string());
    set("FC_FUNCTION_NAME", function.name.as_str());
    set("FC_REGION", &spec.region);
    set("FC_INSTANCE_ID", start.instance.as_str());
    set("FC_QUALIFIER", spec.qualifier.as_str());
    set("FC_SERVICE_NAME", function.service.as_str());
    set("FC_VER_ID", &spec.version_id);
    set("FC_FUNCTION_VERSION", &spec.version_id);
    if function.runtime.kind() != RuntimeKind::Custom {
        set("FC_CUSTOM_LISTEN_PORT", &function.custom_port.to_string());
    }
    for name in
        ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"]
    {
        set(name, "");
    }
    env
}

/// Programs and libraries of the layers come first, except for a custom runtime, which arranges that itself.
fn paths(start: &Start<'_>, set: &mut impl FnMut(&str, &str)) {
    let custom = start.spec.function.runtime.kind() == RuntimeKind::Custom;
    match start.layout.layers().filter(|_| !custom) {
        Some(layers) => {
            let layers = layers.to_string_lossy();
            set("PATH", &format!("{layers}/bin:{}", start.search_path));
            set("LD_LIBRARY_PATH", &format!("{layers}/lib"));
        }
        None => set("PATH", start.search_path),
    }
}

#[cfg(test)]
mod tests;
