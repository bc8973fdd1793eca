//! How much feedback one device and one network address may send in an hour.
//!
//! An exact sliding window: what was taken is remembered by the second until it is an
//! hour old. A device's window is read from `submissions` when the device is first seen,
//! so that a restart doesn't reset it; an address is written nowhere, so that its window
//! begins anew.
//!
//! **Invariant:** memory is bounded by [`KEYS_MAX`], whoever asks.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use uuid::Uuid;

use crate::orgs::FeedbackRules;

/// The window, in seconds.
pub const WINDOW_S: i64 = 3_600;

/// Windows kept at once. One of a device at the default limit has some 100 bytes.
const KEYS_MAX: usize = 200_000;

/// Whose window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Device(Uuid, Uuid),
    Address(Uuid, IpAddr),
}

/// What was taken, by the second, oldest first.
#[derive(Debug, Default)]
struct Window {
    taken: VecDeque<(i64, u32)>,
    total: u32,
}

impl Window {
    fn forget_old(&mut self, now_s: i64) {
        while let Some((second, number)) = self.taken.front().copied() {
            if second + WINDOW_S > now_s {
                break;
            }
            self.total -= number;
            self.taken.pop_front();
        }
    }

    fn take(&mut self, now_s: i64) {
        self.total += 1;
        match self.taken.back_mut() {
            // A clock that was set back mustn't put seconds out of order.
            Some((second, number)) if *second >= now_s => *number += 1,
            _ => self.taken.push_back((now_s, 1)),
        }
    }

    fn give_back(&mut self, taken_s: i64) {
        if let Some((_, number)) = self
            .taken
            .iter_mut()
            .rev()
            .find(|(second, number)| *second >= taken_s && *number > 0)
        {
            *number -= 1;
            self.total -= 1;
        }
    }

    fn quota(&self, limit: u32, now_s: i64) -> Quota {
        // Where the limit was lowered there may be more than it: then there is room only once
        // all but fewer than it are gone, not with the first.
        let mut to_go = self.total.saturating_sub(limit) + 1;
        let last_to_go = self.taken.iter().find(|(_, number)| {
            to_go = to_go.saturating_sub(*number);
            to_go == 0
        });
        let reset_s = last_to_go.map_or(WINDOW_S, |(second, _)| second + WINDOW_S - now_s);
        Quota {
            limit,
            remaining: limit.saturating_sub(self.total),
            reset_s: u32::try_from(reset_s.clamp(1, WINDOW_S)).unwrap_or(1),
        }
    }
}

/// What is left of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many an hour.
    pub limit: u32,
    /// How many more now.
    pub remaining: u32,
    /// Seconds until there is room for more.
    pub reset_s: u32,
}

/// What is left of both limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The device's.
    pub device: Quota,
    /// The address's.
    pub address: Quota,
}

impl Rate {
    /// Seconds until a submission can be taken; `None` where it can be now.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u32> {
        [self.device, self.address]
            .into_iter()
            .filter(|quota| quota.remaining == 0)
            .map(|quota| quota.reset_s)
            .max()
    }
}

/// Who submits.
#[derive(Debug, Clone, Copy)]
pub struct Who {
    /// The organisation.
    pub org: Uuid,
    /// The device.
    pub device: Uuid,
    /// Where it comes from.
    pub address: IpAddr,
}

impl Who {
    fn keys(&self) -> [Key; 2] {
        // One customer of an access provider has a whole /64 to choose from.
        let address = match self.address {
            IpAddr::V4(_) => self.address,
            IpAddr::V6(v6) => v6
                .to_ipv4_mapped()
                .map_or_else(|| IpAddr::V6((v6.to_bits() >> 64 << 64).into()), IpAddr::V4),
        };
        [
            Key::Device(self.org, self.device),
            Key::Address(self.org, address),
        ]
    }
}

/// The windows of all devices and addresses that were seen lately.
#[derive(Debug, Default)]
pub struct Limits {
    windows: HashMap<Key, Window>,
}

