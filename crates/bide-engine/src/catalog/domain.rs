//! Custom domains: create, get, replace, delete, list. A name belongs to one account of the whole server.

use std::sync::Arc;

use bide_store::{ControlWrite, Expected};
use bide_types::limits::DOMAINS_PER_ACCOUNT_MAX;
use bide_types::resource::CustomDomain;
use bide_types::{AccountId, Timestamp};

use super::stored::{domain_key, encode};
use super::{Catalog, Changing, Listing, Versioned, expected, page, removal};
use crate::error::Error;

impl Catalog {
    pub(crate) async fn create_domain(&self, domain: CustomDomain) -> Result<Versioned<CustomDomain>, Error> {
        let changing = self.begin().await;
        {
            let view = self.view();
            if view.domains.contains_key(&domain.name) {
                return Err(Error::DomainExists(domain.name));
            }
            let owned = view.domains.values().filter(|other| other.value.account == domain.account);
            if owned.count() >= DOMAINS_PER_ACCOUNT_MAX {
                return Err(Error::LimitExceeded(format!(
                    "an account has at most {DOMAINS_PER_ACCOUNT_MAX} custom domains"
                )));
            }
        }
        self.write_domain(changing, domain, Expected::Absent).await
    }

    /// A domain of this account.
    pub(crate) fn domain(&self, account: &AccountId, name: &str) -> Result<Versioned<CustomDomain>, Error> {
        let found = self.named_domain(name).filter(|domain| domain.value.account == *account);
        found.ok_or_else(|| Error::DomainNotFound(name.to_owned()))
    }

    /// A domain of whatever account.
    pub(crate) fn named_domain(&self, name: &str) -> Option<Versioned<CustomDomain>> {
        self.view().domains.get(name).cloned()
    }

    /// Replaces a domain; what identifies it stays.
    pub(crate) async fn replace_domain(
        &self,
        mut domain: CustomDomain,
        revision: Option<u64>,
        now: Timestamp,
    ) -> Result<Versioned<CustomDomain>, Error> {
        let changing = self.begin().await;
        let current = self.domain(&domain.account, domain.name.as_str())?;
        domain.created_at = current.value.created_at;
        domain.modified_at = now;
        self.write_domain(changing, domain, expected(revision)).await
    }

    async fn write_domain(
        &self,
        changing: Changing,
        domain: CustomDomain,
        expected: Expected,
    ) -> Result<Versioned<CustomDomain>, Error> {
        let write = ControlWrite { key: domain_key(&domain.name), expected, value: Some(encode(&domain)) };
        self.commit(changing, vec![write], |view, revision| {
            let domain = Versioned { value: Arc::new(domain), revision };
            view.domains.insert(domain.value.name.clone(), domain.clone());
            domain
        })
        .await
    }

    pub(crate) async fn delete_domain(
        &self,
        account: &AccountId,
        name: &str,
        revision: Option<u64>,
    ) -> Result<(), Error> {
        let changing = self.begin().await;
        let domain = self.domain(account, name)?;
        domain.check_seen(revision)?;
        let write = removal(domain_key(&domain.value.name), domain.revision);
        self.commit(changing, vec![write], move |view, _| {
            view.domains.remove(&domain.value.name);
        })
        .await
    }

    pub(crate) fn domains(
        &self,
        account: &AccountId,
        listing: &Listing,
    ) -> (Vec<Versioned<CustomDomain>>, Option<String>) {
        let view = self.view();
        let owned = view.domains.iter().filter(|(_, domain)| domain.value.account == *account);
        page(owned.map(|(name, domain)| (name, domain.clone())), listing)
    }
}
