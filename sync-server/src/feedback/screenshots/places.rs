//! Places for pictures that are on their way: a bound for all of them together, of which no
//! device and no organisation can hold everything.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

/// Bodies that may be on their way at once.
const PLACES: usize = 64;
/// Those of one device: a person's pictures are sent one after the other, and one that hangs
/// must not hold up the next.
const OF_A_DEVICE: usize = 4;

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The device has as many as it may.
    Device,
    /// All are taken, or the organisation has its share.
    Everybody,
}

#[derive(Default)]
struct Taken {
    all: usize,
    orgs: HashMap<Uuid, usize>,
    /// By organisation and device.
    devices: HashMap<(Uuid, Uuid), usize>,
}

/// The places.
#[derive(Default)]
pub(super) struct Places(Arc<Mutex<Taken>>);

/// A place that is taken until this is dropped.
pub(super) struct Place {
    of: Arc<Mutex<Taken>>,
    org: Uuid,
    device: Uuid,
}

impl Places {
    /// Takes one. An organisation gets another as long as it holds fewer than are free: one
    /// alone gets half of them, and the last goes to one that has none.
    pub(super) fn take(&self, org: Uuid, device: Uuid) -> Result<Place, Full> {
        let mut taken = self.0.lock();
        let held = |number: Option<&usize>| number.copied().unwrap_or(0);
        if held(taken.devices.get(&(org, device))) >= OF_A_DEVICE {
            return Err(Full::Device);
        }
        if held(taken.orgs.get(&org)) >= PLACES - taken.all {
            return Err(Full::Everybody);
        }
        taken.all += 1;
        *taken.orgs.entry(org).or_default() += 1;
        *taken.devices.entry((org, device)).or_default() += 1;
        Ok(Place {
            of: Arc::clone(&self.0),
            org,
            device,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self { of, org, device } = self;
        let mut taken = of.lock();
        taken.all -= 1;
        give_back(&mut taken.orgs, *org);
        give_back(&mut taken.devices, (*org, *device));
    }
}

fn give_back<K: std::hash::Hash + Eq>(held: &mut HashMap<K, usize>, whose: K) {
    if let Some(number) = held.get_mut(&whose) {
        *number -= 1;
        if *number == 0 {
            held.remove(&whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_holds_all_places() {
        let places = Places::default();
        let id = Uuid::from_u128;
        let mut held: Vec<Place> = (0..OF_A_DEVICE)
            .map(|_| places.take(id(1), id(1)).expect("a place"))
            .collect();
        assert_eq!(places.take(id(1), id(1)).err(), Some(Full::Device));
        held.push(places.take(id(2), id(1)).expect("another's device"));
        let mut of_first = OF_A_DEVICE;
        for device in 2.. {
            match places.take(id(1), id(device)) {
                Ok(place) => held.push(place),
                Err(full) => {
                    assert_eq!(full, Full::Everybody);
                    break;
                }
            }
            of_first += 1;
        }
        assert_eq!(of_first, PLACES / 2);
        // Five more find places: the last is one that has none.
        for org in 3..8 {
            for device in 0.. {
                match places.take(id(org), id(device)) {
                    Ok(place) => held.push(place),
                    Err(_) => {
                        assert!(device > 0, "{org}");
                        break;
                    }
                }
            }
        }
        assert_eq!(held.len(), PLACES);
        drop(held);
        let taken = places.0.lock();
        assert_eq!(
            (taken.all, taken.orgs.len(), taken.devices.len()),
            (0, 0, 0)
        );
    }
}
