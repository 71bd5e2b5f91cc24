//! The way out for real: a thread's network namespace plays the host, another one the outside.
//!
//! Needs root, to make the namespaces; the supervisor's part then runs as root of the host. That an ordinary user has
//! the same is shown with the whole server (`crates/bide/tests/it/escape`).

mod world;

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};

use super::*;
use world::{Instance, Outside};

/// Seconds until a step must have happened.
const PATIENCE: i64 = 20;

/// A look that finds nothing new is one system call.
const LOOKS_MAX: usize = 1_000_000;

static ALONE: Mutex<()> = Mutex::new(());

const FRIEND: &str = "198.51.100.1:80";
const FRIEND_V6: &str = "[2001:db8::1]:80";
const METADATA: &str = "169.254.169.254:80";

/// Says, past the capture of test output, that something could not be tried.
fn not_shown(why: &str) {
    let _ = writeln!(io::stderr(), "NOT SHOWN: outbound network of instances: {why}");
}

/// Runs a story in a thread whose network is that of the "host".
fn on_a_host(story: impl FnOnce(&Outside, PathBuf) + Send + 'static) {
    if !rustix::process::geteuid().is_root() {
        not_shown("needs root, to make namespaces that play the host and the outside");
        return;
    }
    // One at a time: the instance of one is a copy of this process, with the descriptors of all.
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let run = move || {
        let outside = Outside::make();
        match Outbound::detect() {
            Outbound::Pasta(program) => story(&outside, program),
            Outbound::Unavailable(why) => not_shown(&why),
        }
    };
    std::thread::spawn(run).join().unwrap();
}

/// Drives the attachment until it is up or has failed.
fn drive(attachment: &mut Attachment) -> io::Result<()> {
    while let Some(fd) = attachment.fd() {
        let limit = rustix::time::Timespec { tv_sec: PATIENCE, tv_nsec: 0 };
        let happened = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&limit)).unwrap();
        assert!(happened > 0, "the network did not come up");
        attachment.advance()?;
    }
    Ok(())
}

#[test]
fn other_hosts_are_reached_and_this_one_is_not() {
    on_a_host(|outside, program| {
        outside.serve(&[FRIEND, FRIEND_V6, METADATA]);
        world::answer(TcpListener::bind("[::]:8700").unwrap());
        world::ip("addr add 10.9.8.7/32 dev lo");
        let metadata: SocketAddr = METADATA.parse().unwrap();
        assert_eq!(world::ask(metadata), "hello from 169.254.169.254", "the host itself reaches it");
        let prohibited = [
            "127.0.0.1:8700",
            "198.51.100.2:8700",
            "10.9.8.7:8700",
            "[2001:db8::2]:8700",
            "[::ffff:127.0.0.1]:8700",
            METADATA,
            "[fd00:ec2::254]:80",
            "100.100.100.200:80",
        ];
        let targets: Vec<_> = prohibited.into_iter().chain([FRIEND, FRIEND_V6]).collect();
        let surroundings = Surroundings::look().unwrap();
        let (instance, trap) = Instance::make(&surroundings, &targets);
        let mut attachment = Attachment::new(program, instance.pid, surroundings.families, trap);
        instance.go_on(targets.len());
        drive(&mut attachment).unwrap();
        let seen = instance.report();
        assert_eq!(seen[8..], ["hello from 198.51.100.1", "hello from 2001:db8::1"], "{seen:?}");
        for (target, answer) in prohibited.iter().zip(&seen) {
            assert_eq!(answer, "Permission denied (os error 13)", "{target}");
        }
    });
}

#[test]
fn an_instance_that_sends_nothing_costs_no_process() {
    on_a_host(|_, program| {
        let surroundings = Surroundings::look().unwrap();
        let (instance, trap) = Instance::make(&surroundings, &["127.0.0.1:9", "datagram to 224.0.0.1:9"]);
        let mut attachment = Attachment::new(program, instance.pid, surroundings.families, trap);
        instance.go_on(2);
        instance.report();
        attachment.advance().unwrap();
        assert!(attachment.is_waiting() && attachment.take_trap().is_none());
    });
}

#[test]
fn when_pasta_does_not_start_the_network_is_unreachable_at_once() {
    on_a_host(|_, _| {
        let surroundings = Surroundings::look().unwrap();
        let datagram = format!("datagram to {FRIEND}");
        let (instance, trap) = Instance::make(&surroundings, &[&datagram, FRIEND]);
        let mut attachment = Attachment::new("/bin/false".into(), instance.pid, surroundings.families, trap);
        instance.go_on(1);
        let error = drive(&mut attachment).unwrap_err();
        assert_eq!(error.to_string(), "pasta did not start: it said nothing");
        assert!(attachment.fd().is_none());
        drop(attachment.take_trap().unwrap());
        instance.go_on(1);
        assert_eq!(instance.report(), ["sent", "Network is unreachable (os error 101)"]);
    });
}

#[test]
fn the_host_is_looked_at_again_when_it_has_changed() {
    on_a_host(|_, _| {
        let mut lookout = Lookout::new();
        let has = |seen: &Surroundings, address: &str| {
            let address = address.parse::<IpAddr>().unwrap();
            seen.host.iter().any(|prefix| prefix.address == address)
        };
        for (address, name) in [("10.9.8.6", "10.9.8.6/32"), ("2001:db8::66", "2001:db8::66/128")] {
            // The kernel makes the local route of an IPv6 address a moment after the address.
            let mut comes_to =
                |wanted| (0..LOOKS_MAX).any(|_| has(&lookout.look().unwrap(), address) == wanted);
            assert!(comes_to(false));
            world::ip(&format!("addr add {name} dev lo"));
            assert!(comes_to(true));
            world::ip(&format!("addr del {name} dev lo"));
            assert!(comes_to(false));
        }
        assert!(lookout.look().unwrap().families.v4);
        world::ip("route del default");
        assert!(!lookout.look().unwrap().families.v4);
        world::ip("link set veth0 down");
        assert_eq!(lookout.look().unwrap().families, Families::NONE);
    });
}

#[test]
fn a_host_that_has_not_changed_is_not_looked_at_again() {
    on_a_host(|_, _| {
        let mut lookout = Lookout::new();
        lookout.look().unwrap();
        // Seen by nobody but by who looks: the kernel tells those in the network that has changed.
        lookout.forge(Families::NONE);
        assert_eq!(lookout.look().unwrap().families, Families::NONE);
        world::ip("addr add 10.9.8.6/32 dev lo");
        assert!(lookout.look().unwrap().families.v4);
    });
}

#[test]
fn a_host_without_a_way_out_lays_no_trap() {
    on_a_host(|_, _| {
        let nowhere = Surroundings { host: Vec::new(), families: Families::NONE };
        assert!(lay_trap(&nowhere).unwrap().is_none());
    });
}
