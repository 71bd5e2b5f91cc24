//! Code packages as callers send them, for functions and layers.
//!
//! Owns decoding and the checks at upload. Never stores a package. Reading one takes time in proportion to its unpacked
//! size: call it off the threads that serve requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bide_types::limits;
use bide_types::resource::Code;
use bytes::Bytes;

use crate::checksum;
use crate::error::ApiError;
use crate::fields::Fields;

/// A code package that can be unpacked, and what identifies it.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) zip: Bytes,
    pub(crate) code: Code,
    /// Size of its files.
    pub(crate) unpacked_bytes: u64,
}

/// The package in the field `code`.
pub(crate) fn read(fields: &mut Fields) -> Result<Option<Package>, ApiError> {
    let Some(mut code) = fields.object("code")? else { return Ok(None) };
    let Some(mut encoded) = code.text("zipFile")? else {
        return Err(match code.text("ossBucketName")? {
            Some(_) => ApiError::invalid(
                "field 'code.ossBucketName' is not supported by bide: upload the package with 'code.zipFile'",
            ),
            None => code.missing("zipFile"),
        });
    };
    // Encoders that follow MIME break lines.
    if encoded.contains(['\r', '\n']) {
        encoded.retain(|character| !matches!(character, '\r' | '\n'));
    }
    if encoded.len() / 4 * 3 > limits::CODE_ZIP_BYTES_MAX + 3 {
        return Err(ApiError::payload_too_large(limits::CODE_ZIP_BYTES_MAX));
    }
    let zip = BASE64
        .decode(encoded)
        .map_err(|error| ApiError::invalid(format!("field 'code.zipFile' is not valid base64: {error}")))?;
    if zip.len() > limits::CODE_ZIP_BYTES_MAX {
        return Err(ApiError::payload_too_large(limits::CODE_ZIP_BYTES_MAX));
    }
    let info = bide_runtime::package::inspect(&zip)
        .map_err(|error| ApiError::invalid(format!("field 'code.zipFile': {error}")))?;
    let code = Code {
        digest: checksum::sha256_hex(&zip),
        crc64: checksum::crc64(&zip),
        size_bytes: u64::try_from(zip.len()).expect("the size is bounded"),
    };
    Ok(Some(Package { zip: Bytes::from(zip), code, unpacked_bytes: info.unpacked_bytes }))
}