impl Limits {
    /// Whether what a device sent in the last hour is known.
    #[must_use]
    pub fn knows(&self, org: Uuid, device: Uuid) -> bool {
        self.windows.contains_key(&Key::Device(org, device))
    }

    /// Tells what a device sent in the last hour, by the second, as it was stored.
    pub fn seed(&mut self, org: Uuid, device: Uuid, mut taken: Vec<(i64, u32)>) {
        taken.sort_unstable();
        let total = taken.iter().map(|(_, number)| number).sum();
        let taken = taken.into();
        self.windows
            .insert(Key::Device(org, device), Window { taken, total });
    }

    /// What is left, nothing taken.
    pub fn look(&mut self, who: &Who, rules: FeedbackRules, now_s: i64) -> Rate {
        let limits = [rules.per_device_per_hour, rules.per_address_per_hour];
        let mut quotas = who.keys().into_iter().zip(limits).map(|(key, limit)| {
            let window = self.windows.entry(key).or_default();
            window.forget_old(now_s);
            window.quota(limit, now_s)
        });
        let none = Quota {
            limit: 0,
            remaining: 0,
            reset_s: 1,
        };
        Rate {
            device: quotas.next().unwrap_or(none),
            address: quotas.next().unwrap_or(none),
        }
    }

    /// Takes one from both limits.
    ///
    /// # Errors
    /// One of them is used up; nothing is taken.
    pub fn take(&mut self, who: &Who, rules: FeedbackRules, now_s: i64) -> Result<Rate, Rate> {
        let before = self.look(who, rules, now_s);
        if before.retry_after_s().is_some() {
            return Err(before);
        }
        for key in who.keys() {
            self.windows.entry(key).or_default().take(now_s);
        }
        Ok(self.look(who, rules, now_s))
    }

    /// Gives back what was taken for a submission that then wasn't stored.
    pub fn give_back(&mut self, who: &Who, taken_s: i64) {
        for key in who.keys() {
            if let Some(window) = self.windows.get_mut(&key) {
                window.give_back(taken_s);
            }
        }
    }

