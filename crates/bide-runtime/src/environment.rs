//! The environment of an instance (fc-behaviour 7.6; FC "Use layers" for `PATH` and `LD_LIBRARY_PATH`).
//!
//! Owns the list of injected variables. The server's own environment is never passed on, and a variable of the user
//! with the reserved prefix is dropped, so an `FC_` variable always says the truth.

use std::ffi::OsString;

use bide_types::resource::RuntimeKind;

use crate::runtime::Start;

const RESERVED_PREFIX: &str = "FC_";

pub(crate) fn of(start: &Start<'_>) -> Vec<(OsString, OsString)> {
    let spec = start.spec;
    let function = &spec.function;
    let mut env: Vec<(OsString, OsString)> = Vec::with_capacity(24 + function.environment.len());
    let mut set = |name: &str, value: &str| env.push((name.into(), value.into()));
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
