//! Which hierarchy serves which controller on this host.
//!
//! Owns the order of preference: version 2 where it has the controller, else version 1, else a reason why not. Groups go
//! below the server's own group, so that limits set on the server hold for its instances too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::place::Place;
use super::{Cgroups, Controller, Leftovers, Site, Version};

/// Version 2's controllers that we turn on.
const TURNED_ON: [Controller; 3] = [Controller::Memory, Controller::Pids, Controller::Cpu];
/// The child group that takes the server's processes, so that its own group may have children with controllers.
const SERVER_GROUP: &str = "server";

pub(super) fn detect(site: &Site<'_>) -> Cgroups {
    let mut cgroups = Cgroups { places: Vec::new(), missing: Vec::new(), leftovers: Leftovers::default() };
    let mut refused = None;
    match Unified::find(site).map(|unified| unified.claim(site)) {
        Some(Ok((place, usable))) => {
            let place = Arc::new(place);
            cgroups.places.extend(usable.into_iter().map(|controller| (controller, Arc::clone(&place))));
        }
        Some(Err(reason)) => refused = Some(reason),
        None => {}
    }
    for controller in Controller::ALL {
        if cgroups.place_of(controller).is_some() {
            continue;
        }
        match claim_v1(site, controller) {
            Some(Ok(place)) => cgroups.places.push((controller, Arc::new(place))),
            Some(Err(reason)) => cgroups.missing.push((controller, reason)),
            None => {
                let absent = || "this host does not offer it".to_owned();
                cgroups.missing.push((controller, refused.clone().unwrap_or_else(absent)));
            }
        }
    }
    cgroups
}

/// Version 1: one hierarchy per controller, named in `/proc/self/cgroup` as `number:controllers:/path`.
fn claim_v1(site: &Site<'_>, controller: Controller) -> Option<Result<Place, String>> {
    let (names, path) = site.own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (names, path) = (parts.next()?, parts.next()?);
        names.split(',').any(|name| name == controller.name()).then_some((names, path))
    })?;
    // Controllers mounted together have a directory of both names, and usually a link for each.
    let mounts = [controller.name(), names].map(|name| site.root.join(name));
    let mount = mounts.into_iter().find(|mount| mount.is_dir())?;
    let hierarchy = below(&mount, path);
    Some(Place::claim(Version::V1, &hierarchy, site.label).map_err(|error| refusal(&hierarchy, &error)))
}

/// The server's own group; the top of the mount where that shows only a part of the tree, as in containers.
fn below(mount: &Path, path: &str) -> PathBuf {
    let own = mount.join(path.trim_start_matches('/'));
    if own.is_dir() { own } else { mount.to_owned() }
}

fn refusal(directory: &Path, error: &io::Error) -> String {
    format!("no control group can be made in {}: {error}", directory.display())
}

/// The version 2 hierarchy, seen from the server's own group.
struct Unified {
    own: PathBuf,
    offered: Vec<Controller>,
}

impl Unified {
    /// `None` where version 2 is not mounted, or only beside version 1 and without its controllers.
    fn find(site: &Site<'_>) -> Option<Self> {
        let mounts = [site.root.to_owned(), site.root.join("unified")];
        let mount = mounts.into_iter().find(|mount| mount.join("cgroup.controllers").is_file())?;
        let path = site.own.lines().find_map(|line| line.strip_prefix("0::"))?;
        let own = below(&mount, path);
        let names = fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
        let offered =
            TURNED_ON.into_iter().filter(|it| names.split_whitespace().any(|name| name == it.name()));
        let offered: Vec<_> = offered.collect();
        (!offered.is_empty()).then_some(Self { own, offered })
    }

    /// Our parent, and what groups below it can do.
    fn claim(self, site: &Site<'_>) -> Result<(Place, Vec<Controller>), String> {
        let place =
            Place::claim(Version::V2, &self.own, site.label).map_err(|error| refusal(&self.own, &error))?;
        self.turn_on(&place, site.server)?;
        let freezes = place.directory().join("cgroup.freeze").exists();
        let usable = self.offered.into_iter().chain(freezes.then_some(Controller::Freezer)).collect();
        Ok((place, usable))
    }

    fn turn_on(&self, place: &Place, server: &[u32]) -> Result<(), String> {
        let words: Vec<_> = self.offered.iter().map(|controller| format!("+{controller}")).collect();
        let words = words.join(" ");
        let set = |directory: &Path| fs::write(directory.join("cgroup.subtree_control"), &words);
        match set(&self.own) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                self.make_way(place, server)?;
                set(&self.own).map_err(|error| refusal(&self.own, &error))?;
            }
            other => other.map_err(|error| refusal(&self.own, &error))?,
        }
        set(place.directory()).map_err(|error| refusal(place.directory(), &error))
    }

    /// Moves the server's processes out of its own group (cgroup-v2.rst, "No Internal Process Constraint").
    fn make_way(&self, place: &Place, server: &[u32]) -> Result<(), String> {
        let present = fs::read_to_string(self.own.join("cgroup.procs")).unwrap_or_default();
        let present: Vec<u32> = present.lines().filter_map(|line| line.parse().ok()).collect();
        if present.iter().any(|pid| !server.contains(pid)) {
            return Err(format!(
                "other processes live in the server's control group {}; run the server as a service of its own with \
                 delegated controllers",
                self.own.display()
            ));
        }
        let group = place.directory().join(SERVER_GROUP);
        fs::create_dir(&group).map_err(|error| refusal(&group, &error))?;
        for pid in present {
            fs::write(group.join("cgroup.procs"), pid.to_string())
                .map_err(|error| refusal(&group, &error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
