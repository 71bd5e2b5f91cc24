//! How many instances a function and qualifier have: put, and taken away when nothing of it is left.
//!
//! The provision and the on-demand configuration are one control object, since the pools need both at once.

use std::sync::Arc;

use bide_store::{ControlWrite, Expected};
use bide_types::resource::ScalingConfig;

use super::stored::{encode, scaling_key};
use super::{Catalog, Target, Versioned, removal};
use crate::error::Error;

impl Catalog {
    /// Changes the scaling of a target: `change` gets the present one, or an empty one.
    pub(crate) async fn put_scaling(
        &self,
        target: &Target,
        change: impl FnOnce(&mut ScalingConfig) + Send,
    ) -> Result<(), Error> {
        let changing = self.begin().await;
        let target = self.refresh(target)?;
        let current = target.scaling();
        let mut scaling = current.map_or_else(|| empty(&target), |scaling| scaling.value.as_ref().clone());
        change(&mut scaling);
        let key = scaling_key(scaling.function, &scaling.qualifier);
        let nothing = scaling.provisioned == 0 && scaling.on_demand_max.is_none();
        let write = match (current, nothing) {
            (None, true) => return Ok(()),
            (Some(current), true) => removal(key, current.revision),
            (current, false) => ControlWrite {
                key,
                expected: current.map_or(Expected::Absent, |current| Expected::Revision(current.revision)),
                value: Some(encode(&scaling)),
            },
        };
        self.commit(changing, vec![write], move |view, revision| {
            if nothing {
                view.remove_scaling(scaling.function, &scaling.qualifier);
            } else {
                view.put_scaling(Versioned { value: Arc::new(scaling), revision });
            }
        })
        .await
    }
}

fn empty(target: &Target) -> ScalingConfig {
    ScalingConfig {
        function: target.function().id,
        qualifier: target.qualifier.clone(),
        provisioned: 0,
        on_demand_max: None,
    }
}
