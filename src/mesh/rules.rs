//! What of others bears on the path of a scrape, taken out of the inventory as it was read.

use super::istio::Settings;
use super::labels::is_ours;
use super::objects::{Labels, Meta};
use super::{Inventory, Listing, Progress};
use crate::reach::path::{Read, Rules};
use std::collections::BTreeMap;

pub(super) fn rules(inventory: &Inventory, settings: &Settings) -> Rules {
    let network = match &inventory.namespaces.progress {
        // Policies select namespaces by their labels.
        progress if progress.fails() && !inventory.network_policies.items.is_empty() => {
            Err(why(progress))
        }
        _ => read(&inventory.network_policies, |of| &of.metadata),
    };
    let asks_for_labels = network.as_ref().is_ok_and(|all| !all.is_empty());
    Rules {
        root: settings.root_namespace.clone().unwrap_or_default(),
        aliases: settings.config.aliases().to_vec(),
        providers: settings.read.then(|| settings.config.providers()),
        proxy_protocol: settings.config.expects_proxy_protocol(),
        policies: read(&inventory.authorization_policies, |of| &of.metadata),
        filters: read(&inventory.envoy_filters, |of| &of.metadata),
        network,
        other_networks: inventory.other_networks.clone(),
        namespaces: match asks_for_labels {
            true => labels(inventory),
            false => BTreeMap::new(),
        },
        rights: inventory.rights.clone(),
    }
}

fn why(of: &Progress) -> String {
    crate::words::progress(of).unwrap_or_default().into_owned()
}

/// What is ours stands as the recipe has it, and there may be thousands of them.
fn read<T: Clone>(list: &Listing<T>, meta: fn(&T) -> &Meta) -> Read<T> {
    match &list.progress {
        progress if progress.fails() => Err(why(progress)),
        _ => {
            let foreign = list.items.iter().filter(|one| !is_ours(meta(one)));
            Ok(foreign.cloned().collect())
        }
    }
}

fn labels(inventory: &Inventory) -> BTreeMap<String, Labels> {
    let all = inventory.namespaces.items.iter();
    all.map(|one| (one.metadata.name.clone(), one.metadata.labels.clone()))
        .collect()
}
