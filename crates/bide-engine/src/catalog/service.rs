//! Services: create, get, replace, delete, list.

use std::sync::Arc;

use bide_store::{ControlWrite, Expected};
use bide_types::limits::SERVICES_PER_ACCOUNT_MAX;
use bide_types::resource::Service;
use bide_types::{AccountId, FunctionId, Timestamp};

use super::stored::{encode, service_key};
use super::{Catalog, Changing, Listing, Versioned, expected, page, removal};
use crate::error::Error;

impl Catalog {
    pub(crate) async fn create_service(&self, service: Service) -> Result<Versioned<Service>, Error> {
        let changing = self.begin().await;
        {
            let view = self.view();
            let services = view.accounts.get(&service.account);
            if services.is_some_and(|all| all.contains_key(&service.name)) {
                return Err(Error::ServiceExists(service.name));
            }
            if services.is_some_and(|all| all.len() >= SERVICES_PER_ACCOUNT_MAX) {
                return Err(Error::LimitExceeded(format!(
                    "an account has at most {SERVICES_PER_ACCOUNT_MAX} services"
                )));
            }
        }
        self.write_service(changing, service, Expected::Absent).await
    }

    pub(crate) fn service(&self, account: &AccountId, name: &str) -> Result<Versioned<Service>, Error> {
        Ok(self.view().service(account, name)?.service.clone())
    }

    /// Replaces a service; `revision` is what the writer read, `None` to overwrite whatever is there. Also returns the
    /// functions whose instances are told something else from now on.
    pub(crate) async fn replace_service(
        &self,
        mut service: Service,
        revision: Option<u64>,
        now: Timestamp,
    ) -> Result<(Versioned<Service>, Vec<FunctionId>), Error> {
        let changing = self.begin().await;
        let functions = {
            let view = self.view();
            let entry = view.service(&service.account, service.name.as_str())?;
            let old = &entry.service.value;
            let same = old.internet_access == service.internet_access && old.role == service.role;
            let functions = entry.functions.values().filter(|_| !same);
            functions.map(|function| function.value.id).collect()
        };
        service.modified_at = now;
        Ok((self.write_service(changing, service, expected(revision)).await?, functions))
    }

    async fn write_service(
        &self,
        changing: Changing,
        service: Service,
        expected: Expected,
    ) -> Result<Versioned<Service>, Error> {
        let key = service_key(&service.account, &service.name);
        let write = ControlWrite { key, expected, value: Some(encode(&service)) };
        self.commit(changing, vec![write], |view, revision| {
            let service = Versioned { value: Arc::new(service), revision };
            view.put_service(service.clone());
            service
        })
        .await
    }

    /// Deletes an empty service.
    pub(crate) async fn delete_service(
        &self,
        account: &AccountId,
        name: &str,
        revision: Option<u64>,
    ) -> Result<(), Error> {
        let changing = self.begin().await;
        let service = {
            let view = self.view();
            let entry = view.service(account, name)?;
            if !entry.is_empty() {
                return Err(Error::ServiceNotEmpty(entry.service.value.name.clone()));
            }
            entry.service.clone()
        };
        service.check_seen(revision)?;
        let key = service_key(account, &service.value.name);
        let write = removal(key, service.revision);
        self.commit(changing, vec![write], move |view, _| {
            view.remove_service(&service.value.account, &service.value.name);
        })
        .await
    }

    pub(crate) fn services(
        &self,
        account: &AccountId,
        listing: &Listing,
    ) -> (Vec<Versioned<Service>>, Option<String>) {
        let view = self.view();
        let Some(services) = view.accounts.get(account) else { return (Vec::new(), None) };
        page(services.iter().map(|(name, entry)| (name, entry.service.clone())), listing)
    }
}
