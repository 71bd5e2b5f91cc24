//! Functions: create, get, update, delete, list.

mod body;

use bide_engine::Engine;
use bide_types::resource::{Function, RuntimeKind};
use bide_types::{FunctionName, ServiceName, Timestamp, limits};
use serde::Serialize;

use super::{Answer, listing};
use crate::edge::Call;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::function_fields::{self, FunctionFields};
use crate::path::service_and_qualifier;
use crate::query::Query;
use crate::reply;
use body::FunctionBody;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionList<'a> {
    functions: Vec<FunctionBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) async fn create(mut call: Call<'_>, service: &str) -> Answer {
    let service = call.state.engine.service(call.account(), service)?;
    let (name, said) = read_fields(&mut call).await?;
    let name = FunctionName::new(&name.ok_or_else(|| Fields::required("functionName"))?)?;
    let now = call.state.clock.now();
    let mut function = new_function(service.value.name.clone(), name, &call, &said, now)?;
    apply(said, &mut function, &call.state.engine).await?;
    let function = call.state.engine.create_function(function).await?;
    Ok(reply::json_with_etag(&FunctionBody::from(&*function.value)))
}

pub(super) async fn get(call: Call<'_>, segment: &str, name: &str) -> Answer {
    let (service, qualifier) = service_and_qualifier(segment)?;
    let target = call.state.engine.resolve(call.account(), service, name, &qualifier)?;
    Ok(reply::json_with_etag(&FunctionBody::from(&**target.function())))
}

pub(super) async fn update(mut call: Call<'_>, service: &str, name: &str) -> Answer {
    let current = call.state.engine.function(call.account(), service, name)?;
    reply::check_if_match(&call.head.headers, &FunctionBody::from(&*current.value))?;
    let (_, said) = read_fields(&mut call).await?;
    let mut function = current.value.as_ref().clone();
    apply(said, &mut function, &call.state.engine).await?;
    let function = call.state.engine.replace_function(function, Some(current.revision)).await?;
    Ok(reply::json_with_etag(&FunctionBody::from(&*function.value)))
}

pub(super) async fn delete(call: Call<'_>, service: &str, name: &str) -> Answer {
    let current = call.state.engine.function(call.account(), service, name)?;
    reply::check_if_match(&call.head.headers, &FunctionBody::from(&*current.value))?;
    call.state.engine.delete_function(call.account(), service, name, Some(current.revision)).await?;
    Ok(reply::no_content())
}

pub(super) async fn list(call: Call<'_>, segment: &str) -> Answer {
    let (service, qualifier) = service_and_qualifier(segment)?;
    let query = Query::parse(call.head.uri.query())?;
    let listing = listing(&query)?;
    let (functions, next_token) =
        call.state.engine.functions(call.account(), service, &qualifier, &listing)?;
    let functions = functions.iter().map(|function| FunctionBody::from(&**function)).collect();
    Ok(reply::json(&FunctionList { functions, next_token }))
}

/// The name and the other fields of the body. Decoding and checking a package is long work, so it runs off the
/// threads that serve requests.
async fn read_fields(call: &mut Call<'_>) -> Result<(Option<String>, FunctionFields), ApiError> {
    let body = call.read_body(limits::MANAGEMENT_BODY_BYTES_MAX).await?;
    let reading = tokio::task::spawn_blocking(move || {
        let mut fields = Fields::parse(&body.bytes)?;
        Ok((fields.text("functionName")?, function_fields::read(&mut fields)?))
    });
    reading.await.unwrap_or_else(|_| Err(ApiError::internal())) // the panic hook has said why
}

/// A function with what must be said and defaults for the rest.
fn new_function(
    service: ServiceName,
    name: FunctionName,
    call: &Call<'_>,
    said: &FunctionFields,
    now: Timestamp,
) -> Result<Function, ApiError> {
    if said.package.is_none() {
        return Err(Fields::required("code"));
    }
    let runtime = said.runtime.clone().ok_or_else(|| Fields::required("runtime"))?;
    let handler = said.handler.clone().ok_or_else(|| Fields::required("handler"))?;
    Ok(Function::new(call.account().clone(), service, name, runtime, handler, now))
}

/// Changes what the caller says and leaves the rest. A new package is stored first, so that no function ever names one
/// that is not there.
async fn apply(said: FunctionFields, function: &mut Function, engine: &Engine) -> Result<(), ApiError> {
    fn set<T>(field: &mut T, said: Option<T>) {
        if let Some(said) = said {
            *field = said;
        }
    }
    set(&mut function.description, said.description);
    set(&mut function.runtime, said.runtime);
    set(&mut function.handler, said.handler);
    if let Some(initializer) = said.initializer {
        function.initializer = Some(initializer).filter(|name| !name.is_empty());
    }
    set(&mut function.initialization_timeout_seconds, said.initialization_timeout_seconds);
    set(&mut function.timeout_seconds, said.timeout_seconds);
    set(&mut function.memory_mb, said.memory_mb);
    set(&mut function.instance_concurrency, said.instance_concurrency);
    set(&mut function.environment, said.environment);
    set(&mut function.custom_port, said.custom_port);
    set(&mut function.custom_command, said.custom_command);
    set(&mut function.custom_args, said.custom_args);
    set(&mut function.health_check, said.health_check);
    set(&mut function.pre_stop, said.pre_stop);
    set(&mut function.pre_freeze, said.pre_freeze);
    set(&mut function.disk_mb, said.disk_mb);
    set(&mut function.cpu_millis, said.cpu_millis);
    if let Some(layers) = said.layers {
        function.layers = engine.layers_named(&function.account, &layers)?;
    }
    check_together(function)?;
    if let Some(package) = said.package {
        engine.put_package(package.code.digest.clone(), package.zip).await?;
        function.code = package.code;
    }
    Ok(())
}

/// What no field can tell alone.
fn check_together(function: &Function) -> Result<(), ApiError> {
    if function.health_check.is_some() && function.runtime.kind() != RuntimeKind::Custom {
        return Err(ApiError::invalid(
            "field 'customHealthCheckConfig' is for custom runtimes: an empty 'httpGetUrl' takes it away",
        ));
    }
    Ok(())
}
