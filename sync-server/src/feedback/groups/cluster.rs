//! Items put together that say the same about the same screen, that come after the same
//! friction there, or after the same run of several kinds on other screens of the program.
//!
//! **Invariant:** the work is bounded: texts that say the very same are one, and each is
//! compared with a bounded number of others that share a word with it.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::words::{self, Words};

/// Texts as alike as this say the same.
pub(super) const ALIKE: f64 = 0.7;
/// Texts that a text is compared with, at most; those that share most words first.
const COMPARED_MAX: usize = 48;
/// Texts looked up by one word, at most.
const FOUND_MAX: usize = 200;
/// Words shown as a reason.
const SHOWN_WORDS: usize = 8;

/// An item, as far as it is compared.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: Uuid,
    pub(super) at_ms: i64,
    pub(super) app: String,
    pub(super) screen: String,
    pub(super) words: Words,
    /// The kinds of friction before it, in order, with commas between; empty where none.
    pub(super) signature: String,
    /// Stands for the person; never shown.
    pub(super) person: u64,
}

/// Why items are put together.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reason {
    /// They say the same: words that at least two people wrote.
    Text(Vec<String>),
    /// They come after the same friction on one screen.
    Friction(String),
    /// They come after the same friction on several screens of one program.
    FrictionOfApp(String),
}

/// Items that may be the same.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) reason: Reason,
    /// 0 to 1.
    pub(super) score: f64,
    /// Places in the list, the oldest first.
    pub(super) members: Vec<usize>,
}

/// How much a signature says: one kind of friction alone is common.
pub(super) fn signature_score(signature: &str) -> f64 {
    match signature.split(',').count() {
        1 => 0.6,
        2 => 0.8,
        _ => 0.9,
    }
}

/// The same where the screens differ: what several have in common may be the program's
/// fault, and may be chance. One kind alone says nothing then.
fn signature_score_of_app(signature: &str) -> Option<f64> {
    match signature.split(',').count() {
        0 | 1 => None,
        2 => Some(0.5),
        _ => Some(0.6),
    }
}

/// The groups of two items and more, in no order.
pub(super) fn groups(items: &[Item]) -> Vec<Group> {
    let mut by_target: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        let target = (item.app.as_str(), item.screen.as_str());
        by_target.entry(target).or_default().push(place);
    }
    let mut groups = Vec::new();
    for places in by_target.values_mut() {
        places.sort_by_key(|&place| (items[place].at_ms, items[place].id));
        let mut of_text = by_text(items, places);
        of_text.extend(by_signature(items, places, &of_text));
        groups.extend(of_text);
    }
    groups.extend(by_signature_of_app(items));
    groups
}

/// Items with the same friction before them on several screens of one program.
fn by_signature_of_app(items: &[Item]) -> Vec<Group> {
    let mut same: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        if !item.app.is_empty() {
            let key = (item.app.as_str(), item.signature.as_str());
            same.entry(key).or_default().push(place);
        }
    }
    same.into_iter()
        .filter_map(|((_, signature), mut members)| {
            let score = signature_score_of_app(signature)?;
            let screen = |&place: &usize| items[place].screen.as_str();
            let first = members.first().map(screen);
            if members.iter().map(screen).all(|next| Some(next) == first) {
                return None;
            }
            members.sort_by_key(|&place| (items[place].at_ms, items[place].id));
            Some(Group {
                reason: Reason::FrictionOfApp(signature.to_owned()),
                score,
                members,
            })
        })
        .collect()
}

