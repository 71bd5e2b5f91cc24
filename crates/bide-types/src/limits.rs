//! Every named limit that more than one crate must agree on, with its reason.
//!
//! Owns numbers only. A limit that concerns one module lives in that module.

use std::time::Duration;

/// Largest event of a synchronous invocation (FC "Limits").
pub const SYNC_PAYLOAD_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Largest event of an asynchronous invocation: 128 KiB (FC "Limits"; fc-behaviour 12.1, check 10).
pub const ASYNC_PAYLOAD_BYTES_MAX: usize = 128 * 1024;
/// Largest body of a response to an HTTP call (FC "Limits").
pub const HTTP_RESPONSE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Names and values of all headers of an HTTP call, and of its response (FC "HTTP trigger overview").
pub const HTTP_HEADER_BYTES_MAX: usize = 8 * 1024;
/// Path with query of an HTTP call (FC "HTTP trigger overview").
pub const HTTP_PATH_BYTES_MAX: usize = 4 * 1024;
/// Largest return value kept with a task (FC "AsyncTask").
pub const RETURN_PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// Largest body of a management call: base64 of a full code package and its JSON around it.
pub const MANAGEMENT_BODY_BYTES_MAX: usize = 140 * 1024 * 1024;
/// Largest code package as uploaded (FC "Limits": 100 MB by API).
pub const CODE_ZIP_BYTES_MAX: usize = 100 * 1024 * 1024;
/// Largest code package unpacked (FC "Limits": 500 MB).
pub const CODE_UNPACKED_BYTES_MAX: u64 = 500 * 1024 * 1024;
/// Most files in a code package; bounds the work of unpacking.
pub const CODE_FILES_MAX: usize = 10_000;
/// Bytes of log returned by `X-Fc-Log-Type: Tail` (FC "InvokeFunction").
pub const LOG_TAIL_BYTES_MAX: usize = 4 * 1024;
/// Bytes of log kept with a task for each of its attempts, unless the settings say otherwise, and the most that they may
/// say. A task keeps a bounded number of them (`bide_store::attempt_log`).
pub const ATTEMPT_LOG_BYTES_DEFAULT: usize = 16 * 1024;
pub const ATTEMPT_LOG_BYTES_MAX: usize = 256 * 1024;
/// Longest log line kept; the rest of the line is dropped (FC "Limits").
pub const LOG_LINE_BYTES_MAX: usize = 32 * 1024;
/// All environment variables of a function together (FC "Environment variables").
pub const ENVIRONMENT_BYTES_MAX: usize = 4 * 1024;
/// Names of services, functions, qualifiers and tasks.
pub const NAME_CHARS_MAX: usize = 128;
/// Destination resource names (FC "DestinationConfig").
pub const DESTINATION_CHARS_MAX: usize = 512;
/// Descriptions of services and functions (FC "CreateFunction").
pub const DESCRIPTION_CHARS_MAX: usize = 256;
/// Longest deferral (`x-fc-async-delay`).
pub const ASYNC_DELAY_MAX: Duration = Duration::from_secs(3600);
/// Retries after function errors when the configuration says nothing.
pub const RETRY_ATTEMPTS_DEFAULT: u32 = 3;
/// Most retries that a configuration may ask for (FC "PutAsyncInvokeConfigInput").
pub const RETRY_ATTEMPTS_MAX: u32 = 8;
/// Age at which a waiting event is dropped when the configuration says nothing.
pub const EVENT_AGE_DEFAULT: Duration = Duration::from_secs(86_400);
/// Largest configurable event age (fc-behaviour 12: 30 days).
pub const EVENT_AGE_MAX: Duration = Duration::from_secs(2_592_000);
/// How long throttling and system errors are retried (FC "Retry policies").
pub const SYSTEM_RETRY_WINDOW: Duration = Duration::from_secs(5 * 3600);
/// How long a settled task can be queried and blocks its id (FC "Asynchronous tasks").
pub const TASK_RETENTION_DEFAULT: Duration = Duration::from_secs(7 * 86_400);
/// Function timeout bounds and default, in seconds (FC "Limits").
pub const FUNCTION_TIMEOUT_SECONDS_MAX: u32 = 86_400;
pub const FUNCTION_TIMEOUT_SECONDS_DEFAULT: u32 = 3;
/// Initializer timeout bounds and default, in seconds (FC "Limits").
pub const INITIALIZER_TIMEOUT_SECONDS_MAX: u32 = 300;
pub const INITIALIZER_TIMEOUT_SECONDS_DEFAULT: u32 = 3;
/// Memory bounds and default, in MB (FC "Limits").
pub const MEMORY_MB_MIN: u32 = 128;
pub const MEMORY_MB_MAX: u32 = 32 * 1024;
pub const MEMORY_MB_DEFAULT: u32 = 512;
/// Sizes of the private `/tmp`, in MB (FC "Limits").
pub const DISK_MB_DEFAULT: u32 = 512;
pub const DISK_MB_LARGE: u32 = 10 * 1024;
/// CPU time of an instance, in thousandths of a core (FC "Limits": 0.05 to 16 vCPU in steps of 0.05).
pub const CPU_MILLIS_MIN: u32 = 50;
pub const CPU_MILLIS_MAX: u32 = 16_000;
pub const CPU_MILLIS_STEP: u32 = 50;
/// Time of a pre-stop or pre-freeze hook, in seconds (FC "Limits"); the default is that of the initializer.
pub const HOOK_TIMEOUT_SECONDS_MAX: u32 = 90;
pub const HOOK_TIMEOUT_SECONDS_DEFAULT: u32 = 3;
/// Layers of one function (FC "Use layers").
pub const LAYERS_PER_FUNCTION_MAX: usize = 5;
/// Layers of one account, those without a version left included, and versions of a layer; bound the catalog that is
/// held in memory.
pub const LAYERS_PER_ACCOUNT_MAX: usize = 1000;
pub const VERSIONS_PER_LAYER_MAX: usize = 100;
/// Instances that a configuration may ask to keep ready, or allow; the caps of the server hold beside it.
pub const CONFIGURED_INSTANCES_MAX: u32 = 10_000;
/// Processes and threads of one instance (FC "Limits").
pub const INSTANCE_PROCESSES_MAX: u32 = 1024;
/// Requests that one instance may serve at once (FC "Configure instance concurrency").
pub const INSTANCE_CONCURRENCY_MAX: u32 = 200;
/// Time a custom runtime has to open its port (FC "Principles", custom runtime).
pub const CUSTOM_RUNTIME_START_TIMEOUT: Duration = Duration::from_secs(120);
/// Port of a custom runtime when the function names none.
pub const CUSTOM_RUNTIME_PORT_DEFAULT: u16 = 9000;
/// Page size bounds of the list operations (FC "ListFunctions", "ListStatefulAsyncInvocations").
pub const LIST_PAGE_DEFAULT: usize = 20;
pub const TASK_LIST_PAGE_DEFAULT: usize = 50;
pub const LIST_PAGE_MAX: usize = 100;
/// Functions of one service and services of one account; bounds the catalog that is held in memory.
pub const FUNCTIONS_PER_SERVICE_MAX: usize = 1000;
pub const SERVICES_PER_ACCOUNT_MAX: usize = 1000;
/// Published versions and aliases of one service; bound the catalog as well: each version holds all functions.
pub const VERSIONS_PER_SERVICE_MAX: usize = 100;
pub const ALIASES_PER_SERVICE_MAX: usize = 100;
/// Triggers of one function (FC "Limits").
pub const TRIGGERS_PER_FUNCTION_MAX: usize = 50;
/// Triggers of one account that wait for events; bounds what one event can lead to.
pub const EVENT_TRIGGERS_PER_ACCOUNT_MAX: usize = 1000;
/// Pattern of the events that an event trigger waits for.
pub const EVENT_PATTERN_BYTES_MAX: usize = 4096;
/// Names of events of an object trigger, and its prefix and suffix (the longest key of an object).
pub const OSS_EVENTS_MAX: usize = 32;
pub const OBJECT_KEY_BYTES_MAX: usize = 1024;
/// Schedule of a time trigger.
pub const CRON_EXPRESSION_CHARS_MAX: usize = 256;
/// Custom domains of one account, and routes of one domain; bounds the catalog as well.
pub const DOMAINS_PER_ACCOUNT_MAX: usize = 1000;
pub const ROUTES_PER_DOMAIN_MAX: usize = 100;

const _: () = assert!(CODE_ZIP_BYTES_MAX / 3 * 4 < MANAGEMENT_BODY_BYTES_MAX, "base64 must fit the body");
const _: () = assert!(ASYNC_PAYLOAD_BYTES_MAX < SYNC_PAYLOAD_BYTES_MAX);
const _: () = assert!(RETRY_ATTEMPTS_DEFAULT <= RETRY_ATTEMPTS_MAX);