    /// Forgets what is over; where that isn't enough, devices (they are read again) and
    /// then addresses.
    pub fn trim(&mut self, now_s: i64) {
        if self.windows.len() < KEYS_MAX {
            return;
        }
        self.windows.retain(|_, window| {
            window.forget_old(now_s);
            window.total > 0
        });
        if self.windows.len() >= KEYS_MAX / 2 {
            self.windows
                .retain(|key, _| matches!(key, Key::Address(..)));
        }
        if self.windows.len() >= KEYS_MAX / 2 {
            self.windows.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: FeedbackRules = FeedbackRules {
        per_device_per_hour: 2,
        per_address_per_hour: 3,
    };

    fn who(device: u128, address: &str) -> Who {
        Who {
            org: Uuid::from_u128(1),
            device: Uuid::from_u128(device),
            address: address.parse().unwrap(),
        }
    }

    #[test]
    fn a_window_slides() {
        let mut limits = Limits::default();
        let one = who(1, "10.0.0.1");
        assert_eq!(limits.take(&one, RULES, 1_000).unwrap().device.remaining, 1);
        assert_eq!(limits.take(&one, RULES, 1_500).unwrap().device.remaining, 0);
        let full = limits.take(&one, RULES, 2_000).unwrap_err();
        assert_eq!(full.retry_after_s(), Some(2_600));
        assert!(limits.take(&one, RULES, 4_599).is_err());
        assert!(limits.take(&one, RULES, 4_600).is_ok());
        assert!(limits.take(&one, RULES, 5_099).is_err());
        assert!(limits.take(&one, RULES, 5_100).is_ok());
    }

    #[test]
    fn an_address_counts_its_devices_together() {
        let mut limits = Limits::default();
        for device in 1..=3 {
            limits.take(&who(device, "10.0.0.1"), RULES, 0).unwrap();
        }
        let full = limits.take(&who(4, "10.0.0.1"), RULES, 10).unwrap_err();
        assert_eq!((full.address.remaining, full.device.remaining), (0, 2));
        // What is refused takes nothing, from neither limit.
        assert_eq!(
            limits.look(&who(4, "10.0.0.2"), RULES, 10).device.remaining,
            2
        );
        limits.take(&who(4, "10.0.0.2"), RULES, 10).unwrap();
    }

    #[test]
    fn one_network_is_one_address() {
        let mut limits = Limits::default();
        for (device, address) in [(1, "2001:db8::1"), (2, "2001:db8::2:1"), (3, "2001:db8::3")] {
            limits.take(&who(device, address), RULES, 0).unwrap();
        }
        assert!(limits.take(&who(4, "2001:db8::9"), RULES, 0).is_err());
        assert!(limits.take(&who(4, "2001:db8:0:1::9"), RULES, 0).is_ok());
        limits.take(&who(5, "::ffff:10.0.0.1"), RULES, 0).unwrap();
        assert_eq!(
            limits.look(&who(6, "10.0.0.1"), RULES, 0).address.remaining,
            2
        );
    }

    #[test]
    fn what_was_not_stored_is_given_back() {
        let mut limits = Limits::default();
        let one = who(1, "10.0.0.1");
        limits.take(&one, RULES, 10).unwrap();
        limits.take(&one, RULES, 11).unwrap();
        limits.give_back(&one, 10);
        let rate = limits.look(&one, RULES, 12);
        assert_eq!((rate.device.remaining, rate.address.remaining), (1, 2));
        limits.give_back(&one, 10);
        limits.give_back(&one, 10);
        assert_eq!(limits.look(&one, RULES, 12).device.remaining, 2);
    }

    #[test]
    fn a_limit_of_none_takes_none() {
        let mut limits = Limits::default();
        let rules = FeedbackRules {
            per_device_per_hour: 0,
            per_address_per_hour: 5,
        };
        let rate = limits.take(&who(1, "10.0.0.1"), rules, 0).unwrap_err();
        assert_eq!(rate.retry_after_s(), Some(3_600));
    }

    #[test]
    fn a_lowered_limit_is_waited_for() {
        let mut limits = Limits::default();
        let one = who(1, "10.0.0.1");
        let of = |per_device_per_hour| FeedbackRules {
            per_device_per_hour,
            per_address_per_hour: 100,
        };
        for now_s in [100, 200, 200, 300, 400] {
            limits.take(&one, of(5), now_s).unwrap();
        }
        // Five are in the window: with a limit of two, room is there once four are gone.
        for (limit, free_at_s) in [(5, 3_700), (4, 3_800), (3, 3_800), (2, 3_900), (1, 4_000)] {
            let full = limits.take(&one, of(limit), 500).unwrap_err();
            assert_eq!(full.retry_after_s(), Some(free_at_s - 500), "{limit}");
        }
        assert!(limits.take(&one, of(2), 3_899).is_err());
        assert!(limits.take(&one, of(2), 3_900).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let mut limits = Limits::default();
        for device in 0..KEYS_MAX as u128 {
            let address = format!("10.{}.{}.{}", device >> 16, device >> 8 & 255, device & 255);
            limits
                .take(&who(device, &address), RULES, 0)
                .expect("its first");
            limits.trim(0);
        }
        assert!(limits.windows.len() <= KEYS_MAX + 2);
        limits.trim(WINDOW_S);
        assert!(limits.windows.len() <= KEYS_MAX);
    }

    #[test]
    fn a_seed_counts() {
        let mut limits = Limits::default();
        let one = who(1, "10.0.0.1");
        assert!(!limits.knows(one.org, one.device));
        limits.seed(one.org, one.device, vec![(200, 1), (100, 1)]);
        assert!(limits.knows(one.org, one.device));
        assert!(limits.take(&one, RULES, 300).is_err());
        assert!(limits.take(&one, RULES, 3_700).is_ok());
    }
}