/// The oldest text leads; each later one joins the leader that it is most like.
fn by_text(items: &[Item], places: &[usize]) -> Vec<Group> {
    let mut same: BTreeMap<&Words, usize> = BTreeMap::new();
    // Items that say the very same, in the order of their oldest.
    let mut texts: Vec<Vec<usize>> = Vec::new();
    for &place in places {
        let words = &items[place].words;
        if words.words.is_empty() {
            continue;
        }
        let text = *same.entry(words).or_insert(texts.len());
        match texts.get_mut(text) {
            Some(members) => members.push(place),
            None => texts.push(vec![place]),
        }
    }
    let mut leaders: HashMap<String, Vec<usize>> = HashMap::new();
    // By leader: who joined, and how alike they are.
    let mut joined: BTreeMap<usize, Vec<(usize, f64)>> = BTreeMap::new();
    for (text, members) in texts.iter().enumerate() {
        let words = &items[members[0]].words;
        let mut shares: HashMap<usize, usize> = HashMap::new();
        let mut keys = HashSet::new();
        for word in &words.words {
            let mut found = HashSet::new();
            for key in words::keys(word) {
                for leader in leaders.get(&key).into_iter().flatten().take(FOUND_MAX) {
                    found.insert(*leader);
                }
                keys.insert(key);
            }
            for leader in found {
                *shares.entry(leader).or_default() += 1;
            }
        }
        let mut likely: Vec<(usize, usize)> = shares.into_iter().collect();
        likely.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let best = likely
            .into_iter()
            .take(COMPARED_MAX)
            .map(|(leader, _)| {
                let (score, _) = words::similarity(&items[texts[leader][0]].words, words);
                (leader, score)
            })
            .filter(|(_, score)| *score >= ALIKE)
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        match best {
            Some((leader, score)) => {
                let joined = joined.entry(leader).or_default();
                joined.extend(members.iter().map(|&member| (member, score)));
            }
            None => {
                let joined = joined.entry(text).or_default();
                joined.extend(members.iter().map(|&member| (member, 1.0)));
                for key in keys {
                    leaders.entry(key).or_default().push(text);
                }
            }
        }
    }
    joined
        .into_values()
        .filter(|members| members.len() > 1)
        .map(|members| {
            // The leader is not alike to itself, it is itself.
            let others = &members[1..];
            let score = others.iter().map(|(_, score)| score).sum::<f64>() / others.len() as f64;
            let mut members: Vec<usize> = members.into_iter().map(|(member, _)| member).collect();
            members.sort_by_key(|&place| (items[place].at_ms, items[place].id));
            Group {
                reason: Reason::Text(shared_words(items, &members)),
                score,
                members,
            }
        })
        .collect()
}

/// Words that most members have and at least two people wrote, and that are words: what
/// one person alone wrote, and numbers, name nobody here.
fn shared_words(items: &[Item], members: &[usize]) -> Vec<String> {
    let mut by_word: BTreeMap<&str, (usize, HashSet<u64>)> = BTreeMap::new();
    for &member in members {
        for word in &items[member].words.words {
            let (count, people) = by_word.entry(word).or_default();
            *count += 1;
            people.insert(items[member].person);
        }
    }
    let mut words: Vec<(usize, &str)> = by_word
        .into_iter()
        .filter(|(word, (count, people))| {
            people.len() > 1 && 2 * count > members.len() && word.chars().all(char::is_alphabetic)
        })
        .map(|(word, (count, _))| (count, word))
        .collect();
    words.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    words.truncate(SHOWN_WORDS);
    words.into_iter().map(|(_, word)| word.to_owned()).collect()
}

/// Items with the same friction before them, unless they are one group already.
fn by_signature(items: &[Item], places: &[usize], known: &[Group]) -> Vec<Group> {
    let mut same: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &place in places {
        let signature = items[place].signature.as_str();
        if !signature.is_empty() {
            same.entry(signature).or_default().push(place);
        }
    }
    let mut group_of: HashMap<usize, usize> = HashMap::new();
    for (number, group) in known.iter().enumerate() {
        group_of.extend(group.members.iter().map(|&member| (member, number)));
    }
    same.into_iter()
        .filter(|(_, members)| {
            let first = group_of.get(&members[0]);
            let one = first.is_some() && members.iter().all(|m| group_of.get(m) == first);
            members.len() > 1 && !one
        })
        .map(|(signature, members)| Group {
            reason: Reason::Friction(signature.to_owned()),
            score: signature_score(signature),
            members,
        })
        .collect()
}

/// Why two items say the same.
pub(super) fn shared(pair: &[Item; 2]) -> Reason {
    Reason::Text(shared_words(pair, &[0, 1]))
}
